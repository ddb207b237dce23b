"""The event that a REST API sends to a function, and the response that the result becomes.

AWS topic: API Gateway Developer Guide, "Lambda proxy integrations in API Gateway", "Input format of
a Lambda function for proxy integration" and "Output format". Unlike an HTTP API, a REST API leaves
the path and its parameters percent-encoded, and a body is text unless its type is one of the API's
``binaryMediaTypes``: bytes that are no UTF-8 are then lost, as on AWS.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from trigger_stack_engine.front_doors.core.callers import Caller
from trigger_stack_engine.front_doors.core.encoding import parse_query
from trigger_stack_engine.front_doors.core.event_parts import HOP_BY_HOP, format_time, host_name
from trigger_stack_engine.front_doors.core.message import (
    Headers,
    HttpError,
    HttpRequest,
    HttpResponse,
)
from trigger_stack_engine.front_doors.core.responses import parse_header, parse_status
from trigger_stack_engine.front_doors.rest_api.api import Method
from trigger_stack_engine.json_text import load_json

Event = dict[str, Any]

_NOT_IN_EVENT: Final = HOP_BY_HOP | {
    "content-length",
    "content-md5",
    "expect",
    "max-forwards",
    "proxy-authenticate",
    "server",
    "www-authenticate",
    "x-forwarded-for",
    "x-forwarded-port",
    "x-forwarded-proto",
}
_SPELLED: Final = {"authorization": "Authorization", "user-agent": "User-Agent", "host": "Host"}
_RESULT_FIELDS: Final = {"statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"}
#: Headers that the service sets itself; a function's own come with another name.
_REMAPPED: Final = {"connection", "content-length", "date", "server"}


@dataclass(slots=True)
class CallContext:
    """What an event has that does not come from the HTTP request.

    Attributes:
        account: Account of the API.
        api_id: Id of the API.
        stage: Name of the stage.
        stage_variables: Its variables.
        deployment_id: The deployment that serves the request.
        is_canary: Whether it is the canary; ``None`` for a stage without one.
        method: The method that serves it; ``None`` before it is known.
        path: Percent-encoded path below the stage.
        path_parameters: Path parameters, percent-encoded.
        request_id: Also sent as ``x-amzn-requestid``.
        extended_request_id: Also sent as ``x-amz-apigw-id``.
        trace_id: Value of ``X-Amzn-Trace-Id``.
        time: When the request came, timezone-aware.
        caller: Who signed the request.
        api_key: Id and value of its API key.
        authorizer: What an authorizer said of the caller.
    """

    account: str
    api_id: str
    stage: str
    stage_variables: Mapping[str, str]
    deployment_id: str
    is_canary: bool | None
    request_id: str
    extended_request_id: str
    trace_id: str
    time: datetime
    path: str
    method: Method | None = None
    path_parameters: dict[str, str] = field(default_factory=dict)
    caller: Caller | None = None
    api_key: tuple[str, str] | None = None
    authorizer: Mapping[str, Any] | None = None


def build_event(request: HttpRequest, call: CallContext, binary_types: Sequence[str]) -> Event:
    """The event.

    Args:
        request: The request.
        call: Everything else.
        binary_types: The API's ``binaryMediaTypes``.

    Raises:
        HttpError: 400 when the query string cannot be decoded.
    """
    assert call.method is not None
    query = grouped(parse_query(request.raw_query))
    headers = forwarded_headers(request, call)
    body, is_base64_encoded = _encode_body(request, binary_types)
    return {
        "resource": call.method.resource_path,
        "path": call.path,
        "httpMethod": request.method,
        "headers": {name: values[-1] for name, values in headers.items()},
        "multiValueHeaders": headers,
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": call.path_parameters or None,
        "stageVariables": dict(call.stage_variables) or None,
        "requestContext": request_context(request, call),
        "body": body,
        "isBase64Encoded": is_base64_encoded,
    }


def request_context(request: HttpRequest, call: CallContext) -> dict[str, Any]:
    """``requestContext``; also the values of ``$context`` in templates."""
    domain = host_name(request) or f"{call.api_id}.execute-api.localhost"
    caller = call.caller
    identity: dict[str, Any] = {
        "accessKey": caller.access_key if caller else None,
        "accountId": caller.account if caller else None,
        "caller": caller.user_id if caller else None,
        "cognitoAuthenticationProvider": None,
        "cognitoAuthenticationType": None,
        "cognitoIdentityId": None,
        "cognitoIdentityPoolId": None,
        "principalOrgId": None,
        "sourceIp": request.source_ip,
        "user": caller.user_id if caller else None,
        "userAgent": request.header("user-agent"),
        "userArn": caller.arn if caller else None,
    }
    if call.api_key is not None:
        identity["apiKeyId"], identity["apiKey"] = call.api_key
    context: dict[str, Any] = {
        "accountId": call.account,
        "apiId": call.api_id,
        "deploymentId": call.deployment_id,
        "domainName": domain,
        "domainPrefix": domain.partition(".")[0],
        "extendedRequestId": call.extended_request_id,
        "httpMethod": request.method,
        "identity": identity,
        "path": f"/{call.stage}{call.path}",
        "protocol": request.protocol,
        "requestId": call.request_id,
        "requestTime": format_time(call.time),
        "requestTimeEpoch": int(call.time.timestamp() * 1000),
        "stage": call.stage,
    }
    if call.method is not None:
        context["resourceId"] = call.method.resource_id
        context["resourcePath"] = call.method.resource_path
        if operation := call.method.attributes.get("operationName"):
            context["operationName"] = operation
    if call.is_canary is not None:
        context["isCanaryRequest"] = call.is_canary
    if call.authorizer is not None:
        context["authorizer"] = dict(call.authorizer)
    return context


def forwarded_headers(request: HttpRequest, call: CallContext) -> dict[str, list[str]]:
    """The client's headers and those that API Gateway adds; names as they were sent first."""
    spelling: dict[str, str] = {}
    pairs = [
        (spelling.setdefault(name.lower(), _SPELLED.get(name.lower(), name)), value)
        for name, value in request.headers
        if name.lower() not in _NOT_IN_EVENT
    ]
    if "x-amzn-trace-id" not in spelling:
        pairs.append(("X-Amzn-Trace-Id", call.trace_id))
    hops = [value for name, value in request.headers if name.lower() == "x-forwarded-for"]
    pairs.append(("X-Forwarded-For", ", ".join([*hops, request.source_ip])))
    pairs.append(("X-Forwarded-Port", str(request.port)))
    pairs.append(("X-Forwarded-Proto", request.scheme))
    return grouped(pairs)


def grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """All values of each name."""
    result: dict[str, list[str]] = {}
    for name, value in pairs:
        result.setdefault(name, []).append(value)
    return result


def is_binary(media_types: str | None, binary_types: Sequence[str]) -> bool:
    """Whether the first of some media types is one of an API's ``binaryMediaTypes``.

    AWS topic: "Content type conversions in API Gateway". ``*/*`` stands for every type, also for
    none.

    Args:
        media_types: A ``Content-Type`` or ``Accept`` header.
        binary_types: Such as ``image/png``, ``image/*`` or ``*/*``.
    """
    if not binary_types:
        return False
    if "*/*" in binary_types:
        return True
    first = (media_types or "").partition(",")[0].partition(";")[0].strip().lower()
    return bool(first) and any(
        one.lower() in (first, f"{first.partition('/')[0]}/*") for one in binary_types
    )


def _encode_body(request: HttpRequest, binary_types: Sequence[str]) -> tuple[str | None, bool]:
    if not request.body:
        return None, False
    if is_binary(request.header("content-type"), binary_types):
        return base64.b64encode(request.body).decode("ascii"), True
    return request.body.decode("utf-8", errors="replace"), False


class MalformedResultError(Exception):
    """A function's result that is no response."""


def parse_result(payload: bytes, accept: str | None, binary_types: Sequence[str]) -> HttpResponse:
    """The response for a function's result.

    No field has to be there, and no other may be. A body is decoded from base64 when the function
    says so and the client accepts one of the API's ``binaryMediaTypes``.

    Args:
        payload: What the function returned, as JSON.
        accept: The request's ``Accept`` header.
        binary_types: The API's ``binaryMediaTypes``.

    Raises:
        MalformedResultError: It describes no response.
    """
    try:
        result = load_json(payload)
    except (ValueError, RecursionError):
        raise MalformedResultError from None
    if not isinstance(result, dict) or not result.keys() <= _RESULT_FIELDS:
        raise MalformedResultError
    try:
        status = parse_status(200 if result.get("statusCode") is None else result["statusCode"])
        headers = _headers(result.get("headers"), result.get("multiValueHeaders"))
    except HttpError:
        raise MalformedResultError from None
    if all(name.lower() != "content-type" for name, _ in headers):
        headers.append(("content-type", "application/json"))
    body = result.get("body")
    if body is not None and not isinstance(body, str):
        raise MalformedResultError
    content = (body or "").encode("utf-8", errors="replace")
    if result.get("isBase64Encoded") is True and is_binary(accept, binary_types):
        try:
            content = base64.b64decode(body or "", validate=True)
        except (binascii.Error, ValueError):
            raise MalformedResultError from None
    return HttpResponse(status, headers, content)


def _headers(single: object, multi: object) -> Headers:
    """Both kinds of headers together: a name in both has all of its values."""
    single, multi = _mapping(single), _mapping(multi)
    pairs: list[tuple[str, object]] = []
    for name, values in multi.items():
        if not isinstance(values, list):
            raise MalformedResultError
        pairs += [(name, value) for value in values]
    known = {(name.lower(), str(value)) for name, value in pairs}
    for name, value in single.items():
        if value is not None and (name.lower(), str(value)) not in known:
            pairs.append((name, value))
    return remap([parse_header(name, value) for name, value in pairs])


def _mapping(value: object) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise MalformedResultError
    return value


def remap(headers: Headers) -> Headers:
    """An integration's headers under the names with which API Gateway hands them on."""
    return [
        (f"x-amzn-remapped-{name.lower()}" if name.lower() in _REMAPPED else name, value)
        for name, value in headers
        if name.lower() not in ("transfer-encoding", "keep-alive")
    ]
