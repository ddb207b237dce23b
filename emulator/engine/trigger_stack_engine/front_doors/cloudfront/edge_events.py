"""The events of Lambda@Edge, and what is made of a function's result.

AWS topics: CloudFront Developer Guide, "Lambda@Edge event structure", "Work with requests and
responses", "Restrictions on all edge functions", "Restrictions on Lambda@Edge" and "Quotas on
Lambda@Edge". Sizes are in bytes.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import http
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from trigger_stack_engine.front_doors.cloudfront.distribution import (
    ORIGIN_REQUEST,
    ORIGIN_RESPONSE,
    VIEWER_REQUEST,
    VIEWER_RESPONSE,
    Distribution,
    EdgeFunction,
    Origin,
)
from trigger_stack_engine.front_doors.core.message import Headers, HttpRequest, HttpResponse

#: Of a body in an event, and of a response that a function makes.
VIEWER_BYTES: Final = 40 * 1024
ORIGIN_BYTES: Final = 1024 * 1024
MAX_URI: Final = 8192

#: What no function sees or may set; a name that ends in ``-`` stands for all that begin so.
DISALLOWED: Final = frozenset(
    {
        *("connection", "expect", "keep-alive", "proxy-authenticate", "proxy-authorization"),
        *("proxy-connection", "trailer", "upgrade", "x-accel-buffering", "x-accel-charset"),
        *("x-accel-limit-rate", "x-accel-redirect", "x-amzn-auth", "x-amzn-cf-billing"),
        *("x-amzn-cf-id", "x-amzn-cf-xff", "x-amzn-errortype", "x-amzn-fle-profile"),
        *("x-amzn-header-count", "x-amzn-header-order", "x-amzn-lambda-integration-tag"),
        *("x-amzn-requestid", "x-cache", "x-forwarded-proto", "x-real-ip"),
    }
)
_DISALLOWED_BEGINNINGS: Final = ("x-amz-cf-", "x-edge-")
#: What a function sees and may not change, by point.
READ_ONLY: Final = {
    VIEWER_REQUEST: frozenset({"content-length", "host", "transfer-encoding", "via"}),
    ORIGIN_REQUEST: frozenset(
        {
            *("accept-encoding", "content-length", "if-modified-since", "if-none-match"),
            *("if-range", "if-unmodified-since", "transfer-encoding", "via"),
        }
    ),
    ORIGIN_RESPONSE: frozenset({"transfer-encoding", "via"}),
    VIEWER_RESPONSE: frozenset(
        {"content-encoding", "content-length", "transfer-encoding", "warning", "via"}
    ),
}
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_BAD_VALUE: Final = re.compile("[\0\r\n\ud800-\udfff]")
_BAD_URI: Final = re.compile(r"[\x00-\x20\x7f?#]|[^\x00-\x7f]")
_BAD_QUERY: Final = re.compile(r"[\x00-\x20\x7f#]|[^\x00-\x7f]")
_STATUS: Final = re.compile(r"[2-5][0-9]{2}", re.ASCII)
_DOMAIN: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?(?::[0-9]{1,5})?")


class InvalidResultError(Exception):
    """A function's result is no request and no response; the text says why, for the viewer."""


@dataclass(slots=True)
class EdgeRequest:
    """What a function made of a request: a request, or a response to it.

    Attributes:
        origin: Where the request goes; only at the origin's request.
        response: The response that the function made; then nothing else counts.
    """

    request: HttpRequest
    origin: Origin | None = None
    response: HttpResponse | None = None


def is_disallowed(name: str) -> bool:
    """Whether functions neither see nor set a header; its name in lower case."""
    return name in DISALLOWED or name.startswith(_DISALLOWED_BEGINNINGS)


# -- events -----------------------------------------------------------------------------------


def build_event(
    distribution: Distribution,
    function: EdgeFunction,
    point: str,
    request: HttpRequest,
    *,
    request_id: str,
    origin: Origin | None = None,
    response: HttpResponse | None = None,
) -> dict[str, Any]:
    """The event of a function.

    Args:
        point: ``viewer-request``, …
        request_id: ``X-Amz-Cf-Id`` of the request.
        origin: Where the request goes, or has gone; only at the origin's points.
        response: The response so far; only at the response's points.
    """
    described: dict[str, Any] = {
        "clientIp": request.source_ip,
        "headers": _headers_of(request.headers),
        "method": request.method,
        "querystring": request.raw_query,
        "uri": request.raw_path,
    }
    if function.include_body and point in (VIEWER_REQUEST, ORIGIN_REQUEST):
        described["body"] = _body_of(request.body, _limit(point))
    if origin is not None and point in (ORIGIN_REQUEST, ORIGIN_RESPONSE):
        described["origin"] = _origin_of(origin)
    event: dict[str, Any] = {
        "config": {
            "distributionDomainName": distribution.domain,
            "distributionId": distribution.distribution_id,
            "eventType": point,
            "requestId": request_id,
        },
        "request": described,
    }
    if response is not None:
        event["response"] = {
            "headers": _headers_of(response.headers),
            "status": str(response.status),
            "statusDescription": response.reason or _reason(response.status),
        }
    return {"Records": [{"cf": event}]}


def _limit(point: str) -> int:
    return VIEWER_BYTES if point in (VIEWER_REQUEST, VIEWER_RESPONSE) else ORIGIN_BYTES


def _headers_of(headers: Headers) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = {}
    for name, value in headers:
        if not is_disallowed(name.lower()):
            found.setdefault(name.lower(), []).append({"key": name, "value": value})
    return found


def _body_of(body: bytes, limit: int) -> dict[str, Any]:
    return {
        "action": "read-only",
        "data": base64.b64encode(body[:limit]).decode("ascii"),
        "encoding": "base64",
        "inputTruncated": len(body) > limit,
    }


def _origin_of(origin: Origin) -> dict[str, Any]:
    custom_headers = _headers_of(origin.custom_headers)
    if origin.is_s3:
        has_identity = origin.access == "identity"
        described = {
            "authMethod": "origin-access-identity" if has_identity else "none",
            "customHeaders": custom_headers,
            "domainName": origin.domain,
            "path": origin.path,
        }
        if has_identity:
            match = re.search(r"\.s3[.-](?:dualstack\.)?([a-z]{2}-[a-z-]+-\d)\.", origin.domain)
            described["region"] = match[1] if match else "us-east-1"
        return {"s3": described}
    is_http = origin.protocol_policy == "http-only"
    return {
        "custom": {
            "customHeaders": custom_headers,
            "domainName": origin.domain,
            "keepaliveTimeout": origin.keepalive_s,
            "path": origin.path,
            "port": origin.http_port if is_http else origin.https_port,
            "protocol": "http" if is_http else "https",
            "readTimeout": int(origin.read_timeout_s),
            "sslProtocols": list(origin.ssl_protocols or ("TLSv1", "TLSv1.1", "TLSv1.2")),
        }
    }


def _reason(status: int) -> str:
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return ""


# -- results ----------------------------------------------------------------------------------


def parse_request_result(
    payload: bytes, point: str, request: HttpRequest, origin: Origin | None
) -> EdgeRequest:
    """What a function made of a request.

    Args:
        payload: Its result as JSON.
        point: ``viewer-request`` or ``origin-request``.
        request: What it was given.
        origin: What it was given; ``None`` at the viewer's request.

    Raises:
        InvalidResultError: It is neither a request nor a response that may be used.
    """
    result = _mapping(payload)
    if "status" in result:
        return EdgeRequest(request, response=_response(result, point, None))
    if result.get("method", request.method) != request.method:
        raise InvalidResultError("The function tried to change the method, which is read-only.")
    if result.get("clientIp", request.source_ip) != request.source_ip:
        raise InvalidResultError("The function tried to change clientIp, which is read-only.")
    uri, query = result.get("uri"), result.get("querystring", "")
    if not isinstance(uri, str) or not uri.startswith("/") or _BAD_URI.search(uri):
        raise InvalidResultError("The uri field must begin with / and be percent-encoded.")
    if not isinstance(query, str) or _BAD_QUERY.search(query):
        raise InvalidResultError("The querystring field must be percent-encoded text.")
    if len(uri) + len(query) > MAX_URI:
        raise InvalidResultError(f"The uri and querystring are longer than {MAX_URI} characters.")
    changed = dataclasses.replace(
        request,
        raw_path=uri,
        raw_query=query,
        headers=_headers(result.get("headers"), point, request.headers),
        body=_replaced_body(result.get("body"), point, request.body),
    )
    made = EdgeRequest(changed, origin)
    if point == ORIGIN_REQUEST and origin is not None and "origin" in result:
        made.origin = _origin(result["origin"], origin)
    return made


def parse_response_result(payload: bytes, point: str, response: HttpResponse) -> HttpResponse:
    """What a function made of a response.

    Raises:
        InvalidResultError: It is no response that may be used.
    """
    return _response(_mapping(payload), point, response)


def _mapping(payload: bytes) -> Mapping[str, Any]:
    try:
        result = json.loads(payload or b"null")
    except (ValueError, RecursionError):
        raise InvalidResultError("The result is not JSON.") from None
    if not isinstance(result, dict):
        raise InvalidResultError("The result must be a request or a response object.")
    return result


def _response(result: Mapping[str, Any], point: str, before: HttpResponse | None) -> HttpResponse:
    status = result.get("status")
    text = str(status) if not isinstance(status, bool) else ""
    if not isinstance(status, str | int) or not _STATUS.fullmatch(text):
        raise InvalidResultError("The status field must be a status code from 200 to 599.")
    if before is not None and point == VIEWER_RESPONSE and int(text) != before.status:
        raise InvalidResultError("The function tried to change the status at the viewer-response.")
    description = result.get("statusDescription")
    if description is not None and (
        not isinstance(description, str) or _BAD_VALUE.search(description)
    ):
        raise InvalidResultError("The statusDescription field must be text.")
    headers = _headers(result.get("headers"), point, before.headers if before else None)
    body, rest = (before.body, before.stream) if before else (b"", None)
    if (given := result.get("body")) is not None:
        body, rest = _decoded(given, result.get("bodyEncoding", "text")), None
        size = len(body) + sum(len(k) + len(v) + 4 for k, v in headers)
        if size > _limit(point):
            raise InvalidResultError(
                f"The response has {size} bytes, and {point} may have {_limit(point)}."
            )
    return HttpResponse(int(text), headers, body, rest, description or None)


def _decoded(body: object, encoding: object) -> bytes:
    if not isinstance(body, str):
        raise InvalidResultError("The body field must be text.")
    if encoding == "base64":
        try:
            return base64.b64decode(body, validate=True)
        except (binascii.Error, ValueError):
            raise InvalidResultError("The body field is not base64.") from None
    if encoding != "text":
        raise InvalidResultError("The encoding of a body must be text or base64.")
    try:
        return body.encode()
    except UnicodeEncodeError:
        raise InvalidResultError("The body field has half a character in it.") from None


def _replaced_body(given: object, point: str, before: bytes) -> bytes:
    if given is None:
        return before
    if not isinstance(given, dict):
        raise InvalidResultError("The body field of a request must be an object.")
    action = given.get("action", "read-only")
    if action == "read-only":
        return before
    if action != "replace":
        raise InvalidResultError("The action of a body must be read-only or replace.")
    body = _decoded(given.get("data", ""), given.get("encoding", "base64"))
    if len(body) > _limit(point):
        raise InvalidResultError(f"A body at {point} may have {_limit(point)} bytes.")
    return body


def _headers(given: object, point: str, before: Headers | None) -> Headers:
    """The headers of a result, and those of before that functions do not see.

    Raises:
        InvalidResultError: They are malformed, or change what may not be changed.
    """
    found = _given_headers(given)
    for name, _ in found:
        if is_disallowed(name.lower()):
            raise InvalidResultError(f"The function tried to add the disallowed header {name}.")
    kept: Headers = []
    if before is not None:
        for name in READ_ONLY[point]:
            if _of(found, name) != _of(before, name):
                raise InvalidResultError(
                    f"The function tried to add, delete, or change the read-only header {name}."
                )
        kept = [(name, value) for name, value in before if is_disallowed(name.lower())]
    else:
        for name in ("transfer-encoding", "content-length", "via"):
            if _of(found, name):
                raise InvalidResultError(f"The function tried to add the read-only header {name}.")
    return found + kept


def _of(headers: Headers, name: str) -> list[str]:
    return [value for key, value in headers if key.lower() == name]


def _given_headers(given: object) -> Headers:
    if given is None:
        return []
    if not isinstance(given, dict):
        raise InvalidResultError("The headers field must be an object.")
    found: Headers = []
    for name, entries in given.items():
        if not isinstance(entries, list):
            raise InvalidResultError(f"The value of header {name!r} must be a list of objects.")
        for entry in entries:
            value = entry.get("value") if isinstance(entry, dict) else None
            key = entry.get("key") or name if isinstance(entry, dict) else name
            if not isinstance(value, str) or _BAD_VALUE.search(value):
                raise InvalidResultError(f"An entry of header {name!r} has no value that is text.")
            if not isinstance(key, str) or key.lower() != name.lower():
                raise InvalidResultError(f"An entry of header {name!r} has another key.")
            if not _NAME.fullmatch(key):
                raise InvalidResultError(f"{name!r} is no name of a header.")
            found.append((key, value))
    return found


def _origin(given: object, before: Origin) -> Origin:
    """The origin that a function chose.

    Raises:
        InvalidResultError: It is none.
    """
    if not isinstance(given, dict) or len(given.keys() & {"s3", "custom"}) != 1:
        raise InvalidResultError("The origin field must have either s3 or custom.")
    kind = "s3" if "s3" in given else "custom"
    fields = given[kind]
    if not isinstance(fields, dict):
        raise InvalidResultError(f"The origin's {kind} field must be an object.")
    domain, path = fields.get("domainName"), fields.get("path", "")
    if not isinstance(domain, str) or not _DOMAIN.fullmatch(domain):
        raise InvalidResultError("The origin's domainName is no name.")
    if not isinstance(path, str) or (path and not path.startswith("/")) or _BAD_URI.search(path):
        raise InvalidResultError("The origin's path must begin with / and be percent-encoded.")
    custom_headers = _given_headers(fields.get("customHeaders"))
    if any(is_disallowed(name.lower()) for name, _ in custom_headers):
        raise InvalidResultError("The origin's customHeaders have a disallowed header.")
    common: dict[str, Any] = {
        "domain": domain.lower(),
        "path": path.rstrip("/"),
        "custom_headers": custom_headers,
    }
    if kind == "s3":
        method = fields.get("authMethod", "none")
        if method not in ("none", "origin-access-identity"):
            raise InvalidResultError("authMethod must be none or origin-access-identity.")
        kept = before.access if before.is_s3 and before.access != "identity" else "none"
        access = "identity" if method == "origin-access-identity" else kept
        return dataclasses.replace(before, is_s3=True, access=access, **common)
    protocol = fields.get("protocol")
    if protocol not in ("http", "https"):
        raise InvalidResultError("The origin's protocol must be http or https.")
    default = 443 if protocol == "https" else 80
    port = _number(fields.get("port", default), 1, 65_535, "port")
    timeout = _number(fields.get("readTimeout", 30), 1, 120, "readTimeout")
    return dataclasses.replace(
        before,
        is_s3=False,
        access="none",
        protocol_policy=f"{protocol}-only",
        http_port=port,
        https_port=port,
        read_timeout_s=float(timeout),
        keepalive_s=_number(fields.get("keepaliveTimeout", 5), 1, 120, "keepaliveTimeout"),
        **common,
    )


def _number(value: object, low: int, high: int, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InvalidResultError(f"The origin's {name} must be a number from {low} to {high}.")
    return value
