"""EventBridge Scheduler, once for each brand: ask its contact to review it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)

from .reminder import parse_reminder, read_brand, send

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
brands = boto3.resource("dynamodb").Table(os.environ["BRANDS_TABLE"])
ses = boto3.client("ses")
sender = os.environ["SENDER_EMAIL"]
store = DynamoDBPersistenceLayer(
    table_name=os.environ["IDEMPOTENCY_TABLE"],
    boto3_client=boto3.client("dynamodb"),  # Its own session would load botocore's data again.
)
# As long as SQS keeps a dead letter at most: 14 days.
config = IdempotencyConfig(expires_after_seconds=14 * 24 * 3600)


def remind(*, key: str, brand: dict[str, Any]) -> dict[str, str]:
    """Send one reminder's mail."""
    return {"mailId": send(ses, sender, brand)}


remind_once: Callable[..., dict[str, str]] = idempotent_function(
    remind,
    data_keyword_argument="key",
    persistence_store=store,
    config=config,
    key_prefix="brand_review_reminder",
)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Send the mail if there still is such a brand; what fails is tried again by Lambda."""
    config.register_lambda_context(context)
    reminder = parse_reminder(event)
    brand = read_brand(brands, reminder.brand_id)
    if brand is None:
        logger.info("No such brand any longer: no mail", brand_id=reminder.brand_id)
        return {"brandId": reminder.brand_id, "sent": False}
    key = f"{reminder.brand_id} {reminder.scheduled_time}"
    mail = remind_once(key=key, brand=brand)
    logger.info("Reminder sent", brand_id=reminder.brand_id, mail_id=mail["mailId"])
    return {"brandId": reminder.brand_id, "sent": True}
