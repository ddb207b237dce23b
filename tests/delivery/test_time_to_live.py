"""Items expire, and whoever reads the stream of their table knows it."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from tests.engine.lambda_stack import Stack
from tests.support.waiting import eventually

CODE = """import json
def handler(event, context):
    for record in event["Records"]:
        print("GOT " + json.dumps(record))
"""
LIVES = {"AttributeName": "expires", "Enabled": True}
#: In the two ways of reading a stream.
BY_FUNCTION = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
BY_API = {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"}

type Make = Callable[..., "Table"]


class Table:
    """A table with a stream."""

    def __init__(self, stack: Stack, name: str) -> None:
        self.stack, self.name, self.dynamodb = stack, name, stack.client("dynamodb")
        self.arn = self.dynamodb.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )["TableDescription"]["LatestStreamArn"]

    def live(self, **wanted: Any) -> None:
        self.dynamodb.update_time_to_live(
            TableName=self.name, TimeToLiveSpecification=LIVES | wanted
        )

    def put(self, identity: str, expires: Any, attribute: str = "expires") -> None:
        value = {"N": str(expires)} if isinstance(expires, int) else {"S": expires}
        item = {"id": {"S": identity}, attribute: value}
        self.dynamodb.put_item(TableName=self.name, Item=item)

    def ids(self) -> list[str]:
        return sorted(one["id"]["S"] for one in self.dynamodb.scan(TableName=self.name)["Items"])

    def wait_for(self, *identities: str) -> None:
        def there() -> bool:
            assert self.ids() == sorted(identities)
            return True

        eventually(there, every=0.5)

    def removals(self) -> list[dict[str, Any]]:
        """The records of the stream of items that were removed, as the API has them."""
        streams = self.stack.client("dynamodbstreams")
        (shard,) = streams.describe_stream(StreamArn=self.arn)["StreamDescription"]["Shards"]
        token = streams.get_shard_iterator(
            StreamArn=self.arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        records = streams.get_records(ShardIterator=token)["Records"]
        return [one for one in records if one["eventName"] == "REMOVE"]


@pytest.fixture
def table(stack: Stack) -> Iterator[Make]:
    made: list[Table] = []

    def make(name: str = "") -> Table:
        made.append(Table(stack, name or f"t-{secrets.token_hex(6)}"))
        return made[-1]

    yield make
    for name in {one.name for one in made}:
        stack.client("dynamodb").delete_table(TableName=name)


def test_an_expired_item_is_removed_and_the_record_says_by_whom(stack: Stack, table: Make) -> None:
    """What has years to go, or no number, stays; what a user deletes has no such record."""
    lives = table()
    lives.live()
    client = stack.client("lambda")
    name = stack.create(CODE)
    mapping = client.create_event_source_mapping(
        EventSourceArn=lives.arn, FunctionName=name, StartingPosition="TRIM_HORIZON"
    )["UUID"]
    now = int(time.time())
    lives.put("expired", now - 100)
    lives.put("later", now + 10_000)
    lives.put("text", "soon")
    lives.put("deleted", now + 10_000)
    lives.dynamodb.delete_item(TableName=lives.name, Key={"id": {"S": "deleted"}})
    lives.wait_for("later", "text")

    def given() -> dict[str, Any]:
        lines = [one for one in stack.messages(name, until="REMOVE", count=2) if "REMOVE" in one]
        events = [json.loads(one.partition("GOT ")[2]) for one in lines]
        return {one["dynamodb"]["Keys"]["id"]["S"]: one.get("userIdentity") for one in events}

    assert given() == {"deleted": None, "expired": BY_FUNCTION}
    removed = {one["dynamodb"]["Keys"]["id"]["S"]: one for one in lives.removals()}
    assert removed["expired"]["userIdentity"] == BY_API
    assert removed["expired"]["dynamodb"]["OldImage"]["expires"] == {"N": str(now - 100)}
    assert "userIdentity" not in removed["deleted"]
    client.delete_event_source_mapping(UUID=mapping)


def test_whoever_asks_for_the_removal_has_it_done(stack: Stack, table: Make) -> None:
    """LocalStack's own address; what expires later is not waited for."""
    lives = table()
    lives.live()
    now = int(time.time())
    for number in range(3):
        lives.put(str(number), now - 100)
    lives.put("later", now + 10_000)

    answer = requests.delete(f"http://127.0.0.1:{stack.port}/_aws/dynamodb/expired", timeout=90)

    assert answer.json()["ExpiredItems"] <= 3  # some may have been removed before
    assert lives.ids() == ["later"]
    assert [one["userIdentity"] for one in lives.removals()] == [BY_API] * 3


def test_the_attribute_can_be_another_one_and_none(table: Make) -> None:
    off, other, last = table(), table(), table()
    for one in (off, other, last):
        one.live()
    other.live(AttributeName="until")
    off.live(Enabled=False)
    past = int(time.time()) - 100
    off.put("kept", past)
    other.put("kept", past)
    other.put("removed", past, "until")
    last.put("removed", past)

    other.wait_for("kept")
    last.wait_for()
    assert off.ids() == ["kept"]


def test_a_table_that_is_made_again_has_no_time_to_live(table: Make) -> None:
    first = table()
    first.live()
    first.dynamodb.delete_table(TableName=first.name)
    again = table(first.name)

    def found() -> Any:
        answer = again.dynamodb.describe_time_to_live(TableName=again.name)
        return answer["TimeToLiveDescription"]["TimeToLiveStatus"]

    assert found() == "DISABLED"
    again.live()
    assert found() == "ENABLED"
    again.put("expired", int(time.time()) - 100)
    again.wait_for()
