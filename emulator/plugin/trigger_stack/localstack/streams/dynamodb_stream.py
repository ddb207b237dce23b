"""A stream of a table, as a mapping reads it: DynamoDB Local is asked itself.

What: ``DynamodbServer`` of LocalStack names the port of DynamoDB Local; access keys and ARNs are
those that LocalStack's provider ``v2`` uses.
Why: a request by way of LocalStack costs milliseconds more.
Until: as long as DynamoDB Local holds the tables.
Test: ``tests/e2e/test_table_stream.py``.
"""

from __future__ import annotations

import threading
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from localstack.services.dynamodb.server import DynamodbServer
from localstack.services.dynamodb.utils import get_ddb_access_key

from trigger_stack.delivery.streams.mapping import Read, ShardInfo
from trigger_stack.delivery.streams.records import dynamodb_record

#: The most that a read may ask for (DynamoDB Streams API reference, "GetRecords").
_MOST = 1000
#: DynamoDB Developer Guide, "Change data capture for DynamoDB Streams".
RETENTION_S = 24 * 3600.0
_STALE = ("ExpiredIteratorException", "ResourceNotFoundException")
_TRIMMED = "TrimmedDataAccessException"
_clients: dict[tuple[str, str], Any] = {}
_lock = threading.Lock()


def _client(account: str, region: str) -> Any:
    with _lock:
        if (account, region) not in _clients:
            server = DynamodbServer.get()
            server.start_dynamodb()
            _clients[account, region] = boto3.session.Session().client(
                "dynamodbstreams",
                endpoint_url=f"http://127.0.0.1:{server.port}",
                region_name=region,
                aws_access_key_id=get_ddb_access_key(account, region),
                aws_secret_access_key="local",  # noqa: S106  DynamoDB Local takes any
                config=Config(
                    connect_timeout=5,
                    read_timeout=15,
                    max_pool_connections=50,
                    retries={"total_max_attempts": 1},
                ),
            )
        return _clients[account, region]


class DynamoDBStream:
    """Positions are a sequence number, and the iterator behind it while it is good.

    The number is "" before the first record.
    """

    def __init__(self, arn: str) -> None:
        self._arn = arn
        parts = arn.split(":")
        self._api = _client(parts[4], parts[3])
        self._local_arn = f"arn:aws:dynamodb:ddblocal:000000000000:{arn.split(':', 5)[5]}"

    def shards(self) -> list[ShardInfo]:
        """All shards, open or closed."""
        found: list[ShardInfo] = []
        more: dict[str, str] = {}
        while True:
            page = self._api.describe_stream(StreamArn=self._local_arn, **more)["StreamDescription"]
            for shard in page["Shards"]:
                parent = shard.get("ParentShardId")
                found.append(ShardInfo(shard["ShardId"], (parent,) if parent else ()))
            if not page.get("LastEvaluatedShardId"):
                return found
            more = {"ExclusiveStartShardId": page["LastEvaluatedShardId"]}

    def start(self, shard: str, kind: str, timestamp: float | None) -> Any:
        """The position that a starting position stands for."""
        return ("", self._iterator(shard, "LATEST") if kind == "LATEST" else None)

    def after(self, sequence_number: str) -> Any:
        """The position behind a record."""
        return (sequence_number, None)

    def read(self, shard: str, position: Any, limit: int) -> Read:
        """Up to ``limit`` records from a position on."""
        number, token = position
        try:
            token = token or self._iterator(shard, number)
            answer = self._api.get_records(ShardIterator=token, Limit=min(limit, _MOST))
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in _STALE and position[1]:
                return Read([], (number, None))
            if code == _TRIMMED:
                return Read([], ("", None), trimmed=(number if number.isdecimal() else "", ""))
            raise
        records = [dynamodb_record(one, self._arn) for one in answer["Records"]]
        number = records[-1].sequence_number if records else number
        following = answer.get("NextShardIterator")
        return Read(records, (number, following), ended=following is None)

    def retention_s(self) -> float:
        """How long a record is kept, in seconds."""
        return RETENTION_S

    def _iterator(self, shard: str, at: str) -> str:
        """An iterator behind a sequence number, at ``LATEST``, or at the first record ("")."""
        arguments = {"ShardIteratorType": at or "TRIM_HORIZON"}
        if at.isdecimal():
            arguments = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": at}
        answer = self._api.get_shard_iterator(StreamArn=self._local_arn, ShardId=shard, **arguments)
        return str(answer["ShardIterator"])
