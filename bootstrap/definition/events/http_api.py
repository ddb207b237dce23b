"""``httpApi``: a route of the service's HTTP API (Serverless guide, "HTTP API")."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, override

from pydantic import Field

from bootstrap.definition import naming
from bootstrap.definition.document import Document
from bootstrap.definition.events.base import (
    Endpoint,
    EventType,
    Example,
    Trigger,
    invoke_permission,
)
from bootstrap.definition.parsing import Model, Reference
from bootstrap.settings import Settings
from bootstrap.template import Resource

if TYPE_CHECKING:
    from bootstrap.definition.model import Service

API_ID = "HttpApi"
_LOG_GROUP_ID = "HttpApiLogGroup"
_AUTHORIZER = "AWS::ApiGatewayV2::Authorizer"
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "ANY", "*")


class HttpApiCors(Model):
    """``provider.httpApi.cors``; ``maxAge`` is in seconds."""

    allowedOrigins: list[str] = []
    allowedHeaders: list[str] = []
    allowedMethods: list[str] = []
    allowCredentials: bool | None = None
    exposedResponseHeaders: list[str] = []
    maxAge: int | None = None


class HttpApiAuthorizer(Model):
    """``provider.httpApi.authorizers.<key>``; of type ``jwt`` unless it says ``request``."""

    type: Literal["jwt", "request"] | None = None
    name: str | None = None
    identitySource: str | list[str] | None = None
    issuerUrl: Reference | None = None
    audience: Reference | list[Reference] = []
    functionName: str | None = None
    functionArn: Reference | None = None
    resultTtlInSeconds: int | None = Field(None, ge=0, le=3600)
    enableSimpleResponses: bool | None = None
    payloadVersion: Literal["1.0", "2.0"] = "2.0"


class HttpApiSettings(Model):
    """``provider.httpApi``: what holds for the service's one HTTP API."""

    name: str | None = None
    payload: Literal["1.0", "2.0"] = "2.0"
    cors: bool | HttpApiCors = False
    authorizers: dict[str, HttpApiAuthorizer] = {}
    metrics: bool | None = None
    useProviderTags: bool | None = None


class HttpApiFunctionSettings(Model):
    """``httpApi`` of a function: what it gets, whatever route it is for."""

    payload: Literal["1.0", "2.0"] | None = None


class HttpApiRouteAuthorizer(Model):
    """``httpApi.authorizer``: one of the provider's, by its key."""

    name: str | None = None
    scopes: str | list[str] = []
    type: Literal["aws_iam"] | None = None


class HttpApiEvent(Model):
    """``httpApi`` under ``events``: a route by path and method."""

    path: str
    method: str = "*"
    authorizer: str | HttpApiRouteAuthorizer | None = None


class HttpApi(EventType[HttpApiEvent]):
    """API Gateway invokes the function for a request and waits for its answer."""

    key = "httpApi"
    model = HttpApiEvent
    provider_settings: ClassVar = {"httpApi": (HttpApiSettings, HttpApiSettings.model_construct())}
    function_settings: ClassVar = HttpApiFunctionSettings
    failures = ()  # whoever sent the request gets the error

    def long_form(self, body: Any) -> Any:
        """``httpApi: GET /brand/{brandId}``, or ``'*'`` for every other request."""
        if not isinstance(body, str):
            return body
        method, _, path = body.strip().partition(" ")
        return {"path": "*"} if body.strip() == "*" else {"method": method, "path": path.strip()}

    @override
    def check(self, trigger: Trigger[HttpApiEvent], service: Service, document: Document) -> None:
        event = trigger.event
        if event.method.upper() not in _METHODS or not re.fullmatch(r"\*|/\S*", event.path):
            document.fail(
                f"functions.{trigger.key}: “{event.method} {event.path}” is not a route. Write "
                "for example GET /brand/{brandId}.",
                *trigger.path,
            )
        known = service.provider.setting("httpApi").authorizers
        authorizer = _authorizer_of(event)
        if authorizer is not None and authorizer.type == "aws_iam":
            if authorizer.name or authorizer.scopes:
                document.fail(
                    f"functions.{trigger.key}: an authorizer of type aws_iam has no name and no"
                    " scopes.",
                    *(*trigger.path, "authorizer"),
                )
        elif authorizer is not None and authorizer.name not in known:
            names = ", ".join(known) or "none"
            document.fail(
                f"functions.{trigger.key}: there is no authorizer “{authorizer.name}”."
                f" Authorizers of provider.httpApi: {names}.",
                *(*trigger.path, "authorizer"),
            )

    def permissions(
        self, triggers: Sequence[Trigger[HttpApiEvent]], service: Service
    ) -> Iterator[Resource]:
        """One for each function."""
        for trigger in _first_of_each_function(triggers):
            yield invoke_permission(
                f"{naming.normalized(trigger.key)}LambdaPermissionHttpApi",
                trigger,
                "apigateway.amazonaws.com",
                {
                    "Fn::Sub": "arn:${AWS::Partition}:execute-api:${AWS::Region}:"
                    f"${{AWS::AccountId}}:${{{API_ID}}}/*"
                },
            )

    def role_statements(
        self, triggers: Sequence[Trigger[HttpApiEvent]]
    ) -> Iterator[dict[str, Any]]:
        """None: API Gateway calls the function."""
        yield from ()

    def resources(
        self, triggers: Sequence[Trigger[HttpApiEvent]], service: Service, document: Document
    ) -> Iterator[Resource]:
        """The API and its default stage, an integration for each function, and the routes."""
        if not triggers:
            return
        settings: HttpApiSettings = service.provider.setting("httpApi")
        for name in sorted(settings.model_fields_set & {"metrics", "useProviderTags"}):
            document.note("only matters for a deploy to AWS", "provider", self.key, name)
        yield from _api(settings, service, triggers)
        for name, authorizer in settings.authorizers.items():
            yield from _authorizer(name, authorizer, service, document)
        for trigger in _first_of_each_function(triggers):
            yield _integration(trigger, service)
        for trigger in triggers:
            yield _route(trigger, settings)

    @override
    def example(
        self, trigger: Trigger[HttpApiEvent], service: Service, settings: Settings
    ) -> Example:
        method, path = trigger.event.method.upper(), trigger.event.path
        text = path if path == "*" else f"{trigger.event.method} {path}"
        url = settings.http_api_url + ("/" if path == "*" else service.samples.filled(path))
        token = _token_for(trigger.event, service)
        if method in ("*", "ANY", "GET"):
            return Example(f"HTTP API {text}", f"curl -i {token}{url}")
        if method in ("DELETE", "HEAD", "OPTIONS"):
            return Example(f"HTTP API {text}", f"curl -i -X {method} {token}{url}")
        body = shlex.quote(service.samples.request_body(path))
        data = f"-H 'Content-Type: application/json' -d {body}"
        return Example(f"HTTP API {text}", f"curl -X {method} {token}{url} {data}")

    @override
    def endpoints(self, settings: Settings) -> list[Endpoint]:
        return [Endpoint("HTTP API", settings.http_api_url)]


def _first_of_each_function(
    triggers: Sequence[Trigger[HttpApiEvent]],
) -> list[Trigger[HttpApiEvent]]:
    return list({trigger.key: trigger for trigger in reversed(triggers)}.values())[::-1]


def _api(
    settings: HttpApiSettings, service: Service, triggers: Sequence[Trigger[HttpApiEvent]]
) -> Iterator[Resource]:
    path = ("provider", "httpApi")
    properties: dict[str, Any] = {
        "Name": settings.name or f"{service.provider.stage}-{service.service}",
        "ProtocolType": "HTTP",
    }
    if service.provider.tags:
        properties["Tags"] = service.provider.tags
    if settings.cors:
        properties["CorsConfiguration"] = _cors(settings.cors, triggers)
    yield Resource(API_ID, "AWS::ApiGatewayV2::Api", properties, path)
    stage: dict[str, Any] = {"ApiId": {"Ref": API_ID}, "StageName": "$default", "AutoDeploy": True}
    line = service.provider.logs.http_api_format
    if line is not None:
        group = service.provider.log_group(
            f"/aws/http-api/{service.service}-{service.provider.stage}"
        )
        yield Resource(_LOG_GROUP_ID, "AWS::Logs::LogGroup", group, ("provider", "logs", "httpApi"))
        stage["AccessLogSettings"] = {
            "DestinationArn": {"Fn::GetAtt": [_LOG_GROUP_ID, "Arn"]},
            "Format": line,
        }
    yield Resource("HttpApiStage", "AWS::ApiGatewayV2::Stage", stage, path)


#: What a preflight is allowed where ``cors`` does not say it.
_CORS_HEADERS = (
    *("Content-Type", "X-Amz-Date", "Authorization", "X-Api-Key", "X-Amz-Security-Token"),
    *("X-Amz-User-Agent", "X-Amzn-Trace-Id"),
)
_CORS_METHODS = ("OPTIONS", "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD")


def _cors(cors: bool | HttpApiCors, triggers: Sequence[Trigger[HttpApiEvent]]) -> dict[str, Any]:
    """The CORS configuration: without methods of its own those that the routes have."""
    methods = {trigger.event.method.upper() for trigger in triggers} | {"OPTIONS"}
    if methods & {"*", "ANY"}:
        methods = {*_CORS_METHODS}
    defaults = {
        "AllowOrigins": ["*"],
        "AllowHeaders": [*_CORS_HEADERS],
        "AllowMethods": [method for method in _CORS_METHODS if method in methods],
    }
    if isinstance(cors, bool):
        return defaults
    given = {
        "AllowOrigins": cors.allowedOrigins,
        "AllowHeaders": cors.allowedHeaders,
        "AllowMethods": cors.allowedMethods,
        "AllowCredentials": cors.allowCredentials,
        "ExposeHeaders": cors.exposedResponseHeaders,
        "MaxAge": cors.maxAge,
    }
    return defaults | {key: value for key, value in given.items() if value not in (None, [])}


def _integration_id(trigger: Trigger[HttpApiEvent]) -> str:
    return f"HttpApiIntegration{naming.normalized(trigger.key)}"


def _integration(trigger: Trigger[HttpApiEvent], service: Service) -> Resource:
    own = service.functions[trigger.key].setting(HttpApi.key)
    payload = (own and own.payload) or service.provider.setting(HttpApi.key).payload
    properties = {
        "ApiId": {"Ref": API_ID},
        "IntegrationType": "AWS_PROXY",
        "IntegrationUri": trigger.function_arn,
        "PayloadFormatVersion": payload,
        "TimeoutInMillis": 30000,
    }
    kind = "AWS::ApiGatewayV2::Integration"
    return Resource(_integration_id(trigger), kind, properties, trigger.path)


def _token_for(event: HttpApiEvent, service: Service) -> str:
    """The option of curl that lets a request through the route's authorizer.

    Without a sample of the project, the headers that its owner has to fill in.
    """
    chosen = _authorizer_of(event)
    if chosen is None:
        return ""
    if sample := service.samples.authorization(chosen.name or ""):
        return f'-H "Authorization: {sample}" '
    known = service.provider.setting("httpApi").authorizers.get(chosen.name)
    sources = [str(one) for one in _as_list(known.identitySource)] if known else []
    headers = [one.partition("header.")[2] for one in sources if "header." in one]
    return "".join(f"-H '{name}: …' " for name in headers or ["Authorization"])


def _authorizer_of(event: HttpApiEvent) -> HttpApiRouteAuthorizer | None:
    if isinstance(event.authorizer, str):
        return HttpApiRouteAuthorizer(name=event.authorizer)
    return event.authorizer


def _as_list(value: Reference | Sequence[Reference] | None) -> list[Any]:
    return [value] if isinstance(value, str | dict) else list(value or [])


def _authorizer_id(key: str, authorizer: HttpApiAuthorizer) -> str:
    return f"HttpApiAuthorizer{naming.normalized(authorizer.name or key)}"


def _authorizer(
    key: str, authorizer: HttpApiAuthorizer, service: Service, document: Document
) -> Iterator[Resource]:
    path = ("provider", "httpApi", "authorizers", key)
    name = authorizer.name or key
    properties: dict[str, Any] = {
        "ApiId": {"Ref": API_ID},
        "Name": name,
        "IdentitySource": _as_list(authorizer.identitySource),
    }
    if authorizer.type != "request":
        if not authorizer.issuerUrl or not authorizer.audience or not authorizer.identitySource:
            document.fail(
                f"the authorizer {key} needs identitySource, issuerUrl and audience; or"
                " type: request.",
                *path,
            )
        properties["AuthorizerType"] = "JWT"
        properties["JwtConfiguration"] = {
            "Audience": _as_list(authorizer.audience),
            "Issuer": authorizer.issuerUrl,
        }
        yield Resource(_authorizer_id(key, authorizer), _AUTHORIZER, properties, path)
        return
    if bool(authorizer.functionName) == (authorizer.functionArn is not None):
        document.fail(f"the authorizer {key} needs either functionName or functionArn.", *path)
    if authorizer.functionName and authorizer.functionName not in service.functions:
        document.fail(f"the authorizer {key}: no function {authorizer.functionName}.", *path)
    if authorizer.resultTtlInSeconds and not authorizer.identitySource:
        document.fail(f"the authorizer {key}: resultTtlInSeconds needs identitySource.", *path)
    function: Any = authorizer.functionArn
    if authorizer.functionName:
        function = {"Fn::GetAtt": [naming.function_id(authorizer.functionName), "Arn"]}
    uri = ["arn:", {"Ref": "AWS::Partition"}, ":apigateway:", {"Ref": "AWS::Region"}]
    uri += [":lambda:path/2015-03-31/functions/", function, "/invocations"]
    more = {
        "EnableSimpleResponses": authorizer.enableSimpleResponses,
        "AuthorizerResultTtlInSeconds": authorizer.resultTtlInSeconds,
    }
    properties |= {key: value for key, value in more.items() if value is not None}
    properties["AuthorizerType"] = "REQUEST"
    properties["AuthorizerPayloadFormatVersion"] = authorizer.payloadVersion
    properties["AuthorizerUri"] = {"Fn::Join": ["", uri]}
    arn = ["arn:", {"Ref": "AWS::Partition"}, ":execute-api:", {"Ref": "AWS::Region"}, ":"]
    arn += [{"Ref": "AWS::AccountId"}, ":", {"Ref": API_ID}, "/*"]
    permission = {
        "FunctionName": function,
        "Action": "lambda:InvokeFunction",
        "Principal": "apigateway.amazonaws.com",
        "SourceArn": {"Fn::Join": ["", arn]},
    }
    identity = f"{naming.normalized(name)}LambdaAuthorizerPermissionHttpApi"
    yield Resource(identity, "AWS::Lambda::Permission", permission, path)
    yield Resource(_authorizer_id(key, authorizer), _AUTHORIZER, properties, path)


def _route(trigger: Trigger[HttpApiEvent], settings: HttpApiSettings) -> Resource:
    path, integration = trigger.event.path, _integration_id(trigger)
    method = trigger.event.method.upper().replace("ANY", "*")
    logical_id, route_key = "HttpApiRouteDefault", "$default"
    if path != "*":
        logical_id = naming.http_route_id(method, path)
        route_key = f"{method.replace('*', 'ANY')} {path}"
    properties: dict[str, Any] = {
        "ApiId": {"Ref": API_ID},
        "RouteKey": route_key,
        "Target": {"Fn::Join": ["/", ["integrations", {"Ref": integration}]]},
    }
    chosen = _authorizer_of(trigger.event)
    if chosen is not None and chosen.type == "aws_iam":
        properties["AuthorizationType"] = "AWS_IAM"
    elif chosen is not None and chosen.name is not None:
        authorizer = settings.authorizers[chosen.name]
        kind = "CUSTOM" if authorizer.type == "request" else "JWT"
        properties["AuthorizationType"] = kind
        properties["AuthorizerId"] = {"Ref": _authorizer_id(chosen.name, authorizer)}
        if chosen.scopes:
            properties["AuthorizationScopes"] = _as_list(chosen.scopes)
    return Resource(
        logical_id, "AWS::ApiGatewayV2::Route", properties, trigger.path, (integration,)
    )
