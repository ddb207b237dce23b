"""Positions in a table's stream outlive the iterators that DynamoDB Local gives."""

from __future__ import annotations

from typing import Any

import pytest

from trigger_stack.localstack.streams import dynamodb_stream
from trigger_stack.localstack.streams.dynamodb_stream import DynamoDBStream

ARN = "arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/2026-01-01T00:00:00.000"
SHARD = "shardId-1"


class Api:
    """One shard; an iterator is where it points to, as long as it is good."""

    def __init__(self) -> None:
        self.count = 0
        self.expired: set[str] = set()
        self.given = 0

    def call(self, operation: str, **asked: Any) -> dict[str, Any]:
        if operation == "GetShardIterator":
            kind = asked["ShardIteratorType"]
            places = {"TRIM_HORIZON": 0, "LATEST": self.count}
            return self._iterator(places.get(kind, int(asked.get("SequenceNumber", 0))))
        token = asked["ShardIterator"]
        if token in self.expired:
            raise dynamodb_stream._RefusedError("ExpiredIteratorException", "too old")
        first = int(token.split("/")[0])
        last = min(self.count, first + asked["Limit"], first + 2)  # a page
        return {
            "Records": [_record(number) for number in range(first + 1, last + 1)],
            "NextShardIterator": self._iterator(last)["ShardIterator"],
        }

    def expire(self) -> None:
        """Every iterator until now is too old."""
        self.expired |= {f"{place}/{given}" for place in range(99) for given in range(99)}
        self.given = 100

    def _iterator(self, place: int) -> dict[str, Any]:
        self.given += 1
        return {"ShardIterator": f"{place}/{self.given}"}


def _record(number: int) -> dict[str, Any]:
    change = {"SequenceNumber": str(number), "Keys": {"id": {"S": "k"}}, "SizeBytes": 1}
    return {"eventID": str(number), "eventName": "INSERT", "dynamodb": change}


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def stream(api: Api) -> DynamoDBStream:
    made = DynamoDBStream(ARN)
    made._api = api  # type: ignore[assignment]  # in the place of DynamoDB Local
    return made


def read(stream: DynamoDBStream, position: Any, *, reads: int = 3) -> list[str]:
    """The numbers of what some reads give, from a position on."""
    found: list[str] = []
    for _ in range(reads):
        answer = stream.read(SHARD, position, 10)
        found += [one.sequence_number for one in answer.records]
        position = answer.position
    return found


@pytest.mark.parametrize("there", [0, 1, 5])
def test_what_was_there_before_latest_is_not_read(
    stream: DynamoDBStream, api: Api, there: int
) -> None:
    api.count = there
    position = stream.start(SHARD, "LATEST", None)
    api.count += 1

    assert read(stream, position) == [str(there + 1)]


@pytest.mark.parametrize("there", [0, 1, 5])
def test_nor_when_the_iterator_has_expired_since(
    stream: DynamoDBStream, api: Api, there: int
) -> None:
    """A mapping that was disabled for more than 15 minutes."""
    api.count = there
    position = stream.start(SHARD, "LATEST", None)
    api.count += 1
    api.expire()

    assert read(stream, position) == [str(there + 1)]


def test_the_beginning_is_the_beginning(stream: DynamoDBStream, api: Api) -> None:
    api.count = 3

    assert read(stream, stream.start(SHARD, "TRIM_HORIZON", None)) == ["1", "2", "3"]
