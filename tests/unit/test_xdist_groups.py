"""The tests that share an emulator stay in one worker: pytest-xdist has to keep its groups."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

GROUPED = """
import os, pathlib, pytest

@pytest.mark.xdist_group("one")
@pytest.mark.parametrize("number", range(8))
def test_where(number):
    pathlib.Path(f"ran-in-{os.environ['PYTEST_XDIST_WORKER']}").touch()
"""


def test_a_group_stays_in_one_worker(tmp_path: Path) -> None:
    """Else each worker starts an emulator for each suite: twice the time, and no test fails."""
    (tmp_path / "test_grouped.py").write_text(GROUPED)

    subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "xdist", "-n", "2", "--dist", "loadgroup", "-q"],
        cwd=tmp_path,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},  # no other plugin takes part
        check=True,
        capture_output=True,
    )

    assert len(list(tmp_path.glob("ran-in-*"))) == 1
