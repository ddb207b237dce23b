"""``httpApi``: a route of the service's HTTP API (Serverless guide, "HTTP API")."""

from __future__ import annotations

import re
from typing import Any

from bootstrap.definition import naming
from bootstrap.definition.document import KeyPath
from bootstrap.definition.model import HttpApiEvent, Service, parse
from bootstrap.template import Resource, Template

API_ID = "HttpApi"
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "ANY", "*")


def compile_api(service: Service, template: Template) -> None:
    """Add the API and its default stage when any function has an ``httpApi`` event."""
    if not any("httpApi" in event for f in service.functions.values() for event in f.events):
        return
    settings = service.provider.httpApi
    path = ("provider", "httpApi")
    properties: dict[str, Any] = {
        "Name": settings.name or f"{service.provider.stage}-{service.service}",
        "ProtocolType": "HTTP",
    }
    if service.provider.tags:
        properties["Tags"] = service.provider.tags
    if settings.cors:
        properties["CorsConfiguration"] = _cors(settings.cors)
    template.add(Resource(API_ID, "AWS::ApiGatewayV2::Api", properties, path))
    template.add(
        Resource(
            "HttpApiStage",
            "AWS::ApiGatewayV2::Stage",
            {"ApiId": {"Ref": API_ID}, "StageName": "$default", "AutoDeploy": True},
            path,
        )
    )


def _cors(cors: Any) -> dict[str, Any]:
    if cors is True:
        return {
            "AllowOrigins": ["*"],
            "AllowHeaders": [
                "Content-Type",
                "X-Amz-Date",
                "Authorization",
                "X-Api-Key",
                "X-Amz-Security-Token",
                "X-Amz-User-Agent",
                "X-Amzn-Trace-Id",
            ],
            "AllowMethods": ["OPTIONS", "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"],
        }
    given = {
        "AllowOrigins": cors.allowedOrigins,
        "AllowHeaders": cors.allowedHeaders,
        "AllowMethods": cors.allowedMethods,
        "AllowCredentials": cors.allowCredentials,
        "ExposeHeaders": cors.exposedResponseHeaders,
        "MaxAge": cors.maxAge,
    }
    return {key: value for key, value in given.items() if value not in (None, [])}


def compile_event(
    key: str, index: int, body: Any, path: KeyPath, service: Service, template: Template
) -> None:
    """``httpApi: GET /brand/{brandId}`` or ``{method, path}`` or ``'*'``."""
    if isinstance(body, str):
        method, _, route = body.strip().partition(" ")
        body = {"path": "*"} if body.strip() == "*" else {"method": method, "path": route.strip()}
    event = parse(HttpApiEvent, body, template.document, path)
    method = event.method.upper()
    if method not in _METHODS or not re.fullmatch(r"\*|/\S*", event.path):
        template.document.fail(
            f"functions.{key}: “{event.method} {event.path}” is not a route. Write for example "
            "GET /brand/{brandId}.",
            *path,
        )
    integration = f"HttpApiIntegration{naming.normalized(key)}"
    if integration not in template.resources:
        _add_integration(key, integration, path, service, template)
    route_key = (
        "$default" if event.path == "*" else f"{'ANY' if method == '*' else method} {event.path}"
    )
    route_id = (
        "HttpApiRouteDefault"
        if event.path == "*"
        else naming.http_route_id("*" if method == "ANY" else method, event.path)
    )
    template.add(
        Resource(
            route_id,
            "AWS::ApiGatewayV2::Route",
            {
                "ApiId": {"Ref": API_ID},
                "RouteKey": route_key,
                "Target": {"Fn::Join": ["/", ["integrations", {"Ref": integration}]]},
            },
            path,
            (integration,),
        )
    )


def _add_integration(
    key: str, integration: str, path: KeyPath, service: Service, template: Template
) -> None:
    arn = {"Fn::GetAtt": [naming.function_id(key), "Arn"]}
    template.add(
        Resource(
            f"{naming.normalized(key)}LambdaPermissionHttpApi",
            "AWS::Lambda::Permission",
            {
                "FunctionName": arn,
                "Action": "lambda:InvokeFunction",
                "Principal": "apigateway.amazonaws.com",
                "SourceArn": {
                    "Fn::Sub": "arn:${AWS::Partition}:execute-api:${AWS::Region}:"
                    f"${{AWS::AccountId}}:${{{API_ID}}}/*"
                },
            },
            path,
        )
    )
    template.add(
        Resource(
            integration,
            "AWS::ApiGatewayV2::Integration",
            {
                "ApiId": {"Ref": API_ID},
                "IntegrationType": "AWS_PROXY",
                "IntegrationUri": arn,
                "PayloadFormatVersion": service.provider.httpApi.payload,
                "TimeoutInMillis": 30000,
            },
            path,
        )
    )
