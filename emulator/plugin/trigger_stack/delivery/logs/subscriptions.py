"""From a log stream to the destination of a subscription filter.

AWS topics: CloudWatch Logs User Guide, "Real-time processing of log data with subscriptions" (the
document, and 24 hours of retries), "Subscription filters with AWS Lambda" and "… Kinesis Data
Streams".
"""

from __future__ import annotations

import base64
import gzip
import json
import logging
import random
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from trigger_stack.delivery.core.outcome import Outcome, Record
from trigger_stack.delivery.core.retry_queue import RetryQueue, retry_delay
from trigger_stack.delivery.logs.filter_pattern import compiled

LOG = logging.getLogger(__name__)

#: Most bytes of a document as it is sent: what an asynchronous invocation or a record may have.
MOST_BYTES = 1_000_000
RETRIES_FOR_S = 24 * 3600.0
_WORKERS = 8
_ID_DIGITS = 56

type Event = dict[str, Any]


class RefusedError(Exception):
    """The destination refuses: another try cannot help.

    Args:
        gone: Whether the destination was deleted: nobody waits for the events any longer.
    """

    def __init__(self, message: str, *, gone: bool = False) -> None:
        super().__init__(message)
        self.gone = gone


@dataclass(frozen=True)
class Subscription:
    """A subscription filter of a log group.

    Attributes:
        name: Of the filter.
        pattern: Its filter pattern.
        destination: ARN of a function or a Kinesis stream.
        random: Whether records go to any shard, instead of to one for each log stream.
    """

    name: str
    pattern: str
    destination: str
    random: bool = False


@dataclass(frozen=True)
class Source:
    """A log stream.

    Attributes:
        account: Account id.
        region: Region.
        group: Name of the log group.
        stream: Name of the log stream.
    """

    account: str
    region: str
    group: str
    stream: str

    @property
    def group_arn(self) -> str:
        """ARN of the log group."""
        return f"arn:aws:logs:{self.region}:{self.account}:log-group:{self.group}"


@dataclass
class Batch:
    """Log events on their way to one destination.

    Attributes:
        source: Their log stream.
        subscription: The filter that they match.
        data: The document, compressed.
        payload: The document, as it is read.
        partition_key: For a Kinesis stream.
        attempts: How often it was tried.
        first_try: Monotonic time, in seconds; None before.
        id: Of the invocation, and in the journal.
    """

    source: Source
    subscription: Subscription
    data: bytes
    payload: bytes
    partition_key: str
    attempts: int = 0
    first_try: float | None = None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def is_for_a_function(self) -> bool:
        """Whether the journal's event becomes an invocation when it is delivered."""
        return ":lambda:" in self.subscription.destination


#: Hands one batch to its destination, once. Raises RefusedError, or what may be better later.
type Send = Callable[[Batch], None]


def event_id(number: int) -> str:
    """The id of a log event, as long as AWS's."""
    return str(number).zfill(_ID_DIGITS)


def document(source: Source, subscription: Subscription, events: Sequence[Event]) -> bytes:
    """The document of a batch, as JSON."""
    return json.dumps(
        {
            "messageType": "DATA_MESSAGE",
            "owner": source.account,
            "logGroup": source.group,
            "logStream": source.stream,
            "subscriptionFilters": [subscription.name],
            "logEvents": list(events),
        },
        separators=(",", ":"),
        ensure_ascii=False,
    ).encode("utf-8", "surrogatepass")


def control_message(now_ms: int) -> bytes:
    """The record with which a Kinesis stream is tried when a filter is made."""
    message = "CWL CONTROL MESSAGE: Checking health of destination Kinesis stream."
    return gzip.compress(
        json.dumps(
            {
                "messageType": "CONTROL_MESSAGE",
                "owner": "CloudwatchLogs",
                "logGroup": "",
                "logStream": "",
                "subscriptionFilters": [],
                "logEvents": [{"id": "", "timestamp": now_ms, "message": message}],
            },
            separators=(",", ":"),
        ).encode()
    )


def function_payload(data: bytes) -> bytes:
    """The event that a function gets."""
    return json.dumps({"awslogs": {"data": base64.b64encode(data).decode()}}).encode()


def batches(
    source: Source, subscription: Subscription, events: Sequence[Event], limit: int = MOST_BYTES
) -> Iterator[Batch]:
    """The events that match, in as few batches as fit.

    Args:
        source: Their log stream.
        subscription: The filter.
        events: ``id``, ``timestamp`` in milliseconds, ``message``.
        limit: Most bytes of a document as Base64; one event goes in any case.
    """
    matches = compiled(subscription.pattern)
    todo = deque([[one for one in events if matches(one["message"])]])
    while todo:
        some = todo.popleft()
        if not some:
            continue
        payload = document(source, subscription, some)
        data = gzip.compress(payload, 6, mtime=0)
        if len(some) > 1 and len(data) * 4 / 3 > limit:
            half = len(some) // 2
            todo.extendleft([some[half:], some[:half]])
            continue
        key = str(uuid.uuid4()) if subscription.random else source.stream
        yield Batch(source, subscription, data, payload, key)


class _Lane:
    """The batches of one filter, in their order."""

    def __init__(self) -> None:
        self.waiting: deque[Batch] = deque()
        self.busy = False


class Forwarder:
    """Takes batches to their destinations, those of one filter one after the other.

    Args:
        send: One try.
        record: Records where events are, from before they are on their way.
        clock: Monotonic time in seconds.
    """

    def __init__(
        self, send: Send, record: Record, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._send = send
        self._record = record
        self._clock = clock
        self._lanes: dict[tuple[str, str], _Lane] = {}
        self._lock = threading.Lock()
        self._workers = ThreadPoolExecutor(_WORKERS, thread_name_prefix="log-subscriptions")
        self._retries = RetryQueue[tuple[str, str]](self._go_on, clock)

    def forward(
        self, source: Source, subscriptions: Sequence[Subscription], events: Sequence[Event]
    ) -> None:
        """Take events that were stored to whom they are for; never raises.

        Waits until the journal has them, and for nobody else.
        """
        for subscription in subscriptions:
            try:
                found = list(batches(source, subscription, events))
            except Exception:  # storing events must not fail because of who reads them
                LOG.exception("EVENT LOST: log events of %s: %s", source, events)
                continue
            for batch in found:
                self._is(batch, "pending", "", time.time())
            if found:
                self._add((source.group_arn, subscription.name), found)

    def _add(self, key: tuple[str, str], found: list[Batch]) -> None:
        with self._lock:
            lane = self._lanes.setdefault(key, _Lane())
            lane.waiting.extend(found)
            if lane.busy:
                return
            lane.busy = True
        self._workers.submit(self._run, key)

    def _go_on(self, key: tuple[str, str]) -> None:
        self._workers.submit(self._run, key)

    def _run(self, key: tuple[str, str]) -> None:
        """Deliver what waits in a lane until it is empty, or its first has to wait."""
        lane = self._lanes[key]
        while True:
            with self._lock:
                if not lane.waiting:
                    lane.busy = False
                    del self._lanes[key]
                    return
                batch = lane.waiting[0]
            pause_s = self._attempt(batch)
            if pause_s is not None:
                self._retries.add(key, pause_s)
                return
            with self._lock:
                lane.waiting.popleft()

    def _attempt(self, batch: Batch) -> float | None:
        """Try once; seconds to wait before the next try, None when the batch has an end."""
        now = self._clock()
        batch.first_try = now if batch.first_try is None else batch.first_try
        batch.attempts += 1
        try:
            self._send(batch)
        except RefusedError as error:
            self._is(batch, "discarded" if error.gone else "lost", str(error))
            return None
        except Exception as error:  # whatever a destination answers must not lose events
            if now - batch.first_try > RETRIES_FOR_S:
                self._is(batch, "lost", f"not delivered within 24 hours: {error}")
                return None
            # A CSPRNG buys nothing for jitter.
            pause_s = retry_delay(batch.attempts, random.random())  # noqa: S311
            LOG.warning(
                "%s, filter %s: %s; try %d in %.1f s",
                *(batch.source.group, batch.subscription.name, error, batch.attempts + 1, pause_s),
            )
            self._is(batch, "pending", str(error), time.time() + pause_s)
            return pause_s
        if not batch.is_for_a_function:
            self._is(batch, "done", "")
        return None

    def _is(self, batch: Batch, state: str, place: str, due_at: float | None = None) -> None:
        self._record(
            Outcome(
                "log events of a subscription filter",
                batch.source.group_arn,
                batch.subscription.destination,
                state,
                place,
                batch.attempts,
                batch.payload,
                None,
                due_at,
                batch.id,
                () if batch.attempts else (("accepted", f"filter {batch.subscription.name}"),),
            )
        )
