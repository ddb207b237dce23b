"""Amazon API Gateway v2: HTTP APIs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bootstrap.services.base import Context, Outcome, Properties, ResourceType, subset
from bootstrap.template import Physical


def _items(operation: Callable[..., Any], **arguments: Any) -> list[dict[str, Any]]:
    """All items of a listing, over all its pages."""
    items: list[dict[str, Any]] = []
    token: dict[str, str] = {}
    while True:
        page = operation(**arguments, **token)
        items.extend(page.get("Items", []))
        if not page.get("NextToken"):
            return items
        token = {"NextToken": page["NextToken"]}


def _api(context: Context, logical_id: str, properties: Properties) -> tuple[Outcome, Physical]:
    gateway = context.client("apigatewayv2")
    named = [a for a in _items(gateway.get_apis) if a["Name"] == properties["Name"]]
    if not named:
        api = gateway.create_api(**properties)
        outcome = Outcome.CREATED
    else:
        api, outcome = named[0], Outcome.UNCHANGED
        wanted = {k: v for k, v in properties.items() if k not in ("ProtocolType", "Tags")}
        if not subset(wanted, api):
            api = gateway.update_api(ApiId=api["ApiId"], **wanted)
            outcome = Outcome.CHANGED
    return outcome, Physical(
        api["ApiId"], {"ApiId": api["ApiId"], "ApiEndpoint": api["ApiEndpoint"]}
    )


def _stage(context: Context, logical_id: str, properties: Properties) -> tuple[Outcome, Physical]:
    gateway = context.client("apigatewayv2")
    name = properties["StageName"]
    stages = _items(gateway.get_stages, ApiId=properties["ApiId"])
    existing = next((stage for stage in stages if stage["StageName"] == name), None)
    if existing is None:
        gateway.create_stage(**properties)
        return Outcome.CREATED, Physical(name)
    if subset({k: v for k, v in properties.items() if k != "ApiId"}, existing):
        return Outcome.UNCHANGED, Physical(name)
    gateway.update_stage(**properties)
    return Outcome.CHANGED, Physical(name)


def _integration(
    context: Context, logical_id: str, properties: Properties
) -> tuple[Outcome, Physical]:
    gateway = context.client("apigatewayv2")
    api = properties["ApiId"]
    wanted = {k: v for k, v in properties.items() if k != "ApiId"}
    existing = next(
        (
            item
            for item in _items(gateway.get_integrations, ApiId=api)
            if item.get("IntegrationUri") == properties.get("IntegrationUri")
        ),
        None,
    )
    if existing is None:
        made = gateway.create_integration(**properties)
        return Outcome.CREATED, Physical(made["IntegrationId"])
    identity = existing["IntegrationId"]
    if subset(wanted, existing):
        return Outcome.UNCHANGED, Physical(identity)
    gateway.update_integration(ApiId=api, IntegrationId=identity, **wanted)
    return Outcome.CHANGED, Physical(identity)


def _route(context: Context, logical_id: str, properties: Properties) -> tuple[Outcome, Physical]:
    gateway = context.client("apigatewayv2")
    api = properties["ApiId"]
    wanted = {k: v for k, v in properties.items() if k != "ApiId"}
    existing = next(
        (
            item
            for item in _items(gateway.get_routes, ApiId=api)
            if item["RouteKey"] == properties["RouteKey"]
        ),
        None,
    )
    if existing is None:
        return Outcome.CREATED, Physical(gateway.create_route(**properties)["RouteId"])
    identity = existing["RouteId"]
    if subset(wanted, existing):
        return Outcome.UNCHANGED, Physical(identity)
    gateway.update_route(ApiId=api, RouteId=identity, **wanted)
    return Outcome.CHANGED, Physical(identity)


RESOURCE_TYPES = {
    "AWS::ApiGatewayV2::Api": ResourceType(
        _api,
        frozenset({"Name", "ProtocolType"}),
        frozenset({"CorsConfiguration", "Description", "Tags"}),
    ),
    "AWS::ApiGatewayV2::Stage": ResourceType(
        _stage, frozenset({"ApiId", "StageName"}), frozenset({"AutoDeploy", "StageVariables"})
    ),
    "AWS::ApiGatewayV2::Integration": ResourceType(
        _integration,
        frozenset({"ApiId", "IntegrationType"}),
        frozenset({"IntegrationUri", "PayloadFormatVersion", "TimeoutInMillis"}),
    ),
    "AWS::ApiGatewayV2::Route": ResourceType(_route, frozenset({"ApiId", "RouteKey", "Target"})),
}
