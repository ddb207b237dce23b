"""One run at a time in this folder: a second ``make up`` waits for the first."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bootstrap.console import err

#: A container cannot write beside the image's files.
_LOCK = Path(os.environ.get("STACK_LOCK") or ".build/up.lock")


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Hold the folder's lock; it is given back even when the process is killed."""
    _LOCK.parent.mkdir(exist_ok=True)
    with _LOCK.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            err.print("another run is under way in this folder; waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
