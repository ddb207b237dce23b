"""Waiting for AWS to be done with something."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps

# boto3's own waiters sleep a second; a table or function is ready in 50 ms, unless many are made at
# once. Then each call that asks takes time from what it waits for.
_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 0.5
_GROWTH = 2


def pause() -> None:
    """Wait as long as what is asked for takes at least."""
    time.sleep(_FIRST_PAUSE)


def until_true[**P, R](seconds: float) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Call a function again until it returns something true.

    Args:
        seconds: after which it is given up.

    Returns:
        The decorator. What it makes raises ``tenacity.RetryError`` when the time is over.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def call(*arguments: P.args, **named: P.kwargs) -> R:
            # Reading a definition waits for nothing, and is not to wait for this import.
            from tenacity import Retrying, retry_if_result, stop_after_delay, wait_exponential

            retrying = Retrying(
                retry=retry_if_result(lambda result: not result),
                wait=wait_exponential(
                    multiplier=_FIRST_PAUSE, exp_base=_GROWTH, max=_LONGEST_PAUSE
                ),
                stop=stop_after_delay(seconds),
            )
            return retrying(function, *arguments, **named)

        return call

    return decorate
