"""Invokes the functions of Lambda triggers, by the engine.

What: no patch. LocalStack's ``LambdaService`` is asked, as ``Invoke`` does.
Why: a request over HTTP to ourselves would take longer than the function.
Until: as ``provider.py``.
Test: ``tests/e2e/test_admin_signin.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NoAnswerError
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from localstack.aws.api import CommonServiceException, RequestContext
from localstack.aws.api.lambda_ import InvocationType, TooManyRequestsException
from localstack.services.lambda_.api_utils import function_locators_from_arn
from localstack.services.plugins import SERVICE_PLUGINS
from localstack.utils.strings import long_uid
from localstack.utils.xray.trace_header import TraceHeader

from trigger_stack.localstack.lambda_engine.versions import (
    INTERNAL,
    describe_function,
    find_function,
    recorded_as,
)
from trigger_stack.services.cognito.triggers import TIMED_OUT, InvocationError, Reply
from trigger_stack_engine.front_doors.core.policy import allows

#: The trace of the request that this thread answers: every trigger that it calls belongs to it.
_trace: ContextVar[Any] = ContextVar("trace", default=None)
PRINCIPAL = "cognito-idp.amazonaws.com"
_DENIED = "AccessDeniedException"


@contextmanager
def traced(context: RequestContext) -> Iterator[None]:
    """Give the triggers of one request one trace: the caller's, or a new one."""
    given = (getattr(context, "trace_context", None) or {}).get("aws_trace_header")
    token = _trace.set((given or TraceHeader()).ensure_root_exists())
    try:
        yield
    finally:
        _trace.reset(token)


class LocalFunctions:
    """Functions of this stack."""

    def __init__(self) -> None:
        # A call that nobody waits for any longer keeps its thread until its function ends.
        self._pool = ThreadPoolExecutor(64, thread_name_prefix="user-pool-triggers")

    def invoke(
        self, function_arn: str, event: bytes, recorded: bytes, pool_arn: str, timeout_s: float
    ) -> Reply:
        """Invoke a function for a pool, and wait.

        Raises:
            InvocationError: It was not invoked, or did not answer in time.
        """
        _check_permission(function_arn, pool_arn)
        trace = _trace.get() or TraceHeader().ensure_root_exists()
        future: Future[Reply] = self._pool.submit(
            _invoke, function_arn, event, recorded, pool_arn, trace
        )
        try:
            return future.result(timeout_s)
        except NoAnswerError:
            future.cancel()
            raise InvocationError(TIMED_OUT, may_help=True) from None
        except TooManyRequestsException:
            raise InvocationError("TooManyRequestsException", may_help=True) from None
        except CommonServiceException as error:
            raise InvocationError(error.code, may_help=error.status_code >= 500) from None
        except Exception as error:
            reason = getattr(error, "code", type(error).__name__)
            status = int(getattr(error, "status_code", 500))
            raise InvocationError(str(reason), may_help=status >= 500) from None


def _check_permission(function_arn: str, pool_arn: str) -> None:
    """Check that the function is there, and lets the pool invoke it.

    Raises:
        InvocationError: AWS says the same of both.
    """
    name, qualifier, account, region = function_locators_from_arn(function_arn)
    function = find_function(str(account), str(region), str(name))
    if function is None:
        raise InvocationError(_DENIED, may_help=False)
    arn = f"arn:aws:lambda:{region}:{account}:function:{name}"
    statements = describe_function(arn, function).policies.get(qualifier or "$LATEST", [])
    keys = {"aws:sourcearn": pool_arn, "aws:sourceaccount": pool_arn.split(":")[4]}
    if not allows(statements, action="lambda:invokefunction", principals=(PRINCIPAL,), keys=keys):
        raise InvocationError(_DENIED, may_help=False)


def _invoke(function_arn: str, event: bytes, recorded: bytes, pool_arn: str, trace: Any) -> Reply:
    name, qualifier, account, region = function_locators_from_arn(function_arn)
    service = SERVICE_PLUGINS.require("lambda")._provider.lambda_service
    with recorded_as(recorded):
        result = service.invoke(
            function_name=name,
            qualifier=qualifier,
            region=region,
            account_id=account,
            invocation_type=InvocationType.RequestResponse,
            client_context=None,
            request_id=long_uid(),
            payload=event,
            trace_context={"aws_trace_header": trace},
            user_agent=f"{INTERNAL}|user pool trigger|{pool_arn}",
        )
    return Reply(bool(result.is_error), bytes(result.payload or b"null"))
