"""The patches of LocalStack's topics are still needed."""

from __future__ import annotations

import base64
import inspect
import json
import uuid
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1
from localstack.services.sns import publisher

from trigger_stack.delivery.core.deliverer import Deliverer
from trigger_stack.delivery.core.outcome import Outcome
from trigger_stack.localstack.lambda_engine import outcomes
from trigger_stack.localstack.topics import dispatch, publishers
from trigger_stack.wsgi_server.before_response import NotDoneError


def test_localstack_still_leaves_deduplication_to_queues() -> None:
    """When this fails, see whether its FIFO topics deduplicate by themselves."""
    source = inspect.getsource(publisher)

    assert "we still need to implement Message deduplication on the topic level" in source


def test_a_publication_that_failed_is_no_duplicate_of_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
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

    monkeypatch.setattr(dispatch, "_discard", lambda *_: None)
    monkeypatch.setattr(dispatch, "_why_unwanted", lambda *_: "")
    dispatch.deduplicate(Dispatcher)
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


SUBSCRIBER = {
    "TopicArn": "arn:aws:sns:us-east-1:000000000000:t",
    "Endpoint": "arn:aws:lambda:us-east-1:000000000000:function:f",
    "SubscriptionArn": "arn:aws:sns:us-east-1:000000000000:t:1",
    "Protocol": "lambda",
}


def published(**attributes: Any) -> Any:
    """What a dispatcher gives a publisher for a message."""
    message = publisher.SnsMessage(type="Notification", message="m", **attributes)
    return SimpleNamespace(message=message, topic_attributes={}, request_headers={})


def is_signed(sns: dict[str, Any]) -> bool:
    """Whether the signature is one of the notification, as its readers compute it."""
    named = {key: value for key, value in sns.items() if value is not None}
    text = publisher.compute_canonical_string(named, "Notification")
    try:
        publisher.SNS_SERVER_PRIVATE_KEY.public_key().verify(
            base64.b64decode(sns["Signature"]), text.encode(), PKCS1v15(), SHA1()
        )
    except InvalidSignature:
        return False
    return True


@pytest.mark.parametrize("subject", [None, "about"])
def test_the_signature_of_a_functions_event_can_be_verified(subject: str | None) -> None:
    to_function = publisher.LambdaTopicPublisher()
    context = published(subject=subject)

    event, letter = publishers._event_and_letter(to_function, context, SUBSCRIBER)

    sns = json.loads(event)["Records"][0]["Sns"]
    assert is_signed(sns)
    assert is_signed(json.loads(letter))
    assert sns["Subject"] == subject
    assert sns["Timestamp"] == json.loads(letter)["Timestamp"]


def test_localstack_still_signs_a_subject_that_is_not_there() -> None:
    """When this fails, and events and letters cost one signature, ``_event_and_letter`` can go."""
    event = publisher.LambdaTopicPublisher().prepare_message(published().message, SUBSCRIBER, {})

    assert not is_signed(json.loads(event)["Records"][0]["Sns"])


@pytest.mark.parametrize("raw", ["true", "false"])
def test_a_letter_of_raw_delivery_is_the_message(raw: str) -> None:
    subscriber = {**SUBSCRIBER, "RawMessageDelivery": raw}

    event, letter = publishers._event_and_letter(
        publisher.LambdaTopicPublisher(), published(), subscriber
    )

    assert json.loads(event)["Records"][0]["Sns"]["Message"] == "m"
    assert (letter == "m") == (raw == "true")


def test_a_message_of_which_no_event_can_be_made_has_an_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outcomes: list[Outcome] = []

    def fail(**_: Any) -> str:
        raise OSError("no key")

    monkeypatch.setattr(publisher, "create_sns_message_body", fail)

    def record(outcome: Outcome) -> bool:
        outcomes.append(outcome)
        return True

    monkeypatch.setattr(publishers, "deliverer", Deliverer(record))

    publishers._to_function(publisher.LambdaTopicPublisher(), published(), SUBSCRIBER)

    [lost] = outcomes
    assert (lost.state, lost.payload) == ("lost", b"m")
    assert "no key" in lost.place


@pytest.mark.parametrize("publish", ["publish_to_topic", "publish_batch_to_topic"])
def test_what_the_journal_cannot_have_is_not_answered_for(
    monkeypatch: pytest.MonkeyPatch, publish: str
) -> None:
    class Dispatcher:
        def publish_to_topic(self, ctx: Any, topic_arn: str) -> None:
            """No subscription gets the message."""

        publish_batch_to_topic = publish_to_topic

    monkeypatch.setattr(outcomes, "record", lambda _: False)
    monkeypatch.setattr(dispatch, "_why_unwanted", lambda *_: "")
    dispatch.deduplicate(Dispatcher)
    message = publisher.SnsMessage(type="Notification", message="m")
    context = SimpleNamespace(
        message=message, messages=[message], request_headers={}, topic_attributes={}
    )

    with pytest.raises(NotDoneError):
        getattr(Dispatcher(), publish)(context, "arn:aws:sns:us-east-1:000000000000:t")
