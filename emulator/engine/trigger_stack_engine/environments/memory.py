"""How much memory the processes of an execution environment take."""

from __future__ import annotations

import os
import sys
import time

RUNTIME_BASE_KB = 32 * 1024  # what AWS's own runtime process takes of a function's memory
_PAGE_KB = os.sysconf("SC_PAGE_SIZE") // 1024
_READ_PEAK_EVERY_S = 0.05


class MemoryGauge:
    """Reads the memory of one process and its descendants.

    What a forked process shares with its parent is not its own; what AWS's runtime process takes
    before the first import is.

    Args:
        forked: Whether the process is forked from a parent with modules already imported.
    """

    def __init__(self, *, forked: bool = True) -> None:
        self.peak_kb = 0
        self._forked = forked
        self._own_kb = RUNTIME_BASE_KB if forked else 0
        self._base_kb = 0
        self._pid: int | None = None
        self._read_at = 0.0

    def started(self, pid: int) -> None:
        """The process has this id."""
        self._pid = pid
        self._base_kb = (_resident_kb(pid) or 0) if self._forked else 0

    def ended(self, peak_kb: int) -> int:
        """The process has ended; ``peak_kb`` is what the kernel says of it. Returns the peak."""
        self.peak_kb = max(self.peak_kb, max(peak_kb - self._base_kb, 0) + self._own_kb)
        return self.peak_kb

    def peak(self) -> int:
        """Most memory the process has had so far, in kB; read at most every 50 ms."""
        now = time.monotonic()
        if now - self._read_at >= _READ_PEAK_EVERY_S and sys.platform == "linux":
            self._read_at = now
            try:
                with open(f"/proc/{self._pid}/status", "rb", buffering=0) as file:  # noqa: PTH123  often
                    text = file.read(4096)
                high = int(text.partition(b"VmHWM:")[2].split(None, 1)[0])
                self.peak_kb = max(self.peak_kb, high - self._base_kb + self._own_kb)
            except (OSError, ValueError, IndexError):
                pass
        return max(self.peak_kb, self._own_kb)

    def used_kb(self) -> int:
        """Memory of the process and its descendants now, in kB; 0 when it cannot be read."""
        resident = _resident_kb(self._pid) if sys.platform == "linux" else None
        if resident is None:
            return 0
        memfds: dict[int, int] = {}
        rest = self._descendants_kb(memfds) + _unmapped_memfd_kb(self._pid, memfds)
        return resident - self._base_kb + self._own_kb + rest

    def _descendants_kb(self, memfds: dict[int, int]) -> int:
        total = 0
        todo = [self._pid]
        while todo:
            pid = todo.pop()
            try:
                with open(f"/proc/{pid}/task/{pid}/children", "rb") as file:  # noqa: PTH123  often
                    children = [int(child) for child in file.read().split()]
            except OSError:
                continue
            for child in children:
                # A child that was forked shares what it has not written to.
                total += max((_resident_kb(child) or 0) - self._base_kb, 0)
                total += _unmapped_memfd_kb(child, memfds)
            todo += children
        return total


def _resident_kb(pid: int | None) -> int | None:
    try:
        with open(f"/proc/{pid}/statm", "rb", buffering=0) as file:  # noqa: PTH123  often
            return int(file.read(100).split()[1]) * _PAGE_KB
    except (OSError, IndexError):
        return None


def _unmapped_memfd_kb(pid: int | None, seen: dict[int, int]) -> int:
    """Memory in files of memfd_create(2) that no process has mapped: it is no resident memory.

    Args:
        pid: Process whose descriptors are looked at.
        seen: Size of each such file by inode; those that are new are added.
    """
    new = 0
    try:
        with os.scandir(f"/proc/{pid}/fd") as descriptors:
            for descriptor in descriptors:
                if os.readlink(descriptor.path).startswith("/memfd:"):  # noqa: PTH115  often
                    file = os.stat(descriptor.path)  # noqa: PTH116  often
                    if file.st_ino not in seen:
                        seen[file.st_ino] = file.st_blocks // 2
                        new += seen[file.st_ino]
    except OSError:
        return 0  # the process has ended
    return max(new - _shared_kb(pid), 0) if new else 0


def _shared_kb(pid: int | None) -> int:
    """Resident shared memory, in which mapped memfd files are counted already."""
    try:
        with open(f"/proc/{pid}/status", "rb", buffering=0) as file:  # noqa: PTH123  often
            return int(file.read(4096).partition(b"RssShmem:")[2].split(None, 1)[0])
    except (OSError, ValueError, IndexError):
        return 0
