"""A message of the queue `brand-notifications`, and the mail that it becomes."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.shared.names import is_brand_id, is_email

if TYPE_CHECKING:
    from mypy_boto3_ses import SESClient
    from mypy_boto3_ses.type_defs import MessageTypeDef

_EVENT_TYPE = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,99}", re.ASCII)


class BadMessageError(ValueError):
    """The message can never become a mail. Its text says what is wrong with it."""


@dataclass(frozen=True)
class Notification:
    """One message: which brand, what happened, whom to notify."""

    brand_id: str
    event_type: str
    notify_email: str


def parse_notification(body: str) -> Notification:
    """Read a message body `{brandId, eventType, notifyEmail}`; other fields are ignored.

    Raises:
        BadMessageError: The body is no JSON object, or a field is missing or invalid.
    """
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadMessageError("the body is not JSON") from error
    if not isinstance(data, dict):
        raise BadMessageError("the body is not a JSON object")
    missing = [name for name in ("brandId", "eventType", "notifyEmail") if name not in data]
    if missing:
        raise BadMessageError(f"missing: {', '.join(missing)}")
    if not is_brand_id(data["brandId"]):
        raise BadMessageError("brandId is not a brand id")
    if not isinstance(data["eventType"], str) or not _EVENT_TYPE.fullmatch(data["eventType"]):
        raise BadMessageError("eventType is not a name")
    if not is_email(data["notifyEmail"]):
        raise BadMessageError("notifyEmail is not a mail address")
    return Notification(data["brandId"], data["eventType"], data["notifyEmail"])


def mail_of(notification: Notification) -> MessageTypeDef:
    """Subject and text of the mail."""
    subject = f"{notification.event_type}: {notification.brand_id}"
    text = (
        f"Brand {notification.brand_id}: {notification.event_type}.\n\n"
        "You receive this mail because you are this brand's contact.\n"
    )
    return {
        "Subject": {"Data": subject, "Charset": "UTF-8"},
        "Body": {"Text": {"Data": text, "Charset": "UTF-8"}},
    }


def send(ses: SESClient, sender: str, notification: Notification) -> str:
    """Send the mail and return SES's message id."""
    answer = ses.send_email(
        Source=sender,
        Destination={"ToAddresses": [notification.notify_email]},
        Message=mail_of(notification),
    )
    return answer["MessageId"]
