"""Access logs and throttling of HTTP APIs, through CloudWatch Logs and real functions."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from http_api_emulator import ACCOUNT, REGION, Emulator, HttpApi

from bootstrap.services import RESOURCE_TYPES
from bootstrap.services.base import Context, Outcome
from bootstrap.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_apigatewayv2 import ApiGatewayV2Client

MakeApi = Callable[..., HttpApi]
Functions = Callable[..., str]
LOG_SECONDS = 20
FORMAT = {
    name: f"$context.{name}"
    for name in (
        *("requestId", "routeKey", "status", "path", "integration.requestId", "authorizer.who"),
        *("integrationErrorMessage", "error.responseType", "authorizer.error"),
        "integrationStatus",
    )
}


class AccessLog:
    """A log group of one test."""

    def __init__(self, emulator: Emulator) -> None:
        self.logs = emulator.client("logs")
        self.group = f"/api/{secrets.token_hex(4)}"
        self.logs.create_log_group(logGroupName=self.group)

    @property
    def arn(self) -> str:
        return f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{self.group}"

    def settings(self, line: Any = None) -> dict[str, str]:
        text = line if isinstance(line, str) else json.dumps(line or FORMAT)
        return {"DestinationArn": self.arn, "Format": text}

    def lines(self, count: int) -> list[str]:
        """Wait until there are so many lines, in the order of their times."""
        deadline = time.monotonic() + LOG_SECONDS
        while True:
            pages = self.logs.get_paginator("filter_log_events").paginate(logGroupName=self.group)
            events = [event for page in pages for event in page["events"]]
            if len(events) >= count:
                return [event["message"] for event in events]
            assert time.monotonic() < deadline, events
            time.sleep(0.05)


@pytest.fixture
def access_log(emulator: Emulator) -> AccessLog:
    return AccessLog(emulator)


def test_every_request_leaves_a_line(
    apigatewayv2: ApiGatewayV2Client,
    make_api: MakeApi,
    functions: Functions,
    access_log: AccessLog,
) -> None:
    api = make_api()
    api.route("GET /pets/{petId}", functions("echo"))
    api.route("GET /raising", functions("raising"))
    api.route("GET /forbidden", functions("echo", permission=False))
    apigatewayv2.update_stage(
        ApiId=api.api_id,
        StageName="$default",
        AccessLogSettings=access_log.settings(),  # type: ignore[arg-type] # the stubs want a literal
    )
    good = api.call("GET", "/pets/a%20b")
    for path in ("/raising", "/forbidden", "/nothing"):
        api.call("GET", path)

    lines = [json.loads(line) for line in access_log.lines(4)]
    by_path = {line["path"]: line for line in lines}
    assert by_path["/pets/a%20b"] == {
        "authorizer.error": "-",
        "authorizer.who": "-",
        "error.responseType": "-",
        "integration.requestId": good.headers["x-request-id"],
        "integrationErrorMessage": "-",
        "integrationStatus": "200",
        "path": "/pets/a%20b",
        "requestId": good.headers["apigw-requestid"],
        "routeKey": "GET /pets/{petId}",
        "status": "200",
    }
    assert "Lambda function returned" in by_path["/raising"]["integrationErrorMessage"]
    assert by_path["/raising"]["error.responseType"] == "INTEGRATION_FAILURE"
    assert by_path["/raising"]["integrationStatus"] == "200"
    assert "permissions" in by_path["/forbidden"]["integrationErrorMessage"]
    assert (by_path["/nothing"]["status"], by_path["/nothing"]["routeKey"]) == ("404", "-")

    apigatewayv2.delete_access_log_settings(ApiId=api.api_id, StageName="$default")
    assert "AccessLogSettings" not in apigatewayv2.get_stage(ApiId=api.api_id, StageName="$default")
    api.call("GET", "/pets/silent")
    settings = access_log.settings()
    apigatewayv2.update_stage(ApiId=api.api_id, StageName="$default", AccessLogSettings=settings)  # type: ignore[arg-type] # the stubs want a literal
    api.call("GET", "/pets/last")
    paths = [json.loads(line)["path"] for line in access_log.lines(5)]
    assert "/pets/last" in paths
    assert "/pets/silent" not in paths


def test_no_line_is_lost_under_load(
    apigatewayv2: ApiGatewayV2Client,
    make_api: MakeApi,
    functions: Functions,
    access_log: AccessLog,
) -> None:
    api = make_api()
    api.route("GET /x", functions("inferred"))
    apigatewayv2.update_stage(
        ApiId=api.api_id,
        StageName="$default",
        AccessLogSettings=access_log.settings("$context.requestId"),  # type: ignore[arg-type] # the stubs want a literal
    )
    with ThreadPoolExecutor(16) as clients:
        answers = list(clients.map(lambda _: api.call("GET", "/x"), range(400)))
    assert {answer.status_code for answer in answers} == {200}
    sent = sorted(answer.headers["apigw-requestid"] for answer in answers)
    assert sorted(access_log.lines(400)) == sent


def test_a_line_has_what_an_authorizer_said(
    apigatewayv2: ApiGatewayV2Client,
    make_api: MakeApi,
    functions: Functions,
    access_log: AccessLog,
) -> None:
    api = make_api(stage=None)
    api.route("GET /x", functions("echo"))
    authorizer = apigatewayv2.create_authorizer(
        ApiId=api.api_id,
        Name="ask",
        AuthorizerType="REQUEST",
        AuthorizerUri=f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/"
        f"{functions('authorize')}/invocations",
        AuthorizerPayloadFormatVersion="2.0",
        EnableSimpleResponses=True,
        IdentitySource=["$request.header.x-who"],
    )
    (route,) = apigatewayv2.get_routes(ApiId=api.api_id)["Items"]
    apigatewayv2.update_route(
        ApiId=api.api_id,
        RouteId=route["RouteId"],
        AuthorizationType="CUSTOM",
        AuthorizerId=authorizer["AuthorizerId"],
    )
    apigatewayv2.create_stage(
        ApiId=api.api_id,
        StageName="dev",
        AutoDeploy=True,
        AccessLogSettings=access_log.settings(),  # type: ignore[arg-type] # the stubs want a literal
    )
    assert api.call("GET", "/dev/x", headers={"x-who": "yes-me"}).status_code == 200
    assert api.call("GET", "/dev/x", headers={"x-who": "no"}).status_code == 403
    lines = [json.loads(line) for line in access_log.lines(2)]
    by_status = {line["status"]: line for line in lines}
    assert by_status["200"]["authorizer.who"] == "yes-me"
    assert by_status["403"]["authorizer.error"] == "Forbidden"
    assert by_status["403"]["error.responseType"] == "ACCESS_DENIED"


def test_a_line_says_why_a_token_does_not_hold(
    apigatewayv2: ApiGatewayV2Client,
    make_api: MakeApi,
    functions: Functions,
    access_log: AccessLog,
) -> None:
    api = make_api(stage=None)
    api.route("GET /x", functions("echo"))
    authorizer = apigatewayv2.create_authorizer(
        ApiId=api.api_id,
        Name="ask",
        AuthorizerType="JWT",
        IdentitySource=["$request.header.Authorization"],
        JwtConfiguration={"Issuer": "http://127.0.0.1:9", "Audience": ["me"]},
    )
    (route,) = apigatewayv2.get_routes(ApiId=api.api_id)["Items"]
    apigatewayv2.update_route(
        ApiId=api.api_id,
        RouteId=route["RouteId"],
        AuthorizationType="JWT",
        AuthorizerId=authorizer["AuthorizerId"],
    )
    apigatewayv2.create_stage(
        ApiId=api.api_id,
        StageName="dev",
        AutoDeploy=True,
        AccessLogSettings=access_log.settings(),  # type: ignore[arg-type] # the stubs want a literal
    )

    for headers in ({}, {"Authorization": "Bearer nonsense"}):
        assert api.call("GET", "/dev/x", headers=headers).status_code == 401

    errors = {json.loads(line)["authorizer.error"] for line in access_log.lines(2)}
    assert errors == {
        "missing: token not provided",
        "invalid_token: token contains an invalid number of segments",
    }


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"Format": "$context.requestId"}, "log group"),
        ({"DestinationArn": "arn:aws:s3:::bucket", "Format": "$context.requestId"}, "log group"),
        ({"Format": "$context.status"}, "$context.requestId"),
        ({"Format": "$context.requestId\n$context.status"}, "single line"),
        ({"Format": "$context.requestId" + "x" * 1024}, "1024"),
        ({}, None),
    ],
)
def test_settings_that_are_refused(
    apigatewayv2: ApiGatewayV2Client,
    make_api: MakeApi,
    access_log: AccessLog,
    settings: dict[str, Any],
    sentence: str | None,
) -> None:
    api_id = make_api(stage=None).api_id
    if sentence != "log group":
        settings = {"DestinationArn": access_log.arn, "Format": "$context.requestId", **settings}
    stage: dict[str, Any] = {"StageName": "dev", "AccessLogSettings": settings}
    if sentence is None:
        made = apigatewayv2.create_stage(ApiId=api_id, **stage)
        assert made["AccessLogSettings"] == settings
        return
    with pytest.raises(ClientError, match="BadRequestException") as error:
        apigatewayv2.create_stage(ApiId=api_id, **stage)
    assert sentence in error.value.response["Error"]["Message"]


def test_a_stage_lets_no_more_requests_through_than_it_may(
    apigatewayv2: ApiGatewayV2Client, make_api: MakeApi, functions: Functions
) -> None:
    api = make_api()
    api.route("GET /few", functions("inferred"))
    api.route("GET /more", functions("inferred"))
    stage: dict[str, str] = {"ApiId": api.api_id, "StageName": "$default"}
    few = {"GET /few": {"ThrottlingRateLimit": 0.001, "ThrottlingBurstLimit": 2}}
    apigatewayv2.update_stage(**stage, RouteSettings=few)  # type: ignore[arg-type] # two strings
    answers = [api.call("GET", "/few") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].json() == {"message": "Too Many Requests"}
    assert api.call("GET", "/more").status_code == 200

    apigatewayv2.delete_route_settings(**stage, RouteKey="GET /few")  # type: ignore[arg-type] # two strings
    assert api.call("GET", "/few").status_code == 200
    with pytest.raises(ClientError, match="NotFoundException"):
        apigatewayv2.delete_route_settings(**stage, RouteKey="GET /few")  # type: ignore[arg-type] # two strings

    none = {"ThrottlingRateLimit": 0.0, "ThrottlingBurstLimit": 0}
    apigatewayv2.update_stage(**stage, DefaultRouteSettings=none)  # type: ignore[arg-type] # two strings
    assert api.call("GET", "/more").status_code == 429


@pytest.mark.parametrize(
    ("settings", "code", "message"),
    [
        (
            {"RouteSettings": {"GET /none": {"ThrottlingRateLimit": 1.0}}},
            "NotFoundException",
            "Unable to find Route by key GET /none within the provided RouteSettings",
        ),
        (
            {"DefaultRouteSettings": {"LoggingLevel": "INFO"}},
            "BadRequestException",
            "Execution logs are not supported on protocolType HTTP",
        ),
        (
            {"DefaultRouteSettings": {"ThrottlingBurstLimit": -1}},
            "BadRequestException",
            "ThrottlingBurstLimit must not be negative",
        ),
    ],
)
def test_route_settings_that_are_refused(
    apigatewayv2: ApiGatewayV2Client,
    make_api: MakeApi,
    settings: dict[str, Any],
    code: str,
    message: str,
) -> None:
    api_id = make_api().api_id
    with pytest.raises(ClientError) as error:
        apigatewayv2.update_stage(ApiId=api_id, StageName="$default", **settings)
    found = error.value.response["Error"]
    assert (found["Code"], found["Message"]) == (code, message)


def test_a_deployed_stage_logs_and_stops_to_log(emulator: Emulator, make_api: MakeApi) -> None:
    """Not with moto as the other resources: it cannot change a stage."""
    context = Context(Settings(emulator.edge, emulator.port, REGION), "shop")
    stage = {"ApiId": make_api(stage=None).api_id, "StageName": "dev", "AutoDeploy": True}
    log = {
        "DestinationArn": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/http-api/a:*",
        "Format": "$context.requestId",
    }
    other = log | {"Format": "$context.requestId $context.status"}
    resource_type = RESOURCE_TYPES["AWS::ApiGatewayV2::Stage"]

    outcomes = []
    for settings in (log, log, other, None, None):
        properties = stage | ({"AccessLogSettings": settings} if settings else {})
        assert resource_type.problem(properties) is None
        outcomes.append(resource_type.ensure(context, "Thing", properties)[0])

    assert outcomes == [
        *(Outcome.CREATED, Outcome.UNCHANGED, Outcome.CHANGED),
        *(Outcome.CHANGED, Outcome.UNCHANGED),
    ]
