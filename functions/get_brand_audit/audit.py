"""A page of a brand's history, the newest change first."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.conditions import Key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_dynamodb.service_resource import Table

GROUP = "brand-admins"
_CHANGE_ID = re.compile(r"\d{40}", re.ASCII)


class BadPageError(ValueError):
    """The query asks for no page. The message is a sentence for the caller."""


def groups_of(claims: Mapping[str, Any]) -> list[str]:
    """The groups that a token names; API Gateway hands a list on as the text `[a b]`."""
    value = claims.get("cognito:groups")
    if isinstance(value, list):
        return [str(one) for one in value]
    return str(value or "").strip("[]").replace(",", " ").split()


def cursor_of(query: Mapping[str, list[str]]) -> str | None:
    """The change before which the page begins: `before` of the query.

    Raises:
        BadPageError: It is given twice, or is none.
    """
    values = query.get("before") or []
    if not values:
        return None
    if len(values) > 1 or not _CHANGE_ID.fullmatch(values[0]):
        raise BadPageError("before must be the nextBefore of another page, given once")
    return values[0]


def read_history(table: Table, brand_id: str, before: str | None, limit: int) -> dict[str, Any]:
    """`{"changes": [...], "nextBefore": …}`; the last page has null."""
    brand = Key("brandId").eq(brand_id)
    condition = brand if before is None else brand & Key("changeId").lt(before)
    # One more than wanted says whether there is a next page.
    answer = table.query(KeyConditionExpression=condition, ScanIndexForward=False, Limit=limit + 1)
    found = answer["Items"]
    page = found[:limit]
    return {
        "changes": page,
        "nextBefore": str(page[-1]["changeId"]) if len(found) > limit else None,
    }
