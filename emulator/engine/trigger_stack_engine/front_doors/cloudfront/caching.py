"""The rules of the cache: what is one object, and how long it stays.

AWS topics: CloudFront Developer Guide, "Understand the cache key", "Manage how long content stays
in the cache (expiration)", "Cache content based on cookies", and "How CloudFront processes and
caches HTTP 4xx and 5xx status codes from your origin". Times are in seconds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final

from trigger_stack_engine.front_doors.cloudfront.distribution import (
    Behavior,
    CachePolicy,
    ErrorPage,
    Selection,
)
from trigger_stack_engine.front_doors.core.event_parts import split_cookies
from trigger_stack_engine.front_doors.core.message import Headers, HttpRequest

#: Errors that are kept in any case, and those that are kept when the origin gives them an age.
_KEPT_ERRORS: Final = frozenset({404, 414, 500, 501, 502, 503, 504})
_ERRORS_WITH_AGE: Final = frozenset({400, 403, 405, 412, 415})
_ERROR_TTL_S: Final = 10
_MOST_S: Final = 10**10
_DIRECTIVE: Final = re.compile(r'\s*([^\s,=]+)\s*(?:=\s*("[^"]*"|[^,]*))?')
_SET_COOKIE: Final = "set-cookie"


@dataclass(frozen=True, slots=True)
class CacheKey:
    """What makes an object: two requests with the same key get the same object.

    Attributes:
        target: Path, and ``?`` with the query strings that count.
    """

    distribution: str
    behavior: str
    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    cookies: tuple[str, ...]
    encoding: str


def cache_key(distribution_id: str, behavior: Behavior, request: HttpRequest) -> CacheKey:
    """The key of a request that may be answered from the cache.

    Args:
        request: As the function at the viewer's request left it.
    """
    policy = behavior.cache
    headers = {
        name.lower(): values(request.headers, name)
        for name in policy.headers.names
        if request.header(name) is not None
    }
    query = selected_query(request.raw_query, policy.queries)
    return CacheKey(
        distribution=distribution_id,
        behavior=behavior.pattern.text,
        method="OPTIONS" if request.method == "OPTIONS" else "GET",
        target=f"{request.raw_path}?{query}" if query else request.raw_path,
        headers=tuple(sorted(headers.items())),
        cookies=tuple(sorted(selected_cookies(request, policy.cookies))),
        encoding=normalized_encoding(request.header("accept-encoding"), policy),
    )


def values(headers: Headers, name: str) -> str:
    """All values of a header, separated by commas."""
    wanted = name.lower()
    return ",".join(value for key, value in headers if key.lower() == wanted)


def selected_query(raw_query: str, *selections: Selection) -> str:
    """The query strings that one of the selections includes, in the order of the request."""
    kept = [
        part
        for part in raw_query.split("&")
        if any(selection.includes(part.partition("=")[0]) for selection in selections)
    ]
    return "&".join(kept)


def selected_cookies(request: HttpRequest, *selections: Selection) -> list[str]:
    """The cookies that one of the selections includes, in the order of their names."""
    kept = [
        cookie
        for cookie in split_cookies(request)
        if any(selection.includes(cookie.partition("=")[0]) for selection in selections)
    ]
    return sorted(kept, key=lambda cookie: cookie.partition("=")[0])


def normalized_encoding(accepted: str | None, policy: CachePolicy) -> str:
    """``Accept-Encoding`` as the cache key has it and the origin gets it; may be empty."""
    offered = {"br": policy.brotli, "gzip": policy.gzip}
    wanted = set()
    for part in (accepted or "").lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        if any(parameter.replace(" ", "") in ("q=0", "q=0.0") for parameter in parameters):
            continue
        wanted.add(name)
    return ",".join(name for name, is_on in offered.items() if is_on and name in wanted)


def cache_control(headers: Headers) -> Mapping[str, str]:
    """The directives of ``Cache-Control`` in lower case, with their values."""
    found = _DIRECTIVE.finditer(values(headers, "cache-control"))
    return {match[1].lower(): (match[2] or "").strip('" ') for match in found}


def kept_headers(headers: Headers) -> Headers:
    """The headers that stay with an object: without cookies if they are not to be cached."""
    if _keeps_no_cookies(cache_control(headers)):
        return [(name, value) for name, value in headers if name.lower() != _SET_COOKIE]
    return headers


def _keeps_no_cookies(directives: Mapping[str, str]) -> bool:
    """Whether there is ``no-cache="Set-Cookie"``, which is about the cookies alone."""
    return directives.get("no-cache", "").lower() == _SET_COOKIE


def _is_not_for_the_cache(directives: Mapping[str, str]) -> bool:
    forbidden = directives.keys() & {"no-store", "no-cache", "private"}
    return bool(forbidden - ({"no-cache"} if _keeps_no_cookies(directives) else set()))


def lifetime(headers: Headers, policy: CachePolicy, now: float) -> float:
    """How long a response that is no error stays fresh; 0: it is not kept.

    Args:
        headers: Of the origin's response.
        now: Seconds since 1970.
    """
    directives = cache_control(headers)
    if _is_not_for_the_cache(directives):
        return policy.min_ttl
    asked = _asked(directives, headers, now)
    if asked is None:
        return min(max(policy.min_ttl, policy.default_ttl), policy.max_ttl)
    return max(policy.min_ttl, min(asked, policy.max_ttl))


def error_lifetime(status: int, headers: Headers, page: ErrorPage | None, now: float) -> float:
    """How long an error of the origin is kept; 0: it is not.

    Args:
        page: What the distribution says of this status.
    """
    directives = cache_control(headers)
    asked = _asked(directives, headers, now)
    is_kept = status in _KEPT_ERRORS or (status in _ERRORS_WITH_AGE and asked is not None)
    if page is None and not is_kept:
        return 0
    minimum = page.ttl_s if page else _ERROR_TTL_S
    if _is_not_for_the_cache(directives):
        return minimum
    return max(minimum, asked or 0)


def _asked(directives: Mapping[str, str], headers: Headers, now: float) -> float | None:
    """The age that the origin gives; ``None``: it says nothing that can be read."""
    for name in ("s-maxage", "max-age"):
        text = directives.get(name, "")
        if text.isascii() and text.isdecimal():
            return float(min(int(text[:12]), _MOST_S))
    expires = values(headers, "expires")
    if not expires:
        return None
    try:
        return max(0.0, parsedate_to_datetime(expires).timestamp() - now)
    except (ValueError, TypeError, OverflowError, IndexError):
        return 0.0  # RFC 9111, section 5.3: a date that is none is in the past
