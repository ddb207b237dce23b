"""Which rules of a bus fire, and where events are that none gets."""

from __future__ import annotations

import json
import secrets
from typing import Any

import pytest

from tests.delivery.conftest import arn_of
from tests.engine.lambda_stack import Stack
from tests.support.journal import Journal
from tests.support.permissions import permit
from tests.support.waiting import eventually


class Bus:
    """A bus, and rules that each bring events to a queue."""

    def __init__(self, stack: Stack) -> None:
        self._client = stack.client
        self.events, self.sqs = stack.client("events"), stack.client("sqs")
        self.name = f"bus-{secrets.token_hex(6)}"
        self.arn = self.events.create_event_bus(Name=self.name)["EventBusArn"]
        self.urls: dict[str, str] = {}

    def rule(self, name: str, *, bus: str | None = None, **more: Any) -> None:
        pattern = json.dumps({"source": ["shop"]})
        on = {"EventBusName": bus or self.name}
        self.events.put_rule(**{"Name": name, "EventPattern": pattern} | on | more)
        self.urls[name] = self.sqs.create_queue(QueueName=f"{self.name}-{name}")["QueueUrl"]
        target = {"Id": "1", "Arn": arn_of(self.sqs, self.urls[name])}
        permit(self._client, target["Arn"])
        self.events.put_targets(Rule=name, Targets=[target], **on)

    def put(
        self, number: int, *, source: str = "shop", bus: str | None = None, **detail: Any
    ) -> str:
        entry = {
            "Source": source,
            "DetailType": "t",
            "Detail": json.dumps({"number": number, **detail}),
            "EventBusName": bus or self.name,
        }
        [answer] = self.events.put_events(Entries=[entry])["Entries"]
        return str(answer["EventId"])

    def numbers(self, name: str) -> list[int]:
        """Those of the events that have come to a rule's queue; they stay in it."""
        answer = self.sqs.receive_message(
            QueueUrl=self.urls[name], MaxNumberOfMessages=10, VisibilityTimeout=0
        )
        bodies = [json.loads(one["Body"]) for one in answer.get("Messages", [])]
        return sorted(one["detail"]["number"] for one in bodies)

    def came(self, name: str, *numbers: int) -> None:
        """Wait until these events, and no others, have come to a rule's queue.

        On a busy machine ``PutEvents`` answers when a delivery is in the journal as pending.
        """

        def seen() -> bool:
            found = self.numbers(name)
            assert found == list(numbers), found
            return True

        eventually(seen)


@pytest.fixture
def bus(stack: Stack) -> Bus:
    return Bus(stack)


def test_an_event_has_a_place_when_it_is_answered_for(bus: Bus, journal: Journal) -> None:
    bus.rule("on")
    bus.put(1)

    seen = bus.numbers("on")
    assert seen == [1] or journal.find(source=bus.name, state="pending"), seen


def test_a_disabled_rule_does_not_fire(bus: Bus) -> None:
    bus.rule("on")
    bus.rule("off", State="DISABLED")
    bus.put(1)
    bus.events.enable_rule(Name="off", EventBusName=bus.name)
    bus.put(2)
    bus.events.disable_rule(Name="off", EventBusName=bus.name)
    bus.put(3)

    bus.came("on", 1, 2, 3)
    bus.came("off", 2)


def test_a_rule_with_a_pattern_and_a_schedule_fires_for_both(bus: Bus) -> None:
    """AWS allows a schedule on the default bus only."""
    name = source = f"s-{secrets.token_hex(6)}"
    pattern = json.dumps({"source": [source]})
    bus.rule(name, bus="default", EventPattern=pattern, ScheduleExpression="rate(1 day)")
    try:
        bus.put(1, source=source, bus="default")
        bus.came(name, 1)
    finally:
        bus.events.remove_targets(Rule=name, Ids=["1"])
        bus.events.delete_rule(Name=name)


@pytest.mark.parametrize(
    ("detail", "is_match"),
    [
        ({"key": "logos/acme/.png"}, True),
        ({"key": "logos.png"}, False),
        ({"key": "x", "items": [{"name": "a", "size": 1}, {"name": "b", "size": 2}]}, False),
        ({"key": "x", "items": [{"name": "a", "size": 2}]}, True),
    ],
)
def test_a_pattern_matches_as_it_does_on_aws(
    bus: Bus, detail: dict[str, Any], is_match: bool
) -> None:
    """The rule and ``TestEventPattern`` are of one mind."""
    logos = {"key": [{"wildcard": "logos/*/*.png"}]}
    choice = {"$or": [logos, {"items": {"name": ["a"], "size": [2]}}]}
    pattern = json.dumps({"source": ["shop"], "detail": choice})
    bus.rule("some", EventPattern=pattern)

    bus.put(1, **detail)

    bus.came("some", *[1] * is_match)
    event = {
        **{"id": "1", "account": "0", "source": "shop", "time": "2026-01-01T00:00:00Z"},
        **{"region": "us-east-1", "resources": [], "detail-type": "t", "detail": detail},
    }
    answer = bus.events.test_event_pattern(EventPattern=pattern, Event=json.dumps(event))
    assert answer["Result"] is is_match


@pytest.mark.parametrize(
    ("rules", "source", "place"),
    [
        ([], "shop", "the bus does not exist, or has no rule"),
        (["on"], "shpo", "EventPattern: no enabled rule matches (of on)"),
    ],
)
def test_an_event_that_no_rule_gets_is_in_the_journal(
    bus: Bus, journal: Journal, rules: list[str], source: str, place: str
) -> None:
    for name in rules:
        bus.rule(name)

    bus.put(1, source=source)

    [row] = journal.find(source=bus.arn)
    assert (row["kind"], row["state"], row["place"]) == ("event of a bus", "discarded", place)


def test_an_event_for_a_bus_that_is_not_there_is_in_the_journal(bus: Bus, journal: Journal) -> None:
    """EventBridge accepts it, too: nobody who looks only at the answer would know."""
    absent = f"{bus.name}-absent"

    assert bus.put(1, bus=absent)

    [row] = journal.find(source=bus.arn + "-absent")
    assert row["state"] == "discarded"


def test_a_detail_that_is_no_json_is_refused(bus: Bus) -> None:
    entry = {"Source": "s", "DetailType": "t", "EventBusName": bus.name}
    details = ['{"a": NaN}', '{"a": [-Infinity]}', '{"a": "NaN"}']

    answer = bus.events.put_events(Entries=[entry | {"Detail": one} for one in details])

    codes = [one.get("ErrorCode") for one in answer["Entries"]]
    assert codes == ["MalformedDetail", "MalformedDetail", None]


def test_a_message_that_no_subscription_gets_is_in_the_journal(
    stack: Stack, journal: Journal
) -> None:
    sns, sqs = stack.client("sns"), stack.client("sqs")
    topic = sns.create_topic(Name=f"t-{secrets.token_hex(6)}")["TopicArn"]
    sns.publish(TopicArn=topic, Message="nobody")
    address = "http://127.0.0.1:9/nobody-confirms"
    sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=address)
    sns.publish(TopicArn=topic, Message="unconfirmed")
    queue = arn_of(sqs, sqs.create_queue(QueueName=f"q-{secrets.token_hex(6)}")["QueueUrl"])
    permit(stack.client, queue)
    policy = json.dumps({"kind": ["wanted"]})
    sns.subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=queue, Attributes={"FilterPolicy": policy}
    )
    sns.publish(TopicArn=topic, Message="filtered")
    sns.publish_batch(
        TopicArn=topic,
        PublishBatchRequestEntries=[
            {"Id": "1", "Message": "another"},
            {
                "Id": "2",
                "Message": "delivered",
                "MessageAttributes": {"kind": {"DataType": "String", "StringValue": "wanted"}},
            },
        ],
    )

    filtered = f"FilterPolicy: no subscription lets it through (of {queue})"
    for text, place in {
        "nobody": "the topic has no subscription",
        "unconfirmed": f"no subscription is confirmed (of {address})",
        "filtered": filtered,
        "another": filtered,
    }.items():
        [row] = journal.find(source=topic, text=text)
        assert (row["state"], row["place"]) == ("discarded", place)
    assert journal.find(source=topic, text="delivered") == []


def test_a_rule_whose_archive_is_gone_costs_no_other_rule_the_event(bus: Bus) -> None:
    bus.events.create_archive(ArchiveName=bus.name, EventSourceArn=bus.arn)
    bus.rule("on")
    bus.events.delete_archive(ArchiveName=bus.name)

    bus.put(1)

    bus.came("on", 1)
