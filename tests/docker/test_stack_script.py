"""`scripts/stack.sh` chooses the runtime: with stand-ins for `docker` and the native emulator."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: Answers as an engine with Compose does; the file `runs` beside it: the stack runs in it.
ENGINE = """#!/bin/sh
case "$*" in
"info"*) exit ${ENGINE_EXIT:-0} ;;
"compose version"*) exit ${COMPOSE_EXIT:-0} ;;
"compose ps"*) if [ -f "$(dirname "$0")/runs" ]; then echo abc; fi ;;
esac
"""

type Script = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "scripts").mkdir()
    (tmp_path / ".trigger-stack").mkdir()
    shutil.copy(ROOT / "scripts/stack.sh", tmp_path / "scripts/stack.sh")
    return tmp_path


@pytest.fixture
def script(project: Path) -> Script:
    engine = project / "docker"
    engine.write_text(ENGINE)
    engine.chmod(0o755)

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "scripts/stack.sh", *arguments],
            cwd=project,
            env={"PATH": os.environ["PATH"], "DOCKER": str(engine), **environment},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    return run


def native_runs(project: Path) -> None:
    (project / ".trigger-stack/emulator.pid").write_text(f"{os.getpid()} 0\n")


def test_docker_when_an_engine_answers(script):
    assert script("runtime").stdout == "docker, because a Docker engine with Compose v2 answers\n"


def test_native_when_none_answers_and_why(script, project):
    assert script("runtime", ENGINE_EXIT="1").stdout == (
        "native, because no Docker engine answers\n"
    )
    assert "has no Compose v2" in script("runtime", COMPOSE_EXIT="1").stdout
    assert "there is no" in script("runtime", DOCKER="no-such-command").stdout


def test_the_runtime_that_is_asked_for(script):
    assert script("runtime", RUNTIME="native").stdout.startswith("native, because RUNTIME=native")
    assert script("runtime", RUNTIME="docker").stdout.startswith("docker, because RUNTIME=docker")


def test_the_runtime_in_env_file_counts_unless_the_shell_says_otherwise(script, project):
    (project / ".env").write_text("RUNTIME=native\n")
    assert script("runtime").stdout.startswith("native")
    assert script("runtime", RUNTIME="docker").stdout.startswith("docker")


def test_docker_without_an_engine_is_refused(script):
    refused = script("runtime", RUNTIME="docker", ENGINE_EXIT="1")
    assert refused.returncode == 2
    assert "no Docker engine answers" in refused.stderr
    assert "RUNTIME=native" in refused.stderr


def test_an_unknown_runtime_is_refused(script):
    refused = script("up", RUNTIME="podman")
    assert refused.returncode == 2
    assert "must be docker or native" in refused.stderr


def test_the_runtime_that_runs_is_kept(script, project):
    native_runs(project)
    assert script("runtime").stdout == "native, because the stack runs in it\n"
    (project / ".trigger-stack/emulator.pid").unlink()
    (project / "runs").touch()
    assert script("runtime").stdout == "docker, because the stack runs in it\n"


@pytest.mark.parametrize("command", ["up", "status", "test"])
def test_switching_without_down_is_refused(script, project, command):
    native_runs(project)
    refused = script(command, RUNTIME="docker")
    assert refused.returncode == 2
    assert "the stack runs with RUNTIME=native" in refused.stderr
    assert "make down" in refused.stderr


def test_switching_from_docker_without_down_is_refused(script, project):
    (project / "runs").touch()
    refused = script("up", RUNTIME="native")
    assert refused.returncode == 2
    assert "the stack runs with RUNTIME=docker" in refused.stderr


def test_a_command_without_a_stack_says_how_to_start_one(script):
    missing = script("status", RUNTIME="docker")
    assert missing.returncode == 1
    assert "make up" in missing.stderr
