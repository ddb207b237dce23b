"""Counts changes, and keeps what runs of the bootstrap found, for as long as nothing changes.

A run asks for the number of changes before it looks at anything. At its end it leaves what it
knows: that is kept if nobody else changed anything meanwhile, and given to the next run if nobody
at all has changed anything since. Nothing of it outlives the process, as the resources do not.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Final

#: Runs and what they left: of more, the oldest are forgotten, which only costs time.
_MOST: Final = 64


@dataclass(frozen=True, slots=True)
class _Kept:
    """What a run left.

    Attributes:
        number: Of changes, when it was left.
        content: Anything that can be written as JSON.
    """

    number: int
    content: Any


class Changes:
    """The changes of one emulator. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._number = 0
        self._of_runs: OrderedDict[str, int] = OrderedDict()
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    @property
    def number(self) -> int:
        """How many changes there were."""
        return self._number

    def count(self, run: str = "") -> None:
        """Something may have been changed just now.

        Args:
            run: Which run of the bootstrap did it; empty: somebody else.
        """
        with self._lock:
            self._number += 1
            if run:
                self._of_runs[run] = self._of_runs.pop(run, 0) + 1
                _forget_oldest(self._of_runs)

    def keep(self, name: str, content: Any, *, since: int, run: str) -> bool:
        """Keep what a run knows, unless somebody else has changed something while it ran.

        Args:
            name: Of what it is about; what was kept under it is replaced.
            since: The number of changes before the run looked at anything.
            run: Which run it is.

        Returns:
            Whether it is kept.
        """
        with self._lock:
            self._kept.pop(name, None)
            if self._number - since != self._of_runs.get(run, 0):
                return False
            self._kept[name] = _Kept(self._number, content)
            _forget_oldest(self._kept)
            return True

    def kept(self, name: str) -> tuple[int, Any]:
        """The number of changes, and what a run left if that is still so; else None."""
        with self._lock:
            kept = self._kept.get(name)
            current = kept is not None and kept.number == self._number
            return self._number, kept.content if kept and current else None


def _forget_oldest(entries: OrderedDict[str, Any]) -> None:
    while len(entries) > _MOST:
        entries.popitem(last=False)
