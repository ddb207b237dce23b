"""Short addresses lead to brands; nothing else is touched."""

from __future__ import annotations

import json

import pytest

from functions.brand_edge_redirect import handler as brand_edge_redirect
from functions.brand_edge_redirect.redirect import answer_for

EVENT = "cloudfront-short-address"


def test_a_short_address_is_a_redirect(event, context):
    answer = brand_edge_redirect.handler(event(EVENT), context)

    assert answer["status"] == "301"
    assert answer["headers"]["location"] == [{"key": "Location", "value": "/brand/acme?from=mail"}]


def test_what_is_no_short_address_goes_on_as_it_is(event, context):
    given = event(EVENT)
    request = given["Records"][0]["cf"]["request"]
    request["uri"] = "/brand/acme"

    assert brand_edge_redirect.handler(given, context) == request


@pytest.mark.parametrize("uri", ["/b/acme/", "/b/%61cme"])
def test_other_spellings(uri):
    answer = answer_for(uri, "")
    assert answer is not None
    assert answer["headers"]["location"][0]["value"] == "/brand/acme"


@pytest.mark.parametrize(
    "uri", ["/b/", "/b/UPPER", "/b/a/b", "/b/%2e%2e", "/b//evil.example", "/b/a%0d%0aX: y", "/b/ü"]
)
def test_what_names_no_brand_is_not_found(uri):
    answer = answer_for(uri, "")
    assert answer is not None
    assert answer["status"] == "404"
    assert "location" not in answer["headers"]
    assert json.loads(answer["body"])["title"] == "Not Found"
