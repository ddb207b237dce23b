"""From a viewer's request to its response: behaviours, functions, cache and origins.

AWS topics: CloudFront Developer Guide, "Cache behavior settings", "Cache content based on cookies",
"Lambda@Edge trigger events", "Restrictions on all edge functions", "Generate custom error
responses", "Optimize high availability with CloudFront origin failover" and "Simultaneous requests
for the same object (request collapsing)".
"""

from __future__ import annotations

import dataclasses
from typing import Final

from trigger_stack_engine.clock import Clock
from trigger_stack_engine.front_doors.cloudfront.caching import (
    cache_key,
    error_lifetime,
    kept_headers,
    lifetime,
)
from trigger_stack_engine.front_doors.cloudfront.distribution import (
    ORIGIN_REQUEST,
    ORIGIN_RESPONSE,
    VIEWER_REQUEST,
    VIEWER_RESPONSE,
    Behavior,
    Distribution,
    Origin,
)
from trigger_stack_engine.front_doors.cloudfront.edge import EdgeFunctions
from trigger_stack_engine.front_doors.cloudfront.edge_events import MAX_URI
from trigger_stack_engine.front_doors.cloudfront.origin_request import (
    build_request,
    may_keep,
    new_cf_id,
    via,
    with_viewer_headers,
)
from trigger_stack_engine.front_doors.cloudfront.origins import Origins, with_custom_headers
from trigger_stack_engine.front_doors.cloudfront.responses import (
    ERROR,
    HIT,
    LAMBDA_RESPONSE,
    MISS,
    REDIRECT,
    REFRESH_HIT,
    EdgeError,
    apply_policy,
    compressed,
    error_page,
    for_viewer,
    header,
    without,
)
from trigger_stack_engine.front_doors.cloudfront.store import Entry, Fetch, Store
from trigger_stack_engine.front_doors.core.message import HttpRequest, HttpResponse

METHODS: Final = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
_FAILOVER_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
POP: Final = "LOCAL50-P1"
#: Headers that every response has once, whoever sent them before.
_OWN_HEADERS: Final = ("x-cache", "via", "x-amz-cf-pop", "x-amz-cf-id")


@dataclasses.dataclass(frozen=True, slots=True)
class _Visit:
    """One request of a viewer.

    Attributes:
        scheme: ``http`` or ``https``.
        cf_id: Its ``X-Amz-Cf-Id``.
    """

    distribution: Distribution
    scheme: str
    cf_id: str


class Edge:
    """Answers viewers.

    Args:
        functions: Calls functions.
        origins: Sends requests to origins.
        store: The cache.
        clock: What time it is.
    """

    def __init__(
        self, functions: EdgeFunctions, origins: Origins, store: Store, clock: Clock
    ) -> None:
        self._functions = functions
        self._origins = origins
        self._store = store
        self._clock = clock

    async def answer(self, distribution: Distribution, request: HttpRequest) -> HttpResponse:
        """The response of a distribution."""
        # This port stands for both of AWS's. Who says that it was http is believed.
        told = (request.header("x-forwarded-proto") or "").strip().lower()
        visit = _Visit(distribution, "http" if told == "http" else "https", new_cf_id())
        try:
            response, result = await self._serve(visit, request)
        except EdgeError as error:
            response, result = error_page(error, visit.cf_id), error.result
        before = [value for name, value in response.headers if name.lower() == "via"]
        response.headers = [
            *without(response.headers, *_OWN_HEADERS),
            ("X-Cache", f"{result} from cloudfront"),
            ("Via", ", ".join([*before, via(distribution, request)])),
            ("X-Amz-Cf-Pop", POP),
            ("X-Amz-Cf-Id", visit.cf_id),
        ]
        return response

    async def _serve(self, visit: _Visit, request: HttpRequest) -> tuple[HttpResponse, str]:
        """The response, and what ``X-Cache`` says.

        Raises:
            EdgeError: The distribution refuses the request.
        """
        distribution = visit.distribution
        _check(distribution, request)
        if request.raw_path == "/" and distribution.root_object:
            request = dataclasses.replace(request, raw_path=f"/{distribution.root_object}")
        behavior = distribution.behavior(request.raw_path)
        if visit.scheme == "http" and behavior.viewer_protocol != "allow-all":
            return _to_https(behavior, request)
        if request.method not in behavior.allowed:
            raise EdgeError(
                403,
                "This distribution is not configured to allow the HTTP request method that was used"
                f" for this request: {request.method}.",
            )
        made = await self._functions.on_request(
            distribution, behavior, VIEWER_REQUEST, request, visit.cf_id
        )
        if made.response is not None:
            return made.response, LAMBDA_RESPONSE
        request = made.request
        response, result = await self._object_or_page(visit, behavior, request)
        keeps = may_keep(behavior, request)
        if response.status >= 400 or result == ERROR:  # also with a page in its place
            headers = apply_policy(behavior.response_headers, request, response.headers, result)
            response.headers = headers
            return response, result
        if keeps:
            response = for_viewer(request, response)
        response.headers = apply_policy(
            behavior.response_headers, request, response.headers, result
        )
        response = await self._functions.on_response(
            distribution, behavior, VIEWER_RESPONSE, request, response, visit.cf_id
        )
        return response, result

    async def _object_or_page(
        self, visit: _Visit, behavior: Behavior, request: HttpRequest
    ) -> tuple[HttpResponse, str]:
        """The object, or the page that the distribution has for its error."""
        try:
            response, result = await self._object(visit, behavior, request)
        except EdgeError as error:
            response, result = error_page(error, visit.cf_id), error.result
        page = visit.distribution.errors.get(response.status)
        if page is None or not page.path:
            return response, result
        asked = dataclasses.replace(
            request, method="GET", raw_path=page.path, raw_query="", body=b""
        )
        try:
            other, _ = await self._object(visit, visit.distribution.behavior(page.path), asked)
        except EdgeError:
            return response, result
        if other.status >= 400:
            return other, ERROR
        return HttpResponse(page.status, other.headers, other.body, other.stream), ERROR

    # -- the cache ------------------------------------------------------------------------------

    async def _object(
        self, visit: _Visit, behavior: Behavior, request: HttpRequest
    ) -> tuple[HttpResponse, str]:
        """The whole object, from the cache or the origin.

        Raises:
            EdgeError: There is no origin that answers, or a function fails.
        """
        request = with_viewer_headers(request, behavior, visit.scheme)
        if not may_keep(behavior, request):
            response = await self._from_origins(visit, behavior, request, None)
            return response, MISS if response.status < 400 else ERROR
        key = cache_key(visit.distribution.distribution_id, behavior, request)
        if (found := self._fresh(self._store.get(key))) is not None:
            return found
        if (running := self._store.running(key)) is not None:
            await running.done.wait()
            if (found := self._fresh(self._store.get(key))) is not None:
                return found
        fetch = self._store.begin(key)
        try:
            return await self._fetched(visit, behavior, request, fetch)
        finally:
            self._store.end(fetch)

    def _fresh(self, entry: Entry | None) -> tuple[HttpResponse, str] | None:
        now = self._clock.now()
        if entry is None or not entry.is_fresh(now):
            return None
        return _from_entry(entry, now), HIT if entry.status < 400 else ERROR

    async def _fetched(
        self, visit: _Visit, behavior: Behavior, request: HttpRequest, fetch: Fetch
    ) -> tuple[HttpResponse, str]:
        """Ask the origin, and keep what it answers."""
        old = self._store.get(fetch.key)
        if old is not None and old.status >= 300:
            old = None
        try:
            response = await self._from_origins(visit, behavior, request, old)
        except EdgeError as error:
            if error.result != ERROR:
                raise
            response = error_page(error, visit.cf_id)
        now = self._clock.now()
        if response.status == 304 and old is not None:
            return self._refreshed(behavior, fetch, old, response, now), REFRESH_HIT
        if response.status < 400:
            fresh_s = lifetime(response.headers, behavior.cache, now)
        else:
            page = visit.distribution.errors.get(response.status)
            fresh_s = error_lifetime(response.status, response.headers, page, now)
            if response.status >= 500 and old is not None and not fetch.outdated:
                old.fresh_s = now - old.stored_at + fresh_s  # then the origin is asked again
                return _from_entry(old, now), HIT
        if response.stream is not None:  # it broke off, and is not kept
            return response, MISS if response.status < 400 else ERROR
        if behavior.compress and "gzip" in fetch.key.encoding:
            response = compressed(response)
        if fresh_s > 0 and response.status not in (206, 304):
            headers = kept_headers(response.headers)
            kept = Entry(response.status, list(headers), response.body, now, fresh_s)
            self._store.put(fetch, kept)
        return response, MISS if response.status < 400 else ERROR

    def _refreshed(
        self, behavior: Behavior, fetch: Fetch, old: Entry, response: HttpResponse, now: float
    ) -> HttpResponse:
        """The object that the origin says has not changed (RFC 9111, section 4.3.4)."""
        news = without(response.headers, "content-encoding", "content-type", "etag", "age")
        names = {name.lower() for name, _ in news}
        headers = [*without(old.headers, *names), *news]
        fresh_s = lifetime(headers, behavior.cache, now)
        if fresh_s > 0:
            kept = Entry(old.status, kept_headers(headers), old.body, now, fresh_s)
            self._store.put(fetch, kept)
        return _from_entry(Entry(old.status, headers, old.body, now, fresh_s), now)

    # -- origins --------------------------------------------------------------------------------

    async def _from_origins(
        self, visit: _Visit, behavior: Behavior, request: HttpRequest, old: Entry | None
    ) -> HttpResponse:
        """The response of the first origin of a group that does not fail.

        Raises:
            EdgeError: The last one cannot be reached, or a function fails.
        """
        candidates = visit.distribution.candidates(behavior.target)
        group = visit.distribution.groups.get(behavior.target)
        for origin in candidates[:-1]:
            assert group is not None
            if request.method not in _FAILOVER_METHODS:
                return await self._from_origin(visit, behavior, request, old, origin)
            try:
                response = await self._from_origin(visit, behavior, request, old, origin)
            except EdgeError as error:
                if error.result != ERROR:
                    raise
                continue
            if response.status not in group.statuses:
                return response
        return await self._from_origin(visit, behavior, request, old, candidates[-1])

    async def _from_origin(
        self,
        visit: _Visit,
        behavior: Behavior,
        request: HttpRequest,
        old: Entry | None,
        origin: Origin,
    ) -> HttpResponse:
        distribution, cf_id = visit.distribution, visit.cf_id
        built = build_request(distribution, behavior, origin, request, cf_id)
        if old is not None:
            built.headers += _conditions(old)
        made = await self._functions.on_request(
            distribution, behavior, ORIGIN_REQUEST, built, cf_id, origin
        )
        if made.response is not None:
            return _as_forwarded(behavior, made.response)
        assert made.origin is not None
        sent = with_custom_headers(made.origin, made.request)
        response = await self._origins.fetch(distribution, made.origin, sent)
        response = await self._functions.on_response(
            distribution,
            behavior,
            ORIGIN_RESPONSE,
            made.request,
            response,
            cf_id,
            made.origin,
        )
        return _as_forwarded(behavior, response)


def _check(distribution: Distribution, request: HttpRequest) -> None:
    """Refuse what no behaviour gets to see.

    Raises:
        EdgeError: Always when it does not return.
    """
    if not distribution.enabled:
        raise EdgeError(403, "The distribution is disabled.")
    if len(request.raw_path) + len(request.raw_query) > MAX_URI:
        raise EdgeError(414, f"The URL is longer than {MAX_URI} characters.")
    if request.method not in METHODS:
        raise EdgeError(405, f"CloudFront does not take the method {request.method}.")
    if request.body and request.method in ("GET", "HEAD"):
        raise EdgeError(403, "Bad request: a GET or HEAD request has no body.")


def _to_https(behavior: Behavior, request: HttpRequest) -> tuple[HttpResponse, str]:
    """What a viewer gets who came by HTTP and may not.

    Raises:
        EdgeError: 403, it is not led on.
    """
    if behavior.viewer_protocol == "https-only":
        raise EdgeError(403, "This behavior takes HTTPS only.")
    query = f"?{request.raw_query}" if request.raw_query else ""
    location = f"https://{request.header('host') or 'localhost'}{request.raw_path}{query}"
    status = 301 if request.method in ("GET", "HEAD") else 307
    return HttpResponse(status, [("Server", "CloudFront"), ("Location", location)]), REDIRECT


def _as_forwarded(behavior: Behavior, response: HttpResponse) -> HttpResponse:
    """The response, without the cookies that it sets if its request had none of the viewer's."""
    if not behavior.forwards_cookies:
        response.headers = without(response.headers, "set-cookie")
    return response


def _from_entry(entry: Entry, now: float) -> HttpResponse:
    age = max(0, int(now - entry.stored_at))
    headers = [*without(entry.headers, "age"), ("Age", str(age))]
    return HttpResponse(entry.status, headers, entry.body)


def _conditions(old: Entry) -> list[tuple[str, str]]:
    """With which the origin says whether an object has changed."""
    found = []
    if (tag := header(old.headers, "etag")) is not None:
        # What was compressed here got a weak tag; the origin knows it without the mark.
        plain = tag.removeprefix("W/") if header(old.headers, "content-encoding") else tag
        found.append(("If-None-Match", plain))
    if (modified := header(old.headers, "last-modified")) is not None:
        found.append(("If-Modified-Since", modified))
    return found
