"""Sends the spans of events to a collector, by OTLP over HTTP: extra ``otel``, off by default.

OpenTelemetry's own variables say where to and how, ``OTEL_EXPORTER_OTLP_ENDPOINT`` first
(OpenTelemetry specification, "OpenTelemetry Protocol Exporter"). The journal is the buffer: what a
collector does not take is sent again, and events wait for nothing.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Sequence
from typing import Any

from trigger_stack_engine.journal.changes import changes
from trigger_stack_engine.journal.spans import ATTEMPTS, MESSAGES, STEPS, Span, ids_of, spans_of
from trigger_stack_engine.journal.store import Journal, JournalError

LOG = logging.getLogger(__name__)

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_WAIT_S = 5.0
#: A message's step that names its invocation is written a moment after the invocation.
_GATHER_S = 0.5
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 60.0
_MOST_TRIES = 10
_MOST_ROWS = 10_000

#: Sends spans; whether the collector took them.
type Send = Callable[[Sequence[Span]], bool]


def is_wanted() -> bool:
    """Whether the environment names a collector."""
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    return any(os.environ.get(name, "").strip() for name in _ENDPOINTS)


class SpanExport:
    """Follows the journal, and sends what came to rest.

    Args:
        journal: The journal.
        connect: Makes the sender. Raises ``ImportError`` without the packages of the extra.
        first_pause_s: Seconds until a batch is sent again; doubled each time.
    """

    def __init__(
        self,
        journal: Journal,
        connect: Callable[[], Send] | None = None,
        first_pause_s: float = _FIRST_PAUSE_S,
    ) -> None:
        self._journal = journal
        self._connect = connect or otlp_sender
        self._first_pause_s = first_pause_s

    async def run(self) -> None:
        """Send until cancelled."""
        _, cursor = await changes(self._journal, None, 0)
        try:
            send = await asyncio.to_thread(self._connect)  # the packages take 0.3 s to load
        except ImportError as error:
            LOG.error(  # noqa: TRY400  a line to act on
                "%s is set, and OpenTelemetry is not installed (%s). Build the image with OTEL=1,"
                " or install emulator/requirements-otel.lock.",
                *(_ENDPOINTS[1], error),
            )
            return
        while True:
            try:
                rows, cursor = await changes(self._journal, cursor, _WAIT_S)
                if rows:
                    await asyncio.sleep(_GATHER_S)
                    await self._deliver(send, await self._spans(rows))
            except JournalError as error:
                LOG.warning("spans wait for the journal: %s", error)
                await asyncio.sleep(_WAIT_S)

    async def _spans(self, rows: list[dict[str, Any]]) -> list[Span]:
        ids = ids_of(rows)
        found = [
            await self._journal.query(sql, ids, most=_MOST_ROWS)
            for sql in (STEPS, ATTEMPTS, MESSAGES)
        ]
        return spans_of(rows, *found)

    async def _deliver(self, send: Send, spans: Sequence[Span]) -> None:
        if not spans:
            return
        pause_s = self._first_pause_s
        for attempt in range(1, _MOST_TRIES + 1):
            if await asyncio.to_thread(send, spans):
                return
            if attempt == 1:
                LOG.warning("the OpenTelemetry collector took no spans; they are sent again")
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        LOG.error("%d spans are given up: the OpenTelemetry collector took none", len(spans))


def otlp_sender() -> Send:
    """A sender with OpenTelemetry's exporter.

    Raises:
        ImportError: The extra ``otel`` is not installed.
    """
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import Event, ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExportResult
    from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # said once, above
    exporter = OTLPSpanExporter()
    resources: dict[str, Resource] = {}

    def context(trace: str, span: str) -> SpanContext:
        flags = TraceFlags(TraceFlags.SAMPLED)
        return SpanContext(int(trace, 16), int(span, 16), is_remote=False, trace_flags=flags)

    def resource(service: str) -> Resource:
        if service not in resources:
            resources[service] = Resource.create({"service.name": service})
        return resources[service]

    def readable(span: Span) -> ReadableSpan:
        failed = span.error is not None
        return ReadableSpan(
            span.name,
            context(span.trace, span.id),
            context(span.trace, span.parent) if span.parent else None,
            resource(span.service),
            dict(span.attributes),
            [Event(name, {"detail": detail}, _nanoseconds(at)) for at, name, detail in span.notes],
            [Link(context(*one)) for one in span.links],
            SpanKind.CONSUMER if "trigger_stack.kind" in span.attributes else SpanKind.INTERNAL,
            status=Status(StatusCode.ERROR, span.error) if failed else Status(StatusCode.OK),
            start_time=_nanoseconds(span.began),
            end_time=_nanoseconds(span.ended),
        )

    def send(spans: Sequence[Span]) -> bool:
        return exporter.export([readable(span) for span in spans]) is SpanExportResult.SUCCESS

    return send


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1_000_000_000)
