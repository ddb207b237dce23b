"""An event loop on a thread of its own, for tests of asynchronous parts with blocking peers."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any

import uvloop

_SECONDS = 60


class LoopThread:
    """Runs coroutines for tests that block."""

    def __init__(self) -> None:
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def submit[T](self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Start ``work``."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def run[T](self, work: Coroutine[Any, Any, T]) -> T:
        """Start ``work`` and wait for what it returns."""
        return self.submit(work).result(_SECONDS)

    def call[T](self, make: Callable[[], T]) -> T:
        """Call ``make`` in the loop."""

        async def work() -> T:
            return make()

        return self.run(work())

    def close(self) -> None:
        """End the loop and its thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_SECONDS)
        self._loop.close()
