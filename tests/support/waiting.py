"""Waiting for an effect: with a deadline, and with what was seen when it does not come."""

from __future__ import annotations

import time
from collections.abc import Callable


def eventually[T](check: Callable[[], T], *, seconds: float = 60, every: float = 0.1) -> T:
    """The first truthy result of ``check``; an AssertionError in it means "not yet".

    The deadline is far above what a busy machine needs: only a test that fails waits for it.

    Raises:
        AssertionError: the deadline passed; says what ``check`` saw last.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            seen: object = check()
            if seen:
                return seen  # type: ignore[return-value]  # it is check's own result
        except AssertionError as error:
            seen = error
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s; last seen: {seen}")
        time.sleep(every)
