"""``bootstrap shell``: the user's shell, with what a native stack needs on its ``PATH``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from bootstrap.settings import Settings


def run() -> None:
    """Become the shell; never returns."""
    shell = os.environ.get("SHELL") or "/bin/sh"
    tools = Path(sys.executable).parent
    environment = {
        **os.environ,
        "AWS_ENDPOINT_URL": Settings.from_environment().endpoint_url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "PATH": f"{tools}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
    }
    os.execvpe(shell, [shell], environment)  # noqa: S606  # it is the shell that is wanted
