"""Invokes the targets of EventBridge Scheduler.

What: no patch. A function's event goes to the engine, all else through LocalStack's internal
clients, in the account of the schedule.
Why: LocalStack stores schedules and never fires them.
Until: LocalStack fires schedules.
Test: ``tests/delivery/test_scheduler_targets.py``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, override

from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError
from localstack.aws.connect import connect_to
from localstack.utils.aws.arns import sqs_queue_url_for_arn

from trigger_stack.delivery.rules.delivery import Deliverer, Delivery, dead_letter
from trigger_stack.delivery.schedules.delivery import Source, tick
from trigger_stack.localstack.events.target_sender import invoke, send_message
from trigger_stack.localstack.execution_roles import execution_roles
from trigger_stack.localstack.lambda_engine.outcomes import record
from trigger_stack.services.scheduler.universal import PREFIX, action, operation

#: The retry policy of the schedule counts, not the one of the client.
_ONE_TRY = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=60)
#: For universal targets: ``lambda:invoke`` ends with the function.
_POOL = ThreadPoolExecutor(16, thread_name_prefix="universal-targets")

PRINCIPAL = "scheduler.amazonaws.com"
#: What the execution role must allow (User Guide, "Using templated targets").
_ACTIONS = {
    "events": "events:PutEvents",
    "kinesis": "kinesis:PutRecord",
    "lambda": "lambda:InvokeFunction",
    "sns": "sns:Publish",
    "sqs": "sqs:SendMessage",
}

#: Takes the schedule, its input as this try has it, the trace, and the id of an invocation.
type Call = Callable[[Source, str, Any, str], None]


def _client(source: Source, service: str, trace_header: Any) -> Any:
    """LocalStack's client of a service, in the account of the schedule."""
    _, _, _, region, account, _ = source.rule_arn.split(":", 5)
    region = source.arn.split(":")[3] or region
    clients: Any = connect_to(aws_access_key_id=account, region_name=region, config=_ONE_TRY)
    client = clients.get_client(service).request_metadata(
        source_arn=source.rule_arn, service_principal="scheduler"
    )
    return client.custom_headers({"X-Amzn-Trace-Id": trace_header.to_header_str()})


def _to_function(source: Source, given: str, trace_header: Any, request_id: str) -> None:
    invoke(source.arn, given.encode(), source.rule_arn, trace_header, request_id)


def _to_queue(source: Source, given: str, trace_header: Any, _: str) -> None:
    _client(source, "sqs", trace_header).send_message(
        QueueUrl=sqs_queue_url_for_arn(source.arn),
        MessageBody=given,
        **(source.target.get("SqsParameters") or {}),
    )


def _to_topic(source: Source, given: str, trace_header: Any, _: str) -> None:
    client = _client(source, "sns", trace_header)
    client.publish(TopicArn=source.arn, Message=given)


def _to_bus(source: Source, given: str, trace_header: Any, _: str) -> None:
    entry = {
        "EventBusName": source.arn.rpartition("/")[2],
        "Detail": given,
        "Resources": [source.rule_arn],
        "Time": source.scheduled,
        **source.target["EventBridgeParameters"],
    }
    answer = _client(source, "events", trace_header).put_events(Entries=[entry])
    if answer["FailedEntryCount"]:
        (failed,) = answer["Entries"]
        error = failed.get("ErrorMessage", "")
        raise ClientError({"Error": {"Code": failed["ErrorCode"], "Message": error}}, "PutEvents")


def _to_stream(source: Source, given: str, trace_header: Any, _: str) -> None:
    _client(source, "kinesis", trace_header).put_record(
        StreamARN=source.arn,
        Data=given.encode(),
        PartitionKey=source.target["KinesisParameters"]["PartitionKey"],
    )


def _to_anything(source: Source, given: str, trace_header: Any, _: str) -> None:
    service, name = operation(source.arn)
    call = getattr(_client(source, service, trace_header), xform_name(name))
    call(**json.loads(given))


_CALLS: dict[str, Call] = {
    "events": _to_bus,
    "kinesis": _to_stream,
    "lambda": _to_function,
    "scheduler": _to_anything,
    "sns": _to_topic,
    "sqs": _to_queue,
}


def _check_permission(source: Source, arn: str) -> None:
    """Check that the execution role may call a target, or send to a dead-letter queue.

    Of a universal target the action is checked, for whatever resource the role allows it: which one
    the input names is for the service to know.

    Raises:
        ClientError: It may not.
    """
    role = source.target.get("RoleArn")  # a dead letter of a deleted schedule has none
    if role is None:
        return
    is_universal = arn.startswith(PREFIX)
    needed = action(arn) if is_universal else _ACTIONS[arn.split(":")[2]]
    resource = None if is_universal else arn
    if problem := execution_roles().why_not_allowed(role, (needed,), resource, source.rule_arn):
        answer: Any = {"Error": {"Code": "AccessDeniedException", "Message": problem}}
        raise ClientError(answer, needed.partition(":")[2])


def send(delivery: Delivery) -> None:
    """Invoke the target of a schedule, once.

    Raises:
        Exception: What the target's service answers, or that the execution role lets Scheduler
            not do it.
    """
    source: Source = delivery.sender
    _check_permission(source, source.arn)
    call = _CALLS[source.arn.split(":")[2]]
    call(source, delivery.content()["input"], delivery.trace_header, delivery.request_id)


class _Deliverer(Deliverer):
    """Has an operation that may take its time wait for in a thread of its own."""

    @override
    def attempt(self, delivery: Delivery) -> None:
        if delivery.sender.arn.startswith(PREFIX):
            _POOL.submit(super().attempt, delivery)
        else:
            super().attempt(delivery)


def _dead_letter(delivery: Delivery, code: str, message: str, condition: str) -> None:
    """Send the input to the dead-letter queue, when the execution role lets Scheduler do it."""

    def send_if_allowed(queue_arn: str, body: str, attributes: dict[str, Any]) -> None:
        _check_permission(delivery.sender, queue_arn)
        send_message(queue_arn, body, attributes)

    dead_letter(send_if_allowed, record, delivery, code, message, condition)


deliverer = _Deliverer(send, _dead_letter, record)


def deliver(source: Source, trace_header: Any) -> None:
    """Invoke the target of a schedule; each failure ends in a retry or has its end."""
    deliverer.deliver_recorded(tick(source, trace_header, time.monotonic))
