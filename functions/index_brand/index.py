"""The search index `brand_index`: a brand's name, as one searches for it."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from functions.shared.dynamodb import is_condition_failure
from functions.shared.updates import BadUpdateError, Update

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table


def search_name(name: str) -> str:
    """Lower case, without accents, one space between words.

    >>> search_name("  Café   ZÜRICH ")
    'cafe zurich'
    """
    plain = unicodedata.normalize("NFKD", name)
    letters = "".join(one for one in plain if not unicodedata.combining(one))
    return " ".join(letters.casefold().split())


def entry_of(update: Update) -> dict[str, Any]:
    """The item of the index for an update that has a name, or for a deleted brand.

    A deleted brand stays in the index without a name: an older update that comes late must not
    bring it back.

    Raises:
        BadUpdateError: The new name is no text.
    """
    if update.deleted:
        return {"brandId": update.brand_id, "updatedAt": update.updated_at}
    name = update.changes.get("name")
    if not isinstance(name, str) or not name.strip():
        raise BadUpdateError("changes.name is not a text")
    return {
        "brandId": update.brand_id,
        "name": name,
        "searchName": search_name(name),
        "updatedAt": update.updated_at,
    }


def store(table: Table, entry: dict[str, Any]) -> bool:
    """Store an entry, unless a later update's is there: updates arrive in any order.

    Returns:
        Whether it was stored.
    """
    try:
        table.put_item(
            Item=entry,
            ConditionExpression="attribute_not_exists(brandId) OR updatedAt <= :at",
            ExpressionAttributeValues={":at": entry["updatedAt"]},
        )
    except ClientError as error:
        if is_condition_failure(error):
            return False
        raise
    return True
