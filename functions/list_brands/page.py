"""One page of the list of brands (DynamoDB, "Scanning tables", "Paginating the results")."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.conditions import Attr

from functions.shared.brand_view import DELETED_AT, public_view
from functions.shared.paging import DEFAULT_LIMIT, MAX_LIMIT

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

#: Reads for one page at most: more only where many brands in a row were deleted lately.
MAX_SCANS = 10
_PARAMETERS = {"limit", "cursor"}
_KEY_BYTES = 2048  # of a partition key (DynamoDB, "Quotas")


class BadPageError(ValueError):
    """The query asks for no page. The message is a sentence for the caller."""


@dataclass(frozen=True)
class PageRequest:
    """Which page is wanted.

    Attributes:
        limit: Brands at most.
        after: Id of the brand after which the page begins; None for the first page.
    """

    limit: int = DEFAULT_LIMIT
    after: str | None = None


def page_request(query: dict[str, list[str]]) -> PageRequest:
    """Read the query parameters `limit` and `cursor`; others are ignored.

    Raises:
        BadPageError: One is given more than once, or is not what it must be.
    """
    values: dict[str, str] = {}
    for name in _PARAMETERS & query.keys():
        if len(query[name]) != 1:
            raise BadPageError(f"{name} must be given once")
        values[name] = query[name][0]
    limit = DEFAULT_LIMIT
    if "limit" in values:
        text = values["limit"]
        # Digits alone, and not many: `int` also takes signs, spaces and underscores.
        limit = int(text) if text.isascii() and text.isdigit() and len(text) <= 3 else 0
        if not 1 <= limit <= MAX_LIMIT:
            raise BadPageError(f"limit must be a number from 1 to {MAX_LIMIT}")
    return PageRequest(limit, decode_cursor(values["cursor"]) if "cursor" in values else None)


def encode_cursor(brand_id: str) -> str:
    """The cursor of what comes after a brand: opaque to callers, safe in a query."""
    text = json.dumps({"after": brand_id}, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> str:
    """The id of the brand in a cursor.

    Raises:
        BadPageError: `encode_cursor` never gave it.
    """
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        data = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        after = data["after"]
        # DynamoDB refuses other keys. Anything but a brand's id has been put there by hand.
        if 1 <= len(after.encode()) <= _KEY_BYTES and encode_cursor(after) == cursor:
            return str(after)
    except (binascii.Error, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        pass
    raise BadPageError("cursor must be the nextCursor of another page")


def read_page(brands: Table, wanted: PageRequest) -> dict[str, Any]:
    """Brands and the cursor of the next page.

    Returns:
        `{"brands": [...], "nextCursor": …}`; the cursor is None on the last page, and only there.
        A page may have fewer brands than `limit` before it.
    """
    found: list[dict[str, Any]] = []
    after = wanted.after
    for _ in range(MAX_SCANS):
        start: dict[str, Any] = {} if after is None else {"ExclusiveStartKey": {"brandId": after}}
        answer = brands.scan(
            # One more than wanted says whether there is a next page.
            Limit=wanted.limit + 1 - len(found),
            # Every brand has a version; what has been put there by hand may have none.
            FilterExpression=Attr("version").exists() & Attr(DELETED_AT).not_exists(),
            **start,
        )
        found += answer["Items"]
        last = answer.get("LastEvaluatedKey")
        after = None if last is None else str(last["brandId"])
        if after is None or len(found) > wanted.limit:
            break
    if len(found) > wanted.limit:
        found = found[: wanted.limit]
        after = str(found[-1]["brandId"])
    return {
        "brands": [public_view(item) for item in found],
        "nextCursor": None if after is None else encode_cursor(after),
    }
