"""Items whose time to live is over are removed, and their records say by whom.

What: a handler in ``run_custom_response_handlers``, LocalStack's own list, tells DynamoDB Local
what ``UpdateTimeToLive`` has set, and has LocalStack forget it with the table. Then DynamoDB Local
removes expired items itself: it looks at 20 items of a table each ten seconds. With the first table
that has a time to live, ``delete_expired_items`` of LocalStack's provider ``v2`` is replaced: what
``DELETE /_aws/dynamodb/expired`` runs waits for DynamoDB Local.
Why: LocalStack keeps the setting to itself, and removes nothing unless it is asked to. Then it
deletes as a user would: the record has no ``userIdentity``, by which a function knows a removal by
time to live. A table that is made again has the time to live of the one before.
Until: LocalStack forwards ``UpdateTimeToLive``.
Test: ``tests/delivery/test_time_to_live.py``, ``tests/unit/plugin/test_time_to_live_patches.py``.
AWS topics: Amazon DynamoDB Developer Guide, "Using time to live (TTL) in DynamoDB" and "DynamoDB
Streams and Time to Live".
"""

from __future__ import annotations

import functools
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from localstack import config
from localstack.aws.handlers import run_custom_response_handlers
from localstack.services.dynamodb.server import DynamodbServer

from trigger_stack.services.dynamodb_local.client import Client

LOG = logging.getLogger(__name__)
_TIMEOUT_S = 10
_HEADERS = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Date": "20260101T000000Z"}
#: How long a request to remove what has expired may take; a table of 100 items takes 50 s.
_LONGEST_S = 60.0
_PAUSE_S = 0.5
#: Older ones are not removed, as on AWS.
_OLDEST_S = 5 * 365 * 24 * 3600
_setting = threading.Lock()


type Call = Callable[..., dict[str, Any]]


@functools.cache
def _client() -> Client:
    server = DynamodbServer.get()
    return Client(server.host, server.port, _TIMEOUT_S)


@dataclass(frozen=True)
class Region:
    """The tables that DynamoDB Local has for an account and a region."""

    account: str
    name: str

    def call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        """The answer to an operation (Amazon DynamoDB API reference).

        Raises:
            OSError: There is no answer, or it is an error.
        """
        from localstack.services.dynamodb.utils import get_ddb_access_key

        key = get_ddb_access_key(self.account, self.name)
        scope = f"{key}/20260101/{self.name}/dynamodb/aws4_request"
        signed = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"
        target = f"DynamoDB_20120810.{operation}"
        answer = _client().send(
            json.dumps(parameters).encode(),
            {**_HEADERS, "Authorization": signed, "X-Amz-Target": target},
        )
        if answer.status != 200:
            raise OSError(f"{operation}: {answer.body.decode(errors='replace')}")
        content: dict[str, Any] = json.loads(answer.body)
        return content


def set_time_to_live(call: Call, table: str, wanted: dict[str, Any]) -> None:
    """Have DynamoDB Local remove items of a table, or no longer.

    Setting what is set is an error there, as on AWS, and so is another attribute before the first
    one is off. LocalStack answers both with success.

    Args:
        call: Sends an operation to DynamoDB Local.
        table: Its name.
        wanted: ``TimeToLiveSpecification``.

    Raises:
        OSError: It did not work.
    """
    found = call("DescribeTimeToLive", TableName=table)["TimeToLiveDescription"]
    is_on = found["TimeToLiveStatus"] == "ENABLED"
    attribute = found.get("AttributeName")
    if is_on and wanted["Enabled"] and attribute == wanted["AttributeName"]:
        return
    for needed, one in (
        (is_on, {"AttributeName": attribute, "Enabled": False}),
        (wanted["Enabled"], wanted),
    ):
        if needed:
            call("UpdateTimeToLive", TableName=table, TimeToLiveSpecification=one)


def follow(chain: Any, context: Any, response: Any) -> None:
    """Response handler: DynamoDB Local has the time to live before the caller is answered."""
    del chain
    if (
        context.service is None
        or context.service.service_name != "dynamodb"
        or context.operation is None
        or context.operation.name not in ("UpdateTimeToLive", "DeleteTable")
        or response.status_code != 200
        # The default provider makes the records of streams itself: it would miss a removal.
        or config.SERVICE_PROVIDER_CONFIG.get_provider("dynamodb") != "v2"
    ):
        return
    request = context.service_request
    table = request["TableName"].rpartition("/")[2]
    if context.operation.name == "DeleteTable":
        from localstack.services.dynamodb.models import dynamodb_stores

        store = dynamodb_stores[context.account_id][context.region]
        store.ttl_specifications.pop(table, None)
        return
    # Not earlier: the provider takes a second to import, and is loaded now.
    from localstack.services.dynamodb.v2 import provider

    setattr(provider, "delete_expired_items", remove_expired)  # noqa: B010  the patch
    region = provider.DynamoDBProvider.get_global_table_region(context, table)
    call = Region(context.account_id, region).call
    try:
        with _setting:
            set_time_to_live(call, table, dict(request["TimeToLiveSpecification"]))
    except OSError as error:
        LOG.warning("no item of the table %s will be removed: %s", table, error)


def remove_expired() -> int:
    """Wait until DynamoDB Local has removed what has expired; how many items that were.

    After a minute it returns: a large table takes longer.
    """
    now = int(time.time())
    tables = list(_tables())
    before = sum(_expired(*one, now) for one in tables)
    deadline = time.monotonic() + _LONGEST_S
    left = before
    while left and time.monotonic() < deadline:
        time.sleep(_PAUSE_S)
        left = sum(_expired(*one, now) for one in tables)
    return before - left


def _tables() -> Iterator[tuple[Call, str, str]]:
    """Each table with a time to live, and its attribute."""
    from localstack.services.dynamodb.models import dynamodb_stores

    for account, region, store in dynamodb_stores.iter_stores():
        for table, wanted in list(store.ttl_specifications.items()):
            if wanted["Enabled"]:
                yield Region(account, region).call, table, wanted["AttributeName"]


def _expired(call: Call, table: str, attribute: str, now: int) -> int:
    """How many items of a table had expired at a time."""
    count = 0
    start: dict[str, Any] = {}
    try:
        while True:
            answer = call(
                "Scan",
                TableName=table,
                Select="COUNT",
                FilterExpression="#attribute BETWEEN :oldest AND :now",
                ExpressionAttributeNames={"#attribute": attribute},
                ExpressionAttributeValues={
                    ":oldest": {"N": str(now - _OLDEST_S)},
                    ":now": {"N": str(now)},
                },
                **start,
            )
            count += int(answer["Count"])
            if not answer.get("LastEvaluatedKey"):
                return count
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}
    except OSError as error:  # it may have been deleted meanwhile
        LOG.info("table %s: %s", table, error)
        return 0


def install() -> None:
    """Follow from the first call on. Idempotent."""
    if follow not in run_custom_response_handlers.handlers:
        run_custom_response_handlers.append(follow)
