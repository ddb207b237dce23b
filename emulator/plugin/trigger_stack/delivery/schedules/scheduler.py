"""Fires schedules when they are due: one thread for all of them, which sleeps in between."""

from __future__ import annotations

import heapq
import itertools
import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from trigger_stack.delivery.schedules.expression import At, Schedule, parse, parse_in_zone

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


@dataclass(frozen=True)
class Terms:
    """What a schedule of EventBridge Scheduler has beside its expression.

    Attributes:
        zone: IANA name of its time zone.
        start: The earliest time at which a recurring one fires, None: at once.
        end: The time before which a recurring one fires for the last time.
        window: It fires at a random moment of so long a time after it is due.
    """

    zone: str = "UTC"
    start: datetime | None = None
    end: datetime | None = None
    window: timedelta = timedelta()


@dataclass
class _Entry:
    """One schedule that is enabled."""

    key: str
    expression: str
    terms: Terms | None
    schedule: Schedule
    anchor: datetime
    due: datetime = field(init=False)
    fires: datetime = field(init=False)

    def is_due(self, due: datetime | None, chance: Callable[[], float]) -> bool:
        """Set when it is due next, and when it fires; False when it never is."""
        if due is None or (self.terms and self.terms.end and due >= self.terms.end):
            return False
        self.due = due
        self.fires = due + (self.terms.window * chance() if self.terms else timedelta())
        return True


class Scheduler:
    """The schedules that are enabled.

    Args:
        fire: Called with the key of a schedule and the time it was due, on the scheduler's thread.
        clock: The time.
        chance: Gives a number from 0 to 1: where in a flexible time window a schedule fires.
    """

    def __init__(
        self,
        fire: Callable[[str, datetime], None],
        clock: Clock | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._fire = fire
        self._chance = chance
        self.clock = clock or Clock()
        #: Called with the seconds that the clock was moved forward.
        self.moved: list[Callable[[float], None]] = []
        self._entries: dict[str, _Entry] = {}
        self._heap: list[tuple[datetime, int, _Entry]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._catching_up = False
        self._thread: threading.Thread | None = None

    def put(self, key: str, expression: str, terms: Terms | None = None) -> None:
        """Enable a schedule; one that is enabled with the same expression and terms goes on.

        Args:
            key: Its ARN.
            expression: When it is due.
            terms: Those of EventBridge Scheduler; None: it is a rule.

        Raises:
            ExpressionError: AWS would refuse the expression.
            TimezoneError: There is no such time zone.
        """
        with self._changed:
            known = self._entries.get(key)
            if known is not None and (known.expression, known.terms) == (expression, terms):
                return
            now = self.clock.now()
            self._entries.pop(key, None)
            if terms is None:
                rule = parse(expression)
                entry = _Entry(key, expression, None, rule, now)
                due: datetime | None = rule.next_after(now, now)
            else:
                schedule = parse_in_zone(expression, terms.zone)
                terms = _for_recurring(schedule, terms)
                anchor = terms.start or now
                entry = _Entry(key, expression, terms, schedule, anchor)
                due = schedule.first(max(now, anchor), anchor)
            if entry.is_due(due, self._chance):
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

    def waits(self, key: str) -> bool:
        """Whether a schedule fires again."""
        with self._changed:
            return key in self._entries

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
                    start = entry.terms.start if entry.terms else None
                    entry.anchor = start or real
                    if start and start > real:
                        due = entry.schedule.first(start, start)
                    else:
                        due = entry.schedule.next_after(real, entry.anchor)
                    self._go_on(entry, due)
            else:
                if moment < now:
                    raise ValueError(f"{moment.isoformat()} is before the present time")
                self.clock.offset += moment - now
                self._catching_up = True
            self._changed.notify_all()
            while self._catching_up and self._thread is not None:
                self._changed.wait(_LOOK_AGAIN_S)
        for told in self.moved:
            told((moment - now).total_seconds() if moment else 0.0)

    def _push(self, entry: _Entry) -> None:
        heapq.heappush(self._heap, (entry.fires, next(self._order), entry))

    def _go_on(self, entry: _Entry, due: datetime | None) -> None:
        """Wait for the next time of an entry, or forget it when there is none."""
        if entry.is_due(due, self._chance):
            self._push(entry)
        else:
            del self._entries[entry.key]

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
        fires, _, entry = item
        return self._entries.get(entry.key) is not entry or entry.fires != fires

    def _reschedule(self, entry: _Entry) -> None:
        after, now = entry.due, self.clock.now()
        if not self._catching_up and now - entry.fires > _LATEST:
            LOG.warning(
                "schedule %s was due at %s and fires only now; times until %s are left out",
                entry.key,
                after.isoformat(),
                now.isoformat(),
            )
            after = now
        self._go_on(entry, entry.schedule.next_after(after, entry.anchor))


def _for_recurring(schedule: Schedule, terms: Terms) -> Terms:
    """The terms that count: a one-time schedule has neither start nor end date."""
    return replace(terms, start=None, end=None) if isinstance(schedule, At) else terms
