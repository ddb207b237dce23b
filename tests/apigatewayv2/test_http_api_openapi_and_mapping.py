"""OpenAPI definitions and parameter mapping of HTTP APIs, with real functions behind them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from http_api_emulator import Emulator, HttpApi

if TYPE_CHECKING:
    from mypy_boto3_apigatewayv2 import ApiGatewayV2Client

MakeApi = Callable[..., HttpApi]
Functions = Callable[..., str]


def definition(function: str, **integration: Any) -> dict[str, Any]:
    """An API with ``GET /pets/{petId}`` before a function."""
    extension = {
        "type": "aws_proxy",
        "uri": function,
        "payloadFormatVersion": "2.0",
        **integration,
    }
    return {
        "openapi": "3.0.1",
        "info": {"title": "pets", "version": "1"},
        "paths": {"/pets/{petId}": {"get": {"x-amazon-apigateway-integration": extension}}},
        "x-amazon-apigateway-cors": {"allowOrigins": ["https://a.example"]},
    }


@pytest.mark.parametrize("output", ["JSON", "YAML"])
def test_an_imported_api_answers_and_its_export_makes_another_one(
    emulator: Emulator,
    apigatewayv2: ApiGatewayV2Client,
    functions: Functions,
    output: str,
) -> None:
    made: list[str] = []

    def load(body: str) -> HttpApi:
        answer = apigatewayv2.import_api(Body=body)
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 201
        made.append(answer["ApiId"])
        apigatewayv2.create_stage(ApiId=answer["ApiId"], StageName="$default", AutoDeploy=True)
        return HttpApi(answer["ApiId"], apigatewayv2, emulator.edge)

    try:
        api = load(json.dumps(definition(functions("echo"))))
        assert api.event("GET", "/pets/a%20b")["pathParameters"] == {"petId": "a b"}
        exported = apigatewayv2.export_api(
            ApiId=api.api_id, Specification="OAS30", OutputType=output
        )
        text = exported["body"].read().decode()
        other = load(text)
        assert other.event("GET", "/pets/x")["routeKey"] == "GET /pets/{petId}"
        reply = other.call("GET", "/pets/x", headers={"Origin": "https://a.example"})
        assert reply.headers["access-control-allow-origin"] == "https://a.example"
    finally:
        for api_id in made:
            apigatewayv2.delete_api(ApiId=api_id)


def test_a_reimport_is_served_at_once(
    apigatewayv2: ApiGatewayV2Client, make_api: MakeApi, functions: Functions
) -> None:
    api = make_api()
    api.route("GET /old", functions("echo"))
    body = json.dumps(definition(functions("echo")))
    assert apigatewayv2.reimport_api(ApiId=api.api_id, Body=body)["ApiId"] == api.api_id
    assert api.call("GET", "/old").status_code == 404
    assert api.call("GET", "/pets/1").status_code == 200


def test_warnings_fail_an_import_that_is_to_fail_on_them(
    apigatewayv2: ApiGatewayV2Client, functions: Functions
) -> None:
    document = definition(functions("echo"))
    document["paths"]["/more"] = {"get": {}}
    with pytest.raises(ClientError, match="Warnings found during import"):
        apigatewayv2.import_api(Body=json.dumps(document), FailOnWarnings=True)
    made = apigatewayv2.import_api(Body=json.dumps(document))
    try:
        assert made["Warnings"] == ["Route GET /more has no x-amazon-apigateway-integration"]
    finally:
        apigatewayv2.delete_api(ApiId=made["ApiId"])


def test_a_mapping_changes_the_event_and_the_response(
    apigatewayv2: ApiGatewayV2Client, make_api: MakeApi, functions: Functions
) -> None:
    api = make_api()
    api.route(
        "GET /pets/{petId}",
        functions("echo"),
        RequestParameters={
            "overwrite:header.x-pet": "$request.path.petId",
            "append:querystring.from": "$context.identity.sourceIp",
        },
        ResponseParameters={"200": {"overwrite:statuscode": "203", "append:header.x-a": "b"}},
    )
    answer = api.call("GET", "/pets/rex?q=1", headers={"x-pet": "forged"})
    assert (answer.status_code, answer.headers["x-a"]) == (203, "b")
    event = answer.json()
    assert event["headers"]["x-pet"] == "rex"
    assert event["queryStringParameters"] == {"q": "1", "from": "127.0.0.1"}

    (integration,) = apigatewayv2.get_integrations(ApiId=api.api_id)["Items"]
    changed = apigatewayv2.update_integration(
        ApiId=api.api_id,
        IntegrationId=integration["IntegrationId"],
        RequestParameters={"overwrite:header.x-pet": "", "append:header.x-new": "1"},
        ResponseParameters={"200": {}},
    )
    assert changed["RequestParameters"] == {
        "append:header.x-new": "1",
        "append:querystring.from": "$context.identity.sourceIp",
    }
    assert "ResponseParameters" not in changed
    event = api.event("GET", "/pets/rex", headers={"x-pet": "own"})
    assert (event["headers"]["x-pet"], event["headers"]["x-new"]) == ("own", "1")
