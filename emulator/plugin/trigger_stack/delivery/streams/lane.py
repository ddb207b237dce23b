"""A lane: batches of records, handled one after the other until each record has an end.

AWS topics: AWS Lambda Developer Guide, "Process Amazon Kinesis Data Streams records with Lambda":
"Batching behavior", "Handling errors"; "Configuring partial batch response". A batch that fails is
tried again; in halves when that is configured, which counts as no retry. A partial failure goes on
from the record with the lowest sequence number; with halves configured that counts as no retry
either, and a batch whose first record fails is halved. Throttles count as no attempt. Whatever the
mapping allows, a record is tried for as long as the stream keeps it ("-1 means infinite: … data
retention settings still apply").
"""

from __future__ import annotations

import contextlib
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from trigger_stack.delivery.core.invocation import Reply, ThrottledError
from trigger_stack.delivery.core.partial_failures import failed_items
from trigger_stack.delivery.streams.records import Event, Failure, Record, as_json
from trigger_stack.delivery.streams.settings import StreamSettings

LOG = logging.getLogger(__name__)

MAX_PAYLOAD_BYTES = 6 * 1024 * 1024
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 60.0


class StoppedError(Exception):
    """The mapping ends: what has no end yet is read again when it goes on."""


class Target(Protocol):
    """What a mapping does with records."""

    def invoke(self, payload: bytes) -> Reply:
        """Have the function handle an event, and wait for its end.

        Raises:
            ThrottledError: It has no concurrency left.
        """
        ...

    def discard(self, failure: Failure, records: list[Record], shard: str) -> None:
        """Bring records that are given up to the on-failure destination."""
        ...

    def expired(self, batch: Batch, records: list[Record], shard: str) -> None:
        """The stream's retention has removed records of a batch. Never raises."""
        ...

    def trimmed(self, shard: str, after: str, until: str) -> None:
        """The stream's retention has removed records that were not read. Never raises.

        Args:
            shard: Their shard.
            after: Sequence number of the last record that was read; "" when none was.
            until: Sequence number of the last one that is gone; "" when it is not known.
        """
        ...

    def window(
        self, event: Event, attempts: int, state: str, place: str, due_at: float | None = None
    ) -> None:
        """Where the state of a tumbling window is whose last invocation failed. Never raises.

        Args:
            event: The event of the last invocation, with the state.
            attempts: How often the function was invoked with it.
            state: As in the journal.
            place: Why it waits, or what has discarded it.
            due_at: When it is tried again, in seconds since 1970.
        """
        ...

    def waits(self, batch: Batch, shard: str, pause_s: float) -> None:
        """A batch that failed is tried again in ``pause_s`` seconds. Never raises."""
        ...

    def handled(self, batch: Batch, shard: str) -> None:
        """A batch has been handled, which may have failed before. Never raises."""
        ...


@dataclass(slots=True)
class Batch:
    """Records that are handled together.

    Attributes:
        records: In their order.
        failures: Failed attempts that count as retries.
        invocations: How often the function was invoked with them.
        last: The reply of the last attempt.
        problem: Why it counts as failed although the function did not fail.
    """

    records: list[Record]
    failures: int = 0
    invocations: int = 0
    last: Reply | None = None
    problem: str = ""

    def part(self, records: list[Record]) -> Batch:
        """A part of it, with the same history."""
        return replace(self, records=records)


class Lane:
    """Handles the records of a shard that are given to it, in their order.

    Args:
        settings: The mapping's.
        shard: Id of the shard.
        target: The function and the destination.
        done: Called with records that have an end.
        clock: For windows and pauses, in seconds.
        now: The time, for the age of records, in seconds since 1970.
        retention_s: How long the stream keeps a record, in seconds.
    """

    def __init__(
        self,
        settings: StreamSettings,
        shard: str,
        target: Target,
        done: Callable[[list[Record]], None],
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
        retention_s: Callable[[], float] = lambda: math.inf,
    ) -> None:
        self._settings = settings
        self._shard = shard
        self._target = target
        self._done = done
        self._clock = clock
        self._now = now
        self._retention_s = retention_s
        self._waiting: deque[Record] = deque()
        self._changed = threading.Condition()
        self._stopped = False
        self._no_more = False

    # -- the reader's side --------------------------------------------------------------------

    def add(self, records: list[Record]) -> None:
        """Give records to the lane, in their order."""
        with self._changed:
            self._waiting.extend(records)
            self._changed.notify_all()

    def end(self) -> None:
        """No more records will come: ``run`` returns when all have an end."""
        with self._changed:
            self._no_more = True
            self._changed.notify_all()

    def stop(self) -> None:
        """End soon: after the invocation that is under way."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    # -- the lane's side ----------------------------------------------------------------------

    def run(self) -> None:
        """Handle batches until ``stop``, or until the last one after ``end``."""
        with contextlib.suppress(StoppedError):
            while records := self.next_batch():
                self.handle(records)

    def next_batch(self) -> list[Record]:
        """The next records: a full batch, or what there is when the window closes.

        Returns:
            Nothing when no more records come.

        Raises:
            StoppedError: The mapping ends.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._stopped or self._no_more)
            closes = self._clock() + self._settings.window_s
            while not (self._stopped or self._no_more or self._is_full()):
                left = closes - self._clock()
                if left <= 0:
                    break
                self._changed.wait(left)
            if self._stopped:
                raise StoppedError
            return self._take()

    def _is_full(self) -> bool:
        if len(self._waiting) >= self._settings.batch_size:
            return True
        return sum(record.size for record in self._waiting) >= MAX_PAYLOAD_BYTES

    def _take(self) -> list[Record]:
        taken: list[Record] = []
        size = 0
        while self._waiting and len(taken) < self._settings.batch_size:
            size += self._waiting[0].size + 1
            if taken and size > MAX_PAYLOAD_BYTES - 1024:
                break
            taken.append(self._waiting.popleft())
        return taken

    def handle(self, records: list[Record]) -> None:
        """Bring each record of a batch to its end.

        Raises:
            StoppedError: The mapping ends before.
        """
        todo = deque([Batch(records)])
        while todo:
            batch = self._without_expired(todo.popleft())
            if batch is not None:
                todo.extendleft(reversed(self._attempt_safely(batch)))

    def _attempt_safely(self, batch: Batch) -> list[Batch]:
        """Attempt a batch; what goes wrong here must not end the lane, whose records would wait."""
        try:
            return self._attempt(batch)
        except StoppedError:
            raise
        except Exception:
            LOG.exception("%s: a batch of %s", self._settings.source_arn, self._shard)
            self._wait(LONGEST_PAUSE_S)
            return [batch]

    def _attempt(self, batch: Batch) -> list[Batch]:
        """Have the function handle a batch once; what is left to handle, in its order."""
        reply = self._invoke(batch)
        if reply is None:
            return []
        batch.last = reply
        batch.invocations += 1
        batch.problem = "" if reply.is_error else self.answered(reply)
        if not reply.is_error and not batch.problem:
            first = self._first_failure(reply, batch.records)
            if first is None:
                self._target.handled(batch, self._shard)
                self._done(batch.records)
                return []
            if first:
                self._target.handled(batch.part(batch.records[:first]), self._shard)
            self._done(batch.records[:first])
            batch = batch.part(batch.records[first:])
            if self._settings.bisect and first:
                self._pause(FIRST_PAUSE_S, batch)
                return [batch]
        if self._settings.bisect and len(batch.records) > 1:
            half = len(batch.records) // 2
            halves = [batch.part(batch.records[:half]), batch.part(batch.records[half:])]
            self._pause(FIRST_PAUSE_S, *halves)
            return halves
        batch.failures += 1
        most = self._settings.max_retries
        if most is not None and batch.failures > most:
            self._give_up(batch, batch.records, "RetryAttemptsExhausted")
            return []
        doubled = min(batch.failures - 1, 10)
        self._pause(min(FIRST_PAUSE_S * 2**doubled, LONGEST_PAUSE_S), batch)
        return [batch]

    def _invoke(self, batch: Batch) -> Reply | None:
        """Invoke the function; wait for as long as it is throttled or cannot be reached.

        Returns:
            Nothing when all records have become too old meanwhile.
        """
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                return self._target.invoke(as_json(self.event(batch.records)))
            except ThrottledError:
                pass
            except Exception as error:
                LOG.warning("%s: %s", self._settings.source_arn, error)
            self._pause(pause_s, batch)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            if self._without_expired(batch) is None:
                return None

    def event(self, records: list[Record]) -> Event:
        """The event for records."""
        return {"Records": [record.event for record in records]}

    def answered(self, reply: Reply) -> str:
        """The function has returned from an event; why that counts as failed, or an empty text."""
        return ""

    def _first_failure(self, reply: Reply, records: list[Record]) -> int | None:
        """The index of the record to go on from; None when all were handled."""
        if not self._settings.report_failures:
            return None
        return first_failure(reply.payload, [record.sequence_number for record in records])

    def _without_expired(self, batch: Batch) -> Batch | None:
        """Give up records that are too old, or gone; None when no others are left."""
        max_age_s, retention_s = self._settings.max_age_s, self._retention_s()
        if max_age_s is not None and max_age_s <= retention_s:
            if old := self._older(batch, max_age_s):
                self._give_up(batch, old, "RecordAgeExceeded")
        elif old := self._older(batch, retention_s):
            self._target.expired(batch, old, self._shard)
            self._done(old)
        batch.records = batch.records[len(old) :]
        return batch if batch.records else None

    def _older(self, batch: Batch, age_s: float) -> list[Record]:
        oldest = self._now() - age_s
        young = (i for i, record in enumerate(batch.records) if record.arrived > oldest)
        return batch.records[: next(young, len(batch.records))]

    def _give_up(self, batch: Batch, records: list[Record], condition: str) -> None:
        last = batch.last
        failure = Failure(
            condition,
            batch.invocations,
            last.request_id if last else None,
            last.version if last else None,
            "Unhandled" if last and last.is_error else None,
        )
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                self._target.discard(failure, records, self._shard)
                break
            except Exception as error:  # the destination may come back
                LOG.warning(
                    "%s: %d records of %s cannot be sent to the on-failure destination: %s",
                    *(self._settings.source_arn, len(records), self._shard, error),
                )
            self._wait(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        self._done(records)

    def _pause(self, pause_s: float, *batches: Batch) -> None:
        """Wait, but not longer than until the first record is too old, or gone."""
        age_s = self._retention_s()
        if self._settings.max_age_s is not None:
            age_s = min(age_s, self._settings.max_age_s)
        expires = batches[0].records[0].arrived + age_s
        pause_s = min(pause_s, max(0.0, expires - self._now()))
        for batch in batches:
            self._target.waits(batch, self._shard, pause_s)
        self._wait(pause_s)

    def _wait(self, pause_s: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._stopped, pause_s)
            if self._stopped:
                raise StoppedError


def first_failure(response: bytes, batch: list[str]) -> int | None:
    """The index of the record with the lowest sequence number that the function reports as failed.

    AWS topic: AWS Lambda Developer Guide, "Configuring partial batch response with Kinesis".

    Args:
        response: What the function returned, as bytes of JSON.
        batch: The sequence numbers of all records of the batch, in their order.
    """
    failed = failed_items(response, batch)
    return next((index for index, number in enumerate(batch) if number in failed), None)
