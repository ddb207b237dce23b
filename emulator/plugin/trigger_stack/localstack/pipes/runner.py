"""Pipes while they run: the pollers of queues and streams, with a pipe in the place of a function.

What: no patch. A poller is the one that event source mappings have.
Why: LocalStack's open release has no pipes.
Until: it has.
Test: ``tests/delivery/test_pipes.py``.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol, override

from trigger_stack.delivery.core.event_pattern import matches
from trigger_stack.delivery.core.invocation import Reply
from trigger_stack.delivery.core.outcome import Outcome
from trigger_stack.delivery.core.partial_failures import failed_items
from trigger_stack.delivery.pipes.execution import Ended, Execution
from trigger_stack.delivery.pipes.settings import PipeSettings, service_of
from trigger_stack.delivery.sqs.mapping import SqsMapping
from trigger_stack.delivery.streams.mapping import Progress, StreamMapping
from trigger_stack.delivery.streams.records import Failure, Filters, Record, batch_info
from trigger_stack.localstack.lambda_engine.outcomes import record
from trigger_stack.localstack.pipes.services import LocalServices, check_source, why_not_called
from trigger_stack.localstack.sqs.queue import InProcessQueue
from trigger_stack.localstack.streams import wakeups
from trigger_stack.localstack.streams.mappings import FunctionTarget, discard_waiting, stream_of


class _Poller(Protocol):
    def run(self) -> None:
        """Handle what comes until ``stop``."""
        ...

    def stop(self) -> None:
        """Take no more."""
        ...


@dataclass
class _Running:
    """A pipe that runs, and the thread of its poller."""

    poller: _Poller
    thread: threading.Thread


class LocalRunner:
    """Carries the events of pipes in this process."""

    def __init__(self) -> None:
        self._running: dict[str, _Running] = {}
        self._progress: dict[str, Progress] = {}
        self._lock = threading.Lock()

    def start(self, settings: PipeSettings) -> None:
        """Carry what comes from now on.

        Raises:
            Exception: The source is not there, or cannot be read.
        """
        check_source(settings)
        self.stop(settings.arn)
        poller, reading = self._poller(settings)

        def run() -> None:
            with reading:
                poller.run()
            if settings.id not in self._progress:  # deleted while a batch was under way
                discard_waiting(settings.id, "DeletePipe")

        thread = threading.Thread(target=run, name=f"pipe-{settings.name}", daemon=True)
        with self._lock:
            self._running[settings.arn] = _Running(poller, thread)
        thread.start()

    def stop(self, arn: str) -> None:
        """Take no more; returns when nothing more can be taken."""
        with self._lock:
            running = self._running.pop(arn, None)
        if running is not None:
            running.poller.stop()

    def forget(self, settings: PipeSettings) -> None:
        """The pipe is deleted, with its place in the stream."""
        self._progress.pop(settings.id, None)
        discard_waiting(settings.id, "DeletePipe")

    def _poller(self, settings: PipeSettings) -> tuple[_Poller, AbstractContextManager[Any]]:
        note = functools.partial(_note, settings)
        execution = Execution(settings, LocalServices(settings), note)
        if service_of(settings.source) == "sqs":
            queue = InProcessQueue(settings.source)
            queue.visibility_timeout_s()  # raises when there is no such queue
            return SqsMapping(settings.of_queue(), queue, execution.invoke, matches), (
                nullcontext()
            )
        of_stream = settings.of_stream()
        mapping = StreamMapping(
            of_stream,
            stream_of(settings.source, ""),
            PipeTarget(settings, execution.invoke),
            Filters(of_stream.patterns, matches),
            self._progress.setdefault(settings.id, Progress()),
        )
        mapping.prepare()
        return mapping, wakeups.reading(settings.source, mapping.wake)


class PipeTarget(FunctionTarget):
    """The pipe in the place of a function, and the dead-letter queue of its source."""

    away = "the enrichment or the target cannot be reached, or has no capacity left"
    remedy = "the pipe's source has no dead-letter queue: set DeadLetterConfig"

    def __init__(self, settings: PipeSettings, invoke: Callable[[bytes], Reply]) -> None:
        super().__init__(settings.of_stream())
        self._owner = settings.arn
        self._pipe = settings
        self._invoke = invoke

    @override
    def invoke(self, payload: bytes) -> Reply:
        """Take a batch to the target."""
        return self._invoke(payload)

    @override
    def discard(self, failure: Failure, records: list[Record], shard: str) -> None:
        """Bring records that are given up to the dead-letter queue, when the role allows it."""
        queue = self._settings.on_failure
        if queue and (problem := why_not_called(self._pipe, queue)):
            place = f"{failure.condition}; its dead-letter queue {queue}: {problem}"
            self._is("lost", place, failure.attempts, shard, records)
        else:
            super().discard(failure, records, shard)

    @override
    def _document(self, failure: Failure, records: list[Record], shard: str) -> dict[str, Any]:
        """AWS topic: EventBridge User Guide, "Pipe DLQ behavior"."""
        context = {"partnerResourceArn": self._owner, "condition": failure.condition}
        where = batch_info(records, shard=shard, source=self._settings.source_arn)
        return {"context": context, **where}


def deliver(settings: PipeSettings, payload: bytes, count: int) -> str:
    """Take records through a pipe once more; why some failed, or an empty text.

    Args:
        settings: The pipe.
        payload: ``{"Records": […]}``, as a function gets them.
        count: How many they are.

    Raises:
        Exception: A service could not be reached.
    """
    execution = Execution(settings, LocalServices(settings), functools.partial(_note, settings))
    reply = execution.invoke(payload)
    if reply.is_error:
        return f"the pipe failed again: {reply.payload.decode(errors='replace')}"
    failed = failed_items(reply.payload, {str(number) for number in range(count)})
    return f"the pipe failed again: {reply.payload.decode()}" if failed else ""


def _note(settings: PipeSettings, ended: Ended) -> None:
    """Write a batch that went to no function into the journal."""
    state, place = "done", ""
    if ended.problem:
        place = f"not delivered: {ended.problem}; what was not stays in the source"
    elif not ended.events:
        state, place = "discarded", "the enrichment returned nothing to deliver"
    record(
        Outcome(
            "batch of a pipe",
            settings.arn,
            settings.target,
            state,
            place,
            1,
            ended.payload,
            ended.trace_id,
            id=ended.id,
        )
    )
