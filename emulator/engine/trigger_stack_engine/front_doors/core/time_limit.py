"""Waits for an integration, but not for longer than it may take.

What takes too long runs on, as on AWS; only its answer is dropped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from trigger_stack_engine.front_doors.core.message import HttpResponse


class TimeLimit:
    """Runs integrations."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    async def run(self, work: Awaitable[HttpResponse], seconds: float) -> HttpResponse:
        """Wait for an integration.

        Raises:
            TimeoutError: The time has passed.
            Exception: What the integration raised.
        """
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[HttpResponse] = loop.create_future()
        task = loop.create_task(_answer(work, waiter))
        self._running.add(task)  # a task that nothing refers to may vanish
        task.add_done_callback(self._running.discard)
        timer = loop.call_later(seconds, _give_up, waiter)
        try:
            return await waiter
        finally:
            timer.cancel()


async def _answer(work: Awaitable[HttpResponse], waiter: asyncio.Future[HttpResponse]) -> None:
    """Give the outcome to who waits for it, unless the client has its answer already."""
    try:
        response = await work
    except asyncio.CancelledError:
        waiter.cancel()
        raise
    except Exception as error:
        if not waiter.done():
            waiter.set_exception(error)
    else:
        if not waiter.done():
            waiter.set_result(response)


def _give_up(waiter: asyncio.Future[HttpResponse]) -> None:
    if not waiter.done():
        waiter.set_exception(TimeoutError())
