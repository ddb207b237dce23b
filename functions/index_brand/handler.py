"""SQS `brand-index`, from the topic `brand-broadcast`: names of brands, to be searched for."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)

from functions.shared.updates import BadUpdateError, parse_update

from .index import entry_of, store

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
index = boto3.resource("dynamodb").Table(os.environ["INDEX_TABLE"])
# A batch of only bad messages is reported item by item too, so it must not raise.
processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)


def process(record: SQSRecord) -> None:
    """Handle one message. Whatever it raises makes it, and only it, a failed item."""
    try:
        entry = entry_of(parse_update(record.body))
        stored = store(index, entry)
    except BadUpdateError as error:
        logger.warning("Bad message", message_id=record.message_id, reason=str(error))
        raise
    except Exception:
        logger.exception("Not indexed", message_id=record.message_id)
        raise
    logger.info("Indexed" if stored else "Stale update", brand_id=entry["brandId"])


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Report the failed items; Lambda deletes the others from the queue."""
    return process_partial_response(
        event=event, record_handler=process, processor=processor, context=context
    )
