"""The patches of LocalStack's topics are still needed."""

from __future__ import annotations

import inspect
import uuid
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
