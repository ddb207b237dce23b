"""Event source mappings of queues are driven by messages.

What: ``EsmWorkerFactory.get_esm_worker`` makes a worker of ours for queues;
``LambdaProvider.validate_event_source_mapping`` compares the time-outs of queue and function.
Why: LocalStack asks a queue at intervals, with a back-off of up to 10 s when it was empty, handles
one batch at a time, changes the spaces in a filtered body, and accepts a visibility time-out below
the function's. It never ends the deletion of a mapping that is disabled.
Until: LocalStack's poller waits for messages and has several batches in flight.
Test: ``tests/unit/plugin/test_sqs_patches.py::test_localstack_still_polls_at_intervals``.
"""

from __future__ import annotations

from typing import Any

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
from localstack.services.lambda_.event_source_mapping.esm_worker_factory import EsmWorkerFactory
from localstack.services.lambda_.provider import LambdaProvider
from localstack.services.lambda_.provider_utils import get_function_version_from_arn
from localstack.services.plugins import SERVICE_PLUGINS
from localstack.utils.event_matcher import matches_event
from localstack.utils.strings import long_uid

from trigger_stack.delivery.sqs.mapping import (
    MappingSettings,
    Reply,
    SqsMapping,
    ThrottledError,
)
from trigger_stack.localstack.lambda_engine.versions import INTERNAL
from trigger_stack.localstack.sqs.queue import InProcessQueue


class SqsWorker(EsmWorker):
    """The states of a mapping, as LocalStack keeps them, around its mapping."""

    def __init__(self, configuration: Any, enabled: bool) -> None:
        super().__init__(
            configuration,
            poller=None,  # type: ignore[arg-type]  # only LocalStack's own loop uses it
            enabled=enabled,
            user_state_reason=EsmStateReason.USER_INITIATED,
        )
        self._mapping = SqsMapping(
            MappingSettings.from_configuration(configuration),
            InProcessQueue(configuration["EventSourceArn"]),
            lambda payload: invoke(
                configuration["FunctionArn"], payload, configuration["EventSourceArn"]
            ),
            matches_event,
        )

    def poller_loop(self, *args: Any, **kwargs: Any) -> None:
        """Run the mapping until it is disabled or deleted."""
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

    def stop(self) -> None:
        """Disable the mapping: when this returns, it takes no further message."""
        super().stop()
        if self._poller_thread is not None:
            self._mapping.stop()

    def delete(self) -> None:
        """Delete the mapping: when this returns, it takes no further message."""
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

    def _is_current(self) -> bool:
        """Whether no update has put another worker in its place."""
        workers = SERVICE_PLUGINS.require("lambda")._provider.esm_workers
        return workers.get(self.uuid) is self


def invoke(function_arn: str, payload: bytes, source_arn: str) -> Reply:
    """Have a function handle an event of a queue, and wait for its end.

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
            user_agent=f"{INTERNAL}|batch of messages|{source_arn}",
        )
    except TooManyRequestsException as error:
        raise ThrottledError(str(error)) from None
    return Reply(bool(result.is_error), bytes(result.payload or b""))


def check_timeouts(configuration: Any, function_arn: str) -> None:
    """Refuse a queue whose messages reappear while the function still handles them.

    Raises:
        InvalidParameterValueException: As AWS words it.
    """
    visibility = InProcessQueue(configuration["EventSourceArn"]).visibility_timeout_s()
    timeout = get_function_version_from_arn(function_arn).config.timeout
    if visibility < timeout:
        raise InvalidParameterValueException(
            f"Invalid request provided: Queue visibility timeout: {visibility} seconds is less "
            f"than Function timeout: {timeout} seconds",
            Type="User",
        )


def install() -> None:
    """Have LocalStack make these workers. Idempotent."""
    original = EsmWorkerFactory.get_esm_worker
    validate = LambdaProvider.validate_event_source_mapping
    if getattr(original, "_trigger_stack", False):
        return

    def validate_event_source_mapping(provider: Any, context: Any, request: Any) -> Any:
        found = validate(provider, context, request)
        if ":sqs:" in (request.get("EventSourceArn") or ""):
            check_timeouts(request, found[0])
        return found

    def get_esm_worker(factory: EsmWorkerFactory) -> EsmWorker:
        if ":sqs:" in (factory.esm_config.get("EventSourceArn") or ""):
            return SqsWorker(factory.esm_config, factory.enabled)
        return original(factory)

    LambdaProvider.validate_event_source_mapping = validate_event_source_mapping  # type: ignore[method-assign]  # the patch
    get_esm_worker._trigger_stack = True  # type: ignore[attr-defined]  # a mark
    EsmWorkerFactory.get_esm_worker = get_esm_worker  # type: ignore[method-assign, assignment]  # the patch
