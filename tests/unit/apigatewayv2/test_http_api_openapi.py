"""``ImportApi``, ``ReimportApi`` and ``ExportApi``: OpenAPI documents of HTTP APIs."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # it has no types, and its stubs are not installed

from trigger_stack.services.apigatewayv2.control_plane import ControlPlane
from trigger_stack.services.apigatewayv2.errors import (
    BadRequestError,
    NotEmulatedError,
    NotFoundError,
)
from trigger_stack.services.apigatewayv2.models import Api, Apis
from trigger_stack.services.operations import Caller

CALLER = Caller("000000000000", "us-east-1")
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:any"
INVOCATION = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{FUNCTION}/invocations"
LAMBDA = {"type": "aws_proxy", "uri": INVOCATION, "payloadFormatVersion": "2.0"}


class Plane:
    """A control plane of its own.

    Attributes:
        apis: Its APIs by id.
    """

    def __init__(self) -> None:
        self.apis: dict[str, Api] = {}
        self.operations = ControlPlane(Apis(lambda: self.apis), 4566)

    def load(self, document: dict[str, Any] | str, **more: Any) -> dict[str, Any]:
        body = document if isinstance(document, str) else json.dumps(document)
        return self.operations.import_api(CALLER, {"Body": body, **more})

    def routes(self, api_id: str) -> dict[str, dict[str, Any]]:
        items = self.operations.get_routes(CALLER, {"ApiId": api_id})["Items"]
        return {route["RouteKey"]: route for route in items}

    def integration(self, api_id: str, key: str) -> dict[str, Any]:
        identifier = self.routes(api_id)[key]["Target"].removeprefix("integrations/")
        request = {"ApiId": api_id, "IntegrationId": identifier}
        return self.operations.get_integration(CALLER, request)

    def export(self, api_id: str, output: str = "JSON", **more: Any) -> str:
        request = {"ApiId": api_id, "Specification": "OAS30", "OutputType": output, **more}
        body: bytes = self.operations.export_api(CALLER, request)["body"]
        return body.decode()


@pytest.fixture
def plane() -> Plane:
    return Plane()


def definition(paths: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"openapi": "3.0.1", "info": {"title": "pets", "version": "1"}, "paths": paths, **more}


EVERYTHING: dict[str, Any] = definition(
    {
        "/pets": {
            "get": {
                "operationId": "list",
                "security": [{"members": ["pets:read"]}],
                "x-amazon-apigateway-integration": {
                    **LAMBDA,
                    "timeoutInMillis": 1000,
                    "requestParameters": {"append:header.x-a": "$request.header.y"},
                    "responseParameters": {"404": {"overwrite:statuscode": "410"}},
                    "credentials": "arn:aws:iam::000000000000:role/api",
                },
            },
            "post": {
                "security": [{"ask": []}],
                "x-amazon-apigateway-integration": {
                    "$ref": "#/components/x-amazon-apigateway-integrations/shared"
                },
            },
            "delete": {
                "security": [{"signed": []}],
                "x-amazon-apigateway-integration": {
                    "$ref": "#/components/x-amazon-apigateway-integrations/shared"
                },
            },
        },
        "/pets/{petId}/{proxy+}": {
            "x-amazon-apigateway-any-method": {
                "x-amazon-apigateway-integration": {
                    "type": "http_proxy",
                    "httpMethod": "ANY",
                    "uri": "https://pets.example/{proxy}",
                    "payloadFormatVersion": "1.0",
                    "connectionType": "INTERNET",
                }
            },
            "parameters": [{"name": "petId", "in": "path", "required": True}],
        },
        "/$default": {
            "x-amazon-apigateway-any-method": {
                "isDefaultRoute": True,
                "x-amazon-apigateway-integration": LAMBDA,
            }
        },
    },
    tags=[{"name": "team", "x-amazon-apigateway-tag-value": "a"}, {"name": "other"}],
    components={
        "x-amazon-apigateway-integrations": {"shared": LAMBDA},
        "securitySchemes": {
            "members": {
                "type": "oauth2",
                "flows": {},
                "x-amazon-apigateway-authorizer": {
                    "type": "jwt",
                    "identitySource": "$request.header.Authorization",
                    "jwtConfiguration": {"audience": ["web"], "issuer": "https://issuer.example"},
                },
            },
            "ask": {
                "type": "apiKey",
                "name": "x-key",
                "in": "header",
                "x-amazon-apigateway-authorizer": {
                    "type": "request",
                    "identitySource": "$request.header.x-key, $request.querystring.k",
                    "authorizerUri": INVOCATION,
                    "authorizerPayloadFormatVersion": "2.0",
                    "authorizerResultTtlInSeconds": 5,
                    "enableSimpleResponses": True,
                },
            },
            "signed": {
                "type": "apiKey",
                "name": "Authorization",
                "in": "header",
                "x-amazon-apigateway-authtype": "awsSigv4",
            },
        },
    },
    **{
        "x-amazon-apigateway-cors": {"allowOrigins": ["https://a.example"], "maxAge": 5},
        "x-amazon-apigateway-endpoint-configuration": {"disableExecuteApiEndpoint": True},
        "x-amazon-apigateway-importexport-version": "1.0",
    },
)


def test_everything_of_a_definition_is_there(plane: Plane) -> None:
    api = plane.load(EVERYTHING)
    assert (api["Name"], api["Version"], api["ProtocolType"]) == ("pets", "1", "HTTP")
    assert api["CorsConfiguration"] == {"AllowOrigins": ["https://a.example"], "MaxAge": 5}
    assert (api["DisableExecuteApiEndpoint"], api["Tags"]) == (True, {"team": "a"})
    assert "Warnings" not in api

    api_id = api["ApiId"]
    routes = plane.routes(api_id)
    assert list(routes) == [
        *("GET /pets", "POST /pets", "DELETE /pets", "ANY /pets/{petId}/{proxy+}", "$default"),
    ]
    assert routes["GET /pets"]["OperationName"] == "list"
    assert routes["GET /pets"]["AuthorizationScopes"] == ["pets:read"]
    kinds = [route["AuthorizationType"] for route in routes.values()]
    assert kinds == ["JWT", "CUSTOM", "AWS_IAM", "NONE", "NONE"]
    assert routes["POST /pets"]["Target"] == routes["DELETE /pets"]["Target"]
    integration = plane.integration(api_id, "GET /pets")
    assert integration["RequestParameters"] == {"append:header.x-a": "$request.header.y"}
    assert integration["ResponseParameters"] == {"404": {"overwrite:statuscode": "410"}}
    assert (integration["TimeoutInMillis"], integration["PayloadFormatVersion"]) == (1000, "2.0")
    assert plane.integration(api_id, "ANY /pets/{petId}/{proxy+}")["IntegrationMethod"] == "ANY"

    authorizers = plane.operations.get_authorizers(CALLER, {"ApiId": api_id})["Items"]
    members, ask = authorizers
    assert members["JwtConfiguration"] == {
        "Audience": ["web"],
        "Issuer": "https://issuer.example",
    }
    assert ask["IdentitySource"] == ["$request.header.x-key", "$request.querystring.k"]
    assert (ask["AuthorizerType"], ask["AuthorizerResultTtlInSeconds"]) == ("REQUEST", 5)
    assert routes["POST /pets"]["AuthorizerId"] == ask["AuthorizerId"]


@pytest.mark.parametrize("output", ["JSON", "YAML"])
def test_an_export_imports_as_the_same_api(plane: Plane, output: str) -> None:
    first = plane.export(plane.load(EVERYTHING)["ApiId"], output)
    second = plane.export(plane.load(first)["ApiId"], output)

    def parsed(text: str) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(text) if output == "JSON" else yaml.safe_load(text)
        del document["servers"]  # it names the API
        return document

    assert parsed(first) == parsed(second)


def test_an_export_is_as_aws_writes_it(plane: Plane) -> None:
    document = json.loads(plane.export(plane.load(EVERYTHING)["ApiId"]))
    assert document["openapi"] == "3.0.1"
    assert document["info"] == {"title": "pets", "version": "1"}
    operation = document["paths"]["/pets"]["get"]
    assert operation["operationId"] == "list"
    assert operation["responses"] == {"default": {"description": "Default response for GET /pets"}}
    assert operation["security"] == [{"members": ["pets:read"]}]
    assert operation["x-amazon-apigateway-integration"] == {
        "connectionType": "INTERNET",
        "credentials": "arn:aws:iam::000000000000:role/api",
        "httpMethod": "POST",
        "payloadFormatVersion": "2.0",
        "requestParameters": {"append:header.x-a": "$request.header.y"},
        "responseParameters": {"404": {"overwrite:statuscode": "410"}},
        "timeoutInMillis": 1000,
        "type": "aws_proxy",
        "uri": INVOCATION,
    }
    variables = document["paths"]["/pets/{petId}/{proxy+}"]["parameters"]
    assert [one["name"] for one in variables] == ["petId", "proxy+"]
    default = document["paths"]["/$default"]["x-amazon-apigateway-any-method"]
    assert default["isDefaultRoute"] is True
    assert document["tags"] == [{"name": "team", "x-amazon-apigateway-tag-value": "a"}]


def test_an_export_without_extensions_has_none(plane: Plane) -> None:
    text = plane.export(plane.load(EVERYTHING)["ApiId"], IncludeExtensions=False)
    assert "x-amazon-apigateway-" not in text.replace("x-amazon-apigateway-any-method", "")
    assert "/pets" in json.loads(text)["paths"]


def test_the_export_of_a_stage_is_what_it_serves(plane: Plane) -> None:
    api_id = plane.load(definition({"/old": {"get": {"x-amazon-apigateway-integration": LAMBDA}}}))[
        "ApiId"
    ]
    stage = {"ApiId": api_id, "StageName": "dev"}
    plane.operations.create_stage(CALLER, stage)
    with pytest.raises(NotFoundError):
        plane.export(api_id, StageName="dev")
    plane.operations.create_deployment(CALLER, stage)
    plane.operations.create_route(CALLER, {"ApiId": api_id, "RouteKey": "GET /new"})
    document = json.loads(plane.export(api_id, StageName="dev"))
    assert list(document["paths"]) == ["/old"]
    assert document["servers"][0]["variables"] == {"basePath": {"default": "dev"}}
    assert list(json.loads(plane.export(api_id))["paths"]) == ["/old", "/new"]


def test_yaml_is_read_as_openapi_means_it(plane: Plane) -> None:
    api = plane.load(
        f"""
        openapi: 3.0.3
        info: {{ title: pets, version: 2017-02-24T04:09:00Z }}
        paths:
          /pets:
            get:
              x-amazon-apigateway-integration:
                type: AWS_PROXY
                uri: {FUNCTION}
                payloadFormatVersion: 2.0
        """
    )
    assert api["Version"] == "2017-02-24T04:09:00Z"
    assert plane.integration(api["ApiId"], "GET /pets")["PayloadFormatVersion"] == "2.0"


@pytest.mark.parametrize(
    ("mode", "keys"),
    [
        (None, ["GET /", "GET /e"]),
        ("ignore", ["GET /", "GET /e"]),
        ("prepend", ["GET /a/b/c", "GET /a/b/c/e"]),
        ("split", ["GET /b/c", "GET /b/c/e"]),
    ],
)
@pytest.mark.parametrize(
    "server",
    [
        {"url": "https://pets.example/a/b/c"},
        {"url": "https://x/{basePath}", "variables": {"basePath": {"default": "a/b/c"}}},
    ],
    ids=["url", "variable"],
)
def test_base_paths(
    plane: Plane, server: dict[str, Any], mode: str | None, keys: list[str]
) -> None:
    operation = {"get": {"x-amazon-apigateway-integration": LAMBDA}}
    document = definition({"/": operation, "/e": operation}, servers=[server])
    api = plane.load(document, Basepath=mode)
    assert list(plane.routes(api["ApiId"])) == keys


def test_what_is_ignored_is_named(plane: Plane) -> None:
    api = plane.load(
        definition(
            {
                "/x": {
                    "get": {"x-amazon-apigateway-integration": LAMBDA | {"cacheKeyParameters": []}}
                }
            },
            components={"schemas": {"Pet": {}}},
            **{"x-amazon-apigateway-request-validators": {}},
        )
    )
    info = "\n".join(api["ImportInfo"])
    for name in ("x-amazon-apigateway-request-validators", "components.schemas", "cacheKeyP"):
        assert name in info
    assert "Warnings" not in api


def test_warnings_are_told_or_refused(plane: Plane) -> None:
    document = definition(
        {
            "/x": {
                "get": {"security": [{"open": []}], "x-amazon-apigateway-integration": LAMBDA},
                "put": {},
                "trace": {},
            }
        },
        components={"securitySchemes": {"open": {"type": "http", "scheme": "basic"}}},
    )
    api = plane.load(document)
    assert len(api["Warnings"]) == 3
    assert list(plane.routes(api["ApiId"])) == ["GET /x", "PUT /x"]
    before = list(plane.apis)
    with pytest.raises(BadRequestError, match="Warnings found during import"):
        plane.load(document, FailOnWarnings=True)
    assert list(plane.apis) == before


def test_a_reimport_replaces_everything_but_stages(plane: Plane) -> None:
    api_id = plane.load(EVERYTHING)["ApiId"]
    stage = {"ApiId": api_id, "StageName": "$default", "AutoDeploy": True}
    plane.operations.create_stage(CALLER, stage)
    new = definition({"/new": {"get": {"x-amazon-apigateway-integration": LAMBDA}}})
    answer = plane.operations.reimport_api(CALLER, {"ApiId": api_id, "Body": json.dumps(new)})
    assert answer["ApiId"] == api_id
    assert "CorsConfiguration" not in answer
    assert list(plane.routes(api_id)) == ["GET /new"]
    assert plane.operations.get_authorizers(CALLER, {"ApiId": api_id})["Items"] == []
    assert len(plane.operations.get_integrations(CALLER, {"ApiId": api_id})["Items"]) == 1
    snapshot = plane.apis[api_id].stages["$default"].snapshot
    assert snapshot is not None
    assert snapshot.route_keys == ["GET /new"]


def test_a_reimport_that_fails_changes_nothing(plane: Plane) -> None:
    api_id = plane.load(EVERYTHING)["ApiId"]
    before = plane.export(api_id)
    twice = definition(
        {
            f"/{name}": {"get": {"x-amazon-apigateway-integration": LAMBDA}}
            for name in ("{a}", "{b}")
        }
    )
    with pytest.raises(Exception, match="already exists"):
        plane.operations.reimport_api(CALLER, {"ApiId": api_id, "Body": json.dumps(twice)})
    assert plane.export(api_id) == before


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ("", "Body"),
        ("[1]", "no object"),
        ("a: b: c", "Unable to parse"),
        ("{" + '"a":{' * 20_000, "Unable to parse"),
        ({"swagger": "2.0", "info": {"title": "x"}, "paths": {}}, "OpenAPI 2.0"),
        ({"openapi": "3.1.0", "info": {"title": "x"}, "paths": {}}, "3.1.0"),
        ({"openapi": "3.0.1", "paths": {}}, "info"),
        ({"openapi": "3.0.1", "info": {"title": "x"}}, "paths"),
        ({"openapi": "3.0.1", "info": {"version": "1"}, "paths": {}}, "'title' is a required"),
        (definition({"x": {"get": {}}}), "not formatted properly"),
        (definition({"/x": []}), "path /x"),
        (definition({"/x": {"$ref": "https://elsewhere.example"}}), "Invalid reference"),
        (definition({"/x": {"$ref": "#/paths/~1x"}}), "Invalid reference"),
        (
            definition({"/x": {"get": {"x-amazon-apigateway-integration": {"uri": "x"}}}}),
            "malformed integration at path /x",
        ),
        (
            definition(
                {"/x": {"get": {"x-amazon-apigateway-integration": LAMBDA | {"type": "mock"}}}}
            ),
            "MOCK",
        ),
        (definition({"/x": {"get": {"security": [{"none": []}]}}}), "security scheme none"),
        (
            definition({}, **{"x-amazon-apigateway-cors": {"allowOrigins": ["pets"]}}),
            "origin pets",
        ),
    ],
)
def test_what_is_no_definition_is_refused(
    plane: Plane, document: dict[str, Any] | str, sentence: str
) -> None:
    with pytest.raises(BadRequestError) as error:
        plane.load(document)
    assert sentence in error.value.message
    assert plane.apis == {}


def test_what_is_not_emulated_is_refused_by_name(plane: Plane) -> None:
    private = LAMBDA | {"type": "http_proxy", "connectionType": "VPC_LINK", "connectionId": "x"}
    with pytest.raises(NotEmulatedError, match="VPC_LINK"):
        plane.load(definition({"/x": {"get": {"x-amazon-apigateway-integration": private}}}))
    assert plane.apis == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [("Specification", "OAS31"), ("OutputType", "XML"), ("ExportVersion", "2.0"), ("ApiId", "x")],
)
def test_exports_that_are_refused(plane: Plane, name: str, value: str) -> None:
    api_id = plane.load(EVERYTHING)["ApiId"]
    request = {"ApiId": api_id, "Specification": "OAS30", "OutputType": "JSON", name: value}
    with pytest.raises((BadRequestError, NotFoundError), match=value):
        plane.operations.export_api(CALLER, request)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of everything in a document."""
    found = [path] if path else []
    if isinstance(value, dict | list):
        children = value.items() if isinstance(value, dict) else enumerate(value)
        for key, child in children:
            found += places(child, (*path, key))
    return found


@pytest.mark.parametrize("wrong", [[], {}, 1, "x", None, [1], {"a": 1}, [{"a": 1}]])
def test_a_document_may_be_malformed_anywhere(plane: Plane, wrong: Any) -> None:
    for path in places(EVERYTHING):
        document = json.loads(json.dumps(EVERYTHING))
        holder = document
        for key in path[:-1]:
            holder = holder[key]
        holder[path[-1]] = wrong
        try:
            made = plane.load(document)
        except (BadRequestError, NotEmulatedError):
            continue
        json.loads(plane.export(made["ApiId"]))
