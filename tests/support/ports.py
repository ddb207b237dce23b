"""Ports for servers of the tests.

A port that the system chose lies among those that it gives to every client and to every
environment of a function, and two tests may get the same one after the other before either
listens. So tests have ranges of their own below it, and claim a port for as long as they run: by a
lock on a file, which test processes beside this one see too, and which ends with the process.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import socket
import tempfile
from pathlib import Path
from typing import IO

#: How many ports :func:`free_block` finds.
BLOCK = 80

_SINGLE = range(10_000, 20_000)
_BLOCKS = range(20_000, 30_000, BLOCK)
_TRIES = 1000

_claimed: list[IO[bytes]] = []


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on and no other test gets."""
    return _claim(_SINGLE, 1)


def free_block() -> int:
    """The first of ``BLOCK`` ports in a row that nobody listens on and no other test gets."""
    return _claim(_BLOCKS, BLOCK)


def _claim(starts: range, count: int) -> int:
    folder = Path(tempfile.gettempdir()) / f"trigger-stack-test-ports-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    for _ in range(_TRIES):
        first = secrets.choice(starts)
        file = (folder / str(first)).open("wb")
        if _lock(file) and all(map(_is_free, range(first, first + count))):
            _claimed.append(file)  # the lock ends with the process
            return first
        file.close()
    raise AssertionError(f"no {count} free ports in a row found among {starts}")


def _lock(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True
