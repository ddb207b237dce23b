"""A brand's events as a queue gets them, by way of the bus and a topic with raw delivery."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from functions.shared.brand_events import DELETED, DETAIL_TYPE, SOURCE
from functions.shared.names import is_brand_id


class BadUpdateError(ValueError):
    """The message can never be handled. Its text says what is wrong with it."""


@dataclass(frozen=True)
class Update:
    """One `BrandUpdated` or `BrandDeleted`.

    Attributes:
        event_id: Id of the event on the bus: the same for each copy of it.
        brand_id: The brand.
        changes: The fields that differ, each with its new value (None when removed).
            Empty for a deleted brand.
        deleted: Whether the brand was deleted.
        updated_at: ISO 8601, UTC; sorts as the updates were made.
        event: The whole event.
    """

    event_id: str
    brand_id: str
    changes: dict[str, Any]
    updated_at: str
    event: dict[str, Any]
    deleted: bool = False


def parse_update(body: str) -> Update:
    """Read a message body.

    Raises:
        BadUpdateError: The body is no such event.
    """
    try:
        event = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadUpdateError("the body is not JSON") from error
    if not isinstance(event, dict):
        raise BadUpdateError("the body is not a JSON object")
    kind = event.get("detail-type")
    if event.get("source") != SOURCE or kind not in {DETAIL_TYPE, DELETED}:
        raise BadUpdateError("the body is no BrandUpdated or BrandDeleted event")
    event_id, detail = event.get("id"), event.get("detail")
    if not isinstance(event_id, str) or not isinstance(detail, dict):
        raise BadUpdateError("id or detail is missing")
    deleted = kind == DELETED
    brand_id, changes = detail.get("brandId"), {} if deleted else detail.get("changes")
    if not is_brand_id(brand_id):
        raise BadUpdateError("detail.brandId is not a brand id")
    if not isinstance(changes, dict):
        raise BadUpdateError("detail.changes is not an object")
    updated_at = detail.get("updatedAt")
    try:
        datetime.fromisoformat(str(updated_at))
    except ValueError as error:
        raise BadUpdateError("detail.updatedAt is not a time") from error
    return Update(event_id, str(brand_id), changes, str(updated_at), event, deleted)
