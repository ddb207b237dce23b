"""``bootstrap logs``, ``watch`` and ``debug``: the executor's own tools, on this stack's port."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NoReturn

from bootstrap import project
from bootstrap.settings import Settings


def run(tool: str, *arguments: str) -> NoReturn:
    """Become a tool of the engine (``…commands.<tool>``), which signals then reach directly."""
    endpoint = Settings.from_environment().endpoint_url
    command = [
        sys.executable,
        "-m",
        f"trigger_stack_engine.commands.{tool}",
        "--endpoint",
        endpoint,
    ]
    sys.stdout.flush()
    os.execv(sys.executable, [*command, *arguments])  # noqa: S606  no shell is wanted


def watch(file: Path) -> NoReturn:
    """Run functions from the folder of the definition ``file``, and report what changes there."""
    if project.is_own(file):
        run("watch")
    folder = str(file.parent.absolute())
    run("watch", "--root", folder, ".")
