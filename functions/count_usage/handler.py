"""Kinesis `brand-usage`: rolling counters of each brand, by the hour, in `brand_usage`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.utilities.data_classes import KinesisStreamEvent

from .usage import BadUsageError, Tables, Usage, count, totals, usage_of

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
dynamodb = boto3.client("dynamodb")
tables = Tables(os.environ["USAGE_TABLE"], os.environ["IDEMPOTENCY_TABLE"])


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Count the records before the first bad one, and report that: Lambda goes on from it."""
    usages: list[Usage] = []
    failed: str | None = None
    for record in KinesisStreamEvent(event).records:
        try:
            usages.append(usage_of(record))
        except BadUsageError as error:
            failed = record.kinesis.sequence_number
            logger.warning("Bad record", event_id=record.event_id, reason=str(error))
            break
    counted = sum(count(dynamodb, tables, key, ids) for key, ids in totals(usages).items())
    logger.info("Usage counted", records=len(usages), counted=counted)
    return {"batchItemFailures": [{"itemIdentifier": failed}] if failed else []}
