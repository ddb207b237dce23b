"""Access logs and throttling of HTTP APIs: which line a request leaves."""

from __future__ import annotations

import json
import re
import threading
from typing import Any

import pytest

from tests.unit.apigatewayv2.http_api_plane import (
    FUNCTION,
    FakeLambda,
    Plane,
    header,
    make_api,
    message,
)
from trigger_stack.services.apigatewayv2.models import Api
from trigger_stack_engine.front_doors.core.access_logs import AccessLog, parse_log_group
from trigger_stack_engine.front_doors.core.message import HttpRequest
from trigger_stack_engine.front_doors.core.throttles import Throttles
from trigger_stack_engine.front_doors.http_api.call import Call, Notes

GROUP = "arn:aws:logs:us-east-1:000000000000:log-group:/api/access"


def logged_api(
    routes: dict[str, dict[str, Any] | None], line: str | dict[str, str], **stage: Any
) -> Api:
    """An API whose stage logs."""
    api = make_api(routes)
    text = line if isinstance(line, str) else json.dumps(line)
    api.stages["$default"].attributes |= {
        "AccessLogSettings": {"DestinationArn": GROUP, "Format": text},
        **stage,
    }
    return api


def log_of(plane: Plane, request: HttpRequest, api: Api) -> dict[str, str]:
    plane.lines.clear()
    plane.handle(request, api)
    ((_, line),) = plane.lines
    values: dict[str, str] = json.loads(line)
    return values


def json_format(*names: str) -> dict[str, str]:
    return {name: f"$context.{name}" for name in names}


def test_a_line_has_what_the_request_was(plane: Plane, function: FakeLambda) -> None:
    function.handler = lambda _: {"statusCode": 201, "body": "made"}
    names = (
        *("accountId", "apiId", "awsEndpointRequestId", "domainName", "domainPrefix"),
        *("extendedRequestId", "httpMethod", "identity.sourceIp", "identity.userAgent"),
        *("integration.error", "integration.integrationStatus", "integration.latency"),
        *("integration.status", "integrationErrorMessage", "integrationLatency"),
        *("integrationStatus", "path", "protocol", "requestId", "requestTime"),
        *("requestTimeEpoch", "responseLatency", "responseLength", "routeKey", "stage"),
        *("status", "error.message", "error.responseType", "nonsense", "authorizer.sub"),
        *("authorizer.error", "identity", "dataProcessed"),
    )
    api = logged_api({"POST /pets/{id}": {}}, json_format(*names))
    request = HttpRequest(
        "POST",
        "/pets/a%20b",
        headers=[("Host", "pets.example:80"), ("User-Agent", 'a "b" \\ c')],
        body=b"four",
        source_ip="127.0.0.9",
    )
    response = plane.handle(request, api)
    ((stream, line),) = plane.lines
    assert (stream.account, stream.region, stream.group) == (
        "000000000000",
        "us-east-1",
        "/api/access",
    )
    assert re.fullmatch("[0-9a-f]{32}", stream.name)
    values = json.loads(line)
    context = function.calls[0]["event"]["requestContext"]
    assert values == {
        "accountId": "000000000000",
        "apiId": "abc",
        "authorizer.error": "-",
        "authorizer.sub": "-",
        "awsEndpointRequestId": function.calls[0]["request_id"],
        "dataProcessed": "8",
        "domainName": "pets.example",
        "domainPrefix": "pets",
        "error.message": "-",
        "error.responseType": "-",
        "extendedRequestId": header(response, "apigw-requestid"),
        "httpMethod": "POST",
        "identity": "-",
        "identity.sourceIp": "127.0.0.9",
        "identity.userAgent": 'a "b" \\ c',
        "integration.error": "-",
        "integration.integrationStatus": "201",
        "integration.latency": values["integrationLatency"],
        "integration.status": "200",
        "integrationErrorMessage": "-",
        "integrationLatency": values["integrationLatency"],
        "integrationStatus": "200",
        "nonsense": "-",
        "path": "/pets/a%20b",
        "protocol": "HTTP/1.1",
        "requestId": header(response, "apigw-requestid"),
        "requestTime": context["time"],
        "requestTimeEpoch": str(context["timeEpoch"]),
        "responseLatency": values["responseLatency"],
        "responseLength": "4",
        "routeKey": "POST /pets/{id}",
        "stage": "$default",
        "status": "201",
    }
    assert 0 <= int(values["integrationLatency"]) <= int(values["responseLatency"])


@pytest.mark.parametrize(
    ("line", "pattern"),
    [
        (
            '$context.identity.sourceIp - - [$context.requestTime] "$context.httpMethod '
            '$context.routeKey $context.protocol" $context.status $context.responseLength '
            "$context.requestId\n",
            r'127\.0\.0\.1 - - \[[^]]+ \+0000\] "GET GET /x HTTP/1\.1" 200 2 \S{15}=',
        ),
        (
            '<request id="$context.requestId"> <ip>$context.identity.sourceIp</ip></request>',
            r'<request id="\S{15}="> <ip>127\.0\.0\.1</ip></request>',
        ),
        (
            "$context.identity.sourceIp,$context.identity.caller,$context.status,$context.requestId",
            r"127\.0\.0\.1,-,200,\S{15}=",
        ),
    ],
    ids=["CLF", "XML", "CSV"],
)
def test_other_formats(plane: Plane, function: FakeLambda, line: str, pattern: str) -> None:
    function.handler = lambda _: {"statusCode": 200, "body": "ok"}
    plane.handle(HttpRequest("GET", "/x"), logged_api({"GET /x": {}}, line))
    assert re.fullmatch(pattern, plane.lines[0][1])


def test_a_line_says_what_went_wrong(plane: Plane, function: FakeLambda) -> None:
    line = json_format(
        *("status", "routeKey", "error.message", "error.responseType", "integrationErrorMessage"),
        *("integration.status", "integrationLatency"),
    ) | {"quoted": "$context.requestId"}
    function.handler = lambda _: {"statusCode": "malformed"}
    api = logged_api(
        {
            "GET /malformed": {},
            "GET /lone": None,
            "GET /missing": {"IntegrationUri": FUNCTION + "missing"},
            "GET /nobody": {
                "IntegrationType": "HTTP_PROXY",
                "IntegrationUri": "http://127.0.0.1:1/",
            },
        },
        line,
    )

    nothing = log_of(plane, HttpRequest("GET", "/nothing"), api)
    assert (nothing["status"], nothing["routeKey"], nothing["error.message"]) == (
        *("404", "-", "Not Found"),
    )
    assert nothing["integrationLatency"] == "-"
    malformed = log_of(plane, HttpRequest("GET", "/malformed"), api)
    assert (malformed["status"], malformed["error.responseType"]) == ("500", "INTEGRATION_FAILURE")
    assert "doesn't match the format" in malformed["integrationErrorMessage"]
    assert malformed["integration.status"] == "200"
    for path in ("/missing", "/nobody"):
        values = log_of(plane, HttpRequest("GET", path), api)
        assert (values["status"], values["integration.status"]) == ("500", "-")
        assert values["integrationLatency"].isdecimal()
    lone = log_of(plane, HttpRequest("GET", "/lone"), api)
    assert (lone["status"], lone["error.responseType"]) == ("500", "DEFAULT_5XX")


@pytest.mark.parametrize(
    ("said", "name", "value"),
    [
        ({"jwt": {"claims": {"sub": "u1"}, "scopes": None}}, "authorizer.claims.sub", "u1"),
        ({"jwt": {"claims": {"sub": "u1"}, "scopes": None}}, "authorizer.claims", None),
        ({"lambda": {"number": 1, "flag": True}}, "authorizer.number", "1"),
        ({"lambda": {"number": 1, "flag": True}}, "authorizer.flag", "true"),
        ({"lambda": {}}, "authorizer.number", None),
        (
            {"iam": {"accountId": "1", "callerId": "c", "userId": "u", "userArn": "arn:aws:x"}},
            "identity.userArn",
            "arn:aws:x",
        ),
    ],
)
def test_what_an_authorizer_said_is_a_variable(
    said: dict[str, Any], name: str, value: str | None
) -> None:
    api = make_api({"GET /x": {}})
    stage = api.stages["$default"]
    assert stage.snapshot is not None
    call = Call(HttpRequest("GET", "/x"), api, stage, stage.snapshot, "/x", "id")
    call.notes, call.authorizer = Notes(), said
    assert call.lookup(f"context.{name}") == value


def test_a_slow_integration_is_in_the_log(plane: Plane, function: FakeLambda) -> None:
    release = threading.Event()
    function.handler = lambda _: release.wait(30)
    line = json_format("status", "error.responseType", "integrationLatency")
    api = logged_api({"GET /": {"TimeoutInMillis": 50}}, line)
    try:
        values = log_of(plane, HttpRequest("GET", "/"), api)
    finally:
        release.set()
    assert (values["status"], values["error.responseType"]) == ("503", "INTEGRATION_TIMEOUT")
    assert int(values["integrationLatency"]) >= 49


def test_an_error_message_can_be_quoted(plane: Plane) -> None:
    line = '{"id": "$context.requestId", "message": $context.error.messageString}'
    api = logged_api({"GET /x": {}}, line)
    assert log_of(plane, HttpRequest("GET", "/y"), api)["message"] == "Not Found"


def test_a_stage_without_settings_writes_nothing(plane: Plane) -> None:
    plane.handle(HttpRequest("GET", "/"), make_api({"$default": {}}))
    assert plane.lines == []


def test_what_the_engine_is_told_has_the_settings() -> None:
    api = logged_api(
        {"GET /x": {}}, "$context.requestId", RouteSettings={"GET /x": {"ThrottlingRateLimit": 2}}
    )
    told = Api.from_document(json.loads(json.dumps(api.document()))).stages["$default"]
    assert told.access_log is not None
    assert told.access_log.stream.group == "/api/access"
    assert told.limits == {"GET /x": (2.0, 5000)}


@pytest.mark.parametrize(
    ("arn", "place"),
    [
        (GROUP, ("000000000000", "us-east-1", "/api/access")),
        (f"{GROUP}:*", ("000000000000", "us-east-1", "/api/access")),
        ("arn:aws:firehose:us-east-1:000000000000:deliverystream/amazon-apigateway-x", None),
        ("", None),
    ],
)
def test_destinations(arn: str, place: tuple[str, str, str] | None) -> None:
    assert parse_log_group(arn) == place


def test_text_that_only_resembles_a_variable_stays() -> None:
    log = AccessLog.from_settings(
        GROUP, "$context. $contextual $context.a-b $$context.a.", "i", "s"
    )
    assert log is not None
    assert log.line({"a": 1, "contextual": 2}) == "$context. $contextual 1-b $1."


def test_throttling_counts_each_route_against_its_limits(plane: Plane) -> None:
    api = make_api({"GET /own": {}, "GET /other": {}, "GET /more": {}})
    api.stages["$default"].attributes |= {
        "DefaultRouteSettings": {"ThrottlingBurstLimit": 2, "ThrottlingRateLimit": 0.0001},
        "RouteSettings": {"GET /own": {"ThrottlingBurstLimit": 1, "ThrottlingRateLimit": 0.0001}},
    }

    def statuses(path: str, count: int) -> list[int]:
        return [plane.handle(HttpRequest("GET", path), api).status for _ in range(count)]

    assert statuses("/own", 2) == [200, 429]
    assert statuses("/other", 3) == [200, 200, 429]
    assert statuses("/more", 3) == [200, 200, 429]
    refused = plane.handle(HttpRequest("GET", "/own"), api)
    assert message(refused) == (429, "Too Many Requests")
    assert header(refused, "apigw-requestid")
    assert statuses("/nothing", 1) == [404]


def test_a_limit_of_nothing_lets_nothing_through(plane: Plane) -> None:
    api = make_api({"$default": {}})
    none = {"ThrottlingBurstLimit": 0, "ThrottlingRateLimit": 0.0}
    api.stages["$default"].attributes["DefaultRouteSettings"] = none
    assert plane.handle(HttpRequest("GET", "/"), api).status == 429


def test_a_bucket_fills_again() -> None:
    now = [100.0]
    throttles = Throttles(lambda: now[0])
    limits = (2.0, 2)
    assert [throttles.take(("a",), limits) for _ in range(3)] == [True, True, False]
    assert throttles.take(("b",), limits)
    now[0] += 0.5
    assert [throttles.take(("a",), limits) for _ in range(2)] == [True, False]
    now[0] += 3600
    assert [throttles.take(("a",), limits) for _ in range(3)] == [True, True, False]
    assert throttles.take(("a",), None)
