"""The part of ``serverless.yml`` that this stack understands, and its checks.

Shapes follow the Serverless Framework's "Serverless.yml Reference"; every key that is not listed
here is refused, because a setting that is silently ignored is a trap.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PrivateAttr, create_model

from bootstrap.definition.destinations import Destinations
from bootstrap.definition.document import Document, KeyPath
from bootstrap.definition.events import EVENT_TYPES
from bootstrap.definition.events.base import Trigger
from bootstrap.definition.parsing import Model, Reference, parse
from bootstrap.definition.samples import Samples
from bootstrap.definition.scalars import as_text
from bootstrap.errors import DefinitionError, did_you_mean
from bootstrap.services.api_models import enumeration

#: The Serverless Framework's default formats.
_HTTP_API_FORMAT = json.dumps(
    {
        "requestId": "$context.requestId",
        "ip": "$context.identity.sourceIp",
        "requestTime": "$context.requestTime",
        "httpMethod": "$context.httpMethod",
        "routeKey": "$context.routeKey",
        "status": "$context.status",
        "protocol": "$context.protocol",
        "responseLength": "$context.responseLength",
    },
    separators=(",", ":"),
)
_REST_API_FORMAT = ", ".join(
    f"{name}: $context.{variable}"
    for name, variable in (
        ("requestId", "requestId"),
        ("ip", "identity.sourceIp"),
        ("caller", "identity.caller"),
        ("user", "identity.user"),
        ("requestTime", "requestTime"),
        ("httpMethod", "httpMethod"),
        ("resourcePath", "resourcePath"),
        ("status", "status"),
        ("protocol", "protocol"),
        ("responseLength", "responseLength"),
    )
)


@cache
def known_runtimes() -> tuple[str, ...]:
    """Every runtime identifier that the Lambda API model of the installed SDK lists."""
    return enumeration("lambda", "Runtime")


def _scalar_to_text(value: Any) -> Any:
    return as_text(value) if isinstance(value, bool | int | float) else value


#: ``null`` takes a variable of ``provider.environment`` away from one function.
EnvironmentValue = Annotated[str | dict[str, Any] | None, BeforeValidator(_scalar_to_text)]


class Package(Model):
    """``package``: which files belong to a deployment package, or the package itself."""

    individually: bool = False
    patterns: list[str] = []
    artifact: str | None = None


class Layer(Model):
    """``layers.<key>``: a folder that becomes a layer."""

    path: str
    name: str | None = None
    description: str | None = None
    compatibleRuntimes: list[str] = []
    compatibleArchitectures: list[str] = []
    package: Package = Package.model_construct()


class IamRole(Model):
    """``provider.iam.role``: statements of the role that all functions have."""

    statements: list[dict[str, Any]] = []


class Iam(Model):
    """``provider.iam``."""

    role: IamRole = IamRole.model_construct()


class HttpApiLogs(Model):
    """``provider.logs.httpApi``."""

    format: str | None = None


class RestApiLogs(Model):
    """``provider.logs.restApi``; of execution logs only that there are none can be said."""

    accessLogging: bool = True
    executionLogging: Literal[False] | None = None
    format: str | None = None
    roleManagedExternally: bool | None = None


class Logs(Model):
    """``provider.logs``: the access logs of APIs."""

    httpApi: HttpApiLogs | bool = False
    restApi: RestApiLogs | bool = False

    @property
    def http_api_format(self) -> str | None:
        """The format of the HTTP API's lines; ``None``: there is no log."""
        if isinstance(self.httpApi, HttpApiLogs):
            return self.httpApi.format or _HTTP_API_FORMAT
        return _HTTP_API_FORMAT if self.httpApi else None

    @property
    def rest_api_format(self) -> str | None:
        """The format of the REST API's lines; ``None``: there is no log."""
        if isinstance(self.restApi, RestApiLogs):
            return (self.restApi.format or _REST_API_FORMAT) if self.restApi.accessLogging else None
        return _REST_API_FORMAT if self.restApi else None


class _Provider(Model):
    name: Literal["aws"]
    region: str = "us-east-1"
    stage: str = "dev"
    runtime: str | None = None
    architecture: Literal["x86_64", "arm64"] | None = None
    memorySize: int = Field(1024, ge=128, le=10240)
    timeout: int = Field(6, ge=1, le=900)
    logRetentionInDays: int | None = None
    logs: Logs = Logs.model_construct()
    environment: dict[str, EnvironmentValue] = {}
    tags: dict[str, str] = {}

    def log_group(self, name: str, days: int | None = None) -> dict[str, Any]:
        """Properties of a log group of the service, kept for its own number of days if given."""
        properties: dict[str, Any] = {"LogGroupName": name}
        if kept := days or self.logRetentionInDays:
            properties["RetentionInDays"] = kept
        return properties

    def setting(self, key: str) -> Any:
        """The settings that all triggers of a type share, under one of the type's own keys."""
        return getattr(self, key)


if TYPE_CHECKING:
    _ProviderWithEvents = _Provider  # mypy cannot follow a base class that is made at run time
else:
    _ProviderWithEvents = create_model(
        "_ProviderWithEvents",
        __base__=_Provider,
        **{
            key: shape_and_default
            for event_type in EVENT_TYPES.values()
            for key, shape_and_default in event_type.provider_settings.items()
        },
    )


class Provider(_ProviderWithEvents):
    """``provider``, with what each event type lets be set there."""

    iam: Iam = Iam.model_construct()


class _Function(Model):
    handler: str
    name: str | None = Field(None, pattern=r"^[a-zA-Z0-9-_]{1,64}$")
    description: Annotated[str, Field(max_length=256)] | dict[str, Any] | None = None
    runtime: str | None = None
    architecture: Literal["x86_64", "arm64"] | None = None
    memorySize: int | None = Field(None, ge=128, le=10240)
    ephemeralStorageSize: int | None = Field(None, ge=512, le=10240)
    timeout: int | None = Field(None, ge=1, le=900)
    reservedConcurrency: int | None = Field(None, ge=0)
    logRetentionInDays: int | None = None
    environment: dict[str, EnvironmentValue] = {}
    layers: list[Reference] = []
    package: Package = Package.model_construct()
    module: str | None = None
    vendor: str | None = None
    events: list[dict[str, Any] | str] = []
    destinations: Destinations | None = None
    onError: Reference | None = None
    maximumRetryAttempts: int | None = Field(None, ge=0, le=2)
    maximumEventAge: int | None = Field(None, ge=60, le=21600)
    tags: dict[str, str] = {}


#: The keys of event types that stand beside a function's events.
_BESIDE_EVENTS = [key for key, event_type in EVENT_TYPES.items() if event_type.beside_events]

if TYPE_CHECKING:
    _FunctionWithTriggers = _Function
else:
    _FunctionWithTriggers = create_model(
        "_FunctionWithTriggers",
        __base__=_Function,
        **dict.fromkeys(_BESIDE_EVENTS, (Any, None)),
        **{
            key: (event_type.function_settings | None, None)
            for key, event_type in EVENT_TYPES.items()
            if event_type.function_settings is not None
        },
    )


class Function(_FunctionWithTriggers):
    """A function, with the triggers that stand beside its events, and settings of others."""

    def setting(self, key: str) -> Any:
        """What the function sets for its triggers of a type, under the type's key; or None."""
        return getattr(self, key)

    def written(self, key: str, document: Document) -> Iterator[tuple[KeyPath, int, Any]]:
        """Every trigger as it is written: path with its type's key, place, and body.

        An event without exactly one type that there is is one of the document's problems.
        """
        for index, event in enumerate(self.events):
            path: KeyPath = ("functions", key, "events", index)
            with document.collecting():
                kind, body = _event(key, index, event, document)
                yield (*path, kind), index, body
        for kind in _BESIDE_EVENTS:
            body = getattr(self, kind)
            body = {"true": True, "false": False}.get(body, body) if isinstance(body, str) else body
            if body not in (None, False):
                yield ("functions", key, kind), 0, body


#: What fires event types that no stack on one machine can fire, and the way to try such a function.
_BY_OTHERS = {
    **dict.fromkeys(
        ("alexaSkill", "alexaSmartHome"),
        "Amazon's Alexa service invokes it, which cannot reach this machine.",
    ),
    **dict.fromkeys(
        ("activemq", "kafka", "msk", "rabbitmq"), "The stack has no brokers of that kind."
    ),
    "iot": "The stack has no MQTT broker.",
    "iotFleetProvisioning": "The stack has no MQTT broker.",
    "websocket": "The stack has no WebSocket APIs.",
}


def _event(
    key: str, index: int, event: dict[str, Any] | str, document: Document
) -> tuple[str, Any]:
    """The type of an event, and what stands under it."""
    path: KeyPath = ("functions", key, "events", index)
    if isinstance(event, str):  # a type without settings
        event = {event: None}
    if len(event) != 1:
        document.fail(
            f"functions.{key}.events[{index}] must have exactly one event type; it has "
            f"{', '.join(event) or 'none'}.",
            *path,
        )
    ((kind, body),) = event.items()
    if kind not in EVENT_TYPES or kind in _BESIDE_EVENTS:
        supported = sorted(EVENT_TYPES.keys() - set(_BESIDE_EVENTS))
        meant = did_you_mean(kind, supported)
        if kind in _BESIDE_EVENTS:
            meant = f" “{kind}” stands beside events, not among them."
        elif reason := _BY_OTHERS.get(kind):
            meant = (
                f" {reason} Take the event out to run the rest; awslocal lambda invoke calls the"
                " function with an event of your own."
            )
        document.fail(
            f"functions.{key}: the event type “{kind}” is not supported here. Supported: "
            f"{', '.join(supported)}.{meant}",
            *(*path, kind),
        )
    return kind, body


class Resources(Model):
    """``resources``: CloudFormation resources and outputs.

    What stands under ``extensions`` changes resources that the triggers make.
    """

    Resources: dict[str, dict[str, Any]] = {}
    Outputs: dict[str, Any] = {}
    extensions: dict[str, dict[str, Any]] = {}


class Service(Model):
    """The whole ``serverless.yml``."""

    service: str = Field(pattern=r"^[a-zA-Z][a-zA-Z0-9-]*$")
    frameworkVersion: str | None = None
    configValidationMode: Literal["error", "warn", "off"] = "warn"
    custom: dict[str, Any] = {}
    provider: Provider
    package: Package = Package.model_construct()
    layers: dict[str, Layer] = {}
    functions: dict[str, Function] = {}
    resources: Resources = Resources.model_construct()
    _triggers: list[Trigger[Any]] = PrivateAttr(default_factory=list)
    _samples: Samples = PrivateAttr(default_factory=lambda: Samples(Path("samples")))

    @property
    def triggers(self) -> list[Trigger[Any]]:
        """Every trigger of every function, in the order of the file."""
        return self._triggers

    @property
    def samples(self) -> Samples:
        """What its triggers are fired with."""
        return self._samples

    def function_name(self, key: str) -> str:
        """The physical name of the function under ``key``."""
        own = self.functions[key].name if key in self.functions else None
        return own or f"{self.service}-{self.provider.stage}-{key}"


@lru_cache(maxsize=1)
def parse_service(document: Document) -> Service:
    """Check the whole document, once. What is returned must not be changed.

    Raises:
        DefinitionErrors: everything wrong, each with its line.
    """
    service = collect_service(document)
    document.refuse()
    return service


def collect_service(document: Document) -> Service:
    """What can be read of the document; what is wrong is among its problems.

    Raises:
        DefinitionErrors: so much is wrong that there is no service.
    """
    service = _readable(document)
    service._samples = Samples(document.root / "samples")
    for key, function in service.functions.items():
        for path, index, body in function.written(key, document):
            with document.collecting():
                event_type = EVENT_TYPES[str(path[-1])]
                event = parse(event_type.model, event_type.long_form(body), document, path)
                name = service.function_name(key)
                service.triggers.append(Trigger(event_type, key, name, index, path, event))
    return service


#: What is left out when something in it is wrong, so that the rest can be looked at.
_PARTS = {"functions": 3, "layers": 2, "resources": 3}


def _readable(document: Document) -> Service:
    """The service without what is wrong in it."""
    data, misspelt, told = document.data, set[KeyPath](), set[KeyPath]()
    for _ in range(3):  # another part may only be looked at when the first is right
        try:
            return parse(Service, data, document, ())
        except DefinitionError as error:
            # What is required and was misspelt has been told of.
            # So has a value that was wrong, and is left out now.
            news = [one for one in error.errors if one.path not in misspelt | told]
            for one in news:
                with document.collecting():
                    raise one from None
            misspelt |= {one.path[:-1] for one in news}
            told |= {one.path for one in news}
            left = _without(data, error.errors)
            if left is None:
                break
            data = left
    document.refuse()
    raise AssertionError("a document without a service has problems")


def _without(data: dict[str, Any], errors: list[DefinitionError]) -> dict[str, Any] | None:
    """``data`` less the parts that are wrong; None when they cannot be left out."""
    copy: dict[str, Any] = json.loads(json.dumps(data))
    for error in errors:
        path = error.path
        depth = _PARTS.get(str(path[0]), len(path)) if path else 0
        place = path if "is not supported here" in error.message else path[:depth]
        if not place:
            return None
        owner: Any = copy
        for part in place[:-1]:
            owner = owner.get(part) if isinstance(owner, dict) else None
        if isinstance(owner, dict):
            owner.pop(place[-1], None)
    return copy if copy != data else None
