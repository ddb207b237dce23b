"""`GET /brand/{brandId}` behind an HTTP API, a REST API or a Function URL."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools.logging import Logger, correlation_paths

from functions.shared.clock import utc_now
from functions.shared.http import Response, brand_id_of, request_id_of, request_of, respond

from .brand import count_read, read_brand
from .usage import usage_record

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
dynamodb = boto3.resource("dynamodb")
brands = dynamodb.Table(os.environ["BRANDS_TABLE"])
metrics = dynamodb.Table(os.environ["METRICS_TABLE"])


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_HTTP)
def handler(event: dict[str, Any], context: LambdaContext) -> Response:
    """Answer 200 with the brand, 404 for an unknown one, 405 for another method than GET."""
    request = request_of(event)
    if request.http_method not in {"GET", "HEAD"}:  # A Function URL lets every method through.
        return respond(405, {"error": "Only GET is allowed here"}, {"Allow": "GET, HEAD"})
    brand_id = brand_id_of(request)
    brand = read_brand(brands, brand_id)
    if brand is None:
        return respond(404, {"error": "There is no such brand"})
    count_read(metrics, usage_record(brand_id, request_id_of(request), utc_now()), logger)
    return respond(200, brand, {"Cache-Control": "max-age=300"})
