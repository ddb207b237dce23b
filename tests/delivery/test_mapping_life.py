"""The life of an event source mapping: updated, disabled and deleted while records come."""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.delivery.conftest import arn_of
from tests.engine.lambda_stack import Stack
from tests.support.journal import Journal
from tests.support.waiting import eventually

#: Prints what it begins and ends; what its records say decides how.
CODE = """
import base64, json, time

def handler(event, context):
    texts = [base64.b64decode(one["kinesis"]["data"]).decode() for one in event["Records"]]
    print(json.dumps({"begins": texts, "at": time.time_ns()}))
    for text in texts:
        what, _, seconds = text.partition(" ")
        time.sleep(float(seconds or 0))
        if what == "bad":
            raise ValueError(text)
    print(json.dumps({"ends": texts, "at": time.time_ns()}))
"""


@dataclass
class Life:
    """A stream with a function, and the mappings between them."""

    stack: Stack
    stream: str
    function: str
    mappings: list[str] = field(default_factory=list)

    @property
    def functions(self) -> Any:
        return self.stack.client("lambda")

    @property
    def kinesis(self) -> Any:
        return self.stack.client("kinesis")

    @property
    def arn(self) -> str:
        found = self.kinesis.describe_stream_summary(StreamName=self.stream)
        return str(found["StreamDescriptionSummary"]["StreamARN"])

    def put(self, text: str, key: str = "k") -> None:
        self.kinesis.put_record(StreamName=self.stream, Data=text.encode(), PartitionKey=key)

    def map(self, **settings: Any) -> str:
        """Make a mapping from the beginning of the stream."""
        made = self.functions.create_event_source_mapping(
            EventSourceArn=self.arn,
            FunctionName=self.function,
            **{"StartingPosition": "TRIM_HORIZON", **settings},
        )["UUID"]
        self.mappings.append(made)
        self.wait_for(made, State="Enabled")
        return str(made)

    def get(self, uuid: str) -> dict[str, Any]:
        return dict(self.functions.get_event_source_mapping(UUID=uuid))

    def wait_for(self, uuid: str, **wanted: Any) -> dict[str, Any]:
        """The mapping, once it has these settings."""

        def reached() -> dict[str, Any]:
            found = self.get(uuid)
            assert found | wanted == found, found
            return found

        return eventually(reached)

    def seen(self) -> list[tuple[str, list[str]]]:
        """What the function began and ended, by its clock."""
        found = []
        for event in self.stack.log_events(self.function):
            with contextlib.suppress(ValueError, TypeError, KeyError):
                line = json.loads(event["message"])
                what = "begins" if "begins" in line else "ends"
                found.append((line["at"], what, line[what]))
        return [(what, texts) for _, what, texts in sorted(found)]

    def wait_for_seen(self, *wanted: tuple[str, list[str]]) -> None:
        def there() -> bool:
            assert (found := self.seen()) == list(wanted), found
            return True

        eventually(there)


@pytest.fixture
def life(stack: Stack) -> Iterator[Life]:
    name = f"s-{secrets.token_hex(6)}"
    stack.client("kinesis").create_stream(StreamName=name, ShardCount=1)
    made = Life(stack, name, stack.create(CODE, Timeout=30))
    yield made
    for uuid in made.mappings:
        with contextlib.suppress(ClientError):
            made.functions.delete_event_source_mapping(UUID=uuid)
    with contextlib.suppress(ClientError):
        made.kinesis.delete_stream(StreamName=name)


def test_an_update_waits_for_an_invocation_that_takes_long(life: Life) -> None:
    """Else the function would get the batch a second time while it still handles it."""
    uuid = life.map(BatchSize=1)
    life.put("first 12")
    life.wait_for_seen(("begins", ["first 12"]))

    life.functions.update_event_source_mapping(UUID=uuid, BatchSize=2)
    life.put("second")

    life.wait_for_seen(
        ("begins", ["first 12"]),
        ("ends", ["first 12"]),
        ("begins", ["second"]),
        ("ends", ["second"]),
    )


def test_a_batch_that_fails_after_its_mapping_was_deleted_waits_no_longer(
    life: Life, journal: Journal
) -> None:
    uuid = life.map()
    life.put("bad 12")
    life.wait_for_seen(("begins", ["bad 12"]))

    life.functions.delete_event_source_mapping(UUID=uuid)

    def discarded() -> bool:
        rows = [
            one for one in journal.find(function=life.function) if "stream records" in one["kind"]
        ]
        assert [(one["state"], one["place"]) for one in rows] == [
            ("discarded", "DeleteEventSourceMapping")
        ], rows
        return True

    eventually(discarded)


def test_a_stream_that_is_made_again_is_read_from_its_beginning(life: Life) -> None:
    """Its shards have the ids of those that a merge had closed."""
    life.kinesis.update_shard_count(
        StreamName=life.stream, TargetShardCount=2, ScalingType="UNIFORM_SCALING"
    )
    life.map(BatchSize=1)
    life.put("before")
    life.wait_for_seen(("begins", ["before"]), ("ends", ["before"]))

    life.kinesis.delete_stream(StreamName=life.stream)

    def made() -> bool:
        try:
            life.kinesis.create_stream(StreamName=life.stream, ShardCount=1)
        except ClientError as error:  # it is being deleted
            raise AssertionError(str(error)) from None
        return True

    eventually(made)
    eventually(lambda: life.put("after") or True)

    life.wait_for_seen(
        ("begins", ["before"]), ("ends", ["before"]), ("begins", ["after"]), ("ends", ["after"])
    )


def test_the_result_of_the_last_invocation_is_told(life: Life) -> None:
    uuid = life.map(MaximumRetryAttempts=0, BatchSize=1)
    assert life.get(uuid)["LastProcessingResult"] == "No records processed"

    life.put("bad")
    life.wait_for(uuid, LastProcessingResult="PROBLEM: Function call failed")
    life.put("good")
    life.wait_for(uuid, LastProcessingResult="OK")


def test_an_update_says_so_and_unsets_what_is_nothing(life: Life) -> None:
    filters = {"Filters": [{"Pattern": json.dumps({"partitionKey": ["k"]})}]}
    uuid = life.map(FilterCriteria=filters)
    before = life.get(uuid)

    answer = life.functions.update_event_source_mapping(
        UUID=uuid, FilterCriteria={"Filters": []}, Enabled=True
    )

    assert answer["State"] == "Updating"
    assert answer["LastModified"] > before["LastModified"]
    assert "FilterCriteria" not in answer
    assert "FilterCriteria" not in life.wait_for(uuid, State="Enabled")
    life.put("anything", key="other")
    life.wait_for_seen(("begins", ["anything"]), ("ends", ["anything"]))


@pytest.mark.parametrize(
    ("settings", "code", "text"),
    [
        (
            {"BatchSize": 10_001},
            "ValidationException",
            "1 validation error detected: Value '10001' at 'batchSize' failed to satisfy"
            " constraint: Member must have value less than or equal to 10000",
        ),
        (
            {"MaximumRecordAgeInSeconds": 59},
            "InvalidParameterValueException",
            "MaximumRecordAgeInSeconds must be either -1 (forever) or between 60 and 604800"
            " (inclusive)",
        ),
        (
            {"StartingPosition": "AT_TIMESTAMP"},
            "InvalidParameterValueException",
            "Need to specify a timestamp",
        ),
    ],
)
def test_a_mapping_that_aws_refuses_is_refused(
    life: Life, settings: dict[str, Any], code: str, text: str
) -> None:
    with pytest.raises(ClientError) as refused:
        life.map(**settings)

    assert refused.value.response["Error"] == {"Code": code, "Message": text}


@pytest.mark.parametrize("qualifier", ["missing", "77"])
def test_a_mapping_to_a_version_that_is_not_there_is_refused(life: Life, qualifier: str) -> None:
    uuid = life.map()

    with pytest.raises(ClientError) as refused:
        life.functions.update_event_source_mapping(
            UUID=uuid, FunctionName=f"{life.function}:{qualifier}"
        )

    assert refused.value.response["Error"]["Code"] == "InvalidParameterValueException"
    assert life.get(uuid)["FunctionArn"].endswith(life.function)


def test_a_throttled_batch_of_a_queue_is_received_once(stack: Stack) -> None:
    """It is tried again until its visibility time-out ends, here longer than the test."""
    sqs, functions = stack.client("sqs"), stack.client("lambda")
    url = sqs.create_queue(
        QueueName=f"q-{secrets.token_hex(6)}", Attributes={"VisibilityTimeout": "600"}
    )["QueueUrl"]
    code = "def handler(event, context): print(event['Records'][0]['attributes'])"
    function = stack.create(code)
    functions.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=0)
    uuid = functions.create_event_source_mapping(
        EventSourceArn=arn_of(sqs, url), FunctionName=function
    )["UUID"]
    try:
        sqs.send_message(QueueUrl=url, MessageBody="one")
        wanted = ["ApproximateNumberOfMessagesNotVisible"]

        def in_flight() -> bool:
            found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=wanted)["Attributes"]
            assert found == {wanted[0]: "1"}, found
            return True

        eventually(in_flight)
        functions.delete_function_concurrency(FunctionName=function)

        (line,) = [
            one
            for one in stack.messages(function, until="ApproximateReceiveCount")
            if "ApproximateReceiveCount" in one
        ]
    finally:
        functions.delete_event_source_mapping(UUID=uuid)
    assert "'ApproximateReceiveCount': '1'" in line
