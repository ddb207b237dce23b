"""The event a function gets from its URL, and the response that its result becomes.

AWS topic: AWS Lambda Developer Guide, "Invoking Lambda function URLs", "Request and response
payloads". Unlike an HTTP API, a function URL leaves ``rawPath`` percent-encoded.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from trigger_stack_engine.front_doors.core.callers import Caller
from trigger_stack_engine.front_doors.core.encoding import parse_query, percent_decode
from trigger_stack_engine.front_doors.core.event_parts import (
    HOP_BY_HOP,
    encode_body,
    format_time,
    host_name,
    joined,
    split_cookies,
)
from trigger_stack_engine.front_doors.core.message import Headers, HttpError, HttpRequest
from trigger_stack_engine.front_doors.core.responses import (
    FRAMING,
    parse_cookies,
    parse_headers,
    parse_status,
)
from trigger_stack_engine.front_doors.function_url.url import FunctionUrl
from trigger_stack_engine.json_text import load_json

#: Ends the head of a streamed response (``awslambda.HttpResponseStream``).
END_OF_HEAD = b"\0" * 8
#: The type of a streamed response that begins with a head.
HEAD_AND_BODY = "application/vnd.awslambda.http-integration-response"
_UNKNOWN = "application/octet-stream"
_REPLACED = frozenset(
    {"x-amzn-trace-id", "x-forwarded-for", "x-forwarded-port", "x-forwarded-proto"}
)


def build_event(
    url: FunctionUrl,
    request: HttpRequest,
    path: str,
    *,
    request_id: str,
    trace_id: str,
    time: datetime,
    caller: Caller | None,
) -> dict[str, Any]:
    """The event in payload format 2.0.

    Args:
        url: The function URL.
        request: The request.
        path: Percent-encoded path below the URL.
        request_id: Of the invocation.
        trace_id: ``X-Amzn-Trace-Id``.
        time: When the request came, timezone-aware.
        caller: Who signed it; ``None`` without ``AWS_IAM``.

    Raises:
        HttpError: 400 when the path or the query string cannot be decoded.
    """
    percent_decode(path)
    query = parse_query(request.raw_query)
    body, is_base64_encoded = encode_body(request)
    headers = joined((name.lower(), value) for name, value in _headers(request, trace_id))
    has_cookies = headers.pop("cookie", None) is not None
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": request.raw_query,
    }
    if has_cookies:
        event["cookies"] = split_cookies(request)
    event["headers"] = headers
    if query:
        event["queryStringParameters"] = joined(query)
    context: dict[str, Any] = {
        "accountId": caller.account if caller else "anonymous",
        "apiId": url.url_id,
        "domainName": host_name(request) or f"{url.url_id}.lambda-url.{url.region}.localhost",
        "domainPrefix": url.url_id,
        "http": {
            "method": request.method,
            "path": path,
            "protocol": request.protocol,
            "sourceIp": request.source_ip,
            "userAgent": headers.get("user-agent", ""),
        },
        "requestId": request_id,
        "routeKey": "$default",
        "stage": "$default",
        "time": format_time(time),
        "timeEpoch": int(time.timestamp() * 1000),
    }
    if caller is not None:
        context["authorizer"] = {
            "iam": {
                "accessKey": caller.access_key,
                "accountId": caller.account,
                "callerId": caller.user_id,
                "cognitoIdentity": None,
                "principalOrgId": None,
                "userArn": caller.arn,
                "userId": caller.user_id,
            }
        }
    event["requestContext"] = context
    if body is not None:
        event["body"] = body
    event["isBase64Encoded"] = is_base64_encoded
    return event


def _headers(request: HttpRequest, trace_id: str) -> Headers:
    dropped = HOP_BY_HOP | _REPLACED
    if (request.header("authorization") or "").startswith("AWS4-HMAC-SHA256"):
        dropped |= {"authorization"}  # a signature is not handed on
    headers = [(k, v) for k, v in request.headers if k.lower() not in dropped]
    hops = [v for k, v in request.headers if k.lower() == "x-forwarded-for"]
    headers.append(("x-amzn-trace-id", trace_id))
    headers.append(("x-forwarded-for", ", ".join([*hops, request.source_ip])))
    headers.append(("x-forwarded-port", str(request.port)))
    headers.append(("x-forwarded-proto", request.scheme))
    return headers


class MalformedResultError(Exception):
    """A function's result that is no response."""


@dataclass(slots=True)
class Reply:
    """A response without what the service adds."""

    status: int
    headers: Headers
    body: bytes


def parse_result(payload: bytes) -> Reply:
    """The response for a function's result.

    A mapping with ``statusCode`` or ``body`` describes the response; anything else is the body of a
    200, a text without its quotes.

    Raises:
        MalformedResultError: It describes no response.
    """
    try:
        result = load_json(payload)
    except (ValueError, RecursionError):
        return Reply(200, [("content-type", "application/json")], payload)
    if isinstance(result, str):
        return Reply(200, [("content-type", "application/json")], result.encode())
    if not isinstance(result, dict) or not {"statusCode", "body"} & result.keys():
        return Reply(200, [("content-type", "application/json")], payload)
    head = _parse_head(result)
    return Reply(head.status, head.headers, _parse_body(result))


def parse_stream(content_type: str, payload: bytes) -> Reply:
    """The response for a streamed result: with ``HEAD_AND_BODY`` eight NULs end its head.

    Without a head the response has the type that the function gave its stream
    (``responseStream.setContentType``): NULs are a part of the body then.

    Args:
        content_type: Of the stream, as the runtime sends it.
        payload: What has come of it, the whole head at least.

    Raises:
        MalformedResultError: The head describes no response.
    """
    if content_type != HEAD_AND_BODY:
        return Reply(200, [("content-type", content_type or _UNKNOWN)], payload)
    head, separator, body = payload.partition(END_OF_HEAD)
    if not separator:
        return Reply(200, [("content-type", _UNKNOWN)], payload)
    try:
        described = load_json(head)
    except (ValueError, RecursionError):
        raise MalformedResultError from None
    if not isinstance(described, dict):
        raise MalformedResultError
    parsed = _parse_head(described)
    return Reply(parsed.status, parsed.headers, body)


def _parse_head(result: dict[str, Any]) -> Reply:
    try:
        headers = parse_headers(result.get("headers"))
        headers += [("set-cookie", value) for value in parse_cookies(result.get("cookies"))]
        status = parse_status(result.get("statusCode", 200))
    except HttpError:
        raise MalformedResultError from None
    if all(name.lower() != "content-type" for name, _ in headers):
        headers.append(("content-type", "application/json"))
    return Reply(status, [(n, v) for n, v in headers if n.lower() not in FRAMING], b"")


def _parse_body(result: dict[str, Any]) -> bytes:
    body = result.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
    if result.get("isBase64Encoded") is not True:
        return body.encode("utf-8", errors="replace")
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raise MalformedResultError from None
