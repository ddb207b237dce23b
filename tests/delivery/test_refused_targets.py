"""Targets and rules that EventBridge refuses leave nothing behind, and cost no other rule an event.

The sentences are EventBridge's.
"""

from __future__ import annotations

import json
import secrets
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.delivery.conftest import arn_of
from tests.engine.lambda_stack import Stack
from tests.support.journal import Journal
from tests.support.permissions import permit
from tests.support.waiting import eventually

ACCOUNT = "us-east-1:000000000000"
ROLE = "arn:aws:iam::000000000000:role/events"
BUS = f"arn:aws:events:{ACCOUNT}:event-bus/default"


class Rule:
    """A rule of the default bus without a target, and a queue that lets EventBridge in."""

    def __init__(self, stack: Stack) -> None:
        self.events, self.sqs = stack.client("events"), stack.client("sqs")
        self.name = f"r-{secrets.token_hex(6)}"
        pattern = json.dumps({"source": [self.name]})
        self.arn = str(self.events.put_rule(Name=self.name, EventPattern=pattern)["RuleArn"])
        self.url = self.sqs.create_queue(QueueName=self.name)["QueueUrl"]
        self.queue = arn_of(self.sqs, self.url)
        permit(stack.client, self.queue)

    def refused(self, *targets: dict[str, Any]) -> str:
        """What ``PutTargets`` answers; no target was added."""
        with pytest.raises(ClientError) as refused:
            self.events.put_targets(Rule=self.name, Targets=list(targets))
        assert self.events.list_targets_by_rule(Rule=self.name)["Targets"] == []
        error = refused.value.response["Error"]
        assert error["Code"] in ("ValidationException", "LimitExceededException"), error
        return str(error["Message"])

    def put(self) -> str:
        entry = {"Source": self.name, "DetailType": "t", "Detail": "{}"}
        answer = self.events.put_events(Entries=[entry])
        assert answer["FailedEntryCount"] == 0
        return str(answer["Entries"][0]["EventId"])


@pytest.fixture
def rule(stack: Stack) -> Rule:
    return Rule(stack)


def test_a_target_that_is_refused_is_not_kept(rule: Rule, journal: Journal) -> None:
    """LocalStack kept it, without what would deliver to it: the event was nowhere."""
    good = {"Id": "good", "Arn": rule.queue}
    bad = {"Id": "bad", "Arn": f"arn:aws:codebuild:{ACCOUNT}:project/p"}
    assert "Targets of codebuild are not part of this stack." in rule.refused(good, bad)

    event = rule.put()

    def discarded() -> dict[str, Any]:
        rows = [one for one in journal.find(source=BUS) if rule.name in one["place"]]
        assert len(rows) == 1, rows
        return rows[0]

    row = eventually(discarded)
    assert row["state"] == "discarded"
    assert row["place"] == f"the rules that match have no target: {rule.name}"
    assert event in str(journal.trace(row["id"]))


@pytest.mark.parametrize(
    ("arn", "said"),
    [
        *(
            (arn, f"RoleArn is required for target {arn}.")
            for arn in (
                f"arn:aws:kinesis:{ACCOUNT}:stream/s",
                f"arn:aws:events:{ACCOUNT}:event-bus/other",
                f"arn:aws:events:{ACCOUNT}:api-destination/d/1",
            )
        ),
        ("queue", "Parameter queue is not valid. Reason: Provided Arn is not in correct format."),
        (
            f"arn:aws:sqs:{ACCOUNT}:q.fifo",
            "Parameter(s) SqsParameters must be specified for target: t.",
        ),
        (f"arn:aws:ecs:{ACCOUNT}:cluster/c", "Targets of ecs are not part of this stack."),
    ],
)
def test_a_target_that_could_get_no_event_is_refused(rule: Rule, arn: str, said: str) -> None:
    assert rule.refused({"Id": "t", "Arn": arn}).startswith(said)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"DeadLetterConfig": {"Arn": f"arn:aws:sqs:{ACCOUNT}:d.fifo"}},
            "SQS FIFO is not supported by Dead Letter Queues.",
        ),
        (
            {"DeadLetterConfig": {"Arn": f"arn:aws:sns:{ACCOUNT}:d"}},
            "sns is not supported as a dead letter resource.",
        ),
        (
            {"DeadLetterConfig": {"Arn": "arn:aws:sqs:eu-west-1:000000000000:d"}},
            "The dead letter queue arn:aws:sqs:eu-west-1:000000000000:d must be in the Region",
        ),
        (
            {"RetryPolicy": {"MaximumRetryAttempts": 186}},
            "1 validation error detected: Value '186' at"
            " 'targets.1.member.retryPolicy.maximumRetryAttempts'",
        ),
        ({"Input": "{}", "InputPath": "$.detail"}, "Only one of Input, InputPath, or Input"),
        ({"Input": "text"}, "JSON syntax error in input for target t."),
        ({"InputPath": "detail"}, "InputPath for target t is invalid."),
        (
            {"InputTransformer": {"InputTemplate": '"<there>"'}},
            "InputTemplate for target t contains invalid placeholder there.",
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_setting_with_which_an_event_would_be_lost_is_refused(
    rule: Rule, settings: dict[str, Any], said: str
) -> None:
    assert rule.refused({"Id": "t", "Arn": rule.queue} | settings).startswith(said)


def test_a_sixth_target_costs_the_other_five_of_the_request(rule: Rule) -> None:
    targets = [{"Id": str(number), "Arn": rule.queue} for number in range(6)]
    said = rule.refused(*targets)
    assert said == "The requested resource exceeds the maximum number allowed."


@pytest.mark.parametrize(
    "pattern",
    ["[]", "{", "{}", '{"source": "shop"}', '{"source": []}', '{"source": [{"begins": "s"}]}'],
)
def test_a_pattern_that_cannot_be_read_is_refused(rule: Rule, pattern: str) -> None:
    """With ``[]`` each ``PutEvents`` of the bus failed, after some rules had the event."""
    with pytest.raises(ClientError) as refused:
        rule.events.put_rule(Name=f"{rule.name}-2", EventPattern=pattern)
    error = refused.value.response["Error"]
    assert error["Code"] == "InvalidEventPatternException"
    assert error["Message"].startswith("Event pattern is not valid. Reason: ")
    rule.put()


def test_a_pattern_may_have_all_that_eventbridge_knows(rule: Rule) -> None:
    pattern = {
        "$or": [{"source": ["a"]}, {"detail-type": [{"prefix": {"equals-ignore-case": "b"}}]}],
        "detail": {
            "$or": ["a name, and no OR"],
            "a": [{"anything-but": {"wildcard": "*x*"}}, {"exists": False}],
            "b": [{"numeric": [">", 0, "<=", 5]}, {"cidr": "10.0.0.0/24"}, None, True, 1.5],
        },
    }
    name = f"{rule.name}-2"
    rule.events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    assert json.loads(rule.events.describe_rule(Name=name)["EventPattern"]) == pattern
