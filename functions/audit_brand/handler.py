"""Stream of the table `brands`: the history of each brand in `brand_audit`."""

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

from .change import BadChangeError, entry_of

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
    from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
audit = boto3.resource("dynamodb").Table(os.environ["AUDIT_TABLE"])
# A batch of only bad records is reported record by record too, so it must not raise.
processor = BatchProcessor(EventType.DynamoDBStreams, raise_on_entire_batch_failure=False)


def process(record: DynamoDBRecord) -> None:
    """Write one entry; the same record again writes the same entry."""
    try:
        entry = entry_of(record)
        audit.put_item(Item=entry)
    except BadChangeError as error:
        logger.warning("Bad record", event_id=record.event_id, reason=str(error))
        raise
    except Exception:
        logger.exception("Not recorded", event_id=record.event_id)
        raise
    logger.info("Change recorded", brand_id=entry["brandId"], what=entry["what"])


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Report the failed records; Lambda goes on from the first of them."""
    return process_partial_response(
        event=event, record_handler=process, processor=processor, context=context
    )
