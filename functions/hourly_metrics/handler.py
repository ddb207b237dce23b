"""EventBridge `rate(1 hour)`: one summary of the last full hour."""

from __future__ import annotations

import os
from datetime import datetime
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools.logging import Logger, correlation_paths
from aws_lambda_powertools.utilities.data_classes import EventBridgeEvent, event_source

from functions.shared.clock import utc_now

from .summary import last_full_hour, summarize

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
dynamodb = boto3.resource("dynamodb")
metrics = dynamodb.Table(os.environ["METRICS_TABLE"])
summaries = dynamodb.Table(os.environ["SUMMARIES_TABLE"])
index = os.environ["METRICS_INDEX"]


@logger.inject_lambda_context(correlation_id_path=correlation_paths.EVENT_BRIDGE)
@event_source(data_class=EventBridgeEvent)
def handler(event: EventBridgeEvent, context: LambdaContext) -> dict[str, Any]:
    """Summarize the hour before the event's own time: a late retry counts the same hour."""
    hour = last_full_hour(datetime.fromisoformat(event.time))
    summary = summarize(metrics, index, summaries, hour, now=utc_now())
    logger.info("Hour summarized", hour=hour, total=summary["total"])
    return summary
