"""The worker of an event source mapping: LocalStack's states around a mapping of ours.

What: a subclass of LocalStack's ``EsmWorker``, which its Lambda provider starts, stops and deletes.
Why: LocalStack's loop polls at intervals, and never ends the deletion of a disabled mapping.
Until: see the modules that use it, ``sqs/mappings.py`` and ``streams/mappings.py``.
Test: ``tests/delivery/test_sqs.py::test_a_mapping_can_be_deleted_in_any_state``.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Protocol

from localstack.aws.api import CommonServiceException
from localstack.aws.api.lambda_ import (
    InvalidParameterValueException,
    InvocationType,
    TooManyRequestsException,
)
from localstack.services.lambda_.api_utils import function_locators_from_arn
from localstack.services.lambda_.event_source_mapping.esm_worker import (
    EsmState,
    EsmStateReason,
    EsmWorker,
)
from localstack.services.plugins import SERVICE_PLUGINS
from localstack.utils.strings import long_uid
from localstack.utils.xray.trace_header import TraceHeader

from trigger_stack.delivery.core.invocation import Reply, ThrottledError
from trigger_stack.localstack.changes import changes
from trigger_stack.localstack.lambda_engine.versions import INTERNAL, find_function
from trigger_stack.services import mapping_checks
from trigger_stack.services.constraints import violations

_TAKES = (EsmState.CREATING, EsmState.ENABLING, EsmState.ENABLED, EsmState.UPDATING)
#: LocalStack checks these itself, with the words of AWS's answers.
_CHECKED = frozenset({"FunctionName", "StartingPosition"})
#: Services that a mapping may read from here.
_SOURCES = ("sqs", "kinesis", "dynamodb")


def check_source(request: Any) -> None:
    """Refuse a source that nobody would read, before there is a mapping of it.

    Raises:
        InvalidParameterValueException: It is Kafka, Amazon MQ or DocumentDB.
    """
    arn = request.get("EventSourceArn") or ""
    named = "kafka" if "SelfManagedEventSource" in request else "".join(arn.split(":")[2:3])
    if named and named not in _SOURCES:
        raise InvalidParameterValueException(
            f"This stack reads no events from {named} ({arn or 'a self-managed event source'}):"
            " the sources of mappings are queues, Kinesis streams and DynamoDB streams",
            Type="User",
        )


def check_settings(context: Any, request: Any) -> None:
    """Refuse what AWS refuses, and LocalStack takes.

    Args:
        context: Of ``CreateEventSourceMapping`` or ``UpdateEventSourceMapping``.
        request: The mapping as it would be.

    Raises:
        CommonServiceException: A value is outside of its range.
        InvalidParameterValueException: Settings do not go together, or there is no such function,
            version or alias.
    """
    sent, shape = context.service_request, context.operation.input_shape
    if violation := violations(shape, sent, _CHECKED):
        raise CommonServiceException("ValidationException", violation, sender_fault=True)
    if refused := mapping_checks.refusal(request):
        raise InvalidParameterValueException(refused, Type="User")
    _check_function(context, request.get("FunctionName") or request.get("FunctionArn") or "")


def _check_function(context: Any, locator: str) -> None:
    name, qualifier, account, region = function_locators_from_arn(locator)
    function = find_function(
        account or context.account_id, region or context.region, name or locator
    )
    if function is None or not qualifier:
        return  # LocalStack says that there is none
    if qualifier not in {"$LATEST", *function.versions, *function.aliases}:
        raise InvalidParameterValueException("Function does not exist", Type="User")


class Mapping(Protocol):
    """A mapping while it is enabled."""

    def run(self) -> None:
        """Handle what comes until ``stop`` is called."""
        ...

    def stop(self) -> None:
        """Take no more; returns when nothing more can be taken."""
        ...


class MappingWorker(EsmWorker):
    """The states of a mapping, as LocalStack keeps them, around its mapping."""

    def __init__(
        self, configuration: Any, enabled: bool, reason: EsmStateReason, mapping: Mapping
    ) -> None:
        super().__init__(
            configuration,
            poller=None,  # type: ignore[arg-type]  # only LocalStack's own loop uses it
            enabled=enabled,
            user_state_reason=reason,
        )
        self._mapping = mapping

    def poller_loop(self, *args: Any, **kwargs: Any) -> None:
        """Run the mapping until it is disabled or deleted."""
        self.prepare()
        with self._state_lock:
            if not self._shutdown_event.is_set():
                self.current_state = EsmState.ENABLED
                self.update_esm_state_in_store(EsmState.ENABLED)
        self._mapping.run()
        with self._state_lock:
            if self.current_state == EsmState.DELETING:
                self.delete_esm_in_store()
            elif self.current_state == EsmState.DISABLING:
                self.current_state = EsmState.DISABLED
                if self._is_current():
                    self.update_esm_state_in_store(EsmState.DISABLED)

    def prepare(self) -> None:
        """Do what must be done before the mapping counts as enabled. Never raises."""

    def stop(self) -> None:
        """Disable the mapping: when this returns, it takes nothing more."""
        super().stop()
        if self._poller_thread is not None:
            self._mapping.stop()

    def delete(self) -> None:
        """Delete the mapping: when this returns, it takes nothing more."""
        with self._state_lock:
            disabled = self.current_state == EsmState.DISABLED
            super().delete()
        if self._poller_thread is not None:
            self._mapping.stop()
        if disabled:  # nothing runs that would delete it at its end
            self.delete_esm_in_store()

    def stop_for_shutdown(self) -> None:
        """End with LocalStack."""
        super().stop_for_shutdown()
        if self._poller_thread is not None:
            self._mapping.stop()

    def update_esm_state_in_store(self, new_state: EsmState) -> None:
        """Keep the state and its time; that a mapping takes nothing any longer is a change."""
        super().update_esm_state_in_store(new_state)
        mapping = self._state.event_source_mappings[self.uuid]
        mapping["LastModified"] = datetime.now(UTC)
        if new_state not in _TAKES:
            changes().count()

    def delete_esm_in_store(self) -> None:
        """Delete the mapping, which its operation only began."""
        super().delete_esm_in_store()
        changes().count()

    def _is_current(self) -> bool:
        """Whether no update has put another worker in its place."""
        workers = SERVICE_PLUGINS.require("lambda")._provider.esm_workers
        return workers.get(self.uuid) is self

    def _is_deleted(self) -> bool:
        """Whether the mapping is gone, also when an update had replaced this worker."""
        return self.uuid not in self._state.event_source_mappings


def invoke(
    function_arn: str,
    payload: bytes,
    source_arn: str,
    *,
    kind: str = "batch of messages",
    trace_id: str | None = None,
) -> Reply:
    """Have a function handle an event, and wait for its end.

    Args:
        function_arn: ARN, with a version or alias or without.
        payload: The event as JSON.
        source_arn: Where it comes from.
        kind: Of the event, for the journal.
        trace_id: ``X-Amzn-Trace-Id``.

    Raises:
        ThrottledError: It has no concurrency left.
    """
    name, qualifier, account, region = function_locators_from_arn(function_arn)
    service = SERVICE_PLUGINS.require("lambda")._provider.lambda_service
    try:
        result = service.invoke(
            function_name=name,
            qualifier=qualifier,
            region=region,
            account_id=account,
            invocation_type=InvocationType.RequestResponse,
            client_context=None,
            request_id=long_uid(),
            payload=payload,
            user_agent=f"{INTERNAL}|{kind}|{source_arn}",
            trace_context=_trace_context(trace_id),
        )
    except TooManyRequestsException as error:
        raise ThrottledError(str(error)) from None
    return Reply(
        bool(result.is_error),
        bytes(result.payload or b""),
        str(result.request_id),
        result.executed_version,
    )


def _trace_context(trace_id: str | None) -> dict[str, Any]:
    return {"aws_trace_header": TraceHeader.from_header_str(trace_id)} if trace_id else {}
