"""``http``: a method of the service's REST API (Serverless guide, "REST API (API Gateway v1)")."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, override

from pydantic import BeforeValidator, Field

from bootstrap.definition import naming
from bootstrap.definition.document import Document
from bootstrap.definition.events import http_resources as made
from bootstrap.definition.events.base import EventType, Example, Trigger
from bootstrap.definition.http_integration import (
    ContentHandling,
    HttpResponse,
    PassThrough,
)
from bootstrap.definition.parsing import Model, Reference
from bootstrap.settings import Settings
from bootstrap.template import Resource

if TYPE_CHECKING:
    from bootstrap.definition.model import Service

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "ANY")
_DEFAULT_TTL_S = 300
_INTEGRATIONS = {"LAMBDA": "AWS", "LAMBDA_PROXY": "AWS_PROXY"}


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


def _integration(value: Any) -> Any:
    """``lambda-proxy`` → ``AWS_PROXY``, as the framework reads it."""
    if not isinstance(value, str):
        return value
    name = value.upper().replace("-", "_")
    return _INTEGRATIONS.get(name, name)


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


class SharedResource(Model):
    """``provider.apiGateway.restApiResources[]``."""

    path: str
    resourceId: Reference


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


class HttpSchema(Model):
    """``http.request.schemas.<content type>`` with a name."""

    schema_: dict[str, Any] = Field(alias="schema")
    name: str | None = None
    description: str | None = None


class SharedRequest(Model):
    """``provider.apiGateway.request``: schemas that methods name."""

    schemas: dict[str, HttpSchema] = {}


class RestApiSettings(Model):
    """``provider.apiGateway``: what holds for the service's one REST API.

    Keys and usage plans may stand in groups: each group of keys has the plan of the same name.
    """

    apiKeys: list[str | ApiKey | dict[str, list[str | ApiKey]]] = []
    apiKeySourceType: Annotated[Literal["HEADER", "AUTHORIZER"] | None, BeforeValidator(_upper)] = (
        None
    )
    binaryMediaTypes: list[str] = []
    description: str | None = None
    disableDefaultEndpoint: bool | None = None
    minimumCompressionSize: int | None = Field(default=None, ge=0, le=10_485_760)
    request: SharedRequest = SharedRequest()
    resourcePolicy: list[dict[str, Any]] = []
    restApiId: Reference | None = None
    restApiResources: dict[str, Reference] | list[SharedResource] = {}
    restApiRootResourceId: Reference | None = None
    shouldStartNameWithService: bool = False
    timeoutInMillis: int | None = Field(default=None, ge=50, le=29_000)
    usagePlan: UsagePlan | list[dict[str, UsagePlan]] | None = None

    def plans(self) -> dict[str, UsagePlan]:
        """The usage plans by their names; the one without a name is under an empty one."""
        if isinstance(self.usagePlan, list):
            return {name: plan for group in self.usagePlan for name, plan in group.items()}
        if self.usagePlan is None and not self.apiKeys:
            return {}
        return {"": self.usagePlan or UsagePlan()}

    def keys(self) -> dict[str, list[ApiKey]]:
        """The API keys in the long form, by the name of their plan."""
        result: dict[str, list[ApiKey]] = {}
        for given in self.apiKeys:
            groups = given if isinstance(given, dict) else {"": [given]}
            for name, keys in groups.items():
                long = [ApiKey(name=key) if isinstance(key, str) else key for key in keys]
                result.setdefault(name, []).extend(long)
        return result

    def known_resources(self) -> dict[str, Reference]:
        """The resources that a shared API has, by their paths without slashes at the ends."""
        given = self.restApiResources
        pairs = (
            given.items() if isinstance(given, dict) else ((r.path, r.resourceId) for r in given)
        )
        return {path.strip("/"): identity for path, identity in pairs}


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
    scopes: list[Reference] = []
    claims: list[str] = []
    managedExternally: bool = False

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

    def mapped(self) -> dict[str, Any]:
        """What the integration gets: each parameter, or the value that it is mapped to."""
        result: dict[str, Any] = {}
        for kind, given in (
            ("querystring", self.querystrings),
            ("header", self.headers),
            ("path", self.paths),
        ):
            for name, value in given.items():
                own = value.get("mappedValue") if isinstance(value, dict) else None
                result[f"integration.request.{kind}.{name}"] = (
                    own or f"method.request.{kind}.{name}"
                )
        return result


class HttpRequest(Model):
    """``http.request``: parameters, models, and the templates of ``integration: lambda``."""

    parameters: HttpParameters = HttpParameters.model_construct()
    schemas: dict[
        str, Annotated[HttpSchema | dict[str, Any] | str, Field(union_mode="left_to_right")]
    ] = {}
    contentHandling: ContentHandling | None = None
    passThrough: PassThrough | None = None
    template: dict[str, str | None] | None = None
    # The framework reads these below parameters only.
    headers: Any = None
    paths: Any = None
    querystrings: Any = None


class HttpEvent(Model):
    """``http`` under ``events``: a method of a path."""

    path: str
    method: str
    authorizer: str | HttpAuthorizer | None = None
    cors: bool | HttpCors = False
    async_: bool = Field(default=False, alias="async")
    integration: Annotated[str | None, BeforeValidator(_integration)] = None
    operationId: str | None = None
    private: bool = False
    request: HttpRequest = HttpRequest.model_construct()
    response: HttpResponse | None = None
    timeoutInMillis: int | None = Field(default=None, ge=50, le=29_000)

    @property
    def kind(self) -> str:
        """API Gateway's type of the integration: ``AWS_PROXY``, or ``AWS`` with templates."""
        return self.integration or ("AWS" if self.async_ else "AWS_PROXY")

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
        _check_integration(trigger, document)
        _check_schemas(trigger, service, document)
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
            yield made.permission(identity, trigger.function_arn, trigger, service)

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
        _check_settings(settings, service, document)
        if settings.restApiId is None:
            yield made.rest_api(service, settings)
        yield from made.resources(triggers, service)
        authorizers: dict[str, Resource] = {}
        invoking = {trigger.key for trigger in triggers}
        for trigger in triggers:
            authorizer = _authorizer_of(trigger.event)
            if authorizer is None or authorizer.authorizerId is not None:
                continue
            if authorizer.authorization_type == "AWS_IAM":
                continue
            for resource in made.authorizer_resources(authorizer, trigger, service):
                is_known = (
                    resource.type == "AWS::Lambda::Permission" and authorizer.name in invoking
                )
                if not is_known:  # of several with one name, the last one counts
                    authorizers[resource.logical_id] = resource
        yield from authorizers.values()
        checked = [trigger for trigger in triggers if made.needs_validator(trigger.event)]
        if checked:
            yield made.validator(service, checked[0])
        yield from made.shared_models(triggers, service)
        methods = []
        for trigger in triggers:
            for resource in made.method(trigger, service, _authorizer_of(trigger.event)):
                methods.append(resource.logical_id)
                yield resource
        for resource in made.preflights(triggers, service):
            methods.append(resource.logical_id)
            yield resource
        own = [
            name
            for name, body in service.resources.Resources.items()
            if str(body.get("Type")).startswith("AWS::ApiGateway::")
        ]
        yield from made.deployment(service, [*methods, *own])
        yield from made.usage_plans(service, settings)

    @override
    def example(self, trigger: Trigger[HttpEvent], service: Service, settings: Settings) -> Example:
        event = trigger.event
        method, path = event.method.upper(), f"/{made.path_of(event)}"
        name = made.rest_api(service, service.provider.setting("apiGateway")).properties["Name"]
        example = service.samples.filled(path)
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
        body = shlex.quote(service.samples.request_body(path))
        data = f" -d {body}" if method in ("POST", "PUT", "PATCH") else ""
        return Example(f"REST API {method} {path}", f"curl {options} {url}{data}")


def _check_integration(trigger: Trigger[HttpEvent], document: Document) -> None:
    event = trigger.event
    if event.kind not in ("AWS", "AWS_PROXY"):
        document.fail(
            f"functions.{trigger.key}: the integration {event.kind} invokes no function, and is"
            " not made here. Write lambda-proxy or lambda; or an AWS::ApiGateway::Method under"
            " resources, which may have any integration.",
            *(*trigger.path, "integration"),
        )
    for name in ("headers", "paths", "querystrings"):
        if getattr(event.request, name) is not None:
            said = f"has no effect, as on AWS: write it as request.parameters.{name}"
            document.note(said, *trigger.path, "request", name)
    if event.kind == "AWS":
        return
    said = "has no effect with lambda-proxy, as on AWS: the function gets the request as it is"
    for name in ("contentHandling", "passThrough", "template"):
        if getattr(event.request, name) is not None:
            document.note(said, *trigger.path, "request", name)
    if event.response is not None:
        said = "has no effect with lambda-proxy, as on AWS: the function's result is the response"
        document.note(said, *trigger.path, "response")


def _check_schemas(trigger: Trigger[HttpEvent], service: Service, document: Document) -> None:
    known = service.provider.setting("apiGateway").request.schemas
    for content_type, schema in trigger.event.request.schemas.items():
        if isinstance(schema, str) and schema not in known:
            document.fail(
                f"functions.{trigger.key}: there is no schema “{schema}”."
                f" Schemas of provider.apiGateway.request: {', '.join(known) or 'none'}.",
                *(*trigger.path, "request", "schemas", content_type),
            )


def _check_settings(settings: RestApiSettings, service: Service, document: Document) -> None:
    path = ("provider", "apiGateway")
    if settings.restApiId is not None and settings.restApiRootResourceId is None:
        document.fail(
            "provider.apiGateway.restApiId needs restApiRootResourceId: the id of the resource /.",
            *(*path, "restApiId"),
        )
    if settings.restApiId is None and settings.restApiRootResourceId is not None:
        document.fail(
            "provider.apiGateway.restApiRootResourceId needs restApiId: the API that it is of.",
            *(*path, "restApiRootResourceId"),
        )
    if settings.restApiId is not None and service.provider.logs.restApi:
        document.fail(
            "provider.logs.restApi is for an API of the service's own. Set the log where the API"
            " of restApiId is made.",
            *("provider", "logs", "restApi"),
        )
    plans, keys = settings.plans(), settings.keys()
    for name in keys:
        if name not in plans:
            missing = f"of the name {name}" if name else "without a name"
            known = ", ".join(plan or "one without a name" for plan in plans) or "none"
            document.fail(
                f"provider.apiGateway.apiKeys: there is no usage plan {missing}."
                f" There is: {known}.",
                *(*path, "apiKeys"),
            )


def _authorizer_of(event: HttpEvent) -> HttpAuthorizer | None:
    """The authorizer in the long form."""
    given = event.authorizer
    if isinstance(given, str):
        if given.upper() == "AWS_IAM":
            return HttpAuthorizer(type="AWS_IAM")
        if given.startswith("arn:"):
            name = _name_in(given)
            return HttpAuthorizer(name=name, arn=given)
        return HttpAuthorizer(name=given)
    if given is None:
        return None
    changes: dict[str, Any] = {}
    if given.name is None and isinstance(given.arn, str):
        changes["name"] = _name_in(given.arn)
    if given.resultTtlInSeconds is None:
        changes["resultTtlInSeconds"] = _DEFAULT_TTL_S
    return given.model_copy(update=changes)


def _name_in(arn: str) -> str:
    """The name that the framework gives an authorizer of an ARN: what follows the last hyphen."""
    return arn.rpartition(":")[2].rpartition("-")[2]
