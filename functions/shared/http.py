"""HTTP requests and responses, whichever front door the request came through.

An HTTP API and a Function URL send payload 2.0, a REST API sends 1.0, an Application Load Balancer
a form of its own (AWS documentation: API Gateway, "Lambda proxy integrations"; Lambda, "Function
URL request payload"; Elastic Load Balancing, "Lambda functions as targets").
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable
from decimal import Decimal
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, unquote, unquote_plus

from aws_lambda_powertools.utilities.data_classes import (
    ALBEvent,
    APIGatewayProxyEvent,
    APIGatewayProxyEventV2,
)

Request = APIGatewayProxyEvent | APIGatewayProxyEventV2 | ALBEvent
Response = dict[str, Any]

JSON = "application/json"
PROBLEM_JSON = "application/problem+json"

_BRAND_PATH = re.compile(r"/brand/([^/]+)/?")


def request_of(event: dict[str, Any]) -> Request:
    """The event's data class, by the payload's version; a load balancer names itself."""
    if event.get("version") == "2.0":
        return APIGatewayProxyEventV2(event)
    if "elb" in (event.get("requestContext") or {}):
        return ALBEvent(event)
    return APIGatewayProxyEvent(event)


def brand_id_of(request: Request) -> str:
    """The path parameter `brandId`, not validated; "" when the path names no brand.

    A Function URL and a load balancer have no routes and thus no path parameters: there the path
    itself is read.
    """
    parameters = request.get("pathParameters") or {}
    if "brandId" in parameters:
        return str(parameters["brandId"])
    named = _BRAND_PATH.fullmatch(request.path)
    return unquote(named[1]) if named else ""


def request_id_of(request: Request) -> str:
    """The request id that the front door gave.

    A load balancer gives none, but a trace id (Elastic Load Balancing, "Request tracing").
    """
    given = request["requestContext"].get("requestId") or header_of(request, "x-amzn-trace-id")
    return str(given or uuid.uuid4())


def header_of(request: Request, name: str) -> str | None:
    """A header's value; None without it. Several lines become one list (RFC 9110, 5.3)."""
    wanted = name.lower()
    for header, values in (request.get("multiValueHeaders") or {}).items():
        if header.lower() == wanted:
            return ", ".join(values)
    for header, value in (request.get("headers") or {}).items():
        if header.lower() == wanted:
            return str(value)
    return None


def query_of(request: Request) -> dict[str, list[str]]:
    """The decoded query parameters, each with all of its values.

    Payload 2.0 joins values with commas, so its raw query is read. A load balancer decodes nothing.
    """
    if isinstance(request, APIGatewayProxyEventV2):
        return parse_qs(request.raw_query_string, keep_blank_values=True)
    single: dict[str, str] = request.get("queryStringParameters") or {}
    multi: dict[str, list[str]] = request.get("multiValueQueryStringParameters") or {}
    found = {name: [value] for name, value in single.items()} | multi
    if isinstance(request, ALBEvent):
        return {
            unquote_plus(name): [unquote_plus(value) for value in values]
            for name, values in found.items()
        }
    return found


def respond(status: int, body: Any = None, headers: dict[str, str] | None = None) -> Response:
    """A response with `body` as JSON; without a body and its type when `body` is None."""
    if body is None:
        return _response(status, "", headers or {})
    # What a caller sent may come back in an error, with halves of UTF-16 pairs: no UTF-8 has them.
    text = dump(body).encode("utf-8", "replace").decode()
    return _response(status, text, {"Content-Type": JSON} | (headers or {}))


def respond_text(status: int, text: str, content_type: str, headers: dict[str, str]) -> Response:
    """A response with a text of any type."""
    return _response(status, text, {"Content-Type": content_type} | headers)


def problem(
    status: int,
    detail: str,
    *,
    kind: str = "about:blank",
    title: str | None = None,
    errors: list[dict[str, str]] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """A response that says what is wrong (RFC 9457).

    Args:
        detail: A sentence for the caller.
        kind: The problem's type, a URI reference. `about:blank`: the status says it all.
        title: Of the type; the status's own phrase without one.
        errors: One entry for each thing wrong with the content.
    """
    body: dict[str, Any] = {
        "type": kind,
        "title": title or HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if errors is not None:
        body["errors"] = errors
    return respond(status, body, {"Content-Type": PROBLEM_JSON} | (headers or {}))


def method_not_allowed(request: Request, allowed: Iterable[str]) -> Response | None:
    """405 for another method than those; a Function URL lets every method through."""
    methods = tuple(allowed)
    if request.http_method in methods:
        return None
    detail = f"Only {' and '.join(methods)} can be used here"
    return problem(405, detail, headers={"Allow": ", ".join(methods)})


def for_front_door(request: Request, response: Response) -> Response:
    """The response as the request's front door wants it.

    A load balancer wants a status line, and reads `multiValueHeaders` alone when it sent them.
    """
    if not isinstance(request, ALBEvent):
        return response
    status = response["statusCode"]
    described = response | {"statusDescription": f"{status} {HTTPStatus(status).phrase}"}
    if request.get("multiValueHeaders") is not None:
        headers = described.pop("headers")
        described["multiValueHeaders"] = {name: [value] for name, value in headers.items()}
    return described


def dump(value: Any, *, sort_keys: bool = False) -> str:
    """`value` as JSON, with DynamoDB's numbers."""
    return json.dumps(value, default=_plain_number, ensure_ascii=False, sort_keys=sort_keys)


def _response(status: int, body: str, headers: dict[str, str]) -> Response:
    return {"statusCode": status, "headers": headers, "body": body, "isBase64Encoded": False}


def _plain_number(value: object) -> int | float:
    """DynamoDB's numbers arrive as Decimal, which `json` does not know."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError(f"{type(value).__name__} has no place in a response")
