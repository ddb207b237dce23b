"""Functions as the engine knows them: plain data that the control plane pushes."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any


@dataclass(frozen=True)
class FunctionVersion:
    """One version of a function as it is to be run.

    Attributes:
        id: Identifies this state of the version: an update makes another one.
        account: Account id.
        region: Region name.
        name: Function name.
        qualifier: ``$LATEST`` or a version number.
        runtime: For example ``python3.13``.
        memory_mb: ``MemorySize``.
        timeout_s: ``Timeout``.
        tmp_mb: ``EphemeralStorage.Size``.
        code: Folder of the unpacked deployment package.
        layers: ARN and folder of each layer, first to last.
        variables: Environment variables, without those of a single environment.
        log_group: Log group name.
        log_as_json: Whether ``LogFormat`` is ``JSON``.
        dead_letter_arn: Queue or topic of ``DeadLetterConfig``.
    """

    id: str
    account: str
    region: str
    name: str
    qualifier: str
    runtime: str
    memory_mb: int
    timeout_s: int
    tmp_mb: int
    code: str
    layers: list[tuple[str, str]]
    variables: dict[str, str]
    log_group: str
    log_as_json: bool = False
    dead_letter_arn: str | None = None

    @cached_property
    def arn(self) -> str:
        """Unqualified ARN."""
        return f"arn:aws:lambda:{self.region}:{self.account}:function:{self.name}"

    @cached_property
    def qualified_arn(self) -> str:
        """ARN with the qualifier."""
        return f"{self.arn}:{self.qualifier}"

    @cached_property
    def metrics(self) -> tuple[tuple[str, str, str, str], tuple[str, str, str, str]]:
        """What ``LogSender.count`` counts its invocations and its errors under."""
        key = self.account, self.region, self.name
        return (*key, "Invocations"), (*key, "Errors")

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> FunctionVersion:
        """The version that ``dataclasses.asdict`` was made of."""
        layers = [(arn, folder) for arn, folder in data.pop("layers")]
        return cls(layers=layers, **data)


@dataclass(frozen=True)
class Alias:
    """Where an alias points: a version, and other versions with their share of invocations."""

    version: str
    weights: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class EventInvokeConfig:
    """How asynchronous invocations are handled (``PutFunctionEventInvokeConfig``).

    Attributes:
        maximum_retry_attempts: 0 to 2; ``None``: not set.
        maximum_event_age_s: 60 to 21600; ``None``: not set.
        on_success: ARN of the destination.
        on_failure: ARN of the destination.
    """

    maximum_retry_attempts: int | None = None
    maximum_event_age_s: int | None = None
    on_success: str | None = None
    on_failure: str | None = None


@dataclass(frozen=True)
class FunctionSettings:
    """Settings that all versions of a function share.

    Attributes:
        arn: Unqualified ARN.
        reserved: ``ReservedConcurrentExecutions``; ``None``: not set.
        provisioned: Provisioned concurrency by qualifier (version or alias).
        aliases: By name.
        policies: Statements of the resource-based policy by qualifier.
        event_invoke: Configuration of asynchronous invocations by qualifier.
        recursive_loop: ``Terminate`` or ``Allow``.
    """

    arn: str
    reserved: int | None = None
    provisioned: dict[str, int] = field(default_factory=dict)
    aliases: dict[str, Alias] = field(default_factory=dict)
    policies: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    event_invoke: dict[str, EventInvokeConfig] = field(default_factory=dict)
    recursive_loop: str = "Terminate"

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> FunctionSettings:
        """The settings that ``dataclasses.asdict`` was made of."""
        aliases = {name: Alias(**alias) for name, alias in data.pop("aliases").items()}
        event_invoke = {
            qualifier: EventInvokeConfig(**config)
            for qualifier, config in data.pop("event_invoke").items()
        }
        return cls(aliases=aliases, event_invoke=event_invoke, **data)
