"""Sequencers: which of two changes of a key was the later one.

AWS topic: Amazon S3 User Guide, "Event message structure": two sequencers of one key are compared
as text, the shorter one filled up with zeros on the right.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_NANOSECONDS = 10**9
#: As long as AWS's: a byte that is zero, seconds since 1970 in four, fractions in four.
_DIGITS = 18


class Sequencers:
    """Hands out sequencers, each greater than all before it.

    Time alone would not do: a clock can give the same value twice, or be set back.

    Args:
        clock: Nanoseconds since 1970.
    """

    def __init__(self, clock: Callable[[], int] = time.time_ns) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._last = 0

    def next(self) -> str:
        """The next one, in hexadecimal digits; all are of the same length."""
        seconds, rest = divmod(self._clock(), _NANOSECONDS)
        now = (seconds << 32) | ((rest << 32) // _NANOSECONDS)
        with self._lock:
            self._last = max(now, self._last + 1)
            return f"{self._last:0{_DIGITS}X}"
