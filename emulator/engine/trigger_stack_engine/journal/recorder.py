"""Records synchronous invocations, and events that other services deliver.

Synchronous invocations are written without waiting: nothing is promised to a caller before it has
the result.
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from trigger_stack_engine.environments.execution import Invocation, Result
from trigger_stack_engine.invoke.tracing import parent_of, segment_of, trace_of
from trigger_stack_engine.journal.schema import State
from trigger_stack_engine.journal.store import Journal

_LONGEST_ERROR = 4096


class Origin(NamedTuple):
    """Where a synchronous invocation comes from.

    Attributes:
        kind: For example ``HTTP request``.
        source: ARN or name of what asked for it.
    """

    kind: str
    source: str


class Recorder:
    """Writes one row for each event."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def ended(
        self,
        invocation: Invocation,
        origin: Origin,
        segment: str,
        cause: str,
        began: float,
        result: Result | str,
    ) -> None:
        """An invocation has ended.

        Args:
            invocation: What was invoked.
            origin: Where it came from.
            segment: X-Ray segment of the invocation.
            cause: X-Ray segment that caused it, or an empty text.
            began: Unix time in seconds.
            result: Its result, or why there was none.
        """
        now = time.time()
        if isinstance(result, str):
            outcome, error = "not invoked", result
        elif result.is_error:
            outcome, error = "function error", result.payload.decode(errors="replace")
        else:
            outcome, error = "success", ""
        self._journal.record_call(
            invocation.request_id,
            origin.kind,
            origin.source,
            invocation.invoked_arn,
            began,
            now,
            outcome,
            error[:_LONGEST_ERROR],
            trace_of(invocation.trace_id),
            segment,
            cause,
            invocation.payload if invocation.recorded is None else invocation.recorded,
        )

    async def elsewhere(self, event: dict[str, Any], payload: bytes) -> None:
        """Where an event is that another service delivers. One that has an end keeps it.

        Args:
            event: ``{id, kind, source, function, state, place, attempts, trace_id, due_at,
                steps}``; ``due_at`` in seconds since 1970, or None; ``steps`` are names and
                details of what happened since. Without any, and at its end, the state is a step.
            payload: The event itself.

        Raises:
            JournalError: It could not be written.
        """
        now = time.time()
        state = State(event["state"])
        await self._journal.commit(
            "INSERT INTO event (id, kind, source, function, state, place, accepted_at,"
            " changed_at, due_at, attempts, trace, segment, cause, payload)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET state = excluded.state, place = excluded.place,"
            " changed_at = excluded.changed_at, due_at = excluded.due_at,"
            " attempts = excluded.attempts, payload = excluded.payload"
            " WHERE state = 'pending' AND request = '{}'",
            event["id"],
            event["kind"],
            event["source"],
            event["function"],
            state,
            event["place"],
            now,
            now,
            event["due_at"],
            event["attempts"],
            trace_of(event["trace_id"]),
            segment_of(event["id"]),
            parent_of(event["trace_id"]),
            payload,
        )
        steps = event.get("steps") or []
        for name, detail in steps:
            self._journal.step(event["id"], name, detail)
        if not steps or state is not State.PENDING:
            self._journal.step(event["id"], state, event["place"])
