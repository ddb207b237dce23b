"""Store a brand and publish what changed, with nothing lost between table and bus.

A table and a bus have no common transaction. So the write that changes the brand also stores the
changes in `unpublished`, in the same item; they leave it only once the bus has taken the event.
Whatever happens in between, the item still says what the bus has not heard, and the next PUT
publishes it. An event can thus be published twice, and never not at all (AWS Prescriptive
Guidance: "Transactional outbox pattern").
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.conditions import Attr
from botocore.exceptions import ClientError

from functions.shared.brand_events import brand_updated
from functions.shared.clock import iso
from functions.shared.dynamodb import is_condition_failure

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

    from .draft import BrandDraft

FIELDS = ("name", "contactEmail", "colors", "website")
ATTEMPTS = 5


class ConflictError(Exception):
    """Other writers were faster, as often as this one tried."""


@dataclass(frozen=True)
class Upserted:
    """The result of a PUT: the item as stored, and whether it is new."""

    item: dict[str, Any]
    created: bool


def upsert_brand(
    brands: Table,
    publish: Callable[[dict[str, Any]], object],
    brand_id: str,
    draft: BrandDraft,
    *,
    clock: Callable[[], datetime],
    correlation_id: str,
) -> Upserted:
    """Make the brand what `draft` says, and publish every change the bus has not heard.

    Args:
        publish: Takes the detail of a `BrandUpdated`; what it raises passes through, and the
            changes stay in `unpublished`.
        clock: Gives the present time. Each attempt asks it anew: a writer who lost a race must not
            be dated before the winner.

    Raises:
        ConflictError: The item changed under each of the attempts.
    """
    for _ in range(ATTEMPTS):
        answer = brands.get_item(Key={"brandId": brand_id}, ConsistentRead=True)
        current: dict[str, Any] | None = answer.get("Item")
        changes = _changes(current or {}, draft)
        item = current
        if item is None or changes:
            item = _write(brands, brand_id, current, changes, clock())
            if item is None:
                continue  # Somebody else wrote: look again at what differs.
        if item.get("unpublished"):
            detail = brand_updated(
                brand_id,
                item["unpublished"],
                updated_at=item["updatedAt"],
                correlation_id=correlation_id,
                notify_email=item["contactEmail"],
            )
            publish(detail)
            _forget_unpublished(brands, item)
        return Upserted(item, created=current is None)
    raise ConflictError(f"{brand_id} changed {ATTEMPTS} times while it was written")


def _changes(current: dict[str, Any], draft: BrandDraft) -> dict[str, Any]:
    """The fields in which `draft` differs, with their new values; None for a removed one."""
    wanted = draft.model_dump()
    return {field: wanted[field] for field in FIELDS if wanted[field] != current.get(field)}


def _write(
    brands: Table,
    brand_id: str,
    current: dict[str, Any] | None,
    changes: dict[str, Any],
    now: datetime,
) -> dict[str, Any] | None:
    """Write brand and outbox in one conditional update; None when another writer was faster.

    Only this function's own attributes are touched: `palette` and `logoUrl` have other writers.
    """
    values = {field: value for field, value in changes.items() if value is not None} | {
        "version": (current or {}).get("version", 0) + 1,
        "unpublished": (current or {}).get("unpublished", {}) | changes,
        "createdAt": (current or {}).get("createdAt", iso(now)),
        "updatedAt": iso(now),
    }
    removed = [f"#{field}" for field, value in changes.items() if value is None]
    update = "SET " + ", ".join(f"#{name} = :{name}" for name in values)
    if removed:
        update += " REMOVE " + ", ".join(removed)
    condition = Attr("version").eq(current["version"]) if current else Attr("brandId").not_exists()
    try:
        return brands.update_item(
            Key={"brandId": brand_id},
            UpdateExpression=update,
            ConditionExpression=condition,
            ExpressionAttributeNames={f"#{name}": name for name in [*values, *changes]},
            ExpressionAttributeValues={f":{name}": value for name, value in values.items()},
            ReturnValues="ALL_NEW",
        )["Attributes"]
    except ClientError as error:
        if is_condition_failure(error):
            return None
        raise


def _forget_unpublished(brands: Table, item: dict[str, Any]) -> None:
    """Empty the outbox, unless a newer write has filled it: its writer publishes that."""
    try:
        brands.update_item(
            Key={"brandId": item["brandId"]},
            UpdateExpression="REMOVE #unpublished",
            ConditionExpression=Attr("version").eq(item["version"]),
            ExpressionAttributeNames={"#unpublished": "unpublished"},
        )
    except ClientError as error:
        if not is_condition_failure(error):
            raise
