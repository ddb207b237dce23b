"""The changes of a table on their way to a Kinesis stream: their form, and what cannot be put."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.fresh import Fresh
from trigger_stack.localstack.dynamodb import kinesis_destinations
from trigger_stack.services.dynamodb_local.change_records import change_record, partition_key

EVENT: dict[str, Any] = {
    "eventID": "1",
    "eventName": "MODIFY",
    "eventVersion": "1.1",
    "eventSource": "aws:dynamodb",
    "awsRegion": "eu-west-1",
    "dynamodb": {
        "ApproximateCreationDateTime": 1660598951.0,
        "Keys": {"id": {"S": "a"}, "at": {"N": "1"}},
        "NewImage": {"id": {"S": "a"}, "at": {"N": "1"}},
        "OldImage": {"id": {"S": "a"}, "at": {"N": "1"}},
        "SequenceNumber": "100",
        "SizeBytes": 68,
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    },
    "eventSourceARN": "arn:aws:dynamodb:eu-west-1:000000000000:table/t/stream/x",
}


def test_a_change_has_the_form_that_aws_gives_it() -> None:
    """As records of AWS have been seen, with all their keys in this order."""
    found = json.loads(change_record(EVENT, "t"))

    assert list(found) == [
        *("awsRegion", "eventID", "eventName", "userIdentity", "recordFormat", "tableName"),
        *("dynamodb", "eventSource"),
    ]
    assert found["userIdentity"] is None
    assert found["recordFormat"] == "application/json"
    assert found["dynamodb"]["ApproximateCreationDateTime"] == 1660598951000
    assert {"SequenceNumber", "StreamViewType"}.isdisjoint(found["dynamodb"])
    assert found["dynamodb"]["OldImage"] == EVENT["dynamodb"]["OldImage"]


def test_what_has_expired_says_who_removed_it() -> None:
    who = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
    assert json.loads(change_record({**EVENT, "userIdentity": who}, "t"))["userIdentity"] == who


def test_changes_of_one_item_have_one_partition_key() -> None:
    key = partition_key(EVENT, "t")
    reordered = {"Keys": dict(reversed(EVENT["dynamodb"]["Keys"].items()))}
    other = {"Keys": {"id": {"S": "b"}}}

    assert len(key) == 32
    assert key == partition_key({"dynamodb": reordered}, "t")
    assert key not in (partition_key(EVENT, "u"), partition_key({"dynamodb": other}, "t"))


PRELUDE = """
import json
from types import SimpleNamespace
from trigger_stack.delivery.streams.settings import StreamSettings
from trigger_stack.localstack.dynamodb import kinesis_forwarder as forwarder

recorded, sent = [], []
forwarder.record = lambda outcome: recorded.append(outcome) or True
answers = []


class Kinesis:
    def put_records(self, StreamARN, Records):
        sent.append([one["Data"] for one in Records])
        return {"Records": answers.pop() if answers else [{} for _ in Records]}


forwarder.connect_to = lambda **_: SimpleNamespace(kinesis=Kinesis())
settings = StreamSettings(
    "uuid", "arn:aws:dynamodb:us-east-1:0:table/t/stream/x", "arn:aws:kinesis:us-east-1:0:stream/s"
)
target = forwarder.KinesisTarget(settings, "t")


def event(number, size=1):
    return {
        "eventID": number, "eventName": "INSERT", "awsRegion": "us-east-1", "dynamodb": {
            "ApproximateCreationDateTime": 1.0, "Keys": {"id": {"S": number}},
            "NewImage": {"id": {"S": "x" * size}}, "SequenceNumber": number},
    }


def invoke(*events):
    reply = target.invoke(json.dumps({"Records": events}).encode())
    assert not reply.is_error
    return [one["itemIdentifier"] for one in json.loads(reply.payload)["batchItemFailures"]]
"""
CASES = {
    "what_the_stream_does_not_take_is_tried_again": """
answers.append([{}, {"ErrorCode": "InternalFailure"}, {}])
assert invoke(event("1"), event("2"), event("3")) == ["2"]
assert invoke(event("2"), event("3")) == []
assert [len(one) for one in sent] == [3, 2] and recorded == []
""",
    "a_record_that_is_too_large_is_lost_and_stops_no_other": """
large = event("2", 1024 * 1024)
for _ in range(2):  # the batch may be tried again
    assert invoke(event("1"), large, event("3")) == []
assert [len(one) for one in sent] == [2, 2]
one, again = recorded
assert one.id == again.id and one.state == "lost", recorded
assert one.place.startswith("the record has 1048"), one.place
assert json.loads(one.payload)["Records"] == [large]
assert invoke(large) == [] and len(sent) == 2
""",
    "a_stream_that_takes_nothing_is_no_attempt_and_says_why": """
def refuse(**_):
    raise RuntimeError("gone")
Kinesis.put_records = lambda self, **_: refuse()
try:
    invoke(event("1"))
except RuntimeError:
    assert target.away == "the Kinesis stream takes no records: gone"
else:
    raise AssertionError("it was taken")
""",
    "what_is_not_forwarded_in_time_is_said": """
from trigger_stack.delivery.streams.mapping import Read, ShardInfo
stream = SimpleNamespace(
    shards=lambda: [ShardInfo("full"), ShardInfo("empty")],
    start=lambda shard, kind, at: ("7" if shard == "full" else "", None),
    retention_s=lambda: 86400.0,
)
one = forwarder.Forwarder("t", settings.source_arn, settings.function_arn, stream)
one._progress.positions["full"] = ("5", None)
left = one.catch_up(0.01)
assert left == {"full": ("5", "7")}, left
one._mapping.stop = lambda: None
one.stop("DeleteTable", left)
(lost,) = recorded
assert lost.state == "lost" and lost.place.startswith("DeleteTable: these changes"), lost
assert json.loads(lost.payload) == {
    "shardId": "full", "afterSequenceNumber": "5", "untilSequenceNumber": "7"
}
one._progress.positions["full"] = ("7", None)
assert one.catch_up(0.01) == {}
""",
}


@pytest.mark.parametrize("name", CASES)
def test_forwarding(fresh: Fresh, name: str) -> None:
    done = fresh.run(PRELUDE + CASES[name])

    assert done.returncode == 0, done.stderr


class Unanswered:
    """A region whose DynamoDB Local answers every request with one error."""

    account = "000000000000"
    name = "us-east-1"

    def __init__(self, error: str) -> None:
        self._error = error

    def call(self, operation: str, **_: Any) -> dict[str, Any]:
        raise OSError(f"{operation}: {self._error}")


def test_a_destination_is_not_enabled_when_nothing_would_forward() -> None:
    """LocalStack would answer ACTIVE: it asks for the table again, and finds it."""
    region: Any = Unanswered("there is no answer from DynamoDB Local")
    request = {"StreamArn": "arn:aws:kinesis:us-east-1:000000000000:stream/s"}
    with pytest.raises(OSError, match="there is no answer"):
        kinesis_destinations._enable(region, request, "t")

    missing: Any = Unanswered('{"__type":"com.amazonaws.dynamodb#ResourceNotFoundException"}')
    kinesis_destinations._enable(missing, request, "t")  # LocalStack refuses it
    assert not list(kinesis_destinations._of_table(missing, "t"))
