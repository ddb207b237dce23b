"""Bus event `BrandUpdated` with new colours: recompute the brand's palette."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.utilities.data_classes import EventBridgeEvent, event_source

from functions.shared.names import is_brand_id

from .palette import palette_of
from .store import store_palette

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
brands = boto3.resource("dynamodb").Table(os.environ["BRANDS_TABLE"])


@logger.inject_lambda_context(correlation_id_path="detail.correlationId")
@event_source(data_class=EventBridgeEvent)
def handler(event: EventBridgeEvent, context: LambdaContext) -> dict[str, Any]:
    """Store the palette of the event's colours, unless they are the brand's no longer."""
    brand_id = event.detail.get("brandId")
    if not isinstance(brand_id, str) or not is_brand_id(brand_id):
        raise ValueError(f"detail.brandId is not a brand id: {brand_id!r}")
    colors = event.detail["changes"]["colors"]
    stored = store_palette(brands, brand_id, colors, palette_of(colors))
    logger.info("Palette stored" if stored else "Stale event: no palette", brand_id=brand_id)
    return {"brandId": brand_id, "stored": stored}
