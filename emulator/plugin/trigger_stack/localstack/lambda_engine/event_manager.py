"""Asynchronous invocations go to the engine.

What: ``LambdaService`` makes a ``LambdaEventManager`` for each version. That name is replaced in
its module.
Why: LocalStack puts these events into a queue in memory that a thread polls for each version, and
invokes through an HTTP request to itself; an exception on the way loses the event, and with a
reserved concurrency of 0 there always is one when a dead-letter queue is configured.
Until: LocalStack has an extension point for asynchronous invocations.
Test: ``tests/engine/test_patches.py::test_asynchronous_events_go_to_the_engine``.
"""

from __future__ import annotations

import base64
from typing import Any

from localstack.aws.api.lambda_ import ServiceException
from localstack.services.lambda_.api_utils import function_locators_from_arn
from localstack.services.lambda_.invocation.lambda_models import Invocation

from trigger_stack.engine.supervisor import EngineUnavailableError, Reply
from trigger_stack.localstack.lambda_engine.source import current_source
from trigger_stack.wsgi_server.before_response import (
    NotDoneError,
    answered_path,
    wait_before_response,
)
from trigger_stack_engine.wire import Header, RemoteError

#: Of requests whose answer says that an event was accepted.
_INVOKE_PATHS = (b"/invocations", b"/invoke-async", b"/invoke-async/")


class EngineEventManager:
    """Hands events to the engine, which has them in its journal when ``enqueue_event`` returns."""

    def __init__(self, version_manager: Any) -> None:
        self.version_manager = version_manager

    def start(self) -> None:
        """Nothing to do: the engine has one queue for each function."""

    def stop(self) -> None:
        """Nothing to do: what is accepted is handled."""

    def stop_for_update(self) -> None:
        """Nothing to do: an update changes nothing for events that wait."""

    def enqueue_event(self, invocation: Invocation) -> None:
        """Accept an event; the request that asks for it is answered when it is accepted.

        Raises:
            ServiceException: It was not accepted.
        """
        trace = (invocation.trace_context or {}).get("aws_trace_header")
        encoded = invocation.client_context
        try:
            reply = begin_to_accept(
                invocation.invoked_arn,
                invocation.payload,
                request_id=invocation.request_id,
                source=current_source(),
                trace_id=trace.to_header_str() if trace is not None else None,
                client_context=base64.b64decode(encoded).decode() if encoded else None,
            )
            if not (answered_path() or b"").endswith(_INVOKE_PATHS):
                reply()
                return
        except (EngineUnavailableError, RemoteError) as error:
            raise ServiceException(_not_accepted(error)) from None

        def wait() -> None:
            try:
                reply()
            except (EngineUnavailableError, RemoteError) as error:
                raise NotDoneError("ServiceException", _not_accepted(error)) from None

        wait_before_response(wait)


def _not_accepted(error: Exception) -> str:
    return f"The event was not accepted: {error}"


def accept(
    function_arn: str,
    payload: bytes,
    *,
    request_id: str,
    source: str,
    trace_id: str | None,
    client_context: str | None = None,
) -> None:
    """Have the engine accept an event; it is in the journal when this returns.

    Args:
        function_arn: ARN, with a version or alias or without.
        payload: The event as JSON.
        request_id: Id of the invocation.
        source: ARN or name of where the event comes from.
        trace_id: ``X-Amzn-Trace-Id``.
        client_context: As JSON.

    Raises:
        EngineUnavailableError: The engine ended before it answered.
        RemoteError: The event could not be recorded.
    """
    begin_to_accept(
        function_arn,
        payload,
        request_id=request_id,
        source=source,
        trace_id=trace_id,
        client_context=client_context,
    )()


def begin_to_accept(
    function_arn: str,
    payload: bytes,
    *,
    request_id: str,
    source: str,
    trace_id: str | None,
    client_context: str | None = None,
) -> Reply:
    """Begin what ``accept`` does, and takes.

    Returns:
        What waits until the event is in the journal, and must be called once. It raises what
        ``accept`` raises.

    Raises:
        EngineUnavailableError: There is no engine; nothing was sent.
    """
    from trigger_stack.localstack.lambda_engine.control_plane import control_plane

    header = _header(function_arn, request_id, source, trace_id, client_context)
    return control_plane().begin(header, payload)


def _header(
    function_arn: str,
    request_id: str,
    source: str,
    trace_id: str | None,
    client_context: str | None,
) -> Header:
    name, qualifier, account, region = function_locators_from_arn(function_arn)
    return {
        "op": "accept",
        "arn": f"arn:aws:lambda:{region}:{account}:function:{name}",
        "qualifier": qualifier,
        "invoked_arn": function_arn,
        "request_id": request_id,
        "trace_id": trace_id,
        "client_context": client_context,
        "source": source,
    }
