"""Requests and responses of each front door: HTTP API, REST API, Function URL, load balancer."""

from __future__ import annotations

import json

import pytest
from function_fakes import FakeTable
from hypothesis import given
from hypothesis import strategies as st

from functions.describe_api import handler as describe_api
from functions.get_brand import handler as get_brand
from functions.shared.conditions import Conditions
from functions.shared.http import (
    brand_id_of,
    header_of,
    query_of,
    request_id_of,
    request_of,
    respond,
)

DOORS = ["http-api-get-brand", "rest-api-get-brand", "function-url-get-brand", "alb-get-brand"]


@pytest.fixture
def brands(monkeypatch):
    table = FakeTable("brandId")
    table.put_item(Item={"brandId": "acme", "name": "Acme", "version": 3})
    monkeypatch.setattr(get_brand, "brands", table)
    monkeypatch.setattr(get_brand, "metrics", FakeTable("brandId", "recordId"))
    return table


def multi_valued(event):
    """The same request to a load balancer with the attribute `lambda.multi_value_headers`."""
    event["multiValueHeaders"] = {name: [value] for name, value in event.pop("headers").items()}
    event["multiValueQueryStringParameters"] = {
        name: [value] for name, value in event.pop("queryStringParameters").items()
    }
    return event


@pytest.mark.parametrize("door", DOORS)
def test_every_front_door_names_the_brand_and_the_request(door, event):
    request = request_of(event(door))

    assert brand_id_of(request) == "acme"
    assert request_id_of(request)
    assert request.http_method == "GET"


def test_a_load_balancers_request_is_known_by_its_trace_id(event):
    sent = event("alb-get-brand")
    assert request_id_of(request_of(sent)) == "Root=1-692295a0-0b5c7e0f4b3d2a190e8f7c61"
    del sent["headers"]["x-amzn-trace-id"]
    assert request_id_of(request_of(sent))


def test_a_load_balancer_gets_a_status_line(event, context, brands):
    response = get_brand.handler(event("alb-get-brand"), context)

    assert response["statusCode"] == 200
    assert response["statusDescription"] == "200 OK"
    assert response["headers"]["ETag"]
    assert "multiValueHeaders" not in response
    assert json.loads(response["body"])["name"] == "Acme"


def test_a_load_balancer_with_multi_value_headers_gets_them(event, context, brands):
    sent = multi_valued(event("alb-get-brand"))
    tag = get_brand.handler(sent, context)["multiValueHeaders"]["ETag"][0]
    sent["multiValueHeaders"]["if-none-match"] = ['"other"', tag]

    response = get_brand.handler(sent, context)

    assert (response["statusCode"], response["statusDescription"]) == (304, "304 Not Modified")
    assert "headers" not in response
    assert response["multiValueHeaders"]["ETag"] == [tag]
    assert response["body"] == ""


@pytest.mark.parametrize("door", DOORS)
def test_an_unknown_brand_is_a_problem_behind_every_door(door, event, context, brands):
    brands.items.clear()
    response = get_brand.handler(event(door), context)

    assert response["statusCode"] == 404
    assert response["headers"]["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("name", ["if-none-match", "If-None-Match", "IF-NONE-MATCH"])
@pytest.mark.parametrize("door", DOORS)
def test_a_header_is_found_however_it_is_written(name, door, event):
    sent = event(door)
    assert header_of(request_of(sent), "If-None-Match") is None
    sent["headers"][name] = '"1"'

    assert header_of(request_of(sent), "If-None-Match") == '"1"'


def test_lines_of_one_header_are_one_list(event):
    sent = event("rest-api-get-brand")
    sent["headers"]["If-Match"] = '"2"'  # A REST API has the last line here, and all of them there.
    sent["multiValueHeaders"]["If-Match"] = ['"1"', '"2"']

    assert Conditions.of(request_of(sent)).if_match == ('"1"', '"2"')


def test_a_query_is_read_from_every_front_door(event):
    expected = {"cursor": ["a b,c"], "limit": ["1", "2"]}
    http_api = event("http-api-get-brand") | {"rawQueryString": "cursor=a%20b%2Cc&limit=1&limit=2"}
    rest_api = event("rest-api-get-brand") | {
        "queryStringParameters": {"cursor": "a b,c", "limit": "2"},
        "multiValueQueryStringParameters": {"cursor": ["a b,c"], "limit": ["1", "2"]},
    }
    balancer = event("alb-get-brand") | {
        "multiValueQueryStringParameters": {"cursor": ["a%20b%2Cc"], "limit": ["1", "2"]}
    }
    for sent in (http_api, rest_api, balancer):
        assert query_of(request_of(sent)) == expected
    assert query_of(request_of(event("rest-api-get-brand"))) == {}


def test_what_no_utf_8_can_hold_leaves_as_a_question_mark():
    response = respond(422, {"field": "colors.\ud800"})

    assert json.loads(response["body"].encode()) == {"field": "colors.?"}


@given(st.text())
def test_no_condition_fails_the_function(text):
    request = request_of({"version": "2.0", "headers": {"If-Match": text, "if-none-match": text}})
    try:
        conditions = Conditions.of(request)
    except ValueError as error:
        assert "If-Match must be" in str(error)
    else:
        conditions.unmet('"1-a"')
        assert conditions.unmet(None) == "If-Match"


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    ("path", "media_type"),
    [("/openapi.json", "application/json"), ("/docs", "text/html; charset=utf-8")],
)
def test_the_description_is_behind_every_front_door(door, path, media_type, event, context):
    sent = event(door)
    sent["rawPath" if "rawPath" in sent else "path"] = path

    response = describe_api.handler(sent, context)

    assert response["statusCode"] == 200
    assert response["headers"]["Content-Type"] == media_type
    sent["headers"]["if-none-match"] = response["headers"]["ETag"]
    assert describe_api.handler(sent, context)["statusCode"] == 304


def test_another_path_or_method_is_refused(event, context):
    sent = event("function-url-get-brand")
    assert describe_api.handler(sent, context)["statusCode"] == 404
    sent["requestContext"]["http"]["method"] = "POST"
    assert describe_api.handler(sent, context)["statusCode"] == 405
