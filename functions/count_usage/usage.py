"""Records of the stream `brand-usage`, and the counters that they add to."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from functions.shared.clock import hour_of
from functions.shared.dynamodb import is_condition_failure
from functions.shared.names import is_brand_id

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aws_lambda_powertools.utilities.data_classes.kinesis_stream_event import (
        KinesisStreamRecord,
    )
    from mypy_boto3_dynamodb.service_resource import Table

KEPT_FOR = timedelta(days=30)


class BadUsageError(ValueError):
    """The record can never be counted. Its text says what is wrong with it."""


@dataclass(frozen=True)
class Usage:
    """One record: a brand was used.

    Attributes:
        brand_id: The brand.
        hour: UTC hour of arrival, as `hour_of` writes it.
        shard: Id of the shard.
        sequence_number: Place of the record in the shard.
    """

    brand_id: str
    hour: str
    shard: str
    sequence_number: str


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
    shard = record.event_id.partition(":")[0]
    return Usage(str(brand_id), hour_of(arrived), shard, kinesis.sequence_number)


def totals(usages: Iterable[Usage]) -> dict[tuple[str, str, str], list[str]]:
    """The sequence numbers for each counter and shard, lowest first."""
    found: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for usage in usages:
        found[usage.brand_id, usage.hour, usage.shard].append(usage.sequence_number)
    return {key: sorted(numbers, key=int) for key, numbers in found.items()}


def count(table: Table, key: tuple[str, str, str], numbers: list[str]) -> int:
    """Add records of one shard to a counter, each once however often it arrives.

    The counter remembers the last record of each shard: those up to it were counted. A shard is
    read in order, so no later record is counted before an earlier one.

    Returns:
        How many records were new.
    """
    brand_id, hour, shard = key
    names = {"#count": "count", "#last": f"last#{shard}", "#expires": "expiresAt"}
    item: dict[str, Any] = {"brandId": brand_id, "hour": hour}
    while True:
        stored = table.get_item(Key=item, ConsistentRead=True).get("Item", {})
        last = str(stored.get(names["#last"], ""))
        new = [number for number in numbers if int(number) > int(last or -1)]
        if not new:
            return 0
        unchanged = "#last = :before" if last else "attribute_not_exists(#last)"
        values: dict[str, Any] = {
            ":n": len(new),
            ":last": new[-1],
            ":expires": int((datetime.now(UTC) + KEPT_FOR).timestamp()),
            **({":before": last} if last else {}),
        }
        try:
            table.update_item(
                Key=item,
                UpdateExpression="ADD #count :n SET #last = :last, #expires = :expires",
                ConditionExpression=unchanged,
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=values,
            )
        except ClientError as error:
            if not is_condition_failure(error):
                raise
            continue  # another delivery was faster: look again what is left
        return len(new)
