"""Calls the functions behind API Gateway's APIs.

AWS topic: AWS Lambda Developer Guide, "Using resource-based policies for Lambda".
"""

from __future__ import annotations

import logging
import random
from typing import Any, Final, Protocol

from trigger_stack_engine.environments.execution import Invocation
from trigger_stack_engine.front_doors.core.execution_policy import allows_invoke
from trigger_stack_engine.front_doors.core.uris import FunctionArn, parse_lambda_uri
from trigger_stack_engine.invoke.concurrency import ThrottledError
from trigger_stack_engine.invoke.invoker import NoSuchFunctionError, NotReadyError
from trigger_stack_engine.invoke.synchronous import SynchronousInvoker
from trigger_stack_engine.journal.recorder import Origin

LOG = logging.getLogger(__name__)
MAX_EVENT_BYTES: Final = 6 * 1024 * 1024
"""Lambda's limit for the payload of a synchronous invocation."""

#: The bits of a UUID that say its version, 4, and its variant, 0b10.
_VERSION_MASK: Final = ~((0xF << 76) | (0b11 << 62))
_VERSION_4: Final = (4 << 76) | (0b10 << 62)


class FunctionCallError(Exception):
    """A function gave no result; the text says why, for the log."""


class NotCallableError(FunctionCallError):
    """There is no such function, it may not be called, or it is throttled."""


class EventTooLargeError(FunctionCallError):
    """The event is larger than 6 MB."""


class FunctionFailedError(FunctionCallError):
    """The function failed.

    Attributes:
        payload: What it answered: ``{errorMessage, errorType, …}`` as JSON.
    """

    def __init__(self, payload: bytes) -> None:
        super().__init__("the function failed")
        self.payload = payload


class Invoker(Protocol):
    """Calls a function and waits for its result."""

    async def invoke(
        self,
        uri: str,
        payload: bytes,
        *,
        source_arn: str | None,
        account_id: str,
        trace_id: str,
        request_id: str | None = None,
    ) -> bytes:
        """Invoke a function; see ``FunctionInvoker.invoke``."""


class FunctionInvoker:
    """Calls functions of this engine for HTTP and REST APIs."""

    def __init__(self, synchronous: SynchronousInvoker) -> None:
        self._synchronous = synchronous
        self._invoker = synchronous.invoker
        self._verdicts: dict[tuple[str, str, str, str], tuple[list[Any], bool]] = {}
        self._targets: dict[str, FunctionArn | None] = {}

    async def invoke(
        self,
        uri: str,
        payload: bytes,
        *,
        source_arn: str | None,
        account_id: str,
        trace_id: str,
        request_id: str | None = None,
    ) -> bytes:
        """Invoke a function.

        Args:
            uri: The integration's URI, stage variables already filled in.
            payload: The event as JSON.
            source_arn: ARN that the function's policy must allow; ``None``: do not ask the policy.
            account_id: Account of the API.
            trace_id: Value of ``X-Amzn-Trace-Id``.
            request_id: Id of the invocation; ``None``: a new one.

        Returns:
            The function's result as JSON.

        Raises:
            FunctionCallError: The function cannot be called, or failed.
        """
        target = self._target(uri)
        if target is None:
            LOG.warning("API Gateway: %s is no function ARN", uri)
            raise NotCallableError(f"{uri} is no function ARN")
        if len(payload) > MAX_EVENT_BYTES:
            raise EventTooLargeError("the event is larger than 6 MB")
        if source_arn is not None and not self._is_allowed(target, source_arn, account_id):
            LOG.warning(
                "API Gateway: the resource-based policy of function %s does not let "
                "apigateway.amazonaws.com invoke it for %s (lambda add-permission)",
                target.name,
                source_arn,
            )
            raise NotCallableError(f"the policy of {target.name} does not allow it")
        arn = target.unqualified
        try:
            result = await self._synchronous.invoke(
                self._invoker.find(arn, target.qualifier),
                Invocation(
                    request_id=request_id or new_request_id(),
                    payload=payload,
                    invoked_arn=f"{arn}:{target.qualifier}" if target.qualifier else arn,
                    trace_id=trace_id,
                ),
                Origin("HTTP request", source_arn or uri),
            )
        except (NoSuchFunctionError, NotReadyError, ThrottledError) as error:
            LOG.warning("API Gateway: invoking %s failed: %r", target.name, error)
            raise NotCallableError(f"invoking {target.name} failed") from None
        if result.is_error:
            raise FunctionFailedError(result.payload)
        return result.payload or b"null"

    def _target(self, uri: str) -> FunctionArn | None:
        if uri not in self._targets:
            if len(self._targets) > 10_000:  # URIs may be made of what a client sends
                self._targets.clear()
            self._targets[uri] = parse_lambda_uri(uri)
        return self._targets[uri]

    def _is_allowed(self, target: FunctionArn, source_arn: str, account_id: str) -> bool:
        settings = self._invoker.settings.get(target.unqualified)
        qualifier = target.qualifier or "$LATEST"
        statements = settings.policies.get(qualifier) if settings else None
        if not statements:
            return False
        key = (target.unqualified, qualifier, source_arn, account_id)
        known = self._verdicts.get(key)
        if known is None or known[0] is not statements:
            if len(self._verdicts) > 10_000:
                self._verdicts.clear()
            verdict = allows_invoke(statements, arn=source_arn, account_id=account_id)
            known = self._verdicts[key] = (statements, verdict)
        return known[1]


def new_request_id() -> str:
    """Id of an invocation."""
    # A UUID of version 4 (RFC 9562) without the class, which takes three times as long.
    digits = f"{random.getrandbits(128) & _VERSION_MASK | _VERSION_4:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
