"""Handlers and runtimes: what could not be invoked is refused before it is created."""

from __future__ import annotations

import pytest
from conftest import FUNCTION, PROVIDER, Project


def test_a_handler_in_a_folder(project: Project) -> None:
    (project.root / "functions/greet").mkdir(parents=True)
    (project.root / "functions/greet/handler.py").write_text("def run(event, context): ...\n")

    template = project.compile(FUNCTION.replace("app.handler", "functions/greet/handler.run"))

    function = template.resources["GreetLambdaFunction"]
    assert function.properties["Handler"] == "functions/greet/handler.run"


@pytest.mark.parametrize(
    "source",
    [
        "def handler(event, context): ...",
        "@decorated\ndef handler(event, context): ...",
        "handler = make()",
        "handler: Handler = make()",
        "first = handler = make()",
        "handler, other = make()",
        "from other import handler",
        "from other import run as handler",
        "from other import *",
        "import other as handler",
        "class handler: ...",
        "@awaited\nasync def handler(event, context): ...",
        "try:\n    from fast import handler\nexcept ImportError:\n    from slow import handler",
        "if True:\n    def handler(event, context): ...",
        "with_it = (handler := make())",
    ],
)
def test_every_way_of_defining_a_handler(project: Project, source: str) -> None:
    (project.root / "app.py").write_text(source + "\n")

    assert "GreetLambdaFunction" in project.compile(FUNCTION).resources


@pytest.mark.parametrize(
    "source",
    [
        "",
        "def other(event, context): ...",
        "class App:\n    def handler(self): ...",
        "def make():\n    def handler(event, context): ...\n    return handler",
        "# def handler(event, context): ...",
        "handlers = {}",
        "async def handler(event, context): ...",  # nothing would await it
        "make = lambda: (handler := 1)",
    ],
)
def test_a_handler_that_the_file_lacks(project: Project, source: str) -> None:
    (project.root / "app.py").write_text(source + "\n")

    error = project.refused(FUNCTION)

    said = "functions.greet: app.py has no function “handler” at its top level."
    assert error.message.removesuffix(" Did you mean “handlers”?") == said
    assert error.line == 8


def test_a_file_that_is_not_there(project: Project) -> None:
    error = project.refused(FUNCTION.replace("app.handler", "apps/main.handler"))

    assert error.message == (
        "functions.greet: there is no apps/main.py for the handler “apps/main.handler”."
    )
    assert error.line == 8


@pytest.mark.parametrize("handler", ["handler", "app", "''", "."])
def test_a_handler_without_a_file_or_a_name(project: Project, handler: str) -> None:
    error = project.refused(FUNCTION.replace("app.handler", handler))

    assert error.line == 8
    assert "must be <path of the file without its ending>.<name of the function>" in error.message


def test_a_handler_above_the_project(project: Project) -> None:
    (project.root.parent / "outside.py").write_text("def handler(event, context): ...\n")

    error = project.refused(FUNCTION.replace("app.handler", "../outside.handler"))

    assert error.line == 8
    assert "../outside" in error.message


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (b"def handler(:\n", "app.py:1 is not valid Python"),
        (b"x = 1\ndef handler(event)\n", "app.py:2 is not valid Python"),
        (b"def handler(event, context):\n", "app.py:1 is not valid Python"),
        (b"x = 'caf\xe9'\n", "app.py"),
        (b"\x00\n", "app.py"),
        (b"x = " + b"(" * 500 + b")" * 500 + b"\n", "app.py"),
        (b"x = " + b"-" * 100_000 + b"1\n", "app.py"),
    ],
)
def test_a_file_that_is_not_python(project: Project, source: bytes, said: str) -> None:
    (project.root / "app.py").write_bytes(source)

    error = project.refused(FUNCTION)

    assert said in error.message
    assert "is not valid Python" in error.message
    assert error.line == 8


def test_the_file_of_a_handler_must_be_in_the_package(project: Project) -> None:
    error = project.refused(FUNCTION + 'package:\n  patterns: ["!**", "functions/**"]\n')

    assert "package.patterns leave out app.py, the file of its handler" in error.message


def test_a_functions_own_patterns_count_with_individually_only(project: Project) -> None:
    own = FUNCTION + "    package: { patterns: [app.py] }\n"
    patterns = 'package:\n  patterns: ["!**"]\n'

    project.refused(own + patterns)
    template = project.compile(own + patterns + "  individually: true\n")

    code = template.resources["GreetLambdaFunction"].properties["Code"]
    assert code["Patterns"] == ["!**", "app.py"]


@pytest.mark.parametrize("runtime", ["python3.12", "python3.13", "python3.9"])
def test_runtimes_of_lambda(project: Project, runtime: str) -> None:
    template = project.compile(FUNCTION.replace("python3.13", runtime))

    assert template.resources["GreetLambdaFunction"].properties["Runtime"] == runtime


@pytest.mark.parametrize("runtime", ["python3.99", "python", "''", "docker", "Python3.13"])
def test_what_is_no_runtime(project: Project, runtime: str) -> None:
    error = project.refused(FUNCTION.replace("python3.13", runtime))

    assert error.line == 5
    assert f"“{runtime.strip(chr(39))}” is not a Lambda runtime. Known: " in error.message
    assert "python3.13" in error.message


def test_the_line_of_a_functions_own_runtime(project: Project) -> None:
    error = project.refused(FUNCTION + "    runtime: python3.99\n")

    assert error.line == 9


def test_a_runtime_is_required(project: Project) -> None:
    error = project.refused(FUNCTION.replace("  runtime: python3.13\n", ""))

    assert error.message == "functions.greet: runtime is missing: set provider.runtime."


@pytest.mark.parametrize("suffix", [".js", ".mjs", ".cjs"])
def test_node_handlers(project: Project, suffix: str) -> None:
    (project.root / f"web{suffix}").write_text("exports.run = async () => 1;\n")

    template = project.compile(
        FUNCTION.replace("app.handler", "web.run").replace("python3.13", "nodejs22.x")
    )

    assert template.resources["GreetLambdaFunction"].properties["Handler"] == "web.run"


def test_a_node_handler_that_is_not_there(project: Project) -> None:
    error = project.refused(FUNCTION.replace("python3.13", "nodejs22.x"))

    assert "there is no app.js or app.mjs or app.cjs for the handler “app.handler”" in error.message


def test_provided_runtimes_have_a_bootstrap_of_their_own(project: Project) -> None:
    template = project.compile(
        FUNCTION.replace("app.handler", "anything").replace("python3.13", "provided.al2023")
    )

    assert "GreetLambdaFunction" in template.resources


def test_a_layer_that_was_not_built(project: Project) -> None:
    error = project.refused(PROVIDER + "layers:\n  deps:\n    path: .build/deps\n")

    assert error.message == (
        "layers.deps: the folder .build/deps is missing or empty. Build it: make layer."
    )
    assert error.line == 8


def test_names_that_make_one_logical_id(project: Project) -> None:
    error = project.refused(FUNCTION + "  Greet:\n    handler: app.handler\n")

    assert "is defined twice: rename one." in error.message
