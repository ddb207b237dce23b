"""Filter policies of subscriptions, and messages that SNS refuses or discards."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.delivery.conftest import arn_of
from tests.engine.lambda_stack import Stack
from tests.support.journal import Journal
from tests.support.permissions import permit
from tests.support.waiting import eventually


class Topic:
    """A topic with subscriptions of queues, which get messages as they are."""

    def __init__(self, stack: Stack, cleanup: ExitStack) -> None:
        self._client, self._cleanup = stack.client, cleanup
        self.sns, self.sqs = stack.client("sns"), stack.client("sqs")
        self.arn = str(self.sns.create_topic(Name=f"t-{secrets.token_hex(6)}")["TopicArn"])
        cleanup.callback(self.sns.delete_topic, TopicArn=self.arn)

    def queue(self) -> tuple[str, str]:
        """Makes a queue; returns its URL and ARN."""
        url = str(self.sqs.create_queue(QueueName=f"q-{secrets.token_hex(6)}")["QueueUrl"])
        self._cleanup.callback(self.sqs.delete_queue, QueueUrl=url)
        permit(self._client, arn_of(self.sqs, url))
        return url, arn_of(self.sqs, url)

    def subscribed(self, policy: Any = None, scope: str = "", **more: str) -> str:
        """Subscribes a new queue; returns its URL."""
        url, arn = self.queue()
        attributes = {"RawMessageDelivery": "true"} | more
        if policy is not None:
            attributes["FilterPolicy"] = json.dumps(policy)
        if scope:
            attributes["FilterPolicyScope"] = scope
        self.sns.subscribe(TopicArn=self.arn, Protocol="sqs", Endpoint=arn, Attributes=attributes)
        return url

    def publish(self, message: str, **attributes: dict[str, str]) -> str:
        answer = self.sns.publish(TopicArn=self.arn, Message=message, MessageAttributes=attributes)
        return str(answer["MessageId"])

    def bodies(self, url: str, last: str) -> list[str]:
        """The bodies of a queue's messages, sorted, when the last one has come; takes them."""
        found: list[str] = []

        def all_there() -> bool:
            answer = self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
            for one in answer.get("Messages", []):
                found.append(one["Body"])
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
            assert last in found, found
            return True

        eventually(all_there)
        return sorted(found)


@pytest.fixture
def topic(stack: Stack) -> Iterator[Callable[[], Topic]]:
    with ExitStack() as cleanup:
        yield lambda: Topic(stack, cleanup)


def string(text: str) -> dict[str, str]:
    return {"DataType": "String", "StringValue": text}


def number(text: str) -> dict[str, str]:
    return {"DataType": "Number", "StringValue": text}


@pytest.mark.parametrize(
    "condition",
    [
        {"prefix": "x"},
        {"suffix": "x"},
        {"equals-ignore-case": "X"},
        {"anything-but": {"prefix": "5"}},
    ],
    ids=json.dumps,
)
def test_a_value_that_an_operator_does_not_see_is_no_matter_of_other_subscriptions(
    topic: Callable[[], Topic], condition: dict[str, Any]
) -> None:
    """Neither the one before nor the one after, each of which gets the messages once."""
    sent = [json.dumps({"k": value}) for value in (5, True, None, [5, "x"], "x")]
    one = topic()
    before = one.subscribed()
    filtered = one.subscribed({"k": [condition]}, "MessageBody")
    after = one.subscribed()
    for message in sent:
        one.publish(message)

    everything = "anything-but" in condition
    assert one.bodies(filtered, sent[-1]) == sorted(sent if everything else sent[-2:])
    assert one.bodies(before, sent[-1]) == one.bodies(after, sent[-1]) == sorted(sent)


def test_numbers_are_compared_with_numbers(topic: Callable[[], Topic]) -> None:
    one = topic()
    but = one.subscribed({"price": [{"anything-but": [100]}]})
    exact = one.subscribed({"price": [100]})
    range_ = one.subscribed({"price": [{"numeric": [">=", 100]}]})
    one.publish("number 100", price=number("100"))
    one.publish("number 1e2", price=number("1e2"))
    one.publish("string 100", price=string("100"))
    one.publish("number 101", price=number("101"))
    for price in ("100", "101"):
        one.publish(f"last {price}", price=number(price))

    assert one.bodies(but, "last 101") == ["last 101", "number 101", "string 100"]
    assert one.bodies(exact, "last 100") == ["last 100", "number 100", "number 1e2"]
    assert one.bodies(range_, "last 101") == [
        *("last 100", "last 101", "number 100", "number 101", "number 1e2")
    ]


def test_a_batch_is_filtered_message_by_message(topic: Callable[[], Topic]) -> None:
    one = topic()
    every = one.subscribed()
    some = one.subscribed({"k": [{"prefix": "x"}, {"wildcard": "*y"}]}, "MessageBody")
    sent = [json.dumps({"k": value}) for value in (5, "xa", False, "ay", "a", "x")]
    entries = [{"Id": str(number), "Message": text} for number, text in enumerate(sent)]

    answer = one.sns.publish_batch(TopicArn=one.arn, PublishBatchRequestEntries=entries)

    assert len(answer["Successful"]) == len(sent)
    assert one.bodies(some, sent[-1]) == sorted([sent[1], sent[3], sent[5]])
    assert one.bodies(every, sent[-1]) == sorted(sent)


def test_a_batch_with_an_empty_message_is_refused(topic: Callable[[], Topic]) -> None:
    """As ``Publish`` refuses one; no other message of the batch is sent."""
    one = topic()
    url = one.subscribed()
    entries = [{"Id": "1", "Message": "full"}, {"Id": "2", "Message": ""}]

    with pytest.raises(ClientError, match="Empty message") as batch:
        one.sns.publish_batch(TopicArn=one.arn, PublishBatchRequestEntries=entries)
    with pytest.raises(ClientError, match="Empty message") as alone:
        one.publish("")

    assert batch.value.response["Error"] == alone.value.response["Error"]
    one.publish("last")
    assert one.bodies(url, "last") == ["last"]


def test_raw_delivery_discards_a_message_with_more_attributes_than_a_queue_takes(
    topic: Callable[[], Topic], journal: Journal
) -> None:
    one = topic()
    letters, dlq = one.queue()
    raw = one.subscribed()
    redriven = one.subscribed(RedrivePolicy=json.dumps({"deadLetterTargetArn": dlq}))
    envelope = one.subscribed(RawMessageDelivery="false")
    for count in (11, 10):
        attributes = {f"k{index}": string("v") for index in range(count)}
        one.publish(f"of {count}", **attributes)

    assert one.bodies(raw, "of 10") == one.bodies(redriven, "of 10") == ["of 10"]
    assert one.bodies(letters, "of 11") == ["of 11"]

    def in_envelopes() -> bool:
        answer = one.sqs.receive_message(QueueUrl=envelope, MaxNumberOfMessages=10)
        found.update(json.loads(each["Body"])["Message"] for each in answer.get("Messages", []))
        assert found == {"of 10", "of 11"}
        return True

    found: set[str] = set()
    eventually(in_envelopes)
    rows = {row["state"]: row for row in journal.find(source=one.arn)}
    assert rows.keys() >= {"lost", "dead-letter"}
    assert "more than 10 message attributes" in rows["lost"]["place"]
    assert rows["dead-letter"]["place"] == dlq


def test_a_policy_that_cannot_be_read_is_refused(topic: Callable[[], Topic]) -> None:
    one = topic()
    for policy in ({"k": [{"numeric": 5}]}, {"k": [{"wildcard": 5}]}, {"k": 5}, [1]):
        with pytest.raises(ClientError) as refused:
            one.subscribed(policy)
        assert refused.value.response["Error"]["Code"] == "InvalidParameter", policy
