"""The changes of LocalStack that the executor cannot do without, each with what, why, until when.

``tests/executor/test_patches.py`` has a test for each that fails when LocalStack does it itself.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable
from functools import wraps
from typing import Any

from localstack.aws.api.lambda_ import (
    InvalidRequestContentException,
    InvocationType,
    TooManyRequestsException,
)
from localstack.services.lambda_.invocation import execution_environment
from localstack.services.lambda_.invocation.assignment import AssignmentException, AssignmentService
from localstack.services.lambda_.invocation.execution_environment import ExecutionEnvironment
from localstack.services.lambda_.invocation.lambda_models import RequestEntityTooLargeException
from localstack.services.lambda_.invocation.lambda_service import LambdaService
from localstack.services.lambda_.invocation.version_manager import LambdaVersionManager

_MARK = "_lambda_process_executor_original"


def _replace(owner: type, name: str, make: Callable[[Any], Callable[..., Any]]) -> None:
    original = getattr(owner, name)
    if hasattr(original, _MARK):
        return
    replacement = wraps(original)(make(original))
    setattr(replacement, _MARK, original)
    setattr(owner, name, replacement)


def _pass_client_context(original: Callable[..., Any]) -> Callable[..., Any]:
    """LocalStack drops ``ClientContext`` before the executor sees it.

    Until ``ExecutionEnvironment.invoke`` puts it into the payload.
    """

    def invoke(self: Any, invocation: Any) -> Any:
        encoded = invocation.client_context
        self.runtime_executor.client_context = (
            base64.b64decode(encoded).decode() if encoded else None
        )
        return original(self, invocation)

    return invoke


def _throttle_when_full(original: Callable[..., Any]) -> Callable[..., Any]:
    """An executor that has no room left is reported as an internal error (500), not as 429.

    Until ``AssignmentService.start_environment`` lets service exceptions through.
    """

    def start_environment(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return original(self, *args, **kwargs)
        except AssignmentException as error:
            if isinstance(error.__cause__, TooManyRequestsException):
                raise error.__cause__ from None
            raise

    return start_environment


def _leave_logs_to_executor(original: Callable[..., Any]) -> Callable[..., Any]:
    """LocalStack stores logs after the invoke, one event a line, and drops what is queued when a
    version is updated; the executor stores them itself, live and complete.

    Until an executor can say that it does.
    """

    def store_logs(self: Any, invocation_result: Any, execution_env: Any) -> None:
        from lambda_process_executor.executor import (
            ProcessRuntimeExecutor,
        )

        if not isinstance(execution_env.runtime_executor, ProcessRuntimeExecutor):
            original(self, invocation_result, execution_env)

    return store_logs


def _limit_starts_in_executor(original: Callable[..., Any]) -> Callable[..., Any]:
    """LocalStack ends an environment that has not started after 20 s, also one with provisioned
    concurrency, to which AWS gives minutes, and one that waits for a debugger.

    Until an executor can say how long it may take: this one limits each phase by itself.
    """

    def get_startup_timeout_seconds(self: Any) -> int:
        from lambda_process_executor.executor import LONGEST_START_S, ProcessRuntimeExecutor

        if isinstance(self.runtime_executor, ProcessRuntimeExecutor):
            return LONGEST_START_S
        return int(original(self))

    return get_startup_timeout_seconds


MAX_REQUEST_BYTES = 6 * 1024 * 1024
MAX_ASYNC_REQUEST_BYTES = 1024 * 1024


def _check_payload(original: Callable[..., Any]) -> Callable[..., Any]:
    """LocalStack takes a payload of any size and any content.

    Until ``LambdaService.invoke`` enforces Lambda's quotas (6 MB, 1 MB asynchronous) and refuses
    what is not JSON.
    """

    def invoke(self: Any, *args: Any, **kwargs: Any) -> Any:
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
        if kwargs.get("client_context"):
            _check_client_context(kwargs["client_context"])
        return original(self, *args, **kwargs)

    return invoke


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


class _DaemonTimer(threading.Timer):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.daemon = True


def _let_timers_end() -> None:
    """Keep-alive timers (10 minutes) of environments that LocalStack does not get to stop within
    its 5 seconds hold the whole process up at its end.

    Until ``execution_environment`` makes its timers daemon threads.
    """
    execution_environment.Timer = _DaemonTimer  # type: ignore[misc]  # that is the patch


def apply() -> None:
    """Patch LocalStack. Idempotent."""
    _let_timers_end()
    _replace(ExecutionEnvironment, "invoke", _pass_client_context)
    _replace(ExecutionEnvironment, "_get_startup_timeout_seconds", _limit_starts_in_executor)
    _replace(AssignmentService, "start_environment", _throttle_when_full)
    _replace(LambdaVersionManager, "store_logs", _leave_logs_to_executor)
    _replace(LambdaService, "invoke", _check_payload)
