"""`PUT /brand/{brandId}`: validate, store, publish."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools.logging import Logger, correlation_paths

from functions.shared.brand_events import PublishError, publish
from functions.shared.brand_view import public_view
from functions.shared.clock import utc_now
from functions.shared.http import Response, brand_id_of, request_id_of, request_of, respond
from functions.shared.names import is_brand_id

from .draft import InvalidBrandError, MalformedBodyError, parse_draft
from .upsert import ConflictError, upsert_brand

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
brands = boto3.resource("dynamodb").Table(os.environ["BRANDS_TABLE"])
events = boto3.client("events")
bus_name = os.environ["EVENT_BUS_NAME"]


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_HTTP)
def handler(event: dict[str, Any], context: LambdaContext) -> Response:
    """Answer 201 or 200 with the brand, or say why not: 400, 409, 422, 503."""
    request = request_of(event)
    brand_id = brand_id_of(request)
    if not is_brand_id(brand_id):
        message = "must be 1 to 63 lower-case letters, digits or -, and not start with -"
        return _invalid([{"field": "brandId", "message": message}])
    try:
        draft = parse_draft(request.body, bool(request.is_base64_encoded))
        upserted = upsert_brand(
            brands,
            partial(publish, events, bus_name),
            brand_id,
            draft,
            clock=utc_now,
            correlation_id=request_id_of(request),
        )
    except MalformedBodyError as error:
        return respond(400, {"error": str(error)})
    except InvalidBrandError as error:
        return _invalid(error.reasons)
    except ConflictError:
        logger.warning("Gave up against concurrent writers", brand_id=brand_id)
        return respond(409, {"error": "The brand is being changed by others: try again"})
    except PublishError:
        logger.exception("Stored, not published: the next PUT publishes it", brand_id=brand_id)
        return respond(
            503,
            {"error": "The brand is stored, but its change is not announced yet: try again"},
            {"Retry-After": "1"},
        )
    return respond(201 if upserted.created else 200, public_view(upserted.item))


def _invalid(reasons: list[dict[str, str]]) -> Response:
    return respond(422, {"error": "This is not a valid brand", "reasons": reasons})
