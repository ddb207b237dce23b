"""One batch of a pipe: through enrichment and target.

AWS topics: EventBridge User Guide, "Pipes batching and concurrency", "Pipes error handling", "Event
filtering and enrichment": the enrichment gets an array and returns one, longer or shorter; nothing
is delivered of an empty one. What is not delivered of a batch is tried again, from the beginning of
the pipe.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from trigger_stack.delivery.core.invocation import Reply
from trigger_stack.delivery.core.json_paths import PathError, decoded, text_of
from trigger_stack.delivery.pipes.entries import entry
from trigger_stack.delivery.pipes.events import Event, events_of, identifier, poller_identifier
from trigger_stack.delivery.pipes.settings import MOST_ENTRIES, PipeSettings
from trigger_stack.delivery.pipes.templates import as_value, render, variables


class InternalError(Exception):
    """A service could not be reached, or had no capacity left: no attempt counts."""


class CustomerError(Exception):
    """The enrichment or the target refuses the batch."""


@dataclass(frozen=True)
class Refused:
    """What a batch operation did not take.

    Attributes:
        numbers: Places of the entries in the batch.
        reason: What the service says of the first.
    """

    numbers: frozenset[int]
    reason: str


@dataclass(frozen=True)
class Ended:
    """What became of a batch, for the journal.

    Attributes:
        id: Of the execution.
        trace_id: ``X-Amzn-Trace-Id`` of what caused it.
        events: How many events the target got.
        payload: They, as JSON.
        problem: Why some stay; an empty text when none do.
    """

    id: str
    trace_id: str
    events: int = 0
    payload: bytes = b""
    problem: str = ""


class Services(Protocol):
    """The services that a pipe calls."""

    def invoke(self, function_arn: str, payload: bytes) -> Reply:
        """Have a function handle an event, and wait for its end.

        Raises:
            ThrottledError: It has no concurrency left.
            CustomerError: There is no such function.
            InternalError: It could not be reached.
        """
        ...

    def trace(self, records: list[Event]) -> str:
        """The trace header of a batch: of its records, when they have one trace."""
        ...

    def accept(self, function_arn: str, payload: bytes, ended: Ended) -> None:
        """Have Lambda accept an event: its retries and destinations are Lambda's from then on.

        Raises:
            CustomerError: There is no such function.
            InternalError: It was not accepted.
        """
        ...

    def send(self, entries: list[dict[str, Any]], ended: Ended) -> Refused:
        """Call the batch operation of the target once.

        Args:
            entries: Of the request.
            ended: The execution that they are of, as it is known.

        Raises:
            ThrottledError: The target has no capacity left.
            CustomerError: It refuses the whole batch.
            InternalError: It could not be reached.
        """
        ...


type Note = Callable[[Ended], None]


@dataclass
class _Stage:
    """Events on their way, and the records of the source that they belong to."""

    events: list[Any]
    enriched: bool = False
    skipped: bool = False
    by_identifier: dict[str, str] = field(default_factory=dict)


class Execution:
    """What a pipe does with each batch; the pollers call it as they call a function.

    Args:
        settings: The pipe.
        services: What it calls.
        note: Told of each batch that went to no function.
    """

    def __init__(self, settings: PipeSettings, services: Services, note: Note) -> None:
        self._settings = settings
        self._services = services
        self._note = note
        self._known = variables(settings)

    def invoke(self, payload: bytes) -> Reply:
        """Take a batch to the target.

        Args:
            payload: The poller's event: ``{"Records": […]}``.

        Returns:
            As a function with ``ReportBatchItemFailures`` would answer, in the poller's terms.

        Raises:
            ThrottledError: A function or the target has no capacity left.
            InternalError: A service could not be reached.
        """
        records = events_of(payload)
        ended = Ended(str(uuid.uuid4()), self._services.trace(records), payload=payload)
        stage = _Stage([*records])
        for record in records:
            if (name := identifier(record)) is not None:
                stage.by_identifier[name] = poller_identifier(record)
        try:
            request_id = self._enrich(stage)
            if stage.skipped:
                self._note(ended)
                return Reply(False, b"", request_id or ended.id)
            return self._deliver(stage, ended)
        except (CustomerError, PathError) as error:
            self._note(replace(ended, problem=str(error)))
            return Reply(True, json.dumps({"errorMessage": str(error)}).encode(), ended.id)

    def _input(self, event: Any, template: str, *, enriched: bool) -> str:
        if not template:
            return text_of(event)
        return render(template, event, self._known, parse=not enriched)

    def _enrich(self, stage: _Stage) -> str | None:
        settings = self._settings
        if not settings.enrichment:
            return None
        template = settings.enrichment_template
        sent = [_json_of(self._input(one, template, enriched=False), one) for one in stage.events]
        reply = self._services.invoke(settings.enrichment, _array(sent))
        if reply.is_error:
            raise CustomerError(f"the enrichment failed in {reply.request_id}")
        try:
            answer = json.loads(reply.payload) if reply.payload.strip() else None
        except (ValueError, RecursionError):
            raise CustomerError(f"the enrichment returned no JSON in {reply.request_id}") from None
        stage.enriched = True
        stage.events = answer if isinstance(answer, list) else [answer]
        stage.skipped = answer in (None, "", [], {})
        return reply.request_id

    def _deliver(self, stage: _Stage, ended: Ended) -> Reply:
        settings = self._settings
        template = settings.target_template
        bodies = [self._input(one, template, enriched=stage.enriched) for one in stage.events]
        if settings.target_service == "lambda":
            given = zip(bodies, stage.events, strict=True)
            payload = _array([_json_of(body, event) for body, event in given])
            return self._to_function(stage, payload, ended)
        return self._to_batch(stage, bodies, ended)

    def _to_function(self, stage: _Stage, payload: bytes, ended: Ended) -> Reply:
        target = self._settings.target
        if self._settings.asynchronous:
            self._services.accept(target, payload, ended)
            return Reply(False, b"", ended.id)
        reply = self._services.invoke(target, payload)
        if reply.is_error:
            return reply
        answer = _in_pollers_terms(reply.payload, stage.by_identifier)
        return Reply(False, answer, reply.request_id, reply.version)

    def _to_batch(self, stage: _Stage, bodies: list[str], ended: Ended) -> Reply:
        settings = self._settings
        most = MOST_ENTRIES[settings.target_service]
        if len(bodies) > most:
            raise CustomerError(
                f"{len(bodies)} events: {settings.target_service} takes {most} at a time"
            )
        entries: list[dict[str, Any]] = []
        unfit: set[int] = set()
        reason = ""
        for number, (event, body) in enumerate(zip(stage.events, bodies, strict=True)):
            if unfit and settings.is_ordered:
                unfit.add(number)  # it is not to overtake
                continue
            seen = event if stage.enriched else decoded(event)
            try:
                entries.append(entry(settings, len(entries), seen, body))
            except PathError as error:
                unfit.add(number)
                reason = reason or str(error)
        places = [number for number in range(len(bodies)) if number not in unfit]
        if entries:
            refused = self._services.send(entries, ended)
            unfit |= {places[number] for number in refused.numbers}
            reason = reason or refused.reason
        delivered = [body for number, body in enumerate(bodies) if number not in unfit]
        problem = f"{len(unfit)} of {len(bodies)}: {reason}" if unfit else ""
        count, sent = len(delivered), _array_of_texts(bodies)
        self._note(replace(ended, events=count, payload=sent, problem=problem))
        if not unfit:
            return Reply(False, b"", ended.id)
        if not delivered:
            return Reply(True, json.dumps({"errorMessage": reason}).encode(), ended.id)
        names = [identifier(stage.events[number]) for number in sorted(unfit)]
        return Reply(False, _failures(names, stage.by_identifier), ended.id)


def _json_of(text: str, event: Any) -> Any:
    return event if isinstance(event, str) and text == event else as_value(text)


def _array(values: list[Any]) -> bytes:
    return json.dumps(values, separators=(",", ":")).encode()


def _array_of_texts(texts: list[str]) -> bytes:
    return _array([as_value(text) for text in texts])


def _failures(names: list[str | None], known: dict[str, str]) -> bytes:
    """``batchItemFailures`` for the poller; what has no name of the source fails the batch."""
    items = [{"itemIdentifier": known.get(name or "", "")} for name in names]
    return json.dumps({"batchItemFailures": items}).encode()


def _in_pollers_terms(payload: bytes, known: dict[str, str]) -> bytes:
    """The answer of a function, with what the poller calls the records."""
    try:
        answer = json.loads(payload) if payload.strip() else None
    except (ValueError, RecursionError):
        return b""
    failures = answer.get("batchItemFailures") if isinstance(answer, dict) else None
    if failures is None:
        return b""
    if not isinstance(failures, list):
        return payload  # the poller takes it as a failure of all
    names = [one.get("itemIdentifier") if isinstance(one, dict) else None for one in failures]
    return _failures([one if isinstance(one, str) else None for one in names], known)
