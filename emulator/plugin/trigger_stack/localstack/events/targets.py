"""Targets get the input that EventBridge gives them.

What: ``TargetSender.transform_event_with_target_input_transformer`` fills in a template by
``trigger_stack.delivery.rules.templates``; ``to_json_str`` in LocalStack's module of targets leaves
text of several lines as it is; ``send`` replaces ``send_event`` of ``KinesisTargetSender`` and
``StatesTargetSender``, which look for the event's id in what the target gets.
Why: LocalStack drops an event whose values have quotes or line breaks, one with a number in quotes,
and all with ``Input``, ``InputPath`` or ``InputTransformer`` for a stream; 0, false, [] and {}
become an empty text; a template that is no object loses its first and last character. Two targets
that are the same state machine get one execution for both, or an error.
Until: LocalStack's ``replace_template_placeholders`` and these two senders do that.
Test: ``tests/unit/plugin/test_event_targets.py``.
"""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError
from localstack.services.events import target as localstack_targets
from localstack.services.events.target import (
    EventsTargetSender,
    KinesisTargetSender,
    StatesTargetSender,
    TargetSender,
)
from localstack.services.events.utils import to_json_str

from trigger_stack.delivery.core.json_paths import MISSING, text_of
from trigger_stack.delivery.rules.delivery import Delivery
from trigger_stack.delivery.rules.templates import Lines, render, value_at
from trigger_stack.localstack.events import http_targets


def as_text(obj: Any, separators: tuple[str, str] | None = (",", ":")) -> str:
    """A target's input as text: JSON, or the lines that it is."""
    return str(obj) if isinstance(obj, Lines) else to_json_str(obj, separators)


def send(delivery: Delivery, ready: Any) -> None:
    """Hand a target its input.

    Args:
        delivery: Has the event as it was before its transformation, from which Kinesis gets the
            partition key.
        ready: The target's input.

    Raises:
        Exception: Whatever the target's service answers.
    """
    sender = delivery.sender
    http_targets.check_form(delivery, ready)
    if isinstance(sender, EventsTargetSender):
        http_targets.put_on_bus(delivery, ready)
    elif isinstance(sender, KinesisTargetSender):
        sender.client.put_record(
            StreamName=sender.target["Arn"].split("/")[-1],
            Data=as_text(ready).encode(),
            PartitionKey=partition_key(delivery),
        )
    elif isinstance(sender, StatesTargetSender):
        _start_execution(delivery, ready)
    else:
        sender.send_event(ready, delivery.trace_header)


def partition_key(delivery: Delivery) -> str:
    """The partition key of an event: what ``PartitionKeyPath`` leads to in it, or else its id.

    AWS topic: EventBridge User Guide, "Dynamic path parameters": they refer to the original event.

    Raises:
        EventNotDeliverableError: It is no path.
    """
    path = (delivery.sender.target.get("KinesisParameters") or {}).get("PartitionKeyPath") or "$.id"
    found = value_at(path, delivery.event)
    key = "" if found is MISSING or found is None else text_of(found)
    return key or str(delivery.event.get("id") or delivery.id)


def _start_execution(delivery: Delivery, ready: Any) -> None:
    sender = delivery.sender
    sender.service = "stepfunctions"
    try:
        sender.client.start_execution(
            stateMachineArn=sender.target["Arn"],
            # The same for each try, another for each rule and target.
            name=f"{delivery.event.get('id', '')}_{delivery.id}",
            input=as_text(ready),
        )
    except ClientError as error:
        # Nothing else has the name: an earlier try started it, whose answer got lost.
        if error.response["Error"]["Code"] != "ExecutionAlreadyExists":
            raise


def install() -> None:
    """Patch LocalStack's target senders."""

    def transform(sender: TargetSender, input_transformer: Any, event: Any) -> Any:
        return render(
            input_transformer["InputTemplate"],
            input_transformer.get("InputPathsMap") or {},
            event,
            sender.rule_arn,
            sender.rule_name,
        )

    TargetSender.transform_event_with_target_input_transformer = transform  # type: ignore[method-assign, assignment]  # the patch
    localstack_targets.to_json_str = as_text
