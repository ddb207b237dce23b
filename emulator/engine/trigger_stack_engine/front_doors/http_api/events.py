"""The event a Lambda function receives from an HTTP API.

AWS topic: "Create AWS Lambda proxy integrations for HTTP APIs in API Gateway", payload format
versions 2.0 and 1.0. Where AWS's service differs from that page, the service is followed:
``rawPath`` and ``path`` arrive percent-decoded and with the stage's name in front.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from trigger_stack_engine.front_doors.core.encoding import parse_query, percent_decode
from trigger_stack_engine.front_doors.core.event_parts import (
    HOP_BY_HOP,
    encode_body,
    format_second,
    format_time,
    host_name,
    joined,
    split_cookies,
)
from trigger_stack_engine.front_doors.core.message import Headers, HttpRequest
from trigger_stack_engine.front_doors.core.routing import Match

Event = dict[str, Any]

_DROPPED: Final = HOP_BY_HOP | {"x-forwarded-port", "x-forwarded-proto"}


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
    headers = _joined_headers(request, call)
    cookie = headers.pop("cookie", None)
    stamp = call.time.timestamp()

    event: Event = {
        "version": "2.0",
        "routeKey": match.route.key,
        "rawPath": path,
        "rawQueryString": request.raw_query,
    }
    if cookie is not None:
        event["cookies"] = split_cookies(request)
    event["headers"] = headers
    if query:
        event["queryStringParameters"] = joined(query)
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
        "time": format_second(int(stamp)),
        "timeEpoch": int(stamp * 1000),
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
    headers: Headers = []
    present = set()
    hops = []
    for name, value in request.headers:
        key = name.lower()
        if key == "x-forwarded-for":
            hops.append(value)
        elif key not in _DROPPED:
            headers.append((name, value))
            present.add(key)
    if "content-length" not in present:
        headers.append(("Content-Length", str(len(request.body))))
    if "x-amzn-trace-id" not in present:
        headers.append(("X-Amzn-Trace-Id", call.trace_id))
    headers.append(("X-Forwarded-For", ", ".join([*hops, request.source_ip])))
    headers.append(("X-Forwarded-Port", str(request.port)))
    headers.append(("X-Forwarded-Proto", request.scheme))
    return headers


def _joined_headers(request: HttpRequest, call: CallContext) -> dict[str, str]:
    """The same with names in lower case, and values of the same name together."""
    headers: dict[str, str] = {}
    hops = request.source_ip
    before = []
    for name, value in request.headers:
        key = name.lower()
        if key in headers:
            headers[key] = f"{headers[key]},{value}"
        elif key == "x-forwarded-for":
            before.append(value)
        elif key not in _DROPPED:
            headers[key] = value
    if before:
        hops = ", ".join([*before, hops])
    if "content-length" not in headers:
        headers["content-length"] = str(len(request.body))
    if "x-amzn-trace-id" not in headers:
        headers["x-amzn-trace-id"] = call.trace_id
    headers["x-forwarded-for"] = hops
    headers["x-forwarded-port"] = str(request.port)
    headers["x-forwarded-proto"] = request.scheme
    return headers


def _domain(request: HttpRequest, call: CallContext) -> tuple[str, str]:
    """``domainName`` and ``domainPrefix``: the host the client asked for, and its first label."""
    name = host_name(request) or f"{call.api_id}.execute-api.localhost"
    return name, name.partition(".")[0]


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    result: dict[str, list[str]] = {}
    for name, value in pairs:
        result.setdefault(name, []).append(value)
    return result
