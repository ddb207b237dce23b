"""What a letter of a topic's subscription says, and what its endpoint gets from it."""

from __future__ import annotations

import json

from trigger_stack.delivery.core.topic_letters import event_of, with_reason, without_reason

KIND = {"kind": {"DataType": "String", "StringValue": "x"}}


def test_a_letter_says_why_and_keeps_the_attributes_of_its_message() -> None:
    letter = with_reason(KIND, "id", "it is gone")

    assert letter.keys() == {"kind", "RequestID", "ErrorCode", "ErrorMessage"}
    assert letter["RequestID"]["StringValue"] == "id"
    assert letter["ErrorMessage"]["StringValue"] == "it is gone"
    assert without_reason(letter) == KIND


def test_a_message_with_many_attributes_leaves_room_for_the_reason() -> None:
    """A queue refuses a message with more than ten."""
    many = {f"a{number}": KIND["kind"] for number in range(8)}

    assert with_reason(many, "id", "").keys() == {"RequestID", "ErrorCode", "ErrorMessage"}
    assert len(with_reason(dict(list(many.items())[:7]), "id", "")) == 10


def test_a_function_gets_the_event_of_the_notification() -> None:
    notification = {
        "Type": "Notification",
        "MessageId": "m",
        "TopicArn": "arn:aws:sns:us-east-1:000000000000:t",
        "Message": "hello",
        "UnsubscribeURL": "http://u",
        "SigningCertURL": "http://c",
        "SignatureVersion": "2",
    }

    event = json.loads(event_of(json.dumps(notification), "arn:subscription"))

    (record,) = event["Records"]
    sns = record.pop("Sns")
    assert record == {
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": "arn:subscription",
    }
    assert sns == {
        "Type": "Notification",
        "MessageId": "m",
        "TopicArn": "arn:aws:sns:us-east-1:000000000000:t",
        "Message": "hello",
        "Subject": None,
        "MessageAttributes": {},
        "UnsubscribeUrl": "http://u",
        "SigningCertUrl": "http://c",
        "SignatureVersion": "1",
    }
