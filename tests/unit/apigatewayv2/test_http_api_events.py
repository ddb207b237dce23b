"""Payload formats 2.0 and 1.0 as a function behind an HTTP API gets them."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trigger_stack_engine.front_doors.core.event_parts import format_time, is_text
from trigger_stack_engine.front_doors.core.message import Headers, HttpError, HttpRequest
from trigger_stack_engine.front_doors.core.routing import Match, RouteTable, parse_route_key
from trigger_stack_engine.front_doors.http_api.events import (
    CallContext,
    build_event,
    build_event_v1,
    build_event_v2,
)

DEFAULT = Match(parse_route_key("$default"), {})
BRAND = Match(parse_route_key("GET /brand/{brandId}"), {"brandId": "acme"})

GUIDE_REQUEST = HttpRequest(
    "POST",
    "/my/path",
    raw_query="parameter1=value1&parameter1=value2&parameter2=value",
    headers=[
        ("Host", "id.execute-api.us-east-1.amazonaws.com"),
        ("Header1", "value1"),
        ("Header2", "value1"),
        ("header2", "value2"),
        ("Cookie", "cookie1=a; cookie2=b"),
        ("User-Agent", "agent"),
        ("Content-Type", "text/plain"),
        ("Content-Length", "16"),
    ],
    body=b"Hello from Lamda",
    source_ip="192.0.2.1",
    scheme="https",
    port=443,
)


def test_format_2_0_is_that_of_the_aws_guide(call: CallContext) -> None:
    assert build_event_v2(GUIDE_REQUEST, DEFAULT, call) == {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/my/path",
        "rawQueryString": "parameter1=value1&parameter1=value2&parameter2=value",
        "cookies": ["cookie1=a", "cookie2=b"],
        "headers": {
            "host": "id.execute-api.us-east-1.amazonaws.com",
            "header1": "value1",
            "header2": "value1,value2",
            "user-agent": "agent",
            "content-type": "text/plain",
            "content-length": "16",
            "x-amzn-trace-id": "Root=1-5e6722a7-cc56xmpl46db7ae02d4da47e",
            "x-forwarded-for": "192.0.2.1",
            "x-forwarded-port": "443",
            "x-forwarded-proto": "https",
        },
        "queryStringParameters": {"parameter1": "value1,value2", "parameter2": "value"},
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "abc1234567",
            "domainName": "id.execute-api.us-east-1.amazonaws.com",
            "domainPrefix": "id",
            "http": {
                "method": "POST",
                "path": "/my/path",
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": "agent",
            },
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": "$default",
            "stage": "$default",
            "time": "12/Mar/2020:19:03:58 +0000",
            "timeEpoch": 1584039838123,
        },
        "body": "Hello from Lamda",
        "isBase64Encoded": False,
    }


def test_format_2_0_leaves_absent_parts_out(call: CallContext) -> None:
    event = build_event_v2(HttpRequest("GET", "/"), DEFAULT, call)
    absent = {"cookies", "queryStringParameters", "pathParameters", "stageVariables", "body"}
    assert absent.isdisjoint(event)
    assert event["rawQueryString"] == ""
    assert event["isBase64Encoded"] is False
    assert event["headers"]["content-length"] == "0"
    assert event["requestContext"]["http"]["userAgent"] == ""


def test_format_2_0_with_path_parameters_and_stage_variables(call: CallContext) -> None:
    staged = replace(call, stage="dev", stage_variables={"table": "brands"})
    event = build_event_v2(HttpRequest("GET", "/dev/brand/acme"), BRAND, staged)
    assert event["routeKey"] == event["requestContext"]["routeKey"] == "GET /brand/{brandId}"
    assert event["pathParameters"] == {"brandId": "acme"}
    assert event["stageVariables"] == {"table": "brands"}
    assert event["requestContext"]["stage"] == "dev"
    assert event["rawPath"] == event["requestContext"]["http"]["path"] == "/dev/brand/acme"


def test_raw_path_is_decoded_and_raw_query_string_is_not(call: CallContext) -> None:
    request = HttpRequest("GET", "/a%20b/%C3%A9", raw_query="q=a%20b+c&e=%C3%A9&flag&x=1%2C2&x=3")
    event = build_event_v2(request, DEFAULT, call)
    assert event["rawPath"] == "/a b/é"
    assert event["rawQueryString"] == "q=a%20b+c&e=%C3%A9&flag&x=1%2C2&x=3"
    assert event["queryStringParameters"] == {"q": "a b c", "e": "é", "flag": "", "x": "1,2,3"}


def test_all_cookie_headers_are_split_into_one_list(call: CallContext) -> None:
    headers = [("cookie", "a=1; b=2"), ("Cookie", "c=3;d=4;")]
    event = build_event_v2(HttpRequest("GET", "/", headers=headers), DEFAULT, call)
    assert event["cookies"] == ["a=1", "b=2", "c=3", "d=4"]
    assert "cookie" not in event["headers"]


def test_forwarded_headers_are_the_gateways_own(call: CallContext) -> None:
    headers = [
        ("X-Forwarded-For", "198.51.100.7"),
        ("X-Forwarded-Proto", "gopher"),
        ("X-Amzn-Trace-Id", "Root=1-1-1"),
        ("Connection", "keep-alive"),
        ("Transfer-Encoding", "chunked"),
    ]
    seen = build_event_v2(HttpRequest("GET", "/", headers=headers), DEFAULT, call)["headers"]
    assert seen["x-forwarded-for"] == "198.51.100.7, 127.0.0.1"
    assert seen["x-forwarded-proto"] == "http"
    assert seen["x-amzn-trace-id"] == "Root=1-1-1"
    assert {"connection", "transfer-encoding"}.isdisjoint(seen)


@pytest.mark.parametrize(
    ("host", "name", "prefix"),
    [
        ("localhost:8080", "localhost", "localhost"),
        ("api.example.com", "api.example.com", "api"),
        ("[::1]:8080", "[::1]", "[::1]"),
        (None, "abc1234567.execute-api.localhost", "abc1234567"),
    ],
)
def test_domain_name_is_the_host_asked_for(
    call: CallContext, host: str | None, name: str, prefix: str
) -> None:
    headers: Headers = [] if host is None else [("Host", host)]
    context = build_event_v2(HttpRequest("GET", "/", headers=headers), DEFAULT, call)[
        "requestContext"
    ]
    assert (context["domainName"], context["domainPrefix"]) == (name, prefix)


@pytest.mark.parametrize(
    ("content_type", "text"),
    [
        ("text/plain", True),
        ("text/html; charset=utf-8", True),
        ("Application/JSON", True),
        ("application/json; charset=utf-8", True),
        ("application/xml", True),
        ("application/javascript", True),
        ("application/x-www-form-urlencoded", False),
        ("application/vnd.api+json", False),
        ("application/atom+xml", False),
        ("multipart/form-data; boundary=x", False),
        ("application/octet-stream", False),
        ("image/png", False),
        ("", False),
        (None, False),
    ],
)
def test_which_content_types_are_text(content_type: str | None, text: bool) -> None:
    assert is_text(content_type) is text


def test_a_form_as_curl_sends_it_is_base64_encoded(call: CallContext) -> None:
    request = HttpRequest(
        "POST",
        "/",
        headers=[("Content-Type", "application/x-www-form-urlencoded")],
        body=b'{"name":"Acme"}',
    )
    event = build_event_v2(request, DEFAULT, call)
    assert event["isBase64Encoded"] is True
    assert base64.b64decode(event["body"]) == b'{"name":"Acme"}'


def test_json_arrives_as_text_and_other_bytes_are_not_lost(call: CallContext) -> None:
    headers = [("content-type", "application/json")]
    text = build_event_v2(HttpRequest("POST", "/", headers=headers, body="é".encode()), BRAND, call)
    assert (text["body"], text["isBase64Encoded"]) == ("é", False)
    broken = build_event_v2(HttpRequest("POST", "/", headers=headers, body=b"\xff"), BRAND, call)
    assert (broken["body"], broken["isBase64Encoded"]) == ("/w==", True)


def test_format_1_0_has_multi_values_and_nulls(call: CallContext) -> None:
    event = build_event_v1(GUIDE_REQUEST, DEFAULT, call)
    assert event["version"] == "1.0"
    assert event["resource"] == "$default"
    assert (event["path"], event["httpMethod"]) == ("/my/path", "POST")
    assert event["headers"]["Header1"] == "value1"
    assert event["headers"]["Cookie"] == "cookie1=a; cookie2=b"
    assert event["headers"]["X-Forwarded-For"] == "192.0.2.1"
    assert event["headers"]["Header2"] == "value2"
    assert event["multiValueHeaders"]["Header2"] == ["value1", "value2"]
    assert "header2" not in event["headers"]
    assert event["queryStringParameters"] == {"parameter1": "value2", "parameter2": "value"}
    assert event["multiValueQueryStringParameters"] == {
        "parameter1": ["value1", "value2"],
        "parameter2": ["value"],
    }
    assert event["pathParameters"] is None
    assert event["stageVariables"] is None
    context = event["requestContext"]
    assert context["requestTime"] == "12/Mar/2020:19:03:58 +0000"
    assert context["requestTimeEpoch"] == 1584039838123
    assert context["identity"]["sourceIp"] == "192.0.2.1"
    assert context["identity"]["userAgent"] == "agent"
    assert context["extendedRequestId"] == context["requestId"] == "JKJaXmPLvHcESHA="
    assert (event["body"], event["isBase64Encoded"]) == ("Hello from Lamda", False)


def test_format_1_0_names_the_routes_path(call: CallContext) -> None:
    event = build_event("1.0", HttpRequest("GET", "/brand/acme"), BRAND, call)
    assert event["resource"] == event["requestContext"]["resourcePath"] == "/brand/{brandId}"
    assert event["pathParameters"] == {"brandId": "acme"}
    assert event["queryStringParameters"] is None
    assert event["multiValueQueryStringParameters"] is None
    assert event["body"] is None


def test_time_is_utc_and_english() -> None:
    east = timezone(timedelta(hours=5))
    assert format_time(datetime(2026, 12, 1, 2, 0, 0, tzinfo=east)) == "30/Nov/2026:21:00:00 +0000"


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("query", ["%", "a=%4", "a=%zz", "%ff=1", "a=%00"])
def test_a_query_that_cannot_be_decoded_is_a_bad_request(
    call: CallContext, version: str, query: str
) -> None:
    with pytest.raises(HttpError) as error:
        build_event(version, HttpRequest("GET", "/", raw_query=query), DEFAULT, call)
    assert error.value.response.status == 400


LATIN = st.text(st.characters(max_codepoint=0xFF), max_size=40)


@given(
    version=st.sampled_from(["1.0", "2.0"]),
    method=LATIN,
    path=LATIN,
    query=LATIN,
    headers=st.lists(
        st.tuples(st.sampled_from(["Host", "Cookie", "Content-Type", "X-Y", "TE"]) | LATIN, LATIN)
    ),
    body=st.binary(max_size=60),
)
def test_fuzz_any_request_becomes_an_event_or_a_bad_request(
    version: str, method: str, path: str, query: str, headers: Headers, body: bytes
) -> None:
    """From hostile bytes comes an event that is valid JSON and holds the body, or a 400."""
    call = CallContext(
        "000000000000", "abc", "$default", {}, "id", "Root=1-1-1", datetime.now().astimezone()
    )
    request = HttpRequest(method, "/" + path, query, headers, body)
    try:
        match = RouteTable([parse_route_key("ANY /{proxy+}"), parse_route_key("$default")]).match(
            method, request.raw_path
        )
        assert match is not None
        event = build_event(version, request, match, call)
    except HttpError as error:
        assert error.response.status == 400
        return
    read = json.loads(json.dumps(event, ensure_ascii=False).encode("utf-8"))
    assert read == event
    sent = read.get("body") or ""
    assert (base64.b64decode(sent) if read["isBase64Encoded"] else sent.encode()) == body
