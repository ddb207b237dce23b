"""S3 `ObjectCreated` under `logos/`: label each object version once."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.utilities.data_classes import S3Event
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyAlreadyInProgressError,
)

from functions.shared.brand_events import publish
from functions.shared.clock import utc_now

from .labels import detect_labels
from .logo import process_upload
from .upload import Upload, upload_of

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes.s3_event import S3EventRecord
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
dynamodb = boto3.resource("dynamodb")
logos = dynamodb.Table(os.environ["LOGOS_TABLE"])
brands = dynamodb.Table(os.environ["BRANDS_TABLE"])
rekognition = boto3.client("rekognition")
events = boto3.client("events")
bus_name = os.environ["EVENT_BUS_NAME"]
assets_base_url = os.environ["ASSETS_BASE_URL"]
store = DynamoDBPersistenceLayer(
    table_name=os.environ["IDEMPOTENCY_TABLE"],
    boto3_client=boto3.client("dynamodb"),  # Its own session would load botocore's data again.
)
# Longer than Lambda keeps an asynchronous event (6 hours) and S3 repeats one.
config = IdempotencyConfig(
    event_key_jmespath="[bucket, key, version_id, e_tag]", expires_after_seconds=24 * 3600
)


def process(*, upload: Upload, correlation_id: str) -> dict[str, Any]:
    """Process one upload with this function's clients."""
    return process_upload(
        upload,
        detect=partial(detect_labels, rekognition),
        logos=logos,
        brands=brands,
        publish=partial(publish, events, bus_name),
        assets_base_url=assets_base_url,
        now=utc_now(),
        correlation_id=correlation_id,
    )


# Of two deliveries at once the second raises; Lambda retries it, and it gets the first's result.
process_once: Callable[..., dict[str, Any]] = idempotent_function(
    process,
    data_keyword_argument="upload",
    persistence_store=store,
    config=config,
    key_prefix="process_logo",
)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> list[dict[str, Any]]:
    """Process every record, then raise what failed, so that Lambda retries the event."""
    if event.get("Event") == "s3:TestEvent":  # S3 sends it when a notification is configured.
        logger.info("Test event", bucket=event.get("Bucket"))
        return []
    config.register_lambda_context(context)
    results: list[dict[str, Any]] = []
    failures: list[Exception] = []
    for record in S3Event(event).records:
        try:
            results.append(_process_record(record, context.aws_request_id))
        except IdempotencyAlreadyInProgressError as error:
            logger.warning("Another delivery is at work", key=record.s3.get_object.key)
            failures.append(error)
        except Exception as error:  # One record's failure must not keep the others waiting.
            logger.exception("Logo not processed", key=record.s3.get_object.key)
            failures.append(error)
    if len(failures) == 1:
        raise failures[0]
    if failures:
        raise ExceptionGroup("Several logos were not processed", failures)
    return results


def _process_record(record: S3EventRecord, request_id: str) -> dict[str, Any]:
    correlation_id = record.response_elements.get("x-amz-request-id", request_id)
    logger.set_correlation_id(correlation_id)
    result = process_once(upload=upload_of(record), correlation_id=correlation_id)
    logger.info("Logo processed", result=result)
    return result
