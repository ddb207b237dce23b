"""Notifications of buckets reach their functions, queues, topics and buses, or are tried again.

What: ``notify`` of LocalStack's four notifiers is replaced, and
``NotificationDispatcher._submit_notification``: an event for a function is sent to the engine at
once, others are sent by threads of our own, and the upload is answered when each has a place. What
an event says is in ``events.py``, what a bucket takes in ``configurations.py``.
Why: LocalStack answers first and sends later: what is killed between loses the event. It sends a
request to itself, and when that fails writes a line into its log: the event is lost, too. It asks
no resource policy. It has three threads for all events of all buckets.
Until: LocalStack tries again.
Test: ``tests/delivery/test_s3_notifications.py``, ``tests/delivery/test_placed.py``.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

from localstack.aws.connect import connect_to
from localstack.services.s3.notifications import (
    EventBridgeNotifier,
    LambdaNotifier,
    NotificationDispatcher,
    SnsNotifier,
    SqsNotifier,
)
from localstack.utils.aws.arns import parse_arn, s3_bucket_arn, sqs_queue_url_for_arn

from trigger_stack.delivery.core.deliverer import Deliverer, EndpointRefusesError, Notification
from trigger_stack.delivery.core.in_order import InOrder
from trigger_stack.engine.supervisor import Reply
from trigger_stack.localstack.lambda_engine.event_manager import accept, begin_to_accept
from trigger_stack.localstack.lambda_engine.outcomes import record
from trigger_stack.localstack.placing import answer_when_placed
from trigger_stack.localstack.resource_policies import resource_policies
from trigger_stack.localstack.s3 import configurations, events
from trigger_stack.wsgi_server.before_response import Form

deliverer = Deliverer(record)
#: For endpoints other than functions: two events of one request come in their order, too.
_IN_ORDER = InOrder("bucket-notifications")
_NO_QUEUE = "notifications of a bucket have no dead-letter queue: send them through a queue"


def _notification(ctx: Any, endpoint: str, body: str, send: Callable[[], None]) -> Notification:
    return Notification(
        kind="notification of a bucket",
        source_arn=_bucket(ctx),
        endpoint=endpoint,
        body=body,
        send=send,
        dead_letter=None,
        dead_letter_arn=_NO_QUEUE,
        trace_id=ctx.xray,
    )


def _hand_over(notification: Notification) -> None:
    """Deliver in another thread; the upload is answered when the event has a place."""
    key = (notification.source_arn, notification.endpoint)
    _IN_ORDER.submit(key, partial(deliverer.deliver, notification))
    _answer_when_placed(partial(deliverer.ensure_placed, notification))


def _answer_when_placed(ensure: Callable[[], None]) -> None:
    answer_when_placed(ensure, "InternalError", Form.REST_XML)


def _bucket(ctx: Any) -> str:
    return s3_bucket_arn(ctx.bucket_name, region=ctx.region)


def _why_not(ctx: Any, endpoint: str) -> str | None:
    """Why S3 may not hand an event to an endpoint; None when it may."""
    source = f"arn:aws:s3:::{ctx.bucket_name}"
    return resource_policies().why_not(
        configurations.PRINCIPAL, endpoint, source, ctx.bucket_account_id
    )


def _check_permission(ctx: Any, endpoint: str) -> None:
    """Whether an endpoint's policy lets S3 in.

    Raises:
        EndpointRefusesError: It does not.
    """
    if problem := _why_not(ctx, endpoint):
        raise EndpointRefusesError(problem)


def _client(ctx: Any, arn: str, service: str) -> Any:
    parts = parse_arn(arn)
    clients = connect_to(aws_access_key_id=parts["account"], region_name=parts["region"])
    client: Any = getattr(clients, service)
    return client.request_metadata(source_arn=_bucket(ctx), service_principal="s3")


def _to_function(notifier: LambdaNotifier, ctx: Any, config: Any) -> None:
    """Have the engine accept the event before the upload is answered."""
    body = json.dumps(notifier._get_event_payload(ctx, config.get("Id")))
    endpoint = config["LambdaFunctionArn"]
    # One id for all tries: the engine ignores an event that it knows.
    request_id, source = str(uuid.uuid4()), _bucket(ctx)

    def send() -> None:
        _check_permission(ctx, endpoint)
        accept(endpoint, body.encode(), request_id=request_id, source=source, trace_id=ctx.xray)

    def begin() -> Reply:
        return begin_to_accept(
            endpoint, body.encode(), request_id=request_id, source=source, trace_id=ctx.xray
        )

    notification = _notification(ctx, endpoint, body, send)
    if _why_not(ctx, endpoint):
        _hand_over(notification)
        return
    _answer_when_placed(deliverer.begin(notification, begin))


def _to_queue(notifier: SqsNotifier, ctx: Any, config: Any) -> None:
    body, endpoint = (
        json.dumps(notifier._get_event_payload(ctx, config.get("Id"))),
        config["QueueArn"],
    )
    trace = {"AWSTraceHeader": {"DataType": "String", "StringValue": ctx.xray}}

    def send() -> None:
        _check_permission(ctx, endpoint)
        _client(ctx, endpoint, "sqs").send_message(
            QueueUrl=sqs_queue_url_for_arn(endpoint),
            MessageBody=body,
            MessageSystemAttributes=trace if ctx.xray else {},
        )

    _hand_over(_notification(ctx, endpoint, body, send))


def _to_topic(notifier: SnsNotifier, ctx: Any, config: Any) -> None:
    body, endpoint = (
        json.dumps(notifier._get_event_payload(ctx, config.get("Id"))),
        config["TopicArn"],
    )

    def send() -> None:
        _check_permission(ctx, endpoint)
        client = _client(ctx, endpoint, "sns")
        client.publish(TopicArn=endpoint, Message=body, Subject="Amazon S3 Notification")

    _hand_over(_notification(ctx, endpoint, body, send))


def _to_bus(notifier: EventBridgeNotifier, ctx: Any, config: Any) -> None:
    entry: Any = notifier._get_event_payload(ctx)
    bus = f"arn:aws:events:{ctx.bucket_location}:{ctx.bucket_account_id}:event-bus/default"

    def send() -> None:
        answer = _client(ctx, bus, "events").put_events(Entries=[entry])
        if answer["FailedEntryCount"]:
            raise OSError(f"the bus refused it: {answer['Entries'][0]}")

    _hand_over(_notification(ctx, bus, json.dumps(entry, default=str), send))


def install() -> None:
    """Patch LocalStack's notifiers."""
    events.install()
    configurations.install()

    def submit_notification(_: Any, notifier: Any, ctx: Any, config: Any) -> None:
        notifier.notify(ctx, config)

    NotificationDispatcher._submit_notification = submit_notification  # type: ignore[method-assign]  # the patch
    for owner, notify in (
        (LambdaNotifier, _to_function),
        (SqsNotifier, _to_queue),
        (SnsNotifier, _to_topic),
        (EventBridgeNotifier, _to_bus),
    ):
        setattr(owner, "notify", notify)  # noqa: B010  the patch
