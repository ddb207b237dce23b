"""Asynchronous invocations: accepted into the journal, retried, and never forgotten.

AWS topics: AWS Lambda Developer Guide, "How Lambda handles errors and retries with asynchronous
invocation" and "Capturing records of Lambda asynchronous invocations". An error of the function is
tried again twice, after one and two minutes; throttles and errors of the system are tried again
with a delay that doubles from a second to five minutes, until the event is too old. Afterwards the
event goes to the on-failure destination and to the dead-letter queue. Metrics are those of "Types
of metrics for Lambda functions".
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

from trigger_stack_engine.environments.execution import Invocation, Result
from trigger_stack_engine.invoke.concurrency import ThrottledError
from trigger_stack_engine.invoke.destinations import (
    Condition,
    dead_letter_attributes,
    destination_document,
    fitting,
)
from trigger_stack_engine.invoke.function import EventInvokeConfig
from trigger_stack_engine.invoke.invoker import (
    Invoker,
    NoSuchFunctionError,
    RecursiveInvocationError,
)
from trigger_stack_engine.invoke.recursion import counted
from trigger_stack_engine.invoke.tracing import parent_of, segment_of, trace_of, with_parent
from trigger_stack_engine.journal.schema import State
from trigger_stack_engine.journal.store import Journal
from trigger_stack_engine.wire import ConnectionLostError, RemoteError

LOG = logging.getLogger(__name__)

KIND = "asynchronous invocation"
MAX_EVENT_AGE_S = 6 * 60 * 60
MAX_RETRIES = 2
_LONGEST_PAUSE_S = 300.0
_MOST_IN_FLIGHT = 64
#: Payloads kept in memory together; those of further events are read from the journal.
_MEMORY_BYTES = 64 * 1024 * 1024
_SEND_ATTEMPTS = 3
#: The metric of what could not be sent.
_DELIVERY_FAILURES = {
    "dead letter": "DeadLetterErrors",
    "destination": "DestinationDeliveryFailures",
}
_SEND_PAUSE_S = 1.0

#: Sends to a destination: what to send (see ``Engine``) and the content.
type Send = Callable[[dict[str, Any], bytes], Awaitable[None]]


@dataclass
class AcceptedEvent:
    """One event on its way.

    Attributes:
        request_id: Id of the invocation; it stays the same in every attempt.
        arn: Unqualified ARN of the function.
        qualifier: Version or alias that was asked for.
        invoked_arn: ARN as the caller gave it.
        trace_id: ``X-Amzn-Trace-Id`` of the caller.
        client_context: As JSON.
        accepted_at: Unix time in seconds.
        attempts: How often an attempt was begun.
        retries: Retries after errors of the function.
        pauses: Retries in a row after throttles and errors of the system.
        payload: The event; ``None`` when it must be read from the journal.
    """

    request_id: str
    arn: str
    qualifier: str | None
    invoked_arn: str
    trace_id: str | None
    client_context: str | None
    accepted_at: float
    attempts: int = 0
    retries: int = 0
    pauses: int = 0
    payload: bytes | None = field(default=None, repr=False)

    def request(self) -> str:
        """The invocation as JSON, for the journal to resume it from."""
        return json.dumps(
            {
                "arn": self.arn,
                "qualifier": self.qualifier,
                "invoked_arn": self.invoked_arn,
                "trace_id": self.trace_id,
                "client_context": self.client_context,
            }
        )


@dataclass
class _Queue:
    """The events of one function that are due."""

    ready: deque[AcceptedEvent] = field(default_factory=deque)
    in_flight: int = 0
    limit: int = _MOST_IN_FLIGHT


class AsynchronousInvoker:
    """Accepts events and tries each until it is handled or given up.

    Args:
        invoker: Has events handled.
        journal: Where every event is recorded before its caller has an answer.
        send: Sends to a queue, topic, bus, function or bucket.
        base_delay_s: Delay before the first retry of a function's error; the second is twice that.
    """

    def __init__(self, invoker: Invoker, journal: Journal, send: Send, base_delay_s: float) -> None:
        self._invoker = invoker
        self._journal = journal
        self._send = send
        self._base_delay_s = base_delay_s
        self._queues: dict[str, _Queue] = {}
        self._known: set[str] = set()
        self._in_memory = 0
        self._tasks: set[asyncio.Task[None]] = set()

    # -- accepting ----------------------------------------------------------------------------

    async def accept(self, event: AcceptedEvent, source: str) -> None:
        """Take responsibility for an event: when this returns, it is in the journal.

        An event that is there already, because what sends it had to wait with it, becomes this
        invocation.

        Raises:
            JournalError: It could not be recorded; the event was not accepted.
        """
        payload = event.payload or b""
        await self._journal.commit(
            "INSERT INTO event (id, kind, source, function, state, accepted_at,"
            " changed_at, due_at, trace, segment, cause, request, payload)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, source = excluded.source,"
            " function = excluded.function, place = '', changed_at = excluded.changed_at,"
            " due_at = excluded.due_at, attempts = 0, trace = excluded.trace,"
            " segment = excluded.segment, cause = excluded.cause, request = excluded.request,"
            " payload = excluded.payload WHERE state = 'pending' AND request = '{}'",
            event.request_id,
            KIND,
            source,
            event.invoked_arn,
            State.PENDING,
            event.accepted_at,
            event.accepted_at,
            event.accepted_at,
            trace_of(event.trace_id),
            segment_of(event.request_id),
            parent_of(event.trace_id),
            event.request(),
            payload,
        )
        if event.request_id in self._known:
            return  # sent again, for the first answer did not arrive
        self._count(event, "AsyncEventsReceived")
        if self._in_memory + len(payload) > _MEMORY_BYTES:
            event.payload = None
        else:
            self._in_memory += len(payload)
        self._add(event)

    async def resume(self) -> None:
        """Go on with the events of the journal that another engine accepted. Idempotent."""
        for row in await self._journal.pending():
            if row["id"] in self._known:
                continue
            event = AcceptedEvent(
                request_id=row["id"],
                accepted_at=row["accepted_at"],
                attempts=row["attempts"],
                retries=row["retries"],
                **json.loads(row["request"]),
            )
            self._journal.record(
                "UPDATE attempt SET ended_at = ?, outcome = 'interrupted'"
                " WHERE event = ? AND ended_at IS NULL",
                time.time(),
                event.request_id,
            )
            self._journal.step(event.request_id, "resumed")
            self._known.add(event.request_id)
            self._later(event, max(0.0, (row["due_at"] or 0) - time.time()))

    def _add(self, event: AcceptedEvent) -> None:
        self._known.add(event.request_id)
        queue = self._queues.setdefault(event.arn, _Queue())
        queue.ready.append(event)
        self._start_attempts(queue)

    def _later(self, event: AcceptedEvent, delay_s: float) -> None:
        asyncio.get_running_loop().call_later(delay_s, self._add, event)

    # -- attempts -----------------------------------------------------------------------------

    def _start_attempts(self, queue: _Queue) -> None:
        while queue.ready and queue.in_flight < queue.limit:
            queue.in_flight += 1
            task = asyncio.create_task(self._attempt(queue, queue.ready.popleft()))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _attempt(self, queue: _Queue, event: AcceptedEvent) -> None:
        try:
            await self._try(queue, event)
        except Exception as error:  # whatever it was, the event must not be forgotten
            LOG.exception("asynchronous event %s of %s", event.request_id, event.invoked_arn)
            self._pause(event, f"internal error: {error!r}")
        finally:
            queue.in_flight -= 1
            self._start_attempts(queue)
            if not queue.ready and not queue.in_flight:
                self._queues.pop(event.arn, None)

    async def _try(self, queue: _Queue, event: AcceptedEvent) -> None:
        settings = self._invoker.settings.get(event.arn)
        config = settings.event_invoke.get(event.qualifier or "$LATEST") if settings else None
        if settings is not None and settings.reserved == 0:
            await self._fail(event, config, Condition.ZERO_RESERVED_CONCURRENCY, None)
            return
        if time.time() - event.accepted_at > _max_age_s(config):
            await self._fail(event, config, Condition.EVENT_AGE_EXCEEDED, None)
            return
        event.attempts += 1
        number = event.attempts
        self._began(event, number)
        try:
            result = await self._invoke(event)
        except NoSuchFunctionError as error:
            self._ended(event, number, "not invoked", f"{error} does not exist")
            if event.arn in self._invoker.settings:  # it is being made, or an alias is missing
                await self._pause_or_fail(event, config, f"{error} does not exist")
            else:
                self._rest(event, State.DISCARDED, "the function was deleted")
            return
        except RecursiveInvocationError as error:
            self._ended(event, number, "not invoked", str(error))
            await self._fail(event, config, Condition.RECURSIVE_INVOCATION, None)
            return
        except ThrottledError as error:
            queue.limit = max(1, queue.in_flight // 2)
            self._ended(event, number, "throttled", str(error))
            await self._pause_or_fail(event, config, f"throttled: {error}")
            return
        except Exception as error:
            self._ended(event, number, "system error", repr(error))
            await self._pause_or_fail(event, config, f"system error: {error}")
            return
        queue.limit = min(_MOST_IN_FLIGHT, queue.limit + 1)
        event.pauses = 0
        if not result.is_error:
            self._ended(event, number, "success", "")
            await self._succeed(event, config, result)
            return
        self._ended(event, number, "function error", result.payload.decode(errors="replace"))
        await self._retry_or_fail(event, config, result)

    async def _invoke(self, event: AcceptedEvent) -> Result:
        pool = self._invoker.find(event.arn, event.qualifier)
        invocation = Invocation(
            request_id=event.request_id,
            payload=await self._payload(event),
            invoked_arn=event.invoked_arn,
            trace_id=with_parent(event.trace_id, segment_of(event.request_id)),
            client_context=event.client_context,
        )
        if self._invoker.faults.repeats(pool.version.qualified_arn):
            self._journal.step(event.request_id, "delivered twice", "make chaos")
            await self._invoker.invoke(pool, replace(invocation))
        return await self._invoker.invoke(pool, invocation)

    async def _payload(self, event: AcceptedEvent) -> bytes:
        if event.payload is not None:
            return event.payload
        return await self._journal.payload(event.request_id)

    # -- what comes after an attempt ----------------------------------------------------------

    async def _retry_or_fail(
        self, event: AcceptedEvent, config: EventInvokeConfig | None, result: Result
    ) -> None:
        most = MAX_RETRIES
        if config is not None and config.maximum_retry_attempts is not None:
            most = config.maximum_retry_attempts
        delay_s = self._base_delay_s * (event.retries + 1)
        if event.retries >= most:
            await self._fail(event, config, Condition.RETRIES_EXHAUSTED, result)
        elif time.time() + delay_s - event.accepted_at > _max_age_s(config):
            await self._fail(event, config, Condition.EVENT_AGE_EXCEEDED, result)
        else:
            event.retries += 1
            self._wait(event, delay_s, f"retry {event.retries} of {most}")

    async def _pause_or_fail(
        self, event: AcceptedEvent, config: EventInvokeConfig | None, why: str
    ) -> None:
        if time.time() + _pause_s(event) - event.accepted_at > _max_age_s(config):
            await self._fail(event, config, Condition.EVENT_AGE_EXCEEDED, None)
        else:
            self._pause(event, why)

    def _pause(self, event: AcceptedEvent, why: str) -> None:
        delay_s = _pause_s(event)
        event.pauses += 1
        self._wait(event, delay_s, why)

    def _wait(self, event: AcceptedEvent, delay_s: float, why: str) -> None:
        now = time.time()
        self._journal.record(
            "UPDATE event SET due_at = ?, changed_at = ?, attempts = ?, retries = ? WHERE id = ?",
            now + delay_s,
            now,
            event.attempts,
            event.retries,
            event.request_id,
        )
        self._journal.step(event.request_id, "waiting", f"{delay_s:g} s, {why}")
        self._later(event, delay_s)

    async def _succeed(
        self, event: AcceptedEvent, config: EventInvokeConfig | None, result: Result
    ) -> None:
        if config is not None and config.on_success:
            document = await self._document(event, config.on_success, Condition.SUCCESS, result)
            problem = await self._deliver(event, "destination", config.on_success, document, {})
            if problem:
                self._journal.step(event.request_id, "on-success destination failed", problem)
        self._rest(event, State.DONE, "")

    async def _fail(
        self,
        event: AcceptedEvent,
        config: EventInvokeConfig | None,
        condition: Condition,
        result: Result | None,
    ) -> None:
        """Send the event to every place for failures; without any it is lost, and says so."""
        self._count(event, "AsyncEventsDropped")
        state, place, problems = State.LOST, "", []
        if config is not None and config.on_failure:
            document = await self._document(event, config.on_failure, condition, result)
            problem = await self._deliver(event, "destination", config.on_failure, document, {})
            if problem:
                problems.append(problem)
            else:
                state, place = State.DESTINATION, config.on_failure
        if queue := self._dead_letter_arn(event):
            attributes = dead_letter_attributes(
                event.request_id, result.payload if result is not None else None
            )
            payload = await self._payload(event)
            problem = await self._deliver(event, "dead letter", queue, payload, attributes)
            if problem:
                problems.append(problem)
            elif state is State.LOST:
                state, place = State.DEAD_LETTER, queue
        if state is State.LOST:
            reason = "; ".join(problems) or (
                "the function has neither an on-failure destination nor a dead-letter queue"
            )
            payload = await self._payload(event)
            LOG.error(
                "EVENT LOST, %s, request %s, %s: %s. %s",
                event.invoked_arn,
                event.request_id,
                condition.value,
                reason,
                payload.decode(errors="replace")[:10_000],
            )
            place = f"{condition.value}: {reason}"
        self._rest(event, state, place)

    async def _document(
        self, event: AcceptedEvent, arn: str, condition: Condition, result: Result | None
    ) -> bytes:
        version = result.version if result is not None else event.qualifier or "$LATEST"
        document = destination_document(
            request_id=event.request_id,
            function_arn=f"{event.arn}:{event.qualifier or '$LATEST'}",
            condition=condition,
            invocations=event.retries + (0 if result is None else 1),
            payload=await self._payload(event),
            response=result.payload if result is not None else None,
            version=version,
        )
        return fitting(arn, document)

    def _dead_letter_arn(self, event: AcceptedEvent) -> str | None:
        with contextlib.suppress(NoSuchFunctionError):
            return self._invoker.find(event.arn, event.qualifier).version.dead_letter_arn
        return None

    async def _deliver(
        self, event: AcceptedEvent, what: str, arn: str, body: bytes, attributes: dict[str, Any]
    ) -> str:
        """Send something to an ARN, and try again when that fails; the problem that is left."""
        problem = ""
        header = {
            "arn": arn,
            "function": event.arn,
            "attributes": attributes,
            "trace_id": counted(
                with_parent(event.trace_id, segment_of(event.request_id)), event.arn
            ),
        }
        for attempt in range(_SEND_ATTEMPTS):
            try:
                await self._send(header, body)
            except (RemoteError, ConnectionLostError) as error:
                problem = f"{what} {arn}: {error}"
                if attempt + 1 < _SEND_ATTEMPTS:
                    await asyncio.sleep(_SEND_PAUSE_S * 2**attempt)
            else:
                self._journal.step(event.request_id, f"sent to {what}", arn)
                return ""
        LOG.warning("request %s of %s: %s", event.request_id, event.invoked_arn, problem)
        self._count(event, _DELIVERY_FAILURES[what])
        return problem

    def _count(self, event: AcceptedEvent, metric: str) -> None:
        """Count one for a metric of the function."""
        *_, region, account, _, name = event.arn.split(":")
        self._invoker.machine.logs.count((account, region, name, metric))

    # -- the journal's account ----------------------------------------------------------------

    def _began(self, event: AcceptedEvent, number: int) -> None:
        self._journal.record(
            "INSERT OR REPLACE INTO attempt (event, number, began_at) VALUES (?, ?, ?)",
            event.request_id,
            number,
            time.time(),
        )

    def _ended(self, event: AcceptedEvent, number: int, outcome: str, error: str) -> None:
        self._journal.record(
            "UPDATE attempt SET ended_at = ?, outcome = ?, error = ?"
            " WHERE event = ? AND number = ?",
            time.time(),
            outcome,
            error[:4096],
            event.request_id,
            number,
        )

    def _rest(self, event: AcceptedEvent, state: State, place: str) -> None:
        self._known.discard(event.request_id)
        if event.payload is not None:
            self._in_memory -= len(event.payload)
        self._journal.record(
            "UPDATE event SET state = ?, place = ?, changed_at = ?, due_at = NULL, attempts = ?,"
            " retries = ? WHERE id = ?",
            state,
            place,
            time.time(),
            event.attempts,
            event.retries,
            event.request_id,
        )
        self._journal.step(event.request_id, state.value, place)


def _max_age_s(config: EventInvokeConfig | None) -> float:
    if config is not None and config.maximum_event_age_s is not None:
        return config.maximum_event_age_s
    return MAX_EVENT_AGE_S


def _pause_s(event: AcceptedEvent) -> float:
    return float(min(2 ** min(event.pauses, 20), _LONGEST_PAUSE_S))
