"""SQS `brand-notifications`: one mail per message, one bad message hurts no neighbour."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyAlreadyInProgressError,
)

from .message import BadMessageError, Notification, parse_notification, send

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
ses = boto3.client("ses")
sender = os.environ["SENDER_EMAIL"]
# A batch of only bad messages is reported item by item too, so it must not raise.
processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)
store = DynamoDBPersistenceLayer(
    table_name=os.environ["IDEMPOTENCY_TABLE"],
    boto3_client=boto3.client("dynamodb"),  # Its own session would load botocore's data again.
)
# As long as SQS keeps a message at most, DLQ and redrive included: 14 days.
config = IdempotencyConfig(expires_after_seconds=14 * 24 * 3600)


def notify(*, message_id: str, notification: Notification) -> dict[str, str]:
    """Send one message's mail."""
    return {"mailId": send(ses, sender, notification)}


notify_once: Callable[..., dict[str, str]] = idempotent_function(
    notify,
    data_keyword_argument="message_id",
    persistence_store=store,
    config=config,
    key_prefix="notify_brand",
)


def process(record: SQSRecord) -> None:
    """Handle one record. Whatever it raises makes it, and only it, a failed item."""
    try:
        notification = parse_notification(record.body)
        mail = notify_once(message_id=record.message_id, notification=notification)
    except BadMessageError as error:
        logger.warning("Bad message", message_id=record.message_id, reason=str(error))
        raise
    except IdempotencyAlreadyInProgressError:
        logger.warning("Another delivery is being handled", message_id=record.message_id)
        raise
    except Exception:
        logger.exception("Notification failed", message_id=record.message_id)
        raise
    logger.info("Mail sent", message_id=record.message_id, mail_id=mail["mailId"])


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Report the failed items; Lambda deletes the others from the queue."""
    config.register_lambda_context(context)
    return process_partial_response(
        event=event, record_handler=process, processor=processor, context=context
    )
