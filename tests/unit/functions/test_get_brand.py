"""The answer to a reader of a brand, and the row in `brand_metrics`."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from function_fakes import FakeTable, client_error

from functions.get_brand import handler as get_brand
from functions.get_brand.usage import usage_record

ACME = {
    "brandId": "acme",
    "name": "Acme",
    "contactEmail": "brand@acme.example",
    "colors": {"primary": "#0b5fff"},
    "palette": {"primary": {"contrast": Decimal("5.25")}},
    "version": Decimal(3),
    "unpublished": {"name": "Acme"},
    "logoUploadedAt": "2026-11-23T05:40:00.123Z",
}


@pytest.fixture
def brands(monkeypatch):
    table = FakeTable("brandId")
    table.put_item(Item=ACME)
    monkeypatch.setattr(get_brand, "brands", table)
    return table


@pytest.fixture
def metrics(monkeypatch):
    table = FakeTable("brandId", "recordId")
    monkeypatch.setattr(get_brand, "metrics", table)
    return table


@pytest.mark.parametrize(
    "front_door", ["http-api-get-brand", "rest-api-get-brand", "function-url-get-brand"]
)
def test_every_front_door_gives_the_brand_and_counts_the_read(
    front_door, brands, metrics, event, context
):
    request = event(front_door)

    response = get_brand.handler(request, context)

    assert response["statusCode"] == 200
    assert response["headers"]["Cache-Control"] == "max-age=300"
    body = json.loads(response["body"])
    assert body["name"] == "Acme"
    assert body["version"] == 3
    assert body["palette"]["primary"]["contrast"] == 5.25
    (record,) = metrics.items.values()
    assert record["brandId"] == "acme"
    assert record["requestId"] == request["requestContext"]["requestId"]


def test_the_platforms_own_attributes_stay_inside(brands, metrics, event, context):
    body = json.loads(get_brand.handler(event("http-api-get-brand"), context)["body"])

    assert "unpublished" not in body
    assert "logoUploadedAt" not in body


@pytest.mark.parametrize("brand_id", ["nobody", "", "ACME", "a/b", "x" * 64, "-acme", "acme\n"])
def test_an_unknown_brand_is_404_and_is_not_counted(brand_id, brands, metrics, event, context):
    request = event("http-api-get-brand")
    request["pathParameters"]["brandId"] = brand_id

    response = get_brand.handler(request, context)

    assert response["statusCode"] == 404
    assert response["headers"]["Content-Type"] == "application/problem+json"
    assert json.loads(response["body"]) == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "There is no such brand",
    }
    assert "Cache-Control" not in response["headers"]
    assert not metrics.items


@pytest.mark.parametrize("path", ["/", "/brand", "/brand/", "/brand/acme/more", "/other/acme"])
def test_a_function_url_path_that_names_no_brand_is_404(path, brands, metrics, event, context):
    request = event("function-url-get-brand")
    request["rawPath"] = path

    assert get_brand.handler(request, context)["statusCode"] == 404


def test_a_function_url_refuses_other_methods(brands, metrics, event, context):
    request = event("function-url-get-brand")
    request["requestContext"]["http"]["method"] = "DELETE"

    response = get_brand.handler(request, context)

    assert response["statusCode"] == 405
    assert response["headers"]["Allow"] == "GET, HEAD"
    assert not metrics.items


def test_a_failed_usage_write_costs_the_reader_nothing_and_keeps_the_record_in_the_log(
    brands, metrics, event, context, logged
):
    metrics.fail_with = client_error("ProvisionedThroughputExceededException", "PutItem")
    lines = logged(get_brand)

    response = get_brand.handler(event("http-api-get-brand"), context)

    assert response["statusCode"] == 200
    (line,) = lines.at("ERROR")
    assert line["message"] == "Usage record not written"
    assert line["usage_record"]["brandId"] == "acme"
    assert line["correlation_id"] == "UjX1fhPjIAMEJ8Q="
    assert "ProvisionedThroughputExceededException" in line["exception"]


def test_a_bug_in_the_usage_write_is_not_hidden(brands, metrics, event, context):
    metrics.fail_with = TypeError("a programming error")

    with pytest.raises(TypeError):
        get_brand.handler(event("http-api-get-brand"), context)


def test_a_table_that_cannot_be_read_fails_the_function(brands, metrics, event, context):
    brands.fail_with = client_error("InternalServerError", "GetItem")

    with pytest.raises(type(brands.fail_with)):
        get_brand.handler(event("http-api-get-brand"), context)


def test_a_usage_record_has_the_tables_and_the_indexs_keys():
    now = datetime(2026, 11, 23, 5, 59, 59, 999999, tzinfo=UTC)

    record = usage_record("acme", "request-1", now)

    assert record["hour"] == "2026-11-23T05Z"
    assert record["recordedAt"] == "2026-11-23T05:59:59.999999Z"
    assert record["recordId"].startswith("2026-11-23T05:59:59.999999Z#")
    assert record["expiresAt"] == int(now.timestamp()) + 30 * 24 * 3600


def test_two_reads_at_the_same_moment_are_two_records():
    now = datetime(2026, 11, 23, 5, tzinfo=UTC)

    one, other = (usage_record("acme", "request-1", now)["recordId"] for _ in range(2))

    assert one != other
