"""A stream of a table, as a mapping reads it: DynamoDB Local is asked itself.

What: no patch; access keys and ARNs are those that LocalStack's provider ``v2`` uses.
Why: a request by way of LocalStack costs milliseconds more.
Until: as long as DynamoDB Local holds the tables.
Test: ``tests/e2e/test_table_stream.py``.
"""

from __future__ import annotations

import contextlib
import functools
import json
from typing import Any

from localstack.services.dynamodb.utils import get_ddb_access_key

from trigger_stack.delivery.streams.mapping import Read, ShardInfo
from trigger_stack.delivery.streams.records import dynamodb_record
from trigger_stack.localstack.dynamodb.server import get_server
from trigger_stack.services.dynamodb_local.client import (
    Answer,
    Client,
    Exchange,
    NoAnswerError,
)

#: The most that a read may ask for (DynamoDB Streams API reference, "GetRecords").
_MOST = 1000
#: DynamoDB Developer Guide, "Change data capture for DynamoDB Streams".
RETENTION_S = 24 * 3600.0
_STALE = ("ExpiredIteratorException", "ResourceNotFoundException")
_TRIMMED = "TrimmedDataAccessException"
_TIMEOUT_S = 15


class _RefusedError(Exception):
    """DynamoDB Local has refused a request.

    Attributes:
        code: For example ``ExpiredIteratorException``.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


@functools.cache
def _client() -> Client:
    server = get_server()
    server.start_dynamodb()
    return Client(server.host, server.port, _TIMEOUT_S)


class _Api:
    """DynamoDB Local's streams of an account and region.

    Not by boto3: a mapping reads several times for each record, and boto3 would take most of it.
    """

    def __init__(self, account: str, region: str) -> None:
        # DynamoDB Local has the tables by access key and region, and checks no signature.
        scope = f"{get_ddb_access_key(account, region)}/20260101/{region}/dynamodb/aws4_request"
        self._headers = {
            "Content-Type": "application/x-amz-json-1.0",
            "Authorization": (
                f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"
            ),
            "X-Amz-Date": "20260101T000000Z",
        }

    def call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        """The answer to an operation, as it is sent (DynamoDB Streams API reference).

        Raises:
            _RefusedError: The answer is an error.
            OSError: There is no answer.
        """
        return self.content(self.begin(operation, **parameters).answer())

    def begin(self, operation: str, **parameters: Any) -> Exchange:
        """Send an operation, and do not wait for the answer.

        Raises:
            OSError: It could not be sent.
        """
        target = {"X-Amz-Target": f"DynamoDBStreams_20120810.{operation}"}
        return _client().begin(json.dumps(parameters).encode(), self._headers | target)

    @staticmethod
    def content(answer: Answer) -> dict[str, Any]:
        """What an answer says.

        Raises:
            _RefusedError: It is an error.
        """
        content: dict[str, Any] = json.loads(answer.body)
        if answer.status != 200:
            code = str(content.get("__type", answer.status)).rpartition("#")[2]
            raise _RefusedError(code, content.get("message") or content.get("Message") or "")
        return content


class DynamoDBStream:
    """Positions are a sequence number, and the iterator behind it while it is good.

    The number is "" before the first record.
    """

    def __init__(self, arn: str) -> None:
        self._arn = arn
        parts = arn.split(":")
        self._api = _Api(parts[4], parts[3])
        self._local_arn = f"arn:aws:dynamodb:ddblocal:000000000000:{arn.split(':', 5)[5]}"

    def shards(self) -> list[ShardInfo]:
        """All shards, open or closed."""
        found: list[ShardInfo] = []
        more: dict[str, str] = {}
        while True:
            answer = self._api.call("DescribeStream", StreamArn=self._local_arn, **more)
            page = answer["StreamDescription"]
            for shard in page["Shards"]:
                parent = shard.get("ParentShardId")
                found.append(ShardInfo(shard["ShardId"], (parent,) if parent else ()))
            if not page.get("LastEvaluatedShardId"):
                return found
            more = {"ExclusiveStartShardId": page["LastEvaluatedShardId"]}

    def start(self, shard: str, kind: str, timestamp: float | None) -> Any:
        """The position that a starting position stands for.

        An iterator at ``LATEST`` is good for 15 minutes, and a mapping may be disabled for longer:
        it goes on behind the record that was the last one then.
        """
        if kind != "LATEST":
            return ("", None)
        last = self._last(shard)  # first: what comes in between is rather read twice than never
        return (last, self._iterator(shard, "LATEST"))

    def after(self, sequence_number: str) -> Any:
        """The position behind a record."""
        return (sequence_number, None)

    def begin(self, shard: str, position: Any, limit: int) -> Any:
        """Send the request of a ``read``."""
        token = position[1]
        if token is None:
            return None
        try:
            return self._api.begin("GetRecords", ShardIterator=token, Limit=min(limit, _MOST))
        except OSError:  # the read itself will say so
            return None

    def read(self, shard: str, position: Any, limit: int, begun: Any = None) -> Read:
        """Up to ``limit`` records from a position on."""
        number, token = position
        try:
            token = token or self._iterator(shard, number)
            answer = self._records(token, limit, begun)
        except _RefusedError as error:
            if error.code in _STALE and position[1]:
                return Read([], (number, None))
            if error.code == _TRIMMED:
                return Read([], ("", None), trimmed=(number if number.isdecimal() else "", ""))
            raise
        records = [dynamodb_record(one, self._arn) for one in answer["Records"]]
        number = records[-1].sequence_number if records else number
        following = answer.get("NextShardIterator")
        return Read(records, (number, following), ended=following is None)

    def retention_s(self) -> float:
        """How long a record is kept, in seconds."""
        return RETENTION_S

    def _last(self, shard: str) -> str:
        """The sequence number of the last record of a shard; "" when it has none."""
        number, token = "", self._iterator(shard, "")
        while token:
            answer = self._api.call("GetRecords", ShardIterator=token, Limit=_MOST)
            if not answer["Records"]:
                break
            number = str(answer["Records"][-1]["dynamodb"]["SequenceNumber"])
            token = answer.get("NextShardIterator") or ""
        return number

    def _records(self, token: str, limit: int, begun: Exchange | None) -> dict[str, Any]:
        """The answer to ``GetRecords``, which may have been sent."""
        if begun is not None:
            with contextlib.suppress(NoAnswerError):  # reading changes nothing: it is sent again
                return self._api.content(begun.answer())
        return self._api.call("GetRecords", ShardIterator=token, Limit=min(limit, _MOST))

    def _iterator(self, shard: str, at: str) -> str:
        """An iterator behind a sequence number, at ``LATEST``, or at the first record ("")."""
        arguments = {"ShardIteratorType": at or "TRIM_HORIZON"}
        if at.isdecimal():
            arguments = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": at}
        arguments |= {"StreamArn": self._local_arn, "ShardId": shard}
        answer = self._api.call("GetShardIterator", **arguments)
        return str(answer["ShardIterator"])
