"""A mapping between a queue in memory and a function that does as it is told."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.support.waiting import eventually
from trigger_stack.delivery.core.invocation import Reply, ThrottledError
from trigger_stack.delivery.sqs.mapping import (
    MAX_PAYLOAD_BYTES,
    MappingSettings,
    SqsMapping,
    by_group,
)

ARN = "arn:aws:sqs:eu-west-1:000000000000:q"
DONE = Reply(is_error=False, payload=b"null")


def message(identifier: str, body: str = "text", group: str = "") -> dict[str, Any]:
    attributes = {"MessageGroupId": group} if group else {}
    return {
        "MessageId": identifier,
        "ReceiptHandle": f"handle-{identifier}",
        "Body": body,
        "Attributes": attributes,
        "MD5OfBody": "md5",
    }


class Queue:
    """Messages that wait, are received and are deleted."""

    def __init__(self, *messages: dict[str, Any]) -> None:
        self.waiting = list(messages)
        self.received: list[str] = []
        self.deleted: list[str] = []
        self.told: list[tuple[str, str]] = []
        self.visibility_s = 30.0
        self.error: Exception | None = None
        self._changed = threading.Condition()

    def put(self, *messages: dict[str, Any]) -> None:
        with self._changed:
            self.waiting += messages
            self._changed.notify()

    def wait(self, wait_s: float, interrupted: Callable[[], bool]) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self.waiting or interrupted(), wait_s)

    def visibility_timeout_s(self) -> float:
        return self.visibility_s

    def interrupt(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def receive(self, count: int) -> list[dict[str, Any]]:
        if self.error:
            raise self.error
        with self._changed:
            taken, self.waiting = self.waiting[:count], self.waiting[count:]
            self.received += [one["MessageId"] for one in taken]
            return taken

    def failed(self, messages: list[dict[str, Any]], request_id: str) -> None:
        self.told += [("failed", one["MessageId"]) for one in messages]

    def handled(self, messages: list[dict[str, Any]], request_id: str) -> None:
        self.told += [("handled", one["MessageId"]) for one in messages]

    def delete(self, messages: list[dict[str, Any]], discarded_by: str = "") -> None:
        if discarded_by:
            self.told += [(discarded_by, one["MessageId"]) for one in messages]
        self.deleted += [one["MessageId"] for one in messages]


@dataclass
class Function:
    """Keeps the events it gets."""

    answer: Callable[[list[dict[str, Any]]], Reply] = lambda records: DONE
    batches: list[list[str]] = field(default_factory=list)
    payloads: list[bytes] = field(default_factory=list)

    def __call__(self, payload: bytes) -> Reply:
        records = json.loads(payload)["Records"]
        self.payloads.append(payload)
        self.batches.append([record["messageId"] for record in records])
        return self.answer(records)


@contextmanager
def running(queue: Queue, function: Function, **settings: Any) -> Iterator[None]:
    """The mapping runs; at the end it is disabled and has finished what was in flight."""
    arn = settings.pop("source_arn", ARN)
    mapping = SqsMapping(
        MappingSettings(arn, "eu-west-1", **settings),
        queue,
        function,
        lambda pattern, event: pattern["body"]["kind"][0] == event["body"].get("kind"),
    )
    thread = threading.Thread(target=mapping.run)
    thread.start()
    try:
        yield
    finally:
        mapping.stop()
        thread.join(20)
        assert not thread.is_alive()


def numbered(count: int) -> list[dict[str, Any]]:
    return [message(str(number)) for number in range(count)]


def test_a_record_is_as_aws_documents_it() -> None:
    sent = message("1") | {
        "MessageAttributes": {"a": {"StringValue": "x", "DataType": "String"}},
        "MD5OfMessageAttributes": "md5a",
    }
    queue, function = Queue(sent), Function()
    with running(queue, function):
        eventually(lambda: queue.deleted)

    assert json.loads(function.payloads[0]) == {
        "Records": [
            {
                "messageId": "1",
                "receiptHandle": "handle-1",
                "body": "text",
                "attributes": {},
                "messageAttributes": {
                    "a": {
                        "stringValue": "x",
                        "dataType": "String",
                        "stringListValues": [],
                        "binaryListValues": [],
                    }
                },
                "md5OfBody": "md5",
                "md5OfMessageAttributes": "md5a",
                "eventSource": "aws:sqs",
                "eventSourceARN": ARN,
                "awsRegion": "eu-west-1",
            }
        ]
    }


def test_batches_are_as_large_as_allowed() -> None:
    queue, function = Queue(*numbered(25)), Function()
    with running(queue, function, batch_size=10):
        eventually(lambda: len(queue.deleted) == 25)

    assert sorted(map(len, function.batches)) == [5, 10, 10]


def test_a_message_wakes_the_mapping() -> None:
    """No interval passes: a hundred messages, one after the other."""
    queue, function = Queue(), Function()
    with running(queue, function):
        for number in range(100):
            queue.put(message(str(number)))
            eventually(lambda n=number: len(queue.deleted) == n + 1, every=0.001)  # type: ignore[misc]  # bound at once

    assert len(function.batches) == 100


def test_a_window_collects_until_it_closes() -> None:
    queue, function = Queue(message("1")), Function()
    began = time.monotonic()
    ends: list[float] = []
    function.answer = lambda records: (ends.append(time.monotonic()), DONE)[1]
    with running(queue, function, window_s=1):
        eventually(lambda: queue.received)
        queue.put(message("2"))
        eventually(lambda: len(queue.deleted) == 2)

    assert function.batches == [["1", "2"]]
    assert ends[0] - began >= 1, "the window closed early"


def test_a_full_batch_closes_the_window() -> None:
    queue, function = Queue(*numbered(3)), Function()
    with running(queue, function, batch_size=3, window_s=300):
        eventually(lambda: len(queue.deleted) == 3)

    assert function.batches == [["0", "1", "2"]]


def test_a_mapping_that_is_disabled_in_its_window_hands_over_what_it_has() -> None:
    queue, function = Queue(message("1")), Function()
    with running(queue, function, window_s=300):
        eventually(lambda: queue.received)

    assert queue.deleted == ["1"]


def test_an_event_has_at_most_6_mb() -> None:
    large = [message(str(number), "x" * (1024 * 1024)) for number in range(10)]
    queue, function = Queue(*large), Function()
    with running(queue, function, batch_size=10):
        eventually(lambda: len(queue.deleted) == 10)

    assert [len(batch) for batch in function.batches] == [5, 5]
    assert max(map(len, function.payloads)) <= MAX_PAYLOAD_BYTES
    assert sorted(queue.received) == sorted(queue.deleted), "nothing was received twice"


def test_escaped_characters_count_in_the_size() -> None:
    large = [message(str(number), "\x01" * (600 * 1024)) for number in range(4)]
    queue, function = Queue(*large), Function()
    with running(queue, function, batch_size=10):
        eventually(lambda: len(queue.deleted) == 4)

    assert max(map(len, function.payloads)) <= MAX_PAYLOAD_BYTES
    assert sorted(queue.received) == sorted(queue.deleted) == ["0", "1", "2", "3"]


def test_a_message_that_is_too_large_alone_is_a_batch_alone() -> None:
    queue = Queue(message("large", "\x01" * (1100 * 1024)), message("small"))
    function = Function()
    with running(queue, function):
        eventually(lambda: len(queue.deleted) == 2)

    assert sorted(function.batches) == [["large"], ["small"]]


@pytest.mark.parametrize(
    "answer",
    [
        lambda records: Reply(is_error=True, payload=b'{"errorMessage": "no"}'),
        lambda records: (_ for _ in ()).throw(RuntimeError("the engine is gone")),
    ],
    ids=["error", "not invoked"],
)
def test_what_failed_stays_in_the_queue(answer: Callable[[Any], Reply]) -> None:
    queue, function = Queue(message("bad")), Function(answer)
    with running(queue, function):
        eventually(lambda: function.batches)
        function.answer = lambda records: DONE
        queue.put(message("good"))
        eventually(lambda: queue.deleted)

    assert queue.deleted == ["good"]
    assert function.batches == [["bad"], ["good"]]


def throttle(records: Any) -> Reply:
    raise ThrottledError("busy")


def test_a_throttled_batch_is_tried_again_without_being_received_again() -> None:
    queue, function = Queue(message("1")), Function(throttle)
    with running(queue, function):
        eventually(lambda: len(function.batches) >= 2)
        function.answer = lambda records: DONE
        eventually(lambda: queue.deleted == ["1"])

    assert queue.received == ["1"]


def test_a_throttled_batch_is_left_before_others_get_it() -> None:
    queue, function = Queue(message("1")), Function(throttle)
    queue.visibility_s = 0.0
    with running(queue, function):
        eventually(lambda: function.batches)
        function.answer = lambda records: DONE
        queue.put(message("2"))
        eventually(lambda: queue.deleted)

    assert queue.deleted == ["2"]


def test_a_group_that_waits_for_too_long_is_left() -> None:
    """Others may have it by then: it would be handled twice, and out of its order."""
    held = threading.Event()
    queue, function = Queue(), Function(lambda records: (held.wait(20), DONE)[1])
    queue.put(*(message(group, group=group) for group in "abc"))
    queue.visibility_s = 1.0
    with running(queue, function, source_arn=f"{ARN}.fifo", batch_size=3, maximum_concurrency=2):
        eventually(lambda: sorted(function.batches) == [["a"], ["b"]])
        time.sleep(1.1)  # the visibility time-out
        held.set()
        eventually(lambda: sorted(queue.deleted) == ["a", "b"])

    assert ["c"] not in function.batches


def test_disabling_leaves_a_throttled_batch() -> None:
    queue, function = Queue(message("1")), Function(throttle)
    with running(queue, function):
        eventually(lambda: function.batches)

    assert queue.deleted == []


def test_partial_failures_stay_in_the_queue() -> None:
    report = Reply(False, b'{"batchItemFailures": [{"itemIdentifier": "1"}]}')
    queue, function = Queue(*numbered(3)), Function(lambda records: report)
    with running(queue, function, report_failures=True):
        eventually(lambda: queue.deleted)

    assert queue.deleted == ["0", "2"]


def test_partial_failures_need_the_setting() -> None:
    report = Reply(False, b'{"batchItemFailures": [{"itemIdentifier": "1"}]}')
    queue, function = Queue(*numbered(3)), Function(lambda records: report)
    with running(queue, function):
        eventually(lambda: queue.deleted)

    assert queue.deleted == ["0", "1", "2"]


def test_filtered_messages_are_deleted_and_never_handled() -> None:
    queue = Queue(message("1", '{"kind": "no"}'), message("2", '{"kind": "yes"}'))
    function = Function()
    with running(queue, function, patterns=('{"body": {"kind": ["yes"]}}',)):
        eventually(lambda: len(queue.deleted) == 2)

    assert function.batches == [["2"]]


def test_when_nothing_matches_the_function_is_not_invoked() -> None:
    queue, function = Queue(message("1", '{"kind": "no"}')), Function()
    with running(queue, function, patterns=('{"body": {"kind": ["yes"]}}',)):
        eventually(lambda: queue.deleted == ["1"])

    assert function.batches == []


def test_several_batches_are_in_flight() -> None:
    together = threading.Barrier(5, timeout=20)
    queue, function = Queue(*numbered(5)), Function(lambda records: (together.wait(), DONE)[1])
    with running(queue, function, batch_size=1):
        eventually(lambda: len(queue.deleted) == 5)


def test_the_maximum_concurrency_holds() -> None:
    lock = threading.Lock()
    inside: list[int] = [0]
    most: list[int] = [0]

    def answer(records: Any) -> Reply:
        with lock:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
        time.sleep(0.01)
        with lock:
            inside[0] -= 1
        return DONE

    queue, function = Queue(*numbered(30)), Function(answer)
    with running(queue, function, batch_size=1, maximum_concurrency=2):
        eventually(lambda: len(queue.deleted) == 30)

    assert most[0] == 2


def test_each_group_of_a_fifo_queue_is_a_batch() -> None:
    queue = Queue(message("a1", group="a"), message("b1", group="b"), message("a2", group="a"))

    def answer(records: list[dict[str, Any]]) -> Reply:
        return Reply(records[0]["messageId"].startswith("a"), b"null")

    function = Function(answer)
    with running(queue, function, source_arn=f"{ARN}.fifo"):
        eventually(lambda: len(function.batches) == 2 and queue.deleted)

    assert sorted(function.batches) == [["a1", "a2"], ["b1"]]
    assert queue.deleted == ["b1"], "the failure of a group stays in its group"


def test_a_group_that_is_too_large_for_an_event_keeps_its_order() -> None:
    large = [message(str(number), "x" * (1024 * 1024), group="a") for number in range(10)]
    queue, function = Queue(*large), Function()
    with running(queue, function, source_arn=f"{ARN}.fifo"):
        eventually(lambda: len(queue.deleted) == 10)

    assert [one for batch in function.batches for one in batch] == [str(n) for n in range(10)]
    assert max(map(len, function.payloads)) <= MAX_PAYLOAD_BYTES


def test_after_a_failure_the_rest_of_the_group_waits() -> None:
    large = [message(str(number), "x" * (1024 * 1024), group="a") for number in range(10)]
    failing = Function(lambda records: Reply(True, b"{}"))
    queue = Queue(*large)
    with running(queue, failing, source_arn=f"{ARN}.fifo"):
        eventually(lambda: failing.batches)

    assert failing.batches == [["0", "1", "2", "3", "4"]]
    assert queue.deleted == []


def test_groups_keep_their_order() -> None:
    messages = [message(f"{group}{n}", group=group) for n in range(3) for group in "ab"]

    assert [[one["MessageId"] for one in group] for group in by_group(messages)] == [
        ["a0", "a1", "a2"],
        ["b0", "b1", "b2"],
    ]


def test_a_queue_that_comes_back_is_read_again(caplog: pytest.LogCaptureFixture) -> None:
    queue, function = Queue(message("1")), Function()
    queue.error = RuntimeError("no such queue")
    with running(queue, function):
        eventually(lambda: "cannot be read: no such queue" in caplog.text)
        queue.error = None
        eventually(lambda: queue.deleted == ["1"])


def test_disabling_waits_for_the_batch_in_flight() -> None:
    go_on = threading.Event()
    queue, function = Queue(message("1")), Function(lambda records: (go_on.wait(20), DONE)[1])
    threading.Timer(0.2, go_on.set).start()
    with running(queue, function):
        eventually(lambda: function.batches)

    assert queue.deleted == ["1"]


def test_settings_of_a_configuration() -> None:
    settings = MappingSettings.from_configuration(
        {
            "EventSourceArn": f"{ARN}.fifo",
            "BatchSize": 7,
            "MaximumBatchingWindowInSeconds": 3,
            "ScalingConfig": {"MaximumConcurrency": 4},
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "FilterCriteria": {"Filters": [{"Pattern": "{}"}]},
        }
    )

    assert settings == MappingSettings(f"{ARN}.fifo", "eu-west-1", 7, 3, 4, True, ("{}",))
    assert settings.is_fifo


def test_defaults_of_a_configuration() -> None:
    settings = MappingSettings.from_configuration({"EventSourceArn": ARN, "FilterCriteria": {}})

    assert settings == MappingSettings(ARN, "eu-west-1")
    assert not settings.is_fifo
