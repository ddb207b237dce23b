"""LocalStack's version managers, with the engine behind them.

What: ``LambdaService`` makes a ``LambdaVersionManager`` for each state of a function version. That
name is replaced in its module.
Why: they start an environment, a few threads and a metric request for each invocation inside
LocalStack's process.
Until: LocalStack has an extension point for who executes a version.
Test: ``tests/engine/test_patches.py::test_versions_are_run_by_the_engine``.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import logging
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from localstack.aws.api.lambda_ import (
    RecursiveInvocationException,
    ServiceException,
    State,
    StateReasonCode,
    TooManyRequestsException,
)
from localstack.services.lambda_.api_utils import function_locators_from_arn
from localstack.services.lambda_.invocation.execution_environment import ExecutionEnvironment
from localstack.services.lambda_.invocation.lambda_models import (
    Function,
    InitializationType,
    Invocation,
    InvocationResult,
    VersionState,
)
from localstack.services.lambda_.invocation.models import lambda_stores
from localstack.services.lambda_.invocation.version_manager import LambdaVersionManager

from trigger_stack.engine.supervisor import EngineUnavailableError
from trigger_stack.localstack.lambda_engine.source import current_source
from trigger_stack_engine.environments.launch import function_environment
from trigger_stack_engine.invoke.function import (
    Alias,
    EventInvokeConfig,
    FunctionSettings,
    FunctionVersion,
)
from trigger_stack_engine.wire import RemoteError

LOG = logging.getLogger(__name__)


class ProvisionedEnvironments:
    """Provisioned environments, made and ended by the engine."""

    def scale_provisioned_concurrency(
        self, version_manager_id: str, function_version: Any, target_provisioned_environments: int
    ) -> list[Future[None]]:
        """Replace the provisioned environments of a version; a future for each."""
        from trigger_stack.localstack.lambda_engine.control_plane import control_plane

        wanted = target_provisioned_environments
        ready, error = control_plane().provision(version_manager_id, wanted)
        futures: list[Future[None]] = []
        for number in range(wanted):
            future: Future[None] = Future()
            if number < ready:
                future.set_result(None)
            else:
                future.set_exception(RuntimeError(error or "init failed"))
            futures.append(future)
        return futures


@dataclasses.dataclass
class StreamedResult(InvocationResult):
    """The result of an invocation, or the first part of one that is still being written.

    Attributes:
        stream: By which name the engine gives the rest; ``None``: this is all.
    """

    stream: str | None = None


class EngineVersionManager(LambdaVersionManager):
    """One state of a function version, run by the engine."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.assignment_service: Any = ProvisionedEnvironments()

    def start(self) -> VersionState:
        """Unpack code and layers and make the engine ready; the state says how it went."""
        from trigger_stack.localstack.lambda_engine.control_plane import control_plane

        try:
            version = describe_version(self)
            control_plane().prepare(version)
            managed = self.function_version.config.capacity_provider_config
            latest = self.function_version.id.qualifier == "$LATEST"
            self.state = VersionState(
                state=State.ActiveNonInvocable if managed and latest else State.Active
            )
        except Exception as error:
            LOG.debug("version %s cannot be started", self.function_arn, exc_info=True)
            self.state = VersionState(
                state=State.Failed,
                code=StateReasonCode.InternalError,
                reason=f"Error while creating lambda: {error}",
            )
        return self.state

    def stop(self) -> None:
        """End the version's environments; an event that is being handled is finished first."""
        from trigger_stack.localstack.lambda_engine.control_plane import control_plane

        self.state = VersionState(
            state=State.Inactive, code=StateReasonCode.Idle, reason="Shutting down"
        )
        self.shutdown_event.set()
        control_plane().retire(self.id)

    def invoke(self, *, invocation: Invocation) -> InvocationResult:
        """Have one event handled.

        Raises:
            TooManyRequestsException: No concurrency is left.
            RecursiveInvocationException: The function causes itself, again and again.
            ServiceException: The version is gone, or the engine ended meanwhile.
        """
        from trigger_stack.localstack.lambda_engine.control_plane import control_plane

        trace = (invocation.trace_context or {}).get("aws_trace_header")
        encoded = invocation.client_context
        header = {
            "op": "invoke",
            "version": self.id,
            "arn": self.function_arn,
            "request_id": invocation.request_id,
            "invoked_arn": invocation.invoked_arn,
            "trace_id": trace.to_header_str() if trace is not None else None,
            "client_context": base64.b64decode(encoded).decode() if encoded else None,
            **_origin(invocation.user_agent),
        }
        if (recorded := _recorded.get()) is not None:
            header["recorded"] = recorded
        if _streamed.get():
            header["streamed"] = True
        try:
            reply, payload = control_plane().call(header, invocation.payload)
        except EngineUnavailableError as error:
            raise ServiceException(f"Internal error: {error}") from None
        except RemoteError as error:
            if error.kind == "TooManyRequests":
                raise TooManyRequestsException(
                    str(error), Reason=error.details["reason"], Type="User"
                ) from None
            if error.kind == "RecursiveInvocation":
                raise RecursiveInvocationException(str(error), Type="User") from None
            raise ServiceException(f"Internal error: {error}") from None
        return StreamedResult(
            request_id=invocation.request_id,
            payload=payload,
            is_error=reply.get("is_error", False),
            logs=reply.get("logs", ""),
            executed_version=reply["version"],
            stream=reply.get("stream"),
        )


#: In place of a user agent, for invocations that come from inside; kind and source follow.
INTERNAL = "trigger-stack-internal"


#: What the journal gets in place of the event of the invocation that this thread makes.
_recorded: ContextVar[str | None] = ContextVar("recorded", default=None)


@contextmanager
def recorded_as(payload: bytes) -> Iterator[None]:
    """Have the journal keep another text than the event, which has a secret in it."""
    token = _recorded.set(payload.decode())
    try:
        yield
    finally:
        _recorded.reset(token)


#: Whether the caller of the invocation that this thread makes reads the response part by part.
_streamed: ContextVar[bool] = ContextVar("streamed", default=False)


@contextmanager
def streamed() -> Iterator[None]:
    """Have an invocation return with the first part of its response, see ``StreamedResult``."""
    token = _streamed.set(True)
    try:
        yield
    finally:
        _streamed.reset(token)


def _origin(user_agent: str | None) -> dict[str, str]:
    """Kind and source of an invocation, for the journal."""
    mark, _, rest = (user_agent or "").partition("|")
    if mark != INTERNAL:
        return {"kind": "invocation", "source": current_source()}
    kind, _, source = rest.partition("|")
    return {"kind": kind, "source": source}


def describe_version(manager: LambdaVersionManager) -> FunctionVersion:
    """Describe a version for the engine; unpacks its code and layers."""
    function_version = manager.function_version
    config = function_version.config
    identity = function_version.id
    if config.code:
        config.code.prepare_for_execution()
    layers = []
    for layer in config.layers:
        if layer.code:
            layer.code.prepare_for_execution()
            folder = str(layer.code.get_unzipped_code_location())
            layers.append((layer.layer_version_arn, folder))
    # LocalStack words the variables; the object itself is not used any further.
    environment = ExecutionEnvironment(
        function_version=function_version,
        initialization_type=InitializationType.on_demand,
        on_timeout=lambda *_: None,
        version_manager_id=manager.id,
    )
    variables = environment.get_environment_variables()
    own = config.environment or {}
    group = config.logging_config.get("LogGroup") or environment.get_log_group_name()
    return FunctionVersion(
        id=manager.id,
        account=identity.account,
        region=identity.region,
        name=identity.function_name,
        qualifier=identity.qualifier,
        runtime=str(config.runtime or ""),
        memory_mb=config.memory_size,
        timeout_s=config.timeout,
        tmp_mb=config.ephemeral_storage.size,
        code=str(config.code.get_unzipped_code_location()) if config.code else "",
        layers=layers,
        variables=function_environment(variables, own, str(config.runtime)),
        log_group=group,
        log_as_json=config.logging_config.get("LogFormat") == "JSON",
        dead_letter_arn=config.dead_letter_arn,
    )


def describe_function(arn: str, function: Function) -> FunctionSettings:
    """The settings that all versions of a function share."""
    return FunctionSettings(
        arn=arn,
        reserved=function.reserved_concurrent_executions,
        provisioned={
            qualifier: config.provisioned_concurrent_executions
            for qualifier, config in function.provisioned_concurrency_configs.items()
        },
        aliases={
            name: Alias(
                alias.function_version,
                dict(alias.routing_configuration.version_weights)
                if alias.routing_configuration
                else {},
            )
            for name, alias in function.aliases.items()
        },
        policies={
            qualifier: json.loads(json.dumps(permission.policy.Statement, default=_as_dict))
            for qualifier, permission in function.permissions.items()
        },
        event_invoke={
            qualifier: _event_invoke(config)
            for qualifier, config in function.event_invoke_configs.items()
        },
        recursive_loop=str(function.recursive_loop),
    )


def _event_invoke(config: Any) -> EventInvokeConfig:
    destinations = config.destination_config or {}
    return EventInvokeConfig(
        maximum_retry_attempts=config.maximum_retry_attempts,
        maximum_event_age_s=config.maximum_event_age_in_seconds,
        on_success=(destinations.get("OnSuccess") or {}).get("Destination"),
        on_failure=(destinations.get("OnFailure") or {}).get("Destination"),
    )


def _as_dict(value: Any) -> Any:
    return dataclasses.asdict(value) if dataclasses.is_dataclass(value) else str(value)  # type: ignore[arg-type]  # no class gets here


def can_be_invoked(arn: str) -> bool:
    """Whether there is the function, version or alias of an ARN."""
    name, qualifier, account, region = function_locators_from_arn(arn)
    function = find_function(str(account), str(region), str(name))
    if function is None:
        return False
    return not qualifier or qualifier in function.versions or qualifier in function.aliases


def find_function(account: str, region: str, name: str) -> Function | None:
    """The function of that name in LocalStack's store."""
    function: Function | None = lambda_stores[account][region].functions.get(name)
    return function
