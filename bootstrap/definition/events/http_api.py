"""``httpApi``: a route of the service's HTTP API (Serverless guide, "HTTP API")."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, override

from bootstrap.definition import naming
from bootstrap.definition.document import Document
from bootstrap.definition.events.base import (
    ANY_BODY,
    Endpoint,
    EventType,
    Example,
    Trigger,
    invoke_permission,
)
from bootstrap.definition.parsing import Model
from bootstrap.settings import Settings
from bootstrap.template import Resource

if TYPE_CHECKING:
    from bootstrap.definition.model import Service

API_ID = "HttpApi"
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "ANY", "*")
_BRAND = '{"name": "Acme", "contactEmail": "brand@acme.example", "colors": {"primary": "#0b5fff"}}'


class HttpApiCors(Model):
    """``provider.httpApi.cors``; ``maxAge`` is in seconds."""

    allowedOrigins: list[str] = []
    allowedHeaders: list[str] = []
    allowedMethods: list[str] = []
    allowCredentials: bool | None = None
    exposedResponseHeaders: list[str] = []
    maxAge: int | None = None


class HttpApiSettings(Model):
    """``provider.httpApi``: what holds for the service's one HTTP API."""

    name: str | None = None
    payload: Literal["1.0", "2.0"] = "2.0"
    cors: bool | HttpApiCors = False


class HttpApiEvent(Model):
    """``httpApi`` under ``events``: a route by path and method."""

    path: str
    method: str = "*"


class HttpApi(EventType[HttpApiEvent]):
    """API Gateway invokes the function for a request and waits for its answer."""

    key = "httpApi"
    model = HttpApiEvent
    provider_settings: ClassVar = {"httpApi": (HttpApiSettings, HttpApiSettings())}
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
        yield from _api(settings, service)
        for trigger in _first_of_each_function(triggers):
            yield _integration(trigger, settings)
        for trigger in triggers:
            yield _route(trigger)

    @override
    def example(
        self, trigger: Trigger[HttpApiEvent], service: Service, settings: Settings
    ) -> Example:
        method, path = trigger.event.method.upper(), trigger.event.path
        text = path if path == "*" else f"{trigger.event.method} {path}"
        example = "/" if path == "*" else path.replace("{brandId}", "acme")
        url = settings.http_api_url + re.sub(r"\{([^}+]+)\+?\}", r"\1", example)
        if method in ("*", "ANY", "GET"):
            return Example(f"HTTP API {text}", f"curl -i {url}")
        if method in ("DELETE", "HEAD", "OPTIONS"):
            return Example(f"HTTP API {text}", f"curl -i -X {method} {url}")
        data = _BRAND if path == "/brand/{brandId}" else ANY_BODY
        return Example(f"HTTP API {text}", f"curl -X {method} {url} -d '{data}'")

    @override
    def endpoint(self, settings: Settings) -> Endpoint:
        return Endpoint("HTTP API", settings.http_api_url)


def _first_of_each_function(
    triggers: Sequence[Trigger[HttpApiEvent]],
) -> list[Trigger[HttpApiEvent]]:
    return list({trigger.key: trigger for trigger in reversed(triggers)}.values())[::-1]


def _api(settings: HttpApiSettings, service: Service) -> Iterator[Resource]:
    path = ("provider", "httpApi")
    properties: dict[str, Any] = {
        "Name": settings.name or f"{service.provider.stage}-{service.service}",
        "ProtocolType": "HTTP",
    }
    if service.provider.tags:
        properties["Tags"] = service.provider.tags
    if settings.cors:
        properties["CorsConfiguration"] = _cors(settings.cors)
    yield Resource(API_ID, "AWS::ApiGatewayV2::Api", properties, path)
    stage = {"ApiId": {"Ref": API_ID}, "StageName": "$default", "AutoDeploy": True}
    yield Resource("HttpApiStage", "AWS::ApiGatewayV2::Stage", stage, path)


def _cors(cors: bool | HttpApiCors) -> dict[str, Any]:
    if isinstance(cors, bool):
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


def _integration_id(trigger: Trigger[HttpApiEvent]) -> str:
    return f"HttpApiIntegration{naming.normalized(trigger.key)}"


def _integration(trigger: Trigger[HttpApiEvent], settings: HttpApiSettings) -> Resource:
    properties = {
        "ApiId": {"Ref": API_ID},
        "IntegrationType": "AWS_PROXY",
        "IntegrationUri": trigger.function_arn,
        "PayloadFormatVersion": settings.payload,
        "TimeoutInMillis": 30000,
    }
    kind = "AWS::ApiGatewayV2::Integration"
    return Resource(_integration_id(trigger), kind, properties, trigger.path)


def _route(trigger: Trigger[HttpApiEvent]) -> Resource:
    path, integration = trigger.event.path, _integration_id(trigger)
    method = trigger.event.method.upper().replace("ANY", "*")
    logical_id, route_key = "HttpApiRouteDefault", "$default"
    if path != "*":
        logical_id = naming.http_route_id(method, path)
        route_key = f"{method.replace('*', 'ANY')} {path}"
    properties = {
        "ApiId": {"Ref": API_ID},
        "RouteKey": route_key,
        "Target": {"Fn::Join": ["/", ["integrations", {"Ref": integration}]]},
    }
    return Resource(
        logical_id, "AWS::ApiGatewayV2::Route", properties, trigger.path, (integration,)
    )
