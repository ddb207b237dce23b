"""The data plane with a fake Lambda: what happens around the integration."""

from __future__ import annotations

import json
import threading

import pytest

from tests.unit.apigatewayv2.http_api_plane import (
    FUNCTION,
    FakeLambda,
    Plane,
    header,
    make_api,
    message,
)
from trigger_stack_engine.front_doors.core.limits import MAX_BODY_BYTES
from trigger_stack_engine.front_doors.core.message import HttpRequest
from trigger_stack_engine.front_doors.core.routing import Match, parse_route_key
from trigger_stack_engine.front_doors.http_api.http_proxy import target_url


def test_a_request_reaches_the_function_and_its_reply_the_client(
    plane: Plane, function: FakeLambda
) -> None:
    api = make_api({"GET /brand/{brandId}": {}})
    function.handler = lambda event: {
        "statusCode": 200,
        "headers": {"cache-control": "max-age=300"},
        "body": event["pathParameters"]["brandId"],
    }
    response = plane.handle(HttpRequest("GET", "/brand/acme"), api)
    assert (response.status, response.body) == (200, b"acme")
    assert header(response, "cache-control") == "max-age=300"
    (call,) = function.calls
    assert call["uri"] == FUNCTION + "echo"
    assert call["source_arn"].endswith(":abc/$default/GET/brand/{brandId}")
    assert call["trace_id"] == call["event"]["headers"]["x-amzn-trace-id"]
    assert header(response, "apigw-requestid") == call["event"]["requestContext"]["requestId"]


def test_an_integration_with_a_role_does_not_ask_the_functions_policy(
    plane: Plane, function: FakeLambda
) -> None:
    api = make_api({"$default": {"CredentialsArn": "arn:aws:iam::000000000000:role/api"}})
    plane.handle(HttpRequest("GET", "/"), api)
    assert function.calls[0]["source_arn"] is None


def test_stage_variables_choose_the_function(plane: Plane, function: FakeLambda) -> None:
    api = make_api(
        {"GET /x": {"IntegrationUri": FUNCTION + "${stageVariables.fn}"}},
        {"dev": {"fn": "one"}, "prod": {"fn": "two"}},
    )
    plane.handle(HttpRequest("GET", "/prod/x"), api)
    plane.handle(HttpRequest("GET", "/dev/x"), api)
    assert [call["uri"] for call in function.calls] == [FUNCTION + "two", FUNCTION + "one"]
    assert function.calls[0]["event"]["stageVariables"] == {"fn": "two"}
    assert function.calls[0]["event"]["rawPath"] == "/prod/x"


def test_no_route_and_no_stage_are_404(plane: Plane) -> None:
    api = make_api({"GET /x": {}}, {"dev": {}})
    for path in ("/dev/y", "/x", "/"):
        response = plane.handle(HttpRequest("GET", path), api)
        assert message(response) == (404, "Not Found")
        assert header(response, "apigw-requestid")


def test_a_stage_that_was_never_deployed_is_404(plane: Plane) -> None:
    api = make_api({"$default": {}})
    api.stages["$default"].snapshot = None
    assert message(plane.handle(HttpRequest("GET", "/"), api)) == (404, "Not Found")


def test_a_stage_serves_its_deployment_and_not_later_changes(plane: Plane) -> None:
    api = make_api({"GET /old": {}})
    api.routes["r0"]["RouteKey"] = "GET /new"
    assert plane.handle(HttpRequest("GET", "/old"), api).status == 200
    assert plane.handle(HttpRequest("GET", "/new"), api).status == 404


def test_failing_functions_malformed_replies_and_lone_routes_are_500(
    plane: Plane, function: FakeLambda
) -> None:
    function.handler = lambda _: {"statusCode": "secret"}
    api = make_api(
        {
            "GET /malformed": {},
            "GET /missing": {"IntegrationUri": FUNCTION + "missing"},
            "GET /lone": None,
        }
    )
    for path in ("/malformed", "/missing", "/lone"):
        response = plane.handle(HttpRequest("GET", path), api)
        assert message(response) == (500, "Internal Server Error"), path


def test_a_bug_in_the_invoker_is_500_and_not_a_traceback(
    plane: Plane, function: FakeLambda
) -> None:
    def explode(_: object) -> None:
        raise RuntimeError("secret")

    function.handler = explode
    response = plane.handle(HttpRequest("GET", "/"), make_api({"$default": {}}))
    assert message(response) == (500, "Internal Server Error")
    assert b"secret" not in response.body


def test_a_slow_function_is_503_after_the_time_out(plane: Plane, function: FakeLambda) -> None:
    release = threading.Event()
    function.handler = lambda _: release.wait(30)
    api = make_api({"$default": {"TimeoutInMillis": 50}})
    try:
        response = plane.handle(HttpRequest("GET", "/"), api)
    finally:
        release.set()
    assert message(response) == (503, "Service Unavailable")


@pytest.mark.parametrize(
    ("request_", "status", "text"),
    [
        (
            HttpRequest("POST", "/", body=b"x" * (MAX_BODY_BYTES + 1)),
            413,
            "Request Entity Too Large",
        ),
        (
            HttpRequest("GET", "/", headers=[("x-big", "x" * 10_240)]),
            431,
            "Request Header Fields Too Large",
        ),
        (HttpRequest("GET", "/" + "x" * 10_240), 431, "Request Header Fields Too Large"),
        (HttpRequest("GET", "/", headers=[("x-a", "a\0b")]), 400, "Bad Request"),
        (HttpRequest("GET", "/%zz"), 400, "Bad Request"),
        (HttpRequest("GET", "/", raw_query="a=%ff"), 400, "Bad Request"),
        (HttpRequest("OPTIONS", "*"), 400, "Bad Request"),
    ],
    ids=["body", "header", "path", "nul", "escape", "utf-8", "asterisk"],
)
def test_requests_that_are_refused(
    plane: Plane, function: FakeLambda, request_: HttpRequest, status: int, text: str
) -> None:
    response = plane.handle(request_, make_api({"$default": {}}))
    assert message(response) == (status, text)
    assert header(response, "apigw-requestid")
    assert function.calls == []


CORS = {"AllowOrigins": ["https://a.example"], "AllowMethods": ["GET"], "MaxAge": 5}
ORIGIN = ("origin", "https://a.example")


def test_preflight_is_answered_without_any_function(plane: Plane, function: FakeLambda) -> None:
    api = make_api({"ANY /{proxy+}": {}}, CorsConfiguration=CORS)
    ask = [ORIGIN, ("access-control-request-method", "GET")]
    response = plane.handle(HttpRequest("OPTIONS", "/x", headers=ask), api)
    assert response.status == 204
    assert header(response, "access-control-allow-origin") == "https://a.example"
    assert header(response, "apigw-requestid")
    assert function.calls == []


def test_options_that_is_no_preflight_goes_to_its_route(plane: Plane, function: FakeLambda) -> None:
    api = make_api({"ANY /{proxy+}": {}}, CorsConfiguration=CORS)
    assert plane.handle(HttpRequest("OPTIONS", "/x"), api).status == 200
    assert len(function.calls) == 1


def test_errors_of_the_api_carry_cors_headers_too(plane: Plane) -> None:
    api = make_api({"GET /x": None}, CorsConfiguration=CORS)
    for path, status in (("/x", 500), ("/y", 404)):
        response = plane.handle(HttpRequest("GET", path, headers=[ORIGIN]), api)
        assert response.status == status
        assert header(response, "access-control-allow-origin") == "https://a.example"


def test_http_proxy_passes_request_and_answer_on(plane: Plane, upstream: str) -> None:
    integration = {
        "IntegrationType": "HTTP_PROXY",
        "IntegrationUri": upstream + "/base/{proxy}",
        "IntegrationMethod": "ANY",
    }
    response = plane.handle(
        HttpRequest("POST", "/a%20b/c", "q=1", [("x-a", "A"), ("host", "h")], b"body"),
        make_api({"ANY /{proxy+}": integration}),
    )
    assert response.status == 302
    assert response.body == b"POST /base/a%20b/c?q=1 A body"
    assert header(response, "location") == "http://elsewhere.invalid/"


def test_http_proxy_sends_each_header_as_often_as_it_came(plane: Plane, upstream: str) -> None:
    """And none that the client did not send."""
    integration = {
        "IntegrationType": "HTTP_PROXY",
        "IntegrationUri": upstream,
        "IntegrationMethod": "ANY",
    }
    sent = [("x-m", "1"), ("accept", "a/b"), ("X-M", "2"), ("accept", "c/d"), ("x-u", "é")]

    response = plane.handle(
        HttpRequest("POST", "/", headers=sent, body=b"b"), make_api({"$default": integration})
    )

    received = [tuple(one) for one in json.loads(header(response, "x-received") or "")]
    by_api = {"host", "content-length", "forwarded", "connection"}
    others = [(name.lower(), value) for name, value in received if name.lower() not in by_api]
    assert sorted(others) == sorted((name.lower(), value) for name, value in sent)


def test_http_proxy_hands_the_text_of_headers_on(plane: Plane, upstream: str) -> None:
    """Servers send UTF-8, of which no UTF-8 is made again."""
    integration = {
        "IntegrationType": "HTTP_PROXY",
        "IntegrationUri": upstream,
        "IntegrationMethod": "ANY",
    }
    response = plane.handle(
        HttpRequest("POST", "/", body=b"b"), make_api({"$default": integration})
    )
    assert header(response, "x-text") == "grün"


def test_http_proxy_keeps_no_cookie_of_one_client_for_the_next(plane: Plane, upstream: str) -> None:
    api = make_api(
        {
            "$default": {
                "IntegrationType": "HTTP_PROXY",
                "IntegrationUri": upstream,
                "IntegrationMethod": "ANY",
            }
        }
    )
    first = plane.handle(HttpRequest("POST", "/", body=b"b"), api)
    assert header(first, "set-cookie") == "session=secret; Path=/"

    second = plane.handle(HttpRequest("POST", "/", body=b"b"), api)

    received = json.loads(header(second, "x-received") or "")
    assert "cookie" not in [name.lower() for name, _ in received]


def test_http_proxy_without_a_server_is_500(plane: Plane) -> None:
    integration = {"IntegrationType": "HTTP_PROXY", "IntegrationUri": "http://127.0.0.1:1/"}
    response = plane.handle(HttpRequest("GET", "/"), make_api({"$default": integration}))
    assert message(response) == (500, "Internal Server Error")


def test_http_proxy_url_takes_variables_and_query() -> None:
    match = Match(parse_route_key("GET /{a}"), {"a": "x/y z"})
    assert target_url("http://h/{a}/{b}?k=v", match, "q=%20") == "http://h/x/y%20z/?k=v&q=%20"
