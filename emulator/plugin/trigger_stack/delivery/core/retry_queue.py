"""Deliveries that wait for their next try."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable

LOG = logging.getLogger(__name__)

_FIRST_DELAY_SECONDS = 1.0
_LONGEST_DELAY_SECONDS = 300.0


class RetryQueue[Delivery]:
    """Deliveries that wait for their next try, and the one thread that makes them.

    Args:
        attempt: Makes one try. A delivery for which it raises is lost, and logged as that.
        clock: Monotonic time in seconds.
    """

    def __init__(
        self,
        attempt: Callable[[Delivery], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._attempt = attempt
        self._clock = clock
        self._waiting: list[tuple[float, int, Delivery]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def add(self, delivery: Delivery, delay: float) -> None:
        """Try ``delivery`` again in ``delay`` seconds."""
        with self._changed:
            heapq.heappush(self._waiting, (self._clock() + delay, next(self._order), delivery))
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="delivery-retries", daemon=True
                )
                self._thread.start()
            self._changed.notify()

    def look_again(self) -> None:
        """The clock was moved: what is due by it is tried now."""
        with self._changed:
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting or self._waiting[0][0] > self._clock():
                    pause = self._waiting[0][0] - self._clock() if self._waiting else None
                    self._changed.wait(pause)
                _, _, delivery = heapq.heappop(self._waiting)
            try:
                self._attempt(delivery)
            except Exception:  # one delivery must not end the retries of all others
                LOG.exception("EVENT LOST: %s", delivery)


def retry_delay(attempts: int, jitter: float) -> float:
    """Seconds before try number ``attempts + 1``: doubling, capped, ``jitter`` from 0 to 1."""
    doublings = min(attempts - 1, 30)  # the cap is reached long before
    longest = min(_LONGEST_DELAY_SECONDS, _FIRST_DELAY_SECONDS * 2.0**doublings)
    return longest * (0.5 + jitter / 2)
