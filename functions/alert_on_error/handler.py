"""Log groups of all other functions: error lines become one mail per function and minute."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.utilities.data_classes import CloudWatchLogsEvent
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyAlreadyInProgressError,
)

from .alert import Alert, alerts, send

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
ses = boto3.client("ses")
sender, recipient = os.environ["SENDER_EMAIL"], os.environ["ALERT_EMAIL"]
store = DynamoDBPersistenceLayer(
    table_name=os.environ["IDEMPOTENCY_TABLE"],
    boto3_client=boto3.client("dynamodb"),  # Its own session would load botocore's data again.
)
# As long as SQS keeps a dead letter at most: 14 days.
config = IdempotencyConfig(expires_after_seconds=14 * 24 * 3600)


def mail(*, key: str, alert: Alert) -> dict[str, str]:
    """Send one alert's mail."""
    return {"mailId": send(ses, sender, recipient, alert)}


mail_once: Callable[..., dict[str, str]] = idempotent_function(
    mail,
    data_keyword_argument="key",
    persistence_store=store,
    config=config,
    key_prefix="alert_on_error",
)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, int]:
    """Mail each function's first errors of a minute; what fails is tried again by Lambda."""
    config.register_lambda_context(context)
    found = alerts(CloudWatchLogsEvent(event).parse_logs_data())
    for alert in found:
        try:
            mail_once(key=alert.key, alert=alert)
        except IdempotencyAlreadyInProgressError:
            # Whoever is at it is an invocation of its own, with its own retries and destination.
            logger.info("Another invocation sends it", function=alert.function)
        else:
            logger.info("Mailed once", function=alert.function, minute=alert.minute)
    return {"alerts": len(found)}
