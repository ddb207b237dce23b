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

#: Enough to overlap the waiting of end-to-end tests on a small machine.
_WORKERS = 6


def run(file: Path, paths: list[str]) -> int:
    """Run pytest on ``paths``.

    Returns:
        pytest's exit code.

    Raises:
        TriggerStackError: the stack could not be started or created.
    """
    settings = Settings.from_environment()
    ours = native.running() is None
    try:
        up.run(file, quiet=True, start=True)
        command = [sys.executable, "-m", "pytest", *paths]
        command += [
            "-n",
            os.environ.get("TEST_WORKERS") or str(_WORKERS),
            "--dist",
            "loadgroup",
            "--durations",
            "5",
        ]
        code = subprocess.run(command, check=False).returncode
        if code:
            out.print(f"The emulator's log: {native.LOG_FILE}", markup=False)
        return code
    finally:
        if ours:
            native.stop(settings)
