"""How many batches of a mapping are in flight.

AWS topic: AWS Lambda Developer Guide, "Configuring scaling behavior for SQS event source mappings":
five at the start, up to 300 more each minute while there is something to do, at most 1250 or
``MaximumConcurrency``.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

FIRST_BATCHES = 5
MOST_BATCHES = 1250
_MORE_PER_SECOND = 300 / 60


class Scaling:
    """Hands out the right to handle one batch.

    Args:
        maximum: ``MaximumConcurrency``; ``None`` when it is not set.
        clock: Monotonic time in seconds.
    """

    def __init__(self, maximum: int | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = maximum or MOST_BATCHES
        self._allowed = float(min(FIRST_BATCHES, self._most))
        self._clock = clock
        self._grown_at = clock()
        self._in_flight = 0
        self._changed = threading.Condition()

    def acquire(self, timeout_s: float) -> bool:
        """Wait for the right to handle a batch; whether it was given."""
        with self._changed:
            return self._changed.wait_for(self._take, timeout_s)

    def _take(self) -> bool:
        now = self._clock()
        if self._in_flight >= int(self._allowed):
            # Every batch that is allowed is in flight: there is more to do.
            grown = self._allowed + (now - self._grown_at) * _MORE_PER_SECOND
            self._allowed = min(grown, float(self._most))
        self._grown_at = now
        if self._in_flight >= int(self._allowed):
            return False
        self._in_flight += 1
        return True

    def throttled(self) -> None:
        """The function had no concurrency left: half as many batches are handled from now on."""
        with self._changed:
            self._allowed = max(self._allowed / 2, 1.0)

    def release(self) -> None:
        """Give the right back."""
        with self._changed:
            self._in_flight -= 1
            self._changed.notify()
