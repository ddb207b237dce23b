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
        self._running: set[asyncio.Future[HttpResponse]] = set()

    async def run(self, work: Awaitable[HttpResponse], seconds: float) -> HttpResponse:
        """Wait for an integration.

        Raises:
            TimeoutError: The time has passed.
        """
        task = asyncio.ensure_future(work)
        self._running.add(task)  # a task that nothing refers to may vanish
        task.add_done_callback(self._running.discard)
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        timer = asyncio.get_running_loop().call_later(seconds, _release, waiter)
        task.add_done_callback(lambda _: _release(waiter))
        try:
            await waiter
        finally:
            timer.cancel()
        if not task.done():
            task.add_done_callback(_forget_outcome)
            raise TimeoutError
        return task.result()


def _release(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


def _forget_outcome(task: asyncio.Future[HttpResponse]) -> None:
    """The client has its answer already."""
    if not task.cancelled():
        task.exception()
