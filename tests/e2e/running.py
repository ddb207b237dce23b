"""Runs a command of the bootstrap as a user would, in a process of its own."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import IO

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
        server.write(json.dumps(order) + "\n")
        server.flush()
        code = int(server.readline())
        stdout, stderr = (file.read_text() for file in files)
    return subprocess.CompletedProcess(arguments, code, stdout, stderr)


@cache
def _server() -> IO[str]:
    """A connection to the process to fork from, one for all workers; the first starts it."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID") or str(os.getpid())
    folder = Path(tempfile.gettempdir(), f"commands-{run}")
    folder.mkdir(mode=0o700, exist_ok=True)
    path = str(folder / "socket")
    with (folder / "lock").open("w") as lock, socket.socket(socket.AF_UNIX) as connection:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            connection.connect(path)
        except FileNotFoundError:
            _start(path)
            connection.connect(path)
        return connection.makefile("rw")


def _start(path: str) -> None:
    """Start the server and wait until it listens."""
    server = subprocess.Popen(
        [sys.executable, Path(__file__).with_name("command_server.py"), path, str(_SECONDS)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert server.stdout
    assert server.stdout.readline() == b"listening\n", "its error is above"
