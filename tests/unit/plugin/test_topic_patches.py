"""The patches of LocalStack's topics are still needed."""

from __future__ import annotations

import inspect
import uuid
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from localstack.services.sns import publisher

from trigger_stack.localstack import topics


def test_localstack_still_leaves_deduplication_to_queues() -> None:
    """When this fails, see whether its FIFO topics deduplicate by themselves."""
    source = inspect.getsource(publisher)

    assert "we still need to implement Message deduplication on the topic level" in source


def test_a_publication_that_failed_is_no_duplicate_of_itself() -> None:
    given = []

    class Dispatcher:
        fails = True

        def publish_to_topic(self, ctx: Any, topic_arn: str) -> None:
            self.publish([ctx.message])

        def publish_batch_to_topic(self, ctx: Any, topic_arn: str) -> None:
            self.publish(ctx.messages)

        def publish(self, messages: list[Any]) -> None:
            if self.fails:
                raise OSError("no")
            given.extend(message.message for message in messages)

    topics._deduplicate(Dispatcher)
    for publish in ("publish_to_topic", "publish_batch_to_topic"):
        topic = f"arn:aws:sns:us-east-1:000000000000:{uuid.uuid4().hex}.fifo"
        message = SimpleNamespace(
            message=publish, message_id="m", message_group_id="g", message_deduplication_id="d"
        )
        context = SimpleNamespace(message=message, messages=[message], topic_attributes={})
        dispatcher = Dispatcher()
        with pytest.raises(OSError, match="no"):
            getattr(dispatcher, publish)(context, topic)

        dispatcher.fails = False
        getattr(dispatcher, publish)(context, topic)

    assert given == ["publish_to_topic", "publish_batch_to_topic"]


@pytest.mark.parametrize("is_sent", [True, False], ids=["sent", "engine away"])
def test_an_event_whose_dead_letter_cannot_be_signed_is_followed(
    is_sent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once the engine has it; before, its publisher gets the error."""
    followed, waited, unsigned = [], [], OSError("no key")

    def first() -> None:
        raise AssertionError("the one that follows waits")

    class Publisher:
        def prepare_message(self, *_: Any) -> str:
            return "the event"

        def create_sns_message_body(self, **_: Any) -> str:
            raise unsigned

    def follow(*given: Any) -> Callable[[], None]:
        followed.append(given)
        return lambda: waited.append(True)

    def begin_to_accept(*_: Any, **__: Any) -> Callable[[], None]:
        if is_sent:
            return first
        raise topics.EngineUnavailableError

    monkeypatch.setattr(topics, "publisher", Publisher)
    monkeypatch.setattr(topics, "can_be_invoked", lambda _: True)
    monkeypatch.setattr(topics, "begin_to_accept", begin_to_accept)
    monkeypatch.setattr(topics.deliverer, "follow", follow)
    context = SimpleNamespace(message="m", topic_attributes={}, request_headers={})
    subscriber = {"TopicArn": "arn:aws:sns:us-east-1:000000000000:t", "Endpoint": "function"}

    if is_sent:
        topics._to_function(Publisher(), context, subscriber)
        [(notification, given)] = followed
        assert (notification.body, given, waited) == ("the event", first, [True])
    else:
        with pytest.raises(OSError, match="no key"):
            topics._to_function(Publisher(), context, subscriber)
        assert followed == []
