"""Invocations whose response the control plane reads while the function writes it.

AWS topic: AWS Lambda Developer Guide, "Response streaming for Lambda functions".
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from trigger_stack_engine.environments.execution import Invocation, Result
from trigger_stack_engine.environments.response_stream import ResponseStream
from trigger_stack_engine.wire import Message, RemoteError


class ResponseStreams:
    """The responses that are being read, by the request ids of their invocations."""

    def __init__(self) -> None:
        self._open: dict[str, tuple[ResponseStream, asyncio.Task[Result]]] = {}
        self._running: set[asyncio.Task[Result]] = set()

    async def begin(
        self, invocation: Invocation, version: str, call: Coroutine[Any, Any, Result]
    ) -> Message:
        """Have an event handled, and wait for the first part of the response.

        Args:
            invocation: The event; it gets its stream here.
            version: The version that handles it.
            call: Handles it.

        Returns:
            ``{stream, version}`` and the first part; see ``read`` for a function that has ended
            without one.
        """
        stream = invocation.stream = ResponseStream()
        task = asyncio.create_task(call)
        self._running.add(task)  # it goes on when its caller goes away
        task.add_done_callback(self._running.discard)
        task.add_done_callback(lambda _: stream.end())
        part = await stream.parts.get()
        if part is None:
            return _ended(await task, has_begun=False)
        self._open[invocation.request_id] = stream, task
        return {"stream": invocation.request_id, "version": version}, part

    async def read(self, request_id: str) -> Message:
        """Wait for the next part of a response.

        Returns:
            ``{stream}`` and what has come; at the end ``{stream: null, is_error, logs, version}``
            and the error, or what a function that does not stream has returned.

        Raises:
            RemoteError: It is not being read.
        """
        if request_id not in self._open:
            raise RemoteError("NoSuchStream", f"there is no response of {request_id} to read")
        stream, task = self._open[request_id]
        part = await stream.parts.get()
        if part is None:
            del self._open[request_id]
            return _ended(await task, has_begun=True)
        return {"stream": request_id}, part

    def drop(self, request_id: str) -> None:
        """Nobody reads it any longer; the function goes on."""
        self._open.pop(request_id, None)


def _ended(result: Result, *, has_begun: bool) -> Message:
    head = {
        "stream": None,
        "is_error": result.is_error,
        "logs": result.logs,
        "version": result.version,
    }
    return head, b"" if has_begun and not result.is_error else result.payload
