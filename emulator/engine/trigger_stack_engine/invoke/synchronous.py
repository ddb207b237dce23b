"""Synchronous invocations, with their account in the journal."""

from __future__ import annotations

import time
from collections.abc import Coroutine
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from trigger_stack_engine.environments.execution import Invocation, Result
from trigger_stack_engine.invoke.tracing import parts_of, segment_of, with_parent
from trigger_stack_engine.journal.recorder import Origin, Recorder

if TYPE_CHECKING:
    from trigger_stack_engine.invoke.invoker import Invoker, Pool


#: The kind of an invocation for messages of a queue or records of a stream.
BATCH = "batch of messages"


class SynchronousInvoker:
    """Has events handled for callers that wait.

    Args:
        invoker: Has events handled.
        recorder: Where each is recorded; ``None`` records nothing.
    """

    def __init__(self, invoker: Invoker, recorder: Recorder | None = None) -> None:
        self.invoker = invoker
        self._recorder = recorder

    def invoke(
        self, pool: Pool, invocation: Invocation, origin: Origin
    ) -> Coroutine[Any, Any, Result]:
        """Handle one event; of a batch that is to come twice the second result counts.

        Raises:
            ThrottledError: No concurrency is left, or no room on this machine.
        """
        if origin.kind == BATCH and self.invoker.faults.repeats(pool.version.qualified_arn):
            return self._twice(pool, invocation, origin)
        return self._invoke(pool, invocation, origin)

    async def _twice(self, pool: Pool, invocation: Invocation, origin: Origin) -> Result:
        await self._invoke(pool, replace(invocation), origin)
        return await self._invoke(pool, invocation, origin)

    def _invoke(
        self, pool: Pool, invocation: Invocation, origin: Origin
    ) -> Coroutine[Any, Any, Result]:
        if self._recorder is None:
            return self.invoker.invoke(pool, invocation)
        return self._recorded(self._recorder, pool, invocation, origin)

    async def _recorded(
        self, recorder: Recorder, pool: Pool, invocation: Invocation, origin: Origin
    ) -> Result:
        began = time.time()
        segment = segment_of(invocation.request_id)
        _, cause = parts_of(invocation.trace_id)
        invocation.trace_id = with_parent(invocation.trace_id, segment)
        try:
            result = await self.invoker.invoke(pool, invocation)
        except BaseException as error:
            recorder.ended(invocation, origin, segment, cause, began, repr(error))
            raise
        recorder.ended(invocation, origin, segment, cause, began, result)
        return result
