"""Event source mappings of queues are driven by messages.

What: ``EsmWorkerFactory.get_esm_worker`` makes a worker of ours for queues;
``LambdaProvider.validate_event_source_mapping`` compares the time-outs of queue and function, and
refuses sources that nobody reads here, and settings that AWS refuses;
``update_event_source_mapping_v2`` answers with ``Updating``, and unsets what is updated to nothing.
Why: LocalStack asks a queue at intervals, with a back-off of up to 10 s when it was empty, handles
one batch at a time, changes the spaces in a filtered body, and accepts a visibility time-out below
the function's. It never ends the deletion of a mapping that is disabled. It keeps a mapping of
Kafka, Amazon MQ or DocumentDB, and answers 500. It checks no range, and an alias that is not there
is a 500.
Until: LocalStack's poller waits for messages and has several batches in flight.
Test: ``tests/unit/plugin/test_sqs_patches.py::test_localstack_still_polls_at_intervals``.
"""

from __future__ import annotations

import json
from typing import Any

from localstack.aws.api.lambda_ import InvalidParameterValueException
from localstack.services.lambda_.event_source_mapping.esm_worker import (
    EsmState,
    EsmStateReason,
    EsmWorker,
)
from localstack.services.lambda_.event_source_mapping.esm_worker_factory import EsmWorkerFactory
from localstack.services.lambda_.invocation.models import lambda_stores
from localstack.services.lambda_.provider import LambdaProvider
from localstack.services.lambda_.provider_utils import get_function_version_from_arn

from trigger_stack.delivery.core.event_pattern import matches
from trigger_stack.delivery.sqs.mapping import MappingSettings, SqsMapping
from trigger_stack.localstack.mapping_worker import (
    MappingWorker,
    check_settings,
    check_source,
    invoke,
)
from trigger_stack.localstack.sqs.queue import InProcessQueue
from trigger_stack_engine.invoke.recursion import merged
from trigger_stack_engine.invoke.tracing import LINEAGE

#: Settings that an update without this part of them unsets.
_UNSET = {"FilterCriteria": "Filters", "ScalingConfig": "MaximumConcurrency"}


def make_worker(configuration: Any, enabled: bool) -> MappingWorker:
    """The worker of a mapping of a queue."""
    source = configuration["EventSourceArn"]
    mapping = SqsMapping(
        MappingSettings.from_configuration(configuration),
        InProcessQueue(source),
        lambda payload: invoke(
            configuration["FunctionArn"], payload, source, trace_id=_lineage_of(payload)
        ),
        matches,
    )
    return MappingWorker(configuration, enabled, EsmStateReason.USER_INITIATED, mapping)


def _lineage_of(payload: bytes) -> str | None:
    """How often the messages' chains have invoked functions; the trace itself stays with each."""
    if LINEAGE.encode() not in payload:
        return None
    records = json.loads(payload)["Records"]
    return merged(record["attributes"].get("AWSTraceHeader") for record in records)


def check_timeouts(configuration: Any, function_arn: str) -> None:
    """Refuse a queue whose messages reappear while the function still handles them.

    Raises:
        InvalidParameterValueException: As AWS words it.
    """
    visibility = InProcessQueue(configuration["EventSourceArn"]).visibility_timeout_s()
    timeout = get_function_version_from_arn(function_arn).config.timeout
    if visibility < timeout:
        raise InvalidParameterValueException(
            f"Queue visibility timeout: {visibility} seconds is less than Function timeout:"
            f" {timeout} seconds",
            Type="User",
        )


def as_updated(request: Any, answer: Any, stored: Any) -> Any:
    """The answer to an update, and what is stored, without the settings that it has unset.

    AWS topic: Lambda API Reference, "UpdateEventSourceMapping": ``State`` in its example.

    Args:
        request: The update.
        answer: LocalStack's.
        stored: The mapping in LocalStack's store, which is changed.
    """
    for name, part in _UNSET.items():
        if name in request and not (request[name] or {}).get(part):
            stored.pop(name, None)
            answer = {key: value for key, value in answer.items() if key != name}
    if answer["State"] == EsmState.ENABLED:  # it was enabled, and was asked to be
        answer = {**answer, "State": EsmState.UPDATING}
    return answer


def install() -> None:
    """Have LocalStack make these workers. Idempotent."""
    original = EsmWorkerFactory.get_esm_worker
    validate = LambdaProvider.validate_event_source_mapping
    if getattr(original, "_trigger_stack", False):
        return

    def validate_event_source_mapping(provider: Any, context: Any, request: Any) -> Any:
        check_source(request)
        check_settings(context, request)
        found = validate(provider, context, request)
        if ":sqs:" in (request.get("EventSourceArn") or ""):
            check_timeouts(request, found[0])
        return found

    update = LambdaProvider.update_event_source_mapping_v2

    def update_event_source_mapping_v2(provider: Any, context: Any, request: Any) -> Any:
        answer = update(provider, context, request)
        mappings = lambda_stores[context.account_id][context.region].event_source_mappings
        return as_updated(request, answer, mappings.get(request["UUID"]) or {})

    def get_esm_worker(factory: EsmWorkerFactory) -> EsmWorker:
        if ":sqs:" in (factory.esm_config.get("EventSourceArn") or ""):
            return make_worker(factory.esm_config, factory.enabled)
        return original(factory)

    LambdaProvider.validate_event_source_mapping = validate_event_source_mapping  # type: ignore[method-assign]  # the patch
    LambdaProvider.update_event_source_mapping_v2 = update_event_source_mapping_v2  # type: ignore[method-assign, assignment]  # the patch
    get_esm_worker._trigger_stack = True  # type: ignore[attr-defined]  # a mark
    EsmWorkerFactory.get_esm_worker = get_esm_worker  # type: ignore[method-assign, assignment]  # the patch
