"""A rule's events reach a log group when a resource policy of CloudWatch Logs lets them in."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.delivery.conftest import arn_of
from tests.engine.lambda_stack import Stack
from tests.support.journal import Journal
from tests.support.permissions import permit
from tests.support.waiting import eventually

EVENTS = "events.amazonaws.com"


class Group:
    """A log group that is the target of a rule, with a dead-letter queue."""

    def __init__(self, stack: Stack) -> None:
        self._events, self._logs = stack.client("events"), stack.client("logs")
        self._sqs = stack.client("sqs")
        self.name = f"/aws/events/{secrets.token_hex(6)}"
        self.source = self.name.rpartition("/")[2]
        self._logs.create_log_group(logGroupName=self.name)
        self.arn = f"arn:aws:logs:us-east-1:000000000000:log-group:{self.name}"
        self.url = self._sqs.create_queue(QueueName=self.source)["QueueUrl"]
        permit(stack.client, arn_of(self._sqs, self.url))
        pattern = json.dumps({"source": [self.source]})
        self.rule = self._events.put_rule(Name=self.source, EventPattern=pattern)["RuleArn"]

    def connect(self, **more: Any) -> None:
        target = {"Id": "group", "Arn": self.arn, **more}
        made = self._events.put_targets(Rule=self.source, Targets=[target])
        assert made["FailedEntryCount"] == 0, made

    @property
    def dead_letters(self) -> dict[str, Any]:
        return {"DeadLetterConfig": {"Arn": arn_of(self._sqs, self.url)}}

    def let_in(self, *actions: str, **more: Any) -> None:
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": EVENTS},
            "Action": list(actions or ("logs:CreateLogStream", "logs:PutLogEvents")),
            "Resource": f"{self.arn}:*",
            **more,
        }
        self._logs.put_resource_policy(
            policyName=self.source,
            policyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        )

    def send(self, detail: str) -> None:
        entry = {"Source": self.source, "DetailType": detail, "Detail": "{}"}
        assert self._events.put_events(Entries=[entry])["FailedEntryCount"] == 0

    def kinds(self) -> list[str]:
        """The detail types of the events in the log group."""
        found = self._logs.filter_log_events(logGroupName=self.name)["events"]
        return sorted(json.loads(one["message"])["detail-type"] for one in found)

    def letter(self) -> dict[str, Any]:
        """The message in the dead-letter queue."""

        def there() -> dict[str, Any]:
            answer = self._sqs.receive_message(QueueUrl=self.url, MessageAttributeNames=["All"])
            assert len(answer.get("Messages", [])) == 1, answer
            return dict(answer["Messages"][0])

        return eventually(there)

    def delete(self) -> None:
        self._events.remove_targets(Rule=self.source, Ids=["group"])
        self._events.delete_rule(Name=self.source)
        policies = self._logs.describe_resource_policies()["resourcePolicies"]
        if any(one["policyName"] == self.source for one in policies):
            self._logs.delete_resource_policy(policyName=self.source)


@pytest.fixture
def group(stack: Stack) -> Iterator[Group]:
    one = Group(stack)
    yield one
    one.delete()


def lost(journal: Journal, group: Group) -> str:
    """Why the only event of a rule was lost."""

    def ended() -> str:
        rows = [one for one in journal.find(source=group.rule) if one["state"] == "lost"]
        assert len(rows) == 1, rows
        assert rows[0]["attempts"] == 1  # not tried again for want of a permission
        return str(rows[0]["place"])

    return eventually(ended)


def test_an_event_that_no_policy_lets_in_is_lost(journal: Journal, group: Group) -> None:
    group.connect()

    group.send("refused")

    place = lost(journal, group)
    assert f"{EVENTS} is not authorized to perform: logs:CreateLogStream on" in place
    assert f"{group.arn}:log-stream:" in place
    assert group.kinds() == []


def test_both_actions_are_needed(journal: Journal, group: Group) -> None:
    group.connect()
    group.let_in("logs:CreateLogStream")

    group.send("refused")

    assert "not authorized to perform: logs:PutLogEvents on" in lost(journal, group)


def test_a_dead_letter_queue_gets_what_is_refused(group: Group) -> None:
    """A role does not help: a log group's target has none on AWS."""
    group.connect(**group.dead_letters, RoleArn="arn:aws:iam::000000000000:role/nobody")

    group.send("refused")

    letter = group.letter()
    attributes = {name: one["StringValue"] for name, one in letter["MessageAttributes"].items()}
    assert attributes["ERROR_CODE"] == "NO_PERMISSIONS"
    assert attributes["RETRY_ATTEMPTS"] == "0"
    assert attributes["TARGET_ARN"] == group.arn
    assert json.loads(letter["Body"])["detail-type"] == "refused"


def test_a_policy_lets_the_events_of_its_rule_in(journal: Journal, group: Group) -> None:
    group.connect(**group.dead_letters)
    group.let_in(Condition={"ArnEquals": {"aws:SourceArn": f"{group.rule}-2"}})
    group.send("refused")
    assert group.letter()["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "NO_PERMISSIONS"

    group.let_in(Condition={"ArnEquals": {"aws:SourceArn": group.rule}})
    group.send("let in")

    def arrived() -> bool:
        assert group.kinds() == ["let in"]
        return True

    eventually(arrived)


def test_a_policy_that_is_none_is_refused(stack: Stack, group: Group) -> None:
    with pytest.raises(ClientError, match="Could not convert to persistable policy"):
        stack.client("logs").put_resource_policy(policyName=group.source, policyDocument="{")
    with pytest.raises(ClientError, match="Policies of one log group"):
        stack.client("logs").put_resource_policy(
            policyName=group.source, policyDocument="{}", resourceArn=group.arn
        )
