"""Token buckets: how often something may be called.

AWS topic: API Gateway Developer Guide, "Throttle requests to your REST APIs for better throughput"
and "Throttle requests to your HTTP APIs".
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

_MOST_BUCKETS: Final = 10_000

#: Requests per second, and most requests at once.
type Limits = tuple[float, int]


class TokenBucket:
    """Lets ``rate`` requests a second through, and up to ``burst`` at once.

    Args:
        rate: Requests per second.
        burst: Most requests at once.
    """

    def __init__(self, rate: float, burst: int) -> None:
        self.limits = (rate, burst)
        self._tokens = float(burst)
        self._at: float | None = None

    def take(self, now: float) -> bool:
        """Whether a request may pass.

        Args:
            now: Monotonic time in seconds.
        """
        rate, burst = self.limits
        if self._at is not None:
            self._tokens = min(burst, self._tokens + (now - self._at) * rate)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Throttles:
    """Token buckets by name; a bucket whose limits change starts full.

    Args:
        clock: Monotonic time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[tuple[str, ...], TokenBucket] = {}

    def take(self, name: tuple[str, ...], limits: Limits | None) -> bool:
        """Count a request; whether it may pass.

        Args:
            name: What is limited.
            limits: Of it; ``None``: no limit.
        """
        if limits is None:
            return True
        bucket = self._buckets.get(name)
        if bucket is None or bucket.limits != limits:
            if len(self._buckets) > _MOST_BUCKETS:
                self._buckets.clear()
            bucket = self._buckets[name] = TokenBucket(*limits)
        return bucket.take(self._clock())
