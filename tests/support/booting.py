"""One emulator of the tests boots at a time: six at once on two cores take six times as long."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BUILT = Path(__file__).parents[2] / ".build"
#: A boot takes 3 seconds of a core; a virtual machine may get a tenth of one.
BOOT_SECONDS = 180


#: Where LocalStack looks for its index of AWS's APIs, below its ``FILESYSTEM_ROOT``.
_INDEX = "usr/lib/localstack"


def provide_index(folder: Path) -> None:
    """Have an emulator find the index that set-up has built; its own takes 3 seconds of a core."""
    if (BUILT / "localstack" / _INDEX).exists():
        shutil.copytree(BUILT / "localstack" / _INDEX, folder / _INDEX, dirs_exist_ok=True)


@contextmanager
def boot_turn() -> Iterator[None]:
    """Wait until no other test boots an emulator; they all wait for the one inside."""
    BUILT.mkdir(exist_ok=True)
    with (BUILT / "boot.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
