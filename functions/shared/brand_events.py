"""The events of a brand on the bus: `BrandUpdated` and `BrandDeleted`.

AWS documentation: EventBridge, "PutEvents".
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

SOURCE = "brand-platform"
DETAIL_TYPE = "BrandUpdated"
DELETED = "BrandDeleted"


class PublishError(Exception):
    """The bus did not take the event. Whoever published still owns it."""


def brand_updated(
    brand_id: str,
    changes: dict[str, Any],
    *,
    updated_at: str,
    correlation_id: str,
    notify_email: str | None = None,
) -> dict[str, Any]:
    """The detail of a `BrandUpdated`.

    Args:
        changes: Exactly the fields that differ, each with its new value (None when removed).
        updated_at: ISO 8601, UTC. Events arrive in any order: a consumer that cares compares this.
    """
    detail = {
        "brandId": brand_id,
        "changes": changes,
        "updatedAt": updated_at,
        "correlationId": correlation_id,
    }
    return detail if notify_email is None else detail | {"notifyEmail": notify_email}


def brand_deleted(
    brand_id: str, *, deleted_at: str, correlation_id: str, notify_email: str | None = None
) -> dict[str, Any]:
    """The detail of a `BrandDeleted`.

    Args:
        deleted_at: ISO 8601, UTC. In `updatedAt`, so that consumers put it in order with updates.
    """
    detail = {"brandId": brand_id, "updatedAt": deleted_at, "correlationId": correlation_id}
    return detail if notify_email is None else detail | {"notifyEmail": notify_email}


def publish(
    events: EventBridgeClient,
    bus_name: str,
    detail: dict[str, Any],
    detail_type: str = DETAIL_TYPE,
) -> str:
    """Put one event on the bus and return its id.

    Raises:
        PublishError: The call failed, or it succeeded and reported the entry as failed: PutEvents
            answers 200 with a `FailedEntryCount` then.
    """
    try:
        answer = events.put_events(
            Entries=[
                {
                    "EventBusName": bus_name,
                    "Source": SOURCE,
                    "DetailType": detail_type,
                    "Detail": json.dumps(detail),
                }
            ]
        )
    except (BotoCoreError, ClientError) as error:
        raise PublishError(f"{detail_type} was not published: {error}") from error
    entry = answer["Entries"][0]
    if answer["FailedEntryCount"]:
        reason = f"{entry.get('ErrorCode')}: {entry.get('ErrorMessage')}"
        raise PublishError(f"{detail_type} was not published: {reason}")
    return entry["EventId"]
