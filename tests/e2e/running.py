"""Runs a command of the bootstrap as a user would, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
_SECONDS = 120


def bootstrap(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run ``python -m bootstrap`` with ``arguments`` and return how it ended.

    The process is forked from one that has imported the bootstrap's modules: the imports would take
    longer than most commands.
    """
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, name) for name in ("stdout", "stderr")]
        order = {"arguments": arguments, "environment": environment, "files": list(map(str, files))}
        server = _server()
        assert server.stdin and server.stdout
        server.stdin.write(json.dumps(order) + "\n")
        server.stdin.flush()
        code = int(server.stdout.readline())
        stdout, stderr = (file.read_text() for file in files)
    return subprocess.CompletedProcess(arguments, code, stdout, stderr)


@cache
def _server() -> subprocess.Popen[str]:
    """The process to fork from; it ends when its standard input is closed, so with this one."""
    return subprocess.Popen(
        [sys.executable, Path(__file__).with_name("command_server.py"), str(_SECONDS)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
