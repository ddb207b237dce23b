"""The mirror of the table in the bucket: one object for each brand, as it is now."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeDeserializer

from functions.shared.brand_view import DELETED_AT
from functions.shared.names import is_brand_id

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_deserializer = TypeDeserializer()


class BadRecordError(ValueError):
    """The message can never be mirrored. Its text says what is wrong with it."""


def key_of(brand_id: str) -> str:
    """`current/<brand>.json`."""
    return f"current/{brand_id}.json"


def mirror(s3: S3Client, bucket: str, body: str) -> str:
    """Write or delete the object of the brand that a stream record is about; its key.

    The last call counts, so a brand's records must come in their order.

    Args:
        s3: boto3's client.
        bucket: Where the objects are.
        body: A record of the table's stream, as JSON.

    Raises:
        BadRecordError: It is no such record.
    """
    brand_id, brand = _brand(body)
    key = key_of(brand_id)
    if brand is None or DELETED_AT in brand:
        s3.delete_object(Bucket=bucket, Key=key)
    else:
        text = json.dumps(brand, indent=2, sort_keys=True, ensure_ascii=False, default=str)
        s3.put_object(Bucket=bucket, Key=key, Body=text.encode(), ContentType="application/json")
    return key


def _brand(body: str) -> tuple[str, dict[str, Any] | None]:
    """A record's brand id, and the brand after the change; None: it is gone."""
    try:
        change = json.loads(body)["dynamodb"]
        keys = _plain(change["Keys"])
        after = _plain(change["NewImage"]) if change.get("NewImage") else None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadRecordError(f"no record of the table's stream: {error!r}") from error
    brand_id = keys.get("brandId")
    if not isinstance(brand_id, str) or not is_brand_id(brand_id):
        raise BadRecordError(f"not the key of a brand: {keys}")
    return brand_id, after


def _plain(image: dict[str, Any]) -> dict[str, Any]:
    return {name: _deserializer.deserialize(value) for name, value in image.items()}
