"""Messages on their way to a function: attempts, order, and where each comes to rest."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest
from botocore.exceptions import ClientError

from tests.delivery.conftest import arn_of
from tests.delivery.sources import PRINT, Mapped
from tests.engine.lambda_stack import Stack
from tests.support.waiting import eventually

type Make = Callable[..., Mapped]

SUCCEED = (
    PRINT
    + """
def handler(event, context):
    for record in event["Records"]:
        show(record)
"""
)


def failing(how: str) -> str:
    """A handler that fails on messages that begin with "bad"."""
    return (
        PRINT
        + f"""
def fail():
    {how}

def handler(event, context):
    for record in event["Records"]:
        show(record)
    if any(record["body"].startswith("bad") for record in event["Records"]):
        return fail()
"""
    )


REPORT = (
    PRINT
    + """
def handler(event, context):
    failed = []
    for record in event["Records"]:
        show(record)
        if record["body"].startswith("bad"):
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}
"""
)


def test_a_message_is_handled_once_and_deleted(mapped: Make) -> None:
    queue = mapped(SUCCEED)

    queue.send("one")
    eventually(queue.seen)
    queue.wait_for()

    assert queue.seen_all(1) == [("one", 1)]


@pytest.mark.parametrize(
    ("how", "function"),
    [
        ("raise ValueError('no')", {}),
        ("os._exit(1)", {}),
        ("os.kill(os.getpid(), 9)", {}),
        ("time.sleep(60)", {"Timeout": 1}),
    ],
    ids=["error", "exit", "kill", "time-out"],
)
def test_a_message_that_always_fails_becomes_a_dead_letter(
    mapped: Make, how: str, function: dict[str, int]
) -> None:
    """After ``maxReceiveCount`` attempts, spaced by the visibility time-out."""
    queue = mapped(failing(how), visibility_s=5, receives=2, function=function, BatchSize=1)

    queue.send("bad", "good")
    queue.wait_for(dlq=1, seconds=40)

    assert sorted(queue.seen_all(3)) == [("bad", 1), ("bad", 2), ("good", 1)]
    assert queue.dead_letters() == ["bad"]


def test_an_error_fails_the_whole_batch(mapped: Make) -> None:
    queue = mapped(failing("raise ValueError"), visibility_s=5, receives=1)
    queue.enable(False)
    queue.send("bad", "good")
    queue.enable(True)

    queue.wait_for(dlq=2, seconds=40)

    assert queue.dead_letters() == ["bad", "good"]


def test_partial_failures_leave_their_neighbours_alone(mapped: Make) -> None:
    queue = mapped(
        REPORT, visibility_s=5, receives=2, FunctionResponseTypes=["ReportBatchItemFailures"]
    )
    queue.enable(False)
    queue.send("bad", "good 1", "good 2")
    queue.enable(True)

    queue.wait_for(dlq=1, seconds=40)

    assert sorted(queue.seen_all(4)) == [
        ("bad", 1),
        ("bad", 2),
        ("good 1", 1),
        ("good 2", 1),
    ]
    assert queue.dead_letters() == ["bad"]


@pytest.mark.parametrize(
    "reply",
    ["'text'", "[]", "{'batchItemFailures': [{'itemIdentifier': 'unknown'}]}"],
)
def test_a_malformed_reply_fails_the_whole_batch(mapped: Make, reply: str) -> None:
    queue = mapped(
        PRINT + f"def handler(event, context):\n    return {reply}\n",
        visibility_s=5,
        receives=1,
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )

    queue.send("one")
    queue.wait_for(dlq=1, seconds=40)

    assert queue.dead_letters() == ["one"]


def test_a_throttled_message_waits_in_the_queue(mapped: Make, stack: Stack) -> None:
    queue = mapped(SUCCEED, visibility_s=5, receives=1000)
    functions = stack.client("lambda")
    functions.put_function_concurrency(FunctionName=queue.function, ReservedConcurrentExecutions=0)

    queue.send("one")
    queue.wait_for(queue=1)
    functions.delete_function_concurrency(FunctionName=queue.function)
    queue.wait_for()

    assert [body for body, _ in queue.seen_all(1)] == ["one"]


def test_a_fifo_queue_keeps_the_order_of_each_group(mapped: Make) -> None:
    queue = mapped(SUCCEED, fifo=True, BatchSize=3)
    for number in range(8):
        queue.send(f"a{number}", group="a")
        queue.send(f"b{number}", group="b")

    queue.wait_for()
    seen = [body for body, _ in queue.seen_all(16)]

    for group in "ab":
        assert [body for body in seen if body[0] == group] == [f"{group}{n}" for n in range(8)]


def test_a_failed_message_blocks_its_group_and_no_other(mapped: Make) -> None:
    queue = mapped(failing("raise ValueError"), fifo=True, visibility_s=5, receives=2, BatchSize=1)

    queue.send("bad", "after", group="a")
    queue.send("other", group="b")
    eventually(lambda: ("other", 1) in queue.seen())
    assert ("after", 1) not in queue.seen()
    queue.wait_for(dlq=1, seconds=40)

    seen = queue.seen_all(4)
    assert sorted(seen) == [("after", 1), ("bad", 1), ("bad", 2), ("other", 1)]
    assert seen.index(("after", 1)) > seen.index(("bad", 2))
    assert queue.dead_letters() == ["bad"]


def test_a_filtered_message_is_deleted_unseen(mapped: Make) -> None:
    """Whatever its body is: a filter that cannot be applied would leave it in the queue."""
    wanted = [{"prefix": {"equals-ignore-case": "WANT"}}]
    pattern = json.dumps({"body": {"kind": wanted}})
    queue = mapped(SUCCEED, FilterCriteria={"Filters": [{"Pattern": pattern}]})

    nested = "[" * 100_000
    queue.send('{"kind": 5}', '{"kind":   "wanted"}', "text", '{"kind": ["x", true]}', nested)
    queue.wait_for()

    assert queue.seen_all(1) == [('{"kind":   "wanted"}', 1)]


def test_a_window_collects_a_batch(mapped: Make) -> None:
    queue = mapped(
        PRINT
        + """
def handler(event, context):
    print(json.dumps({"seen": len(event["Records"]), "attempt": 1, "at": 0}))
""",
        BatchSize=100,
        MaximumBatchingWindowInSeconds=3,
    )

    queue.send("one", "two", "three")
    queue.wait_for()

    assert queue.seen_all(1) == [(3, 1)]


def test_disabling_and_enabling_in_flight_loses_nothing(mapped: Make) -> None:
    queue = mapped(
        SUCCEED.replace("    show(record)", "    show(record); time.sleep(0.01)"), BatchSize=2
    )
    expected = [str(number) for number in range(60)]
    for number in range(0, 60, 10):
        queue.send(*expected[number : number + 10])
        queue.enable(False)
        queue.enable(True)

    queue.wait_for(seconds=60)

    seen = queue.seen_all(60)
    assert sorted(body for body, _ in seen) == sorted(expected)
    assert {attempt for _, attempt in seen} == {1}


def test_an_update_in_flight_loses_nothing(mapped: Make, stack: Stack) -> None:
    queue = mapped(SUCCEED, BatchSize=1)
    expected = [str(number) for number in range(40)]
    for number, body in enumerate(expected):
        queue.send(body)
        if number % 10 == 5:
            stack.client("lambda").update_event_source_mapping(
                UUID=queue.uuid, BatchSize=1 + number // 10
            )

    queue.wait_for(seconds=60)

    assert sorted(body for body, _ in queue.seen_all(40)) == sorted(expected)


def test_a_disabled_mapping_leaves_messages_alone(mapped: Make) -> None:
    queue = mapped(SUCCEED)
    queue.enable(False)

    queue.send("one")
    queue.wait_for(queue=1)
    assert queue.seen() == []
    queue.enable(True)
    queue.wait_for()

    assert queue.seen_all(1) == [("one", 1)]


def test_a_deleted_mapping_is_gone_and_its_messages_stay(mapped: Make, stack: Stack) -> None:
    queue = mapped(SUCCEED)
    functions = stack.client("lambda")

    functions.delete_event_source_mapping(UUID=queue.uuid)

    def gone() -> bool:
        with pytest.raises(functions.exceptions.ResourceNotFoundException):
            functions.get_event_source_mapping(UUID=queue.uuid)
        return True

    eventually(gone)
    queue.send("one")
    queue.wait_for(queue=1)


@pytest.mark.parametrize("disabled", ["on creation", "by an update", "never"])
def test_a_mapping_can_be_deleted_in_any_state(mapped: Make, stack: Stack, disabled: str) -> None:
    one = mapped(SUCCEED)
    functions = stack.client("lambda")
    if disabled == "by an update":
        one.enable(False)
    if disabled == "on creation":
        found = functions.get_event_source_mapping(UUID=one.uuid)
        functions.delete_event_source_mapping(UUID=one.uuid)
        eventually(lambda: one.state_or_gone() == "gone")
        one.uuid = functions.create_event_source_mapping(
            EventSourceArn=found["EventSourceArn"], FunctionName=one.function, Enabled=False
        )["UUID"]

    functions.delete_event_source_mapping(UUID=one.uuid)

    eventually(lambda: one.state_or_gone() == "gone")


def test_a_mapping_deleted_while_it_starts_is_gone(mapped: Make, stack: Stack) -> None:
    one = mapped(SUCCEED)
    functions = stack.client("lambda")
    source = functions.get_event_source_mapping(UUID=one.uuid)["EventSourceArn"]
    for _ in range(20):
        functions.delete_event_source_mapping(UUID=one.uuid)
        eventually(lambda: one.state_or_gone() == "gone")
        one.uuid = functions.create_event_source_mapping(
            EventSourceArn=source, FunctionName=one.function
        )["UUID"]


def test_a_visibility_time_out_below_the_functions_is_refused(stack: Stack) -> None:
    sqs, functions = stack.client("sqs"), stack.client("lambda")
    name = stack.create(SUCCEED, Timeout=31)
    url = sqs.create_queue(QueueName=f"{name}-q")["QueueUrl"]

    with pytest.raises(ClientError) as refused:
        functions.create_event_source_mapping(EventSourceArn=arn_of(sqs, url), FunctionName=name)

    assert refused.value.response["Error"]["Code"] == "InvalidParameterValueException"
    assert "Queue visibility timeout: 30 seconds is less than Function timeout: 31 seconds" in str(
        refused.value
    )


def test_metrics_of_a_queue_are_stored(mapped: Make, stack: Stack) -> None:
    queue = mapped(SUCCEED)
    queue.send("one", "two", "three")
    queue.wait_for()
    cloudwatch = stack.client("cloudwatch")
    name = queue.url.rpartition("/")[2]

    def total(metric: str, statistic: str = "Sum") -> float:
        now = time.time()
        points = cloudwatch.get_metric_statistics(
            Namespace="AWS/SQS",
            MetricName=metric,
            Dimensions=[{"Name": "QueueName", "Value": name}],
            StartTime=now - 600,
            EndTime=now + 60,
            Period=60,
            Statistics=[statistic],
        )["Datapoints"]
        return float(sum(point[statistic] for point in points))

    for metric in ("NumberOfMessagesSent", "NumberOfMessagesReceived", "NumberOfMessagesDeleted"):
        eventually(lambda metric=metric: total(metric) == 3)  # type: ignore[misc]  # bound at once
    assert total("SentMessageSize") == len("onetwothree")
    assert total("SentMessageSize", "SampleCount") == 3
