"""Two ``make up`` in one folder: one after the other, whatever becomes of the first."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

HOLD = """
import sys
from bootstrap.lock import one_at_a_time
with one_at_a_time():
    print("held", flush=True)
    sys.stdin.readline()
"""


def start(lock: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", HOLD],
        env={**os.environ, "STACK_LOCK": str(lock), "COLUMNS": "200"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("how", ["by itself", "kill -9"])
def test_a_second_run_waits_for_the_first_and_says_so(tmp_path: Path, how: str) -> None:
    lock = tmp_path / "new" / "up.lock"
    with start(lock) as first:
        assert first.stdout
        assert first.stdout.readline() == "held\n"
        with start(lock) as second:
            assert second.stdout
            assert second.stderr
            assert "another run is under way" in second.stderr.readline()
            if how == "kill -9":
                first.send_signal(signal.SIGKILL)
            else:
                first.communicate("\n", timeout=20)
            assert second.stdout.readline() == "held\n"
            second.communicate("\n", timeout=20)
    assert second.returncode == 0
