"""``serverless-python-requirements``: what its settings come to, and what is built from them."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from conftest import Project

from bootstrap import builds
from bootstrap.checks import check
from bootstrap.commands.load import load_template
from bootstrap.definition import requirements
from bootstrap.errors import DefinitionError, DeployError
from bootstrap.template import Template

HEAD = """\
service: shop
plugins: [serverless-python-requirements]
provider: {name: aws, stage: test, runtime: python3.13}
"""
GREET = "functions:\n  greet: {handler: app.handler}\n"


@pytest.fixture(autouse=True)
def builds_folder(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Path:
    folder = tmp_path_factory.mktemp("builds")
    monkeypatch.setattr(builds, "FOLDER", folder)
    return folder


def wheel(folder: Path, name: str, code: str = "X = 1\n") -> Path:
    """A package that can be installed without any index."""
    file = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(f"{name}/__init__.py", code)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return file


def load(project: Project, text: str) -> Template:
    template = load_template(project.write(text))
    check(template)
    return template


def names(template: Template, function: str = "GreetLambdaFunction") -> set[str]:
    """The files of a function's package, after everything was built for it."""
    builds.prepare(template)
    content = builds.function_archive(template.resources[function].properties["Code"])
    assert content is not None
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return set(archive.namelist())


def custom(**settings: Any) -> str:
    import json

    return f"custom: {json.dumps({'pythonRequirements': settings})}\n"


def test_packages_are_beside_the_handler(project: Project, builds_folder: Path) -> None:
    wheel(project.root, "thing")
    (project.root / "requirements.txt").write_text("./thing-1.0-py3-none-any.whl\n")
    before = sorted(project.root.rglob("*"))

    found = names(load(project, HEAD + GREET))

    assert {"app.py", "thing/__init__.py", "thing-1.0.dist-info/METADATA"} <= found
    assert sorted(project.root.rglob("*")) == sorted({*before, project.file})


def test_a_build_is_kept_until_the_requirements_change(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    wheel(project.root, "thing")
    wheel(project.root, "other")
    file = project.root / "requirements.txt"
    file.write_text("./thing-1.0-py3-none-any.whl\n")
    template = load(project, HEAD + GREET)
    builds.prepare(template)
    assert "installed requirements.txt for greet: 1 packages in" in capsys.readouterr().out

    builds.prepare(template)
    assert capsys.readouterr().out == ""

    (project.root / "more.txt").write_text("./other-1.0-py3-none-any.whl\n")
    file.write_text("-r more.txt\n./thing-1.0-py3-none-any.whl  # with a comment\n")
    assert {"thing/__init__.py", "other/__init__.py"} <= names(template)


def test_a_folder_of_the_project_is_installed_and_nothing_is_written_into_it(
    project: Project,
) -> None:
    lib = project.root / "lib"
    (lib / "greetlib").mkdir(parents=True)
    (lib / "greetlib/__init__.py").write_text("NAME = 'greetlib'\n")
    (lib / "pyproject.toml").write_text(BACKEND)
    (lib / "backend.py").write_text(BACKEND_CODE)
    (project.root / "requirements.txt").write_text("./lib\n")
    template = load(project, HEAD + GREET)
    before = sorted(project.root.rglob("*"))

    assert "greetlib/__init__.py" in names(template)
    assert sorted(project.root.rglob("*")) == before


BACKEND = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "greetlib"
version = "1.0"
"""
#: A build that leaves a file beside its source, as setuptools does.
BACKEND_CODE = """\
import os, zipfile

def build_wheel(target, config_settings=None, metadata_directory=None):
    open("left-behind", "w").close()
    name = "greetlib-1.0-py3-none-any.whl"
    info = "greetlib-1.0.dist-info"
    with zipfile.ZipFile(os.path.join(target, name), "w") as archive:
        archive.write("greetlib/__init__.py")
        facts = "Metadata-Version: 2.1\\nName: greetlib\\nVersion: 1.0\\n"
        archive.writestr(f"{info}/METADATA", facts)
        facts = "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
        archive.writestr(f"{info}/WHEEL", facts)
        archive.writestr(f"{info}/RECORD", "")
    return name
"""


def test_each_module_has_its_own_packages_at_the_top(project: Project) -> None:
    for name in ("one", "two"):
        (project.root / name).mkdir()
        (project.root / name / "index.py").write_text("def handler(event, context): ...\n")
        wheel(project.root / name, f"for_{name}")
        (project.root / name / "requirements.txt").write_text(f"./for_{name}-1.0-py3-none-any.whl")
    text = HEAD + (
        "package: {individually: true}\n"
        "functions:\n"
        "  one: {handler: index.handler, module: one}\n"
        "  two: {handler: index.handler, module: two}\n"
    )
    template = load(project, text)

    one, two = names(template, "OneLambdaFunction"), names(template, "TwoLambdaFunction")

    assert {"index.py", "for_one/__init__.py"} <= one
    assert "for_two/__init__.py" in two
    assert not any(name.startswith(("one/", "two/", "for_two")) for name in one)


def test_a_wrong_module_is_named_at_its_line(project: Project) -> None:
    text = HEAD + (
        "package: {individually: true}\n"
        "functions:\n  one:\n    handler: index.handler\n    module: nowhere\n"
    )
    with pytest.raises(DefinitionError, match=r"serverless.yml:8.*there is no folder nowhere"):
        load(project, text)


def test_module_without_the_plugin_is_refused(project: Project) -> None:
    text = HEAD.replace("plugins: [serverless-python-requirements]\n", "") + (
        "functions:\n  one:\n    handler: app.handler\n    module: one\n"
    )
    with pytest.raises(DefinitionError, match="not among plugins"):
        load(project, text)


def test_slim_and_no_deploy(project: Project) -> None:
    wheel(project.root, "thing")
    wheel(project.root, "other")
    (project.root / "requirements.txt").write_text(
        "./thing-1.0-py3-none-any.whl\nBoto3==1.0\nother @ file://"
        f"{project.root}/other-1.0-py3-none-any.whl\n"
    )
    found = names(load(project, HEAD + custom(slim=True, noDeploy=["boto3", "other"]) + GREET))

    assert "thing/__init__.py" in found
    assert not any("dist-info" in name or name.startswith(("other/", "boto3")) for name in found)


def test_a_layer_has_the_packages_and_the_functions_do_not(project: Project) -> None:
    wheel(project.root, "thing")
    (project.root / "requirements.txt").write_text("./thing-1.0-py3-none-any.whl\n")
    functions = (
        "functions:\n  greet:\n    handler: app.handler\n"
        "    layers: [{Ref: PythonRequirementsLambdaLayer}]\n"
    )
    template = load(project, HEAD + custom(layer=True) + functions)

    assert "thing/__init__.py" not in names(template)
    layer = template.resources["PythonRequirementsLambdaLayer"].properties
    assert layer["LayerName"] == "shop-test-python-requirements"
    with zipfile.ZipFile(io.BytesIO(builds.layer_archive(layer["Content"]))) as archive:
        assert "python/thing/__init__.py" in archive.namelist()


def test_handlers_that_unzip_their_packages_find_what_they_import(project: Project) -> None:
    wheel(project.root, "thing")
    (project.root / "requirements.txt").write_text("./thing-1.0-py3-none-any.whl\n")

    assert {"thing/__init__.py", "unzip_requirements.py"} <= names(
        load(project, HEAD + custom(zip=True) + GREET)
    )


def test_vendor(project: Project) -> None:
    (project.root / "vendored").mkdir()
    (project.root / "vendored/own.py").write_text("X = 1\n")

    assert "own.py" in names(load(project, HEAD + custom(vendor="vendored") + GREET))


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("Pipfile", "", "Write requirements.txt: pipenv requirements > requirements.txt"),
        ("pyproject.toml", "[tool.poetry]\n", "poetry export"),
        ("uv.lock", "", "uv export"),
    ],
)
def test_other_tools_are_named(project: Project, file: str, text: str, said: str) -> None:
    (project.root / file).write_text(text)

    with pytest.raises(DefinitionError, match=said):
        load(project, HEAD + GREET)

    (project.root / "requirements.txt").write_text("")
    notes = load(project, HEAD + GREET).document.notes_as_text()
    assert any(f"not from {file}" in note for note in notes)


def test_settings_without_effect_are_noted_and_unknown_ones_refused(project: Project) -> None:
    notes = load(project, HEAD + custom(dockerizePip=True) + GREET).document.notes_as_text()
    assert any("dockerizePip: has no effect here" in note for note in notes)

    with pytest.raises(DefinitionError, match=r"pythonRequirements\.slimm: is not supported here"):
        load(project, HEAD + custom(slimm=True) + GREET)


def test_a_file_name_that_is_not_there(project: Project) -> None:
    with pytest.raises(DefinitionError, match=r"there is no file requirements-prod\.txt"):
        load(project, HEAD + custom(fileName="requirements-prod.txt") + GREET)


def test_what_cannot_be_installed_is_said_in_the_installers_words(
    project: Project, builds_folder: Path
) -> None:
    (project.root / "requirements.txt").write_text("./thing-1.0-py3-none-any.whl\n")
    (project.root / "thing-1.0-py3-none-any.whl").write_text("no archive")

    with pytest.raises(DeployError, match=r"requirements\.txt could not be installed:\n.*thing"):
        builds.prepare(load(project, HEAD + GREET))
    assert [p for p in builds_folder.iterdir() if p.name != ".cache"] == []


def test_a_folder_that_cannot_be_written(
    project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    wheel(project.root, "thing")
    (project.root / "requirements.txt").write_text("./thing-1.0-py3-none-any.whl\n")
    blocked = tmp_path_factory.mktemp("blocked") / "file"
    blocked.write_text("")
    monkeypatch.setattr(builds, "FOLDER", blocked / "below")

    with pytest.raises(DeployError, match="could not be installed: Not a directory"):
        builds.prepare(load(project, HEAD + GREET))


def test_a_large_archive_is_made_once(project: Project, builds_folder: Path) -> None:
    wheel(project.root, "thing", f"X = '{'x' * 1_100_000}'\n")
    (project.root / "requirements.txt").write_text("./thing-1.0-py3-none-any.whl\n")
    template = load(project, HEAD + GREET)
    builds.prepare(template)
    code = template.resources["GreetLambdaFunction"].properties["Code"]

    first = builds.function_archive(code)
    (kept,) = builds_folder.glob("archive-*.zip")
    kept.write_bytes(b"kept")
    assert builds.function_archive(code) == b"kept"

    os.utime(project.root / "app.py", (1, 1))
    assert builds.function_archive(code) == first


def test_a_wsgi_application_gets_a_handler(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = """
TEXT_MIME_TYPES = []


def handle_request(application, event, context):
    return [application(), event, TEXT_MIME_TYPES]
"""
    monkeypatch.setattr(
        requirements, "_WSGI_PACKAGE", str(wheel(tmp_path, "serverless_wsgi", served))
    )
    (project.root / "requirements.txt").write_text(f"{wheel(tmp_path, 'flask_like')}\n")
    (project.root / "pages.py").write_text("app = lambda: 'served'\n")
    text = HEAD.replace("serverless-python-requirements", "serverless-wsgi")
    text += "custom: {wsgi: {app: pages.app, textMimeTypes: [text/x]}}\n"
    text += "functions:\n  greet: {handler: wsgi_handler.handler}\n"

    template = load(project, text)
    files = names(template)

    assert {"wsgi_handler.py", "serverless_wsgi/__init__.py", "pages.py"} <= files
    assert "flask_like/__init__.py" in files
    unpacked = tmp_path / "unpacked"
    code = template.resources["GreetLambdaFunction"].properties["Code"]
    zipfile.ZipFile(io.BytesIO(builds.function_archive(code) or b"")).extractall(unpacked)
    program = "import json, wsgi_handler; print(json.dumps(wsgi_handler.handler({}, None)))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=unpacked, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == ["served", {}, ["text/x"]]


def test_a_wsgi_application_needs_a_name(project: Project) -> None:
    text = HEAD.replace("serverless-python-requirements", "serverless-wsgi") + GREET

    with pytest.raises(DefinitionError, match=r"custom\.wsgi\.app: is required"):
        load(project, text)
