"""Events and attempts as spans, and how they reach a collector."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from tests.support.collector import Collector, collector
from tests.support.loop import LoopThread
from tests.support.waiting import eventually
from trigger_stack_engine.invoke.tracing import segment_of
from trigger_stack_engine.journal.export import SpanExport, is_wanted
from trigger_stack_engine.journal.messages import MessageRecorder
from trigger_stack_engine.journal.spans import Span, spans_of
from trigger_stack_engine.journal.store import Journal

FUNCTION = "arn:aws:lambda:us-east-1:0:function:greet"
QUEUE = "arn:aws:sqs:us-east-1:0:orders"
ROOT, TRACE = "1-5759e988-bd862e3fe1be46a994272793", "5759e988bd862e3fe1be46a994272793"


def row(**change: Any) -> dict[str, Any]:
    return {
        "id": "request",
        "kind": "asynchronous invocation",
        "source": "arn:aws:s3:::bucket",
        "function": FUNCTION,
        "state": "done",
        "place": "",
        "accepted_at": "2026-01-01T00:00:00.000Z",
        "changed_at": "2026-01-01T00:00:02.500Z",
        "due_at": None,
        "attempts": 2,
        "trace": ROOT,
        "cause": "53995c3f42cd8ad8",
        **change,
    }


def attempt(number: int, outcome: str, error: str = "") -> dict[str, Any]:
    times = {"began_at": float(number), "ended_at": number + 0.5}
    return {"event": "request", "number": number, "outcome": outcome, "error": error, **times}


def test_an_event_is_a_span_and_its_attempts_are_below_it() -> None:
    steps = [{"event": "request", "at": 3.0, "name": "accepted", "detail": ""}]
    attempts = [attempt(1, "function error", "poison"), attempt(2, "success")]

    whole, first, second = spans_of([row()], steps, attempts, [])

    assert (whole.name, whole.service) == ("asynchronous invocation greet", "greet")
    assert (whole.trace, whole.id, whole.parent) == (
        TRACE,
        segment_of("request"),
        "53995c3f42cd8ad8",
    )
    assert whole.ended - whole.began == 2.5
    assert whole.error is None
    assert whole.notes == [(3.0, "accepted", "")]
    assert whole.attributes["trigger_stack.attempts"] == 2
    assert [one.parent for one in (first, second)] == [whole.id] * 2
    assert {one.trace for one in (first, second)} == {TRACE}
    assert len({one.id for one in (whole, first, second)}) == 3
    assert (first.error, second.error) == ("function error: poison", None)
    assert (first.began, first.ended) == (1.0, 1.5)


@pytest.mark.parametrize(
    ("state", "place", "failed"),
    [
        ("done", "", False),
        ("done", "the caller has the error", True),
        ("dead-letter", QUEUE, True),
        ("destination", QUEUE, True),
        ("discarded", "FilterCriteria of the event source mapping", False),
        ("lost", "no place", True),
    ],
)
def test_which_ends_are_failures(state: str, place: str, failed: bool) -> None:
    (span,) = spans_of([row(state=state, place=place)], [], [], [])

    assert span.error == (f"{state}: {place}" if failed else None)


def test_what_waits_is_no_span_yet() -> None:
    assert spans_of([row(state="pending")], [], [], []) == []


@pytest.mark.parametrize("trace", ["", "no header", "1-5759E988-bd862e3fe1be46a994272793"])
def test_an_event_without_a_trace_has_one_of_its_own(trace: str) -> None:
    spans = spans_of([row(trace=trace, cause=""), row(id="other", trace=trace)], [], [], [])

    assert len({span.trace for span in spans}) == 2
    assert {len(span.trace) for span in spans} == {32}
    assert spans[0].parent == ""


def test_an_invocation_is_linked_to_its_messages() -> None:
    messages = [
        {"invocation": "request", "id": "m1", "trace": ROOT},
        {"invocation": "request", "id": "m2", "trace": ""},
    ]
    message = row(id="m2", function="", source=QUEUE, kind="message", trace="", cause="")

    (invocation, second) = spans_of(
        [row(trace="1-00000000-" + "0" * 24), message], [], [], messages
    )

    assert invocation.links == [(TRACE, segment_of("m1")), (second.trace, second.id)]
    assert (second.service, second.name) == ("orders", "message orders")


# --- Sending


class Exporting:
    """A journal that is exported."""

    def __init__(self, loop: LoopThread, path: Path) -> None:
        self.loop = loop

        async def make() -> Journal:
            return Journal(path, "run", 3600, 10**9)

        self.journal = loop.run(make())
        self.recorder = MessageRecorder(self.journal)
        self.running: Future[None] | None = None

    def start(self, **settings: Any) -> None:
        self.running = self.loop.submit(SpanExport(self.journal, **settings).run())
        eventually(lambda: self.journal._watchers)

    def handle(self, *messages: str) -> None:
        for message in messages:
            changes = [
                ("accepted", 1.0, message, QUEUE, None, f"Root={ROOT};Parent=53995c3f42cd8ad8", ""),
                ("deleted", 2.0, message, QUEUE, 1),
            ]
            self.loop.run(self.recorder.apply(changes))

            async def touch(message: str = message) -> None:
                await self.journal.commit(
                    "UPDATE event SET changed_at = strftime('%s', 'now') + 1 WHERE id = ?", message
                )

            self.loop.run(touch())


@pytest.fixture
def exporting(tmp_path: Path) -> Iterator[Exporting]:
    loop = LoopThread()
    made = Exporting(loop, tmp_path / "j.sqlite")
    yield made
    if made.running is not None:
        made.running.cancel()
    loop.call(made.journal.close)
    loop.close()


@pytest.fixture
def received(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with collector() as made:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", made.url)
        yield made


def test_spans_reach_a_collector(exporting: Exporting, received: Collector) -> None:
    exporting.start()

    exporting.handle("m1", "m2")

    def there() -> bool:
        assert received.spans.keys() == {segment_of("m1"), segment_of("m2")}, received.spans
        return True

    eventually(there)
    span = received.spans[segment_of("m1")]
    assert (span["name"], span["service"]) == ("message orders", "orders")
    assert (span["trace"], span["parent"]) == (TRACE, "53995c3f42cd8ad8")
    assert span["attributes"]["trigger_stack.event"] == "m1"
    assert span["notes"] == ["accepted"]
    assert not span["failed"]


def test_what_a_collector_refuses_is_sent_again(
    exporting: Exporting, received: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    received.refuses = 2
    exporting.start(first_pause_s=0.01)

    exporting.handle("m1")

    eventually(lambda: received.spans)
    assert received.refuses == 0
    assert len([one for one in caplog.records if "took no spans" in one.message]) == 1


def test_a_collector_that_takes_nothing_stops_nothing(
    exporting: Exporting, caplog: pytest.LogCaptureFixture
) -> None:
    sent: list[Span] = []

    def send(spans: Any) -> bool:
        sent.extend(spans)
        return "m2" in {span.attributes["trigger_stack.event"] for span in spans}

    exporting.start(connect=lambda: send, first_pause_s=0.001)
    exporting.handle("m1")
    eventually(lambda: "1 spans are given up" in caplog.text)

    exporting.handle("m2")

    eventually(lambda: sent[-1].attributes["trigger_stack.event"] == "m2")


def test_without_the_packages_there_is_one_line(
    exporting: Exporting, caplog: pytest.LogCaptureFixture
) -> None:
    def connect() -> Any:
        raise ImportError("No module named 'opentelemetry'")

    with caplog.at_level(logging.ERROR):
        exporting.loop.run(asyncio.wait_for(SpanExport(exporting.journal, connect).run(), 10))

    assert "emulator/requirements-otel.lock" in caplog.text


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": " "}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_SDK_DISABLED": "true"}, False),
    ],
)
def test_when_spans_are_wanted(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], wanted: bool
) -> None:
    for name in ("ENDPOINT", "TRACES_ENDPOINT"):
        monkeypatch.delenv(f"OTEL_EXPORTER_OTLP_{name}", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert is_wanted() == wanted
