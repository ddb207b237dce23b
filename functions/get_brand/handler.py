"""`GET /brand/{brandId}` behind an HTTP API, a REST API, a Function URL or a load balancer."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools.logging import Logger, correlation_paths

from functions.shared.clock import utc_now
from functions.shared.conditions import Conditions, MalformedConditionError, brand_tag
from functions.shared.http import (
    Request,
    Response,
    brand_id_of,
    for_front_door,
    method_not_allowed,
    problem,
    request_id_of,
    request_of,
    respond,
)

from .brand import count_read, read_brand
from .usage import usage_record

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
dynamodb = boto3.resource("dynamodb")
brands = dynamodb.Table(os.environ["BRANDS_TABLE"])
metrics = dynamodb.Table(os.environ["METRICS_TABLE"])


def get(request: Request) -> Response:
    """Answer 200 with the brand, 304 when the caller has it, 400, 404 or 412."""
    brand_id = brand_id_of(request)
    brand = read_brand(brands, brand_id)
    if brand is None:
        return problem(404, "There is no such brand")
    tag = brand_tag(brand)
    try:
        unmet = Conditions.of(request).unmet(tag)
    except MalformedConditionError as error:
        return problem(400, str(error))
    if unmet == "If-Match":
        return problem(412, f"The brand is not as {unmet} wants it")
    count_read(metrics, usage_record(brand_id, request_id_of(request), utc_now()), logger)
    headers = {"Cache-Control": "max-age=300", "ETag": tag}
    return respond(200, brand, headers) if unmet is None else respond(304, headers=headers)


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_HTTP)
def handler(event: dict[str, Any], context: LambdaContext) -> Response:
    """Answer 200 with the brand, 304 when the caller has it, or say why not: 400, 404, 405, 412."""
    request = request_of(event)
    response = method_not_allowed(request, ["GET", "HEAD"]) or get(request)
    return for_front_door(request, response)
