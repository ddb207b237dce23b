"""The changes of a table reach a Kinesis stream, and its functions, as DynamoDB writes them."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.engine.lambda_stack import Stack
from tests.support.journal import Journal
from tests.support.waiting import eventually

CODE = """
import base64
import json

def handler(event, context):
    for one in event["Records"]:
        print("SEEN " + base64.b64decode(one["kinesis"]["data"]).decode())
"""


class Table:
    """A table, and a Kinesis stream for its changes."""

    def __init__(self, stack: Stack, **more: Any) -> None:
        self.dynamodb, self.kinesis = stack.client("dynamodb"), stack.client("kinesis")
        self.name = f"test-{secrets.token_hex(6)}"
        self.kinesis.create_stream(StreamName=self.name, ShardCount=1)
        stream = self.kinesis.describe_stream_summary(StreamName=self.name)
        self.stream = stream["StreamDescriptionSummary"]["StreamARN"]
        self.create(**more)

    def create(self, **more: Any) -> None:
        self.dynamodb.create_table(
            TableName=self.name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            **more,
        )

    def enable(self, **more: Any) -> None:
        self.dynamodb.enable_kinesis_streaming_destination(
            TableName=self.name, StreamArn=self.stream, **more
        )

    def disable(self) -> None:
        self.dynamodb.disable_kinesis_streaming_destination(
            TableName=self.name, StreamArn=self.stream
        )

    def put(self, key: str, **attributes: Any) -> None:
        self.dynamodb.put_item(TableName=self.name, Item={"id": {"S": key}, **attributes})

    def status(self) -> list[str]:
        answer = self.dynamodb.describe_kinesis_streaming_destination(TableName=self.name)
        return [one["DestinationStatus"] for one in answer["KinesisDataStreamDestinations"]]

    def records(self, stream: str = "") -> list[dict[str, Any]]:
        """All records of the Kinesis stream."""
        shards = self.kinesis.list_shards(StreamARN=self.stream)["Shards"]
        found = []
        for shard in shards:
            iterator = self.kinesis.get_shard_iterator(
                StreamARN=self.stream,
                ShardId=shard["ShardId"],
                ShardIteratorType="TRIM_HORIZON",
            )["ShardIterator"]
            found += self.kinesis.get_records(ShardIterator=iterator)["Records"]
        return found

    def changes(self, count: int) -> list[dict[str, Any]]:
        """The changes in the Kinesis stream, when they are so many."""

        def there() -> list[dict[str, Any]]:
            found = [json.loads(one["Data"]) for one in self.records()]
            assert len(found) == count, found
            return found

        return eventually(there)

    def keys(self) -> list[str]:
        return [json.loads(one["Data"])["dynamodb"]["Keys"]["id"]["S"] for one in self.records()]


@pytest.fixture
def table(stack: Stack) -> Iterator[Table]:
    one = Table(stack)
    yield one
    one.dynamodb.delete_table(TableName=one.name)
    one.kinesis.delete_stream(StreamName=one.name)


def test_each_change_has_the_form_that_dynamodb_gives_it(table: Table) -> None:
    table.enable()
    assert table.status() == ["ACTIVE"]

    table.put("a", count={"N": "1"}, raw={"B": b"x"})
    table.put("a", count={"N": "2"})
    table.dynamodb.delete_item(TableName=table.name, Key={"id": {"S": "a"}})

    inserted, modified, removed = table.changes(3)
    created = inserted["dynamodb"].pop("ApproximateCreationDateTime")
    assert isinstance(created, int)
    assert created > 1_600_000_000_000  # milliseconds
    assert inserted["dynamodb"].pop("SizeBytes") > 0
    assert len(inserted.pop("eventID")) > 10
    assert inserted == {
        "awsRegion": "us-east-1",
        "eventName": "INSERT",
        "userIdentity": None,
        "recordFormat": "application/json",
        "tableName": table.name,
        "dynamodb": {
            "Keys": {"id": {"S": "a"}},
            "NewImage": {"id": {"S": "a"}, "count": {"N": "1"}, "raw": {"B": "eA=="}},
        },
        "eventSource": "aws:dynamodb",
    }
    assert modified["eventName"] == "MODIFY"
    assert modified["dynamodb"]["OldImage"]["count"] == {"N": "1"}
    assert modified["dynamodb"]["NewImage"]["count"] == {"N": "2"}
    assert removed["eventName"] == "REMOVE"
    assert "NewImage" not in removed["dynamodb"]
    first, *others = [one["PartitionKey"] for one in table.records()]
    assert others == [first, first]  # changes of one item stay in their order


def test_a_function_on_the_stream_gets_the_changes(stack: Stack, table: Table) -> None:
    table.enable()
    function = stack.create(CODE)
    stack.client("lambda").create_event_source_mapping(
        EventSourceArn=table.stream, FunctionName=function, StartingPosition="TRIM_HORIZON"
    )

    table.put("for a function")

    texts = stack.messages(function, until="for a function")
    seen = json.loads(next(one for one in texts if "SEEN" in one).partition("SEEN ")[2])
    assert (seen["tableName"], seen["eventName"]) == (table.name, "INSERT")


def test_every_change_is_there_when_many_are_written(table: Table) -> None:
    """None is missing from the first after the answer on, nor of a transaction or a batch."""
    table.enable()
    for number in range(0, 100, 25):
        puts = [{"PutRequest": {"Item": {"id": {"S": str(number + one)}}}} for one in range(25)]
        table.dynamodb.batch_write_item(RequestItems={table.name: puts})
    items = [
        {"Put": {"TableName": table.name, "Item": {"id": {"S": f"t{one}"}}}} for one in range(10)
    ]
    table.dynamodb.transact_write_items(TransactItems=items)
    table.dynamodb.execute_statement(Statement=f"INSERT INTO \"{table.name}\" VALUE {{'id': 'p'}}")

    table.changes(111)

    expected = {*map(str, range(100)), *(f"t{one}" for one in range(10)), "p"}
    assert set(table.keys()) == expected


def test_what_was_written_before_and_after_is_not_forwarded(table: Table) -> None:
    table.put("before")
    table.enable()
    table.put("meanwhile")
    table.disable()
    table.put("after")
    assert table.status() == ["DISABLED"]
    assert table.keys() == ["meanwhile"]  # it waited for what was under way

    table.enable()
    table.put("again")

    table.changes(2)
    assert table.keys() == ["meanwhile", "again"]


def test_a_table_of_the_same_name_begins_without_a_destination(table: Table) -> None:
    table.enable()
    table.put("old")
    table.dynamodb.delete_table(TableName=table.name)
    assert table.keys() == ["old"]

    table.create()

    assert table.status() == []
    table.enable()
    table.put("new")
    table.changes(2)
    assert table.keys() == ["old", "new"]


def test_changes_wait_for_a_stream_that_is_not_there(table: Table, journal: Journal) -> None:
    """They are pending in the journal, and come when the stream is there again."""
    table.enable()
    table.kinesis.delete_stream(StreamName=table.name)
    table.put("waits")

    def pending() -> str:
        rows = [one for one in journal.find(state="pending") if one["function"] == table.stream]
        assert len(rows) == 1, rows
        return str(rows[0]["place"])

    assert "the Kinesis stream takes no records" in eventually(pending)
    table.kinesis.create_stream(StreamName=table.name, ShardCount=1)

    (change,) = table.changes(1)
    assert change["dynamodb"]["Keys"] == {"id": {"S": "waits"}}


def test_changes_that_cannot_be_put_before_the_end_are_lost_in_the_journal(
    table: Table, journal: Journal
) -> None:
    table.enable()
    table.kinesis.delete_stream(StreamName=table.name)
    table.put("stays")

    table.dynamodb.delete_table(TableName=table.name)

    def lost() -> list[str]:
        rows = [one for one in journal.find(state="lost") if one["function"] == table.stream]
        return [str(one["place"]) for one in rows]

    (place,) = eventually(lost)
    assert place.startswith("DeleteTable: these changes had not come to the Kinesis stream")
    table.create()
    table.kinesis.create_stream(StreamName=table.name, ShardCount=1)


def test_what_cannot_be_done_is_refused_by_name(stack: Stack, table: Table) -> None:
    with pytest.raises(ClientError, match="MICROSECOND is not part of this stack"):
        table.enable(
            EnableKinesisStreamingConfiguration={
                "ApproximateCreationDateTimePrecision": "MICROSECOND"
            }
        )
    with pytest.raises(ClientError, match="does not have a permission to use kinesis stream"):
        table.dynamodb.enable_kinesis_streaming_destination(
            TableName=table.name, StreamArn=f"{table.stream}-2"
        )
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        table.dynamodb.enable_kinesis_streaming_destination(
            TableName=f"{table.name}-2", StreamArn=table.stream
        )
    assert table.status() == []
    table.enable()
    with pytest.raises(ClientError, match="not in a valid state to enable"):
        table.enable()
    with pytest.raises(ClientError, match="DisableKinesisStreamingDestination before"):
        table.dynamodb.update_table(
            TableName=table.name, StreamSpecification={"StreamEnabled": False}
        )
    table.put("all the same")
    table.changes(1)

    keys_only = {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}
    other = Table(stack, StreamSpecification=keys_only)
    with pytest.raises(ClientError, match="set its StreamViewType to NEW_AND_OLD_IMAGES"):
        other.enable()
    other.dynamodb.delete_table(TableName=other.name)
