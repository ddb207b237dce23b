"""The changes of LocalStack's Lambda service that the engine cannot do without.

What: ``LambdaService.invoke`` checks state, payload and client context first; the version manager
is replaced (see ``versions.py``); a bucket is accepted as the destination of failures, no FIFO
queue or topic as a destination, and no environment variable that Lambda sets itself;
``UpdateAlias`` takes weights; the state of a version is set with the function's lock held; routes
and a response handler are added.
Why: LocalStack takes a payload of any size and any content, its router of Function URLs passes the
client context ``{}``, which is no Base64, and of a function that cannot run it says no reason. A
function that is tagged while an update ends can stay ``InProgress`` for ever. One that cannot run
can neither be updated nor deleted. ``UpdateAlias`` checks weights without the version that they are
for, and ends in an internal error.
Until: LocalStack enforces Lambda's quotas, refuses what is not JSON and names the reason.
Test: ``tests/engine/test_patches.py``, with a test for each that fails when LocalStack does it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from contextlib import nullcontext
from functools import wraps
from typing import Any

from localstack.aws.api.lambda_ import (
    InvalidParameterValueException,
    InvalidRequestContentException,
    InvocationType,
    ResourceConflictException,
    State,
)
from localstack.aws.handlers import run_custom_response_handlers
from localstack.runtime.shutdown import ON_AFTER_SERVICE_SHUTDOWN_HANDLERS
from localstack.services.edge import ROUTER
from localstack.services.lambda_.invocation import lambda_service
from localstack.services.lambda_.invocation.lambda_models import (
    AliasRoutingConfig,
    RequestEntityTooLargeException,
)
from localstack.services.lambda_.invocation.lambda_service import LambdaService
from localstack.services.lambda_.provider import LambdaProvider
from localstack.services.lambda_.provider_utils import get_function_version

from trigger_stack.localstack.function_urls import control_plane as function_urls
from trigger_stack.localstack.lambda_engine import (
    code_urls,
    operations,
    packages,
    requests,
    source,
)
from trigger_stack.localstack.lambda_engine.control_plane import (
    control_plane,
    push_changed_function,
)
from trigger_stack.localstack.lambda_engine.event_manager import EngineEventManager
from trigger_stack.localstack.lambda_engine.journal_routes import JournalRoutes
from trigger_stack.localstack.lambda_engine.routes import Routes
from trigger_stack.localstack.lambda_engine.versions import EngineVersionManager, find_function
from trigger_stack.localstack.s3 import notifications as s3_notifications
from trigger_stack.localstack.sqs import mappings as queue_mappings
from trigger_stack.localstack.streams import mappings as stream_mappings
from trigger_stack.services.mapping_checks import invalid_destinations, is_destination

_MARK = "_trigger_stack_original"
_DESTINATIONS = ("events", "lambda", "sns", "sqs")


def _replace(owner: type, name: str, make: Callable[[Any], Callable[..., Any]]) -> None:
    original = getattr(owner, name)
    if hasattr(original, _MARK):
        return
    replacement = wraps(original)(make(original))
    setattr(replacement, _MARK, original)
    setattr(owner, name, replacement)


#: Lambda sets these itself.
_RESERVED = frozenset(
    (
        *("_HANDLER", "_X_AMZN_TRACE_ID", "AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID"),
        *("AWS_DEFAULT_REGION", "AWS_EXECUTION_ENV", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE"),
        *("AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION"),
        *("AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME"),
        *("AWS_LAMBDA_LOG_STREAM_NAME", "AWS_LAMBDA_RUNTIME_API", "AWS_REGION"),
        *("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "LAMBDA_RUNTIME_DIR", "LAMBDA_TASK_ROOT"),
    )
)
MAX_REQUEST_BYTES = 6 * 1024 * 1024
MAX_ASYNC_REQUEST_BYTES = 1024 * 1024


def _checked(original: Callable[..., Any]) -> Callable[..., Any]:
    """``LambdaService.invoke`` behind the checks that it lacks."""

    def invoke(self: Any, *args: Any, **kwargs: Any) -> Any:
        _check_state(kwargs)
        payload = kwargs.get("payload")
        if payload is not None:
            asynchronous = kwargs.get("invocation_type") == InvocationType.Event
            limit = MAX_ASYNC_REQUEST_BYTES if asynchronous else MAX_REQUEST_BYTES
            if len(payload) > limit:
                raise RequestEntityTooLargeException(
                    f"{len(payload)} byte payload is too large for the"
                    f" {'Event' if asynchronous else 'RequestResponse'} invocation type"
                    f" (limit {limit} bytes)"
                )
            if not payload:
                kwargs["payload"] = b"{}"
            else:
                _check_json(payload)
        if kwargs.get("client_context") == "{}" and "trace_context" not in kwargs:
            # LocalStack's router of function URLs, and only it: a URL has no client context.
            kwargs["client_context"] = None
        if kwargs.get("client_context"):
            _check_client_context(kwargs["client_context"])
        return original(self, *args, **kwargs)

    return invoke


def _with_buckets(original: Callable[..., Any]) -> Callable[..., Any]:
    """The check of destinations, which accepts a bucket for failures, and no FIFO queue or topic.

    AWS topic: Lambda Developer Guide, "Capturing records of Lambda asynchronous invocations":
    standard queues and topics, buckets for failures only.
    """

    def validate(self: Any, store: Any, function_name: str, destination_config: Any) -> Any:
        known = dict(destination_config)
        failure = (known.get("OnFailure") or {}).get("Destination") or ""
        success = (known.get("OnSuccess") or {}).get("Destination") or ""
        if (failure and not is_destination(failure, ("s3", *_DESTINATIONS))) or (
            success and not is_destination(success, _DESTINATIONS)
        ):
            raise InvalidParameterValueException(
                invalid_destinations(success or None, failure or None), Type="User"
            )
        if failure.startswith("arn:aws:s3:::"):
            del known["OnFailure"]
        return original(self, store, function_name, known)

    return validate


def _unreserved(original: Callable[..., Any]) -> Callable[..., Any]:
    """The check of environment variables, which looks at their names, too.

    AWS topic: Lambda Developer Guide, "Working with Lambda environment variables", "Defined runtime
    environment variables": reserved variables cannot be set.
    """

    def verify(self: Any, env_vars: dict[str, str]) -> None:
        del self
        if reserved := sorted(_RESERVED & env_vars.keys()):
            raise InvalidParameterValueException(
                "Lambda was unable to configure your environment variables because the environment"
                " variables you have provided contains reserved keys that are currently not"
                " supported for modification. Reserved keys used in this request:"
                f" {', '.join(reserved)}",
                Type="User",
            )
        original(env_vars)

    return verify


def _later(original: Callable[..., Any]) -> Callable[..., Any]:
    """The check of weights, which ``UpdateAlias`` leaves to ``_with_checked_weights``."""

    def routing(self: Any, weights: dict[str, float], version: Any = None) -> Any:
        if version is None:
            return AliasRoutingConfig(version_weights=dict(weights))
        return original(self, weights, version)

    return routing


def _with_checked_weights(original: Callable[..., Any]) -> Callable[..., Any]:
    """``LambdaService.update_alias``; an alias whose weights are refused stays as it was."""
    check = LambdaProvider._create_routing_config_model
    check = getattr(check, _MARK, check)

    def update_alias(self: Any, old_alias: Any, new_alias: Any, function: Any) -> Any:
        routing = new_alias.routing_configuration
        if routing is not None:
            place = function.latest().id
            try:
                version = get_function_version(
                    function.function_name,
                    new_alias.function_version,
                    account_id=place.account,
                    region=place.region,
                )
                check(None, routing.version_weights, version)  # type: ignore[arg-type]  # it looks at no provider
            except BaseException:
                function.aliases[old_alias.name] = old_alias
                raise
        return original(self, old_alias=old_alias, new_alias=new_alias, function=function)

    return update_alias


def _locked(original: Callable[..., Any]) -> Callable[..., Any]:
    """Others read, change and store a version while they hold the lock of its function."""

    def update_version_state(self: Any, function_version: Any, new_state: Any) -> None:
        version = function_version.id
        function = find_function(version.account, version.region, version.function_name)
        with function.lock if function else nullcontext():
            original(self, function_version, new_state)

    return update_version_state


def _stopped(original: Callable[..., Any]) -> Callable[..., Any]:
    """Stopping a version that never started, because its function cannot run here."""

    def stop_version(self: Any, qualified_arn: str) -> None:
        if (
            qualified_arn in self.lambda_running_versions
            or qualified_arn in self.lambda_starting_versions
        ):
            original(self, qualified_arn)

    return stop_version


def _updated(original: Callable[..., Any]) -> Callable[..., Any]:
    """A version that never started is started, with what was updated."""

    def update_version(self: Any, new_version: Any) -> Any:
        arn = new_version.qualified_arn
        if arn in self.lambda_running_versions or arn in self.lambda_starting_versions:
            return original(self, new_version)
        return self.create_function_version(function_version=new_version)

    return update_version


def _check_state(request: dict[str, Any]) -> None:
    """Refuse a function that cannot run here with the reason; LocalStack asks for Docker."""
    function = find_function(request["account_id"], request["region"], request["function_name"])
    version = function and function.versions.get(request.get("qualifier") or "$LATEST")
    state = version and version.config.state
    if state and state.state == State.Failed:
        raise ResourceConflictException(
            "The operation cannot be performed at this time. The function is currently in the "
            f"following state: Failed. {state.reason}",
            Type="User",
        )


def _check_client_context(encoded: str) -> None:
    try:
        content = json.loads(base64.b64decode(encoded, validate=True))
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise InvalidRequestContentException(
            "Client context must be a valid Base64-encoded JSON object.", Type="User"
        )


def _check_json(payload: bytes) -> None:
    try:
        json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise InvalidRequestContentException(
            f"Could not parse request body into json: Could not parse payload into json: {error}",
            Type="User",
        ) from None


def apply() -> None:
    """Patch LocalStack. Idempotent."""
    if lambda_service.LambdaVersionManager is EngineVersionManager:
        return
    setattr(lambda_service, "LambdaVersionManager", EngineVersionManager)  # noqa: B010  a class
    setattr(lambda_service, "LambdaEventManager", EngineEventManager)  # noqa: B010  a class
    _replace(LambdaService, "invoke", _checked)
    _replace(LambdaService, "update_version_state", _locked)
    _replace(LambdaService, "stop_version", _stopped)
    _replace(LambdaService, "update_version", _updated)
    _replace(LambdaProvider, "_validate_destination_config", _with_buckets)
    _replace(LambdaProvider, "_verify_env_variables", _unreserved)
    _replace(LambdaProvider, "_create_routing_config_model", _later)
    _replace(LambdaService, "update_alias", _with_checked_weights)
    function_urls.install()
    queue_mappings.install()
    stream_mappings.install()
    source.install()
    code_urls.install()
    packages.install()
    requests.install()
    operations.install()
    s3_notifications.install()
    run_custom_response_handlers.append(push_changed_function)
    ROUTER.add(Routes(control_plane()))
    ROUTER.add(JournalRoutes(control_plane()))
    ON_AFTER_SERVICE_SHUTDOWN_HANDLERS.register(control_plane().supervisor.close)
