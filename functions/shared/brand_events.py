"""The event `BrandUpdated` on the bus (AWS documentation: EventBridge, "PutEvents")."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

SOURCE = "brand-platform"
DETAIL_TYPE = "BrandUpdated"


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
    """The detail of one event.

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


def publish(events: EventBridgeClient, bus_name: str, detail: dict[str, Any]) -> str:
    """Put one `BrandUpdated` on the bus and return its event id.

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
                    "DetailType": DETAIL_TYPE,
                    "Detail": json.dumps(detail),
                }
            ]
        )
    except (BotoCoreError, ClientError) as error:
        raise PublishError(f"{DETAIL_TYPE} was not published: {error}") from error
    entry = answer["Entries"][0]
    if answer["FailedEntryCount"]:
        reason = f"{entry.get('ErrorCode')}: {entry.get('ErrorMessage')}"
        raise PublishError(f"{DETAIL_TYPE} was not published: {reason}")
    return entry["EventId"]
