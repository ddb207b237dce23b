"""Dead-letter queues of queues: which are taken, and what happens when one is gone."""

from __future__ import annotations

import json
import secrets
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.delivery.conftest import arn_of
from tests.engine.lambda_stack import Stack
from tests.support.journal import Journal
from tests.support.waiting import eventually

PREFIX = "arn:aws:sqs:us-east-1:000000000000"
FAIL = "def handler(event, context): raise ValueError('no')"


class Queues:
    """Makes queues whose messages are visible again at once."""

    def __init__(self, stack: Stack) -> None:
        self.sqs = stack.client("sqs")

    def new(self, target: str = "", receives: int = 1, **more: str) -> tuple[str, str]:
        """URL and ARN of a queue with a dead-letter queue of that ARN."""
        attributes = {"VisibilityTimeout": "0", **more}
        if target:
            attributes["RedrivePolicy"] = policy(target, receives)
        ending = ".fifo" if "FifoQueue" in more else ""
        name = f"q-{secrets.token_hex(6)}{ending}"
        url = str(self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"])
        return url, arn_of(self.sqs, url)

    def receive(self, url: str) -> list[Any]:
        answer = self.sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["All"]
        )
        return list(answer.get("Messages", []))


def policy(target: str, receives: int = 1) -> str:
    return json.dumps({"deadLetterTargetArn": target, "maxReceiveCount": receives})


@pytest.fixture
def queues(stack: Stack) -> Queues:
    return Queues(stack)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("gone", "Dead letter target does not exist."),
        ("fifo", "Dead-letter queue must be same type of queue as the source.."),
        ("denies", "does not allow"),
    ],
)
def test_a_queue_takes_no_dead_letter_queue_that_cannot_be_one(
    queues: Queues, name: str, reason: str
) -> None:
    denies = json.dumps({"redrivePermission": "denyAll"})
    target = {
        "gone": lambda: f"{PREFIX}:not-there",
        "fifo": lambda: queues.new(FifoQueue="true")[1],
        "denies": lambda: queues.new(RedriveAllowPolicy=denies)[1],
    }[name]()
    url, _ = queues.new()

    with pytest.raises(ClientError) as made:
        queues.new(target)
    with pytest.raises(ClientError) as changed:
        queues.sqs.set_queue_attributes(
            QueueUrl=url, Attributes={"VisibilityTimeout": "7", "RedrivePolicy": policy(target)}
        )

    for refused in (made, changed):
        error = refused.value.response["Error"]
        assert error["Code"] == "InvalidParameterValue"
        assert reason in error["Message"]
    kept = queues.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert (kept["VisibilityTimeout"], kept.get("RedrivePolicy")) == ("0", None)


def test_a_message_outlives_its_dead_letter_queue(queues: Queues, journal: Journal) -> None:
    """On AWS it is given out on and on; the queue made anew gets it."""
    letters_url, letters = queues.new()
    url, _ = queues.new(letters)
    sent = queues.sqs.send_message(QueueUrl=url, MessageBody="hello")["MessageId"]
    assert [one["Body"] for one in queues.receive(url)] == ["hello"]
    queues.sqs.delete_queue(QueueUrl=letters_url)

    for count in ("2", "3"):
        (message,) = queues.receive(url)
        assert message["Attributes"]["ApproximateReceiveCount"] == count
    assert journal.event(sent)["state"] == "pending"

    queues.sqs.create_queue(QueueName=letters.rpartition(":")[2])
    assert queues.receive(url) == []
    (letter,) = queues.receive(letters_url)
    assert letter["MessageId"] == sent
    assert journal.ends(sent, "dead-letter")["place"] == letters


def test_a_failing_function_keeps_its_messages_when_the_dead_letter_queue_is_gone(
    stack: Stack, queues: Queues, journal: Journal
) -> None:
    letters_url, letters = queues.new()
    url, arn = queues.new(letters, VisibilityTimeout="1")
    name = stack.create(FAIL, Timeout=1)
    stack.client("lambda").create_event_source_mapping(EventSourceArn=arn, FunctionName=name)
    queues.sqs.delete_queue(QueueUrl=letters_url)
    sent = queues.sqs.send_message(QueueUrl=url, MessageBody="hello")["MessageId"]

    def tried_on() -> bool:
        row = journal.event(sent)
        assert row["attempts"] >= 3, row
        return True

    eventually(tried_on)
    assert journal.event(sent)["state"] == "pending"
    queues.sqs.create_queue(QueueName=letters.rpartition(":")[2])
    assert journal.ends(sent, "dead-letter")["place"] == letters


def test_a_move_task_loses_no_letter_of_its_source(queues: Queues, journal: Journal) -> None:
    """The dead-letter queue has one of its own, where what was read too often goes meanwhile."""
    last_url, last = queues.new()
    letters_url, letters = queues.new(last)
    url, arn = queues.new(letters)
    sent = [
        queues.sqs.send_message(QueueUrl=letters_url, MessageBody=str(number))["MessageId"]
        for number in range(3)
    ]
    assert len(queues.receive(letters_url)) == 3

    queues.sqs.start_message_move_task(SourceArn=letters, DestinationArn=arn)

    for one in sent:
        assert journal.ends(one, "dead-letter")["place"] == last
    assert len(queues.receive(last_url)) == 3
    assert queues.receive(url) == []


@pytest.mark.long
def test_a_message_expires(queues: Queues, journal: Journal) -> None:
    """A letter counts from its first send, in a standard queue; the shortest period is a minute."""
    letters_url, letters = queues.new(MessageRetentionPeriod="60")
    url, _ = queues.new(letters, MessageRetentionPeriod="120")
    sent = queues.sqs.send_message(QueueUrl=url, MessageBody="hello")["MessageId"]
    assert len(queues.receive(url)) == 1

    assert queues.receive(url) == []  # it is moved
    assert journal.ends(sent, "dead-letter")["place"] == letters

    def expired() -> dict[str, Any]:
        row = journal.event(sent)
        assert row["state"] == "discarded", journal.way(sent)
        return row

    row = eventually(expired, seconds=100)

    assert "MessageRetentionPeriod" in row["place"]
    assert queues.receive(letters_url) == []


def test_what_is_redriven_begins_anew(queues: Queues, journal: Journal) -> None:
    letters_url, letters = queues.new()
    url, _ = queues.new(letters)
    sent = queues.sqs.send_message(QueueUrl=url, MessageBody="hello")["MessageId"]
    (first,) = queues.receive(url)
    assert queues.receive(url) == []
    assert journal.ends(sent, "dead-letter")["place"] == letters

    queues.sqs.start_message_move_task(SourceArn=letters)
    (again,) = eventually(lambda: queues.receive(url))

    before, after = first["Attributes"], again["Attributes"]
    assert after["ApproximateReceiveCount"] == "1"
    assert int(after["SentTimestamp"]) > int(before["SentTimestamp"])
    assert int(after["ApproximateFirstReceiveTimestamp"]) >= int(after["SentTimestamp"])
    assert queues.receive(letters_url) == []


def test_attributes_outside_their_range_change_nothing(queues: Queues) -> None:
    url, _ = queues.new()
    with pytest.raises(ClientError, match="Invalid value for the parameter VisibilityTimeout"):
        queues.new(VisibilityTimeout="x")
    with pytest.raises(ClientError, match="Invalid value for the parameter DelaySeconds"):
        queues.sqs.set_queue_attributes(
            QueueUrl=url, Attributes={"VisibilityTimeout": "7", "DelaySeconds": "901"}
        )

    kept = queues.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert (kept["VisibilityTimeout"], kept["DelaySeconds"]) == ("0", "0")


def test_a_message_that_sqs_refuses_costs_no_other_of_its_batch(queues: Queues) -> None:
    url, _ = queues.new()
    entries = [
        {"Id": "good", "MessageBody": "m"},
        {"Id": "late", "MessageBody": "m", "DelaySeconds": 901},
    ]

    answer = queues.sqs.send_message_batch(QueueUrl=url, Entries=entries)

    assert [one["Id"] for one in answer["Successful"]] == ["good"]
    (failed,) = answer["Failed"]
    assert failed["Id"] == "late"
    assert failed["Code"].startswith("InvalidParameterValue")
    assert len(queues.receive(url)) == 1
