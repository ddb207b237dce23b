"""Health says when functions cannot be started."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import requests

from tests.engine.lambda_stack import PYTHON, Stack, kill, runtimes_dir, start_stack

HANDLER = "def handler(event, context): return event"


@pytest.fixture
def own_stack(tmp_path: Path) -> Iterator[Stack]:
    """A stack whose interpreter of functions ends at once while ``broken`` is there."""
    runtime = tmp_path / "runtimes" / PYTHON
    shutil.copytree(runtimes_dir() / PYTHON, runtime, symlinks=True)
    real = (runtime / ".interpreter").read_text().strip()
    interpreter = tmp_path / "interpreter"
    interpreter.write_text(f'#!/bin/sh\n[ ! -e {tmp_path}/broken ] || exit 1\nexec {real} "$@"\n')
    interpreter.chmod(0o755)
    (runtime / ".interpreter").write_text(str(interpreter))
    tmp_path.chmod(0o755)
    stack = start_stack(
        tmp_path / "state", LAMBDA_PROCESS_PYTHON_RUNTIMES=str(tmp_path / "runtimes")
    )
    yield stack
    stack.stop()


def health(stack: Stack) -> tuple[int, str]:
    answer = requests.get(f"http://127.0.0.1:{stack.port}/_trigger_stack/health", timeout=60)
    return answer.status_code, answer.json()["functions"]


def kill_parents_of_functions(stack: Stack) -> None:
    """Kill them and wait for their end: the engine must not write to one that is just ending."""
    for process in stack.processes():
        with contextlib.suppress(psutil.Error):  # it has ended meanwhile
            if any("zygote" in part for part in process.cmdline()):
                kill(process)


def test_health_fails_while_no_environment_can_be_started(own_stack: Stack) -> None:
    assert health(own_stack) == (200, "available")
    first = own_stack.create(HANDLER)
    assert own_stack.invoke(first, 1).value == 1
    assert health(own_stack) == (200, "available")

    broken = own_stack.folder.parent / "broken"
    broken.touch()
    kill_parents_of_functions(own_stack)
    assert own_stack.invoke(first, 2).error

    status, reason = health(own_stack)
    assert (status, reason.endswith("interpreter ended at once")) == (503, True), reason

    broken.unlink()
    assert own_stack.invoke(first, 3).value == 3
    assert health(own_stack) == (200, "available")
