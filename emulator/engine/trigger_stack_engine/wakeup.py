"""Waits that end within the call that ends them, and not a turn of the event loop later."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextvars import Context
from typing import Any


class Wakeup[T]:
    """What one task waits for once, as for a future.

    A future has the event loop call its task in the next turn, which costs a system call and what
    the loop does beside. An answer of an environment wakes its task at once, so that the answer is
    on its way to the client before the loop looks for anything else.

    To a task it is a future (``asyncio.isfuture``): ``await`` gives it to the task, which adds its
    callback and asks for the result.
    """

    __slots__ = (
        "_asyncio_future_blocking",
        "_callback",
        "_context",
        "_error",
        "_loop",
        "_result",
        "is_over",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._asyncio_future_blocking = False
        self._callback: Callable[[Any], object] | None = None
        self._context: Context | None = None
        self._error: BaseException | None = None
        self._result: T | None = None
        self.is_over = False

    # -- for who ends the wait ------------------------------------------------------------------

    def set_result(self, result: T) -> None:
        """End the wait; the task goes on before this returns, unless another one is running."""
        self._result = result
        self.is_over = True
        callback, context = self._callback, self._context
        if callback is None or context is None:
            return
        self._callback = None
        if asyncio.current_task(self._loop) is None:
            context.run(callback, self)
        else:
            self._loop.call_soon(callback, self, context=context)

    def set_soon(self, result: T) -> None:
        """End the wait; the task goes on in the next turn."""
        self._result = result
        self._end_soon()

    def set_exception(self, error: BaseException) -> None:
        """End the wait with an error, which the task gets in the next turn."""
        self._error = error
        self._end_soon()

    def _end_soon(self) -> None:
        self.is_over = True
        callback, self._callback = self._callback, None
        if callback is not None:
            self._loop.call_soon(callback, self, context=self._context)

    def take_over(self) -> Callable[[BaseException], None]:
        """Let the task that waits go, so that another one can wait instead.

        Returns:
            Wakes the first task, with an error.
        """
        left: Wakeup[T] = Wakeup(self._loop)
        left._callback, left._context = self._callback, self._context
        self._callback = None
        return left.set_exception

    # -- for the task ---------------------------------------------------------------------------

    def __await__(self) -> Generator[Any, None, T]:
        if not self.is_over:
            self._asyncio_future_blocking = True
            yield self
        return self.result()

    def result(self) -> T:
        """The result. Raises the error."""
        if self._error is not None:
            raise self._error
        return self._result  # type: ignore[return-value]  # it is over

    def add_done_callback(
        self, callback: Callable[[Any], object], *, context: Context | None = None
    ) -> None:
        """Have the task called when the wait is over."""
        if self.is_over:
            self._loop.call_soon(callback, self, context=context)
        else:
            self._callback, self._context = callback, context

    def cancel(self, msg: object = None) -> bool:
        """End the wait because the task is cancelled."""
        if self.is_over:
            return False
        self.set_exception(asyncio.CancelledError(msg) if msg else asyncio.CancelledError())
        return True

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """The event loop of the task."""
        return self._loop
