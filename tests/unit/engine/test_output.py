"""From bytes to log events: nothing lost, nothing invented, nothing reordered."""

from __future__ import annotations

import asyncio
import itertools
import struct
import time
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from trigger_stack_engine.logs.output import MAX_EVENT_BYTES, LogEvent, OutputParser, split_message
from trigger_stack_engine.logs.sender import LogSender, MetricKey, Stream, batches


def frame(text: str) -> bytes:
    body = text.encode()
    return struct.pack(">IIQ", 0xA55A0003, len(body), time.time_ns() // 1000) + body


def events(data: bytes, cuts: list[int] | None = None) -> list[str]:
    parser = OutputParser()
    edges = [0, *sorted(cuts or []), len(data)]
    found = []
    for start, end in itertools.pairwise(edges):
        found += parser.feed(data[start:end])
    return [event.message for event in found + parser.flush()]


def test_lines_and_frames_in_their_order() -> None:
    data = b"one\n" + frame("two\nand more") + b"three\nfour" + frame("five\n") + b"six"

    assert events(data) == ["one\n", "two\nand more\n", "three\n", "four", "five\n", "six"]


def test_what_only_looks_like_a_frame_is_text() -> None:
    assert "".join(events(b"\xa5\x5a\x00\x03" + b"\x00" * 20 + b"\n")).endswith("\n")


TEXT = st.text(st.characters(exclude_characters="\n\r", exclude_categories=("Cs",)), min_size=1)


@given(st.lists(st.tuples(TEXT, st.booleans()), max_size=12), st.data())
def test_how_bytes_arrive_changes_nothing(
    parts: list[tuple[str, bool]], data: st.DataObject
) -> None:
    raw = b"".join(frame(text) if framed else text.encode() + b"\n" for text, framed in parts)
    cuts = data.draw(st.lists(st.integers(0, len(raw)), max_size=10))

    assert events(raw, cuts) == [text + "\n" for text, _ in parts]


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=5))
def test_any_bytes_become_events(data: bytes, cuts: list[int]) -> None:
    for text in events(data, [min(cut, len(data)) for cut in cuts]):
        assert text


def test_a_long_message_is_split_between_characters() -> None:
    parts = split_message(0, ("é" * MAX_EVENT_BYTES).encode())

    assert "".join(part.message for part in parts) == "é" * MAX_EVENT_BYTES
    assert all(len(part.message.encode()) <= MAX_EVENT_BYTES for part in parts)


def test_batches_keep_to_the_quotas_of_put_log_events() -> None:
    many = [LogEvent(0, "x")] * 25_000
    big = [LogEvent(0, "x" * 200_000)] * 12

    assert [len(batch) for batch in batches(many)] == [10_000, 10_000, 5_000]
    assert [len(batch) for batch in batches(big)] == [5, 5, 2]


def test_a_batch_is_in_the_order_of_time_and_of_writing() -> None:
    written = [LogEvent(5, "line"), LogEvent(3, "record"), LogEvent(9, "line")]

    (batch,) = batches(written)

    assert [event.message for event in batch] == ["line", "record", "line"]
    assert [event.timestamp for event in batch] == [5, 5, 9]


def test_a_later_batch_of_a_stream_is_not_dated_before_the_one_in_front() -> None:
    stored: list[tuple[int, str]] = []

    async def store(_: Stream, events: list[LogEvent]) -> None:
        stored.extend((event.timestamp, event.message) for event in events)

    async def work() -> None:
        stream = Stream("000000000000", "us-east-1", "group", "stream")
        sender = LogSender(store, count_nothing, linger_ms=0)
        for event in (LogEvent(5, "line"), LogEvent(3, "record made before the line came")):
            sender.put(stream, event)
            await sender.flush()

    asyncio.run(work())

    assert stored == [(5, "line"), (5, "record made before the line came")]


def test_nothing_of_an_ended_stream_is_kept_and_nothing_of_it_lost() -> None:
    stored: list[str] = []

    async def store(_: Stream, events: list[LogEvent]) -> None:
        stored.extend(event.message for event in events)

    async def work() -> LogSender:
        sender = LogSender(store, count_nothing, linger_ms=0)
        for number in range(3):
            stream = Stream("000000000000", "us-east-1", "group", f"stream-{number}")
            sender.put(stream, LogEvent(1, f"last of {number}"))
            sender.forget(stream)
        await sender.flush()
        return sender

    sender = asyncio.run(work())

    assert stored == ["last of 0", "last of 1", "last of 2"]
    assert not sender._latest
    assert not sender._ended


def test_what_cannot_be_stored_at_first_is_stored_later() -> None:
    stored: list[str] = []
    counted: Counter[MetricKey] = Counter()
    failures = {"logs": 1, "metrics": 1}

    def fail_once(kind: str) -> None:
        if failures[kind]:
            failures[kind] -= 1
            raise ConnectionError(kind)

    async def store(_: Stream, events: list[LogEvent]) -> None:
        fail_once("logs")
        stored.extend(event.message for event in events)

    async def count(metrics: Counter[MetricKey]) -> None:
        fail_once("metrics")
        counted.update(metrics)

    async def work() -> None:
        sender = LogSender(store, count, linger_ms=0)
        sender.put(Stream("000000000000", "us-east-1", "group", "stream"), LogEvent(1, "line"))
        for _ in range(3):
            sender.count(("000000000000", "us-east-1", "fn", "Invocations"))
        await sender.flush()
        await sender.flush()

    asyncio.run(work())

    assert stored == ["line"]
    assert list(counted.values()) == [3]


async def count_nothing(_: Counter[MetricKey]) -> None: ...


def test_a_message_is_not_dated_after_its_arrival() -> None:
    stamp = time.time_ns() // 1000 + 3600 * 1_000_000
    (event,) = OutputParser().feed(struct.pack(">IIQ", 0xA55A0003, 1, stamp) + b"x")

    assert event.timestamp <= time.time() * 1000
