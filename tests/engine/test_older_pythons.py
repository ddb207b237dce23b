"""Functions of older Pythons, in interpreters of this machine; and what is said without one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tests.engine.lambda_stack import PYTHON, Stack, runtimes_dir, start_stack
from tests.support.waiting import eventually
from trigger_stack_engine.environments import interpreters

OLDER = [name for name in interpreters.PYTHONS if name != PYTHON]
HANDLER = """
import json
import os
import sys

import boto3

def handler(event, context):
    if event == "fail":
        raise ValueError(f"not {event}")
    client = boto3.client("sqs", region_name="us-east-1")
    return {
        "event": event,
        "version": list(sys.version_info[:2]),
        "runtime": os.environ["AWS_EXECUTION_ENV"],
        "url": client.meta.endpoint_url.split("//")[0],
        "left": context.get_remaining_time_in_millis() > 0,
    }
"""
WRAPPER = '#!/bin/sh\nexport WRAPPED=yes\nexec "$@"\n'


def here(name: str) -> None:
    if interpreters.find(name) is None:
        pytest.skip(f"this machine has no {name} on PATH, of pyenv or of uv")


def version_of(name: str) -> list[int]:
    return [int(part) for part in name.removeprefix("python").split(".")]


@pytest.mark.parametrize("runtime", OLDER)
def test_a_function_runs(stack: Stack, runtime: str) -> None:
    here(runtime)
    name = stack.create(HANDLER, runtime=runtime)

    replies = [stack.invoke(name, event) for event in ("one", "two")]

    for reply, event in zip(replies, ("one", "two"), strict=True):
        assert reply.error is None, reply.text
        assert reply.value == {
            "event": event,
            "version": version_of(runtime),
            "runtime": f"AWS_Lambda_{runtime}",
            "url": "http:",
            "left": True,
        }
    failed = stack.invoke(name, "fail")
    assert failed.value["errorType"] == "ValueError"
    assert failed.value["errorMessage"] == "not fail"
    assert "in handler" in "".join(failed.value["stackTrace"])
    stack.messages(name, until="REPORT", count=3)


@pytest.mark.parametrize("runtime", OLDER)
def test_a_wrapper_script_begins_its_own_interpreter(stack: Stack, runtime: str) -> None:
    here(runtime)
    code = "import os, sys\ndef handler(event, context): "
    code += "return [os.environ['WRAPPED'], list(sys.version_info[:2])]"
    name = stack.create(
        {"app.py": code, "wrapper": WRAPPER},
        runtime=runtime,
        Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrapper"}},
    )

    assert stack.invoke(name).value == ["yes", version_of(runtime)]


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """An emulator on a machine whose only Python is its own."""
    folder = tmp_path_factory.mktemp("bare")
    (folder / "runtimes").mkdir()
    (folder / "programs").mkdir()
    for program in ("cat", "chmod", "dirname", "mkdir", "mktemp", "mv", "rm", "sh"):
        (folder / "programs" / program).symlink_to(str(shutil.which(program)))
    (folder / "runtimes" / PYTHON).symlink_to(runtimes_dir() / PYTHON)
    started = start_stack(
        folder / "state",
        PATH=str(folder / "programs"),
        PYENV_ROOT=str(folder),
        UV_PYTHON_INSTALL_DIR=str(folder),
        UV_PYTHON_PREFERENCE="only-managed",
        LAMBDA_PROCESS_PYTHON_RUNTIMES=str(folder / "runtimes"),
    )
    try:
        yield started
    finally:
        started.stop()


def reason(stack: Stack, name: str) -> str:
    def failed() -> str:
        state = stack.client("lambda").get_function_configuration(FunctionName=name)
        assert state["State"] == "Failed", state["State"]
        return str(state["StateReason"]).removeprefix("Error while creating lambda: ")

    return eventually(failed)


def test_an_interpreter_that_is_not_here_is_named(bare: Stack) -> None:
    name = bare.create("def handler(event, context): return 1", runtime=OLDER[0], wait=False)

    version = OLDER[0].removeprefix("python")
    assert reason(bare, name) == (
        f"runtime {OLDER[0]} needs Python {version}, which is not installed on this machine"
        f" (installed runtimes: {PYTHON}). Install it, for example with: pyenv install {version},"
        f" or: uv python install {version}"
    )
    with pytest.raises(ClientError) as refused:
        bare.invoke(name)
    assert refused.value.response["Error"]["Code"] == "ResourceConflictException"


def test_packages_that_cannot_be_installed_are_named(bare: Stack, tmp_path: Path) -> None:
    """An interpreter is there, and is none that packages can be installed for."""
    folder = bare.folder.parent / f"versions/{OLDER[0].removeprefix('python')}.99/bin"
    folder.mkdir(parents=True)
    interpreter = folder / OLDER[0]
    answer = f'case "$*" in -ISc*) echo {OLDER[0]} $0;; *) echo nothing here >&2; exit 3;; esac'
    interpreter.write_text(f"#!/bin/sh\n{answer}\n")
    interpreter.chmod(0o755)

    name = bare.create("def handler(event, context): return 1", runtime=OLDER[0], wait=False)

    assert reason(bare, name).startswith(
        f"runtime {OLDER[0]} needs packages of AWS's runtime, which could not be installed: "
    )
    assert "nothing here" in reason(bare, name)
    interpreter.unlink()
