"""Responses of an HTTP API for the results of its functions."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trigger_stack_engine.front_doors.core.message import HttpError, HttpResponse
from trigger_stack_engine.front_doors.http_api.responses import MAX_RESPONSE_BYTES, parse_result


def parse(result: Any, version: str = "2.0") -> HttpResponse:
    return parse_result(version, json.dumps(result).encode())


def header(response: HttpResponse, name: str) -> list[str]:
    return [value for key, value in response.headers if key.lower() == name]


@pytest.mark.parametrize(
    "result", [{"message": "hi"}, {}, [1, 2], "Hello", 42, None, True, {"body": "x"}]
)
def test_2_0_without_status_code_is_200_with_the_payload_as_json(result: Any) -> None:
    response = parse(result)
    assert response.status == 200
    assert json.loads(response.body) == result
    assert header(response, "content-type") == ["application/json"]


def test_2_0_payload_that_is_no_json_is_passed_on_as_it_is() -> None:
    response = parse_result("2.0", b"{oops")
    assert (response.status, response.body) == (200, b"{oops")


def test_a_full_result() -> None:
    response = parse(
        {
            "statusCode": 201,
            "headers": {"Content-Type": "application/json", "X-Count": 3, "X-Flag": True},
            "cookies": ["a=1; HttpOnly", "b=2"],
            "body": '{"é":1}',
        }
    )
    assert response.status == 201
    assert response.body == '{"é":1}'.encode()
    assert header(response, "content-type") == ["application/json"]
    assert header(response, "x-count") == ["3"]
    assert header(response, "x-flag") == ["true"]
    assert header(response, "set-cookie") == ["a=1; HttpOnly", "b=2"]


def test_status_code_alone_is_enough() -> None:
    response = parse({"statusCode": 204})
    assert (response.status, response.body) == (204, b"")


def test_content_type_defaults_to_text() -> None:
    assert header(parse({"statusCode": 200, "body": "x"}), "content-type") == [
        "text/plain;charset=UTF-8"
    ]


def test_base64_body_is_decoded() -> None:
    body = base64.b64encode(b"\x89PNG\0\xff").decode()
    assert (
        parse({"statusCode": 200, "body": body, "isBase64Encoded": True}).body == b"\x89PNG\0\xff"
    )
    assert parse({"statusCode": 200, "body": body, "isBase64Encoded": False}).body == body.encode()


def test_status_code_may_be_a_numeric_string() -> None:
    assert parse({"statusCode": "404", "body": "gone"}).status == 404


def test_framing_headers_of_the_function_are_dropped() -> None:
    response = parse(
        {
            "statusCode": 200,
            "headers": {"Content-Length": "99", "transfer-encoding": "chunked", "x-a": "1"},
            "body": "x",
        }
    )
    assert header(response, "content-length") == header(response, "transfer-encoding") == []
    assert header(response, "x-a") == ["1"]


def test_2_0_ignores_multi_value_headers() -> None:
    response = parse({"statusCode": 200, "multiValueHeaders": {"X-A": ["1", "2"]}})
    assert header(response, "x-a") == []


def test_1_0_merges_multi_value_headers_and_ignores_cookies() -> None:
    response = parse(
        {
            "statusCode": 200,
            "headers": {"x-a": "0", "x-b": "b"},
            "multiValueHeaders": {"X-A": ["1", "2"], "Set-Cookie": ["a=1", "b=2"]},
            "cookies": ["c=3"],
            "body": "x",
        },
        "1.0",
    )
    assert header(response, "x-a") == ["1", "2"]
    assert header(response, "x-b") == ["b"]
    assert header(response, "set-cookie") == ["a=1", "b=2"]


MALFORMED: list[dict[str, Any]] = [
    {"statusCode": None},
    {"statusCode": True},
    {"statusCode": 20},
    {"statusCode": 99},
    {"statusCode": 100},
    {"statusCode": 600},
    {"statusCode": -200},
    {"statusCode": 200.5},
    {"statusCode": "2xx"},
    {"statusCode": "٢٠٠"},
    {"statusCode": [200]},
    {"statusCode": 200, "body": {"a": 1}},
    {"statusCode": 200, "body": 5},
    {"statusCode": 200, "body": "not base64!", "isBase64Encoded": True},
    {"statusCode": 200, "headers": ["x"]},
    {"statusCode": 200, "headers": "x"},
    {"statusCode": 200, "headers": {"x": ["1"]}},
    {"statusCode": 200, "headers": {"x": {"y": 1}}},
    {"statusCode": 200, "headers": {"x": "1\r\nset-cookie: a=b"}},
    {"statusCode": 200, "headers": {"x\r\ny": "1"}},
    {"statusCode": 200, "headers": {"": "1"}},
    {"statusCode": 200, "headers": {"x y": "1"}},
]


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("result", MALFORMED, ids=json.dumps)
def test_malformed_results_are_500_without_their_text(version: str, result: Any) -> None:
    with pytest.raises(HttpError) as error:
        parse(result, version)
    assert error.value.response.status == 500
    assert error.value.response.body == b'{"message":"Internal Server Error"}'


@pytest.mark.parametrize("cookies", ["a=1", [1], {"a": 1}, ["a=1\r\nx: y"]])
def test_2_0_malformed_cookies_are_500(cookies: Any) -> None:
    with pytest.raises(HttpError):
        parse({"statusCode": 200, "cookies": cookies})


@pytest.mark.parametrize("result", ["text", None, {}, {"body": "x"}, [1]])
def test_1_0_needs_a_status_code(result: Any) -> None:
    with pytest.raises(HttpError):
        parse(result, "1.0")


@pytest.mark.parametrize("headers", [{"x": "1"}, {"x": [{}]}, [["x", "1"]]])
def test_1_0_malformed_multi_value_headers_are_500(headers: Any) -> None:
    with pytest.raises(HttpError):
        parse({"statusCode": 200, "multiValueHeaders": headers}, "1.0")


def test_a_response_over_6_mb_is_500() -> None:
    fits = b'"' + b"x" * (MAX_RESPONSE_BYTES - 2) + b'"'
    assert parse_result("2.0", fits).status == 200
    with pytest.raises(HttpError) as error:
        parse_result("2.0", fits + b" ")
    assert error.value.response.status == 500


def test_deeply_nested_json_does_not_break_the_parser() -> None:
    payload = b"[" * 200_000
    assert parse_result("2.0", payload).status == 200
    with pytest.raises(HttpError):
        parse_result("1.0", payload)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
RESULTS = JSON | st.fixed_dictionaries(
    {"statusCode": st.integers(150, 650) | JSON},
    optional={
        "headers": JSON | st.dictionaries(st.text(max_size=5), JSON, max_size=3),
        "multiValueHeaders": JSON
        | st.dictionaries(st.text(max_size=5), st.lists(JSON), max_size=2),
        "cookies": JSON | st.lists(st.text()),
        "body": JSON,
        "isBase64Encoded": JSON,
    },
)


@given(version=st.sampled_from(["1.0", "2.0"]), result=RESULTS)
def test_fuzz_any_result_is_a_sendable_response_or_500(version: str, result: Any) -> None:
    try:
        response = parse(result, version)
    except HttpError as error:
        assert error.response.status == 500
        return
    assert 200 <= response.status <= 599
    for name, value in response.headers:
        assert name.isascii()
        assert name
        assert not set("\0\r\n") & set(name + value)


@given(st.sampled_from(["1.0", "2.0"]), st.binary(max_size=80))
def test_fuzz_any_bytes_are_answered(version: str, payload: bytes) -> None:
    try:
        assert parse_result(version, payload).status == 200
    except HttpError as error:
        assert error.response.status == 500
