"""``bootstrap test``: every test, with a stack that is started for it when none runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from bootstrap.commands import up
from bootstrap.console import out
from bootstrap.runtime import native
from bootstrap.settings import Settings

TRACEBACK = b"Traceback (most recent call last)"
_SHOWN_BYTES = 4000

#: Enough to overlap the waiting of tests on a small machine; end-to-end tests wait most.
_WORKERS = 6
_WORKERS_E2E = 8


def run(file: Path, paths: list[str]) -> int:
    """Run pytest on ``paths``, and look through what the emulator logged meanwhile.

    Returns:
        pytest's exit code; 1 when all passed but the emulator has raised an exception.

    Raises:
        TriggerStackError: the stack could not be started or created.
    """
    settings = Settings.from_environment()
    ours = native.running() is None
    try:
        up.run(file, quiet=True, start=True)
        before = native.LOG_FILE.stat().st_size
        only_e2e = all("e2e" in Path(path).parts for path in paths) and paths
        workers = _WORKERS_E2E if only_e2e else _WORKERS
        command = [sys.executable, "-m", "pytest", *paths]
        if only_e2e:  # its plugin takes half of what a worker needs to start
            command += ["-p", "no:schemathesis"]
        command += [
            "-n",
            os.environ.get("TEST_WORKERS") or str(workers),
            "--dist",
            "loadgroup",
            "--durations",
            "5",
        ]
        # The tests are about this folder's own project.
        environment = {k: v for k, v in os.environ.items() if k not in ("APP", "SERVERLESS")}
        code = subprocess.run(command, env=environment, check=False).returncode
        raised = first_traceback(native.LOG_FILE, before)
        if raised:
            out.print(
                f"The emulator raised an exception while the tests ran:\n{raised}", markup=False
            )
        if code or raised:
            out.print(f"The emulator's log: {native.LOG_FILE}", markup=False)
        return code or int(bool(raised))
    finally:
        if ours:
            native.stop(settings)


def first_traceback(log: Path, start: int) -> str:
    """The first traceback behind byte ``start`` of ``log``, with the line before it; or ``""``."""
    with log.open("rb") as file:
        if file.seek(0, 2) >= start:  # a new emulator begins a new log
            file.seek(start)
        else:
            file.seek(0)
        news = file.read()
    found = news.find(TRACEBACK)
    if found < 0:
        return ""
    line = news.rfind(b"\n", 0, max(found - 1, 0)) + 1
    return news[line : line + _SHOWN_BYTES].decode(errors="replace")
