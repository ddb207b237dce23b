"""Fires schedules when they are due: one thread for all of them, which sleeps in between."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from trigger_stack.delivery.schedules.expression import Schedule, parse

LOG = logging.getLogger(__name__)

#: How late a schedule may fire: after a longer sleep of the machine only the latest time counts.
_LATEST = timedelta(seconds=60)
#: The wall clock may be set meanwhile: it is looked at again after this time.
_LOOK_AGAIN_S = 60.0


class Clock:
    """The time by which schedules fire: the machine's, and how far it was moved."""

    def __init__(self, real: Callable[[], float] = time.time) -> None:
        self._real = real
        self.offset = timedelta()

    def now(self) -> datetime:
        """The time, in UTC."""
        return datetime.fromtimestamp(self._real(), UTC) + self.offset


@dataclass
class _Entry:
    """One schedule that is enabled."""

    key: str
    expression: str
    schedule: Schedule
    anchor: datetime
    due: datetime


class Scheduler:
    """The schedules that are enabled.

    Args:
        fire: Called with the key of a schedule and the time it was due, on the scheduler's thread.
        clock: The time.
    """

    def __init__(self, fire: Callable[[str, datetime], None], clock: Clock | None = None) -> None:
        self._fire = fire
        self.clock = clock or Clock()
        self._entries: dict[str, _Entry] = {}
        self._heap: list[tuple[datetime, int, _Entry]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._catching_up = False
        self._thread: threading.Thread | None = None

    def put(self, key: str, expression: str) -> None:
        """Enable a schedule; one that is enabled with the same expression goes on.

        Raises:
            ExpressionError: AWS would refuse the expression.
        """
        with self._changed:
            known = self._entries.get(key)
            if known is not None and known.expression == expression:
                return
            now = self.clock.now()
            schedule = parse(expression)
            due = schedule.next_after(now, now)
            self._entries.pop(key, None)
            if due is not None:
                entry = _Entry(key, expression, schedule, now, due)
                self._entries[key] = entry
                self._push(entry)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="schedules", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def remove(self, key: str) -> None:
        """Disable a schedule, if it is enabled."""
        with self._changed:
            self._entries.pop(key, None)

    def due_times(self) -> dict[str, datetime]:
        """When each schedule fires next."""
        with self._changed:
            return {key: entry.due for key, entry in self._entries.items()}

    def move_to(self, moment: datetime | None) -> None:
        """Move the clock; what is due until then fires in order, once each.

        Args:
            moment: The new time, not before the present one; ``None``: the machine's time again.
                Then schedules count from it.

        Raises:
            ValueError: The time is in the past.
        """
        with self._changed:
            now = self.clock.now()
            if moment is None:
                self.clock.offset = timedelta()
                real = self.clock.now()
                for entry in list(self._entries.values()):
                    entry.anchor = real
                    due = entry.schedule.next_after(real, real)
                    if due is None:
                        del self._entries[entry.key]
                    else:
                        entry.due = due
                        self._push(entry)
            else:
                if moment < now:
                    raise ValueError(f"{moment.isoformat()} is before the present time")
                self.clock.offset += moment - now
                self._catching_up = True
            self._changed.notify_all()
            while self._catching_up and self._thread is not None:
                self._changed.wait(_LOOK_AGAIN_S)

    def _push(self, entry: _Entry) -> None:
        heapq.heappush(self._heap, (entry.due, next(self._order), entry))

    def _run(self) -> None:
        while True:
            with self._changed:
                entry = self._wait_for_next()
                due = entry.due
                self._reschedule(entry)
            try:
                self._fire(entry.key, due)
            except Exception:  # one schedule must not stop the others
                LOG.exception("EVENT LOST: schedule %s, due at %s", entry.key, due.isoformat())

    def _wait_for_next(self) -> _Entry:
        while True:
            while self._heap and self._is_stale(self._heap[0]):
                heapq.heappop(self._heap)
            now = self.clock.now()
            if self._heap and self._heap[0][0] <= now:
                return heapq.heappop(self._heap)[2]
            if self._catching_up:
                self._catching_up = False
                self._changed.notify_all()
            wait_s = _LOOK_AGAIN_S
            if self._heap:
                wait_s = min(wait_s, (self._heap[0][0] - now).total_seconds())
            self._changed.wait(wait_s)

    def _is_stale(self, item: tuple[datetime, int, _Entry]) -> bool:
        due, _, entry = item
        return self._entries.get(entry.key) is not entry or entry.due != due

    def _reschedule(self, entry: _Entry) -> None:
        after, now = entry.due, self.clock.now()
        if not self._catching_up and now - after > _LATEST:
            LOG.warning(
                "schedule %s was due at %s and fires only now; times until %s are left out",
                entry.key,
                after.isoformat(),
                now.isoformat(),
            )
            after = now
        due = entry.schedule.next_after(after, entry.anchor)
        if due is None:
            del self._entries[entry.key]
        else:
            entry.due = due
            self._push(entry)
