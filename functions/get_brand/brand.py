"""Reading one brand and counting the read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from functions.shared.brand_view import living, public_view
from functions.shared.names import is_brand_id

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger
    from mypy_boto3_dynamodb.service_resource import Table


def read_brand(brands: Table, brand_id: str) -> dict[str, Any] | None:
    """The brand as the outside sees it, or None when there is no such brand."""
    if not is_brand_id(brand_id):
        return None  # No such brand can exist, and DynamoDB refuses some of these as a key.
    item = living(brands.get_item(Key={"brandId": brand_id}).get("Item"))
    return None if item is None else public_view(item)


def count_read(metrics: Table, record: dict[str, Any], logger: Logger) -> None:
    """Write a usage record. A failure costs the reader nothing and loses nothing.

    The brand was read, so the read succeeds. The record goes whole into the error's log line,
    with the stack trace: it can be alarmed on and written again from there.
    """
    try:
        metrics.put_item(Item=record)
    except (BotoCoreError, ClientError):
        logger.exception("Usage record not written", usage_record=record)
