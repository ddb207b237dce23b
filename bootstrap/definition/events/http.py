"""``http``: a method of the service's REST API (Serverless guide, "REST API (API Gateway v1)")."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, override

from pydantic import Field

from bootstrap.definition import naming
from bootstrap.definition.document import Document
from bootstrap.definition.events import http_resources as made
from bootstrap.definition.events.base import EventType, Example, Trigger, body_for
from bootstrap.definition.parsing import Model, Reference
from bootstrap.settings import Settings
from bootstrap.template import Resource

if TYPE_CHECKING:
    from bootstrap.definition.model import Service

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "ANY")
_DEFAULT_TTL_S = 300


class ApiKey(Model):
    """``provider.apiGateway.apiKeys[]``."""

    name: str | None = None
    value: str | None = Field(default=None, min_length=20, max_length=128)
    description: str | None = None
    customerId: str | None = None
    enabled: bool = True


class Quota(Model):
    """``provider.apiGateway.usagePlan.quota``."""

    limit: int = Field(ge=0)
    offset: int | None = Field(default=None, ge=0)
    period: Literal["DAY", "WEEK", "MONTH"]


class Throttle(Model):
    """``provider.apiGateway.usagePlan.throttle``; the rate is in requests per second."""

    burstLimit: int = Field(ge=0)
    rateLimit: float = Field(ge=0)


class UsagePlan(Model):
    """``provider.apiGateway.usagePlan``."""

    quota: Quota | None = None
    throttle: Throttle | None = None

    def properties(self) -> dict[str, Any]:
        """Those of ``AWS::ApiGateway::UsagePlan``."""
        result: dict[str, Any] = {}
        for name, part in (("Quota", self.quota), ("Throttle", self.throttle)):
            if part is not None:
                given = part.model_dump(exclude_none=True)
                result[name] = {key[:1].upper() + key[1:]: value for key, value in given.items()}
        return result


class RestApiSettings(Model):
    """``provider.apiGateway``: what holds for the service's one REST API."""

    apiKeys: list[str | ApiKey] = []
    apiKeySourceType: Literal["HEADER", "AUTHORIZER"] | None = None
    binaryMediaTypes: list[str] = []
    description: str | None = None
    disableDefaultEndpoint: bool | None = None
    minimumCompressionSize: int | None = Field(default=None, ge=0, le=10_485_760)
    resourcePolicy: list[dict[str, Any]] = []
    shouldStartNameWithService: bool = False
    usagePlan: UsagePlan | None = None

    def keys(self) -> list[ApiKey]:
        """The API keys in the long form."""
        return [ApiKey(name=key) if isinstance(key, str) else key for key in self.apiKeys]


class HttpCors(Model):
    """``http.cors``; ``maxAge`` is in seconds."""

    origin: str | None = None
    origins: str | list[str] = []
    headers: str | list[str] | None = None
    methods: list[str] | None = None
    allowCredentials: bool = False
    cacheControl: str | None = None
    maxAge: int | None = Field(default=None, ge=1)

    def several(self) -> list[str]:
        """The origins of which the browser's is chosen; ``origin`` alone is not among them."""
        given = self.origins.split(",") if isinstance(self.origins, str) else self.origins
        return [one.strip() for one in given if one.strip()]

    def all_origins(self) -> list[str]:
        """Every origin; ``*`` when none is given."""
        return self.several() or [self.origin or "*"]

    def header_names(self, default: list[str]) -> list[str]:
        """The headers that a page may send."""
        if isinstance(self.headers, str):
            return [one.strip() for one in self.headers.split(",")]
        return default if self.headers is None else self.headers


class HttpAuthorizer(Model):
    """``http.authorizer`` in the long form."""

    name: str | None = None
    arn: Reference | None = None
    type: str | None = None
    authorizerId: Reference | None = None
    resultTtlInSeconds: int | None = Field(default=None, ge=0, le=3600)
    identitySource: str | None = None
    identityValidationExpression: str | None = None
    scopes: list[str] = []

    @property
    def authorization_type(self) -> str:
        """API Gateway's ``authorizationType``."""
        kind = (self.type or "").upper()
        if kind == "AWS_IAM":
            return kind
        is_pool = isinstance(self.arn, str) and ":userpool/" in self.arn
        return "COGNITO_USER_POOLS" if is_pool or kind == "COGNITO_USER_POOLS" else "CUSTOM"

    @property
    def function_arn(self) -> Any:
        """ARN of the function that decides."""
        return self.arn or {"Fn::GetAtt": [naming.function_id(self.name or ""), "Arn"]}


class HttpParameters(Model):
    """``http.request.parameters``: what a request must have, and what it may have."""

    paths: dict[str, Any] = {}
    querystrings: dict[str, Any] = {}
    headers: dict[str, Any] = {}

    def required(self) -> dict[str, bool]:
        """API Gateway's ``requestParameters``: whether each one must be there."""
        result = {}
        for kind, given in (
            ("querystring", self.querystrings),
            ("header", self.headers),
            ("path", self.paths),
        ):
            for name, value in given.items():
                needed = value.get("required", True) if isinstance(value, dict) else bool(value)
                result[f"method.request.{kind}.{name}"] = needed
        return result


class HttpSchema(Model):
    """``http.request.schemas.<content type>`` with a name."""

    schema_: dict[str, Any] = Field(alias="schema")
    name: str | None = None
    description: str | None = None


class HttpRequest(Model):
    """``http.request``: parameters and models."""

    parameters: HttpParameters = HttpParameters.model_construct()
    schemas: dict[
        str, Annotated[HttpSchema | dict[str, Any], Field(union_mode="left_to_right")]
    ] = {}


class HttpEvent(Model):
    """``http`` under ``events``: a method of a path."""

    path: str
    method: str
    authorizer: str | HttpAuthorizer | None = None
    cors: bool | HttpCors = False
    integration: Literal["lambda-proxy", "lambda_proxy", "aws-proxy", "aws_proxy"] | None = None
    operationId: str | None = None
    private: bool = False
    request: HttpRequest = HttpRequest.model_construct()
    timeoutInMillis: int | None = Field(default=None, ge=50, le=29_000)

    def cors_settings(self) -> HttpCors | None:
        """CORS in the long form; ``None`` without it."""
        return self.cors if isinstance(self.cors, HttpCors) else HttpCors() if self.cors else None


class Http(EventType[HttpEvent]):
    """API Gateway invokes the function for a request and waits for its answer."""

    key = "http"
    model = HttpEvent
    provider_settings: ClassVar = {
        "apiGateway": (RestApiSettings, RestApiSettings.model_construct()),
        "apiName": (str | None, None),
        "endpointType": (str | None, None),
    }
    failures = ()  # whoever sent the request gets the error

    def long_form(self, body: Any) -> Any:
        """``http: GET /brand/{brandId}``."""
        if not isinstance(body, str):
            return body
        method, _, path = body.strip().partition(" ")
        return {"method": method, "path": path.strip()}

    @override
    def check(self, trigger: Trigger[HttpEvent], service: Service, document: Document) -> None:
        event = trigger.event
        if event.method.upper() not in _METHODS or re.search(r"\s", event.path):
            document.fail(
                f"functions.{trigger.key}: “{event.method} {event.path}” is not a method of a"
                " REST API. Write for example GET /brand/{brandId}.",
                *trigger.path,
            )
        cors = event.cors_settings()
        if cors and cors.allowCredentials and "*" in cors.all_origins():
            document.fail(
                f"functions.{trigger.key}: allowCredentials needs an origin: browsers refuse it"
                " together with *.",
                *trigger.path,
                "cors",
            )
        authorizer = _authorizer_of(event)
        if authorizer is None or authorizer.authorizerId is not None:
            return
        kind, path = authorizer.authorization_type, (*trigger.path, "authorizer")
        if kind == "CUSTOM" and authorizer.arn is None and authorizer.name not in service.functions:
            names = ", ".join(service.functions)
            document.fail(
                f"functions.{trigger.key}: the authorizer “{authorizer.name}” is no function of"
                f" this file: {names}. Name one, or give its arn.",
                *path,
            )
        if kind == "COGNITO_USER_POOLS" and (authorizer.arn is None or authorizer.name is None):
            text = "an authorizer of a user pool needs name and arn"
            document.fail(f"functions.{trigger.key}: {text}.", *path)

    @override
    def permissions(
        self, triggers: Sequence[Trigger[HttpEvent]], service: Service
    ) -> Iterator[Resource]:
        for trigger in {one.key: one for one in reversed(triggers)}.values():
            identity = f"{naming.normalized(trigger.key)}LambdaPermissionApiGateway"
            yield made.permission(identity, trigger.function_arn, trigger)

    def role_statements(self, triggers: Sequence[Trigger[HttpEvent]]) -> Iterator[dict[str, Any]]:
        """None: API Gateway calls the function."""
        yield from ()

    @override
    def resources(
        self, triggers: Sequence[Trigger[HttpEvent]], service: Service, document: Document
    ) -> Iterator[Resource]:
        if not triggers:
            return
        settings: RestApiSettings = service.provider.setting("apiGateway")
        yield made.rest_api(service, settings)
        yield from made.resources(triggers)
        seen: set[str] = set()
        invoking = {trigger.key for trigger in triggers}
        for trigger in triggers:
            authorizer = _authorizer_of(trigger.event)
            if authorizer is None or authorizer.authorizerId is not None:
                continue
            if authorizer.authorization_type == "AWS_IAM":
                continue
            for resource in made.authorizer_resources(authorizer, trigger):
                is_known = resource.logical_id in seen or (
                    resource.type == "AWS::Lambda::Permission" and authorizer.name in invoking
                )
                seen.add(resource.logical_id)
                if not is_known:
                    yield resource
        with_models = [trigger for trigger in triggers if trigger.event.request.schemas]
        if with_models:
            yield made.validator(service, with_models[0])
        methods = []
        for trigger in triggers:
            for resource in made.method(trigger, service, _authorizer_of(trigger.event)):
                methods.append(resource.logical_id)
                yield resource
        for resource in made.preflights(triggers):
            methods.append(resource.logical_id)
            yield resource
        own = [
            name
            for name, body in service.resources.Resources.items()
            if str(body.get("Type")).startswith("AWS::ApiGateway::")
        ]
        yield from made.deployment(service, [*methods, *own])
        yield from made.usage_plan(service, settings)

    @override
    def example(self, trigger: Trigger[HttpEvent], service: Service, settings: Settings) -> Example:
        event = trigger.event
        method, path = event.method.upper(), f"/{made.path_of(event)}"
        name = made.rest_api(service, service.provider.setting("apiGateway")).properties["Name"]
        example = re.sub(r"\{([^}+]+)\+?\}", r"\1", path.replace("{brandId}", "acme"))
        stage = service.provider.stage
        url = f"{settings.http_api_url}/_rest-api/{name}/{stage}{example}"
        options = "-i" if method in ("ANY", "GET") else f"-i -X {method}"
        if event.private:
            options += " -H 'x-api-key: …'"
        authorizer = _authorizer_of(event)
        if authorizer is not None and authorizer.authorization_type == "AWS_IAM":
            options += (
                f" --aws-sigv4 aws:amz:{service.provider.region}:execute-api --user test:test"
            )
        elif authorizer is not None:
            options += " -H 'Authorization: …'"
        data = f" -d '{body_for(path)}'" if method in ("POST", "PUT", "PATCH") else ""
        return Example(f"REST API {method} {path}", f"curl {options} {url}{data}")


def _authorizer_of(event: HttpEvent) -> HttpAuthorizer | None:
    """The authorizer in the long form."""
    given = event.authorizer
    if isinstance(given, str):
        if given.upper() == "AWS_IAM":
            return HttpAuthorizer(type="AWS_IAM")
        if given.startswith("arn:"):
            name = given.rpartition(":")[2].rpartition("/")[2]
            return HttpAuthorizer(name=name, arn=given)
        return HttpAuthorizer(name=given)
    if given is None:
        return None
    changes: dict[str, Any] = {}
    if given.name is None and isinstance(given.arn, str):
        changes["name"] = given.arn.rpartition(":")[2].rpartition("/")[2]
    if given.resultTtlInSeconds is None:
        changes["resultTtlInSeconds"] = _DEFAULT_TTL_S
    return given.model_copy(update=changes)
