"""CloudFront's rules, without a network: patterns, keys, times, headers, and what is refused."""

from __future__ import annotations

import base64
import json
from email.utils import formatdate
from typing import Any

import pytest

from trigger_stack_engine.front_doors.cloudfront.caching import (
    CacheKey,
    cache_key,
    error_lifetime,
    lifetime,
    normalized_encoding,
)
from trigger_stack_engine.front_doors.cloudfront.distribution import (
    Behavior,
    CachePolicy,
    Distribution,
    ErrorPage,
    Origin,
    Selection,
    origin_fits,
)
from trigger_stack_engine.front_doors.cloudfront.edge_events import (
    DISALLOWED,
    READ_ONLY,
    VIEWER_BYTES,
    InvalidResultError,
    build_event,
    parse_request_result,
    parse_response_result,
)
from trigger_stack_engine.front_doors.cloudfront.origin_request import build_request
from trigger_stack_engine.front_doors.cloudfront.origins import is_local
from trigger_stack_engine.front_doors.cloudfront.paths import (
    Invalidation,
    PathPattern,
    normalized,
)
from trigger_stack_engine.front_doors.cloudfront.responses import (
    apply_policy,
    compressed,
    for_viewer,
    is_not_modified,
)
from trigger_stack_engine.front_doors.cloudfront.store import Entry, Store
from trigger_stack_engine.front_doors.core.message import Headers, HttpRequest, HttpResponse

NOW = 1_800_000_000.0


def counted(*listed: Any) -> dict[str, Any]:
    return {"Quantity": len(listed), "Items": list(listed)}


# --- Path patterns


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("*", "/", True),
        ("/images/*", "/images/a/b.png", True),
        ("images/*", "/images/a", True),
        ("/images/*", "/images", False),
        ("/images/*", "/Images/a", False),
        ("*.jpg", "/a/b.jpg", True),
        ("*.jpg", "/a/b.jpeg", False),
        ("/a?.txt", "/ab.txt", True),
        ("/a?.txt", "/a.txt", False),
        ("/a??/*/z", "/abc/x/y/z", True),
        ("/[ab]", "/a", False),
        ("/[ab]", "/[ab]", True),
        ("/a.b", "/axb", False),
        ("/a&amp;b", "/a&b", True),
        ("/api/*", "/x/../api/y", True),
        ("/api/*", "/%61pi/y", True),
        ("/api/*", "/api%2Fy", False),
        ("/api/*", "/api/../y", False),
        ("/*" * 60 + "x", "/a" * 2000, False),
    ],
)
def test_a_path_pattern(pattern: str, path: str, matches: bool) -> None:
    assert PathPattern(pattern).matches(path) is matches


@pytest.mark.parametrize(
    ("path", "result"),
    [
        ("/", "/"),
        ("/a/./b", "/a/b"),
        ("/a/../b", "/b"),
        ("/..", "/"),
        ("/../../a", "/a"),
        ("/a/..", "/"),
        ("/a/b/..", "/a/"),
        ("/%7Ea%2e%2E", "/~a.."),
        ("/a//b", "/a//b"),
    ],
)
def test_a_path_is_normalized(path: str, result: str) -> None:
    assert normalized(path) == result


@pytest.mark.parametrize(
    ("path", "target", "covers"),
    [
        ("/*", "/anything?a=1", True),
        ("/logos/acme/*", "/logos/acme/logo.png", True),
        ("/logos/acme/*", "/logos/acme2/logo.png", False),
        ("/logos/a*", "/logos/acme2/logo.png", True),
        ("/logo.png", "/logo.png", True),
        ("/logo.png", "/logo.png?size=1", False),
        ("/logo.png?size=1", "/logo.png?size=1", True),
        ("/logo.png*", "/logo.png?size=1", True),
        ("/a*/b", "/axx/b", False),
        ("/a*/b", "/a*/b", True),
        ("/a%20b", "/a b", True),
        ("/A", "/a", False),
        ("logo.png", "/logo.png", True),
    ],
)
def test_what_an_invalidation_covers(path: str, target: str, covers: bool) -> None:
    assert Invalidation([path]).covers(target) is covers


# --- Times


def policy(minimum: int = 0, default: int = 100, maximum: int = 1000) -> CachePolicy:
    nothing = Selection()
    return CachePolicy(
        minimum, default, maximum, nothing, nothing, nothing, nothing, gzip=True, brotli=True
    )


@pytest.mark.parametrize(
    ("control", "ttls", "seconds"),
    [
        # AWS's table: what the origin says, and minimum, default and maximum.
        (None, (0, 100, 1000), 100),
        (None, (200, 100, 1000), 200),
        (None, (0, 2000, 1000), 1000),
        ("max-age=50", (0, 100, 1000), 50),
        ("max-age=50", (60, 100, 1000), 60),
        ("max-age=5000", (0, 100, 1000), 1000),
        ("max-age=50, s-maxage=70", (0, 100, 1000), 70),
        ("s-maxage=0, max-age=70", (0, 100, 1000), 0),
        ("public, max-age=0", (0, 100, 1000), 0),
        ("no-store", (0, 100, 1000), 0),
        ("no-cache, max-age=50", (0, 100, 1000), 0),
        ("private", (0, 100, 1000), 0),
        ("private", (30, 100, 1000), 30),
        ("NO-STORE", (0, 100, 1000), 0),
        ('no-cache="Set-Cookie"', (0, 100, 1000), 100),
        ('max-age=50, no-cache="set-cookie"', (0, 100, 1000), 50),
        ('no-cache="Set-Cookie", private', (0, 100, 1000), 0),
        ('no-cache="X-Mine, Set-Cookie"', (0, 100, 1000), 0),
        ('max-age="50"', (0, 100, 1000), 50),
        ("max-age=abc", (0, 100, 1000), 100),
        ("max-age=-5", (0, 100, 1000), 100),
        ("max-age=99999999999999999999999", (0, 100, 1000), 1000),
        ("max-age", (0, 100, 1000), 100),
        ("max-age=50", (0, 0, 0), 0),
        (None, (0, 0, 0), 0),
    ],
)
def test_how_long_an_object_stays(
    control: str | None, ttls: tuple[int, int, int], seconds: float
) -> None:
    headers: Headers = [("Cache-Control", control)] if control else []
    assert lifetime(headers, policy(*ttls), NOW) == seconds


@pytest.mark.parametrize(
    ("expires", "minimum", "seconds"),
    [
        (formatdate(NOW + 60, usegmt=True), 0, 60),
        (formatdate(NOW + 60, usegmt=True), 90, 90),
        (formatdate(NOW - 60, usegmt=True), 0, 0),
        (formatdate(NOW + 9999, usegmt=True), 0, 1000),
        ("0", 0, 0),
        ("soon", 0, 0),
        ("Wed, 99 Foo 2026 00:00:00 GMT", 0, 0),
    ],
)
def test_expires(expires: str, minimum: int, seconds: float) -> None:
    assert lifetime([("Expires", expires)], policy(minimum), NOW) == seconds


PAGE = ErrorPage(30, "", 404)


@pytest.mark.parametrize(
    ("status", "control", "page", "seconds"),
    [
        (404, None, None, 10),
        (404, "max-age=60", None, 60),
        (404, "max-age=3", None, 10),
        (404, "no-store", None, 10),
        (503, None, None, 10),
        (400, None, None, 0),
        (403, None, None, 0),
        (403, "max-age=60", None, 60),
        (401, "max-age=60", None, 0),
        (404, None, PAGE, 30),
        (404, None, ErrorPage(0, "", 404), 0),
        (403, None, PAGE, 30),
    ],
)
def test_how_long_an_error_stays(
    status: int, control: str | None, page: ErrorPage | None, seconds: float
) -> None:
    headers: Headers = [("Cache-Control", control)] if control else []
    assert error_lifetime(status, headers, page, NOW) == seconds


# --- Keys


def behavior(**more: Any) -> Behavior:
    document = {
        "TargetOriginId": "o",
        "ForwardedValues": {"QueryString": False, "Cookies": {"Forward": "none"}},
        **more,
    }
    return Behavior.from_document(document, {"cache": POLICIES})


POLICIES = {
    "chosen": {
        "MinTTL": 0,
        "DefaultTTL": 1,
        "MaxTTL": 9,
        "ParametersInCacheKeyAndForwardedToOrigin": {
            "EnableAcceptEncodingGzip": True,
            "EnableAcceptEncodingBrotli": False,
            "HeadersConfig": {"HeaderBehavior": "whitelist", "Headers": counted("Accept")},
            "CookiesConfig": {"CookieBehavior": "allExcept", "Cookies": counted("session*")},
            "QueryStringsConfig": {
                "QueryStringBehavior": "whitelist",
                "QueryStrings": counted("size"),
            },
        },
    }
}


def request(path: str = "/a", query: str = "", method: str = "GET", **headers: str) -> HttpRequest:
    named = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return HttpRequest(method, path, query, [("Host", "cdn.example"), *named])


def key(one: HttpRequest) -> CacheKey:
    return cache_key("E1", behavior(CachePolicyId="chosen"), one)


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        (request(query="size=1&x=2"), request(query="x=3&size=1"), True),
        (request(query="size=1"), request(query="size=2"), False),
        (request(query="size=1"), request(query="Size=1"), False),
        (request("/a"), request("/A"), False),
        (request(accept="x"), request(accept="y"), False),
        (request(accept="x"), request(ACCEPT="x"), True),
        (request(referer="x"), request(referer="y"), True),
        (request(cookie="session_id=1"), request(cookie="session_id=2"), True),
        (request(cookie="lang=1; session=1"), request(cookie="session=2; lang=1"), True),
        (request(cookie="lang=1"), request(cookie="lang=2"), False),
        (request(accept_encoding="gzip, br"), request(accept_encoding="deflate, gzip;q=0.5"), True),
        (request(accept_encoding="gzip;q=0"), request(), True),
        (request(accept_encoding="gzip"), request(), False),
        (request(method="HEAD"), request(), True),
        (request(method="OPTIONS"), request(), False),
    ],
)
def test_which_requests_get_the_same_object(
    left: HttpRequest, right: HttpRequest, same: bool
) -> None:
    assert (key(left) == key(right)) is same


def test_accept_encoding_is_normalized() -> None:
    assert normalized_encoding("GZIP, br;q=1.0, *", policy()) == "br,gzip"
    assert normalized_encoding(None, policy()) == ""


# --- The request for the origin

SERVER = Origin("o", "api.example")
DISTRIBUTION = Distribution.from_document(
    {
        "id": "E1",
        "arn": "arn:aws:cloudfront::000000000000:distribution/E1",
        "domain": "d1.cloudfront.net",
        "port": 8100,
        "policies": {},
        "config": {
            "Enabled": True,
            "Origins": counted(
                {"Id": "o", "DomainName": "api.example", "CustomOriginConfig": {"HTTPPort": 80}}
            ),
            "DefaultCacheBehavior": {
                "TargetOriginId": "o",
                "ForwardedValues": {"QueryString": False},
            },
        },
    }
)


def forwarded(one: HttpRequest, **more: Any) -> dict[str, str]:
    sent = build_request(DISTRIBUTION, behavior(**more), SERVER, one, "id")
    return {name.lower(): value for name, value in sent.headers}


def test_legacy_settings_hand_on_headers_of_ones_own() -> None:
    one = request(x_mine="1", accept="a", referer="r", cookie="c=1", te="x", authorization="me")
    sent = forwarded(one)
    assert sent["x-mine"] == "1"
    assert not sent.keys() & {"accept", "referer", "cookie", "te", "authorization"}
    assert sent["host"] == "api.example"


def test_a_policy_hands_on_what_it_names() -> None:
    one = request(x_mine="1", accept="a", content_type="b", authorization="me")
    sent = forwarded(one, CachePolicyId="chosen")
    assert (sent["accept"], sent["content-type"]) == ("a", "b")
    assert not sent.keys() & {"x-mine", "authorization"}


def test_what_may_be_kept_is_asked_for_whole() -> None:
    one = request(range="bytes=0-1", if_none_match='"a"')
    assert not forwarded(one).keys() & {"range", "if-none-match"}
    written = request(method="PUT", if_match='"a"', authorization="me")
    kept = forwarded(written)
    assert (kept["if-match"], kept["authorization"]) == ('"a"', "me")
    assert forwarded(request(x_forwarded_for="1.2.3.4"))["x-forwarded-for"] == (
        "1.2.3.4, 127.0.0.1"
    )


def test_cookies_are_sorted_by_their_names() -> None:
    one = request(cookie="b=1; a=2; b=0; B=3")
    values = {"QueryString": False, "Cookies": {"Forward": "all"}}
    assert forwarded(one, ForwardedValues=values)["cookie"] == "B=3; a=2; b=1; b=0"


@pytest.mark.parametrize(
    ("settings", "forwards"),
    [
        ({"ForwardedValues": {"QueryString": True}}, False),
        ({"ForwardedValues": {"QueryString": True, "Cookies": {"Forward": "none"}}}, False),
        ({"ForwardedValues": {"QueryString": True, "Cookies": {"Forward": "all"}}}, True),
        ({"CachePolicyId": "chosen"}, True),
    ],
)
def test_which_behaviors_are_about_cookies(settings: dict[str, Any], forwards: bool) -> None:
    assert behavior(**settings).forwards_cookies is forwards


def test_head_of_what_may_be_kept_is_get() -> None:
    sent = build_request(DISTRIBUTION, behavior(), SERVER, request(method="HEAD"), "id")
    assert sent.method == "GET"


@pytest.mark.parametrize(
    ("name", "local"),
    [
        ("localhost", True),
        ("shop.localhost", True),
        ("127.0.0.2", True),
        ("host.docker.internal", True),
        ("10.0.0.1", False),
        ("169.254.169.254", False),
        ("example.com", False),
        ("localhost.example.com", False),
    ],
)
def test_which_origins_are_this_machine(name: str, local: bool) -> None:
    assert is_local(name) is local


# --- Responses


@pytest.mark.parametrize(
    ("headers", "result"),
    [
        ({"if_none_match": '"1"'}, True),
        ({"if_none_match": 'W/"1", "2"'}, True),
        ({"if_none_match": '"2"'}, False),
        ({"if_none_match": "*"}, True),
        ({"if_modified_since": "Thu, 01 Jan 2026 00:00:00 GMT"}, True),
        ({"if_modified_since": "Wed, 31 Dec 2025 00:00:00 GMT"}, False),
        ({"if_modified_since": "soon"}, False),
        ({"if_none_match": '"2"', "if_modified_since": "Fri, 02 Jan 2026 00:00:00 GMT"}, False),
        ({}, False),
    ],
)
def test_what_the_viewer_has_already(headers: dict[str, str], result: bool) -> None:
    known = [("ETag", '"1"'), ("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")]
    assert is_not_modified(request(**headers), known) is result


@pytest.mark.parametrize(
    ("value", "status", "body"),
    [
        ("bytes=0-0", 206, b"0"),
        ("bytes=5-", 206, b"56789"),
        ("bytes=5-99", 206, b"56789"),
        ("bytes=-3", 206, b"789"),
        ("bytes=-99", 206, b"0123456789"),
        ("bytes=10-", 416, b""),
        ("bytes=-0", 416, b""),
        ("bytes=4-2", 200, b"0123456789"),
        ("bytes=-", 200, b"0123456789"),
        ("items=0-1", 200, b"0123456789"),
        ("bytes=0-1,4-5", 200, b"0123456789"),
        ("bytes=" + "9" * 5000 + "-", 200, b"0123456789"),
    ],
)
def test_parts(value: str, status: int, body: bytes) -> None:
    whole = HttpResponse(200, [("ETag", '"1"')], b"0123456789")
    part = for_viewer(request(range=value), whole)
    assert (part.status, part.body) == (status, body)


@pytest.mark.parametrize(
    ("kind", "size", "is_compressed"),
    [
        ("text/html; charset=utf-8", 1000, True),
        ("application/json", 1000, True),
        ("image/svg+xml", 1000, True),
        ("application/problem+json", 1000, True),
        ("image/png", 1000, False),
        ("text/plain", 999, False),
        ("", 1000, False),
    ],
)
def test_what_is_compressed(kind: str, size: int, is_compressed: bool) -> None:
    made = compressed(HttpResponse(200, [("Content-Type", kind)], b"x" * size))
    assert (("Content-Encoding", "gzip") in made.headers) is is_compressed


def test_a_response_headers_policy() -> None:
    config = {
        "RemoveHeadersConfig": counted({"Header": "Server"}),
        "CustomHeadersConfig": counted(
            {"Header": "X-A", "Value": "new", "Override": True},
            {"Header": "X-B", "Value": "new", "Override": False},
        ),
        "SecurityHeadersConfig": {
            "FrameOptions": {"FrameOption": "DENY", "Override": True},
            "StrictTransportSecurity": {
                "AccessControlMaxAgeSec": 5,
                "IncludeSubdomains": True,
                "Override": False,
            },
        },
        "CorsConfig": {
            "AccessControlAllowOrigins": counted("https://*.shop.example"),
            "AccessControlAllowMethods": counted("ALL"),
            "AccessControlAllowHeaders": counted("X-A"),
            "AccessControlAllowCredentials": True,
            "OriginOverride": True,
        },
        "ServerTimingHeadersConfig": {"Enabled": True, "SamplingRate": 100},
    }
    headers: Headers = [("Server", "x"), ("X-A", "old"), ("X-B", "old")]
    one = request(method="OPTIONS", origin="https://a.shop.example")
    one.headers.append(("Access-Control-Request-Method", "PUT"))
    made = dict(apply_policy(config, one, headers, "Hit"))

    assert "Server" not in made
    assert (made["X-A"], made["X-B"], made["X-Frame-Options"]) == ("new", "old", "DENY")
    assert made["Strict-Transport-Security"] == "max-age=5; includeSubDomains"
    assert made["Access-Control-Allow-Origin"] == "https://a.shop.example"
    assert "PUT" in made["Access-Control-Allow-Methods"]
    assert made["Server-Timing"] == "cdn-cache-hit"
    foreign = dict(apply_policy(config, request(origin="https://evil.example"), headers, "Miss"))
    assert "Access-Control-Allow-Origin" not in foreign


@pytest.mark.parametrize(
    ("pattern", "origin", "fits"),
    [
        ("*", "https://a.example", True),
        ("https://a.example", "https://A.example", True),
        ("https://a.example", "http://a.example", False),
        ("*.a.example", "https://b.a.example", True),
        ("*.a.example", "https://ba.example", False),
        ("http://*.a.example", "https://b.a.example", False),
        ("a.example", "https://a.example", True),
        ("a.example", "null", False),
    ],
)
def test_whose_pages_may_read(pattern: str, origin: str, fits: bool) -> None:
    assert origin_fits(pattern, origin) is fits


# --- The store


def entry(body: bytes = b"x", fresh_s: float = 10) -> Entry:
    return Entry(200, [], body, NOW, fresh_s)


def stored_key(target: str, distribution: str = "E1") -> CacheKey:
    return CacheKey(distribution, "*", "GET", target, (), (), "")


def keep(store: Store, target: str, what: Entry, distribution: str = "E1") -> None:
    fetch = store.begin(stored_key(target, distribution))
    store.put(fetch, what)
    store.end(fetch)


def test_what_was_used_longest_ago_goes_first() -> None:
    store = Store(10_000)
    for name in "abc":
        keep(store, f"/{name}", entry(b"x" * 2000))
    assert store.get(stored_key("/a"))
    keep(store, "/d", entry(b"x" * 2000))

    left = [name for name in "abcd" if store.get(stored_key(f"/{name}"))]
    assert left == ["a", "c", "d"]
    assert store.size <= 10_000


def test_what_is_too_large_is_not_kept() -> None:
    store = Store(10_000)
    keep(store, "/a", entry())
    keep(store, "/a", entry(b"x" * 6000))
    assert store.get(stored_key("/a")) is None, "nor is what was there before"
    assert store.size == 0


def test_an_invalidation_covers_what_is_being_fetched() -> None:
    store = Store(10_000)
    first = store.begin(stored_key("/a"))
    second = store.begin(stored_key("/a"))
    other = store.begin(stored_key("/b"))
    store.invalidate("E1", ["/a"])

    assert (first.outdated, second.outdated, other.outdated) == (True, True, False)
    assert store.running(stored_key("/a")) is None, "nobody waits for it"
    store.put(first, entry())
    assert store.get(stored_key("/a")) is None
    keep(store, "/a", entry())
    store.end(first)
    assert store.get(stored_key("/a"))


def test_distributions_that_are_gone_take_their_objects_along() -> None:
    store = Store(10_000)
    keep(store, "/a", entry())
    keep(store, "/a", entry(), "E2")
    assert store.invalidate("E3", ["/*"]) == 0
    store.keep({"E2"})
    assert (store.get(stored_key("/a")), bool(store.get(stored_key("/a", "E2")))) == (None, True)


def test_a_clock_that_was_set_back_ends_what_is_fresh() -> None:
    assert [entry().is_fresh(NOW + moved) for moved in (-1, 0, 9, 10)] == [
        *(False, True, True, False),
    ]


# --- Lambda@Edge

FUNCTION = Behavior.from_document(
    {
        "TargetOriginId": "o",
        "ForwardedValues": {"QueryString": False},
        "LambdaFunctionAssociations": counted(
            {
                "LambdaFunctionARN": "arn:aws:lambda:us-east-1:000000000000:function:edge:3",
                "EventType": "origin-request",
                "IncludeBody": True,
            }
        ),
    },
    {},
).functions["origin-request"]


def test_the_event_of_an_origin_request() -> None:
    one = HttpRequest("POST", "/a%20b", "x=1", [("Host", "h"), ("X-Edge-A", "no")], b"hello")
    event = build_event(
        DISTRIBUTION, FUNCTION, "origin-request", one, request_id="id", origin=SERVER
    )
    cf = event["Records"][0]["cf"]

    assert cf["config"] == {
        "distributionDomainName": "d1.cloudfront.net",
        "distributionId": "E1",
        "eventType": "origin-request",
        "requestId": "id",
    }
    assert cf["request"]["headers"] == {"host": [{"key": "Host", "value": "h"}]}
    assert cf["request"]["body"] == {
        "action": "read-only",
        "data": base64.b64encode(b"hello").decode(),
        "encoding": "base64",
        "inputTruncated": False,
    }
    custom = cf["request"]["origin"]["custom"]
    assert (custom["domainName"], custom["port"], custom["protocol"]) == ("api.example", 80, "http")
    assert (FUNCTION.function_arn[-4:], FUNCTION.version) == ("edge", "3")


def test_a_large_body_is_cut_in_the_event() -> None:
    one = HttpRequest("POST", "/", body=b"x" * (VIEWER_BYTES + 1))
    event = build_event(DISTRIBUTION, FUNCTION, "viewer-request", one, request_id="id")
    body = event["Records"][0]["cf"]["request"]["body"]
    assert (len(base64.b64decode(body["data"])), body["inputTruncated"]) == (VIEWER_BYTES, True)


def as_result(**change: Any) -> bytes:
    base = {
        "clientIp": "127.0.0.1",
        "method": "GET",
        "uri": "/a",
        "querystring": "",
        "headers": {"host": [{"key": "Host", "value": "cdn.example"}]},
    }
    return json.dumps({k: v for k, v in (base | change).items() if v != "gone"}).encode()


HOST = {"host": [{"key": "Host", "value": "cdn.example"}]}
REQUESTS: dict[str, bytes] = {
    "nothing": b"",
    "null": b"null",
    "text": b'"x"',
    "a list": b"[]",
    "no JSON": b"{",
    "another method": as_result(method="POST"),
    "another address": as_result(clientIp="1.2.3.4"),
    "no uri": as_result(uri="gone"),
    "a uri without a slash": as_result(uri="a"),
    "a uri with a query": as_result(uri="/a?b"),
    "a uri with a space": as_result(uri="/a b"),
    "a uri with a letter of its own": as_result(uri="/ä"),
    "a long uri": as_result(uri="/" + "a" * 9000),
    "a query with a fragment": as_result(querystring="a#b"),
    "headers that are a list": as_result(headers=[]),
    "a header that is text": as_result(headers=HOST | {"x": "y"}),
    "a value that is a number": as_result(headers=HOST | {"x": [{"value": 1}]}),
    "a value with a line break": as_result(headers=HOST | {"x": [{"value": "a\r\nb"}]}),
    "half a character": as_result(headers=HOST | {"x": [{"value": "\ud800"}]}),
    "a name with a space": as_result(headers=HOST | {"x y": [{"value": "a"}]}),
    "another key": as_result(headers=HOST | {"x": [{"key": "y", "value": "a"}]}),
    "without the host": as_result(headers={}),
    "another host": as_result(headers={"host": [{"value": "other"}]}),
    "a body that is text": as_result(body="x"),
    "a body that does something else": as_result(body={"action": "drop"}),
    "a body that is no base64": as_result(
        body={"action": "replace", "encoding": "base64", "data": "!"}
    ),
    "a body that is too large": as_result(
        body={"action": "replace", "encoding": "text", "data": "x" * (VIEWER_BYTES + 1)}
    ),
    "a status of 100": b'{"status": "100"}',
    "a status that is text": b'{"status": "ok"}',
    "a status that is true": b'{"status": true}',
    "a response that is too large": json.dumps({"status": 200, "body": "x" * 41_000}).encode(),
    "an encoding of its own": b'{"status": 200, "body": "", "bodyEncoding": "hex"}',
    "a length": b'{"status": 200, "headers": {"content-length": [{"value": "1"}]}}',
}


@pytest.mark.parametrize("case", REQUESTS)
def test_a_result_that_is_refused(case: str) -> None:
    with pytest.raises(InvalidResultError):
        parse_request_result(REQUESTS[case], "viewer-request", request(), None)


@pytest.mark.parametrize("name", [*sorted(DISALLOWED), "x-amz-cf-anything", "X-Edge-Any"])
def test_a_disallowed_header(name: str) -> None:
    result = as_result(headers=HOST | {name: [{"value": "x"}]})
    with pytest.raises(InvalidResultError, match="disallowed"):
        parse_request_result(result, "viewer-request", request(), None)


@pytest.mark.parametrize(
    ("point", "name"),
    [(point, name) for point, names in READ_ONLY.items() for name in sorted(names)],
)
def test_a_read_only_header(point: str, name: str) -> None:
    headers = {name: [{"value": "x"}]}
    with pytest.raises(InvalidResultError, match="read-only"):
        if point.endswith("request"):
            given = as_result(headers={**HOST, **headers})
            parse_request_result(given, point, request(), SERVER)
        else:
            given = json.dumps({"status": "200", "headers": headers}).encode()
            parse_response_result(given, point, HttpResponse(200))


def test_a_request_that_is_changed() -> None:
    given = as_result(
        uri="/b",
        querystring="c=d",
        headers={**HOST, "x-new": [{"key": "X-New", "value": "1"}, {"value": "2"}]},
        body={"action": "replace", "encoding": "text", "data": "new"},
    )
    before = request(x_edge_secret="kept")
    made = parse_request_result(given, "viewer-request", before, None).request

    assert (made.raw_path, made.raw_query, made.body) == ("/b", "c=d", b"new")
    assert [value for name, value in made.headers if name.lower() == "x-new"] == ["1", "2"]
    assert made.header("x-edge-secret") == "kept", "what functions do not see they do not take away"


ORIGINS: dict[str, Any] = {
    "both": {"s3": {"domainName": "b"}, "custom": {"domainName": "b", "protocol": "http"}},
    "neither": {},
    "no name": {"custom": {"protocol": "http"}},
    "a name with a slash": {"custom": {"domainName": "a/b", "protocol": "http"}},
    "no protocol": {"custom": {"domainName": "a.example"}},
    "a port of 0": {"custom": {"domainName": "a.example", "protocol": "http", "port": 0}},
    "a path without a slash": {
        "custom": {"domainName": "a.example", "protocol": "http", "path": "x"}
    },
    "another way to sign": {"s3": {"domainName": "b.s3.amazonaws.com", "authMethod": "mine"}},
}


@pytest.mark.parametrize("case", ORIGINS)
def test_an_origin_that_is_none(case: str) -> None:
    with pytest.raises(InvalidResultError):
        parse_request_result(as_result(origin=ORIGINS[case]), "origin-request", request(), SERVER)


def test_a_function_chooses_another_origin() -> None:
    server = {"domainName": "Other.example", "protocol": "https", "port": 8443, "path": "/x"}
    made = parse_request_result(
        as_result(origin={"custom": server}), "origin-request", request(), SERVER
    ).origin
    assert made is not None
    assert (made.domain, made.https_port, made.path, made.is_s3) == (
        *("other.example", 8443, "/x", False),
    )
    bucket = {"domainName": "b.s3.amazonaws.com", "authMethod": "none", "path": ""}
    other = parse_request_result(
        as_result(origin={"s3": bucket}), "origin-request", request(), SERVER
    ).origin
    assert other is not None
    assert (other.is_s3, other.access) == (True, "none")


def test_a_response_that_is_changed() -> None:
    before = HttpResponse(200, [("X-Cache", "old"), ("A", "1")], b"body")
    given = json.dumps({"status": "404", "headers": {"b": [{"value": "2"}]}}).encode()
    made = parse_response_result(given, "origin-response", before)

    assert (made.status, made.body) == (404, b"body"), "a body that is not said stays"
    assert made.headers == [("b", "2"), ("X-Cache", "old")]
    with pytest.raises(InvalidResultError, match="status"):
        parse_response_result(given, "viewer-response", before)
