"""The event a Lambda function receives from an HTTP API.

AWS topic: "Create AWS Lambda proxy integrations for HTTP APIs in API Gateway", payload format
versions 2.0 and 1.0. Where AWS's service differs from that page, the service is followed:
``rawPath`` and ``path`` arrive percent-decoded and with the stage's name in front.
"""

from __future__ import annotations

import base64
import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from trigger_stack_engine.front_doors.core.encoding import parse_query, percent_decode
from trigger_stack_engine.front_doors.core.message import Headers, HttpRequest
from trigger_stack_engine.front_doors.http_api.routing import Match

Event = dict[str, Any]

_TEXT_TYPES: Final = frozenset(
    {"application/json", "application/javascript", "application/xml"},
)
# Hop-by-hop headers (RFC 9110, section 7.6.1) concern one connection, not the request.
_HOP_BY_HOP: Final = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_MONTHS: Final = [
    "Jan",
    "Feb",
    "Mar",
    "Apr",
    "May",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "Dec",
]


@dataclass(slots=True)
class CallContext:
    """The values of an event that do not come from the HTTP request.

    Attributes:
        request_id: Extended request id, also sent as ``apigw-requestid``.
        trace_id: Value of ``x-amzn-trace-id`` for a request that brings none.
        time: When the request was received, timezone-aware.
    """

    account_id: str
    api_id: str
    stage: str
    stage_variables: Mapping[str, str]
    request_id: str
    trace_id: str
    time: datetime


def is_text(content_type: str | None) -> bool:
    """Whether a body of this type reaches the function as text and not base64-encoded.

    AWS's guide says "binary" without naming types. The service treats ``text/*`` and JSON, XML
    and JavaScript by their exact names as text, and everything else as binary: forms
    (``application/x-www-form-urlencoded``), ``+json`` suffixes and a missing type too.
    """
    media_type = (content_type or "").partition(";")[0].strip().lower()
    return media_type.startswith("text/") or media_type in _TEXT_TYPES


def encode_body(request: HttpRequest) -> tuple[str | None, bool]:
    """The event's ``body`` (``None`` when there is none) and ``isBase64Encoded``."""
    if not request.body:
        return None, False
    if is_text(request.header("content-type")):
        try:
            return request.body.decode("utf-8"), False
        except UnicodeDecodeError:
            # JSON strings cannot carry these bytes: base64 is the only way not to lose any.
            pass
    return base64.b64encode(request.body).decode("ascii"), True


def format_time(time: datetime) -> str:
    """``requestContext.time``, for example ``12/Mar/2020:19:03:58 +0000``; no locale involved."""
    return _format_second(int(time.timestamp()))


@functools.lru_cache(maxsize=8)
def _format_second(second: int) -> str:
    utc = datetime.fromtimestamp(second, UTC)
    return f"{utc:%d}/{_MONTHS[utc.month - 1]}/{utc:%Y:%H:%M:%S} +0000"


def build_event(version: str, request: HttpRequest, match: Match, call: CallContext) -> Event:
    """The event in payload format ``1.0`` or ``2.0``.

    Raises:
        HttpError: 400 when path or query string cannot be decoded.
    """
    build = build_event_v1 if version == "1.0" else build_event_v2
    return build(request, match, call)


def build_event_v2(request: HttpRequest, match: Match, call: CallContext) -> Event:
    """The event in payload format 2.0: absent parts are left out.

    Raises:
        HttpError: 400 when path or query string cannot be decoded.
    """
    path = percent_decode(request.raw_path)
    query = parse_query(request.raw_query)
    domain, prefix = _domain(request, call)
    body, is_base64_encoded = encode_body(request)
    headers = _joined((k.lower(), v) for k, v in _forwarded_headers(request, call))
    cookie = headers.pop("cookie", None)

    event: Event = {
        "version": "2.0",
        "routeKey": match.route.key,
        "rawPath": path,
        "rawQueryString": request.raw_query,
    }
    if cookie is not None:
        event["cookies"] = [
            part.strip()
            for name, value in request.headers
            if name.lower() == "cookie"
            for part in value.split(";")
            if part.strip()
        ]
    event["headers"] = headers
    if query:
        event["queryStringParameters"] = _joined(query)
    event["requestContext"] = {
        "accountId": call.account_id,
        "apiId": call.api_id,
        "domainName": domain,
        "domainPrefix": prefix,
        "http": {
            "method": request.method,
            "path": path,
            "protocol": request.protocol,
            "sourceIp": request.source_ip,
            "userAgent": headers.get("user-agent", ""),
        },
        "requestId": call.request_id,
        "routeKey": match.route.key,
        "stage": call.stage,
        "time": format_time(call.time),
        "timeEpoch": int(call.time.timestamp() * 1000),
    }
    if match.path_parameters:
        event["pathParameters"] = match.path_parameters
    if call.stage_variables:
        event["stageVariables"] = dict(call.stage_variables)
    if body is not None:
        event["body"] = body
    event["isBase64Encoded"] = is_base64_encoded
    return event


def build_event_v1(request: HttpRequest, match: Match, call: CallContext) -> Event:
    """The event in payload format 1.0 as HTTP APIs send it: absent parts are ``null``.

    Raises:
        HttpError: 400 when path or query string cannot be decoded.
    """
    path = percent_decode(request.raw_path)
    multi_query = _grouped(parse_query(request.raw_query))
    spelling: dict[str, str] = {}
    multi_headers = _grouped(
        (spelling.setdefault(k.lower(), k), v) for k, v in _forwarded_headers(request, call)
    )
    domain, prefix = _domain(request, call)
    body, is_base64_encoded = encode_body(request)
    resource = match.route.path or match.route.key
    return {
        "version": "1.0",
        "resource": resource,
        "path": path,
        "httpMethod": request.method,
        "headers": {name: values[-1] for name, values in multi_headers.items()},
        "multiValueHeaders": multi_headers,
        "queryStringParameters": {k: v[-1] for k, v in multi_query.items()} or None,
        "multiValueQueryStringParameters": multi_query or None,
        "requestContext": {
            "accountId": call.account_id,
            "apiId": call.api_id,
            "authorizer": {"claims": None, "scopes": None},
            "domainName": domain,
            "domainPrefix": prefix,
            "extendedRequestId": call.request_id,
            "httpMethod": request.method,
            "identity": {
                "accessKey": None,
                "accountId": None,
                "caller": None,
                "cognitoAmr": None,
                "cognitoAuthenticationProvider": None,
                "cognitoAuthenticationType": None,
                "cognitoIdentityId": None,
                "cognitoIdentityPoolId": None,
                "principalOrgId": None,
                "sourceIp": request.source_ip,
                "user": None,
                "userAgent": request.header("user-agent") or "",
                "userArn": None,
            },
            "path": path,
            "protocol": request.protocol,
            "requestId": call.request_id,
            "requestTime": format_time(call.time),
            "requestTimeEpoch": int(call.time.timestamp() * 1000),
            "resourceId": match.route.key,
            "resourcePath": resource,
            "stage": call.stage,
        },
        "pathParameters": match.path_parameters or None,
        "stageVariables": dict(call.stage_variables) or None,
        "body": body,
        "isBase64Encoded": is_base64_encoded,
    }


def _forwarded_headers(request: HttpRequest, call: CallContext) -> Headers:
    """The client's headers plus those that API Gateway adds, spelled as it spells them."""
    dropped = _HOP_BY_HOP | {"x-forwarded-for", "x-forwarded-port", "x-forwarded-proto"}
    headers = [(k, v) for k, v in request.headers if k.lower() not in dropped]
    present = {name.lower() for name, _ in headers}
    if "content-length" not in present:
        headers.append(("Content-Length", str(len(request.body))))
    if "x-amzn-trace-id" not in present:
        headers.append(("X-Amzn-Trace-Id", call.trace_id))
    hops = [v for k, v in request.headers if k.lower() == "x-forwarded-for"]
    headers.append(("X-Forwarded-For", ", ".join([*hops, request.source_ip])))
    headers.append(("X-Forwarded-Port", str(request.port)))
    headers.append(("X-Forwarded-Proto", request.scheme))
    return headers


def _domain(request: HttpRequest, call: CallContext) -> tuple[str, str]:
    """``domainName`` and ``domainPrefix``: the host the client asked for, and its first label."""
    name = (request.header("host") or "").rpartition("@")[2]
    name = name.partition("]")[0] + "]" if name.startswith("[") else name.partition(":")[0]
    name = name or f"{call.api_id}.execute-api.localhost"
    return name, name.partition(".")[0]


def _joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    result: dict[str, str] = {}
    for name, value in pairs:
        result[name] = f"{result[name]},{value}" if name in result else value
    return result


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    result: dict[str, list[str]] = {}
    for name, value in pairs:
        result.setdefault(name, []).append(value)
    return result
