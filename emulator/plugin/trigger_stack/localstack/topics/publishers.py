"""Messages of SNS topics reach functions, queues and HTTP endpoints, or are tried again.

What: ``_publish`` of ``LambdaTopicPublisher``, ``SqsTopicPublisher``, ``SqsBatchTopicPublisher``
and ``HttpTopicPublisher`` is replaced, and that of the others wrapped. An event for a function is
sent to the engine at once, all else by another thread; the publisher is answered when the endpoint
has the message or the journal knows where it is.
Why: LocalStack answers first and sends later, and tries once; when that fails and the subscription
has no dead-letter queue, a line at level INFO is all that is left of the message, and nothing when
it is killed between. It asks no resource policy. It invokes a function by a request to itself. The
event of a message without a subject is signed as if the subject were ``None``: no reader can verify
it.
Until: LocalStack tries again as SNS does, and signs as SNS does.
Test: ``tests/delivery/test_topics.py``, ``tests/delivery/test_placed.py``,
``tests/delivery/test_resource_policies.py``, ``tests/unit/plugin/test_topic_patches.py``.
"""

from __future__ import annotations

import functools
import json
import logging
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from localstack.aws.connect import connect_to
from localstack.utils.aws.arns import (
    extract_account_id_from_arn,
    extract_region_from_arn,
    sqs_queue_url_for_arn,
)

from trigger_stack.delivery.core.deliverer import (
    Deliverer,
    EndpointRefusesError,
    Notification,
    pause_after_customer_managed,
)
from trigger_stack.delivery.core.delivery_policy import policy_of
from trigger_stack.delivery.core.in_order import InOrder
from trigger_stack.delivery.core.topic_letters import MOST_ATTRIBUTES, event_of, with_reason
from trigger_stack.engine.supervisor import Reply
from trigger_stack.localstack.lambda_engine.event_manager import accept, begin_to_accept
from trigger_stack.localstack.lambda_engine.outcomes import record
from trigger_stack.localstack.lambda_engine.versions import can_be_invoked
from trigger_stack.localstack.placing import answer_when_placed
from trigger_stack.localstack.resource_policies import resource_policies
from trigger_stack.localstack.topics.http import sender
from trigger_stack.localstack.topics.messages import publisher, text_of, trace_of
from trigger_stack.localstack.unsupported_services import refusal
from trigger_stack.wsgi_server.before_response import Form

LOG = logging.getLogger(__name__)

PRINCIPAL = "sns.amazonaws.com"
deliverer = Deliverer(record)
#: For queues, and functions that cannot be told at once.
_POOL = ThreadPoolExecutor(16, thread_name_prefix="topic-notifications")
#: Of their own: an endpoint may take 15 seconds to answer, and must not delay queues.
_HTTP_POOL = ThreadPoolExecutor(16, thread_name_prefix="topic-http-notifications")
_IN_ORDER = InOrder("topic-notifications-in-order")
#: Topic attributes that name a role for logs of deliveries.
_FEEDBACK = ("feedbackrolearn", "feedback_role_arn")
_NO_QUEUE = "the subscription has no dead-letter queue: set its RedrivePolicy"
#: Those that LocalStack records messages for; it does so without us when they cannot fail.
_OTHERS = ("EmailJson", "Sms", "Application", "Firehose")


def _to_function(publisher_: Any, context: Any, subscriber: Any) -> None:
    """Have the engine accept the event of a message."""
    endpoint = subscriber["Endpoint"]
    try:
        text, letter = _event_and_letter(publisher_, context, subscriber)
    except Exception as error:
        refuse(context, subscriber, error)
        return
    # One id for all tries: the engine ignores an event that it knows.
    request_id, topic, trace_id = str(uuid.uuid4()), subscriber["TopicArn"], trace_of(context)

    def send() -> None:
        if not can_be_invoked(endpoint):
            raise EndpointRefusesError(f"there is no function {endpoint}")
        _check_permission(endpoint, topic)
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


def refuse(context: Any, subscriber: Any, error: Exception) -> None:
    """A message that cannot be brought into the form of an endpoint has its end."""
    LOG.error("A message of %s", subscriber["TopicArn"], exc_info=error)

    def send() -> None:
        raise EndpointRefusesError(f"no event can be made of the message: {error!r}")

    notification = _notification(context, subscriber, text_of(context.message), send, {})
    _hand_over(notification, subscriber, context.message)


def _is_quick(context: Any, subscriber: Any) -> bool:
    """Whether nobody has to wait: for a function that is there, without a log of deliveries."""
    logs = any(name.lower().endswith(_FEEDBACK) for name in context.topic_attributes or ())
    endpoint, topic = subscriber["Endpoint"], subscriber["TopicArn"]
    if logs or topic.endswith(".fifo") or not can_be_invoked(endpoint):
        return False
    return resource_policies().why_not(PRINCIPAL, endpoint, topic) is None


def _check_permission(arn: str, topic: str) -> None:
    """Whether the policy of a function or queue lets SNS in.

    AWS topic: Amazon SNS Developer Guide, "Amazon SNS message delivery retries": an error of the
    client, such as missing permissions, is not tried again.

    Raises:
        EndpointRefusesError: It does not.
    """
    if problem := resource_policies().why_not(PRINCIPAL, arn, topic):
        raise EndpointRefusesError(problem)


def _hand_over(notification: Notification, subscriber: Any, message: Any) -> None:
    """Deliver in another thread; the publisher is answered when the message has a place."""
    deliver = partial(deliverer.deliver, notification)
    if notification.in_order:
        _IN_ORDER.submit((subscriber["SubscriptionArn"], message.message_group_id), deliver)
    else:
        is_http = subscriber["Protocol"] in ("http", "https")
        (_HTTP_POOL if is_http else _POOL).submit(deliver)
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
        refuse(context, subscriber, error)
        return

    def send() -> None:
        # AWS topic: Amazon SNS Developer Guide, "Amazon SNS message attributes": raw delivery
        # discards such a message as an error of the client.
        if len(arguments.get("MessageAttributes") or ()) > MOST_ATTRIBUTES:
            raise EndpointRefusesError(
                f"raw delivery to a queue: more than {MOST_ATTRIBUTES} message attributes"
            )
        _check_permission(endpoint, subscriber["TopicArn"])
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
        send = sender(publisher_, context, subscriber, body)
    except Exception as error:
        refuse(context, subscriber, error)
        return
    notification = _notification(context, subscriber, body, send, {})
    notification.pauses = policy_of(*policies).pause_after
    _hand_over(notification, subscriber, context.message)


@functools.cache
def _post_confirmation() -> Any:
    """LocalStack's own way to post; called before it is replaced."""
    return publisher().HttpTopicPublisher._publish


def _to_other(original: Callable[..., None]) -> Callable[[Any, Any, Any], None]:
    """How a message comes to a mailbox, telephone or app: as LocalStack does it, and recorded."""

    def publish(publisher_: Any, context: Any, subscriber: Any) -> None:
        def send() -> None:
            _check_other(context, subscriber)
            original(publisher_, context=context, subscriber=subscriber)

        body = text_of(context.message)
        notification = _notification(context, subscriber, body, send, {})
        notification.ended = lambda delivered: None  # LocalStack has logged it
        notification.pauses = pause_after_customer_managed
        _hand_over(notification, subscriber, context.message)

    return publish


def _check_other(context: Any, subscriber: Any) -> None:
    """Check what LocalStack does not.

    Raises:
        EndpointRefusesError: The app's endpoint is gone or disabled, or there is no such service.
    """
    if subscriber["Protocol"] == "application":
        found = context.store.platform_endpoints.get(subscriber["Endpoint"])
        if found is None:
            raise EndpointRefusesError("Endpoint does not exist")
        if str(found.platform_endpoint["Attributes"].get("Enabled")).lower() != "true":
            raise EndpointRefusesError("Endpoint is disabled")
    if subscriber["Protocol"] == "firehose" and (why := refusal("firehose")):
        raise EndpointRefusesError(why)


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
        trace_id=trace_of(context),
        in_order=subscriber["TopicArn"].endswith(".fifo"),
    )
    if arn:
        letter = partial(
            _dead_letter, arn, subscriber["TopicArn"], body, arguments, notification.id
        )
        notification.dead_letter = letter
    return notification


def _dead_letter(
    arn: str, topic: str, body: str, arguments: dict[str, Any], notification: str, error: str
) -> None:
    """Send a message to a subscription's dead-letter queue."""
    _check_permission(arn, topic)
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


def install() -> tuple[Any, ...]:
    """Patch LocalStack's publishers. Idempotent. Returns their classes."""
    _post_confirmation()
    replaced: dict[Any, Callable[[Any, Any, Any], None]] = {
        publisher().LambdaTopicPublisher: _to_function,
        publisher().SqsTopicPublisher: _to_queue,
        publisher().SqsBatchTopicPublisher: _each_to_queue,
        publisher().HttpTopicPublisher: _to_http,
    }
    for name in _OTHERS:
        owner = getattr(publisher(), f"{name}TopicPublisher")
        replaced[owner] = _wrapped(owner)
    for owner, publish in replaced.items():
        owner._publish = publish
    return tuple(replaced)


@functools.cache
def _wrapped(owner: Any) -> Callable[[Any, Any, Any], None]:
    """How messages come to the endpoints of a publisher; called before it is replaced."""
    return _to_other(owner._publish)
