"""Operations of ``apigatewayv2`` as boto3 sees them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from http_api_emulator import ACCOUNT, REGION, Emulator, HttpApi

from tests.support.refusals import refused

if TYPE_CHECKING:
    from mypy_boto3_apigatewayv2 import ApiGatewayV2Client

MakeApi = Callable[..., HttpApi]
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:any"
INTEGRATION: dict[str, Any] = {
    "IntegrationType": "AWS_PROXY",
    "IntegrationUri": FUNCTION,
    "PayloadFormatVersion": "2.0",
}
REQUEST_AUTHORIZER: dict[str, Any] = {
    "Name": "ask",
    "AuthorizerType": "REQUEST",
    "AuthorizerUri": FUNCTION,
    "AuthorizerPayloadFormatVersion": "2.0",
    "IdentitySource": ["$request.header.x"],
}
JWT_AUTHORIZER: dict[str, Any] = {
    "Name": "members",
    "AuthorizerType": "JWT",
    "IdentitySource": ["$request.header.Authorization"],
    "JwtConfiguration": {"Issuer": "https://i.example", "Audience": ["a"]},
}


def test_an_api_is_created_described_listed_changed_and_deleted(
    apigatewayv2: ApiGatewayV2Client, emulator: Emulator
) -> None:
    made = apigatewayv2.create_api(
        Name="brands", ProtocolType="HTTP", Description="d", Tags={"team": "a"}
    )
    api_id = made["ApiId"]
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert made["ApiEndpoint"] == f"http://localhost:{emulator.edge}/_aws/execute-api/{api_id}"
    assert made["RouteSelectionExpression"] == "$request.method $request.path"
    assert (made["Name"], made["Tags"]) == ("brands", {"team": "a"})
    assert "CorsConfiguration" not in made

    assert apigatewayv2.get_api(ApiId=api_id)["Description"] == "d"
    assert api_id in [api["ApiId"] for api in apigatewayv2.get_apis()["Items"]]
    changed = apigatewayv2.update_api(
        ApiId=api_id, Name="renamed", CorsConfiguration={"AllowOrigins": ["*"]}
    )
    assert (changed["Name"], changed["Description"]) == ("renamed", "d")
    assert apigatewayv2.get_api(ApiId=api_id)["CorsConfiguration"] == {"AllowOrigins": ["*"]}
    apigatewayv2.delete_cors_configuration(ApiId=api_id)
    assert "CorsConfiguration" not in apigatewayv2.get_api(ApiId=api_id)

    apigatewayv2.delete_api(ApiId=api_id)
    status, code, _ = refused(apigatewayv2.get_api, ApiId=api_id)
    assert (status, code) == (404, "NotFoundException")


def test_quick_create_makes_integration_route_and_stage(
    apigatewayv2: ApiGatewayV2Client, make_api: MakeApi
) -> None:
    api = make_api(Target=FUNCTION)
    (integration,) = apigatewayv2.get_integrations(ApiId=api.api_id)["Items"]
    (route,) = apigatewayv2.get_routes(ApiId=api.api_id)["Items"]
    (stage,) = apigatewayv2.get_stages(ApiId=api.api_id)["Items"]
    assert integration["IntegrationType"] == "AWS_PROXY"
    assert integration["PayloadFormatVersion"] == "2.0"
    assert integration["TimeoutInMillis"] == 30_000
    assert route["RouteKey"] == "$default"
    assert route["Target"] == f"integrations/{integration['IntegrationId']}"
    assert (stage["StageName"], stage["AutoDeploy"]) == ("$default", True)
    assert all(r["ApiGatewayManaged"] for r in (integration, route, stage))

    apigatewayv2.update_api(ApiId=api.api_id, Target=FUNCTION + "2", RouteKey="GET /x")
    assert apigatewayv2.get_routes(ApiId=api.api_id)["Items"][0]["RouteKey"] == "GET /x"
    changed = apigatewayv2.get_integrations(ApiId=api.api_id)["Items"][0]
    assert changed["IntegrationUri"] == FUNCTION + "2"


def test_routes_have_one_key_each(apigatewayv2: ApiGatewayV2Client, make_api: MakeApi) -> None:
    api_id = make_api().api_id
    route = apigatewayv2.create_route(ApiId=api_id, RouteKey="GET /brand/{brandId}")
    other = apigatewayv2.create_route(ApiId=api_id, RouteKey="PUT /brand/{brandId}")
    for key in ("GET /brand/{brandId}", "GET /brand/{id}"):
        assert refused(apigatewayv2.create_route, ApiId=api_id, RouteKey=key) == (
            409,
            "ConflictException",
            f"Route with key {key} already exists for this API",
        )
    status, code, _ = refused(
        apigatewayv2.update_route,
        ApiId=api_id,
        RouteId=other["RouteId"],
        RouteKey="GET /brand/{brandId}",
    )
    assert (status, code) == (409, "ConflictException")
    apigatewayv2.update_route(
        ApiId=api_id, RouteId=route["RouteId"], RouteKey="GET /brand/{brandId}", OperationName="get"
    )
    assert apigatewayv2.get_route(ApiId=api_id, RouteId=route["RouteId"])["OperationName"] == "get"
    apigatewayv2.delete_route(ApiId=api_id, RouteId=route["RouteId"])
    keys = [r["RouteKey"] for r in apigatewayv2.get_routes(ApiId=api_id)["Items"]]
    assert keys == ["PUT /brand/{brandId}"]


def test_what_terraform_always_sends_is_taken(
    apigatewayv2: ApiGatewayV2Client, make_api: MakeApi
) -> None:
    api_id = make_api(ApiKeySelectionExpression="$request.header.x-api-key").api_id
    made = apigatewayv2.create_integration(
        ApiId=api_id, PassthroughBehavior="WHEN_NO_MATCH", ConnectionType="INTERNET", **INTEGRATION
    )
    route = apigatewayv2.create_route(
        ApiId=api_id,
        RouteKey="GET /x",
        ApiKeyRequired=False,
        AuthorizationType="NONE",
        Target=f"integrations/{made['IntegrationId']}",
    )
    assert route["ApiKeyRequired"] is False


def test_an_integration_in_use_is_not_deleted(
    apigatewayv2: ApiGatewayV2Client, make_api: MakeApi
) -> None:
    api_id = make_api().api_id
    made = apigatewayv2.create_integration(ApiId=api_id, **INTEGRATION)
    identifier = made["IntegrationId"]
    route = apigatewayv2.create_route(
        ApiId=api_id, RouteKey="$default", Target=f"integrations/{identifier}"
    )
    status, code, _ = refused(
        apigatewayv2.delete_integration, ApiId=api_id, IntegrationId=identifier
    )
    assert (status, code) == (409, "ConflictException")
    updated = apigatewayv2.update_integration(
        ApiId=api_id, IntegrationId=identifier, TimeoutInMillis=1000
    )
    assert (updated["TimeoutInMillis"], updated["IntegrationUri"]) == (1000, FUNCTION)
    apigatewayv2.delete_route(ApiId=api_id, RouteId=route["RouteId"])
    apigatewayv2.delete_integration(ApiId=api_id, IntegrationId=identifier)
    assert apigatewayv2.get_integrations(ApiId=api_id)["Items"] == []


def test_stages_and_deployments(apigatewayv2: ApiGatewayV2Client, make_api: MakeApi) -> None:
    api_id = make_api(stage=None).api_id
    status, code, message = refused(apigatewayv2.create_deployment, ApiId=api_id)
    assert (status, code) == (400, "BadRequestException")
    assert message == "At least one route is required before deploying the Api."

    apigatewayv2.create_route(ApiId=api_id, RouteKey="GET /x")
    apigatewayv2.create_stage(ApiId=api_id, StageName="dev", StageVariables={"table": "brands"})
    status, code, _ = refused(apigatewayv2.create_stage, ApiId=api_id, StageName="dev")
    assert (status, code) == (409, "ConflictException")
    deployment = apigatewayv2.create_deployment(ApiId=api_id, StageName="dev", Description="one")
    stage = apigatewayv2.get_stage(ApiId=api_id, StageName="dev")
    assert deployment["DeploymentStatus"] == "DEPLOYED"
    assert stage["DeploymentId"] == deployment["DeploymentId"]
    assert stage["StageVariables"] == {"table": "brands"}

    in_use = {"ApiId": api_id, "DeploymentId": deployment["DeploymentId"]}
    status, code, _ = refused(apigatewayv2.delete_deployment, **in_use)
    assert (status, code) == (400, "BadRequestException")
    apigatewayv2.delete_stage(ApiId=api_id, StageName="dev")
    apigatewayv2.delete_deployment(**in_use)  # type: ignore[arg-type] # two strings
    assert apigatewayv2.get_deployments(ApiId=api_id)["Items"] == []


def test_auto_deployments_do_not_pile_up(
    apigatewayv2: ApiGatewayV2Client, make_api: MakeApi
) -> None:
    api_id = make_api().api_id
    for number in range(5):
        apigatewayv2.create_route(ApiId=api_id, RouteKey=f"GET /{number}")
    (deployment,) = apigatewayv2.get_deployments(ApiId=api_id)["Items"]
    assert deployment["AutoDeployed"] is True
    stage = apigatewayv2.get_stage(ApiId=api_id, StageName="$default")
    assert stage["DeploymentId"] == deployment["DeploymentId"]


def test_tags_of_apis_and_stages(apigatewayv2: ApiGatewayV2Client, make_api: MakeApi) -> None:
    api_id = make_api(Tags={"a": "1"}).api_id
    arn = f"arn:aws:apigateway:{REGION}::/apis/{api_id}"
    for resource, before in ((arn, {"a": "1"}), (f"{arn}/stages/$default", {})):
        assert apigatewayv2.get_tags(ResourceArn=resource)["Tags"] == before
        apigatewayv2.tag_resource(ResourceArn=resource, Tags={"b": "2", "c": "3"})
        apigatewayv2.untag_resource(ResourceArn=resource, TagKeys=["b", "a"])
        assert apigatewayv2.get_tags(ResourceArn=resource)["Tags"] == {"c": "3"}
    assert apigatewayv2.get_api(ApiId=api_id)["Tags"] == {"c": "3"}


def test_lists_come_in_pages(apigatewayv2: ApiGatewayV2Client, make_api: MakeApi) -> None:
    api_id = make_api().api_id
    for number in range(5):
        apigatewayv2.create_route(ApiId=api_id, RouteKey=f"GET /{number}")
    first = apigatewayv2.get_routes(ApiId=api_id, MaxResults="3")
    rest = apigatewayv2.get_routes(ApiId=api_id, MaxResults="3", NextToken=first["NextToken"])
    assert [r["RouteKey"] for r in first["Items"] + rest["Items"]] == [
        f"GET /{number}" for number in range(5)
    ]
    assert "NextToken" not in rest


def test_an_id_can_be_chosen_once(apigatewayv2: ApiGatewayV2Client, make_api: MakeApi) -> None:
    assert make_api(Tags={"_custom_id_": "my-brands"}).api_id == "my-brands"
    status, code, _ = refused(
        apigatewayv2.create_api,
        Name="again",
        ProtocolType="HTTP",
        Tags={"_custom_id_": "my-brands"},
    )
    assert (status, code) == (409, "ConflictException")


@pytest.mark.parametrize(
    ("operation", "parameters", "sentence"),
    [
        ("create_route", {"RouteKey": "FETCH /x"}, "not formatted properly"),
        ("create_route", {"RouteKey": "GET /{a+}/b"}, "greedy path variable"),
        ("create_route", {"RouteKey": "GET /x", "Target": "nowhere"}, "integrations/"),
        ("create_integration", INTEGRATION | {"IntegrationUri": "nonsense"}, "function ARN"),
        ("create_integration", INTEGRATION | {"PayloadFormatVersion": "3.0"}, "3.0"),
        ("create_integration", INTEGRATION | {"IntegrationType": "MOCK"}, "MOCK"),
        (
            "create_integration",
            {"IntegrationType": "AWS_PROXY", "IntegrationUri": FUNCTION},
            "PayloadFormatVersion",
        ),
        ("create_integration", INTEGRATION | {"TimeoutInMillis": 30_001}, "30000"),
        ("create_integration", INTEGRATION | {"TimeoutInMillis": 49}, "50"),
        ("create_stage", {"StageName": "a b"}, "alphanumeric"),
        ("create_stage", {"StageName": "a", "StageVariables": {"a-b": "c"}}, "a-b"),
        ("update_api", {"RouteKey": "GET /x"}, "quick-create"),
        (
            "create_integration",
            INTEGRATION | {"RequestParameters": {"append:header.via": "y"}},
            "Operations on header via are restricted",
        ),
        (
            "create_integration",
            INTEGRATION | {"ResponseParameters": {"200": {"append:header.x": "$request.path"}}},
            "Invalid mapping expression specified: Validation Result: warnings : [], errors : "
            "[Invalid source: $request.path specified for destination: append:header.x]",
        ),
        (
            "create_integration",
            INTEGRATION | {"RequestTemplates": {"a/b": "c"}},
            "RequestTemplates is not currently supported for HTTP APIs",
        ),
        ("create_integration", INTEGRATION | {"ConnectionId": "x"}, "ConnectionId"),
        ("create_integration", INTEGRATION | {"CredentialsArn": "role"}, "credentials ARN role"),
        (
            "create_route",
            {"RouteKey": "GET /x", "ApiKeyRequired": True},
            "ApiKeyRequired is not currently supported for HTTP APIs",
        ),
        ("create_stage", {"StageName": "a", "ClientCertificateId": "x"}, "ClientCertificateId"),
        (
            "create_authorizer",
            REQUEST_AUTHORIZER | {"AuthorizerPayloadFormatVersion": None},
            "AuthorizerPayloadFormatVersion is a required parameter for REQUEST authorizer",
        ),
        (
            "create_authorizer",
            REQUEST_AUTHORIZER
            | {"AuthorizerPayloadFormatVersion": "1.0", "EnableSimpleResponses": True},
            "EnableSimpleResponses",
        ),
        (
            "create_authorizer",
            REQUEST_AUTHORIZER
            | {"JwtConfiguration": {"Issuer": "https://i.example", "Audience": ["a"]}},
            "JwtConfiguration",
        ),
        (
            "create_authorizer",
            JWT_AUTHORIZER | {"AuthorizerResultTtlInSeconds": 5},
            "AuthorizerResultTtlInSeconds",
        ),
        (
            "create_authorizer",
            JWT_AUTHORIZER | {"AuthorizerCredentialsArn": "arn:aws:iam::000000000000:role/a"},
            "AuthorizerCredentialsArn",
        ),
        (
            "update_api",
            {"CorsConfiguration": {"AllowOrigins": ["*"], "AllowCredentials": True}},
            "allow-credentials is not supported if 'allow-origin' is *",
        ),
        ("update_api", {"CorsConfiguration": {"AllowOrigins": ["example.com"]}}, "example.com"),
        ("update_api", {"CorsConfiguration": {"AllowMethods": ["FETCH"]}}, "FETCH"),
    ],
)
def test_what_is_refused_as_a_bad_request(
    apigatewayv2: ApiGatewayV2Client,
    make_api: MakeApi,
    operation: str,
    parameters: dict[str, Any],
    sentence: str,
) -> None:
    call = getattr(apigatewayv2, operation)
    given = {name: value for name, value in parameters.items() if value is not None}
    status, code, message = refused(call, ApiId=make_api().api_id, **given)
    assert (status, code) == (400, "BadRequestException")
    assert sentence in message


def test_members_of_quick_create_need_a_target(apigatewayv2: ApiGatewayV2Client) -> None:
    for more in ({"RouteKey": "GET /x"}, {"CredentialsArn": "arn:aws:iam::000000000000:role/a"}):
        status, code, message = refused(
            apigatewayv2.create_api, Name="quick", ProtocolType="HTTP", **more
        )
        assert (status, code) == (400, "BadRequestException")
        assert "Target" in message


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("get_route", {"RouteId": "x"}),
        ("delete_route", {"RouteId": "x"}),
        ("get_integration", {"IntegrationId": "x"}),
        ("get_stage", {"StageName": "x"}),
        ("get_deployment", {"DeploymentId": "x"}),
        ("create_deployment", {"StageName": "x"}),
        ("create_route", {"RouteKey": "GET /x", "Target": "integrations/x"}),
    ],
)
def test_what_does_not_exist_is_not_found(
    apigatewayv2: ApiGatewayV2Client, make_api: MakeApi, operation: str, parameters: dict[str, str]
) -> None:
    api = make_api()
    api.client.create_route(ApiId=api.api_id, RouteKey="GET /y")
    call = getattr(apigatewayv2, operation)
    status, code, _ = refused(call, ApiId=api.api_id, **parameters)
    assert (status, code) == (404, "NotFoundException")


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        (
            "create_integration",
            INTEGRATION | {"ConnectionType": "VPC_LINK", "ConnectionId": "x"},
        ),
        ("create_model", {"Name": "n", "Schema": "{}"}),
    ],
)
def test_what_is_not_emulated_is_refused_and_not_ignored(
    apigatewayv2: ApiGatewayV2Client, make_api: MakeApi, operation: str, parameters: dict[str, Any]
) -> None:
    call = getattr(apigatewayv2, operation)
    status, code, _ = refused(call, ApiId=make_api().api_id, **parameters)
    assert (status, code) == (501, "InternalFailure")


def test_other_regions_do_not_see_an_api(emulator: Emulator, make_api: MakeApi) -> None:
    import boto3

    api_id = make_api().api_id
    elsewhere = boto3.client(
        "apigatewayv2",
        endpoint_url=f"http://127.0.0.1:{emulator.edge}",
        region_name="eu-west-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    assert api_id not in [api["ApiId"] for api in elsewhere.get_apis()["Items"]]
    assert refused(elsewhere.get_api, ApiId=api_id)[0] == 404
