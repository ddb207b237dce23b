"""``check`` says which runtimes this machine cannot run, by the code that would run them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bootstrap import builds
from bootstrap.checks import examine, unreadable
from bootstrap.checks.findings import Finding
from bootstrap.errors import DefinitionError, DeployError
from tests.unit.bootstrap.conftest import FUNCTION, PROVIDER, Project
from trigger_stack_engine.environments import interpreters
from trigger_stack_engine.environments.node.client import NodeClient


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for programs: a machine that has nothing but what a test puts there, and uv."""
    programs = tmp_path / "machine/programs"
    programs.mkdir(parents=True)
    (programs / "uv").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "machine/pyenv"))
    monkeypatch.setenv("LAMBDA_PROCESS_PYTHON_RUNTIMES", str(tmp_path / "machine/runtimes"))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "machine/venv/python"))
    monkeypatch.delenv("STACK_CONTAINER", raising=False)
    return programs


def interpreter(file: Path, name: str) -> Path:
    """A stand-in that says which Python it is."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\necho {name} {file}\n")
    file.chmod(0o755)
    return file


def prepared(machine: Path, name: str) -> None:
    folder = machine.parent / "runtimes" / name
    folder.mkdir(parents=True)
    (folder / ".interpreter").write_text(f"{machine / 'uv'}\n")


def findings(project: Project, text: str) -> list[Finding]:
    return [one for one in examine(project.compile(text)).findings if one.rule_id == "TS006"]


def test_what_is_prepared_runs(project: Project, machine: Path) -> None:
    prepared(machine, "python3.13")

    assert not findings(project, FUNCTION)


def test_a_python_that_is_missing_is_one_finding_at_its_key(
    project: Project, machine: Path
) -> None:
    prepared(machine, "python3.13")
    text = FUNCTION.replace("python3.13", "python3.11") + "  other:\n    handler: app.handler\n"

    (found,) = findings(project, text)

    assert (found.line, found.column) == (5, 3)
    assert found.what == (
        "runtime python3.11 needs Python 3.11, which is not installed on this machine (installed"
        " runtimes: python3.13). Install it, for example with: pyenv install 3.11, or: uv python"
        " install 3.11."
    )
    assert project.refused(text).line == 5


def test_each_key_that_names_it_is_said(project: Project, machine: Path) -> None:
    prepared(machine, "python3.13")

    text = FUNCTION.replace("python3.13", "python3.10") + "    runtime: python3.11\n"
    found = findings(project, text + "  other:\n    handler: app.handler\n")

    assert [(one.line, one.column, one.what[:18]) for one in found] == [
        (5, 3, "runtime python3.10"),
        (9, 5, "runtime python3.11"),
    ]


@pytest.mark.parametrize(
    "place", ["programs/python3.11", "pyenv/versions/3.11.7/bin/python3.11", "uv"]
)
def test_where_an_interpreter_is_looked_for(project: Project, machine: Path, place: str) -> None:
    if place == "uv":
        found = interpreter(machine.parent / "uv-pythons/python3.11", "python3.11")
        (machine / "uv").write_text(f"#!/bin/sh\necho {found}\n")
    else:
        found = interpreter(machine.parent / place, "python3.11")

    assert interpreters.find("python3.11") == str(found)
    assert not findings(project, FUNCTION.replace("python3.13", "python3.11"))


def test_a_shim_of_another_version_is_passed_over(machine: Path) -> None:
    (machine / "python3.11").write_text("#!/bin/sh\necho pyenv: no such version >&2; exit 127\n")
    (machine / "python3.11").chmod(0o755)
    interpreter(machine.parent / "pyenv/versions/3.11.2/bin/python3.11", "python3.12")
    right = interpreter(machine.parent / "pyenv/versions/3.11.1/bin/python3.11", "python3.11")

    assert interpreters.find("python3.11") == str(right)


@pytest.mark.parametrize("runtime", ["python3.7", "python3.8", "python3.14"])
def test_a_python_that_is_not_looked_for(project: Project, machine: Path, runtime: str) -> None:
    (found,) = findings(project, FUNCTION.replace("python3.13", runtime))

    assert found.what == (
        f"runtime {runtime} cannot run here: functions run with python3.9 to python3.13; set one"
        " of them."
    )


def test_without_uv_nothing_is_installed(project: Project, machine: Path) -> None:
    prepared(machine, "python3.13")
    (machine / "uv").chmod(0o644)

    (found,) = findings(project, FUNCTION.replace("python3.13", "python3.11"))

    assert "python3.11 is not installed here (installed runtimes: python3.13), and uv" in found.what


def test_containers_have_one_python_and_no_node(
    project: Project, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STACK_CONTAINER", "bootstrap")
    (project.root / "app.js").write_text("exports.handler = async () => 1;\n")

    for runtime in ("python3.11", "nodejs22.x"):
        (found,) = findings(project, FUNCTION.replace("python3.13", runtime))
        assert "(RUNTIME=docker) have one Python and no Node.js: RUNTIME=native" in found.what


def test_node_needs_node_and_once_npm(project: Project, machine: Path) -> None:
    (project.root / "app.js").write_text("exports.handler = async () => 1;\n")
    text = PROVIDER + "functions:\n  web: {handler: app.handler, runtime: nodejs22.x}\n"

    def said() -> list[str]:
        return [f"{one.line}:{one.column} {one.what}" for one in findings(project, text)]

    assert said() == [
        "7:31 runtime nodejs22.x needs `node`, which is not installed on this machine; install"
        " Node.js with npm and start the emulator again."
    ]
    (machine / "node").touch(mode=0o755)
    (without_npm,) = said()
    assert "which npm installs once, and `npm` is not installed on this machine" in without_npm
    (machine / "npm").touch(mode=0o755)
    assert not said()
    (machine / "npm").unlink()
    runtimes = machine.parent / "runtimes"
    for name, _ in NodeClient(runtimes, runtimes)._parts():
        (runtimes / name).mkdir(parents=True)
    assert not said()


def test_provided_runtimes_need_nothing(project: Project, machine: Path) -> None:
    assert not findings(project, FUNCTION.replace("python3.13", "provided.al2023"))


def test_up_installs_what_is_not_there(
    project: Project,
    machine: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    prepared(machine, "python3.13")
    installed: list[str] = []

    def install(name: str, folder: Path) -> None:
        installed.append(name)
        prepared(machine, name)

    monkeypatch.setattr(interpreters, "prepare_python", install)
    template = project.compile(
        FUNCTION + "  old:\n    handler: app.handler\n    runtime: python3.11\n"
    )

    builds.prepare_runtimes(template)
    builds.prepare_runtimes(template)

    assert installed == ["python3.11"]
    assert capsys.readouterr().out.startswith("installed the runtime python3.11 in ")


def test_up_says_why_nothing_was_installed(project: Project, machine: Path) -> None:
    interpreter(machine / "python3.11", "python3.11")
    (machine / "sh").write_text("#!/bin/sh\n")  # and cannot be executed
    template = project.compile(FUNCTION.replace("python3.13", "python3.11"))

    with pytest.raises(DeployError) as caught:
        builds.prepare_runtimes(template)

    assert str(caught.value).startswith(
        "runtime python3.11 needs packages of AWS's runtime, which could not be installed: "
    )


def test_it_is_said_beside_what_keeps_a_definition_from_being_read(
    project: Project, machine: Path
) -> None:
    with pytest.raises(DefinitionError) as caught:
        project.compile(FUNCTION.replace("python3.13", "python3.11") + "    events: [{x: 1}]\n")

    rules = {one.rule_id for one in unreadable(caught.value).findings}
    assert rules == {"TS001", "TS006"}
