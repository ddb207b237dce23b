"""Storing a palette on the brand whose colours it was made from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from boto3.dynamodb.conditions import Attr
from botocore.exceptions import ClientError

from functions.shared.dynamodb import is_condition_failure

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table


class BrandMissingError(LookupError):
    """The event speaks of a brand that the table does not have."""


def store_palette(
    brands: Table, brand_id: str, colors: dict[str, str], palette: dict[str, Any]
) -> bool:
    """Set the brand's `palette` if its colours still are `colors`.

    Returns:
        False when the brand has other colours by now: the event is stale, and the newer one
        brings the newer palette.

    Raises:
        BrandMissingError: There is no such brand.
    """
    try:
        brands.update_item(
            Key={"brandId": brand_id},
            UpdateExpression="SET #palette = :palette",
            ConditionExpression=Attr("colors").eq(colors),
            ExpressionAttributeNames={"#palette": "palette"},
            ExpressionAttributeValues={":palette": palette},
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    except ClientError as error:
        if not is_condition_failure(error):
            raise
        if not error.response.get("Item"):
            raise BrandMissingError(f"There is no brand {brand_id}") from error
        return False
    return True
