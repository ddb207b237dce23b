"""Messages of SNS topics reach their functions and queues, or are tried again.

What: a provider ``sns:retried`` (LocalStack's extension point ``localstack.aws.provider``), the
default: its own provider, with ``_publish`` of ``LambdaTopicPublisher``, ``SqsTopicPublisher``,
``SqsBatchTopicPublisher`` and ``HttpTopicPublisher`` replaced, and ``publish_to_topic`` and
``publish_batch_to_topic`` of ``PublishDispatcher`` asking first whether a FIFO topic had the
message; its
``_submit_notification`` sends an event for a function to the engine at once, has the publisher
answered when its endpoints have the message or the journal knows where it is, and a message
that no subscription gets is in the journal as discarded.
Why: LocalStack answers first and sends later, and tries once; when that fails and the subscription
has no dead-letter queue, a line at level INFO is all that is left of the message, and nothing when
it is killed between. It invokes a function by a request to itself. It leaves deduplication to FIFO
queues: a standard queue of a FIFO topic gets a message twice. The event of a message without a
subject is signed as if the subject were ``None``: no reader can verify it.
Until: LocalStack tries again as SNS does, has topics deduplicate, and signs as SNS does.
Test: ``tests/delivery/test_topics.py``, ``tests/delivery/test_placed.py``,
``tests/unit/plugin/test_topic_patches.py``.
"""

from __future__ import annotations

import copy
import functools
import hashlib
import importlib
import json
import logging
import threading
import uuid
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

from localstack import config
from localstack.aws.connect import connect_to
from localstack.runtime.hooks import on_infra_start
from localstack.services.edge import ROUTER
from localstack.services.plugins import Service, aws_provider
from localstack.utils.aws.arns import (
    extract_account_id_from_arn,
    extract_region_from_arn,
    sqs_queue_url_for_arn,
)

from trigger_stack.delivery.core.deduplication import Deduplication
from trigger_stack.delivery.core.deliverer import Deliverer, EndpointGoneError, Notification
from trigger_stack.delivery.core.delivery_policy import policy_of
from trigger_stack.delivery.core.in_order import InOrder
from trigger_stack.delivery.core.outcome import Outcome
from trigger_stack.delivery.core.topic_letters import event_of, with_reason
from trigger_stack.engine.supervisor import Reply
from trigger_stack.localstack import topic_http
from trigger_stack.localstack.lambda_engine.event_manager import accept, begin_to_accept
from trigger_stack.localstack.lambda_engine.outcomes import record
from trigger_stack.localstack.lambda_engine.versions import can_be_invoked
from trigger_stack.localstack.placing import answer_when_placed
from trigger_stack.wsgi_server.before_response import Form

LOG = logging.getLogger(__name__)

deliverer = Deliverer(record)
deduplication = Deduplication()
#: For queues, and functions that cannot be told at once.
_POOL = ThreadPoolExecutor(16, thread_name_prefix="topic-notifications")
_IN_ORDER = InOrder("topic-notifications-in-order")
_DUPLICATE = "duplicate: the topic had this MessageDeduplicationId within five minutes"
#: Topic attributes that name a role for logs of deliveries.
_FEEDBACK = ("feedbackrolearn", "feedback_role_arn")
_NO_QUEUE = "the subscription has no dead-letter queue: set its RedrivePolicy"


def publisher() -> Any:
    """LocalStack's module, loaded when the first topic is used."""
    return importlib.import_module("localstack.services.sns.publisher")


def _trace(context: Any) -> str | None:
    found = context.request_headers.get("X-Amzn-Trace-Id") if context.request_headers else None
    return str(found) if found else None


def is_duplicate(context: Any, message: Any, topic_arn: str) -> bool:
    """Whether a FIFO topic had a message; it is in the journal then. Others are never duplicates.

    AWS topic: Amazon SNS API reference, "CreateTopic", ``FifoThroughputScope``.
    """
    if not topic_arn.endswith(".fifo"):
        return False
    if not deduplication.is_repeated(topic_arn, _key(context, message)):
        return False
    _discard(context, message, topic_arn, _DUPLICATE)
    return True


def _discard(context: Any, message: Any, topic_arn: str, why: str) -> None:
    record(
        Outcome(
            "notification of a topic",
            topic_arn,
            "",
            "discarded",
            why,
            0,
            _text(message).encode("utf-8", "replace"),
            _trace(context),
            id=message.message_id,
        )
    )


def _key(context: Any, message: Any) -> Hashable:
    """What duplicates of a message have in common with it."""
    key: Hashable = message.message_deduplication_id or _content(message)
    per_group = context.topic_attributes.get("FifoThroughputScope") == "MessageGroup"
    return (message.message_group_id, key) if per_group else key


def _text(message: Any) -> str:
    """The body; of a message with a text for each protocol all of them."""
    body = message.message
    return body if isinstance(body, str) else json.dumps(body)


def _content(message: Any) -> str:
    return hashlib.sha256(_text(message).encode("utf-8", "replace")).hexdigest()


@contextmanager
def _withdrawing(context: Any, messages: list[Any], topic_arn: str) -> Iterator[None]:
    """A publisher that gets an error publishes again: then these are no duplicates."""
    try:
        yield
    except BaseException:
        for message in messages:
            deduplication.withdraw(topic_arn, _key(context, message))
        raise


def _deduplicate(dispatcher: Any) -> None:
    """Have a dispatcher give no duplicate to subscriptions."""
    publish, publish_batch = dispatcher.publish_to_topic, dispatcher.publish_batch_to_topic

    @functools.wraps(publish)
    def publish_once(self: Any, ctx: Any, topic_arn: str) -> None:
        if not is_duplicate(ctx, ctx.message, topic_arn):
            with (
                _withdrawing(ctx, [ctx.message], topic_arn),
                _discarding(ctx, [ctx.message], topic_arn),
            ):
                publish(self, ctx, topic_arn)

    @functools.wraps(publish_batch)
    def publish_batch_once(self: Any, ctx: Any, topic_arn: str) -> None:
        ctx = copy.copy(ctx)
        ctx.messages = [one for one in ctx.messages if not is_duplicate(ctx, one, topic_arn)]
        if ctx.messages:
            with (
                _withdrawing(ctx, ctx.messages, topic_arn),
                _discarding(ctx, ctx.messages, topic_arn),
            ):
                publish_batch(self, ctx, topic_arn)

    dispatcher.publish_to_topic = publish_once
    dispatcher.publish_batch_to_topic = publish_batch_once


class _Publishing(threading.local):
    """Ids of the messages of a thread's request that a subscription gets."""

    wanted: set[str] | None = None


_publishing = _Publishing()


@contextmanager
def _discarding(context: Any, messages: list[Any], topic_arn: str) -> Iterator[None]:
    """The journal has those messages that no subscription gets."""
    wanted: set[str] = set()
    _publishing.wanted = wanted
    try:
        yield
    finally:
        _publishing.wanted = None
    for message in messages:
        if message.message_id not in wanted:
            _discard(context, message, topic_arn, _why_unwanted(context, topic_arn))


def _why_unwanted(context: Any, topic_arn: str) -> str:
    subscriptions = publisher().get_topic_subscriptions(context.store, topic_arn)
    if not subscriptions:
        return "the topic has no subscription"
    endpoints = ", ".join(str(one.get("Endpoint")) for one in subscriptions)
    return f"FilterPolicy: no subscription lets it through (of {endpoints})"


def _to_function(publisher_: Any, context: Any, subscriber: Any) -> None:
    """Have the engine accept the event of a message."""
    endpoint = subscriber["Endpoint"]
    try:
        text, letter = _event_and_letter(publisher_, context, subscriber)
    except Exception as error:
        _refuse(context, subscriber, error)
        return
    # One id for all tries: the engine ignores an event that it knows.
    request_id, topic, trace_id = str(uuid.uuid4()), subscriber["TopicArn"], _trace(context)

    def send() -> None:
        if not can_be_invoked(endpoint):
            raise EndpointGoneError(f"there is no function {endpoint}")
        accept(endpoint, text, request_id=request_id, source=topic, trace_id=trace_id)

    def begin() -> Reply:
        return begin_to_accept(
            endpoint, text, request_id=request_id, source=topic, trace_id=trace_id
        )

    notification = _notification(context, subscriber, letter, send, {})
    if _is_quick(context, subscriber):
        _answer_when_placed(deliverer.begin(notification, begin))
    else:
        _hand_over(notification, subscriber, context.message)


def _event_and_letter(publisher_: Any, context: Any, subscriber: Any) -> tuple[bytes, str]:
    """The event for a function, and the text of its letter in a dead-letter queue.

    The event is made of the letter: LocalStack would sign both, and the event wrongly.
    """
    make = partial(
        publisher().create_sns_message_body,
        message_context=context.message,
        topic_attributes=context.topic_attributes,
    )
    if subscriber["TopicArn"].endswith(".fifo"):  # letters of these have no signature
        event = publisher_.prepare_message(context.message, subscriber, context.topic_attributes)
        return event.encode(), make(subscriber=subscriber)
    notification = make(subscriber={**subscriber, "RawMessageDelivery": "false"})
    is_raw = publisher().is_raw_message_delivery(subscriber)
    letter = make(subscriber=subscriber) if is_raw else notification
    return event_of(notification, subscriber["SubscriptionArn"]), letter


def _refuse(context: Any, subscriber: Any, error: Exception) -> None:
    """A message that cannot be brought into the form of an endpoint has its end."""
    LOG.error("A message of %s", subscriber["TopicArn"], exc_info=error)

    def send() -> None:
        raise EndpointGoneError(f"no event can be made of the message: {error!r}")

    notification = _notification(context, subscriber, _text(context.message), send, {})
    _hand_over(notification, subscriber, context.message)


def _is_quick(context: Any, subscriber: Any) -> bool:
    """Whether nobody has to wait: for a function that is there, without a log of deliveries."""
    logs = any(name.lower().endswith(_FEEDBACK) for name in context.topic_attributes or ())
    in_order = subscriber["TopicArn"].endswith(".fifo")
    return not logs and not in_order and can_be_invoked(subscriber["Endpoint"])


def _submit_at_once(dispatcher: Any) -> None:
    """Have a dispatcher call our publishers in the thread of the request: they hand over."""
    submit = dispatcher._submit_notification
    ours = tuple(owner for owner, _ in _publishers())

    @functools.wraps(submit)
    def submit_notification(self: Any, notifier: Any, ctx: Any, subscriber: Any) -> None:
        if _publishing.wanted is not None:
            messages = ctx.messages if hasattr(ctx, "messages") else [ctx.message]
            _publishing.wanted.update(one.message_id for one in messages)
        if isinstance(notifier, ours):
            if not ctx.topic_attributes:  # LocalStack leaves them out for messages of a batch
                topic = ctx.store.topics.get(subscriber["TopicArn"]) or {}
                ctx.topic_attributes = topic.get("attributes") or {}
            notifier._publish(context=ctx, subscriber=subscriber)
        else:
            submit(self, notifier, ctx, subscriber)

    dispatcher._submit_notification = submit_notification


def _hand_over(notification: Notification, subscriber: Any, message: Any) -> None:
    """Deliver in another thread; the publisher is answered when the message has a place."""
    deliver = partial(deliverer.deliver, notification)
    if notification.in_order:
        _IN_ORDER.submit((subscriber["SubscriptionArn"], message.message_group_id), deliver)
    else:
        _POOL.submit(deliver)
    _answer_when_placed(partial(deliverer.ensure_placed, notification))


def _answer_when_placed(ensure: Callable[[], None]) -> None:
    answer_when_placed(ensure, "InternalError", Form.QUERY)


def _to_queue(publisher_: Any, context: Any, subscriber: Any) -> None:
    """Send a message to a queue."""
    endpoint = subscriber["Endpoint"]
    try:
        body = publisher_.prepare_message(
            context.message, subscriber, topic_attributes=context.topic_attributes
        )
        arguments = publisher_.get_sqs_kwargs(msg_context=context.message, subscriber=subscriber)
        system = publisher().create_sqs_system_attributes(context.request_headers)
    except Exception as error:
        _refuse(context, subscriber, error)
        return

    def send() -> None:
        queues(endpoint, subscriber["TopicArn"]).send_message(
            QueueUrl=sqs_queue_url_for_arn(endpoint),
            MessageBody=body,
            MessageSystemAttributes=system,
            **arguments,
        )

    notification = _notification(context, subscriber, body, send, arguments)
    _hand_over(notification, subscriber, context.message)


def _to_http(publisher_: Any, context: Any, subscriber: Any) -> None:
    """Post a message to an HTTP endpoint."""
    if context.message.type != "Notification":  # a confirmation, which is not tried again
        _post_confirmation()(publisher_, context=context, subscriber=subscriber)
        return
    policies = subscriber.get("DeliveryPolicy"), context.topic_attributes.get("DeliveryPolicy")
    try:
        body = publisher_.prepare_message(
            context.message, subscriber, topic_attributes=context.topic_attributes
        )
        send = topic_http.sender(publisher_, context, subscriber, body)
    except Exception as error:
        _refuse(context, subscriber, error)
        return
    notification = _notification(context, subscriber, body, send, {})
    notification.pauses = policy_of(*policies).pause_after
    _hand_over(notification, subscriber, context.message)


@functools.cache
def _post_confirmation() -> Any:
    """LocalStack's own way to post; called before it is replaced."""
    return publisher().HttpTopicPublisher._publish


def _each_to_queue(publisher_: Any, context: Any, subscriber: Any) -> None:
    """Send the messages of a batch, each by itself: one that fails is no matter of the others."""
    for message in context.messages:
        one = publisher().SnsPublishContext(
            message=message,
            store=context.store,
            request_headers=context.request_headers,
            topic_attributes=context.topic_attributes,
        )
        _to_queue(publisher_, one, subscriber)


def _notification(
    context: Any, subscriber: Any, body: str, send: Any, arguments: dict[str, Any]
) -> Notification:
    policy = json.loads(subscriber.get("RedrivePolicy") or "{}")
    arn = policy.get("deadLetterTargetArn") or ""
    notification = Notification(
        kind="notification of a topic",
        source_arn=subscriber["TopicArn"],
        endpoint=subscriber["Endpoint"],
        body=body,
        send=send,
        dead_letter=None,
        dead_letter_arn=arn or _NO_QUEUE,
        ended=partial(_log_delivery, context, subscriber),
        trace_id=_trace(context),
        in_order=subscriber["TopicArn"].endswith(".fifo"),
    )
    if arn:
        letter = partial(_dead_letter, arn, body, arguments, notification.id)
        notification.dead_letter = letter
    return notification


def _dead_letter(
    arn: str, body: str, arguments: dict[str, Any], notification: str, error: str
) -> None:
    """Send a message to a subscription's dead-letter queue."""
    given = arguments.get("MessageAttributes") or {}
    queues(arn, arn).send_message(
        **{
            **arguments,
            "QueueUrl": sqs_queue_url_for_arn(arn),
            "MessageBody": body,
            "MessageAttributes": with_reason(given, notification, error),
        }
    )


def queues(arn: str, source: str) -> Any:
    """LocalStack's client for the queue with an ARN; SNS is who calls."""
    client: Any = connect_to(
        aws_access_key_id=extract_account_id_from_arn(arn), region_name=extract_region_from_arn(arn)
    ).sqs
    return client.request_metadata(source_arn=source, service_principal="sns")


def _log_delivery(context: Any, subscriber: Any, delivered: bool) -> None:
    publisher().store_delivery_log(
        context.message, subscriber, success=delivered, topic_attributes=context.topic_attributes
    )


def _publishers() -> tuple[tuple[Any, Callable[[Any, Any, Any], None]], ...]:
    """LocalStack's publishers whose ``_publish`` is replaced, and by what."""
    return (
        (publisher().LambdaTopicPublisher, _to_function),
        (publisher().SqsTopicPublisher, _to_queue),
        (publisher().SqsBatchTopicPublisher, _each_to_queue),
        (publisher().HttpTopicPublisher, _to_http),
    )


@on_infra_start(priority=800)
def choose_retried_topics() -> None:
    """Use this provider unless a setting names another one; add the route for redrives."""
    from trigger_stack.localstack.topic_routes import TopicRoutes

    ROUTER.add(TopicRoutes())
    config.SERVICE_PROVIDER_CONFIG.set_provider_if_not_exists("sns", "retried")


@aws_provider(api="sns", name="retried")
def sns() -> Service:
    """LocalStack's provider with publishers that try again."""
    from localstack.services.sns.provider import SnsProvider

    _post_confirmation()
    for owner, publish in _publishers():
        setattr(owner, "_publish", publish)  # noqa: B010  the patch
    _deduplicate(publisher().PublishDispatcher)
    _submit_at_once(publisher().PublishDispatcher)

    class Topics(SnsProvider):
        """LocalStack's provider; a topic that is deleted has no history."""

        def delete_topic(self, context: Any, topic_arn: str, **kwargs: Any) -> None:
            super().delete_topic(context, topic_arn, **kwargs)
            deduplication.forget(topic_arn)

    return Service.for_provider(Topics())
