"""The time of the stack."""

from __future__ import annotations

import time


class Clock:
    """The time of the stack, which ``make clock`` moves.

    Attributes:
        offset_s: Seconds that it is ahead.
    """

    def __init__(self) -> None:
        self.offset_s = 0.0

    def now(self) -> float:
        """Seconds since 1970."""
        return time.time() + self.offset_s
