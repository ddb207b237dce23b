"""Has Java compile what writes and reads of streams run.

A Java virtual machine interprets what it has not run often: after its start a write takes three
times as long as later, and a pause between two writes makes it no better. So a table that nobody
else sees is written and followed for a moment; not at once, for the first ``make up`` has Java
started, and needs the processor itself.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from typing import Any

from trigger_stack.services.dynamodb_local.client import Client

#: With ``-XX:CompileThresholdScaling=0.2`` so many are enough.
_ROUNDS = 150
#: Each so many rounds, what triggers need less.
_OTHERS = 4
_AGAIN_S = 0.1
#: How long after the server's first answer.
_PAUSE_S = 15.0
_TIMEOUT_S = 10.0
_TABLE = {"TableName": "warm-up"}
_KEY = {"id": {"S": "1"}}
_UPDATE = {"UpdateExpression": "SET n = :n", "ExpressionAttributeValues": {":n": {"N": "1"}}}
#: Tables are by access key: this is none that LocalStack makes.
_HEADERS = {
    "Content-Type": "application/x-amz-json-1.0",
    "Authorization": (
        "AWS4-HMAC-SHA256 Credential=warmup/20260101/local/dynamodb/aws4_request,"
        " SignedHeaders=host, Signature=0"
    ),
    "X-Amz-Date": "20260101T000000Z",
}


def warm_up(
    host: str, port: int, is_wanted: Callable[[], bool] = lambda: True, pause_s: float = _PAUSE_S
) -> None:
    """Wait until the server answers, and use it for a moment. Never raises.

    Args:
        host: Address of DynamoDB Local.
        port: Its port.
        is_wanted: Whether to go on.
        pause_s: Seconds between its first answer and that.
    """
    client = Client(host, port, _TIMEOUT_S)
    while is_wanted():
        try:
            _call(client, "DynamoDB", "ListTables")
        except OSError:
            time.sleep(_AGAIN_S)
        else:
            break
    begins_at = time.monotonic() + pause_s
    while is_wanted() and time.monotonic() < begins_at:
        time.sleep(_AGAIN_S)
    with contextlib.suppress(OSError, ValueError, LookupError):  # it ends: nothing depends on this
        _use(client, is_wanted)


def _use(client: Client, is_wanted: Callable[[], bool]) -> None:
    created = _call(
        client,
        "DynamoDB",
        "CreateTable",
        **_TABLE,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    where = {"StreamArn": created["TableDescription"]["LatestStreamArn"]}
    stream = _call(client, "DynamoDBStreams", "DescribeStream", **where)["StreamDescription"]
    where |= {"ShardId": stream["Shards"][0]["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
    iterator = _call(client, "DynamoDBStreams", "GetShardIterator", **where)["ShardIterator"]
    for number in range(_ROUNDS):
        if not is_wanted():
            break
        _call(client, "DynamoDB", "PutItem", **_TABLE, Item=_KEY)
        if number % _OTHERS == 0:
            _call(client, "DynamoDB", "UpdateItem", **_TABLE, Key=_KEY, **_UPDATE)
            _call(client, "DynamoDB", "GetItem", **_TABLE, Key=_KEY)
        answer = _call(client, "DynamoDBStreams", "GetRecords", ShardIterator=iterator)
        iterator = answer["NextShardIterator"]
    _call(client, "DynamoDB", "DeleteTable", **_TABLE)


def _call(client: Client, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
    target = {"X-Amz-Target": f"{service}_20120810.{operation}"}
    answer = client.send(json.dumps(parameters).encode(), _HEADERS | target)
    content: dict[str, Any] = json.loads(answer.body)
    return content
