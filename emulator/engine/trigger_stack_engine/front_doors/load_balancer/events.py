"""The event a function gets from a load balancer, and the response that its result becomes.

AWS topics: User Guide for Application Load Balancers, "Use Lambda functions as targets", "Load
balancer attributes" and "HTTP headers and Application Load Balancers". Neither the path nor query
parameters are percent-decoded.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any, Final

from trigger_stack_engine.front_doors.core.event_parts import HOP_BY_HOP, is_text, new_trace_id
from trigger_stack_engine.front_doors.core.message import (
    Headers,
    HttpError,
    HttpRequest,
    HttpResponse,
)
from trigger_stack_engine.front_doors.core.responses import FRAMING, parse_header
from trigger_stack_engine.front_doors.load_balancer.balancer import (
    APPEND,
    RequestHeaders,
    TargetGroup,
)
from trigger_stack_engine.front_doors.load_balancer.responses import SERVER, reason_of
from trigger_stack_engine.front_doors.load_balancer.rules import raw_parameters
from trigger_stack_engine.json_text import load_json

HEALTH_CHECKER: Final = "ELB-HealthChecker/2.0"
MAX_RESULT_BYTES: Final = 1024 * 1024
#: The type of a response whose function names none.
_UNKNOWN_TYPE: Final = ("content-type", "application/octet-stream")
_REPLACED: Final = frozenset(
    {"x-amzn-trace-id", "x-forwarded-for", "x-forwarded-port", "x-forwarded-proto"}
)
_DROPPED: Final = (HOP_BY_HOP | _REPLACED) - {"connection"}  # which functions get to see
_VALID_NAME: Final = re.compile(r"[-A-Za-z0-9]+")
_DESCRIPTION: Final = re.compile(r"[0-9]{3}(?: ([^\r\n\0]*))?", re.ASCII)


def trace_header(sent: str | None) -> str:
    """``X-Amzn-Trace-Id`` as it is handed on.

    A load balancer keeps what a client sends, and names its own span ``Self``.
    """
    own = new_trace_id()
    kept = [part for part in (sent or "").split(";") if part and not part.startswith("Self=")]
    if not kept:
        return own
    return ";".join([own.replace("Root=", "Self="), *kept])


def build_event(
    group: TargetGroup,
    request: HttpRequest,
    *,
    scheme: str,
    settings: RequestHeaders,
    trace_id: str,
) -> dict[str, Any]:
    """The event of a request.

    Args:
        group: Where it is forwarded to.
        request: The request.
        scheme: ``http`` or ``https``: the protocol of the listener.
        settings: What is done with its headers.
        trace_id: ``X-Amzn-Trace-Id``.
    """
    headers = [
        (k.lower(), v)
        for k, v in request.headers
        if k.lower() not in _DROPPED and (not settings.drops_invalid or _VALID_NAME.fullmatch(k))
    ]
    headers.append(("x-amzn-trace-id", trace_id))
    if settings.forwarded_for != "remove":
        hops = [v for k, v in request.headers if k.lower() == "x-forwarded-for"]
        if settings.forwarded_for == APPEND:
            hops.append(_address(request, with_port=settings.with_port))
        headers += [("x-forwarded-for", ", ".join(hops))] if hops else []
    headers.append(("x-forwarded-port", str(request.port)))
    headers.append(("x-forwarded-proto", scheme))
    body, is_base64_encoded = _encode_body(request)
    parameters = raw_parameters(request.raw_query)
    return _event(
        group, request.method, request.raw_path, parameters, headers, body, is_base64_encoded
    )


def _address(request: HttpRequest, *, with_port: bool) -> str:
    """The client's address as ``X-Forwarded-For`` has it."""
    address = request.source_ip
    if not with_port or not request.source_port:
        return address
    return f"{f'[{address}]' if ':' in address else address}:{request.source_port}"


def build_health_check(group: TargetGroup) -> dict[str, Any]:
    """The event of a health check."""
    path, _, query = group.health.path.partition("?")
    headers = [("user-agent", HEALTH_CHECKER)]
    return _event(group, "GET", path, raw_parameters(query), headers, "", False)


def _event(
    group: TargetGroup,
    method: str,
    path: str,
    parameters: list[tuple[str, str]],
    headers: Headers,
    body: str,
    is_base64_encoded: bool,
) -> dict[str, Any]:
    event: dict[str, Any] = {
        "requestContext": {"elb": {"targetGroupArn": group.arn}},
        "httpMethod": method,
        "path": path,
    }
    if group.multi_value_headers:
        event["multiValueQueryStringParameters"] = _all_values(parameters)
        event["multiValueHeaders"] = _all_values(headers)
    else:
        event["queryStringParameters"] = dict(parameters)  # the last value of a name
        event["headers"] = dict(headers)
    event["body"] = body
    event["isBase64Encoded"] = is_base64_encoded
    return event


def _all_values(pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    return values


def _encode_body(request: HttpRequest) -> tuple[str, bool]:
    if not request.body:
        return "", False
    if is_text(request.header("content-type")) and request.header("content-encoding") is None:
        try:
            return request.body.decode("utf-8"), False
        except UnicodeDecodeError:
            pass  # JSON strings cannot carry these bytes
    return base64.b64encode(request.body).decode("ascii"), True


class MalformedResultError(Exception):
    """A function's result that is no response; the text says why."""


def parse_result(payload: bytes, *, multi_value_headers: bool) -> HttpResponse:
    """The response for a function's result.

    Args:
        payload: The result.
        multi_value_headers: Whether headers come as lists, in ``multiValueHeaders``.

    Raises:
        MalformedResultError: It describes no response, or is larger than 1 MB.
    """
    if len(payload) > MAX_RESULT_BYTES:
        raise MalformedResultError(f"it is larger than {MAX_RESULT_BYTES} bytes")
    try:
        result = load_json(payload)
    except (ValueError, RecursionError):
        raise MalformedResultError("it is no JSON") from None
    if not isinstance(result, dict):
        raise MalformedResultError("it is no object")
    status = _parse_status(result.get("statusCode"))
    headers = _parse_headers(result, multi_value_headers=multi_value_headers)
    names = {name.lower() for name, _ in headers}
    if "content-type" not in names:
        headers.append(_UNKNOWN_TYPE)
    if "server" not in names:
        headers.append(SERVER)
    description = _DESCRIPTION.fullmatch(str(result.get("statusDescription") or ""))
    reason = (description[1] or "") if description else reason_of(status)
    return HttpResponse(status, headers, _parse_body(result), reason=reason)


def _parse_status(value: object) -> int:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{3}", value, re.ASCII):
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 200 <= value <= 599:
        return value
    raise MalformedResultError(f"statusCode is {value!r}")


def _parse_headers(result: dict[str, Any], *, multi_value_headers: bool) -> Headers:
    name = "multiValueHeaders" if multi_value_headers else "headers"
    given = result.get(name)
    if given is None:
        return []
    if not isinstance(given, dict):
        raise MalformedResultError(f"{name} is no object")
    headers: Headers = []
    for key, value in given.items():
        values = value if multi_value_headers else [value]
        if not isinstance(values, list) or not all(isinstance(one, str) for one in values):
            wanted = "a list of strings" if multi_value_headers else "a string"
            raise MalformedResultError(f"the value of header {key!r} is not {wanted}")
        try:
            headers += [parse_header(key, one) for one in values]
            "".join(values).encode()
        except (HttpError, UnicodeEncodeError):
            raise MalformedResultError(f"header {key!r} cannot be sent") from None
    return [(key, value) for key, value in headers if key.lower() not in FRAMING]


def _parse_body(result: dict[str, Any]) -> bytes:
    body = result.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise MalformedResultError("body is no string")
    if result.get("isBase64Encoded") is not True:
        return body.encode("utf-8", errors="replace")
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raise MalformedResultError("body is no Base64") from None
