"""Amazon API Gateway v2: HTTP APIs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bootstrap.services import shapes
from bootstrap.services.base import (
    Context,
    Key,
    Outcome,
    Properties,
    ReplacementError,
    ResourceType,
    gone,
    outcome_of,
    subset,
)
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
    changes: list[bool] = []
    if not named:
        api = gateway.create_api(**properties)
    else:
        api = named[0]
        cors = properties.get("CorsConfiguration")
        wanted = {
            "Name": properties["Name"],
            "Description": properties.get("Description", ""),
            **({"CorsConfiguration": cors} if cors else {}),
        }
        dropped_cors = bool(not cors and api.get("CorsConfiguration"))
        if dropped_cors:
            gateway.delete_cors_configuration(ApiId=api["ApiId"])
        different = not subset(wanted, api) or (
            bool(cors) and not _same_cors(cors, api.get("CorsConfiguration"))
        )
        if different:
            api = gateway.update_api(ApiId=api["ApiId"], **wanted)
        arn = f"arn:aws:apigateway:{context.settings.region}::/apis/{api['ApiId']}"
        changes = [dropped_cors, different, _tags(gateway, arn, properties, api)]
    return outcome_of(not named, *changes), Physical(
        api["ApiId"], {"ApiId": api["ApiId"], "ApiEndpoint": api["ApiEndpoint"]}
    )


def _same_cors(wanted: dict[str, Any] | None, actual: dict[str, Any] | None) -> bool:
    """Whether the API's CORS configuration is the described one; an additional value differs."""

    def set_values(cors: dict[str, Any] | None) -> dict[str, Any]:
        return {key: value for key, value in (cors or {}).items() if value not in (None, [], False)}

    return set_values(wanted) == set_values(actual)


def _tags(gateway: Any, arn: str, wanted: Properties, api: dict[str, Any]) -> bool:
    tags, current = wanted.get("Tags", {}), api.get("Tags", {})
    # Tags that the stack reads itself are set by hand (trigger-stack:local-port).
    stale = [key for key in current if key not in tags and not key.startswith("trigger-stack:")]
    if stale:
        gateway.untag_resource(ResourceArn=arn, TagKeys=stale)
    new = {key: value for key, value in tags.items() if current.get(key) != value}
    if new:
        gateway.tag_resource(ResourceArn=arn, Tags=new)
    return bool(stale or new)


def _stage(context: Context, logical_id: str, properties: Properties) -> tuple[Outcome, Physical]:
    gateway = context.client("apigatewayv2")
    name = properties["StageName"]
    stages = _items(gateway.get_stages, ApiId=properties["ApiId"])
    existing = next((stage for stage in stages if stage["StageName"] == name), None)
    if existing is None:
        gateway.create_stage(**properties)
        return Outcome.CREATED, Physical(name)
    variables = properties.get("StageVariables", {})
    automatic = properties.get("AutoDeploy", False)
    log, logged = properties.get("AccessLogSettings"), existing.get("AccessLogSettings")
    dropped_log = bool(logged and not log)
    if dropped_log:
        gateway.delete_access_log_settings(ApiId=properties["ApiId"], StageName=name)
    if (
        existing.get("StageVariables", {}) == variables
        and automatic == existing.get("AutoDeploy", False)
        and (not log or log == logged)
    ):
        return outcome_of(False, dropped_log), Physical(name)
    dropped = dict.fromkeys(existing.get("StageVariables", {}).keys() - variables.keys(), "")
    gateway.update_stage(
        ApiId=properties["ApiId"],
        StageName=name,
        AutoDeploy=automatic,
        StageVariables={**dropped, **variables},  # an empty value deletes a variable
        **({"AccessLogSettings": log} if log else {}),
    )
    return Outcome.CHANGED, Physical(name)


def _integration(
    context: Context, logical_id: str, properties: Properties
) -> tuple[Outcome, Physical]:
    gateway = context.client("apigatewayv2")
    api = properties["ApiId"]
    wanted = {"TimeoutInMillis": 30000} | {k: v for k, v in properties.items() if k != "ApiId"}
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
    wanted = _ROUTE_DEFAULTS | {k: v for k, v in properties.items() if k != "ApiId"}
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
    if subset(wanted, _ROUTE_DEFAULTS | existing):
        return Outcome.UNCHANGED, Physical(identity)
    gateway.update_route(ApiId=api, RouteId=identity, **wanted)
    return Outcome.CHANGED, Physical(identity)


#: What a route goes back to when the definition no longer names an authorizer.
_ROUTE_DEFAULTS: dict[str, Any] = {"AuthorizationType": "NONE", "AuthorizationScopes": []}


def _authorizer(
    context: Context, logical_id: str, properties: Properties
) -> tuple[Outcome, Physical]:
    gateway = context.client("apigatewayv2")
    api = properties["ApiId"]
    wanted = {k: v for k, v in properties.items() if k != "ApiId"}
    named = (
        item
        for item in _items(gateway.get_authorizers, ApiId=api)
        if item["Name"] == properties["Name"]
    )
    existing = next(named, None)
    if existing is None:
        made = gateway.create_authorizer(ApiId=api, **wanted)
        return Outcome.CREATED, Physical(made["AuthorizerId"])
    identity = existing["AuthorizerId"]
    if existing["AuthorizerType"] != properties["AuthorizerType"]:
        raise ReplacementError(
            f"the authorizer {properties['Name']} exists with the type"
            f" {existing['AuthorizerType']}, which cannot be changed. Give it another name."
        )
    defaults: dict[str, Any] = {}
    if existing["AuthorizerType"] == "REQUEST":  # API Gateway, "CreateAuthorizer"
        lasts_s = 300 if properties["IdentitySource"] else 0
        defaults = {"EnableSimpleResponses": False, "AuthorizerResultTtlInSeconds": lasts_s}
    if subset(defaults | wanted, defaults | existing):
        return Outcome.UNCHANGED, Physical(identity)
    gateway.update_authorizer(ApiId=api, AuthorizerId=identity, **defaults | wanted)
    return Outcome.CHANGED, Physical(identity)


def _authorizer_keys(logical_id: str, properties: Properties, physical: Physical) -> list[Key]:
    return [{"ApiId": properties["ApiId"], "AuthorizerId": physical.ref}]


def _api_keys(logical_id: str, properties: Properties, physical: Physical) -> list[Key]:
    return [{"ApiId": physical.ref}]


def _stage_keys(logical_id: str, properties: Properties, physical: Physical) -> list[Key]:
    return [{"ApiId": properties["ApiId"], "StageName": properties["StageName"]}]


def _integration_keys(logical_id: str, properties: Properties, physical: Physical) -> list[Key]:
    return [{"ApiId": properties["ApiId"], "IntegrationId": physical.ref}]


def _route_keys(logical_id: str, properties: Properties, physical: Physical) -> list[Key]:
    return [{"ApiId": properties["ApiId"], "RouteId": physical.ref}]


def _remover(operation: str) -> Callable[[Context, Key], bool]:
    def remove(context: Context, key: Key) -> bool:
        call = getattr(context.client("apigatewayv2"), operation)
        return gone(lambda: call(**key), "NotFoundException")

    return remove


_TEXTS = shapes.list_of(shapes.text)

RESOURCE_TYPES = {
    "AWS::ApiGatewayV2::Api": ResourceType(
        _api,
        {"Name": shapes.text, "ProtocolType": shapes.one_of("HTTP")},
        {
            "CorsConfiguration": shapes.mapping(
                {},
                {
                    "AllowCredentials": shapes.flag,
                    "AllowHeaders": _TEXTS,
                    "AllowMethods": _TEXTS,
                    "AllowOrigins": _TEXTS,
                    "ExposeHeaders": _TEXTS,
                    "MaxAge": shapes.number(-1, 86_400),
                },
            ),
            "Description": shapes.text,
            "Tags": shapes.mapping_of(shapes.text),
        },
        keys=_api_keys,
        remove=_remover("delete_api"),
    ),
    "AWS::ApiGatewayV2::Stage": ResourceType(
        _stage,
        {"ApiId": shapes.text, "StageName": shapes.text},
        {
            "AccessLogSettings": shapes.mapping(
                {"DestinationArn": shapes.text, "Format": shapes.text}
            ),
            "AutoDeploy": shapes.flag,
            "StageVariables": shapes.mapping_of(shapes.text),
        },
        keys=_stage_keys,
        remove=_remover("delete_stage"),
    ),
    "AWS::ApiGatewayV2::Integration": ResourceType(
        _integration,
        {"ApiId": shapes.text, "IntegrationType": shapes.one_of("AWS_PROXY", "HTTP_PROXY")},
        {
            "IntegrationUri": shapes.text,
            "PayloadFormatVersion": shapes.one_of("1.0", "2.0"),
            "TimeoutInMillis": shapes.number(50, 30_000),
        },
        keys=_integration_keys,
        remove=_remover("delete_integration"),
    ),
    "AWS::ApiGatewayV2::Authorizer": ResourceType(
        _authorizer,
        {
            "ApiId": shapes.text,
            "AuthorizerType": shapes.one_of("JWT", "REQUEST"),
            "IdentitySource": _TEXTS,
            "Name": shapes.text,
        },
        {
            "AuthorizerPayloadFormatVersion": shapes.one_of("1.0", "2.0"),
            "AuthorizerResultTtlInSeconds": shapes.number(0, 3600),
            "AuthorizerUri": shapes.text,
            "EnableSimpleResponses": shapes.flag,
            "JwtConfiguration": shapes.mapping({"Audience": _TEXTS, "Issuer": shapes.text}),
        },
        keys=_authorizer_keys,
        remove=_remover("delete_authorizer"),
    ),
    "AWS::ApiGatewayV2::Route": ResourceType(
        _route,
        {"ApiId": shapes.text, "RouteKey": shapes.text, "Target": shapes.text},
        {
            "AuthorizationScopes": _TEXTS,
            "AuthorizationType": shapes.one_of("AWS_IAM", "CUSTOM", "JWT", "NONE"),
            "AuthorizerId": shapes.text,
        },
        keys=_route_keys,
        remove=_remover("delete_route"),
    ),
}
