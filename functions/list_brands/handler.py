"""`GET /brands`: a page of all brands."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools.logging import Logger, correlation_paths

from functions.shared.http import (
    Request,
    Response,
    for_front_door,
    method_not_allowed,
    problem,
    query_of,
    request_of,
    respond,
)

from .page import BadPageError, page_request, read_page

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
brands = boto3.resource("dynamodb").Table(os.environ["BRANDS_TABLE"])


def list_page(request: Request) -> Response:
    """Answer 200 with a page, 400 for a query that asks for none."""
    try:
        wanted = page_request(query_of(request))
    except BadPageError as error:
        return problem(400, str(error))
    return respond(200, read_page(brands, wanted))


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_HTTP)
def handler(event: dict[str, Any], context: LambdaContext) -> Response:
    """Answer 200 with a page, or say why not: 400, 405."""
    request = request_of(event)
    response = method_not_allowed(request, ["GET", "HEAD"]) or list_page(request)
    return for_front_door(request, response)
