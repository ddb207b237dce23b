"""Composite alarms follow their whole rule, and alarms refuse actions that nobody would take."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.delivery.conftest import arn_of
from tests.delivery.test_alarms import ALARM
from tests.engine.lambda_stack import Stack
from tests.support.permissions import permit
from tests.support.waiting import eventually


class Alarms:
    """Alarms with names of one test, and what their actions said."""

    def __init__(self, stack: Stack) -> None:
        self.cloudwatch, self.sqs = stack.client("cloudwatch"), stack.client("sqs")
        self.name = f"ORDERS-{secrets.token_hex(6)}"
        self.topic = stack.client("sns").create_topic(Name=self.name)["TopicArn"]
        self.url = self.sqs.create_queue(QueueName=self.name)["QueueUrl"]
        queue = arn_of(self.sqs, self.url)
        permit(stack.client, queue)
        stack.client("sns").subscribe(
            TopicArn=self.topic,
            Protocol="sqs",
            Endpoint=queue,
            Attributes={"RawMessageDelivery": "true"},
        )
        for of in "ab":
            self.cloudwatch.put_metric_alarm(AlarmName=f"{self.name}-{of}", **ALARM)
            self.set(of, "OK")

    def set(self, of: str, state: str) -> None:
        self.cloudwatch.set_alarm_state(
            AlarmName=f"{self.name}-{of}", StateValue=state, StateReason="by hand"
        )

    def composite(self, name: str, rule: str, **more: Any) -> str:
        """Make an alarm; in the rule ``%`` is what the names of this test begin with."""
        made = f"{self.name}-{name}"
        self.cloudwatch.put_composite_alarm(
            AlarmName=made, AlarmRule=rule.replace("%", self.name), **more
        )
        return made

    def state(self, name: str) -> str:
        answer = self.cloudwatch.describe_alarms(
            AlarmNames=[f"{self.name}-{name}"], AlarmTypes=["CompositeAlarm"]
        )
        return str(answer["CompositeAlarms"][0]["StateValue"])

    def told(self) -> dict[str, Any]:
        """What the topic got."""

        def there() -> dict[str, Any]:
            found = self.sqs.receive_message(QueueUrl=self.url).get("Messages", [])
            assert len(found) == 1, found
            return dict(json.loads(found[0]["Body"]))

        return eventually(there)

    def delete(self) -> None:
        alarms = self.cloudwatch.describe_alarms(
            AlarmNamePrefix=self.name, AlarmTypes=["CompositeAlarm", "MetricAlarm"]
        )
        every = [*alarms["CompositeAlarms"], *alarms["MetricAlarms"]]
        self.cloudwatch.delete_alarms(AlarmNames=[one["AlarmName"] for one in every])


@pytest.fixture
def alarms(stack: Stack) -> Iterator[Alarms]:
    one = Alarms(stack)
    yield one
    one.delete()


@pytest.mark.parametrize(
    "rule",
    [
        'ALARM("%-a")',
        "ALARM(%-a)",
        "ALARM(%-a) AND NOT ALARM(%-b)",
        "(ALARM(%-a) OR ALARM(%-b)) AND OK(%-b)",
        'NOT OK("%-a") AND TRUE',
        'AT_LEAST(1, NOT OK, ("%-a", "%-b"))',
    ],
)
def test_a_composite_alarm_follows_its_rule(alarms: Alarms, rule: str) -> None:
    """The name has ``OR`` in it, at which LocalStack took the rule to pieces."""
    name = alarms.composite("all", rule, AlarmActions=[alarms.topic])
    assert alarms.state("all") == "OK"

    alarms.set("a", "ALARM")

    said = alarms.told()
    assert (said["AlarmName"], said["NewStateValue"], said["OldStateValue"]) == (
        name,
        "ALARM",
        "OK",
    )
    [child] = said["TriggeringChildren"]
    assert child["Arn"].endswith(f"{alarms.name}-a")


def test_an_alarm_of_composite_alarms(alarms: Alarms) -> None:
    alarms.composite("inner", "ALARM(%-a) AND ALARM(%-b)")
    name = alarms.composite("outer", "ALARM(%-inner)", AlarmActions=[alarms.topic])

    alarms.set("a", "ALARM")
    assert (alarms.state("inner"), alarms.state("outer")) == ("OK", "OK")
    alarms.set("b", "ALARM")

    assert alarms.told()["AlarmName"] == name
    assert (alarms.state("inner"), alarms.state("outer")) == ("ALARM", "ALARM")


def test_a_rule_that_holds_already_is_told_at_once_and_not_by_an_update(alarms: Alarms) -> None:
    alarms.set("a", "ALARM")
    name = alarms.composite("late", "ALARM(%-a)", AlarmActions=[alarms.topic])
    assert alarms.told()["AlarmName"] == name
    alarms.sqs.purge_queue(QueueUrl=alarms.url)

    alarms.composite("late", "ALARM(%-a)", AlarmActions=[alarms.topic], AlarmDescription="d")
    alarms.composite("other", "ALARM(%-a)", AlarmActions=[alarms.topic])

    assert alarms.told()["AlarmName"].endswith("-other")


@pytest.mark.parametrize("rule", ["often", "ALARM(", "ALARM(%-a) OR", "ALARM(%-a) ALARM(%-b)", ")"])
def test_a_rule_that_cannot_be_read_is_refused(alarms: Alarms, rule: str) -> None:
    with pytest.raises(ClientError, match="AlarmRule is not valid") as refused:
        alarms.composite("bad", rule)
    assert refused.value.response["Error"]["Code"] == "ValidationError"


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ("stop", "Invalid arn syntax: stop"),
        ("arn:aws:automate:us-east-1:ec2:stop", "actions of automate are not part of this stack"),
        ("arn:aws:sqs:us-east-1:000000000000:q", "actions of sqs are not part of this stack"),
    ],
)
def test_an_action_that_nobody_would_take_is_refused(
    alarms: Alarms, action: str, said: str
) -> None:
    """LocalStack wrote a line into its log when the alarm came."""
    with pytest.raises(ClientError, match=said):
        alarms.cloudwatch.put_metric_alarm(
            AlarmName=f"{alarms.name}-bad", AlarmActions=[action], **ALARM
        )
    with pytest.raises(ClientError, match=said):
        alarms.composite("bad", "ALARM(%-a)", OKActions=[action])


@pytest.mark.parametrize(
    ("setting", "member"),
    [
        ({"EvaluationPeriods": 0}, "evaluationPeriods"),
        ({"ComparisonOperator": "Equals"}, "comparisonOperator"),
        ({"OKActions": ["arn:aws:sns:us-east-1:000000000000:t"] * 6}, "oKActions"),
    ],
)
def test_a_setting_with_which_an_alarm_never_comes_is_refused(
    alarms: Alarms, setting: dict[str, Any], member: str
) -> None:
    with pytest.raises(ClientError, match=f"at '{member}' failed to satisfy constraint") as refused:
        alarms.cloudwatch.put_metric_alarm(AlarmName=f"{alarms.name}-bad", **ALARM | setting)
    assert refused.value.response["Error"]["Code"] == "ValidationError"
