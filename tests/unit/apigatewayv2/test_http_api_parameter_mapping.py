"""Parameter mapping: which changes there are, and what they do to requests and responses."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.apigatewayv2.http_api_plane import FakeLambda, Plane, header, make_api, message
from trigger_stack_engine.front_doors.core.message import HttpRequest
from trigger_stack_engine.front_doors.http_api.parameter_mapping import (
    InvalidMappingError,
    ParameterMapping,
    of_body,
)


def event_for(
    plane: Plane, function: FakeLambda, parameters: dict[str, str], request: HttpRequest
) -> dict[str, Any]:
    """What the function gets of a request for ``ANY /pets/{petId}`` of stage ``dev``."""
    api = make_api(
        {"ANY /pets/{petId}": {"RequestParameters": parameters}}, {"dev": {"table": "brands"}}
    )
    assert plane.handle(request, api).status == 200
    event: dict[str, Any] = function.calls[-1]["event"]
    return event


def get(path: str = "/dev/pets/a%20b", query: str = "", *headers: tuple[str, str]) -> HttpRequest:
    return HttpRequest("GET", path, query, list(headers))


def test_headers_are_appended_overwritten_and_removed(plane: Plane, function: FakeLambda) -> None:
    event = event_for(
        plane,
        function,
        {
            "append:header.X-More": "two",
            "append:header.X-New": "$request.querystring.q",
            "overwrite:header.x-set": "$stageVariables.table",
            "remove:header.x-gone": "''",
        },
        get("/dev/pets/1", "q=1&q=2", ("x-more", "one"), ("X-Set", "a"), ("x-gone", "b")),
    )
    headers = event["headers"]
    assert headers["x-more"] == "one,two"
    assert headers["x-new"] == "1,2"
    assert headers["x-set"] == "brands"
    assert "x-gone" not in headers


def test_query_parameters_are_appended_overwritten_and_removed(
    plane: Plane, function: FakeLambda
) -> None:
    event = event_for(
        plane,
        function,
        {
            "append:querystring.a": "$request.header.x-a",
            "overwrite:querystring.b": "${request.path.petId} & more",
            "remove:querystring.c": "''",
        },
        get("/dev/pets/a%20b", "a=1&b=2&b=3&c=4&d=%20", ("X-A", "ä")),
    )
    assert event["queryStringParameters"] == {"a": "1,ä", "b": "a b & more", "d": " "}


def test_the_path_is_overwritten_below_the_stage(plane: Plane, function: FakeLambda) -> None:
    event = event_for(
        plane, function, {"overwrite:path": "/animals/$request.path.petId/x y"}, get()
    )
    assert event["rawPath"] == "/dev/animals/a b/x y"
    assert event["pathParameters"] == {"petId": "a b"}


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("static", "static"),
        ("$request.path", "/pets/a%20b"),
        ("$request.path.petId", "a b"),
        ("${request.header.X-A}-${request.header.x-none}", "1-"),
        ("$request.body", '{"a":{"b":[1,"two"]}}'),
        ("$request.body.a.b[1]", "two"),
        ("$request.body.a", '{"b":[1,"two"]}'),
        ("$context.stage", "dev"),
        ("$context.routeKey", "ANY /pets/{petId}"),
        ("$context.identity.sourceIp", "127.0.0.1"),
        ("$context.apiId", "abc"),
        ("$stageVariables.table", "brands"),
    ],
)
def test_where_values_come_from(
    plane: Plane, function: FakeLambda, source: str, value: str
) -> None:
    request = HttpRequest("POST", "/dev/pets/a%20b", "", [("x-a", "1")], b'{"a":{"b":[1,"two"]}}')
    event = event_for(plane, function, {"overwrite:header.x-mapped": source}, request)
    assert event["headers"]["x-mapped"] == value


def test_what_the_client_sent_never_stands_for_a_value_that_is_missing(
    plane: Plane, function: FakeLambda
) -> None:
    event = event_for(
        plane,
        function,
        {
            "overwrite:header.x-user": "$context.authorizer.claims.sub",
            "append:header.x-more": "$request.header.x-none",
        },
        get("/dev/pets/1", "", ("x-user", "admin")),
    )
    assert "x-user" not in event["headers"]
    assert "x-more" not in event["headers"]


def test_a_value_that_no_header_can_have_is_500(plane: Plane, function: FakeLambda) -> None:
    parameters = {"overwrite:header.x-a": "$request.path.petId"}
    api = make_api({"ANY /pets/{petId}": {"RequestParameters": parameters}})
    response = plane.handle(HttpRequest("GET", "/pets/a%0D%0Ax-evil:1"), api)
    assert message(response) == (500, "Internal Server Error")
    assert function.calls == []


def test_a_proxied_request_gets_another_path_query_header_and_host(
    plane: Plane, upstream: str
) -> None:
    api = make_api(
        {
            "ANY /pets/{petId}": {
                "IntegrationType": "HTTP_PROXY",
                "IntegrationUri": upstream + "/base?k=v",
                "RequestParameters": {
                    "overwrite:path": "/other/$request.path.petId",
                    "append:querystring.q": "2",
                    "overwrite:header.x-a": "Σ",
                    "overwrite:header.host": "pets.example",
                },
            }
        }
    )
    response = plane.handle(HttpRequest("POST", "/pets/a%20b%3F", "q=1", [], b"body"), api)
    assert response.body.decode() == "POST /other/a%20b%3F?k=v&q=1&q=2 Σ body"
    assert header(response, "x-host") == "pets.example"


def test_responses_are_changed_by_their_status(plane: Plane, function: FakeLambda) -> None:
    api = make_api(
        {
            "GET /": {
                "ResponseParameters": {
                    "404": {
                        "overwrite:statuscode": "410",
                        "append:header.x-reason": "$response.body.reason",
                        "append:header.x-id": "$context.requestId",
                        "overwrite:header.x-one": "${response.header.x-one}-${stageVariables.v}",
                        "remove:header.x-gone": "''",
                    },
                    "500": {"overwrite:statuscode": "$response.header.x-code"},
                }
            }
        },
        {"dev": {"v": "3"}},
    )
    function.handler = lambda event: {
        "statusCode": int(event["headers"]["x-status"]),
        "headers": {"x-one": "1", "x-gone": "2", "x-code": "nonsense"},
        "body": '{"reason": "sold"}',
    }

    def answer(status: str) -> Any:
        return plane.handle(HttpRequest("GET", "/dev/", headers=[("x-status", status)]), api)

    changed = answer("404")
    assert (changed.status, header(changed, "x-reason")) == (410, "sold")
    assert header(changed, "x-id") == header(changed, "apigw-requestid")
    assert (header(changed, "x-one"), header(changed, "x-gone")) == ("1-3", None)
    other = answer("403")
    assert (other.status, header(other, "x-gone")) == (403, "2")
    assert message(answer("500")) == (500, "Internal Server Error")


def test_what_the_api_answers_by_itself_is_not_changed(plane: Plane, function: FakeLambda) -> None:
    function.handler = lambda _: {"statusCode": "malformed"}
    changes = {"500": {"overwrite:statuscode": "200"}}
    api = make_api({"GET /": {"ResponseParameters": changes}})
    assert message(plane.handle(HttpRequest("GET", "/"), api)) == (500, "Internal Server Error")


@pytest.mark.parametrize(
    "name",
    [
        *("Authorization", "access-control-allow-origin", "apigw-requestid", "Content-Length"),
        *("x-amz-date", "X-Amzn-Trace-Id", "x-forwarded-for", "Via", "te", "Forwarded"),
    ],
)
def test_reserved_headers_are_refused(name: str) -> None:
    for mapping in (
        {"RequestParameters": {f"append:header.{name}": "1"}},
        {"ResponseParameters": {"200": {f"remove:header.{name}": "''"}}},
    ):
        with pytest.raises(InvalidMappingError, match=f"Operations on header {name} are"):
            ParameterMapping.of(mapping)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("append:path", "/x"),
        ("replace:header.x", "1"),
        ("overwrite:statuscode", "200"),
        ("header.x", "1"),
        ("append:header.a b", "1"),
        ("append:header.x", "$request.method"),
        ("append:header.x", "$response.header.y"),
        ("append:header.x", "${request.header.y"),
        ("append:header.x", "$request.body..y"),
        ("append:header.x", "$nothing.y"),
    ],
)
def test_malformed_request_mappings_are_refused(key: str, value: str) -> None:
    with pytest.raises(InvalidMappingError, match="Invalid mapping expression specified"):
        ParameterMapping.of({"RequestParameters": {key: value}})


@pytest.mark.parametrize(
    ("status", "key", "value"),
    [
        ("199", "append:header.x", "1"),
        ("2xx", "append:header.x", "1"),
        ("200", "append:statuscode", "201"),
        ("200", "overwrite:statuscode", "600"),
        ("200", "append:querystring.x", "1"),
        ("200", "append:header.x", "$request.header.y"),
    ],
)
def test_malformed_response_mappings_are_refused(status: str, key: str, value: str) -> None:
    with pytest.raises(InvalidMappingError):
        ParameterMapping.of({"ResponseParameters": {status: {key: value}}})


def test_an_integration_without_a_mapping_has_none() -> None:
    assert ParameterMapping.of({}) is None
    assert ParameterMapping.of({"RequestParameters": {}, "ResponseParameters": {"200": {}}}) is None


@pytest.mark.parametrize(
    ("body", "path"), [(b"no json", "a"), (b"[1]", "a"), (b'{"a": 1}', "a.b"), (b"[1]", "a[7]")]
)
def test_a_part_that_is_not_there_is_no_value(body: bytes, path: str) -> None:
    assert of_body(body, path) is None


_TEXT = st.one_of(
    st.text(max_size=30),
    st.lists(
        st.sampled_from(
            [
                *("append:", "overwrite:", "remove:", "header.", "querystring.", "path", "x", "."),
                *("$", "{", "}", "request", "context", "body", "[0]", "stageVariables", "''"),
            ]
        ),
        max_size=8,
    ).map("".join),
)


@given(key=_TEXT, value=_TEXT, status=_TEXT)
def test_a_mapping_is_taken_or_refused_whatever_it_is(key: str, value: str, status: str) -> None:
    for mapping in (
        {"RequestParameters": {key: value}},
        {"ResponseParameters": {status: {key: value}}},
        {"ResponseParameters": {"200": {key: value}}},
    ):
        with contextlib.suppress(InvalidMappingError):
            ParameterMapping.of(mapping)
