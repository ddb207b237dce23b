"""A record of the stream of `brands`, and the entry of `brand_audit` that it becomes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from functions.shared.brand_view import DELETED_AT
from functions.shared.clock import iso
from functions.shared.names import is_brand_id

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord

_WHAT = {"INSERT": "created", "MODIFY": "changed", "REMOVE": "removed"}
#: The principal of a removal by time to live (DynamoDB, "DynamoDB Streams and Time to Live").
_SERVICE = "dynamodb.amazonaws.com"


class BadChangeError(ValueError):
    """The record can never become an entry. Its text says what is wrong with it."""


def entry_of(record: DynamoDBRecord) -> dict[str, Any]:
    """Who changed a brand, what happened, and the brand before and after.

    The key is `brandId` + `changeId`. The sequence number of the stream is a part of the second:
    it sorts as the changes were made, and a record that arrives twice is the same entry.

    Raises:
        BadChangeError: The record is about no brand.
    """
    change = record.dynamodb
    keys = (change and change.keys) or {}
    brand_id = keys.get("brandId")
    if change is None or not is_brand_id(brand_id):
        raise BadChangeError(f"not the key of a brand: {keys}")
    before, after = change.old_image or {}, change.new_image or {}
    names = sorted(before.keys() | after.keys())
    different = [name for name in names if before.get(name) != after.get(name)]
    return {
        "brandId": brand_id,
        "changeId": str(change.sequence_number).zfill(40),
        "what": _what(record, before, after),
        "who": _who(record, before, after),
        "fields": different,
        "before": {name: before[name] for name in different if name in before},
        "after": {name: after[name] for name in different if name in after},
        "changedAt": _time(change.approximate_creation_date_time),
    }


def _what(record: DynamoDBRecord, before: dict[str, Any], after: dict[str, Any]) -> str:
    """What happened. A deleted brand leaves an item for a while, which may become a brand again."""
    was, is_deleted = DELETED_AT in before, DELETED_AT in after
    if record.event_name is None or record.event_name.name != "MODIFY" or was == is_deleted:
        return _WHAT[record.event_name.name] if record.event_name else "changed"
    return "deleted" if is_deleted else "created"


def _who(record: DynamoDBRecord, before: dict[str, Any], after: dict[str, Any]) -> str:
    identity = record.user_identity
    if identity and identity.get("principalId") == _SERVICE:
        return "time to live"
    return str(after.get("contactEmail") or before.get("contactEmail") or "unknown")


def _time(seconds: float | None) -> str:
    return iso(datetime.fromtimestamp(float(seconds or 0), UTC))
