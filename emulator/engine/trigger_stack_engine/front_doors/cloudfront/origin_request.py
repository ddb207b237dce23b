"""The request that an origin gets.

AWS topics: CloudFront Developer Guide, "Request and response behavior for custom origins" (table
"HTTP request headers and CloudFront behavior"), "Control origin requests with a policy", and "Add
CloudFront request headers".
"""

from __future__ import annotations

import dataclasses
import secrets
from typing import Final

from trigger_stack_engine.front_doors.cloudfront.caching import (
    normalized_encoding,
    selected_cookies,
    selected_query,
)
from trigger_stack_engine.front_doors.cloudfront.distribution import (
    ALL_VIEWER,
    ALL_VIEWER_AND_SOME,
    WHITELIST,
    Behavior,
    Distribution,
    Origin,
)
from trigger_stack_engine.front_doors.core.event_parts import HOP_BY_HOP
from trigger_stack_engine.front_doors.core.message import Headers, HttpRequest

USER_AGENT: Final = "Amazon CloudFront"
_CONDITIONS: Final = frozenset(
    {"if-match", "if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "range"}
)
#: What every origin gets of the viewer's headers.
_ALWAYS: Final = frozenset(
    {
        *("cache-control", "content-encoding", "content-language", "content-md5", "content-type"),
        *("date", "from", "max-forwards", "pragma", "warning"),
    }
)
#: What no origin gets unless a policy or ``ForwardedValues`` names it.
_NAMED_ONLY: Final = frozenset(
    {
        *("accept", "accept-charset", "accept-language", "cookie", "host", "referer"),
        *("user-agent", "x-forwarded-proto", "x-real-ip"),
    }
)
#: What no origin gets: CloudFront says these itself, or they concern one connection.
_NEVER: Final = HOP_BY_HOP | {
    *("accept-encoding", "content-length", "expect", "proxy-authenticate", "proxy-authorization"),
    *("via", "x-amz-cf-id", "x-forwarded-for"),
}
#: CloudFront's own headers that this machine can know, by what the user agent has in it.
_DEVICES: Final = (
    ("CloudFront-Is-Android-Viewer", ("android",)),
    ("CloudFront-Is-IOS-Viewer", ("iphone", "ipad", "ipod")),
    ("CloudFront-Is-Mobile-Viewer", ("mobi",)),
    ("CloudFront-Is-SmartTV-Viewer", ("smart-tv", "smarttv", "appletv")),
    ("CloudFront-Is-Tablet-Viewer", ("ipad", "tablet")),
)


#: What CloudFront signs requests to function URLs with; it does not look at bodies.
_BODY_HASH: Final = "x-amz-content-sha256"


def new_cf_id() -> str:
    """An ``X-Amz-Cf-Id``: 56 characters."""
    return secrets.token_urlsafe(40) + "=="


def viewer_headers(request: HttpRequest, scheme: str) -> Headers:
    """CloudFront's own headers about the viewer; nothing here knows where somebody is."""
    agent = (request.header("user-agent") or "").lower()
    found = [(name, any(word in agent for word in words)) for name, words in _DEVICES]
    is_other = any(is_so for _, is_so in found[2:])
    devices = [*found, ("CloudFront-Is-Desktop-Viewer", not is_other)]
    return [
        *((name, "true" if is_so else "false") for name, is_so in devices),
        ("CloudFront-Forwarded-Proto", scheme),
        ("CloudFront-Viewer-Address", f"{request.source_ip}:0"),
        ("CloudFront-Viewer-Http-Version", request.protocol.removeprefix("HTTP/")),
    ]


def with_viewer_headers(request: HttpRequest, behavior: Behavior, scheme: str) -> HttpRequest:
    """The request with those of CloudFront's own headers that the behaviour asks for."""
    selections = (behavior.cache.headers, behavior.origin_request.headers)
    names = {name.lower() for selection in selections for name in selection.names}
    wanted = {name for name in names if name.startswith("cloudfront-")}
    kept = [(k, v) for k, v in request.headers if not k.lower().startswith("cloudfront-")]
    if wanted:
        kept += [(k, v) for k, v in viewer_headers(request, scheme) if k.lower() in wanted]
    return dataclasses.replace(request, headers=kept)


def build_request(
    distribution: Distribution,
    behavior: Behavior,
    origin: Origin,
    request: HttpRequest,
    cf_id: str,
) -> HttpRequest:
    """The request for an origin, whose path does not begin with ``OriginPath`` yet.

    Args:
        request: As the function at the viewer's request left it, with CloudFront's own headers.
        cf_id: Id of the request.
    """
    policy, more = behavior.cache, behavior.origin_request
    keeps = may_keep(behavior, request)
    headers: Headers = []
    for name, value in request.headers:
        if _is_forwarded(name.lower(), behavior, request.method, keeps=keeps):
            headers.append((name, value))
    signs = origin.access == "control" and not origin.is_s3
    if signs and (digest := request.header(_BODY_HASH)) is not None:
        headers = [*((k, v) for k, v in headers if k.lower() != _BODY_HASH), (_BODY_HASH, digest)]
    if cookies := selected_cookies(request, policy.cookies, more.cookies):
        headers.append(("Cookie", "; ".join(cookies)))
    names = {name.lower() for name, _ in headers}
    if "host" not in names or origin.is_s3:
        headers = [(k, v) for k, v in headers if k.lower() != "host"]
        headers.append(("Host", origin.domain))
    if "user-agent" not in names:
        headers.append(("User-Agent", USER_AGENT))
    if encoding := normalized_encoding(request.header("accept-encoding"), policy):
        headers.append(("Accept-Encoding", encoding))
    before = [v for k, v in request.headers if k.lower() == "x-forwarded-for"]
    headers.append(("X-Forwarded-For", ", ".join([*before, request.source_ip])))
    headers.append(("Via", via(distribution, request)))
    headers.append(("X-Amz-Cf-Id", cf_id))
    query = selected_query(request.raw_query, policy.forwarded_queries, more.queries)
    method = "GET" if request.method == "HEAD" and keeps else request.method
    return dataclasses.replace(request, method=method, headers=headers, raw_query=query)


def may_keep(behavior: Behavior, request: HttpRequest) -> bool:
    """Whether the response to a request may come from the cache, and may be kept."""
    return request.method in behavior.cached and behavior.cache.stores


def via(distribution: Distribution, request: HttpRequest) -> str:
    """A ``Via`` header."""
    return f"{request.protocol.removeprefix('HTTP/')} {distribution.domain} (CloudFront)"


def _is_forwarded(name: str, behavior: Behavior, method: str, *, keeps: bool) -> bool:
    if name in _NEVER or name == "cookie" or name.startswith(("x-amz-cf-", "x-edge-")):
        return False
    if name in _CONDITIONS:  # of what may be kept the origin is asked for the whole
        return not keeps
    policy, more = behavior.cache, behavior.origin_request
    listed = {one.lower() for one in more.headers.names}
    if name.startswith("cloudfront-"):
        kinds = (WHITELIST, ALL_VIEWER_AND_SOME)
        return policy.headers.includes_header(name) or (
            more.headers.kind in kinds and name in listed
        )
    if policy.headers.includes_header(name):
        return True
    if more.headers.kind in (ALL_VIEWER, ALL_VIEWER_AND_SOME):
        return True
    if more.headers.includes_header(name):
        return True
    if name == "authorization":
        return method not in ("GET", "HEAD", "OPTIONS")
    return name in _ALWAYS or (policy.legacy and name not in _NAMED_ONLY)
