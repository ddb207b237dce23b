"""A reminder to review a brand, and the mail that it becomes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from functions.shared.brand_view import living
from functions.shared.names import is_brand_id

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table
    from mypy_boto3_ses import SESClient


class BadReminderError(ValueError):
    """The event is no reminder. Its text says what is wrong with it."""


@dataclass(frozen=True)
class Reminder:
    """One event of a schedule: which brand, and when the reminder was due."""

    brand_id: str
    scheduled_time: str


def parse_reminder(event: Any) -> Reminder:
    """Read an event `{brandId, scheduledTime}`; other fields are ignored.

    Raises:
        BadReminderError: A field is missing or invalid.
    """
    if not isinstance(event, dict):
        raise BadReminderError("the event is not a JSON object")
    brand_id, time = event.get("brandId"), event.get("scheduledTime")
    if not isinstance(brand_id, str) or not is_brand_id(brand_id):
        raise BadReminderError("brandId is not a brand id")
    if not isinstance(time, str) or not _is_time(time):
        raise BadReminderError("scheduledTime is not a time with a zone")
    return Reminder(brand_id, time)


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def read_brand(brands: Table, brand_id: str) -> dict[str, Any] | None:
    """The brand; None when there is none, or it was deleted."""
    return living(brands.get_item(Key={"brandId": brand_id}, ConsistentRead=True).get("Item"))


def send(ses: SESClient, sender: str, brand: dict[str, Any]) -> str:
    """Send the mail to the brand's contact and return SES's message id."""
    text = (
        f"Brand {brand['brandId']} was last changed on {brand['updatedAt'][:10]}.\n"
        "Is it still as it should be?\n\n"
        "You receive this mail because you are this brand's contact.\n"
    )
    answer = ses.send_email(
        Source=sender,
        Destination={"ToAddresses": [brand["contactEmail"]]},
        Message={
            "Subject": {"Data": f"Please review: {brand['brandId']}", "Charset": "UTF-8"},
            "Body": {"Text": {"Data": text, "Charset": "UTF-8"}},
        },
    )
    return answer["MessageId"]
