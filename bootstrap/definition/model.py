"""The part of ``serverless.yml`` that this stack understands, and its checks.

Shapes follow the Serverless Framework's "Serverless.yml Reference"; every key that is not listed
here is refused, because a setting that is silently ignored is a trap.
"""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, Literal

import botocore.loaders
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from bootstrap.definition.document import Document

#: A literal string, or a CloudFormation function that yields one.
type Reference = str | dict[str, Any]


@cache
def known_s3_events() -> tuple[str, ...]:
    """Every event type that the S3 API model of the installed SDK lists."""
    model = botocore.loaders.Loader().load_service_model("s3", "service-2")
    return tuple(model["shapes"]["Event"]["enum"])


@cache
def known_runtimes() -> tuple[str, ...]:
    """Every runtime identifier that the Lambda API model of the installed SDK lists."""
    model = botocore.loaders.Loader().load_service_model("lambda", "service-2")
    return tuple(model["shapes"]["Runtime"]["enum"])


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True, strict=True)


def _scalar_to_text(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


EnvironmentValue = Annotated[str | dict[str, Any], BeforeValidator(_scalar_to_text)]


class Package(_Model):
    individually: bool = False
    patterns: list[str] = []


class Layer(_Model):
    path: str
    name: str | None = None
    description: str | None = None
    compatibleRuntimes: list[str] = []
    compatibleArchitectures: list[str] = []
    package: Package = Package()


class HttpApiCors(_Model):
    allowedOrigins: list[str] = []
    allowedHeaders: list[str] = []
    allowedMethods: list[str] = []
    allowCredentials: bool | None = None
    exposedResponseHeaders: list[str] = []
    maxAge: int | None = None


class HttpApi(_Model):
    name: str | None = None
    payload: Literal["1.0", "2.0"] = "2.0"
    cors: bool | HttpApiCors = False


class S3Bucket(_Model):
    name: str
    versioningConfiguration: dict[str, Any] | None = None


class IamRole(_Model):
    statements: list[dict[str, Any]] = []


class Iam(_Model):
    role: IamRole = IamRole()


class Provider(_Model):
    name: Literal["aws"]
    region: str = "us-east-1"
    stage: str = "dev"
    runtime: str | None = None
    architecture: Literal["x86_64", "arm64"] | None = None
    memorySize: int = Field(1024, ge=128, le=10240)
    timeout: int = Field(6, ge=1, le=900)
    logRetentionInDays: int | None = None
    environment: dict[str, EnvironmentValue] = {}
    tags: dict[str, str] = {}
    httpApi: HttpApi = HttpApi()
    s3: dict[str, S3Bucket] = {}
    iam: Iam = Iam()


class HttpApiEvent(_Model):
    path: str
    method: str = "*"


class S3Event(_Model):
    bucket: str
    event: str = "s3:ObjectCreated:*"
    rules: list[dict[Literal["prefix", "suffix"], str]] = []


class RetryPolicy(_Model):
    maximumEventAge: int | None = Field(None, ge=60, le=86400)
    maximumRetryAttempts: int | None = Field(None, ge=0, le=185)


class InputTransformer(_Model):
    inputTemplate: str = Field(min_length=1, max_length=8192)
    inputPathsMap: dict[str, str] = {}


class EventBridgeEvent(_Model):
    name: str | None = Field(None, pattern=r"^[\.\-_A-Za-z0-9]{1,64}$")
    description: str | None = Field(None, max_length=512)
    enabled: bool = True
    eventBus: Annotated[str, Field(min_length=1)] | dict[str, Any] | None = None
    pattern: dict[str, Any] | None = Field(None, min_length=1)
    schedule: str | None = None
    input: dict[str, Any] | None = None
    inputPath: str | None = None
    inputTransformer: InputTransformer | None = None
    retryPolicy: RetryPolicy | None = None
    deadLetterQueueArn: Reference | None = None


class SqsEvent(_Model):
    arn: Reference
    batchSize: int = Field(10, ge=1, le=10000)
    maximumBatchingWindow: int | None = Field(None, ge=0, le=300)
    enabled: bool = True
    functionResponseType: Literal["ReportBatchItemFailures"] | None = None
    filterPatterns: list[dict[str, Any]] = []
    maximumConcurrency: int | None = Field(None, ge=2, le=1000)


class Destination(_Model):
    type: Literal["sqs", "sns", "eventBus", "function"]
    arn: Reference


class Destinations(_Model):
    onSuccess: Destination | None = None
    onFailure: Destination | None = None


class Function(_Model):
    handler: str
    name: str | None = Field(None, pattern=r"^[a-zA-Z0-9-_]{1,64}$")
    description: str | None = Field(None, max_length=256)
    runtime: str | None = None
    memorySize: int | None = Field(None, ge=128, le=10240)
    ephemeralStorageSize: int | None = Field(None, ge=512, le=10240)
    timeout: int | None = Field(None, ge=1, le=900)
    reservedConcurrency: int | None = Field(None, ge=0)
    environment: dict[str, EnvironmentValue] = {}
    layers: list[Reference] = []
    package: Package = Package()
    events: list[dict[str, Any]] = []
    destinations: Destinations | None = None
    maximumRetryAttempts: int | None = Field(None, ge=0, le=2)
    maximumEventAge: int | None = Field(None, ge=60, le=21600)
    tags: dict[str, str] = {}


class Resources(_Model):
    Resources: dict[str, dict[str, Any]] = {}
    Outputs: dict[str, Any] = {}


class Service(_Model):
    service: str = Field(pattern=r"^[a-zA-Z][a-zA-Z0-9-]*$")
    frameworkVersion: str | None = None
    configValidationMode: Literal["error", "warn", "off"] = "warn"
    custom: dict[str, Any] = {}
    provider: Provider
    package: Package = Package()
    layers: dict[str, Layer] = {}
    functions: dict[str, Function] = {}
    resources: Resources = Resources()


def parse_service(document: Document) -> Service:
    """Check the whole document.

    Raises:
        DefinitionError: the first thing wrong, with its line.
    """
    return parse(Service, document.data, document, ())


def parse[M: BaseModel](
    model: type[M], data: Any, document: Document, path: tuple[str | int, ...]
) -> M:
    """Check ``data``, found at ``path``, against ``model``.

    Raises:
        DefinitionError: the first thing wrong, with its line.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        problems = sorted(
            error.errors(),
            key=lambda e: document.line([*path, *e["loc"]]) or 0,
        )
        problem = problems[0]
        if problem["type"] == "missing":  # a key beside it that is unknown is how it was misspelt
            beside = [p for p in problems if p["loc"][:-1] == problem["loc"][:-1]]
            problem = next((p for p in beside if p["type"] == "extra_forbidden"), problem)
        location = [part for part in problem["loc"] if _is_key(part)]
        name = ".".join(str(part) for part in (*path, *location))
        document.fail(f"{name}: {_sentence(problem, model, location)}", *path, *location)


def _is_key(part: str | int) -> bool:
    """Pydantic adds the names of union members to a location; they are not keys of the file."""
    return isinstance(part, int) or not (part in ("str", "bool") or part.startswith("dict["))


def _sentence(problem: Any, model: type[BaseModel], location: list[str | int]) -> str:
    kind = problem["type"]
    if kind == "extra_forbidden":
        owner = _owner(model, location[:-1])
        keys = ", ".join(owner.model_fields) if owner else ""
        return f"is not supported here. Supported: {keys}." if keys else "is not supported here."
    if kind == "missing":
        return "is required."
    message = str(problem["msg"])
    given = problem.get("input")
    shown = "" if isinstance(given, dict | list) else f" (found {given!r})"
    return f"{message[0].lower()}{message[1:]}{shown}."


def _owner(model: type[BaseModel], location: list[str | int]) -> type[BaseModel] | None:
    """The model that a key at ``location`` belongs to, as far as it can be told."""
    current: Any = model
    for part in location:
        field = getattr(current, "model_fields", {}).get(part)
        annotation = field.annotation if field else current
        candidates = _models_in(annotation)
        if not candidates:
            return None
        current = candidates[0]
    return current if isinstance(current, type) and issubclass(current, BaseModel) else None


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [m for argument in getattr(annotation, "__args__", ()) for m in _models_in(argument)]
