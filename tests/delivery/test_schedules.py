"""Rules with a schedule, by a clock that is moved."""

from __future__ import annotations

import itertools
import json
import secrets
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from tests.engine.lambda_stack import Stack
from tests.support.permissions import permit
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("clock")


class Schedules:
    """Rules of a stack, the queue that they send to, and the clock."""

    def __init__(self, stack: Stack) -> None:
        self.events, self.sqs = stack.client("events"), stack.client("sqs")
        self.clock_url = f"http://127.0.0.1:{stack.port}/_trigger_stack/clock"
        self.url = self.sqs.create_queue(QueueName=f"q-{secrets.token_hex(6)}")["QueueUrl"]
        attributes = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])
        self.queue_arn = attributes["Attributes"]["QueueArn"]
        permit(stack.client, self.queue_arn)

    def rule(self, expression: str, **more: Any) -> str:
        name = f"r-{secrets.token_hex(6)}"
        self.events.put_rule(Name=name, ScheduleExpression=expression, **more)
        self.events.put_targets(Rule=name, Targets=[{"Id": "1", "Arn": self.queue_arn}])
        return name

    def now(self) -> datetime:
        return datetime.fromisoformat(requests.get(self.clock_url, timeout=60).json()["now"])

    def forward(self, **delta: float) -> None:
        at = (self.now() + timedelta(**delta)).isoformat()
        answer = requests.post(self.clock_url, json={"at": at}, timeout=60)
        assert answer.status_code == 200, answer.text

    def received(self, count: int) -> list[dict[str, Any]]:
        """The events in the queue once there are so many; a second look finds no further one."""
        found: list[dict[str, Any]] = []

        def take() -> bool:
            answer = self.sqs.receive_message(
                QueueUrl=self.url, MaxNumberOfMessages=10, WaitTimeSeconds=1
            )
            for message in answer.get("Messages", []):
                found.append(json.loads(message["Body"]))
                self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
            assert len(found) >= count, found
            return True

        eventually(take)
        return sorted(found, key=lambda event: (event["time"], event["resources"]))


@pytest.fixture
def schedules(clock_stack: Stack) -> Iterator[Schedules]:
    made = Schedules(clock_stack)
    yield made
    for rule in made.events.list_rules()["Rules"]:
        made.events.remove_targets(Rule=rule["Name"], Ids=["1"])
        made.events.delete_rule(Name=rule["Name"])


def test_a_rate_fires_once_for_each_period(schedules: Schedules) -> None:
    before = schedules.now()
    name = schedules.rule("rate(1 hour)")

    schedules.forward(hours=3, minutes=1)
    events = schedules.received(3)

    assert len(events) == 3
    times = [datetime.fromisoformat(event["time"]) for event in events]
    assert [late - early for early, late in itertools.pairwise(times)] == [timedelta(hours=1)] * 2
    assert times[0] >= before.replace(microsecond=0) + timedelta(hours=1)
    for event in events:
        assert event["resources"] == [f"arn:aws:events:us-east-1:000000000000:rule/{name}"]
        assert (event["source"], event["detail-type"]) == ("aws.events", "Scheduled Event")
        assert event["detail"] == {}
    assert len({event["id"] for event in events}) == 3


def test_a_cron_fires_on_the_minute(schedules: Schedules) -> None:
    schedules.rule("cron(0 12 * * ? *)")

    schedules.forward(days=2)

    assert [event["time"][10:] for event in schedules.received(2)] == ["T12:00:00Z"] * 2


def test_targets_again_do_not_double_the_events(schedules: Schedules) -> None:
    name = schedules.rule("rate(1 hour)")
    for _ in range(3):
        schedules.events.put_targets(Rule=name, Targets=[{"Id": "1", "Arn": schedules.queue_arn}])

    schedules.forward(hours=1, minutes=1)

    assert len(schedules.received(1)) == 1


def test_a_disabled_rule_does_not_fire_until_it_is_enabled(schedules: Schedules) -> None:
    off, on = schedules.rule("rate(1 hour)"), schedules.rule("rate(1 hour)")
    schedules.events.disable_rule(Name=off)
    schedules.forward(hours=1, minutes=1)
    assert [event["resources"][0].endswith(on) for event in schedules.received(1)] == [True]

    schedules.events.enable_rule(Name=off)
    schedules.events.disable_rule(Name=on)
    schedules.forward(hours=1, minutes=1)

    assert [event["resources"][0].endswith(off) for event in schedules.received(1)] == [True]


def test_a_rule_that_is_created_disabled_does_not_fire(schedules: Schedules) -> None:
    schedules.rule("rate(1 minute)", State="DISABLED")
    other = schedules.rule("rate(1 hour)")

    schedules.forward(hours=1, minutes=1)

    assert [event["resources"][0].endswith(other) for event in schedules.received(1)] == [True]


def test_another_expression_takes_the_place_of_the_first(schedules: Schedules) -> None:
    name = schedules.rule("rate(1 minute)")
    schedules.events.put_rule(Name=name, ScheduleExpression="rate(1 day)")

    schedules.forward(days=1, minutes=1)

    assert len(schedules.received(1)) == 1


@pytest.mark.parametrize(
    "expression", ["rate(1 minutes)", "cron(0 25 * * ? *)", "cron(* * * * * *)"]
)
def test_a_wrong_expression_is_refused(schedules: Schedules, expression: str) -> None:
    with pytest.raises(ClientError, match="Parameter ScheduleExpression is not valid"):
        schedules.events.put_rule(Name="wrong", ScheduleExpression=expression)


@pytest.mark.parametrize("at", ["yesterday", "2020-01-01T00:00:00+00:00", "2999-01-01T00:00:00", 5])
def test_a_wrong_time_is_refused(schedules: Schedules, at: Any) -> None:
    answer = requests.post(schedules.clock_url, json={"at": at}, timeout=60)

    assert answer.status_code == 400
    assert "ISO 8601" in answer.json()["message"]
