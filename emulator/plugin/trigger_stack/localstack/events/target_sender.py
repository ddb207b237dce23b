"""Delivers to targets with their ``RetryPolicy`` and ``DeadLetterConfig``.

What: ``TargetSender.process_event`` is replaced, through which every rule and schedule delivers.
Why: LocalStack tries once and writes an INFO line when that fails; the event is lost. It asks no
policy, neither of the target nor of the role.
Until: LocalStack retries and dead-letters by itself.
Test: ``tests/unit/plugin/test_event_delivery.py::test_localstack_still_drops_failed_events``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from botocore.exceptions import ClientError
from localstack.aws.connect import connect_to
from localstack.services.events.target import LambdaTargetSender, TargetSender
from localstack.utils.aws.arns import (
    extract_account_id_from_arn,
    extract_region_from_arn,
    sqs_queue_url_for_arn,
)

from trigger_stack.delivery.core.json_paths import MISSING
from trigger_stack.delivery.rules import templates
from trigger_stack.delivery.rules.delivery import (
    Deliverer,
    Delivery,
    EventNotDeliverableError,
    dead_letter,
)
from trigger_stack.localstack.events import permissions, targets
from trigger_stack.localstack.lambda_engine.event_manager import begin_to_accept
from trigger_stack.localstack.lambda_engine.outcomes import record
from trigger_stack.localstack.lambda_engine.versions import can_be_invoked
from trigger_stack.localstack.placing import answer_when_placed

#: For targets other than functions: an API destination may take seconds.
_POOL = ThreadPoolExecutor(32, thread_name_prefix="rule-targets")


def transformed(sender: Any, event: dict[str, Any]) -> Any:
    """The event as the target asks for it: ``Input``, ``InputPath`` or ``InputTransformer``.

    Raises:
        EventNotDeliverableError: nothing is left of it, or it cannot be brought into that form.
    """
    target = sender.target
    if text := target.get("Input"):
        return templates.fixed(text)
    result: Any = {key: value for key, value in event.items() if key != "event-bus-name"}
    if path := target.get("InputPath"):
        result = templates.value_at(path, result)
    elif transformer := target.get("InputTransformer"):
        made = sender.transform_event_with_target_input_transformer(transformer, result)
        result = MISSING if made is None else made
    if result is MISSING:
        raise EventNotDeliverableError(
            "the target's input path or input template gives nothing for this event"
        )
    return result


def send(delivery: Delivery) -> None:
    """Hand one event to its target, once.

    Raises:
        Exception: whatever the target's service answers.
    """
    begin(delivery)()


def begin(delivery: Delivery) -> Callable[[], object]:
    """Begin to hand one event to its target; for a function it is the engine that is waited for.

    Returns:
        What waits until the target has it, and must be called once. It raises what ``send`` raises.

    Raises:
        Exception: as ``send``.
    """
    sender, trace_header = delivery.sender, delivery.trace_header
    permissions.check(sender.arn, sender.rule_arn, sender.target.get("RoleArn"))
    ready = transformed(sender, delivery.content())
    if isinstance(sender, LambdaTargetSender):
        if isinstance(ready, templates.Lines):
            raise EventNotDeliverableError(
                "a function takes JSON only, and the input template gives several lines of text"
            )
        payload = targets.as_text(ready).encode()
        what = (sender.arn, payload, sender.rule_arn, trace_header, delivery.request_id)
        return begin_to_invoke(*what)
    return functools.partial(targets.send, delivery, ready)


def invoke(
    function_arn: str, payload: bytes, source: str, trace_header: Any, request_id: str
) -> None:
    """Do what ``begin_to_invoke`` begins, and takes; raises what both of its parts raise."""
    begin_to_invoke(function_arn, payload, source, trace_header, request_id)()


def begin_to_invoke(
    function_arn: str, payload: bytes, source: str, trace_header: Any, request_id: str
) -> Callable[[], object]:
    """Have the engine accept an event, without a request to LocalStack.

    Args:
        function_arn: ARN, with a version or alias or without.
        payload: The event as JSON.
        source: ARN of the rule or schedule.
        trace_header: Of the event, or None.
        request_id: An event with an id that the engine knows is not accepted again.

    Returns:
        What waits until it is accepted, and must be called once. It raises
        EngineUnavailableError or RemoteError.

    Raises:
        ClientError: There is no such function.
        EngineUnavailableError: There is no engine.
    """
    if not can_be_invoked(function_arn):
        message = f"Function not found: {function_arn}"
        answer: Any = {
            "Error": {"Code": "ResourceNotFoundException", "Message": message},
            "ResponseMetadata": {"HTTPStatusCode": 404},
        }
        raise ClientError(answer, "Invoke")
    return begin_to_accept(
        function_arn,
        payload,
        request_id=request_id,
        source=source,
        trace_id=trace_header.to_header_str() if trace_header else None,
    )


def send_message(queue_arn: str, body: str, attributes: dict[str, Any]) -> None:
    """Send a message to the queue with this ARN, in its own account and region."""
    client = connect_to(
        aws_access_key_id=extract_account_id_from_arn(queue_arn),
        region_name=extract_region_from_arn(queue_arn),
    ).sqs
    client.send_message(
        QueueUrl=sqs_queue_url_for_arn(queue_arn), MessageBody=body, MessageAttributes=attributes
    )


def _dead_letter(delivery: Delivery, code: str, message: str, condition: str) -> None:
    """Send an event to the target's dead-letter queue, when its policy lets EventBridge in."""

    def send_if_allowed(queue_arn: str, body: str, attributes: dict[str, Any]) -> None:
        permissions.check(queue_arn, delivery.sender.rule_arn)
        send_message(queue_arn, body, attributes)

    dead_letter(send_if_allowed, record, delivery, code, message, condition)


deliverer = Deliverer(send, _dead_letter, record)


def hand_over(sender: Any, event: dict[str, Any], trace_header: Any) -> None:
    """Deliver an event; the request that this thread answers ends when the event has a place."""
    delivery = deliverer.new(sender, event, trace_header)
    if isinstance(sender, LambdaTargetSender):
        ensure = deliverer.begin(delivery, begin)
    else:
        _POOL.submit(deliverer.attempt, delivery)
        ensure = functools.partial(deliverer.ensure_placed, delivery)
    answer_when_placed(ensure, "InternalException")


def install() -> None:
    """Patch LocalStack's target senders."""

    def process_event(sender: Any, event: dict[str, Any], trace_header: Any) -> None:
        deliverer.deliver(sender, event, trace_header)

    TargetSender.process_event = process_event  # type: ignore[method-assign, assignment]  # the patch
