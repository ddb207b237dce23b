"""HTTP requests and responses, whichever front door the request came through.

An HTTP API and a Function URL send payload 2.0, a REST API sends 1.0 (AWS documentation:
API Gateway, "Lambda proxy integrations"; Lambda, "Function URL request payload").
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

from aws_lambda_powertools.utilities.data_classes import (
    APIGatewayProxyEvent,
    APIGatewayProxyEventV2,
)

Request = APIGatewayProxyEvent | APIGatewayProxyEventV2
Response = dict[str, Any]

_BRAND_PATH = re.compile(r"/brand/([^/]+)/?")


def request_of(event: dict[str, Any]) -> Request:
    """The event's data class, by the payload's version."""
    if event.get("version") == "2.0":
        return APIGatewayProxyEventV2(event)
    return APIGatewayProxyEvent(event)


def brand_id_of(request: Request) -> str:
    """The path parameter `brandId`, not validated; "" when the path names no brand.

    A Function URL has no routes and thus no path parameters: there the path itself is read.
    """
    if "brandId" in request.path_parameters:
        return request.path_parameters["brandId"]
    named = _BRAND_PATH.fullmatch(request.path)
    return unquote(named[1]) if named else ""


def request_id_of(request: Request) -> str:
    """The request id that API Gateway or the Function URL gave."""
    return str(request["requestContext"]["requestId"])


def respond(status: int, body: Any, headers: dict[str, str] | None = None) -> Response:
    """A response that all three front doors accept, with `body` as JSON."""
    return {
        "statusCode": status,
        "headers": {"Content-Type": "application/json"} | (headers or {}),
        "body": json.dumps(body, default=_plain_number, ensure_ascii=False),
        "isBase64Encoded": False,
    }


def _plain_number(value: object) -> int | float:
    """DynamoDB's numbers arrive as Decimal, which `json` does not know."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError(f"{type(value).__name__} has no place in a response")
