"""Which subscriptions get a message, once; a message that none gets is in the journal.

What: ``publish_to_topic`` and ``publish_batch_to_topic`` of ``PublishDispatcher`` ask first whether
a FIFO topic had the message; its ``_submit_notification`` calls our publishers in the thread of the
request; its ``_should_publish`` raises nothing.
Why: LocalStack leaves deduplication to FIFO queues: a standard queue of a FIFO topic gets a message
twice. It hands each message to another thread and answers meanwhile. Of a message that no
subscription gets nothing is left. It leaves a topic's attributes out for messages of a batch. When
one subscription's filter policy cannot be evaluated, later subscriptions do not get the message.
Until: LocalStack's topics deduplicate.
Test: ``tests/delivery/test_topics.py``, ``tests/delivery/test_bus.py``,
``tests/unit/plugin/test_topic_patches.py``, ``tests/unit/plugin/test_topic_filter_patches.py``.
"""

from __future__ import annotations

import copy
import functools
import hashlib
import threading
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from trigger_stack.delivery.core.deduplication import Deduplication
from trigger_stack.delivery.core.outcome import Outcome
from trigger_stack.localstack.lambda_engine.outcomes import ensure_recorded
from trigger_stack.localstack.placing import answer_when_placed
from trigger_stack.localstack.topics import publishers
from trigger_stack.localstack.topics.messages import publisher, text_of, trace_of
from trigger_stack.wsgi_server.before_response import Form

deduplication = Deduplication()
_DUPLICATE = "duplicate: the topic had this MessageDeduplicationId within five minutes"


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
    """Record that nobody gets a message; its publisher gets an error when that is impossible."""
    outcome = Outcome(
        "notification of a topic",
        topic_arn,
        "",
        "discarded",
        why,
        0,
        text_of(message).encode("utf-8", "replace"),
        trace_of(context),
        id=message.message_id,
    )
    answer_when_placed(partial(ensure_recorded, outcome), "InternalError", Form.QUERY)


def _key(context: Any, message: Any) -> Hashable:
    """What duplicates of a message have in common with it."""
    key: Hashable = message.message_deduplication_id or _content(message)
    per_group = context.topic_attributes.get("FifoThroughputScope") == "MessageGroup"
    return (message.message_group_id, key) if per_group else key


def _content(message: Any) -> str:
    return hashlib.sha256(text_of(message).encode("utf-8", "replace")).hexdigest()


@contextmanager
def _withdrawing(context: Any, messages: list[Any], topic_arn: str) -> Iterator[None]:
    """A publisher that gets an error publishes again: then these are no duplicates."""
    try:
        yield
    except BaseException:
        for message in messages:
            deduplication.withdraw(topic_arn, _key(context, message))
        raise


def deduplicate(dispatcher: Any) -> None:
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
    """What a thread publishes.

    Attributes:
        wanted: Ids of its messages that a subscription gets.
        context: LocalStack's context of the request.
    """

    wanted: set[str] | None = None
    context: Any = None


_publishing = _Publishing()


@contextmanager
def _discarding(context: Any, messages: list[Any], topic_arn: str) -> Iterator[None]:
    """The journal has those messages that no subscription gets."""
    wanted: set[str] = set()
    _publishing.wanted, _publishing.context = wanted, context
    try:
        yield
    finally:
        _publishing.wanted = _publishing.context = None
    for message in messages:
        if message.message_id not in wanted:
            _discard(context, message, topic_arn, _why_unwanted(context, topic_arn))


def _why_unwanted(context: Any, topic_arn: str) -> str:
    subscriptions = publisher().get_topic_subscriptions(context.store, topic_arn)
    if not subscriptions:
        return "the topic has no subscription"
    confirmed = [one for one in subscriptions if one.get("PendingConfirmation") != "true"]
    if not confirmed:
        return f"no subscription is confirmed (of {_endpoints(subscriptions)})"
    return f"FilterPolicy: no subscription lets it through (of {_endpoints(confirmed)})"


def _endpoints(subscriptions: list[Any]) -> str:
    return ", ".join(str(one.get("Endpoint")) for one in subscriptions)


def submit_at_once(dispatcher: Any, ours: tuple[Any, ...]) -> None:
    """Have a dispatcher call publishers in the thread of the request.

    Args:
        dispatcher: LocalStack's class.
        ours: Classes of publishers that hand a message over and return.
    """
    submit = dispatcher._submit_notification

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


def isolate_filters(dispatcher: Any) -> None:
    """Have a filter policy that cannot be evaluated be a matter of its own subscription.

    The message ends in the subscription's dead-letter queue, or as lost.
    """
    should_publish = dispatcher._should_publish

    @functools.wraps(should_publish)
    def should_publish_or_end(self: Any, policies: Any, message: Any, subscriber: Any) -> bool:
        try:
            return bool(should_publish(self, policies, message, subscriber))
        except Exception as error:
            if _publishing.wanted is None:  # no request whose other subscriptions wait
                raise
            _publishing.wanted.add(message.message_id)
            publishers.refuse(_context_of(message), subscriber, error)
            return False

    dispatcher._should_publish = should_publish_or_end


def _context_of(message: Any) -> Any:
    """The context of one message of the request that this thread answers."""
    context = _publishing.context
    return publisher().SnsPublishContext(
        message=message,
        store=context.store,
        request_headers=context.request_headers,
        topic_attributes=context.topic_attributes,
    )
