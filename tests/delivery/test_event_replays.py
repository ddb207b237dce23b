"""Replays of archived events reach the rules that they are meant for, once."""

from __future__ import annotations

import json
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.delivery.conftest import arn_of
from tests.engine.lambda_stack import Stack
from tests.support.permissions import permit
from tests.support.waiting import eventually


class Bus:
    """A bus with an archive, and two rules that each bring events to a queue."""

    def __init__(self, stack: Stack) -> None:
        self.events, self.sqs = stack.client("events"), stack.client("sqs")
        self.name = f"bus-{secrets.token_hex(6)}"
        self.arn = self.events.create_event_bus(Name=self.name)["EventBusArn"]
        pattern = json.dumps({"source": ["kept"]})
        self.archive = self.events.create_archive(
            ArchiveName=self.name, EventSourceArn=self.arn, EventPattern=pattern
        )["ArchiveArn"]
        self.rules, self.urls = {}, {}
        for role in ("one", "two"):
            rule = f"{self.name}-{role}"
            pattern = json.dumps({"source": ["kept", "other"]})
            self.rules[role] = self.events.put_rule(
                Name=rule, EventBusName=self.name, EventPattern=pattern
            )["RuleArn"]
            self.urls[role] = self.sqs.create_queue(QueueName=rule)["QueueUrl"]
            target = {"Id": "1", "Arn": arn_of(self.sqs, self.urls[role])}
            permit(stack.client, target["Arn"])
            self.events.put_targets(Rule=rule, EventBusName=self.name, Targets=[target])
        self.started = datetime.now(UTC)

    def put(self, *sources: str) -> None:
        for source in sources:
            entry = {"Source": source, "DetailType": "t", "Detail": "{}", "EventBusName": self.name}
            assert self.events.put_events(Entries=[entry])["FailedEntryCount"] == 0

    def archived(self, count: int) -> None:
        def there() -> bool:
            found = self.events.describe_archive(ArchiveName=self.name)["EventCount"]
            assert found == count, found
            return True

        eventually(there)

    def replay(self, **more: Any) -> str:
        name = f"replay-{secrets.token_hex(6)}"
        self.events.start_replay(
            ReplayName=name,
            EventSourceArn=self.archive,
            EventStartTime=self.started - timedelta(seconds=1),
            EventEndTime=datetime.now(UTC) + timedelta(seconds=1),
            Destination={"Arn": self.arn, **more},
        )

        def complete() -> bool:
            state = self.events.describe_replay(ReplayName=name)
            assert state["State"] == "COMPLETED", state
            return True

        eventually(complete)
        return name

    def received(self, role: str, count: int) -> list[dict[str, Any]]:
        """The events in a rule's queue; waits for ``count``, and for none more."""
        found: list[dict[str, Any]] = []
        url = self.urls[role]

        def all_there() -> bool:
            answer = self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
            for message in answer.get("Messages", []):
                found.append(json.loads(message["Body"]))
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            assert len(found) >= count, found
            return True

        eventually(all_there)
        assert len(found) == count
        return found


@pytest.fixture
def bus(stack: Stack) -> Bus:
    return Bus(stack)


def test_archived_events_are_replayed_to_every_rule(bus: Bus) -> None:
    bus.put("kept", "other", "kept")
    bus.archived(2)
    first = bus.received("one", 3) + bus.received("two", 3)
    assert not any("replay-name" in event for event in first)

    name = bus.replay()

    for role in ("one", "two"):
        again = bus.received(role, 2)
        assert {(event["source"], event["replay-name"]) for event in again} == {("kept", name)}
        times = sorted(event["time"] for event in first if event["source"] == "kept")[::2]
        assert sorted(event["time"] for event in again) == times, "the time of the event stays"
    bus.archived(2)


def test_a_replay_reaches_only_the_rules_that_it_names(bus: Bus) -> None:
    bus.put("kept")
    bus.archived(1)
    bus.received("one", 1)
    bus.received("two", 1)

    bus.replay(FilterArns=[bus.rules["two"]])

    bus.received("two", 1)
    bus.received("one", 0)


def test_a_replay_of_an_archive_that_is_not_there_leaves_no_replay(bus: Bus) -> None:
    name = f"replay-{secrets.token_hex(6)}"
    with pytest.raises(bus.events.exceptions.ClientError, match="does not exist"):
        bus.events.start_replay(
            ReplayName=name,
            EventSourceArn=f"{bus.archive}-not",
            EventStartTime=bus.started,
            EventEndTime=bus.started + timedelta(minutes=1),
            Destination={"Arn": bus.arn},
        )

    with pytest.raises(bus.events.exceptions.ResourceNotFoundException):
        bus.events.describe_replay(ReplayName=name)


def test_an_archive_keeps_what_its_new_pattern_matches(bus: Bus) -> None:
    bus.put("kept")
    bus.archived(1)
    pattern = json.dumps({"source": ["other"]})
    bus.events.update_archive(ArchiveName=bus.name, EventPattern=pattern)
    bus.put("kept", "other", "kept")

    bus.archived(2)
    bus.replay()

    events = bus.received("one", 6)
    replayed = [event["source"] for event in events if "replay-name" in event]
    assert sorted(replayed) == ["kept", "other"]
