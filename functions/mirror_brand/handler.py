"""SQS FIFO `brand-mirror.fifo`, by a pipe from the table's stream: each brand, as it is now."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.utilities.batch import (
    SqsFifoPartialProcessor,
    process_partial_response,
)

from .mirror import BadRecordError, mirror

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
s3 = boto3.client("s3")
bucket = os.environ["ARCHIVE_BUCKET"]
# What comes behind a failed message of the same brand is reported with it, and handled after it.
processor = SqsFifoPartialProcessor(skip_group_on_error=True)
# A batch of only bad messages is reported item by item too, so it must not raise.
processor.raise_on_entire_batch_failure = False


def process(record: SQSRecord) -> None:
    """Handle one message. Whatever it raises makes it a failed item."""
    try:
        key = mirror(s3, bucket, record.body)
    except BadRecordError as error:
        logger.warning("Bad message", message_id=record.message_id, reason=str(error))
        raise
    except Exception:
        logger.exception("Not mirrored", message_id=record.message_id)
        raise
    logger.info("Mirrored", key=key)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Report the failed items; Lambda deletes the others from the queue."""
    return process_partial_response(
        event=event, record_handler=process, processor=processor, context=context
    )
