"""Runs of a mapping of a stream, one after the other, and streams that are made again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.waiting import eventually
from tests.unit.delivery.stream_target import Target
from trigger_stack.delivery.core.invocation import Reply
from trigger_stack.delivery.streams import mapping as module
from trigger_stack.delivery.streams.mapping import Progress, Read, ShardInfo, StreamMapping
from trigger_stack.delivery.streams.records import Filters, Matches, Record
from trigger_stack.delivery.streams.settings import StreamSettings


class Stream:
    """Shards in memory; a position is how many records of a shard were read."""

    def __init__(self) -> None:
        self.made = "first"
        self.open: dict[str, list[str]] = {"one": []}
        self.closed: set[str] = set()

    def make_again(self) -> None:
        self.made = "second"
        self.open = {"one": []}
        self.closed = set()

    def shards(self) -> list[ShardInfo]:
        return [ShardInfo(name, (), self.made) for name in self.open]

    def start(self, shard: str, kind: str, timestamp: float | None) -> int:
        return 0

    def after(self, sequence_number: str) -> int:
        return int(sequence_number) + 1

    def begin(self, shard: str, position: int, limit: int) -> Any:
        return None

    def read(self, shard: str, position: int, limit: int, begun: Any = None) -> Read:
        data = self.open[shard][position : position + limit]
        records = [
            Record(str(position + index), one, 2e9, {"data": one}, 10)
            for index, one in enumerate(data)
        ]
        after = position + len(data)
        ended = shard in self.closed and after == len(self.open[shard])
        return Read(records, after, ended=ended)

    def retention_s(self) -> float:
        return 1e12


class HeldTarget(Target):
    """An invocation ends when ``go`` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.at_once = 0
        self.most_at_once = 0
        self.go = threading.Event()
        self.go.set()

    def invoke(self, payload: bytes) -> Reply:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        reply = super().invoke(payload)
        self.go.wait(10)
        self.at_once -= 1
        return reply


@pytest.fixture
def stream() -> Stream:
    return Stream()


@pytest.fixture
def target() -> Iterator[HeldTarget]:
    target = HeldTarget()
    yield target
    target.go.set()


class Once:
    """A filter that cannot be applied the first time."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, pattern: dict[str, Any], event: dict[str, Any]) -> bool:
        self.asked += 1
        if self.asked == 1:
            raise RuntimeError("not now")
        return True


def always(pattern: dict[str, Any], event: dict[str, Any]) -> bool:
    return True


class Runs:
    """Runs of a mapping with the same progress."""

    def __init__(self, stream: Stream, target: HeldTarget) -> None:
        self.progress = Progress()
        self._stream, self._target = stream, target
        self._threads: list[tuple[StreamMapping, threading.Thread]] = []

    def begin(self, matches: Matches | None = None) -> StreamMapping:
        filters = Filters((), always) if matches is None else Filters(("{}",), matches)
        settings = StreamSettings("u", "s", "f", batch_size=1)
        mapping = StreamMapping(settings, self._stream, self._target, filters, self.progress)
        thread = threading.Thread(target=mapping.run, daemon=True)
        self._threads.append((mapping, thread))
        thread.start()
        return mapping

    def ended(self, mapping: StreamMapping) -> bool:
        return not next(thread for one, thread in self._threads if one is mapping).is_alive()

    def end(self) -> None:
        for mapping, _ in self._threads:
            mapping.stop()
        for _, thread in self._threads:
            thread.join(10)


@pytest.fixture
def runs(stream: Stream, target: HeldTarget, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runs]:
    monkeypatch.setattr(module, "_STOP_S", 0.05)
    monkeypatch.setattr(module, "_NEW_SHARDS_S", 0.05)
    runs = Runs(stream, target)
    yield runs
    target.go.set()
    runs.end()


def test_a_run_waits_for_the_invocations_of_the_run_before(
    runs: Runs, stream: Stream, target: HeldTarget
) -> None:
    """An invocation may take longer than ``UpdateEventSourceMapping`` waits for it."""
    target.go.clear()
    stream.open["one"] += ["a", "b"]
    first = runs.begin()
    eventually(lambda: target.got == ["a"])
    first.stop()

    runs.begin()
    assert target.at_once == 1
    target.go.set()

    eventually(lambda: target.got == ["a", "b"])
    eventually(lambda: runs.progress.positions["one"] == 2)
    assert target.most_at_once == 1


def test_a_run_that_waits_can_be_stopped(runs: Runs, stream: Stream, target: HeldTarget) -> None:
    target.go.clear()
    stream.open["one"].append("a")
    first = runs.begin()
    eventually(lambda: target.got == ["a"])
    first.stop()
    second = runs.begin()

    second.stop()

    eventually(lambda: runs.ended(second))
    assert not runs.ended(first)


def test_a_finished_shard_of_a_stream_that_is_made_again_is_read(
    runs: Runs, stream: Stream, target: HeldTarget
) -> None:
    stream.open["one"].append("a")
    runs.begin()
    eventually(lambda: target.got == ["a"])
    stream.closed.add("one")
    eventually(lambda: runs.progress.ended == {"one"}, seconds=15)

    stream.make_again()
    stream.open["one"].append("b")

    eventually(lambda: target.got == ["a", "b"])


def test_a_stream_that_is_made_again_while_its_mapping_is_disabled_is_read(
    runs: Runs, stream: Stream, target: HeldTarget
) -> None:
    stream.open["one"].append("a")
    stream.closed.add("one")
    first = runs.begin()
    eventually(lambda: runs.progress.ended == {"one"})
    first.stop()

    stream.make_again()
    stream.open["one"].append("b")
    runs.begin()

    eventually(lambda: target.got == ["a", "b"])


def test_records_are_read_again_when_a_filter_fails(
    runs: Runs, stream: Stream, target: HeldTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of a read is passed over because a part of it could not be handed on."""
    monkeypatch.setattr(module, "_FIRST_PAUSE_S", 0.05)
    stream.open["one"] += ["a", "b"]

    runs.begin(Once())

    eventually(lambda: target.got == ["a", "b"])
    eventually(lambda: runs.progress.positions["one"] == 2)
