"""Runs a command of the bootstrap as a user would."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def bootstrap(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``python -m bootstrap`` and return how it ended."""
    return subprocess.run(
        [sys.executable, "-m", "bootstrap", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
