"""Gathers log events and metrics and sends them to the control plane in batches.

The engine never waits for them: events of a moment become one call, and what could not be stored
is sent again.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from trigger_stack_engine.logs.output import LogEvent

LOG = logging.getLogger(__name__)
MAX_BATCH_EVENTS = 10_000
MAX_BATCH_BYTES = 1_048_576
EVENT_OVERHEAD_BYTES = 26
_ATTEMPTS = 3
_METRICS_EVERY_S = 1.0


class Stream(NamedTuple):
    """Where events go. A tuple, whose hash costs little: it is looked up for each event."""

    account: str
    region: str
    group: str
    name: str


#: Account, region, function name, metric name.
type MetricKey = tuple[str, str, str, str]


def batches(events: list[LogEvent], latest: int = 0) -> list[list[LogEvent]]:
    """Split ``events`` as PutLogEvents demands.

    A call has at most 10 000 events and 1 MiB, and no time before the one of the event in front,
    nor before ``latest``, the stream's newest.

    The order of writing is kept: a log record has the time of its making, a printed line that of
    its arrival, so that a line in front of a record can be dated later. CloudWatch Logs sorts a
    stream by time.
    """
    result: list[list[LogEvent]] = []
    size = 0
    for event in events:
        timestamp, message = event
        if timestamp < latest:
            event = LogEvent(latest, message)  # noqa: PLW2901  the same event, dated anew
        else:
            latest = timestamp
        length = len(message) if message.isascii() else len(message.encode())
        length += EVENT_OVERHEAD_BYTES
        if not result or len(result[-1]) >= MAX_BATCH_EVENTS or size + length > MAX_BATCH_BYTES:
            result.append([])
            size = 0
        result[-1].append(event)
        size += length
    return result


class LogSender:
    """Collects until the next sending.

    Args:
        store_logs: Stores events of one stream; may raise.
        count: Adds to metrics; may raise.
        linger_ms: How long events are gathered.
    """

    def __init__(
        self,
        store_logs: Callable[[Stream, list[LogEvent]], Awaitable[None]],
        count: Callable[[Counter[MetricKey]], Awaitable[None]],
        linger_ms: int,
    ) -> None:
        self._store_logs = store_logs
        self._count = count
        self._linger_s = linger_ms / 1000
        self._pending: dict[Stream, list[LogEvent]] = {}
        self._latest: dict[Stream, int] = {}
        self._ended: set[Stream] = set()
        self._metrics: Counter[MetricKey] = Counter()
        self._sending = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._logs_due: asyncio.TimerHandle | None = None
        self._metrics_due: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    def put(self, stream: Stream, event: LogEvent) -> None:
        """Queue one event."""
        events = self._pending.get(stream)
        if events is not None:
            events.append(event)
            return
        self._pending[stream] = [event]
        if self._logs_due is None:
            self._logs_due = self._loop.call_later(self._linger_s, self._send_logs)

    def put_all(self, stream: Stream, events: list[LogEvent]) -> None:
        """Queue events in their order."""
        known = self._pending.get(stream)
        if known is not None:
            known += events
            return
        for event in events:
            self.put(stream, event)

    def count(self, key: MetricKey) -> None:
        """Count one."""
        self._metrics[key] = self._metrics.get(key, 0) + 1
        if self._metrics_due is None:
            self._metrics_due = self._loop.call_later(_METRICS_EVERY_S, self._send_metrics)

    def forget(self, stream: Stream) -> None:
        """Nothing more comes for the stream once what is queued has been sent."""
        self._ended.add(stream)
        if self._logs_due is None:
            self._logs_due = self._loop.call_later(self._linger_s, self._send_logs)

    async def flush(self) -> None:
        """Send what is queued and wait until it is stored."""
        self._send_logs()
        self._send_metrics()
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _send_logs(self) -> None:
        if self._logs_due is not None:
            self._logs_due.cancel()
            self._logs_due = None
        if self._pending or self._ended:
            pending, self._pending = self._pending, {}
            ended, self._ended = self._ended, set()
            self._start(self._write(pending, ended))

    def _send_metrics(self) -> None:
        if self._metrics_due is not None:
            self._metrics_due.cancel()
            self._metrics_due = None
        if self._metrics:
            metrics, self._metrics = self._metrics, Counter()
            self._start(self._publish(metrics))

    def _start(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _write(self, pending: dict[Stream, list[LogEvent]], ended: set[Stream]) -> None:
        async with self._sending:  # a stream's events in their order
            for stream, events in pending.items():
                for batch in batches(events, self._latest.get(stream, 0)):
                    self._latest[stream] = batch[-1].timestamp
                    await self._write_batch(stream, batch)
            for stream in ended:
                self._latest.pop(stream, None)

    async def _write_batch(self, stream: Stream, batch: list[LogEvent]) -> None:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                await self._store_logs(stream, batch)
            except Exception as error:
                if attempt == _ATTEMPTS:
                    LOG.warning(
                        "%d log events of %s could not be stored: %s",
                        len(batch),
                        stream.group,
                        error,
                    )
            else:
                return

    async def _publish(self, metrics: Counter[MetricKey]) -> None:
        try:
            await self._count(metrics)
        except Exception as error:
            LOG.info("Lambda metrics are published later: %s", error)
            self._metrics.update(metrics)
