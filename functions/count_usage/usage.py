"""Records of the stream `brand-usage`, and the counters that they add to."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from functions.shared.clock import hour_of
from functions.shared.names import is_brand_id

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aws_lambda_powertools.utilities.data_classes.kinesis_stream_event import (
        KinesisStreamRecord,
    )
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

KEPT_FOR = timedelta(days=30)
_MOST = 99  # a transaction has up to 100 items, one of them the counter


class BadUsageError(ValueError):
    """The record can never be counted. Its text says what is wrong with it."""


@dataclass(frozen=True)
class Usage:
    """One record: a brand was used.

    Attributes:
        brand_id: The brand.
        hour: UTC hour of arrival, as `hour_of` writes it.
        record_id: Shard and sequence number of the record.
    """

    brand_id: str
    hour: str
    record_id: str


@dataclass(frozen=True)
class Tables:
    """The names of the tables: of the counters, and of what was counted."""

    usage: str
    idempotency: str


def usage_of(record: KinesisStreamRecord) -> Usage:
    """Read a record whose data is `{"brandId": …}`; other fields are ignored.

    Raises:
        BadUsageError: The data is no JSON object, or names no brand.
    """
    kinesis = record.kinesis
    try:
        data = json.loads(kinesis.data_as_bytes())
    except (ValueError, RecursionError) as error:
        raise BadUsageError("the data is not JSON") from error
    brand_id = data.get("brandId") if isinstance(data, dict) else None
    if not is_brand_id(brand_id):
        raise BadUsageError(f"brandId is not a brand id: {brand_id!r}")
    arrived = datetime.fromtimestamp(kinesis.approximate_arrival_timestamp, UTC)
    return Usage(str(brand_id), hour_of(arrived), record.event_id)


def totals(usages: Iterable[Usage]) -> dict[tuple[str, str], list[str]]:
    """The ids of the records for each counter, without repetition."""
    found: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    for usage in usages:
        found[usage.brand_id, usage.hour][usage.record_id] = None
    return {key: list(ids) for key, ids in found.items()}


def count(client: DynamoDBClient, tables: Tables, key: tuple[str, str], ids: list[str]) -> int:
    """Add records to a counter, each once however often and in whatever order it arrives.

    A record's id is stored in the same transaction as the sum that it is a part of. So one that was
    given up and is sent back later counts, too (DynamoDB, "Amazon DynamoDB Transactions").

    Returns:
        How many records were new.
    """
    brand_id, hour = key
    new = 0
    for start in range(0, len(ids), _MOST):
        left = ids[start : start + _MOST]
        while left:
            known = _add(client, tables, brand_id, hour, left)
            if not known:
                new += len(left)
                break
            left = [one for one in left if one not in known]
    return new


def _add(
    client: DynamoDBClient, tables: Tables, brand_id: str, hour: str, ids: list[str]
) -> set[str]:
    """Add all of the records, or none; the ids that were counted before."""
    expires = {"N": str(int((datetime.now(UTC) + KEPT_FOR).timestamp()))}
    add: TransactWriteItemTypeDef = {
        "Update": {
            "TableName": tables.usage,
            "Key": {"brandId": {"S": brand_id}, "hour": {"S": hour}},
            "UpdateExpression": "ADD #count :n SET #expires = :expires",
            "ExpressionAttributeNames": {"#count": "count", "#expires": "expiresAt"},
            "ExpressionAttributeValues": {":n": {"N": str(len(ids))}, ":expires": expires},
        }
    }
    remember: list[TransactWriteItemTypeDef] = [
        {
            "Put": {
                "TableName": tables.idempotency,
                "Item": {"id": {"S": f"count_usage#{one}"}, "expiration": expires},
                "ConditionExpression": "attribute_not_exists(id)",
            }
        }
        for one in ids
    ]
    try:
        client.transact_write_items(TransactItems=[add, *remember])
    except client.exceptions.TransactionCanceledException as error:
        reasons = error.response["CancellationReasons"][1:]
        known = {
            one
            for one, reason in zip(ids, reasons, strict=True)
            if reason["Code"] == "ConditionalCheckFailed"
        }
        if not known:
            raise  # another transaction was under way: the batch comes again
        return known
    return set()
