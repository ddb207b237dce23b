"""`DELETE /brand/{brandId}`: delete, publish."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools.logging import Logger, correlation_paths

from functions.shared.brand_events import publish
from functions.shared.brand_writes import BrandWriter
from functions.shared.clock import utc_now
from functions.shared.conditions import Conditions
from functions.shared.http import (
    Request,
    Response,
    brand_id_of,
    for_front_door,
    method_not_allowed,
    request_id_of,
    request_of,
    respond,
)
from functions.shared.names import is_brand_id
from functions.shared.write_answers import answer_write
from functions.shared.write_errors import BrandMissingError

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
brands = boto3.resource("dynamodb").Table(os.environ["BRANDS_TABLE"])
events = boto3.client("events")
bus_name = os.environ["EVENT_BUS_NAME"]


def delete(request: Request) -> Response:
    """Answer 204; what refuses it raises."""
    brand_id = brand_id_of(request)
    if not is_brand_id(brand_id):
        raise BrandMissingError  # No such brand can exist, and DynamoDB refuses some as a key.
    writer = BrandWriter(
        brands,
        partial(publish, events, bus_name),
        clock=utc_now,
        correlation_id=request_id_of(request),
        conditions=Conditions.of(request),
    )
    writer.delete(brand_id)
    return respond(204)


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_HTTP)
def handler(event: dict[str, Any], context: LambdaContext) -> Response:
    """Answer 204, or say why not: 400, 404, 405, 409, 412, 503."""
    request = request_of(event)
    response = method_not_allowed(request, ["DELETE"]) or answer_write(
        logger, brand_id_of(request), partial(delete, request)
    )
    return for_front_door(request, response)
