"""Pipes: from a queue or stream, through filter, enrichment and template, to a target; failures."""

from __future__ import annotations

import base64
import contextlib
import json
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.delivery.conftest import arn_of
from tests.engine.lambda_stack import Stack
from tests.support.journal import Journal
from tests.support.permissions import permit
from tests.support.waiting import eventually

ROLE = "arn:aws:iam::000000000000:role/pipe"
#: Prints what came; fails for what says so.
TARGET = """
import base64, json

def handler(event, context):
    print(json.dumps({"batch": event}))
    failed = []
    for one in event:
        text = json.dumps(one)
        if "data" in one:
            text = base64.b64decode(one["data"]).decode()
        if "raise" in text:
            raise ValueError("poison")
        if "bad" in text:
            failed.append({"itemIdentifier": one.get("messageId") or one["eventID"]})
    return {"batchItemFailures": failed}
"""
ENRICH = """
import json

def handler(event, context):
    if any("raise" in json.dumps(one) for one in event):
        raise ValueError("poison")
    return [{"rich": one["body"]} for one in event if "drop" not in one["body"]]
"""


@dataclass
class Queue:
    """A queue, as tests use it."""

    stack: Stack
    url: str

    @property
    def arn(self) -> str:
        return arn_of(self.stack.client("sqs"), self.url)

    def send(self, *bodies: str, **more: Any) -> list[str]:
        """Send messages; their ids."""
        sqs = self.stack.client("sqs")
        return [
            sqs.send_message(QueueUrl=self.url, MessageBody=one, **more)["MessageId"]
            for one in bodies
        ]

    def receive(self, count: int, seconds: float = 30) -> list[dict[str, Any]]:
        """The next messages, which are deleted."""
        sqs, found = self.stack.client("sqs"), []

        def received() -> bool:
            answer = sqs.receive_message(
                QueueUrl=self.url,
                MaxNumberOfMessages=10,
                MessageSystemAttributeNames=["All"],
            )
            for one in answer.get("Messages", []):
                sqs.delete_message(QueueUrl=self.url, ReceiptHandle=one["ReceiptHandle"])
                found.append(one)
            assert len(found) >= count, [one["Body"] for one in found]
            return True

        eventually(received, seconds=seconds)
        return found

    def bodies(self, count: int) -> list[str]:
        return [one["Body"] for one in self.receive(count)]

    def count(self) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        sqs = self.stack.client("sqs")
        found = sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)
        return sum(int(value) for value in found["Attributes"].values())

    def is_empty(self) -> None:
        def empty() -> bool:
            assert (count := self.count()) == 0, count
            return True

        eventually(empty)


class Place:
    """Makes pipes and what they need."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.pipes = stack.client("pipes")
        self.made: list[str] = []
        stack.role(ROLE, "pipes.amazonaws.com")

    def queue(
        self, *, fifo: bool = False, receives: int = 2, visibility_s: int = 3
    ) -> tuple[Queue, Queue]:
        """A queue and its dead-letter queue.

        What takes longer than ``visibility_s`` is received again, also when it works.
        """
        sqs, name = self.stack.client("sqs"), f"q-{secrets.token_hex(6)}"
        kind = {"FifoQueue": "true", "ContentBasedDeduplication": "true"} if fifo else {}
        ending = ".fifo" if fifo else ""
        url = sqs.create_queue(QueueName=f"{name}-dlq{ending}", Attributes=kind)["QueueUrl"]
        policy = {"deadLetterTargetArn": arn_of(sqs, url), "maxReceiveCount": receives}
        attributes = {
            "VisibilityTimeout": str(visibility_s),
            "RedrivePolicy": json.dumps(policy),
            **kind,
        }
        own = sqs.create_queue(QueueName=f"{name}{ending}", Attributes=attributes)["QueueUrl"]
        return Queue(self.stack, own), Queue(self.stack, url)

    def stream(self) -> tuple[str, str]:
        """Name and ARN of a stream."""
        kinesis, name = self.stack.client("kinesis"), f"s-{secrets.token_hex(6)}"
        kinesis.create_stream(StreamName=name, ShardCount=1)
        found = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
        return name, found["StreamARN"]

    def put(self, stream: str, *data: str) -> None:
        entries = [{"Data": one.encode(), "PartitionKey": "k"} for one in data]
        self.stack.client("kinesis").put_records(StreamName=stream, Records=entries)

    def function(self, code: str) -> str:
        """ARN of a function."""
        name = self.stack.create(code)
        functions = self.stack.client("lambda")
        return str(functions.get_function(FunctionName=name)["Configuration"]["FunctionArn"])

    def pipe(self, source: str, target: str, state: str = "RUNNING", **settings: Any) -> str:
        """Make a pipe and wait until it is as it should be; its name."""
        name = f"p-{secrets.token_hex(6)}"
        self.pipes.create_pipe(
            Name=name, Source=source, Target=target, RoleArn=ROLE, DesiredState=state, **settings
        )
        self.made.append(name)
        self.wait_for(name, state)
        return name

    def wait_for(self, name: str, state: str) -> None:
        def reached() -> bool:
            found = self.pipes.describe_pipe(Name=name)
            assert found["CurrentState"] == state, found
            return True

        eventually(reached)

    def change(self, name: str, operation: str, state: str, **settings: Any) -> None:
        getattr(self.pipes, operation)(Name=name, **settings)
        self.wait_for(name, state)

    def batches(self, function: str) -> list[list[Any]]:
        """What a function got, in the order of its log."""
        found = []
        for event in self.stack.log_events(function.rpartition(":")[2]):
            with contextlib.suppress(ValueError, KeyError, TypeError):
                found.append(json.loads(event["message"])["batch"])
        return found

    def close(self) -> None:
        for name in self.made:
            with contextlib.suppress(ClientError):
                self.pipes.delete_pipe(Name=name)


@pytest.fixture
def place(stack: Stack) -> Iterator[Place]:
    one = Place(stack)
    yield one
    one.close()


def _stream(letters: Queue | None = None, **own: Any) -> dict[str, Any]:
    parameters: dict[str, Any] = {
        "StartingPosition": "TRIM_HORIZON",
        "MaximumRetryAttempts": 1,
        **own,
    }
    if letters is not None:
        parameters["DeadLetterConfig"] = {"Arn": letters.arn}
    return {"KinesisStreamParameters": parameters}


def test_a_message_passes_filter_and_template_and_has_one_trace(
    place: Place, journal: Journal
) -> None:
    source, _ = place.queue()
    target, _ = place.queue()
    filters = {"Filters": [{"Pattern": '{"body": {"kind": ["a"]}}'}]}
    template = '{"who": <$.body.who>, "by": <aws.pipes.pipe-name>}'
    name = place.pipe(
        source.arn,
        target.arn,
        SourceParameters={"FilterCriteria": filters},
        TargetParameters={"InputTemplate": template},
    )

    dropped, kept = source.send('{"kind": "b"}', '{"kind": "a", "who": "me"}')
    (message,) = target.receive(1)

    assert json.loads(message["Body"]) == {"who": "me", "by": name}
    source.is_empty()
    assert journal.ends(dropped, "discarded")["place"] == "FilterCriteria of the pipe"
    journal.ends(kept)
    way = {one["id"]: one for one in journal.trace(kept)["events"]}
    (batch,) = [one for one in way.values() if one["kind"] == "batch of a pipe"]
    assert (batch["source"].rpartition("/")[2], batch["function"]) == (name, target.arn)
    assert message["MessageId"] in way, journal.way(kept)


def test_an_enrichment_drops_and_changes(place: Place) -> None:
    source, letters = place.queue()
    target, _ = place.queue()
    place.pipe(source.arn, target.arn, Enrichment=place.function(ENRICH))

    source.send("one", "drop it", "raise")

    assert [json.loads(one) for one in target.bodies(1)] == [{"rich": "one"}]
    assert letters.bodies(1) == ["raise"]
    source.is_empty()
    assert target.count() == 0


def test_what_a_function_reports_stays_until_it_is_a_dead_letter(
    place: Place, journal: Journal
) -> None:
    source, letters = place.queue(visibility_s=8)
    function = place.function(TARGET)
    name = place.pipe(source.arn, function, "STOPPED")
    bad, *good = source.send("bad", "good 1", "good 2")
    place.change(name, "start_pipe", "RUNNING")

    assert letters.bodies(1) == ["bad"]

    for one in good:
        journal.ends(one)
    assert journal.event(bad)["attempts"] == 2
    failed_in = [detail for step, detail in journal.steps(bad) if step == "failed in"]
    assert journal.event(failed_in[0])["kind"] == "batch of a pipe", journal.way(bad)


@pytest.mark.parametrize(
    "target", ["arn:aws:sqs:us-east-1:000000000000:gone", "arn:aws:lambda:us-east-1:"
               "000000000000:function:gone"]
)  # fmt: skip
def test_a_target_that_is_gone_leaves_messages_to_the_redrive_policy(
    place: Place, journal: Journal, target: str
) -> None:
    source, letters = place.queue()
    place.pipe(source.arn, target)

    (sent,) = source.send("hello")

    assert letters.bodies(1) == ["hello"]
    assert "gone" in journal.way(sent) or "NotFound" in journal.way(sent)


def test_fire_and_forget_leaves_failures_to_lambda(place: Place, journal: Journal) -> None:
    source, letters = place.queue()
    function = place.function(TARGET)
    parameters = {"LambdaFunctionParameters": {"InvocationType": "FIRE_AND_FORGET"}}
    functions = place.stack.client("lambda")
    failures, _ = place.queue()
    functions.put_function_event_invoke_config(
        FunctionName=function,
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": failures.arn}},
    )
    place.pipe(source.arn, function, TargetParameters=parameters)

    (sent,) = source.send("raise")

    (document,) = failures.receive(1)
    assert json.loads(document["Body"])["requestPayload"][0]["messageId"] == sent
    journal.ends(sent)
    assert letters.count() == 0


def test_a_fifo_queue_keeps_its_order_to_a_fifo_queue(place: Place) -> None:
    source, _ = place.queue(fifo=True)
    target, _ = place.queue(fifo=True)
    parameters = {
        "MessageGroupId": "$.attributes.MessageGroupId",
        "MessageDeduplicationId": "$.messageId",
    }
    place.pipe(
        source.arn,
        target.arn,
        TargetParameters={"SqsQueueParameters": parameters, "InputTemplate": "<$.body.n>"},
    )

    for number in range(12):
        source.send(json.dumps({"n": number}), MessageGroupId=f"g{number % 2}")
    found = target.receive(12)

    for group in ("g0", "g1"):
        mine = [int(m["Body"]) for m in found if m["Attributes"]["MessageGroupId"] == group]
        assert mine == sorted(mine), found
    assert len(found) == 12


def test_a_stream_to_a_bus(place: Place) -> None:
    stream, source = place.stream()
    target, _ = place.queue()
    events, bus = place.stack.client("events"), f"b-{secrets.token_hex(6)}"
    target_bus = events.create_event_bus(Name=bus)["EventBusArn"]
    events.put_rule(Name=bus, EventBusName=bus, EventPattern='{"source": ["usage"]}')
    permit(place.stack.client, target.arn)
    events.put_targets(Rule=bus, EventBusName=bus, Targets=[{"Id": "q", "Arn": target.arn}])
    own = {
        "Source": "usage",
        "DetailType": "$.data.type",
        "Time": "$.data.at",
        "Resources": ["$.eventSourceARN"],
    }
    place.pipe(
        source,
        target_bus,
        SourceParameters=_stream(),
        TargetParameters={
            "EventBridgeEventBusParameters": own,
            "InputTemplate": '{"brandId": <$.data.brandId>}',
        },
    )

    record = {"type": "Used", "brandId": "acme", "at": "2026-01-02T03:04:05Z"}
    place.put(stream, json.dumps(record))
    (event,) = [json.loads(one) for one in target.bodies(1)]

    assert (event["detail-type"], event["detail"]) == ("Used", {"brandId": "acme"})
    assert (event["resources"], event["time"]) == ([source], "2026-01-02T03:04:05Z")


def test_topic_and_stream_as_targets(place: Place) -> None:
    source, _ = place.queue()
    stream, arn = place.stream()
    place.pipe(
        source.arn,
        arn,
        TargetParameters={
            "KinesisStreamParameters": {"PartitionKey": "$.body.key"},
            "InputTemplate": "<$.body.key>",
        },
    )
    other, _ = place.queue()
    end, _ = place.queue()
    sns = place.stack.client("sns")
    topic = sns.create_topic(Name=f"t-{secrets.token_hex(6)}")["TopicArn"]
    raw = {"RawMessageDelivery": "true"}
    permit(place.stack.client, end.arn)
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=end.arn, Attributes=raw)
    place.pipe(other.arn, topic, TargetParameters={"InputTemplate": "Hi <$.body.key>"})

    source.send('{"key": "one"}')
    other.send('{"key": "two"}')

    assert end.bodies(1) == ["Hi two"]
    kinesis = place.stack.client("kinesis")
    shard = kinesis.list_shards(StreamName=stream)["Shards"][0]["ShardId"]

    def record() -> dict[str, Any]:
        iterator = kinesis.get_shard_iterator(
            StreamName=stream, ShardId=shard, ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        records = kinesis.get_records(ShardIterator=iterator)["Records"]
        assert len(records) == 1, records
        return dict(records[0])

    found = eventually(record)
    assert (found["PartitionKey"], found["Data"]) == ("one", b'"one"')


def test_a_poison_record_is_bisected_and_its_place_goes_to_the_dead_letter_queue(
    place: Place, journal: Journal
) -> None:
    stream, source = place.stream()
    letters, _ = place.queue()
    function = place.function(TARGET)
    place.put(stream, "one", "raise", "two", "three")
    name = place.pipe(
        source,
        function,
        SourceParameters=_stream(letters, OnPartialBatchItemFailure="AUTOMATIC_BISECT"),
    )

    (document,) = [json.loads(one) for one in letters.bodies(1)]

    arn = f"arn:aws:pipes:us-east-1:000000000000:pipe/{name}"
    assert document["context"] == {
        "partnerResourceArn": arn,
        "condition": "RetryAttemptsExhausted",
    }
    assert document["KinesisBatchInfo"]["batchSize"] == 1
    assert document["KinesisBatchInfo"]["streamArn"] == source

    def handled() -> set[str]:
        found = {
            base64.b64decode(one["data"]).decode()
            for batch in place.batches(function)
            for one in batch
        }
        assert found >= {"one", "two", "three"}, found
        return found

    eventually(handled)
    ended = journal.find(function=function, kind="stream records", state="destination")
    assert [one["place"] for one in ended] == [letters.arn]


def test_a_record_that_is_given_up_without_a_dead_letter_queue_is_lost_and_said_so(
    place: Place, journal: Journal
) -> None:
    stream, source = place.stream()
    function = place.function(TARGET)
    place.put(stream, "raise")
    place.pipe(source, function, SourceParameters=_stream(MaximumRetryAttempts=0))

    def lost() -> dict[str, Any]:
        found = journal.find(function=function, state="lost")
        assert found
        return found[0]

    assert "set DeadLetterConfig" in eventually(lost)["place"]


def test_partial_failures_of_a_stream_go_on_from_the_first(place: Place) -> None:
    stream, source = place.stream()
    letters, _ = place.queue()
    function = place.function(TARGET)
    place.put(stream, "one", "bad", "two")
    place.pipe(source, function, SourceParameters=_stream(letters))

    (document,) = [json.loads(one) for one in letters.bodies(1)]

    assert document["KinesisBatchInfo"]["batchSize"] == 2

    def firsts() -> bool:
        found = [base64.b64decode(batch[0]["data"]).decode() for batch in place.batches(function)]
        assert found == ["one", "bad"], found
        return True

    eventually(firsts)


@pytest.mark.parametrize("kind", ["queue", "stream"])
def test_updates_and_stops_lose_nothing(place: Place, kind: str) -> None:
    """Events are sent while the pipe is changed, stopped and started."""
    target, _ = place.queue()
    queue, _ = place.queue(receives=20)
    stream, arn = place.stream()
    template = {"InputTemplate": "<$.body.n>" if kind == "queue" else "<$.data.n>"}
    parameters = {} if kind == "queue" else {"SourceParameters": _stream()}
    source = queue.arn if kind == "queue" else arn
    name = place.pipe(source, target.arn, TargetParameters=template, **parameters)
    send: Callable[[str], Any] = (
        queue.send if kind == "queue" else lambda text: place.put(stream, text)
    )
    changes: list[Callable[[], None]] = [
        lambda: place.change(name, "update_pipe", "RUNNING", RoleArn=ROLE, Description="1"),
        lambda: place.change(name, "stop_pipe", "STOPPED"),
        lambda: place.change(name, "update_pipe", "STOPPED", RoleArn=ROLE, Description="2"),
        lambda: place.change(name, "start_pipe", "RUNNING"),
    ]

    number = 0
    for change in changes:
        for _ in range(10):
            send(json.dumps({"n": number}))
            number += 1
        change()
    found: set[int] = set()
    deadline = time.monotonic() + 30
    while found != set(range(number)):
        assert time.monotonic() < deadline, sorted(set(range(number)) - found)
        found |= {int(one) for one in target.bodies(1)}


def test_a_stopped_pipe_takes_nothing(place: Place) -> None:
    source, _ = place.queue()
    target, _ = place.queue()
    name = place.pipe(source.arn, target.arn, TargetParameters={"InputTemplate": "<$.body>"})
    source.send("1")
    assert target.bodies(1) == ["1"]
    source.is_empty()  # what a pipe has delivered is deleted next
    place.change(name, "stop_pipe", "STOPPED")

    source.send("2")
    assert (source.count(), target.count()) == (1, 0)
    place.change(name, "start_pipe", "RUNNING")

    assert target.bodies(1) == ["2"]


def test_what_the_stack_lacks_is_refused_by_name(place: Place) -> None:
    source, _ = place.queue()

    with pytest.raises(ClientError, match="Targets of states are not part of this stack"):
        place.pipe(source.arn, "arn:aws:states:us-east-1:000000000000:stateMachine:m")
    with pytest.raises(ClientError, match="Invalid filter pattern"):
        filters = {"Filters": [{"Pattern": '{"body": {"a": [{"unknown": 1}]}}'}]}
        place.pipe(source.arn, source.arn, SourceParameters={"FilterCriteria": filters})
    with pytest.raises(ClientError, match="NotFoundException"):
        place.pipes.describe_pipe(Name="nobody")
