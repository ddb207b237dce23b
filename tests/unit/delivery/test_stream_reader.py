"""A reader of a shard: what wakes it asks for the records, and none is missed or read twice."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.waiting import eventually
from tests.unit.delivery.stream_target import Target
from trigger_stack.delivery.streams import mapping as module
from trigger_stack.delivery.streams.mapping import Progress, Read, ShardInfo, StreamMapping
from trigger_stack.delivery.streams.records import Filters, Record
from trigger_stack.delivery.streams.settings import StreamSettings


class Stream:
    """Records in memory; a position is how many were read."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.begun_by: list[str] = []
        self.reads = 0
        self.held = threading.Event()  # a read that was begun is answered when this is set
        self.held.set()

    def put(self, data: str) -> None:
        number = str(len(self.records))
        self.records.append(Record(number, data, 2e9, {"data": data}, 10))

    def shards(self) -> list[ShardInfo]:
        return [ShardInfo("one")]

    def start(self, shard: str, kind: str, timestamp: float | None) -> int:
        return 0

    def after(self, sequence_number: str) -> int:
        return int(sequence_number) + 1

    def begin(self, shard: str, position: int, limit: int) -> Any:
        self.begun_by.append(threading.current_thread().name)
        return self._read(position, limit)

    def read(self, shard: str, position: int, limit: int, begun: Any = None) -> Read:
        self.reads += 1
        self.held.wait(10)
        return begun or self._read(position, limit)

    def _read(self, position: int, limit: int) -> Read:
        found = self.records[position : position + limit]
        return Read(found, position + len(found))

    def retention_s(self) -> float:
        return 1e12


@pytest.fixture
def stream() -> Stream:
    return Stream()


@pytest.fixture
def target() -> Target:
    return Target()


@pytest.fixture
def mapping(
    stream: Stream, target: Target, monkeypatch: pytest.MonkeyPatch
) -> Iterator[StreamMapping]:
    monkeypatch.setattr(module, "_SOON_S", ())  # it reads when it is woken, and not by itself
    monkeypatch.setattr(module, "_ASK_AGAIN_S", 60.0)
    filters = Filters((), lambda pattern, event: True)
    mapping = StreamMapping(StreamSettings("u", "s", "f"), stream, target, filters, Progress())
    thread = threading.Thread(target=mapping.run, daemon=True)
    thread.start()
    assert eventually(lambda: is_waiting(mapping))
    yield mapping
    stream.held.set()
    mapping.stop()
    thread.join(10)


def is_waiting(mapping: StreamMapping) -> bool:
    return any(reader._place is not None for reader in list(mapping._readers.values()))


def test_what_wakes_a_reader_begins_its_read(
    mapping: StreamMapping, stream: Stream, target: Target
) -> None:
    for data in "abc":
        stream.put(data)
        mapping.wake()
        assert eventually(lambda: is_waiting(mapping))

    assert eventually(lambda: target.got == ["a", "b", "c"])
    assert stream.begun_by == [threading.current_thread().name] * 3
    assert stream.reads == 4, "no read but the first, and those that were begun"


def test_a_record_behind_a_read_that_was_begun_is_read_at_once(
    mapping: StreamMapping, stream: Stream, target: Target
) -> None:
    stream.held.clear()
    stream.put("a")
    mapping.wake()
    stream.put("b")
    mapping.wake()
    stream.held.set()

    assert eventually(lambda: target.got == ["a", "b"])


def test_a_reader_that_reads_is_woken_again(
    mapping: StreamMapping, stream: Stream, target: Target
) -> None:
    stream.held.clear()
    stream.put("a")
    mapping.wake()
    assert eventually(lambda: stream.reads == 2), "the reader waits for its answer"
    stream.put("b")
    mapping.wake()
    stream.held.set()

    assert eventually(lambda: target.got == ["a", "b"])


def test_records_from_many_threads_are_handled_once_and_in_order(
    mapping: StreamMapping, stream: Stream, target: Target
) -> None:
    lock = threading.Lock()

    def put(name: str) -> None:
        for number in range(50):
            with lock:
                stream.put(f"{name}{number}")
            mapping.wake()

    threads = [threading.Thread(target=put, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert eventually(lambda: len(target.got) >= 200)
    assert target.got == [record.key for record in stream.records]
