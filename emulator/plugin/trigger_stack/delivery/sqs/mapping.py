"""One event source mapping of a queue: receive, filter, invoke, delete.

A message wakes the mapping: it waits inside the queue, without an interval. What a function did not
handle stays in the queue until its visibility time-out ends. Until then a batch that was throttled
is tried again (AWS Lambda Developer Guide, "Handling errors for an SQS event source in Lambda",
"Backoff strategy for failed invocations").
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Protocol

from trigger_stack.delivery.core.invocation import Reply, ThrottledError
from trigger_stack.delivery.core.partial_failures import failed_items
from trigger_stack.delivery.sqs.filters import Filters, Matches
from trigger_stack.delivery.sqs.records import Message, Record, make_record, payload_of
from trigger_stack.delivery.sqs.scaling import MOST_BATCHES, Scaling

LOG = logging.getLogger(__name__)

MAX_PAYLOAD_BYTES = 6 * 1024 * 1024
_ENVELOPE_BYTES = len(payload_of([]))
#: How long to wait before the queue is looked up anew: it may have been deleted and made again.
_WAIT_S = 5.0
_ASK_AGAIN_S = 0.5
_STOP_S = 10.0
_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 30.0
#: No visibility time-out ends so soon after a receive.
_SOON_S = 1.0
#: After a throttle.
_FIRST_BACK_OFF_S, _LONGEST_BACK_OFF_S = 0.25, 5.0


class Queue(Protocol):
    """The queue of a mapping."""

    def wait(self, wait_s: float, interrupted: Callable[[], bool]) -> None:
        """Wait for a message, at most ``wait_s`` seconds, or until ``interrupted``."""
        ...

    def interrupt(self) -> None:
        """Have ``wait`` ask again whether it is interrupted."""
        ...

    def receive(self, count: int) -> list[Message]:
        """Take up to ``count`` messages that are there."""
        ...

    def visibility_timeout_s(self) -> float:
        """How long nobody else gets a message that was received, in seconds."""
        ...

    def delete(self, messages: list[Message], discarded_by: str = "") -> None:
        """Delete messages that were received.

        Args:
            messages: These.
            discarded_by: The setting that drops them; an empty text when they were handled.
        """
        ...

    def failed(self, messages: list[Message], request_id: str) -> None:
        """An invocation has failed for messages, which stay in the queue. Never raises."""
        ...

    def handled(self, messages: list[Message], request_id: str) -> None:
        """An invocation has handled messages, which are deleted next. Never raises."""
        ...


class _Outcome(Enum):
    """The outcome for the messages of an event."""

    DONE = auto()
    FAILED = auto()


@dataclass
class _Batch:
    """Messages that were received together.

    Attributes:
        messages: In their order.
        received_at: When the first of them was received, by the mapping's clock.
    """

    messages: list[Message]
    received_at: float


@dataclass(frozen=True)
class MappingSettings:
    """The configuration of a mapping.

    Attributes:
        source_arn: ARN of the queue.
        region: Region of the queue.
        batch_size: Most messages of an event.
        window_s: ``MaximumBatchingWindowInSeconds``.
        maximum_concurrency: Most batches in flight; ``None`` when it is not set.
        report_failures: Whether the function may return ``batchItemFailures``.
        patterns: Filters, as JSON.
        filtered_by: The setting that drops what no filter matches, for the journal.
    """

    source_arn: str
    region: str
    batch_size: int = 10
    window_s: float = 0
    maximum_concurrency: int | None = None
    report_failures: bool = False
    patterns: tuple[str, ...] = ()
    filtered_by: str = "FilterCriteria of the event source mapping"

    @classmethod
    def from_configuration(cls, configuration: dict[str, Any]) -> MappingSettings:
        """From an ``EventSourceMappingConfiguration`` of the Lambda API."""
        arn = configuration["EventSourceArn"]
        filters = (configuration.get("FilterCriteria") or {}).get("Filters") or []
        return cls(
            source_arn=arn,
            region=arn.split(":")[3],
            batch_size=configuration.get("BatchSize") or 10,
            window_s=configuration.get("MaximumBatchingWindowInSeconds") or 0,
            maximum_concurrency=(configuration.get("ScalingConfig") or {}).get(
                "MaximumConcurrency"
            ),
            report_failures="ReportBatchItemFailures"
            in (configuration.get("FunctionResponseTypes") or []),
            patterns=tuple(one["Pattern"] for one in filters),
        )

    @property
    def is_fifo(self) -> bool:
        """Whether the queue keeps the order of each message group."""
        return self.source_arn.endswith(".fifo")


class SqsMapping:
    """A mapping while it is enabled.

    Args:
        settings: What is configured.
        queue: Where messages come from.
        invoke: Has the function handle an event and waits for its end. Raises ThrottledError, or
            anything else when the function could not be invoked.
        matches: Whether an event pattern (first) matches an event (second).
    """

    def __init__(
        self,
        settings: MappingSettings,
        queue: Queue,
        invoke: Callable[[bytes], Reply],
        matches: Matches,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._queue = queue
        self._invoke = invoke
        self._filters = Filters(settings.patterns, matches)
        self._clock = clock
        self._scaling = Scaling(settings.maximum_concurrency, clock)
        self._next: _Batch | None = None  # received, and too much for the batch in front
        self._stopped = threading.Event()
        self._receives_no_more = threading.Event()

    def run(self) -> None:
        """Handle messages until ``stop`` is called; then finish the batches in flight."""
        name = f"sqs-mapping-{self._settings.source_arn.rpartition(':')[2]}"
        with ThreadPoolExecutor(MOST_BATCHES, thread_name_prefix=name) as workers:
            try:
                self._receive(workers)
            finally:
                self._receives_no_more.set()

    def stop(self) -> None:
        """Receive no more; returns when no message can be received any longer."""
        self._stopped.set()
        with contextlib.suppress(Exception):  # a queue that is gone gives no message
            self._queue.interrupt()
        self._receives_no_more.wait(_STOP_S)

    def _receive(self, workers: ThreadPoolExecutor) -> None:
        stopped = self._stopped
        pause_s = _FIRST_PAUSE_S
        while not stopped.is_set() or self._next is not None:
            if not self._scaling.acquire(_ASK_AGAIN_S):
                continue
            try:
                batch = self._collect()
                pause_s = _FIRST_PAUSE_S
            except Exception as error:  # the queue may come back
                self._scaling.release()
                LOG.warning("%s cannot be read: %s", self._settings.source_arn, error)
                stopped.wait(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                continue
            self._hand_out(batch, workers)

    def _hand_out(self, batch: _Batch | None, workers: ThreadPoolExecutor) -> None:
        if batch is None:
            self._scaling.release()
            return
        fifo = self._settings.is_fifo
        first, *others = by_group(batch.messages) if fifo else [batch.messages]
        workers.submit(self._handle, _Batch(first, batch.received_at))
        for messages in others:
            while not self._scaling.acquire(_ASK_AGAIN_S):
                pass
            if self._is_visible_again(batch):
                self._scaling.release()
                return
            workers.submit(self._handle, _Batch(messages, batch.received_at))

    def _is_visible_again(self, batch: _Batch) -> bool:
        """Whether others may get a batch that had to wait: it would be handled out of its order."""
        waited_s = self._clock() - batch.received_at
        if waited_s < _SOON_S:
            return False
        try:
            return waited_s >= self._queue.visibility_timeout_s()
        except Exception as error:
            LOG.warning("%s cannot be read: %s", self._settings.source_arn, error)
            return True

    def _collect(self) -> _Batch | None:
        """The next batch: full, or as long as the window allows to wait, or 6 MB."""
        wanted, stopped = self._settings.batch_size, self._stopped.is_set
        batch, self._next = self._next, None
        if batch is None:
            self._queue.wait(_WAIT_S, stopped)
            if stopped():
                return None
            received_at = self._clock()
            batch = _Batch(self._queue.receive(wanted), received_at)
        messages = batch.messages
        if not messages:
            return None
        closes = self._clock() + self._settings.window_s
        while len(messages) < wanted and self._size(messages) < MAX_PAYLOAD_BYTES:
            left = closes - self._clock()
            if left <= 0 or stopped():
                break
            self._queue.wait(min(left, _WAIT_S), stopped)
            messages += self._queue.receive(wanted - len(messages))
        if self._settings.is_fifo:
            return batch
        fitting = self._fitting(messages)
        if rest := messages[fitting:]:
            self._next = _Batch(rest, batch.received_at)
        return _Batch(messages[:fitting], batch.received_at)

    def _records(self, messages: Iterable[Message]) -> list[Record]:
        settings = self._settings
        return [make_record(one, settings.source_arn, settings.region) for one in messages]

    def _size(self, messages: list[Message]) -> int:
        # Bodies are nearly all of it; the exact size is computed once, for the whole batch.
        return sum(len(message["Body"]) for message in messages)

    def _fitting(self, messages: list[Message]) -> int:
        """How many of the messages fit into an event; one does in any case."""
        if self._size(messages) * 6 + 4096 * len(messages) < MAX_PAYLOAD_BYTES:
            return len(messages)  # even if every character is escaped
        sizes = (
            len(payload_of([record])) - _ENVELOPE_BYTES + 1 for record in self._records(messages)
        )
        totals = itertools.accumulate(sizes, initial=_ENVELOPE_BYTES)
        return max(1, sum(1 for total in totals if total <= MAX_PAYLOAD_BYTES) - 1)

    def _handle(self, batch: _Batch) -> None:
        """A batch from filter to deletion, in several events when it is too large. Never raises."""
        outcome, messages = _Outcome.DONE, batch.messages
        try:
            while messages and outcome is _Outcome.DONE:
                fitting = self._fitting(messages)
                outcome = self._process(_Batch(messages[:fitting], batch.received_at))
                messages = messages[fitting:]
        except Exception as error:  # the messages stay in the queue
            LOG.warning(
                "%s: a batch of %d failed: %s", self._settings.source_arn, len(messages), error
            )
        finally:
            self._scaling.release()

    def _process(self, batch: _Batch) -> _Outcome:
        """Handle one event.

        Raises:
            Exception: The function could not be invoked, or messages not be deleted.
        """
        matching, records, discarded, messages = [], [], [], batch.messages
        for message, record in zip(messages, self._records(messages), strict=True):
            if self._filters.pass_through(record):
                matching.append(message)
                records.append(record)
            else:
                discarded.append(message)
        if discarded:
            self._queue.delete(discarded, self._settings.filtered_by)
        if not matching:
            return _Outcome.DONE
        reply = self._invoke_in_time(payload_of(records), batch.received_at)
        if reply is None:
            return _Outcome.FAILED
        if reply.is_error:
            self._queue.failed(matching, reply.request_id)
            return _Outcome.FAILED
        failed: set[str] = set()
        if self._settings.report_failures:
            failed = failed_items(reply.payload, {one["MessageId"] for one in matching})
        done = [message for message in matching if message["MessageId"] not in failed]
        if failed:
            stay = [message for message in matching if message["MessageId"] in failed]
            self._queue.failed(stay, reply.request_id)
        if done:
            self._queue.handled(done, reply.request_id)
            self._queue.delete(done)
        return _Outcome.FAILED if failed else _Outcome.DONE

    def _invoke_in_time(self, payload: bytes, received_at: float) -> Reply | None:
        """Invoke the function; while it is throttled again, as long as nobody else gets the batch.

        Returns:
            Nothing when it was throttled for too long, or the mapping has been stopped.
        """
        pause_s = _FIRST_BACK_OFF_S
        while True:
            try:
                return self._invoke(payload)
            except ThrottledError:
                self._scaling.throttled()
            visible_at = received_at + self._queue.visibility_timeout_s()
            if self._clock() + pause_s >= visible_at or self._stopped.wait(pause_s):
                return None
            pause_s = min(2 * pause_s, _LONGEST_BACK_OFF_S)


def by_group(messages: Iterable[Message]) -> list[list[Message]]:
    """Messages of a FIFO queue by their group, each in its order."""
    groups: dict[str, list[Message]] = {}
    for message in messages:
        groups.setdefault(message["Attributes"]["MessageGroupId"], []).append(message)
    return list(groups.values())
