"""CORS that an HTTP API answers by itself."""

from __future__ import annotations

import pytest

from trigger_stack_engine.front_doors.core.cors import (
    Cors,
    apply_cors,
    is_preflight,
    preflight_response,
)
from trigger_stack_engine.front_doors.core.message import Headers, HttpRequest, HttpResponse

ORIGIN = "https://shop.example.com"
CONFIGURATION = {
    "AllowOrigins": [ORIGIN, "http://localhost:3000"],
    "AllowMethods": ["GET", "PUT"],
    "AllowHeaders": ["content-type", "x-api-key"],
    "ExposeHeaders": ["date", "x-count"],
    "MaxAge": 300,
    "AllowCredentials": True,
}


def cors(**changes: object) -> Cors:
    made = Cors.from_configuration(CONFIGURATION | changes)
    assert made is not None
    return made


def request(
    method: str = "GET", origin: str | None = ORIGIN, asked: str | None = None
) -> HttpRequest:
    headers: Headers = []
    if origin is not None:
        headers.append(("Origin", origin))
    if asked is not None:
        headers.append(("Access-Control-Request-Method", asked))
    return HttpRequest(method, "/", headers=headers)


@pytest.mark.parametrize("configuration", [None, {}])
def test_no_configuration_is_no_cors(configuration: dict[str, object] | None) -> None:
    assert Cors.from_configuration(configuration) is None


def test_preflight_is_an_options_request_that_asks() -> None:
    assert is_preflight(request("OPTIONS", asked="PUT"))
    assert not is_preflight(request("OPTIONS"))
    assert not is_preflight(request("OPTIONS", origin=None, asked="PUT"))
    assert not is_preflight(request("GET", asked="PUT"))


def test_preflight_is_answered_with_the_configuration() -> None:
    response = preflight_response(cors(), request("OPTIONS", asked="PUT"))
    assert response.status == 204
    assert response.body == b""
    assert dict(response.headers) == {
        "access-control-allow-origin": ORIGIN,
        "access-control-allow-credentials": "true",
        "access-control-allow-methods": "GET,PUT",
        "access-control-allow-headers": "content-type,x-api-key",
        "access-control-max-age": "300",
    }


def test_preflight_from_another_origin_gets_no_cors_headers() -> None:
    response = preflight_response(cors(), request("OPTIONS", "https://evil.example", "PUT"))
    assert (response.status, response.headers) == (204, [])


def test_a_zero_max_age_is_sent() -> None:
    response = preflight_response(cors(MaxAge=0), request("OPTIONS", asked="GET"))
    assert dict(response.headers)["access-control-max-age"] == "0"


def test_replies_get_the_apis_headers_instead_of_the_functions() -> None:
    reply = HttpResponse(
        200,
        [
            ("Access-Control-Allow-Origin", "*"),
            ("access-control-allow-methods", "DELETE"),
            ("Access-Control-Expose-Headers", "secret"),
            ("x-count", "1"),
        ],
        b"body",
    )
    answered = apply_cors(cors(), request(), reply)
    assert answered.headers == [
        ("x-count", "1"),
        ("access-control-allow-origin", ORIGIN),
        ("access-control-allow-credentials", "true"),
        ("access-control-expose-headers", "date,x-count"),
    ]
    assert (answered.status, answered.body) == (200, b"body")


@pytest.mark.parametrize("origin", [None, "https://evil.example"])
def test_the_functions_headers_are_dropped_for_other_origins_too(origin: str | None) -> None:
    reply = HttpResponse(200, [("access-control-allow-origin", "*")])
    assert apply_cors(cors(), request(origin=origin), reply).headers == []


@pytest.mark.parametrize(
    ("allowed", "origin", "expected"),
    [
        ("*", "https://any.example", "*"),
        ("https://*", "https://any.example", "https://any.example"),
        ("https://*", "http://any.example", None),
        (ORIGIN, "HTTPS://SHOP.example.com", "HTTPS://SHOP.example.com"),
        (ORIGIN, ORIGIN + ".evil.example", None),
        (ORIGIN, ORIGIN + ":8443", None),
        (ORIGIN, "null", None),
    ],
)
def test_which_origins_are_allowed(allowed: str, origin: str, expected: str | None) -> None:
    made = cors(AllowOrigins=[allowed], AllowCredentials=False)
    assert made.allowed_origin(origin) == expected
