"""An accepted event has a place before its sender is answered: with its endpoint or in the journal.

Else an event would be in memory only when its sender already has its answer, and gone without a
trace when the process is killed in that moment.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

#: So long a sender waits for the delivery itself; then the event is recorded as pending.
PATIENCE_S = 0.5


class NotPlacedError(Exception):
    """Neither the endpoint nor the journal has an event; its sender must not hear that it has."""


class Placement:
    """Whether one event has a place."""

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self._patient_until = time.monotonic() + patience_s
        self._lock = threading.Lock()  # held while the journal is told
        self._placed = threading.Event()
        #: Whether the journal was told, so that it must hear of the end, too.
        self.is_recorded = False

    def record(self, tell: Callable[[], bool]) -> None:
        """Tell the journal where the event is.

        Args:
            tell: Returns whether the journal has it.
        """
        with self._lock:
            self.is_recorded = True
            if tell():
                self._placed.set()

    def delivered(self, tell: Callable[[], bool]) -> None:
        """The endpoint has the event; the journal hears of it when it was told of the event."""
        with self._lock:
            self._placed.set()
            if self.is_recorded:
                tell()

    def ensure(self, tell: Callable[[], bool]) -> None:
        """Wait until the event has a place; tell the journal that it is pending if that takes long.

        Args:
            tell: Returns whether the journal has it.

        Raises:
            NotPlacedError: It has no place.
        """
        if self._placed.wait(max(0.0, self._patient_until - time.monotonic())):
            return
        with self._lock:
            if self._placed.is_set():
                return
            self.is_recorded = True
            if not tell():
                raise NotPlacedError("the event could not be recorded: there is no engine")
            self._placed.set()


def begun(begin: Callable[[], Callable[[], object]]) -> Callable[[], object]:
    """Begin something, and return what waits for its end; it raises also what ``begin`` raised."""
    try:
        return begin()
    except Exception as error:
        failure = error

    def fail() -> None:
        raise failure

    return fail
