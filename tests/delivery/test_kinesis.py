"""Records of a Kinesis stream on their way to a function: order, attempts, and where they end."""

from __future__ import annotations

import base64
import contextlib
import json
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.delivery.conftest import arn_of
from tests.engine.lambda_stack import Stack
from tests.support.journal import Journal
from tests.support.waiting import eventually

#: Prints each batch; a test's code decides what happens then.
PRINT = """
import base64, json, os, time

def show(event):
    data = [base64.b64decode(one["kinesis"]["data"]).decode() for one in event["Records"]]
    print(json.dumps({"batch": data, "at": time.time_ns()}))
    return data
"""
SUCCEED = PRINT + "\ndef handler(event, context): show(event)\n"
POISON = (
    PRINT
    + """
def handler(event, context):
    if any(one.startswith("bad") for one in show(event)):
        raise ValueError("poison")
"""
)
REPORT = (
    PRINT
    + """
def handler(event, context):
    bad = [
        {"itemIdentifier": record["kinesis"]["sequenceNumber"]}
        for record, data in zip(event["Records"], show(event))
        if data.startswith("bad")
    ]
    return {"batchItemFailures": bad[::-1]}
"""
)


@dataclass
class Streamed:
    """A stream, a function, the mapping between them, and its on-failure destination."""

    stack: Stack
    stream: str
    function: str
    uuid: str
    failures_url: str

    @property
    def kinesis(self) -> Any:
        return self.stack.client("kinesis")

    def put(self, *data: str, key: str = "k") -> None:
        """Put records in one request, in their order."""
        entries = [{"Data": one.encode(), "PartitionKey": key} for one in data]
        answer = self.kinesis.put_records(StreamName=self.stream, Records=entries)
        assert answer["FailedRecordCount"] == 0

    def batches(self) -> list[list[str]]:
        """What the function saw, event by event, in the order of its clock."""
        found = []
        with contextlib.suppress(ClientError):  # the log group comes with the first event
            for event in self.stack.log_events(self.function):
                with contextlib.suppress(ValueError, KeyError, TypeError):
                    line = json.loads(event["message"])
                    found.append((line["at"], line["batch"]))
        return [batch for _, batch in sorted(found)]

    def wait_for(self, *wanted: list[str]) -> None:
        """Wait until the function saw these batches, and no others."""

        def seen() -> bool:
            assert (found := self.batches()) == list(wanted), found
            return True

        eventually(seen)

    def wait_for_records(self, *wanted: str) -> None:
        """Wait until the function saw these records in this order, in batches of any size."""

        def seen() -> bool:
            found = [one for batch in self.batches() for one in batch]
            assert found == list(wanted), found
            return True

        eventually(seen)

    def failure(self) -> dict[str, Any]:
        """The next document at the on-failure destination."""

        def received() -> dict[str, Any] | None:
            sqs = self.stack.client("sqs")
            found = sqs.receive_message(QueueUrl=self.failures_url).get("Messages", [])
            for message in found:
                sqs.delete_message(
                    QueueUrl=self.failures_url, ReceiptHandle=message["ReceiptHandle"]
                )
                return dict(json.loads(message["Body"]))
            return None

        return eventually(received)  # type: ignore[return-value]  # truthy: a document

    def update(self, **settings: Any) -> None:
        self.stack.client("lambda").update_event_source_mapping(UUID=self.uuid, **settings)

    def wait_for_state(self, wanted: str) -> None:
        def reached() -> bool:
            mapping = self.stack.client("lambda").get_event_source_mapping(UUID=self.uuid)
            assert mapping["State"] == wanted, mapping["State"]
            return True

        eventually(reached)


type Make = Callable[..., Streamed]


@pytest.fixture
def streamed(stack: Stack) -> Iterator[Make]:
    """Makes a stream with some records, a function, and the mapping between them."""
    made: list[Streamed] = []

    def make(
        code: str, *records: str, shards: int = 1, function: Any = None, **mapping: Any
    ) -> Streamed:
        kinesis, functions = stack.client("kinesis"), stack.client("lambda")
        name = f"s-{secrets.token_hex(6)}"
        kinesis.create_stream(StreamName=name, ShardCount=shards)
        url = stack.client("sqs").create_queue(QueueName=f"{name}-failures")["QueueUrl"]
        one = Streamed(stack, name, stack.create(code, **(function or {})), "", url)
        if records:
            one.put(*records)
        arn = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
        destination = {"OnFailure": {"Destination": arn_of(stack.client("sqs"), url)}}
        settings = {
            "StartingPosition": "TRIM_HORIZON",
            "MaximumRetryAttempts": 2,
            "DestinationConfig": destination,
            **mapping,
        }
        one.uuid = functions.create_event_source_mapping(
            EventSourceArn=arn["StreamARN"], FunctionName=one.function, **settings
        )["UUID"]
        made.append(one)
        one.wait_for_state("Enabled" if mapping.get("Enabled", True) else "Disabled")
        return one

    yield make
    for one in made:
        with contextlib.suppress(ClientError):
            stack.client("lambda").delete_event_source_mapping(UUID=one.uuid)
        stack.client("kinesis").delete_stream(StreamName=one.stream)


def test_the_event_is_as_aws_documents_it(streamed: Make, stack: Stack) -> None:
    one = streamed("def handler(event, context): print(__import__('json').dumps(event))")
    one.put("hello", key="the key")

    def shown() -> dict[str, Any] | None:
        with contextlib.suppress(ClientError):
            for event in stack.log_events(one.function):
                if event["message"].startswith('{"Records"'):
                    return dict(json.loads(event["message"]))
        return None

    (record,) = eventually(shown)["Records"]  # type: ignore[index]  # truthy: an event
    number = record["kinesis"]["sequenceNumber"]
    assert len(number) == 56
    assert (
        abs(record["kinesis"].pop("approximateArrivalTimestamp") - datetime.now().timestamp()) < 60
    )
    assert record["invokeIdentityArn"].startswith("arn:aws:iam::")
    assert record == {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": "the key",
            "sequenceNumber": number,
            "data": base64.b64encode(b"hello").decode(),
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"shardId-000000000000:{number}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": record["invokeIdentityArn"],
        "awsRegion": "us-east-1",
        "eventSourceARN": f"arn:aws:kinesis:us-east-1:000000000000:stream/{one.stream}",
    }


def test_records_come_in_their_order_in_batches(streamed: Make) -> None:
    numbers = [str(number) for number in range(25)]

    one = streamed(SUCCEED, *numbers, BatchSize=10)

    one.wait_for(numbers[:10], numbers[10:20], numbers[20:])


def test_latest_begins_with_the_mapping(streamed: Make) -> None:
    one = streamed(SUCCEED, "before", StartingPosition="LATEST")

    one.put("after")

    one.wait_for(["after"])


def test_a_timestamp_begins_there(streamed: Make) -> None:
    one = streamed(SUCCEED, "a", "b", Enabled=False)
    functions = one.stack.client("lambda")
    mapping = functions.get_event_source_mapping(UUID=one.uuid)
    functions.delete_event_source_mapping(UUID=one.uuid)
    moment = int(time.time()) + 1  # the API has whole seconds
    eventually(lambda: time.time() > moment)
    one.put("c")
    one.uuid = functions.create_event_source_mapping(
        EventSourceArn=mapping["EventSourceArn"],
        FunctionName=one.function,
        StartingPosition="AT_TIMESTAMP",
        StartingPositionTimestamp=moment,
    )["UUID"]

    one.wait_for(["c"])


def test_a_batch_that_always_fails_ends_at_the_destination(streamed: Make) -> None:
    one = streamed(POISON, "bad", "good")
    one.wait_for(["bad", "good"], ["bad", "good"], ["bad", "good"])

    failure = one.failure()
    one.put("next")

    one.wait_for(*[["bad", "good"]] * 3, ["next"])
    batch = failure.pop("KinesisBatchInfo")
    assert batch.pop("startSequenceNumber") < batch.pop("endSequenceNumber")
    assert batch.pop("approximateArrivalOfFirstRecord").endswith("Z")
    assert batch.pop("approximateArrivalOfLastRecord").endswith("Z")
    assert batch == {
        "shardId": "shardId-000000000000",
        "batchSize": 2,
        "streamArn": f"arn:aws:kinesis:us-east-1:000000000000:stream/{one.stream}",
    }
    context = failure["requestContext"]
    assert context["condition"] == "RetryAttemptsExhausted"
    assert context["approximateInvokeCount"] == 3
    assert context["functionArn"].endswith(f":function:{one.function}")
    assert failure["responseContext"] == {
        "statusCode": 200,
        "executedVersion": "$LATEST",
        "functionError": "Unhandled",
    }
    assert failure["version"] == "1.0"


def test_halves_find_the_poison_record(streamed: Make) -> None:
    one = streamed(
        POISON, "1", "2", "bad", "4", BisectBatchOnFunctionError=True, MaximumRetryAttempts=1
    )

    one.wait_for(
        ["1", "2", "bad", "4"], ["1", "2"], ["bad", "4"], ["bad"], ["bad"], ["4"]
    )  # fmt: skip
    assert one.failure()["KinesisBatchInfo"]["batchSize"] == 1


def test_a_partial_failure_goes_on_from_the_lowest_record(streamed: Make) -> None:
    one = streamed(
        REPORT,
        *("1", "bad 2", "3", "bad 4"),
        FunctionResponseTypes=["ReportBatchItemFailures"],
        MaximumRetryAttempts=1,
    )

    one.wait_for(["1", "bad 2", "3", "bad 4"], ["bad 2", "3", "bad 4"])
    assert one.failure()["KinesisBatchInfo"]["batchSize"] == 3


def test_without_a_limit_of_retries_a_batch_is_tried_until_it_succeeds(
    streamed: Make, stack: Stack
) -> None:
    code = PRINT + (
        "\ndef handler(event, context):\n"
        "    show(event)\n"
        "    if 'MENDED' not in os.environ: raise ValueError('not yet')\n"
    )
    one = streamed(code, "1", "2", MaximumRetryAttempts=-1, DestinationConfig={})
    eventually(lambda: len(one.batches()) >= 3)
    stack.client("lambda").update_function_configuration(
        FunctionName=one.function, Environment={"Variables": {"MENDED": "yes"}}
    )
    stack.wait_ready(one.function)
    one.put("next")

    def last() -> bool:
        assert (found := one.batches())[-1] == ["next"], found
        return True

    eventually(last)
    assert all(batch == ["1", "2"] for batch in one.batches()[:-1])


def test_a_throttled_batch_waits_without_an_attempt(streamed: Make) -> None:
    one = streamed(SUCCEED, MaximumRetryAttempts=0, Enabled=False)
    functions = one.stack.client("lambda")
    functions.put_function_concurrency(FunctionName=one.function, ReservedConcurrentExecutions=0)
    one.put("1")
    one.update(Enabled=True)
    one.wait_for_state("Enabled")
    functions.delete_function_concurrency(FunctionName=one.function)

    one.wait_for(["1"])


def test_a_window_collects_a_batch(streamed: Make) -> None:
    one = streamed(SUCCEED, BatchSize=3, MaximumBatchingWindowInSeconds=5)

    one.put("1")
    one.put("2")
    one.put("3")

    one.wait_for(["1", "2", "3"])


def test_filters_let_records_through(streamed: Make) -> None:
    pattern = json.dumps({"data": {"kind": ["order"]}})
    one = streamed(SUCCEED, FilterCriteria={"Filters": [{"Pattern": pattern}]})
    order = json.dumps({"kind": "order"})

    one.put("no json", json.dumps({"kind": "other"}), order, json.dumps([1]))

    one.wait_for([order])


def test_lanes_keep_the_order_of_each_key(streamed: Make, stack: Stack) -> None:
    """One key's record that takes long does not delay other keys of the shard."""
    bucket = f"b-{secrets.token_hex(6)}"
    s3 = stack.client("s3")
    s3.create_bucket(Bucket=bucket)
    slow = PRINT + (
        "\nimport boto3\n"
        "def handler(event, context):\n"
        "    s3 = boto3.client('s3')\n"
        "    if show(event)[0] == 'slow 1':\n"
        f"        s3.get_waiter('object_exists').wait(Bucket='{bucket}', Key='go',"
        " WaiterConfig={'Delay': 1, 'MaxAttempts': 60})\n"
    )
    one = streamed(slow, ParallelizationFactor=10, BatchSize=1, function={"Timeout": 60})
    one.put("slow 1", "slow 2", key="a")
    for key in "bcdefgh":
        one.put(f"{key} 1", f"{key} 2", key=key)

    def seen(count: int) -> list[str]:
        found = [batch[0] for batch in one.batches()]
        assert len(found) == count, found
        return found

    others = eventually(lambda: seen(15))
    assert "slow 1" in others
    assert "slow 2" not in others
    s3.put_object(Bucket=bucket, Key="go", Body=b"")
    order = eventually(lambda: seen(16))
    for key in ("slow", *"bcdefgh"):
        assert [one for one in order if one.startswith(f"{key} ")] == [f"{key} 1", f"{key} 2"]


def test_disabling_and_enabling_loses_nothing_and_repeats_nothing(streamed: Make) -> None:
    one = streamed(SUCCEED)
    one.put("1")
    one.wait_for(["1"])

    one.update(Enabled=False)
    one.wait_for_state("Disabled")
    one.put("2")
    one.update(Enabled=True)
    one.wait_for(["1"], ["2"])
    one.update(BatchSize=5)
    one.put("3")

    one.wait_for(["1"], ["2"], ["3"])


def test_a_poison_batch_is_not_lost_by_disabling(streamed: Make, journal: Journal) -> None:
    one = streamed(POISON, "bad", MaximumRetryAttempts=-1)
    eventually(lambda: len(one.batches()) >= 2)
    one.update(Enabled=False)
    one.wait_for_state("Disabled")
    (waiting,) = journal.find(state="pending", source=one.stream)

    one.update(Enabled=True, MaximumRetryAttempts=0)

    failure = one.failure()
    assert failure["requestContext"]["approximateInvokeCount"] == 1
    wanted = waiting["attempts"] + 1  # the log may come later
    assert len(eventually(lambda: one.batches()[wanted - 1 :] and one.batches())) == wanted


def test_shards_are_read_side_by_side_and_children_after_their_parents(streamed: Make) -> None:
    one = streamed(SUCCEED, BatchSize=1)
    for number in range(5):
        one.put(f"before {number}")
    shard = one.kinesis.list_shards(StreamName=one.stream)["Shards"][0]
    one.kinesis.split_shard(
        StreamName=one.stream, ShardToSplit=shard["ShardId"], NewStartingHashKey=str(2**127)
    )
    for number in range(5):
        one.put(f"after {number}")

    wanted = [f"before {number}" for number in range(5)] + [f"after {n}" for n in range(5)]
    one.wait_for_records(*wanted)
    parents = {
        one["ShardId"]: one.get("ParentShardId")
        for one in one.kinesis.list_shards(StreamName=one.stream)["Shards"]
    }
    assert list(parents.values()) == [None, shard["ShardId"], shard["ShardId"]]


def test_tumbling_windows_hand_on_their_state(streamed: Make, stack: Stack) -> None:
    code = """
        import json
        def handler(event, context):
            state = event["state"]
            state["count"] = state.get("count", 0) + len(event["Records"])
            print(json.dumps({
                "window": event["window"], "count": state["count"],
                "final": event["isFinalInvokeForWindow"], "shard": event["shardId"],
            }))
            return {"state": state}
    """
    one = streamed(code, TumblingWindowInSeconds=2, BatchSize=1)
    one.put("1", "2", "3")

    def finals() -> list[dict[str, Any]]:
        found = []
        with contextlib.suppress(ClientError):
            for event in stack.log_events(one.function):
                with contextlib.suppress(ValueError):
                    found.append(json.loads(event["message"]))
        found = [line for line in found if isinstance(line, dict)]
        assert sum(line["count"] for line in found if line["final"]) == 3, found
        return found

    lines = eventually(finals)
    assert {line["shard"] for line in lines} == {"shardId-000000000000"}
    assert lines[0]["count"] == 1
    assert not lines[0]["final"]
    start = datetime.fromisoformat(lines[0]["window"]["start"])
    assert start.timestamp() % 2 == 0


def test_a_mapping_reads_through_a_consumer(streamed: Make, stack: Stack) -> None:
    """Enhanced fan-out: the mapping's source is the consumer, and the event says so."""
    code = """
        import json
        def handler(event, context):
            print(json.dumps(event))
            assert event["Records"][0]["kinesis"]["partitionKey"] != "bad"
    """
    one = streamed(code, Enabled=False)
    kinesis, functions = one.kinesis, stack.client("lambda")
    summary = kinesis.describe_stream_summary(StreamName=one.stream)["StreamDescriptionSummary"]
    stream = summary["StreamARN"]
    consumer = kinesis.register_stream_consumer(StreamARN=stream, ConsumerName="c")["Consumer"]
    queue = arn_of(stack.client("sqs"), one.failures_url)
    made = functions.create_event_source_mapping(
        EventSourceArn=consumer["ConsumerARN"],
        FunctionName=one.function,
        StartingPosition="TRIM_HORIZON",
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": queue}},
    )
    one.uuid = made["UUID"]
    one.wait_for_state("Enabled")
    one.put("hello", key="good")

    def sources() -> list[str]:
        found = []
        with contextlib.suppress(ClientError):
            for event in stack.log_events(one.function):
                if event["message"].startswith('{"Records"'):
                    records = json.loads(event["message"])["Records"]
                    found += [record["eventSourceARN"] for record in records]
        return found

    assert eventually(sources) == [consumer["ConsumerARN"]]
    one.put("hello", key="bad")
    assert one.failure()["KinesisBatchInfo"]["streamArn"] == stream

    kinesis.deregister_stream_consumer(ConsumerARN=consumer["ConsumerARN"])
    again = {"FunctionName": one.function, "StartingPosition": "LATEST"}
    with pytest.raises(ClientError, match="Stream not found"):
        functions.create_event_source_mapping(EventSourceArn=consumer["ConsumerARN"], **again)


def test_a_deleted_mapping_is_gone(streamed: Make) -> None:
    one = streamed(SUCCEED, "1")
    one.wait_for(["1"])
    functions = one.stack.client("lambda")

    functions.delete_event_source_mapping(UUID=one.uuid)

    def gone() -> bool:
        return not functions.list_event_source_mappings(FunctionName=one.function)[
            "EventSourceMappings"
        ]

    eventually(gone)
