"""The resources of a REST API, as the Serverless Framework compiles ``http`` events."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from bootstrap.definition import http_integration, naming
from bootstrap.definition.events.base import Trigger, invoke_permission
from bootstrap.definition.parsing import Reference
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


def _settings(service: Service) -> RestApiSettings:
    settings: RestApiSettings = service.provider.setting("apiGateway")
    return settings


def api(service: Service) -> Reference:
    """The API that methods belong to: the service's own, or one that it shares."""
    shared = _settings(service).restApiId
    return {"Ref": API_ID} if shared is None else shared


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


def resources(triggers: Sequence[Trigger[HttpEvent]], service: Service) -> Iterator[Resource]:
    """One for each part of each path that a shared API does not have, parents first."""
    seen = set(_settings(service).known_resources())
    for trigger in triggers:
        parts = [part for part in path_of(trigger.event).split("/") if part]
        paths = ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]
        # What a shared API has stands below resources that it has, too.
        given = max((n for n, path in enumerate(paths, 1) if path in _known(service)), default=0)
        for path in paths[given:]:
            if path in seen:
                continue
            seen.add(path)
            parent, _, part = path.rpartition("/")
            properties = {
                "ParentId": _resource_ref(parent, service),
                "PathPart": part,
                "RestApiId": api(service),
            }
            kind = "AWS::ApiGateway::Resource"
            yield Resource(naming.rest_resource_id(path), kind, properties, trigger.path)


def _known(service: Service) -> dict[str, Reference]:
    return _settings(service).known_resources()


def _resource_ref(path: str, service: Service) -> Any:
    if (known := _known(service).get(path)) is not None:
        return known
    if path:
        return {"Ref": naming.rest_resource_id(path)}
    return _settings(service).restApiRootResourceId or {"Fn::GetAtt": [API_ID, "RootResourceId"]}


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
    responses, integration = _integration(trigger, service, authorizer)
    parameters = event.request.parameters.required()
    properties: dict[str, Any] = {
        "HttpMethod": event.method.upper(),
        "RequestParameters": parameters,
        "ResourceId": _resource_ref(path, service),
        "RestApiId": api(service),
        "ApiKeyRequired": event.private,
        "AuthorizationType": authorizer.authorization_type if authorizer else "NONE",
        "Integration": integration,
        "MethodResponses": responses,
    }
    if event.operationId:
        properties["OperationName"] = event.operationId
    if authorizer is not None and authorizer.authorization_type != "AWS_IAM":
        properties["AuthorizerId"] = authorizer.authorizerId or {"Ref": authorizer_id(authorizer)}
        if authorizer.scopes:
            properties["AuthorizationScopes"] = authorizer.scopes
    if needs_validator(event):
        properties["RequestValidatorId"] = {"Ref": _validator_id(service)}
    if event.request.schemas:
        models = properties["RequestModels"] = {}
        for content_type, schema in event.request.schemas.items():
            if isinstance(schema, str):
                models[content_type] = {"Ref": _shared_model_id(schema)}
                continue
            model = _model(identity, content_type, schema, trigger, service)
            models[content_type] = {"Ref": model.logical_id}
            yield model
    yield Resource(identity, "AWS::ApiGateway::Method", properties, trigger.path)


def _integration(
    trigger: Trigger[HttpEvent], service: Service, authorizer: HttpAuthorizer | None
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The method's responses, and the integration with the function."""
    event, request = trigger.event, trigger.event.request
    integration: dict[str, Any] = {
        "IntegrationHttpMethod": "POST",
        "Type": event.kind,
        "Uri": _uri(trigger.function_arn),
    }
    timeout = event.timeoutInMillis or _settings(service).timeoutInMillis
    if timeout:
        integration["TimeoutInMillis"] = timeout
    if event.kind == "AWS_PROXY":
        return [], integration
    claims = authorizer.claims if authorizer else []
    integration["PassthroughBehavior"] = request.passThrough or "NEVER"
    integration["RequestTemplates"] = http_integration.request_templates(request.template, claims)
    if request.contentHandling:
        integration["ContentHandling"] = request.contentHandling
    parameters: dict[str, Any] = request.parameters.mapped()
    if event.async_:
        parameters["integration.request.header.X-Amz-Invocation-Type"] = "'Event'"
    if parameters:
        integration["RequestParameters"] = parameters
    cors = event.cors_settings()
    headers = {}
    if cors is not None:
        headers["Access-Control-Allow-Origin"] = f"'{','.join(cors.all_origins())}'"
        if cors.allowCredentials:
            headers["Access-Control-Allow-Credentials"] = "true"
    response = event.response or http_integration.HttpResponse()
    responses, integration["IntegrationResponses"] = http_integration.responses(response, headers)
    return responses, integration


def needs_validator(event: HttpEvent) -> bool:
    """Whether API Gateway checks something of a request."""
    return bool(event.request.schemas) or any(event.request.parameters.required().values())


def shared_models(triggers: Sequence[Trigger[HttpEvent]], service: Service) -> Iterator[Resource]:
    """The schemas of ``provider.apiGateway.request`` that methods name."""
    given = _settings(service).request.schemas
    schemas = (one for t in triggers for one in t.event.request.schemas.values())
    for name in dict.fromkeys(one for one in schemas if isinstance(one, str)):
        properties = {"ContentType": "application/json", **_model_properties(given[name], service)}
        path = ("provider", "apiGateway", "request", "schemas", name)
        yield Resource(_shared_model_id(name), "AWS::ApiGateway::Model", properties, path)


def _shared_model_id(name: str) -> str:
    words = re.findall(r"[A-Z]{2,}(?![a-z])|[A-Z]?[a-z]+|[A-Z]|\d+", name)
    return f"ApiGateway{''.join(word.capitalize() for word in words)}Model"


def _model(
    method_id: str,
    content_type: str,
    schema: HttpSchema | dict[str, Any],
    trigger: Trigger[HttpEvent],
    service: Service,
) -> Resource:
    identity = f"{method_id}{naming.content_type(content_type)}Model"
    properties = {"ContentType": content_type, **_model_properties(schema, service)}
    return Resource(identity, "AWS::ApiGateway::Model", properties, trigger.path)


def _model_properties(schema: HttpSchema | dict[str, Any], service: Service) -> dict[str, Any]:
    if isinstance(schema, dict):
        return {"RestApiId": api(service), "Schema": schema}
    more = {"Name": schema.name, "Description": schema.description}
    named = {key: value for key, value in more.items() if value is not None}
    return {"RestApiId": api(service), "Schema": schema.schema_, **named}


def _validator_id(service: Service) -> str:
    return f"ApiGateway{naming.alphanumeric(service.service)}RequestValidator"


def validator(service: Service, trigger: Trigger[HttpEvent]) -> Resource:
    """The validator of all methods of which something is checked."""
    name = f"{service.service}-{service.provider.stage}"
    properties = {
        "RestApiId": api(service),
        "ValidateRequestBody": True,
        "ValidateRequestParameters": True,
        "Name": f"{name} | Validate request body and querystring parameters",
    }
    kind = "AWS::ApiGateway::RequestValidator"
    return Resource(_validator_id(service), kind, properties, trigger.path)


# -- CORS --------------------------------------------------------------------------------------


def preflights(triggers: Sequence[Trigger[HttpEvent]], service: Service) -> Iterator[Resource]:
    """A mock for ``OPTIONS`` of each path of which a method has CORS."""
    by_path: dict[str, list[Trigger[HttpEvent]]] = {}
    for trigger in triggers:
        if trigger.event.cors_settings() is not None:
            by_path.setdefault(path_of(trigger.event), []).append(trigger)
    for path, found in by_path.items():
        yield _preflight(path, found, service)


def _preflight(path: str, triggers: Sequence[Trigger[HttpEvent]], service: Service) -> Resource:
    # The framework puts what a later event says first.
    found = [(t.event.cors_settings(), t.event.method.upper()) for t in reversed(triggers)]
    settings = [cors for cors, _ in found if cors is not None]
    methods = [
        method
        for cors, own in found
        for method in dict.fromkeys([*((cors and cors.methods) or []), "OPTIONS", own])
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
        "ResourceId": _resource_ref(path, service),
        "RestApiId": api(service),
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
    """The template that lets an origin through that one of ``origins`` matches."""
    if not origins:
        return ""
    patterns = [origin.replace(".", "[.]").replace("*", ".+") for origin in origins]
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
    authorizer: HttpAuthorizer, trigger: Trigger[HttpEvent], service: Service
) -> Iterator[Resource]:
    """An authorizer, and the permission to invoke its function."""
    properties: dict[str, Any] = {
        "IdentitySource": authorizer.identitySource or "method.request.header.Authorization",
        "Name": authorizer.name,
        "RestApiId": api(service),
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
        if not authorizer.managedExternally:
            yield permission(identity, authorizer.function_arn, trigger, service)
    kind = "AWS::ApiGateway::Authorizer"
    yield Resource(authorizer_id(authorizer), kind, properties, trigger.path)


def permission(
    identity: str, function: Any, trigger: Trigger[HttpEvent], service: Service
) -> Resource:
    """API Gateway may invoke a function."""
    parts = ["arn:", {"Ref": "AWS::Partition"}, ":execute-api:", {"Ref": "AWS::Region"}, ":"]
    parts += [{"Ref": "AWS::AccountId"}, ":", api(service), "/*/*"]
    made = invoke_permission(
        identity, trigger, "apigateway.amazonaws.com", {"Fn::Join": ["", parts]}
    )
    made.properties["FunctionName"] = function
    return made


# -- deployment, keys --------------------------------------------------------------------------


def deployment(service: Service, methods: Sequence[str]) -> Iterator[Resource]:
    """The deployment, after all methods, and the log group of its stage."""
    provider = service.provider
    properties: dict[str, Any] = {
        "RestApiId": api(service),
        "StageName": provider.stage,
    }
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


def usage_plans(service: Service, settings: RestApiSettings) -> Iterator[Resource]:
    """API keys, usage plans, and what ties them together."""
    path, stage = ("provider", "apiGateway"), service.provider.stage
    after = (DEPLOYMENT_ID,)
    plans, keys = settings.plans(), settings.keys()
    for name, group in keys.items():
        for number, key in enumerate(group, start=1):
            properties: dict[str, Any] = {
                "Enabled": key.enabled,
                "StageKeys": [{"RestApiId": api(service), "StageName": stage}],
            }
            more = {
                "Name": key.name,
                "Value": key.value,
                "Description": key.description,
                "CustomerId": key.customerId,
            }
            properties |= {part: value for part, value in more.items() if value is not None}
            kind = "AWS::ApiGateway::ApiKey"
            yield Resource(_numbered("ApiKey", name, number), kind, properties, path, after)
    for name, plan in plans.items():
        properties = {
            "ApiStages": [{"ApiId": api(service), "Stage": stage}],
            "Description": f"Usage plan {f'"{name}" ' if name else ''}for {service.service} {stage}"
            " stage",
            "UsagePlanName": "-".join(filter(None, (service.service, name, stage))),
            **plan.properties(),
        }
        yield Resource(_plan_id(name), "AWS::ApiGateway::UsagePlan", properties, path, after)
    for name, group in keys.items():
        for number, _ in enumerate(group, start=1):
            properties = {
                "KeyId": {"Ref": _numbered("ApiKey", name, number)},
                "KeyType": "API_KEY",
                "UsagePlanId": {"Ref": _plan_id(name)},
            }
            kind = "AWS::ApiGateway::UsagePlanKey"
            yield Resource(_numbered("UsagePlanKey", name, number), kind, properties, path)


def _plan_id(name: str) -> str:
    return f"ApiGatewayUsagePlan{name[:1].upper()}{name[1:]}"


def _numbered(kind: str, name: str, number: int) -> str:
    return f"ApiGateway{kind}{name[:1].upper()}{name[1:]}{number}"
