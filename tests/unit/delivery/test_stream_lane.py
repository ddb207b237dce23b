"""A lane brings each record to its end: attempts, halves, partial failures, age, destination."""

from __future__ import annotations

import base64
import json
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from trigger_stack.delivery.core.event_pattern import matches
from trigger_stack.delivery.core.invocation import Reply, ThrottledError
from trigger_stack.delivery.streams.lane import Batch, Lane, StoppedError, first_failure
from trigger_stack.delivery.streams.records import Event, Failure, Filters, Record
from trigger_stack.delivery.streams.settings import StreamSettings
from trigger_stack.delivery.streams.windows import TumblingLane, Window

ERROR = Reply(True, b"{}", "request", "$LATEST")
DONE = Reply(False, b"null", "request", "$LATEST")


def record(number: int, arrived: float = 1000) -> Record:
    return Record(str(number), "k", arrived, {"n": number}, 7)


@dataclass
class World:
    """A function, a destination and a clock; a pause lets time pass at once."""

    answers: list[Reply | Exception | Callable[[list[int]], Reply]]
    now: float = 1000
    invoked: list[list[int]] = field(default_factory=list)
    discarded: list[tuple[Failure, list[str]]] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    told: list[tuple[str, list[str]]] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    destination_fails: int = 0
    problems: int = 0
    windows: list[tuple[str, Any, int, str]] = field(default_factory=list)
    open_windows: dict[str, Window] = field(default_factory=dict)

    def invoke(self, payload: bytes) -> Reply:
        numbers = [one["n"] for one in json.loads(payload)["Records"]]
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        self.invoked.append(numbers)
        return answer(numbers) if callable(answer) else answer

    def waits(self, batch: Batch, shard: str, pause_s: float) -> None:
        self.told.append(("waits", [one.sequence_number for one in batch.records]))

    def handled(self, batch: Batch, shard: str) -> None:
        if self.problems:
            self.problems -= 1
            raise RuntimeError("a mistake")
        self.told.append(("handled", [one.sequence_number for one in batch.records]))

    def discard(self, failure: Failure, records: list[Record], shard: str) -> None:
        if self.destination_fails:
            self.destination_fails -= 1
            raise OSError("the queue is gone")
        self.discarded.append((failure, [one.sequence_number for one in records]))
        self.told.append(("given up", [one.sequence_number for one in records]))

    def expired(self, batch: Batch, records: list[Record], shard: str) -> None:
        self.told.append(("expired", [one.sequence_number for one in records]))

    def trimmed(self, shard: str, after: str, until: str) -> None:
        self.told.append(("trimmed", [after, until]))

    def window(
        self, event: Event, attempts: int, state: str, place: str, due_at: float | None = None
    ) -> None:
        assert event["isFinalInvokeForWindow"]
        self.windows.append((state, event["state"], attempts, place))

    def lane(self, *, retention_s: float = math.inf, **settings: Any) -> Lane:
        kind = Lane
        more: dict[str, Any] = {"now": lambda: self.now, "retention_s": lambda: retention_s}
        if settings.get("tumbling_window_s"):
            kind, more = TumblingLane, more | {"open_windows": self.open_windows}
        lane = kind(
            StreamSettings("uuid", "arn:aws:kinesis:us-east-1:0:stream/s", "arn", **settings),
            "shard",
            self,
            lambda records: self.done.extend(one.sequence_number for one in records),
            **more,
        )

        def wait(pause_s: float) -> None:
            self.pauses.append(pause_s)
            self.now += pause_s

        lane._wait = wait  # type: ignore[method-assign]  # time passes at once
        return lane


def poison(*bad: int) -> Callable[[list[int]], Reply]:
    return lambda numbers: ERROR if set(bad) & set(numbers) else DONE


def test_a_batch_that_succeeds_is_done() -> None:
    world = World([DONE])

    world.lane().handle([record(1), record(2)])

    assert world.invoked == [[1, 2]]
    assert world.done == ["1", "2"]
    assert world.discarded == []


def test_retries_end_at_the_destination_with_growing_pauses() -> None:
    world = World([ERROR])

    world.lane(max_retries=3).handle([record(1)])

    assert world.invoked == [[1]] * 4
    assert world.pauses == [0.5, 1, 2]
    ((failure, records),) = world.discarded
    assert failure == Failure("RetryAttemptsExhausted", 4, "request", "$LATEST", "Unhandled")
    assert records == world.done == ["1"]


def test_without_retries_there_is_one_attempt() -> None:
    world = World([ERROR])

    world.lane(max_retries=0).handle([record(1)])

    assert world.invoked == [[1]]
    assert world.pauses == []
    assert len(world.discarded) == 1


def test_throttles_and_an_engine_that_is_away_count_as_no_attempt() -> None:
    world = World([ThrottledError(), OSError("no engine"), ThrottledError(), DONE])

    world.lane(max_retries=0).handle([record(1)])

    assert world.invoked == [[1]]
    assert world.done == ["1"]
    assert world.discarded == []


def test_halves_count_as_no_retry_and_keep_the_order() -> None:
    world = World([poison(3)])

    world.lane(max_retries=1, bisect=True).handle([record(n) for n in (1, 2, 3, 4)])

    assert world.invoked == [[1, 2, 3, 4], [1, 2], [3, 4], [3], [3], [4]]
    ((failure, records),) = world.discarded
    assert (failure.attempts, records) == (4, ["3"]), "the whole, its half, alone, and again"
    assert world.done == ["1", "2", "3", "4"]
    assert world.told == [
        ("waits", ["1", "2"]),
        ("waits", ["3", "4"]),
        ("handled", ["1", "2"]),
        ("waits", ["3"]),
        ("waits", ["4"]),
        ("waits", ["3"]),
        ("given up", ["3"]),
        ("handled", ["4"]),
    ]


def test_a_partial_failure_goes_on_from_its_record() -> None:
    def report(numbers: list[int]) -> Reply:
        failed = [{"itemIdentifier": str(n)} for n in (4, 2) if n in numbers]
        return Reply(False, json.dumps({"batchItemFailures": failed}).encode(), "r", "1")

    world = World([report])

    world.lane(max_retries=1, report_failures=True).handle([record(n) for n in (1, 2, 3, 4)])

    assert world.invoked == [[1, 2, 3, 4], [2, 3, 4]]
    ((failure, records),) = world.discarded
    assert (failure.function_error, records) == (None, ["2", "3", "4"])
    assert world.done == ["1", "2", "3", "4"]


def test_with_both_a_bad_record_is_given_up_alone() -> None:
    def report(numbers: list[int]) -> Reply:
        failed = [{"itemIdentifier": "2"}] if 2 in numbers else []
        return Reply(False, json.dumps({"batchItemFailures": failed}).encode(), "r", "1")

    world = World([report])

    world.lane(max_retries=1, report_failures=True, bisect=True).handle(
        [record(n) for n in (1, 2, 3, 4)]
    )

    assert world.invoked == [[1, 2, 3, 4], [2, 3, 4], [2], [2], [3, 4]]
    ends = [one for one in world.told if one[0] != "waits"]
    assert ends == [("handled", ["1"]), ("given up", ["2"]), ("handled", ["3", "4"])]
    assert [records for _, records in world.discarded] == [["2"]]
    assert world.done == ["1", "2", "3", "4"]


def test_records_that_are_too_old_are_given_up_without_an_attempt() -> None:
    world = World([DONE], now=1100)

    world.lane(max_age_s=60).handle([record(1, 1000), record(2, 1040), record(3, 1041)])

    assert world.invoked == [[3]]
    ((failure, records),) = world.discarded
    assert failure == Failure("RecordAgeExceeded", 0)
    assert records == ["1", "2"]
    assert world.done == ["1", "2", "3"]


def test_a_poison_record_holds_its_shard_until_it_is_too_old() -> None:
    """A pause is never longer than that."""
    world = World([poison(1)])

    world.lane(max_age_s=60).handle([record(1), record(2, 1050)])

    ((failure, records),) = world.discarded
    assert (failure.condition, records) == ("RecordAgeExceeded", ["1"])
    assert world.invoked[-1] == [2]
    assert world.now == pytest.approx(1060, abs=0.1)


def test_a_poison_record_holds_its_shard_for_as_long_as_the_stream_keeps_it() -> None:
    """Nothing limits the attempts, and no destination gets what the retention removed."""
    world = World([poison(1)])

    world.lane(retention_s=86_400).handle([record(1), record(2, 1050)])

    assert [one for one in world.told if one[0] != "waits"] == [
        ("expired", ["1"]),
        ("handled", ["2"]),
    ]
    assert world.discarded == []
    assert world.done == ["1", "2"]
    assert world.now == pytest.approx(1000 + 86_400, abs=0.1)


def test_a_retention_that_is_shorter_than_the_greatest_age_comes_first() -> None:
    """``MaximumRecordAgeInSeconds`` may be longer than the retention."""
    world = World([ThrottledError()])

    world.lane(retention_s=60, max_age_s=600).handle([record(1)])

    assert world.discarded == []
    assert world.told[-1] == ("expired", ["1"])
    assert world.now == pytest.approx(1060, abs=0.1)


def state_of(count: int) -> Reply:
    return Reply(False, json.dumps({"state": {"count": count}}).encode(), "r", "1")


def test_the_last_invocation_of_a_window_is_tried_until_it_succeeds() -> None:
    world = World([state_of(1), ERROR, ThrottledError(), ERROR, DONE])
    lane = world.lane(tumbling_window_s=10, max_retries=0, max_age_s=60)
    lane.add([record(1)])
    lane.end()

    lane.run()

    assert world.invoked == [[1], [], [], []]
    failed, away = "failed in request", "the function is throttled, or cannot be invoked"
    assert world.windows == [
        ("pending", {"count": 1}, 1, failed),
        ("pending", {"count": 1}, 1, away),
        ("pending", {"count": 1}, 2, failed),
        ("done", {"count": 1}, 2, ""),
    ]
    assert world.open_windows == {}


def test_a_state_is_discarded_when_the_stream_keeps_its_records_no_longer() -> None:
    world = World([state_of(1), ERROR])
    lane = world.lane(tumbling_window_s=10, retention_s=300)
    lane.add([record(1)])
    lane.end()

    lane.run()

    state, value, attempts, place = world.windows[-1]
    assert (state, value, place) == (
        "discarded",
        {"count": 1},
        "the retention period of the stream",
    )
    assert attempts == len(world.windows) - 1 > 5
    assert world.now == pytest.approx(1010 + 300, abs=0.1)
    assert world.open_windows == {}


def test_a_window_that_ends_well_is_nothing_to_tell() -> None:
    world = World([state_of(1)])
    lane = world.lane(tumbling_window_s=10, max_age_s=5)
    lane.add([record(1)])
    lane.end()

    lane.run()

    assert world.invoked == [[1], []], "the last invocation has no record that could be too old"
    assert world.windows == []


@pytest.mark.parametrize(
    "answer",
    [
        *(b"null", b"", b"{}", b'{"count": 1}', b"no json", b"[]"),
        pytest.param(b"[" * 100_000 + b"]" * 100_000, id="nested deeply"),
    ],
)
def test_an_answer_without_a_state_is_a_failure(answer: bytes) -> None:
    world = World([Reply(False, answer, "request", "1"), state_of(1)])
    lane = world.lane(tumbling_window_s=10)
    lane.add([record(1)])
    lane.end()

    lane.run()

    assert world.invoked == [[1], [1], []]
    assert world.told == [("waits", ["1"]), ("handled", ["1"])]


def test_a_throttled_record_that_grows_too_old_is_given_up() -> None:
    world = World([ThrottledError()])

    world.lane(max_age_s=60).handle([record(1)])

    assert [records for _, records in world.discarded] == [["1"]]
    assert world.invoked == []


def test_the_destination_is_asked_until_it_takes_them() -> None:
    world = World([ERROR], destination_fails=3)

    world.lane(max_retries=0).handle([record(1)])

    assert [records for _, records in world.discarded] == [["1"]]
    assert world.pauses == [0.5, 1, 2]
    assert world.done == ["1"]


def test_nothing_that_goes_wrong_here_ends_a_lane() -> None:
    """The records behind would wait for ever."""
    world = World([DONE])
    world.problems = 1
    lane = world.lane()
    lane.add([record(1), record(2)])
    lane.end()

    lane.run()

    assert world.done == ["1", "2"]


def test_stopping_leaves_what_has_no_end() -> None:
    world = World([ERROR])
    lane = Lane(StreamSettings("u", "arn", "arn"), "shard", world, lambda records: pytest.fail())
    threading.Timer(0.1, lane.stop).start()

    with pytest.raises(StoppedError):
        lane.handle([record(1)])


def test_an_event_holds_six_megabytes() -> None:
    world = World([DONE])
    lane = world.lane(batch_size=1000)
    big = [Record(str(n), "k", 1000, {"n": n}, 2_500_000) for n in range(5)]
    lane.add(big)
    lane.end()

    lane.run()

    assert world.invoked == [[0, 1], [2, 3], [4]]


@pytest.mark.parametrize(
    ("answer", "first"),
    [
        (b"", None),
        (b"null", None),
        (b"{}", None),
        (b'{"batchItemFailures": []}', None),
        (b'{"batchItemFailures": null}', None),
        (b'{"batchItemFailures": [{"itemIdentifier": "12"}]}', 1),
        (b'{"batchItemFailures": [{"itemIdentifier": "13"}, {"itemIdentifier": "12"}]}', 1),
        (b'{"batchItemFailures": [{"itemIdentifier": "99"}]}', 0),
        (b'{"batchItemFailures": [{"itemIdentifier": ""}]}', 0),
        (b'{"batchItemFailures": [{"itemIdentifier": null}]}', 0),
        (b'{"batchItemFailures": [{}]}', 0),
        (b'{"batchItemFailures": "12"}', 0),
        (b'"text"', 0),
        (b"no json", 0),
    ],
)
def test_the_record_to_go_on_from(answer: bytes, first: int | None) -> None:
    assert first_failure(answer, ["11", "12", "13"]) == first


def test_a_filter_reads_what_is_nested_deeply() -> None:
    """Nobody reads so deep: it is text, which no pattern of an object matches."""
    data = base64.b64encode(b'{"a":' * 100_000 + b"1" + b"}" * 100_000).decode()
    deep = replace(record(1), event={"kinesis": {"data": data}})

    assert not Filters(['{"data": {"a": [1]}}'], matches).pass_through(deep)
