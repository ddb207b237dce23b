"""HTTP API → `get_brand`, `put_brand`."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import requests

from tests.support.waiting import eventually


def test_a_brand_that_was_put_can_be_read(api, put_brand, brand_id, brand_body):
    created = put_brand(brand_id, brand_body)
    assert created.status_code == 201, created.text

    answer = requests.get(f"{api}/brand/{brand_id}", timeout=30)

    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "max-age=300"
    brand = answer.json()
    assert {key: brand[key] for key in brand_body} == brand_body
    assert "unpublished" not in brand


def test_curl_with_its_default_content_type_is_understood(api, brand_id, brand_body):
    import json

    answer = requests.put(
        f"{api}/brand/{brand_id}",
        data=json.dumps(brand_body),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        timeout=30,
    )
    assert answer.status_code == 201, answer.text


def test_an_unknown_brand_is_404(api, brand_id):
    answer = requests.get(f"{api}/brand/{brand_id}", timeout=30)
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["status"] == 404


def test_a_read_leaves_one_usage_record(api, aws, put_brand, brand_id, brand_body):
    put_brand(brand_id, brand_body)
    requests.get(f"{api}/brand/{brand_id}", timeout=30)
    requests.get(f"{api}/brand/{brand_id}x", timeout=30)

    records = aws("dynamodb").query(
        TableName="brand_metrics",
        KeyConditionExpression="brandId = :b",
        ExpressionAttributeValues={":b": {"S": brand_id}},
    )
    assert records["Count"] == 1


def test_an_invalid_brand_is_422_with_every_reason(put_brand, brand_id):
    answer = put_brand(
        brand_id, {"name": "", "contactEmail": "nobody", "colors": {"primary": "blue"}}
    )
    assert answer.status_code == 422
    fields = {reason["field"] for reason in answer.json()["errors"]}
    assert fields == {"name", "contactEmail", "colors.primary"}


def test_a_body_that_is_no_json_is_400(api, brand_id):
    answer = requests.put(
        f"{api}/brand/{brand_id}",
        data="{nope",
        headers={"Content-Type": "application/json"},
        timeout=30,
    )
    assert answer.status_code == 400


def test_an_unknown_route_is_api_gateways_own_404(api):
    answer = requests.get(f"{api}/nothing/here", timeout=30)
    assert (answer.status_code, answer.json()) == (404, {"message": "Not Found"})


def test_publishes_exactly_what_changed(put_brand, bus_events, brand_id, brand_body):
    put_brand(brand_id, brand_body)
    seen = bus_events(brand_id)

    put_brand(brand_id, {**brand_body, "name": "Acme Renamed"})
    put_brand(brand_id, {**brand_body, "name": "Acme Renamed"})
    put_brand(brand_id, {**brand_body, "name": "Acme Again"})

    events = eventually(lambda: seen() if len(seen()) >= 2 else None)
    changes = [event["detail"]["changes"] for event in events]
    assert sorted(c["name"] for c in changes) == ["Acme Again", "Acme Renamed"]
    assert all(set(c) == {"name"} for c in changes)


def test_a_handler_error_is_500_without_the_handlers_text(
    api: str,
    aws: Callable[[str], Any],
    function: Callable[..., str],
    cleanup: ExitStack,
):
    secret = uuid.uuid4().hex
    arn = function(f"def handler(event, context):\n    raise RuntimeError('{secret}')\n")
    path = f"/broken-{uuid.uuid4().hex[:8]}"
    _add_route(aws, cleanup, arn, path)

    answer = requests.get(f"{api}{path}", timeout=30)

    assert (answer.status_code, answer.json()) == (500, {"message": "Internal Server Error"})
    assert secret not in answer.text + str(answer.headers)
    assert "RuntimeError" not in answer.text


def _add_route(aws: Callable[[str], Any], cleanup: ExitStack, arn: str, path: str) -> None:
    gateway = aws("apigatewayv2")
    api_id = next(a["ApiId"] for a in gateway.get_apis()["Items"] if a["Name"] == "brand-platform")
    integration = gateway.create_integration(
        ApiId=api_id,
        IntegrationType="AWS_PROXY",
        IntegrationUri=arn,
        PayloadFormatVersion="2.0",
    )["IntegrationId"]
    cleanup.callback(gateway.delete_integration, ApiId=api_id, IntegrationId=integration)
    route = gateway.create_route(
        ApiId=api_id, RouteKey=f"GET {path}", Target=f"integrations/{integration}"
    )["RouteId"]
    cleanup.callback(gateway.delete_route, ApiId=api_id, RouteId=route)
    aws("lambda").add_permission(
        FunctionName=arn,
        StatementId="test",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
    )
