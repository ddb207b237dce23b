"""The resources of a REST API, as the Serverless Framework compiles ``http`` events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from bootstrap.definition import naming
from bootstrap.definition.events.base import Trigger, invoke_permission
from bootstrap.template import Resource

if TYPE_CHECKING:
    from bootstrap.definition.events.http import (
        HttpAuthorizer,
        HttpCors,
        HttpEvent,
        HttpSchema,
        RestApiSettings,
    )
    from bootstrap.definition.model import Service

API_ID = "ApiGatewayRestApi"
DEPLOYMENT_ID = "ApiGatewayDeployment"
_LOG_GROUP_ID = "ApiGatewayLogGroup"
_API = {"Ref": API_ID}
_HEADERS = [
    "Content-Type",
    "X-Amz-Date",
    "Authorization",
    "X-Api-Key",
    "X-Amz-Security-Token",
    "X-Amz-User-Agent",
    "X-Amzn-Trace-Id",
]
_PREFIX = "method.response.header.Access-Control-"


def path_of(event: HttpEvent) -> str:
    """A path without slashes at its ends; empty for the root."""
    return event.path.strip("/")


def rest_api(service: Service, settings: RestApiSettings) -> Resource:
    """The API."""
    provider = service.provider
    stage, name = provider.stage, service.service
    default = f"{name}-{stage}" if settings.shouldStartNameWithService else f"{stage}-{name}"
    properties: dict[str, Any] = {
        "Name": provider.setting("apiName") or default,
        "EndpointConfiguration": {"Types": [(provider.setting("endpointType") or "EDGE").upper()]},
    }
    more = {
        "ApiKeySourceType": settings.apiKeySourceType,
        "BinaryMediaTypes": settings.binaryMediaTypes or None,
        "Description": settings.description,
        "DisableExecuteApiEndpoint": settings.disableDefaultEndpoint,
        "MinimumCompressionSize": settings.minimumCompressionSize,
    }
    properties |= {key: value for key, value in more.items() if value is not None}
    if provider.tags:
        properties["Tags"] = [{"Key": key, "Value": tag} for key, tag in provider.tags.items()]
    document = {"Version": "2012-10-17", "Statement": settings.resourcePolicy}
    properties["Policy"] = document if settings.resourcePolicy else ""
    return Resource(API_ID, "AWS::ApiGateway::RestApi", properties, ("provider", "apiGateway"))


def resources(triggers: Sequence[Trigger[HttpEvent]]) -> Iterator[Resource]:
    """One for each part of each path, parents first."""
    seen: set[str] = set()
    for trigger in triggers:
        parts = [part for part in path_of(trigger.event).split("/") if part]
        for end in range(1, len(parts) + 1):
            path = "/".join(parts[:end])
            if path in seen:
                continue
            seen.add(path)
            properties = {
                "ParentId": _resource_ref("/".join(parts[: end - 1])),
                "PathPart": parts[end - 1],
                "RestApiId": _API,
            }
            kind = "AWS::ApiGateway::Resource"
            yield Resource(naming.rest_resource_id(path), kind, properties, trigger.path)


def _resource_ref(path: str) -> dict[str, Any]:
    if not path:
        return {"Fn::GetAtt": [API_ID, "RootResourceId"]}
    return {"Ref": naming.rest_resource_id(path)}


def _uri(function: Any) -> dict[str, Any]:
    parts = ["arn:", {"Ref": "AWS::Partition"}, ":apigateway:", {"Ref": "AWS::Region"}]
    parts += [":lambda:path/2015-03-31/functions/", function, "/invocations"]
    return {"Fn::Join": ["", parts]}


def method(
    trigger: Trigger[HttpEvent], service: Service, authorizer: HttpAuthorizer | None
) -> Iterator[Resource]:
    """A method, with its models."""
    event, path = trigger.event, path_of(trigger.event)
    identity = naming.rest_method_id(path, event.method)
    integration: dict[str, Any] = {
        "IntegrationHttpMethod": "POST",
        "Type": "AWS_PROXY",
        "Uri": _uri(trigger.function_arn),
    }
    if event.timeoutInMillis:
        integration["TimeoutInMillis"] = event.timeoutInMillis
    properties: dict[str, Any] = {
        "HttpMethod": event.method.upper(),
        "RequestParameters": event.request.parameters.required(),
        "ResourceId": _resource_ref(path),
        "RestApiId": _API,
        "ApiKeyRequired": event.private,
        "AuthorizationType": authorizer.authorization_type if authorizer else "NONE",
        "Integration": integration,
        "MethodResponses": [],
    }
    if event.operationId:
        properties["OperationName"] = event.operationId
    if authorizer is not None and authorizer.authorization_type != "AWS_IAM":
        properties["AuthorizerId"] = authorizer.authorizerId or {"Ref": authorizer_id(authorizer)}
        if authorizer.scopes:
            properties["AuthorizationScopes"] = authorizer.scopes
    if event.request.schemas:
        properties["RequestValidatorId"] = {"Ref": _validator_id(service)}
        models = properties["RequestModels"] = {}
        for content_type, schema in event.request.schemas.items():
            model = _model(identity, content_type, schema, trigger)
            models[content_type] = {"Ref": model.logical_id}
            yield model
    yield Resource(identity, "AWS::ApiGateway::Method", properties, trigger.path)


def _model(
    method_id: str, content_type: str, schema: Any | HttpSchema, trigger: Trigger[HttpEvent]
) -> Resource:
    identity = f"{method_id}{naming.content_type(content_type)}Model"
    properties: dict[str, Any] = {"RestApiId": _API, "ContentType": content_type}
    properties["Schema"] = schema if isinstance(schema, dict) else schema.schema_
    if not isinstance(schema, dict):
        more = {"Name": schema.name, "Description": schema.description}
        properties |= {key: value for key, value in more.items() if value is not None}
    return Resource(identity, "AWS::ApiGateway::Model", properties, trigger.path)


def _validator_id(service: Service) -> str:
    return f"ApiGateway{naming.alphanumeric(service.service)}RequestValidator"


def validator(service: Service, trigger: Trigger[HttpEvent]) -> Resource:
    """The validator of all methods with models."""
    name = f"{service.service}-{service.provider.stage}"
    properties = {
        "RestApiId": _API,
        "ValidateRequestBody": True,
        "ValidateRequestParameters": True,
        "Name": f"{name} | Validate request body and querystring parameters",
    }
    kind = "AWS::ApiGateway::RequestValidator"
    return Resource(_validator_id(service), kind, properties, trigger.path)


# -- CORS --------------------------------------------------------------------------------------


def preflights(triggers: Sequence[Trigger[HttpEvent]]) -> Iterator[Resource]:
    """A mock for ``OPTIONS`` of each path of which a method has CORS."""
    by_path: dict[str, list[Trigger[HttpEvent]]] = {}
    for trigger in triggers:
        if trigger.event.cors_settings() is not None:
            by_path.setdefault(path_of(trigger.event), []).append(trigger)
    for path, found in by_path.items():
        yield _preflight(path, found)


def _preflight(path: str, triggers: Sequence[Trigger[HttpEvent]]) -> Resource:
    # The framework puts what a later event says first.
    found = [(t.event.cors_settings(), t.event.method.upper()) for t in reversed(triggers)]
    settings = [cors for cors, _ in found if cors is not None]
    methods = [
        method
        for cors, own in found
        for method in (cors.methods if cors and cors.methods else ["OPTIONS", own])
    ]
    origins = list(dict.fromkeys(origin for cors in settings for origin in cors.several()))
    origin = next((cors.origin for cors in settings if cors.origin), "*")
    headers = _cors_headers(settings, methods, origins[0] if origins else origin)
    response = {
        "StatusCode": "200",
        "ResponseParameters": {name: f"'{value}'" for name, value in headers.items()},
        "ResponseTemplates": {"application/json": _choose_origin(origins)},
    }
    properties = {
        "AuthorizationType": "NONE",
        "HttpMethod": "OPTIONS",
        "MethodResponses": [
            {
                "StatusCode": "200",
                "ResponseParameters": dict.fromkeys(headers, True),
                "ResponseModels": {},
            }
        ],
        "RequestParameters": {},
        "Integration": {
            "Type": "MOCK",
            "RequestTemplates": {"application/json": "{statusCode:200}"},
            "ContentHandling": "CONVERT_TO_TEXT",
            "IntegrationResponses": [response],
        },
        "ResourceId": _resource_ref(path),
        "RestApiId": _API,
    }
    identity = naming.rest_method_id(path, "options")
    return Resource(identity, "AWS::ApiGateway::Method", properties, triggers[0].path)


def _cors_headers(settings: Sequence[HttpCors], methods: list[str], origin: str) -> dict[str, str]:
    allowed = methods
    if "ANY" in allowed:
        allowed = ["OPTIONS", "DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"]
    headers = [header for cors in settings for header in cors.header_names(_HEADERS)]
    result = {
        f"{_PREFIX}Allow-Origin": origin,
        f"{_PREFIX}Allow-Headers": ",".join(dict.fromkeys(headers)),
        f"{_PREFIX}Allow-Methods": ",".join(dict.fromkeys(allowed)),
    }
    if any(cors.allowCredentials for cors in settings):
        result[f"{_PREFIX}Allow-Credentials"] = "true"
    ages = [cors.maxAge for cors in settings if cors.maxAge]
    if ages:
        result[f"{_PREFIX}Max-Age"] = str(max(ages))
    controls = [cors.cacheControl for cors in settings if cors.cacheControl]
    if controls:
        result["method.response.header.Cache-Control"] = controls[-1]
    return result


def _choose_origin(origins: list[str]) -> str:
    """The template that lets an origin through when there are several."""
    if len(origins) < 2:
        return ""
    patterns = [origin.replace(".", "[.]").replace("*", ".*") for origin in origins]
    matches = " || ".join(f'$origin.matches("{pattern}")' for pattern in patterns)
    return (
        '#set($origin = $input.params("Origin"))\n'
        '#if($origin == "") #set($origin = $input.params("origin")) #end\n'
        f"#if({matches}) #set($context.responseOverride.header.Access-Control-Allow-Origin"
        " = $origin) #end"
    )


# -- who may call ------------------------------------------------------------------------------


def authorizer_id(authorizer: HttpAuthorizer) -> str:
    """Logical id of an authorizer."""
    return f"{naming.normalized(authorizer.name or '')}ApiGatewayAuthorizer"


def authorizer_resources(
    authorizer: HttpAuthorizer, trigger: Trigger[HttpEvent]
) -> Iterator[Resource]:
    """An authorizer, and the permission to invoke its function."""
    properties: dict[str, Any] = {
        "IdentitySource": authorizer.identitySource or "method.request.header.Authorization",
        "Name": authorizer.name,
        "RestApiId": _API,
    }
    more = {
        "AuthorizerResultTtlInSeconds": authorizer.resultTtlInSeconds,
        "IdentityValidationExpression": authorizer.identityValidationExpression,
    }
    properties |= {key: value for key, value in more.items() if value is not None}
    if authorizer.authorization_type == "COGNITO_USER_POOLS":
        properties |= {"Type": "COGNITO_USER_POOLS", "ProviderARNs": [authorizer.arn]}
    else:
        properties["AuthorizerUri"] = _uri(authorizer.function_arn)
        properties["Type"] = (authorizer.type or "token").upper()
        identity = f"{naming.normalized(authorizer.name or '')}LambdaPermissionApiGateway"
        yield permission(identity, authorizer.function_arn, trigger)
    kind = "AWS::ApiGateway::Authorizer"
    yield Resource(authorizer_id(authorizer), kind, properties, trigger.path)


def permission(identity: str, function: Any, trigger: Trigger[HttpEvent]) -> Resource:
    """API Gateway may invoke a function."""
    parts = ["arn:", {"Ref": "AWS::Partition"}, ":execute-api:", {"Ref": "AWS::Region"}, ":"]
    parts += [{"Ref": "AWS::AccountId"}, ":", _API, "/*/*"]
    made = invoke_permission(
        identity, trigger, "apigateway.amazonaws.com", {"Fn::Join": ["", parts]}
    )
    made.properties["FunctionName"] = function
    return made


# -- deployment, keys --------------------------------------------------------------------------


def deployment(service: Service, methods: Sequence[str]) -> Iterator[Resource]:
    """The deployment, after all methods, and the log group of its stage."""
    provider = service.provider
    properties: dict[str, Any] = {"RestApiId": _API, "StageName": provider.stage}
    line = provider.logs.rest_api_format
    if line is not None:
        group = provider.log_group(f"/aws/api-gateway/{service.service}-{provider.stage}")
        logs = ("provider", "logs", "restApi")
        yield Resource(_LOG_GROUP_ID, "AWS::Logs::LogGroup", group, logs)
        settings = {"DestinationArn": {"Fn::GetAtt": [_LOG_GROUP_ID, "Arn"]}, "Format": line}
        properties["StageDescription"] = {"AccessLogSetting": settings}
    description = service.provider.setting("apiGateway").description
    if description:
        properties["Description"] = description
    path = ("provider", "apiGateway")
    kind = "AWS::ApiGateway::Deployment"
    yield Resource(DEPLOYMENT_ID, kind, properties, path, tuple(methods))


def usage_plan(service: Service, settings: RestApiSettings) -> Iterator[Resource]:
    """API keys, a usage plan, and what ties them together."""
    if not settings.apiKeys and settings.usagePlan is None:
        return
    path, stage = ("provider", "apiGateway"), service.provider.stage
    after = (DEPLOYMENT_ID,)
    for number, key in enumerate(settings.keys(), start=1):
        properties: dict[str, Any] = {
            "Enabled": key.enabled,
            "StageKeys": [{"RestApiId": _API, "StageName": stage}],
        }
        more = {
            "Name": key.name,
            "Value": key.value,
            "Description": key.description,
            "CustomerId": key.customerId,
        }
        properties |= {name: value for name, value in more.items() if value is not None}
        identity = f"ApiGatewayApiKey{number}"
        yield Resource(identity, "AWS::ApiGateway::ApiKey", properties, path, after)
    properties = {
        "ApiStages": [{"ApiId": _API, "Stage": stage}],
        "Description": f"Usage plan for {service.service} {stage} stage",
        "UsagePlanName": f"{service.service}-{stage}",
    }
    if settings.usagePlan is not None:
        properties |= settings.usagePlan.properties()
    yield Resource("ApiGatewayUsagePlan", "AWS::ApiGateway::UsagePlan", properties, path, after)
    for number, _ in enumerate(settings.keys(), start=1):
        properties = {
            "KeyId": {"Ref": f"ApiGatewayApiKey{number}"},
            "KeyType": "API_KEY",
            "UsagePlanId": {"Ref": "ApiGatewayUsagePlan"},
        }
        kind = "AWS::ApiGateway::UsagePlanKey"
        yield Resource(f"ApiGatewayUsagePlanKey{number}", kind, properties, path)
