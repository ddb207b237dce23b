"""Translates a Lambda function's return value to the HTTP response.

AWS topic: "Create AWS Lambda proxy integrations for HTTP APIs in API Gateway", section "Lambda
function response format". A result that is not understood becomes 500, never its own text.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any, Final

from trigger_stack_engine.front_doors.core.message import (
    Headers,
    HttpResponse,
    internal_server_error,
)
from trigger_stack_engine.front_doors.core.responses import (
    FRAMING,
    parse_cookies,
    parse_header,
    parse_headers,
    parse_status,
)
from trigger_stack_engine.json_text import load_json

MAX_RESPONSE_BYTES: Final = 6 * 1024 * 1024
"""Lambda's limit for a synchronous response payload."""

DEFAULT_CONTENT_TYPE: Final = "text/plain;charset=UTF-8"
"""What API Gateway sends for a result with ``statusCode`` but no ``content-type``."""


_ONLY_A_BODY: Final = {"statusCode", "body"}


def parse_result(version: str, payload: bytes) -> HttpResponse:
    """Turn a function's result payload into a response.

    Format 2.0 without ``statusCode``: the payload itself is the body, 200, JSON. Format 1.0 needs
    a ``statusCode``.

    Args:
        version: Payload format version of the integration, ``1.0`` or ``2.0``.

    Raises:
        HttpError: 500 when the result is malformed or larger than 6 MB.
    """
    if len(payload) > MAX_RESPONSE_BYTES:
        raise internal_server_error()
    try:
        result = load_json(payload)
    except (ValueError, RecursionError):
        result = None
    if isinstance(result, dict) and "statusCode" in result:
        return _parse_proxy_result(version, result)
    if version == "1.0":
        raise internal_server_error()
    return HttpResponse(200, [("content-type", "application/json")], payload)


def _parse_proxy_result(version: str, result: dict[str, Any]) -> HttpResponse:
    if result.keys() <= _ONLY_A_BODY:
        body = _parse_body(result.get("body"), is_base64_encoded=False)
        return HttpResponse(
            parse_status(result["statusCode"]), [("content-type", DEFAULT_CONTENT_TYPE)], body
        )
    headers = parse_headers(result.get("headers"))
    if version == "1.0":
        headers = _merge_multi_value(headers, result.get("multiValueHeaders"))
    else:
        headers += [("set-cookie", value) for value in parse_cookies(result.get("cookies"))]
    if all(name.lower() != "content-type" for name, _ in headers):
        headers.append(("content-type", DEFAULT_CONTENT_TYPE))
    return HttpResponse(
        parse_status(result["statusCode"]),
        [(name, value) for name, value in headers if name.lower() not in FRAMING],
        _parse_body(result.get("body"), result.get("isBase64Encoded")),
    )


def _merge_multi_value(headers: Headers, value: object) -> Headers:
    """Format 1.0: ``multiValueHeaders`` win over ``headers`` of the same name."""
    if value is None:
        return headers
    if not isinstance(value, dict) or not all(isinstance(v, list) for v in value.values()):
        raise internal_server_error()
    multi = [parse_header(name, item) for name, items in value.items() for item in items]
    replaced = {name.lower() for name, _ in multi}
    return [(n, v) for n, v in headers if n.lower() not in replaced] + multi


def _parse_body(value: object, is_base64_encoded: object) -> bytes:
    if value is None:
        return b""
    if not isinstance(value, str):
        raise internal_server_error()
    if is_base64_encoded is not True:
        return value.encode("utf-8", errors="replace")
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise internal_server_error() from None
