"""Delivers log events to CloudWatch Logs: in order, in batches, without losing any.

One thread for the whole emulator. It waits a moment after the first event of a batch, so that many
small invokes become one call, and never holds a function up.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lambda_process_executor.output import LogEvent

LOG = logging.getLogger(__name__)
MAX_BATCH_EVENTS = 10_000
MAX_BATCH_BYTES = 1_048_576
EVENT_OVERHEAD_BYTES = 26
_ATTEMPTS = 3


@dataclass(frozen=True)
class Stream:
    """Where events go."""

    account: str
    region: str
    group: str
    name: str


def batches(events: list[LogEvent], latest: int = 0) -> list[list[LogEvent]]:
    """Split ``events`` as PutLogEvents demands: at most 10 000 events and 1 MiB a call, no time
    before the one of the event in front, nor before ``latest``, the stream's newest.

    The order of writing is kept: a log record has the time of its making, a printed line that of
    its arrival, so that a line in front of a record can be dated later. CloudWatch Logs sorts a
    stream by time.
    """
    result: list[list[LogEvent]] = []
    size = 0
    for original in events:
        latest = max(latest, original.timestamp)
        event = LogEvent(latest, original.message)
        length = len(event.message.encode()) + EVENT_OVERHEAD_BYTES
        if not result or len(result[-1]) >= MAX_BATCH_EVENTS or size + length > MAX_BATCH_BYTES:
            result.append([])
            size = 0
        result[-1].append(event)
        size += length
    return result


class LogWriter:
    """Takes events from any thread and writes them from its own.

    ``client_for(account, region)`` returns a CloudWatch Logs client.
    """

    def __init__(self, client_for: Callable[[str, str], Any], linger_ms: int) -> None:
        self._client_for = client_for
        self._linger_s = linger_ms / 1000
        self._pending: dict[Stream, list[LogEvent]] = {}
        self._changed = threading.Condition()
        self._closed = False
        self._busy = False
        self._known: set[Stream] = set()
        self._latest: dict[Stream, int] = {}
        self._thread = threading.Thread(target=self._run, name="lambda-process-logs", daemon=True)
        self._thread.start()

    def put(self, stream: Stream, event: LogEvent) -> None:
        """Queue one event."""
        with self._changed:
            events = self._pending.get(stream)
            if events is None:
                self._pending[stream] = [event]
                if len(self._pending) == 1:
                    self._changed.notify_all()
            else:
                events.append(event)

    def flush(self, timeout_s: float) -> bool:
        """Wait until everything queued so far is written; ``False`` when it took too long."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._pending and not self._busy, timeout_s)

    def close(self, timeout_s: float) -> None:
        """Write what is queued, then end."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._pending or self._closed)
                if not self._pending:
                    return
                closed = self._closed
            if not closed:
                time.sleep(self._linger_s)
            with self._changed:
                pending, self._pending = self._pending, {}
                self._busy = True
            for stream, events in pending.items():
                self._write(stream, events)
            with self._changed:
                self._busy = False
                self._changed.notify_all()

    def _write(self, stream: Stream, events: list[LogEvent]) -> None:
        for batch in batches(events, self._latest.get(stream, 0)):
            self._latest[stream] = batch[-1].timestamp
            for attempt in range(1, _ATTEMPTS + 1):
                try:
                    self._put(stream, batch)
                    break
                except Exception as error:
                    self._known.discard(stream)
                    if attempt == _ATTEMPTS:
                        LOG.warning(
                            "%d log events of %s could not be stored: %s",
                            len(batch),
                            stream.group,
                            error,
                        )

    def _put(self, stream: Stream, batch: list[LogEvent]) -> None:
        client = self._client_for(stream.account, stream.region)
        if stream not in self._known:
            self._create(client, stream)
            self._known.add(stream)
        client.put_log_events(
            logGroupName=stream.group,
            logStreamName=stream.name,
            logEvents=[{"timestamp": event.timestamp, "message": event.message} for event in batch],
        )

    @staticmethod
    def _create(client: Any, stream: Stream) -> None:
        already = client.exceptions.ResourceAlreadyExistsException
        for create, names in (
            (client.create_log_group, {"logGroupName": stream.group}),
            (
                client.create_log_stream,
                {"logGroupName": stream.group, "logStreamName": stream.name},
            ),
        ):
            try:
                create(**names)
            except already:
                continue
