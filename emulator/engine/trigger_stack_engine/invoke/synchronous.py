"""Synchronous invocations, with their account in the journal."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from trigger_stack_engine.environments.execution import Invocation, Result
from trigger_stack_engine.invoke.tracing import parent_of, segment_of, with_parent
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

    async def invoke(self, pool: Pool, invocation: Invocation, origin: Origin) -> Result:
        """Handle one event; of a batch that is to come twice the second result counts.

        Raises:
            ThrottledError: No concurrency is left, or no room on this machine.
        """
        if origin.kind == BATCH and self.invoker.faults.repeats(pool.version.qualified_arn):
            await self._invoke(pool, replace(invocation), origin)
        return await self._invoke(pool, invocation, origin)

    async def _invoke(self, pool: Pool, invocation: Invocation, origin: Origin) -> Result:
        if self._recorder is None:
            return await self.invoker.invoke(pool, invocation)
        began = time.time()
        segment = segment_of(invocation.request_id)
        caller = invocation.trace_id
        invocation.trace_id = with_parent(caller, segment)
        try:
            result = await self.invoker.invoke(pool, invocation)
        except BaseException as error:
            self._recorder.ended(invocation, origin, segment, parent_of(caller), began, repr(error))
            raise
        self._recorder.ended(invocation, origin, segment, parent_of(caller), began, result)
        return result
