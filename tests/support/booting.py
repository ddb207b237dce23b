"""One emulator of the tests boots at a time: six at once on two cores take six times as long."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BUILT = Path(__file__).parents[2] / ".build"
#: A boot takes 3 seconds of a core; a virtual machine may get a tenth of one.
BOOT_SECONDS = 180


@contextmanager
def boot_turn() -> Iterator[None]:
    """Wait until no other test boots an emulator; they all wait for the one inside."""
    BUILT.mkdir(exist_ok=True)
    with (BUILT / "boot.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
