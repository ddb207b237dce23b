"""The summary of one hour's usage records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.conditions import Key

from functions.shared.clock import hour_of, iso

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table


def last_full_hour(moment: datetime) -> str:
    """The UTC hour before the one that `moment` lies in, like `2026-11-23T05Z`.

    Raises:
        ValueError: `moment` has no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone")
    return hour_of(moment - timedelta(hours=1))


def brand_ids_of_hour(metrics: Table, index: str, hour: str) -> Iterator[str]:
    """The brand id of every usage record of `hour`, over all pages of the index query.

    `Select=COUNT` would give the total only: for the counts by brand the ids are needed, and
    nothing else is read (AWS documentation: DynamoDB, "Paginating table query results").
    """
    start: dict[str, Any] = {}
    while True:
        page = metrics.query(
            IndexName=index,
            KeyConditionExpression=Key("hour").eq(hour),
            ProjectionExpression="brandId",
            **start,
        )
        for record in page["Items"]:
            yield str(record["brandId"])
        if "LastEvaluatedKey" not in page:
            return
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def summarize(
    metrics: Table, index: str, summaries: Table, hour: str, *, now: datetime
) -> dict[str, Any]:
    """Count the hour and put its one row, replacing what an earlier run wrote.

    Returns:
        The row: `{hour, total, byBrand: {brandId: count}, generatedAt}`.
    """
    by_brand = Counter(brand_ids_of_hour(metrics, index, hour))
    summary: dict[str, Any] = {
        "hour": hour,
        "total": by_brand.total(),
        "byBrand": dict(sorted(by_brand.items())),
        "generatedAt": iso(now),
    }
    summaries.put_item(Item=summary)
    return summary
