"""Events of a load balancer, the responses that results become, and health checks."""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from trigger_stack_engine.front_doors.core.message import HttpRequest
from trigger_stack_engine.front_doors.load_balancer.balancer import (
    HealthSettings,
    RequestHeaders,
    Target,
    TargetGroup,
)
from trigger_stack_engine.front_doors.load_balancer.events import (
    MAX_RESULT_BYTES,
    MalformedResultError,
    build_event,
    build_health_check,
    parse_result,
    trace_header,
)
from trigger_stack_engine.front_doors.load_balancer.health import (
    DISABLED,
    FAILED,
    INITIAL,
    NOT_IN_USE,
    NOT_REGISTERED,
    TIMED_OUT,
    HealthChecks,
    TargetHealth,
    Verdict,
)

ARN = "arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/tg/0123456789abcdef"
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:fn"
GROUP = TargetGroup(ARN, "lambda", False, (Target.from_arn(FUNCTION),), HealthSettings())
MULTI = replace(GROUP, multi_value_headers=True)
REQUEST = HttpRequest(
    "POST",
    "/a%2Fb/c",
    "myKey=val1&myKey=val%202&k%C3%BC=+&empty&&x=",
    [
        ("Host", "localhost:8081"),
        ("X-Mixed", "One"),
        ("x-mixed", "Two"),
        ("Cookie", "a=1"),
        ("Cookie", "b=2"),
        ("Content-Type", "text/plain; charset=utf-8"),
        ("X-Forwarded-For", "192.0.2.1"),
        ("X-Forwarded-Proto", "gopher"),
        ("Connection", "keep-alive"),
        ("Transfer-Encoding", "chunked"),
    ],
    "grün".encode(),
    "127.0.0.1",
    port=8081,
)


def event_of(
    group: TargetGroup = GROUP, request: HttpRequest = REQUEST, **settings: Any
) -> dict[str, Any]:
    headers = RequestHeaders(**settings)
    return build_event(group, request, scheme="http", settings=headers, trace_id="Root=1")


def test_the_event_has_the_last_value_of_each_name() -> None:
    assert event_of() == {
        "requestContext": {"elb": {"targetGroupArn": ARN}},
        "httpMethod": "POST",
        "path": "/a%2Fb/c",
        "queryStringParameters": {"myKey": "val%202", "k%C3%BC": "+", "empty": "", "x": ""},
        "headers": {
            "host": "localhost:8081",
            "x-mixed": "Two",
            "cookie": "b=2",
            "content-type": "text/plain; charset=utf-8",
            "connection": "keep-alive",
            "x-amzn-trace-id": "Root=1",
            "x-forwarded-for": "192.0.2.1, 127.0.0.1",
            "x-forwarded-port": "8081",
            "x-forwarded-proto": "http",
        },
        "body": "grün",
        "isBase64Encoded": False,
    }


def test_with_multi_value_headers_it_has_all() -> None:
    event = event_of(MULTI)

    assert event["multiValueQueryStringParameters"] == {
        "myKey": ["val1", "val%202"],
        "k%C3%BC": ["+"],
        "empty": [""],
        "x": [""],
    }
    assert event["multiValueHeaders"]["cookie"] == ["a=1", "b=2"]
    assert event["multiValueHeaders"]["x-mixed"] == ["One", "Two"]
    assert event["multiValueHeaders"]["x-forwarded-for"] == ["192.0.2.1, 127.0.0.1"]
    assert not {"headers", "queryStringParameters"} & event.keys()


def test_without_query_and_body_both_are_empty() -> None:
    event = event_of(request=HttpRequest("GET", "/"))

    assert event["queryStringParameters"] == {}
    assert (event["body"], event["isBase64Encoded"]) == ("", False)


@pytest.mark.parametrize(
    ("headers", "is_text"),
    [
        ([("Content-Type", "text/html")], True),
        ([("Content-Type", "TEXT/anything; charset=utf-8")], True),
        ([("Content-Type", "application/json")], True),
        ([("Content-Type", "application/javascript")], True),
        ([("Content-Type", "application/xml")], True),
        ([("Content-Type", "application/problem+json")], False),
        ([("Content-Type", "application/x-www-form-urlencoded")], False),
        ([("Content-Type", "image/png")], False),
        ([], False),
        ([("Content-Type", "application/json"), ("Content-Encoding", "gzip")], False),
        ([("Content-Type", "application/json"), ("Content-Encoding", "identity")], False),
    ],
)
def test_which_bodies_are_text(headers: list[tuple[str, str]], is_text: bool) -> None:
    event = event_of(request=HttpRequest("POST", "/", "", headers, b"{}"))

    assert event["isBase64Encoded"] is not is_text
    assert event["body"] == ("{}" if is_text else base64.b64encode(b"{}").decode())


def test_text_that_is_no_utf_8_is_base64() -> None:
    request = HttpRequest("POST", "/", "", [("Content-Type", "text/plain")], b"\xff")

    assert event_of(request=request)["isBase64Encoded"] is True


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("append", "192.0.2.1, 127.0.0.1"), ("preserve", "192.0.2.1"), ("remove", None)],
)
def test_forwarded_addresses(mode: str, expected: str | None) -> None:
    assert event_of(forwarded_for=mode)["headers"].get("x-forwarded-for") == expected


@pytest.mark.parametrize(
    ("address", "port", "mode", "expected"),
    [
        ("127.0.0.1", 40_000, "append", "192.0.2.1, 127.0.0.1:40000"),
        ("::1", 40_000, "append", "192.0.2.1, [::1]:40000"),
        ("127.0.0.1", 0, "append", "192.0.2.1, 127.0.0.1"),
        ("127.0.0.1", 40_000, "preserve", "192.0.2.1"),
    ],
)
def test_the_clients_port(address: str, port: int, mode: str, expected: str) -> None:
    request = replace(REQUEST, source_ip=address, source_port=port)

    event = event_of(request=request, forwarded_for=mode, with_port=True)

    assert event["headers"]["x-forwarded-for"] == expected


def test_invalid_names_of_headers_are_left_out_when_asked_to() -> None:
    headers = [("X_Under", "1"), ("X.Dot", "2"), ("X-Dash", "3"), ("x9", "4")]
    request = replace(REQUEST, headers=headers)

    kept = event_of(request=request, drops_invalid=True)["headers"]

    assert kept.items() >= {("x-dash", "3"), ("x9", "4")}
    assert not kept.keys() & {"x_under", "x.dot"}
    assert event_of(request=request)["headers"].keys() >= {"x_under", "x.dot"}


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (None, r"Root=1-[0-9a-f]{8}-[0-9a-f]{24}"),
        ("Root=1-a;Sampled=1", r"Self=1-[0-9a-f]{8}-[0-9a-f]{24};Root=1-a;Sampled=1"),
        ("Self=1-b;Root=1-a", r"Self=1-[0-9a-f]{8}-[0-9a-f]{24};Root=1-a"),
        ("Self=1-b", r"Root=1-[0-9a-f]{8}-[0-9a-f]{24}"),
    ],
)
def test_the_trace_header(sent: str | None, expected: str) -> None:
    import re

    assert re.fullmatch(expected, trace_header(sent))


def test_the_event_of_a_health_check_is_that_of_the_guide() -> None:
    group = replace(GROUP, health=HealthSettings(path="/health?x=1"))

    assert build_health_check(group) == {
        "requestContext": {"elb": {"targetGroupArn": ARN}},
        "httpMethod": "GET",
        "path": "/health",
        "queryStringParameters": {"x": "1"},
        "headers": {"user-agent": "ELB-HealthChecker/2.0"},
        "body": "",
        "isBase64Encoded": False,
    }


# --- Results


def parsed(result: object, *, multi: bool = False) -> Any:
    return parse_result(json.dumps(result).encode(), multi_value_headers=multi)


def test_a_result_becomes_a_response() -> None:
    response = parsed(
        {
            "isBase64Encoded": False,
            "statusCode": 201,
            "statusDescription": "201 Made it",
            "headers": {"Set-cookie": "a=1", "Content-Type": "text/html", "Connection": "close"},
            "body": "grün",
        }
    )

    assert (response.status, response.reason) == (201, "Made it")
    assert response.headers == [
        ("Set-cookie", "a=1"),
        ("Content-Type", "text/html"),
        ("server", "awselb/2.0"),
    ]
    assert response.body == "grün".encode()


def test_multi_value_headers_repeat() -> None:
    response = parsed(
        {
            "statusCode": 200,
            "multiValueHeaders": {"Set-Cookie": ["a=1", "b=2"], "Server": ["mine"]},
            "headers": {"ignored": "1"},
        },
        multi=True,
    )

    assert response.headers == [
        ("Set-Cookie", "a=1"),
        ("Set-Cookie", "b=2"),
        ("Server", "mine"),
        ("content-type", "application/octet-stream"),
    ]


def test_the_other_kind_of_headers_is_ignored() -> None:
    response = parsed({"statusCode": 200, "multiValueHeaders": {"X": ["1"]}})

    assert "X" not in dict(response.headers)


@pytest.mark.parametrize(
    ("description", "reason"),
    [
        ("200 OK", "OK"),
        ("200 Fine by me", "Fine by me"),
        ("200", ""),
        (None, "OK"),
        ("nonsense", "OK"),
        ("200 a\r\nb: c", "OK"),
    ],
)
def test_status_descriptions(description: str | None, reason: str) -> None:
    assert parsed({"statusCode": 200, "statusDescription": description}).reason == reason


def test_base64_bodies_are_decoded() -> None:
    body = base64.b64encode(bytes(range(256))).decode()

    assert parsed({"statusCode": 200, "isBase64Encoded": True, "body": body}).body == bytes(
        range(256)
    )


@pytest.mark.parametrize(
    ("result", "multi"),
    [
        (None, False),
        ("text", False),
        ([1], False),
        ({}, False),
        ({"body": "x"}, False),
        ({"statusCode": True}, False),
        ({"statusCode": 42}, False),
        ({"statusCode": 100}, False),
        ({"statusCode": "ok"}, False),
        ({"statusCode": 200, "headers": []}, False),
        ({"statusCode": 200, "headers": {"x": 1}}, False),
        ({"statusCode": 200, "headers": {"x": ["1"]}}, False),
        ({"statusCode": 200, "headers": {"a b": "1"}}, False),
        ({"statusCode": 200, "headers": {"x": "1\r\ny: 2"}}, False),
        ({"statusCode": 200, "headers": {"x": "\ud800"}}, False),
        ({"statusCode": 200, "multiValueHeaders": {"x": "1"}}, True),
        ({"statusCode": 200, "body": {"a": 1}}, False),
        ({"statusCode": 200, "body": "%", "isBase64Encoded": True}, False),
    ],
)
def test_what_is_no_response(result: object, multi: bool) -> None:
    with pytest.raises(MalformedResultError):
        parsed(result, multi=multi)


def test_a_result_over_one_megabyte_is_no_response() -> None:
    frame = len(json.dumps({"statusCode": 200, "body": ""}))
    most = "x" * (MAX_RESULT_BYTES - frame)

    assert parsed({"statusCode": 200, "body": most}).status == 200
    with pytest.raises(MalformedResultError):
        parsed({"statusCode": 200, "body": most + "x"})


# --- Health


@pytest.mark.parametrize(
    ("codes", "status", "accepted"),
    [
        ("200", 200, True),
        ("200", 201, False),
        ("200,202", 202, True),
        ("200-299", 250, True),
        ("200-299", 300, False),
        ("200, 300-302", 301, True),
    ],
)
def test_success_codes(codes: str, status: int, accepted: bool) -> None:
    assert HealthSettings(codes=codes).accepts(status) is accepted


def test_thresholds() -> None:
    group = replace(GROUP, health=HealthSettings(healthy_threshold=3, unhealthy_threshold=2))
    health = TargetHealth()
    assert health.verdict is INITIAL

    states = []
    for failure in (None, FAILED, None, FAILED, FAILED, None, None, FAILED, None, None, None):
        health.count(failure, group)
        states.append(health.verdict.state)

    assert states == ["healthy"] * 4 + ["unhealthy"] * 6 + ["healthy"]


def test_a_target_that_never_succeeds_becomes_unhealthy() -> None:
    health = TargetHealth()
    health.count(TIMED_OUT, GROUP)
    assert health.verdict is INITIAL
    health.count(TIMED_OUT, GROUP)
    assert health.verdict is TIMED_OUT


def test_checks_run_for_groups_in_use_only_and_end() -> None:
    checked: list[str] = []
    outcomes: dict[str, Verdict | None] = {}

    async def check(group: TargetGroup, target: Target) -> Verdict | None:
        checked.append(target.arn)
        if group.health.path == "/slow":
            await asyncio.sleep(10)
        return outcomes.get(target.arn)

    async def until(checks: HealthChecks, state: str) -> None:
        async with asyncio.timeout(5):
            while checks.verdict(ARN, FUNCTION).state != state:
                await asyncio.sleep(0.005)

    async def run() -> None:
        checks = HealthChecks(check)
        fast = HealthSettings(enabled=True, interval_s=0.01, timeout_s=0.05, healthy_threshold=2)
        group = replace(GROUP, health=fast)
        assert checks.verdict(ARN, FUNCTION) is NOT_REGISTERED
        checks.replace([GROUP], [ARN])
        assert checks.verdict(ARN, FUNCTION) is DISABLED
        checks.replace([group], [])
        assert checks.verdict(ARN, FUNCTION) is NOT_IN_USE
        assert checks.verdict(ARN, "other") is NOT_REGISTERED
        checks.replace([group], [ARN])
        assert checks.verdict(ARN, FUNCTION) is INITIAL
        await until(checks, "healthy")
        outcomes[FUNCTION] = FAILED
        await until(checks, "unhealthy")
        assert checks.verdict(ARN, FUNCTION) is FAILED
        outcomes.clear()
        await until(checks, "healthy")
        checks.replace([replace(group, health=replace(fast, path="/slow"))], [ARN])
        await until(checks, "unhealthy")
        assert checks.verdict(ARN, FUNCTION) is TIMED_OUT
        checks.close()
        await asyncio.sleep(0)
        count = len(checked)
        await asyncio.sleep(0.3)
        assert len(checked) == count

    asyncio.run(run())
