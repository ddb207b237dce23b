"""Bus event `BrandUpdated` with a new logo: drop the brand's assets from the CDN."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import boto3
from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.utilities.data_classes import EventBridgeEvent, event_source

from .invalidation import invalidate_assets

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
cloudfront = boto3.client("cloudfront")
distribution_id = os.environ["DISTRIBUTION_ID"]


@logger.inject_lambda_context(correlation_id_path="detail.correlationId")
@event_source(data_class=EventBridgeEvent)
def handler(event: EventBridgeEvent, context: LambdaContext) -> dict[str, str]:
    """Create the invalidation; everything that goes wrong raises."""
    brand_id = event.detail.get("brandId")
    invalidation = invalidate_assets(cloudfront, distribution_id, brand_id, event.get_id)
    logger.info("Invalidation created", brand_id=brand_id, invalidation_id=invalidation)
    return {"invalidationId": invalidation}
