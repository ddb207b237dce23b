"""Waits for an integration, but not for longer than it may take.

What takes too long runs on, as on AWS; only its answer is dropped.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Coroutine, Generator
from typing import Any

from trigger_stack_engine.front_doors.core.message import HttpResponse
from trigger_stack_engine.wakeup import Wakeup

type Work = Coroutine[Any, Any, HttpResponse]


class TimeLimit:
    """Runs integrations.

    Most wait for nothing but the answer of an environment. The task of the request does that
    itself: another one is only made for what waits for something else, or for too long.
    """

    def __init__(self) -> None:
        self._running: set[asyncio.Task[HttpResponse]] = set()
        self._timers: dict[float, _Timers] = {}

    def run(self, work: Work, seconds: float) -> Awaitable[HttpResponse]:
        """Wait for an integration.

        Args:
            work: The integration. It may go on in another task than it began in.
            seconds: How long it may take.

        Raises:
            TimeoutError: The time has passed.
            Exception: What the integration raised.
        """
        return _Limited(self, work, seconds)

    def timers(self, seconds: float) -> _Timers:
        """The timers of this length."""
        found = self._timers.get(seconds)
        if found is None:
            if len(self._timers) > 1000:
                self._timers = {n: one for n, one in self._timers.items() if one.waiting}
            found = self._timers[seconds] = _Timers(seconds)
        return found

    def go_on(self, work: Work, waits_for: Any) -> asyncio.Task[HttpResponse]:
        """Give an integration that has begun a task of its own."""
        task = asyncio.get_running_loop().create_task(_rest(work, waits_for))
        self._running.add(task)  # a task that nothing refers to may vanish
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[HttpResponse]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # nobody may want to see it any more


class _Limited:
    """An integration."""

    __slots__ = ("_limit", "_over", "_seconds", "_waits_for", "_work")

    def __init__(self, limit: TimeLimit, work: Work, seconds: float) -> None:
        self._limit = limit
        self._work = work
        self._waits_for: Any = None
        self._seconds = seconds
        self._over: TimeoutError | None = None

    def __await__(self) -> Generator[Any, Any, HttpResponse]:
        work = self._work
        response: HttpResponse
        timers = self._limit.timers(self._seconds)
        ends_at = timers.add(self)
        try:
            self._waits_for = work.send(None)
            while isinstance(self._waits_for, Wakeup):
                try:
                    yield self._waits_for
                except BaseException as error:
                    if error is self._over:
                        raise
                    self._waits_for = work.throw(error)
                else:
                    self._waits_for = work.send(None)
        except StopIteration as end:
            response = end.value
            return response
        finally:
            timers.discard(self)
        task = self._limit.go_on(work, self._waits_for)
        left = max(ends_at - time.monotonic(), 0)
        yield from asyncio.wait({task}, timeout=left).__await__()
        if not task.done():
            raise TimeoutError
        return task.result()

    def time_is_over(self) -> None:
        """Let the task of the request go; the integration goes on in one of its own."""
        waits_for = self._waits_for
        if not isinstance(waits_for, Wakeup) or waits_for.is_over:  # its answer is on its way
            return
        self._over = TimeoutError()
        wake = waits_for.take_over()
        self._limit.go_on(self._work, waits_for)
        wake(self._over)


async def _rest(work: Work, waits_for: Any) -> HttpResponse:
    return await _Rest(work, waits_for)


class _Rest:
    """What follows in an integration on the wait that it is in."""

    def __init__(self, work: Work, waits_for: Any) -> None:
        self._work = work
        self._waits_for = waits_for

    def __await__(self) -> Generator[Any, Any, HttpResponse]:
        waits_for = self._waits_for
        if waits_for is not None:
            waits_for._asyncio_future_blocking = True  # what ``await`` tells a task
        try:
            while True:
                try:
                    yield waits_for
                except BaseException as error:
                    waits_for = self._work.throw(error)
                else:
                    waits_for = self._work.send(None)
        except StopIteration as end:
            response: HttpResponse = end.value
            return response


class _Timers:
    """Timers of one length that mostly end before they fire: one of the event loop for all."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._timer: asyncio.TimerHandle | None = None
        self.waiting: dict[_Limited, float] = {}  # to when its time is over, the first one first

    def add(self, one: _Limited) -> float:
        """Start a timer; returns when it will be over (``time.monotonic()``)."""
        ends_at = self.waiting[one] = time.monotonic() + self._seconds
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._seconds, self._look)
        return ends_at

    def discard(self, one: _Limited) -> None:
        """Stop a timer."""
        self.waiting.pop(one, None)

    def _look(self) -> None:
        self._timer = None
        now = time.monotonic()
        over = []
        for one, at in self.waiting.items():
            if at > now:
                self._timer = asyncio.get_running_loop().call_later(at - now, self._look)
                break
            over.append(one)
        for one in over:
            self.discard(one)
            one.time_is_over()
