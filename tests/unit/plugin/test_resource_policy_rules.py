"""What lets a service hand an event to a function, queue or topic."""

from __future__ import annotations

import json
from typing import Any

import pytest

from trigger_stack.services.resource_policies import Key, ResourcePolicies, statements_of

QUEUE = "arn:aws:sqs:us-east-1:000000000000:letters"
TOPIC = "arn:aws:sns:us-east-1:000000000000:news"
BUCKET = "arn:aws:s3:::pictures"
SNS, S3 = "sns.amazonaws.com", "s3.amazonaws.com"


def statement(**changed: Any) -> dict[str, Any]:
    given = {
        "Effect": "Allow",
        "Principal": {"Service": SNS},
        "Action": "sqs:SendMessage",
        "Resource": QUEUE,
    }
    return {name: value for name, value in {**given, **changed}.items() if value is not None}


def may(*statements: dict[str, Any], source: str = TOPIC, principal: str = SNS) -> bool:
    text = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    policies = ResourcePolicies(lambda _: statements_of(text))
    return policies.why_not(principal, QUEUE, source, "000000000000") is None


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"Principal": "*"},
        {"Principal": {"AWS": "*"}},
        {"Principal": {"Service": ["events.amazonaws.com", SNS]}},
        {"Principal": {"Service": "sns.us-east-1.amazonaws.com"}},
        {"Action": "SQS:Send*"},
        {"Action": ["sqs:ReceiveMessage", "sqs:sendmessage"]},
        {"Action": None, "NotAction": "sqs:DeleteQueue"},
        {"Resource": "*"},
        {"Resource": "arn:aws:sqs:*:*:l?tters"},
        {"Resource": None, "NotResource": f"{QUEUE}-dlq"},
        {"Condition": {"ArnEquals": {"aws:SourceArn": TOPIC}}},
        {"Condition": {"ArnLike": {"aws:sourcearn": "arn:aws:sns:*:*:news"}}},
        {"Condition": {"StringEquals": {"aws:SourceAccount": "000000000000"}}},
        {"Condition": {"StringEquals": {"aws:SourceAccount": ["1", "000000000000"]}}},
        {"Condition": {"StringNotEquals": {"aws:SourceArn": f"{TOPIC}-2"}}},
        {"Condition": {"StringNotEquals": {"aws:SourceVpc": "vpc-1"}}},  # a call without this key
        {"Condition": {"StringEqualsIfExists": {"aws:SourceVpc": "vpc-1"}}},
        {"Condition": {"ForAllValues:StringEquals": {"aws:TagKeys": "team"}}},
        {"Condition": {"Null": {"aws:SourceVpc": "true", "aws:SourceArn": "false"}}},
        {"Condition": {"Bool": {"aws:PrincipalIsAWSService": "true"}}},
        {"Condition": {"StringEquals": {"aws:SourceOrgID": "o-1"}}},  # not known: holds
    ],
)
def test_a_service_is_let_in(changed: dict[str, Any]) -> None:
    assert may(statement(**changed))


@pytest.mark.parametrize(
    "changed",
    [
        {"Effect": "Deny"},
        {"Principal": {"Service": "events.amazonaws.com"}},
        {"Principal": {"AWS": "arn:aws:iam::000000000000:root"}},  # the account is no service
        {"Action": "sqs:ReceiveMessage"},
        {"Action": "sns:Publish"},
        {"Action": None, "NotAction": "sqs:*"},
        {"Resource": f"{QUEUE}-dlq"},
        {"Resource": None},
        {"Resource": None, "NotResource": QUEUE},
        {"Condition": {"ArnEquals": {"aws:SourceArn": f"{TOPIC}-2"}}},
        {"Condition": {"StringEquals": {"aws:SourceArn": "arn:aws:sns:*:*:news"}}},  # no wildcards
        {"Condition": {"StringEquals": {"aws:SourceAccount": "111111111111"}}},
        {"Condition": {"StringEquals": {"AWS:SourceOwner": "000000000000"}}},  # a topic's default
        {"Condition": {"StringNotEquals": {"aws:SourceArn": TOPIC}}},
        {"Condition": {"Null": {"aws:SourceArn": "true"}}},
        {"Condition": {"ForAnyValue:StringEquals": {"aws:TagKeys": "team"}}},
        {"Condition": {"DateLessThan": {"aws:TokenIssueTime": "2030-01-01T00:00:00Z"}}},
    ],
)
def test_a_service_is_refused(changed: dict[str, Any]) -> None:
    assert not may(statement(**changed))


def test_nobody_is_let_in_without_a_policy() -> None:
    assert not may()
    problem = ResourcePolicies(lambda _: statements_of("")).why_not(SNS, QUEUE, TOPIC)
    assert problem == (
        f"User: {SNS} is not authorized to perform: sqs:SendMessage on resource: {QUEUE} because"
        " no resource-based policy allows the sqs:SendMessage action"
    )


def test_a_denial_counts_more() -> None:
    assert not may(statement(), statement(Effect="Deny", Principal="*"))
    insecure = {"Bool": {"aws:SecureTransport": "false"}}
    assert may(statement(), statement(Effect="Deny", Principal="*", Condition=insecure))
    organization = {"StringNotEquals": {"aws:SourceOrgID": "o-1"}}  # not known: does not deny
    assert may(statement(), statement(Effect="Deny", Principal="*", Condition=organization))


def test_a_bucket_says_not_whose_it_is() -> None:
    condition = {
        "ArnLike": {"aws:SourceArn": "arn:aws:s3:*:*:pictures"},
        "StringEquals": {"aws:SourceAccount": "000000000000"},
    }
    given = statement(Principal={"Service": S3}, Condition=condition)
    assert may(given, source=BUCKET, principal=S3)
    other = statement(
        Principal={"Service": S3}, Condition={"StringEquals": {"aws:SourceAccount": "1"}}
    )
    assert not may(other, source=BUCKET, principal=S3)


def test_what_has_no_policy_is_not_looked_at() -> None:
    policies = ResourcePolicies(lambda _: ())
    stream = "arn:aws:kinesis:us-east-1:000000000000:stream/clicks"
    assert policies.why_not("events.amazonaws.com", stream, TOPIC) is None


def test_the_key_of_what_is_encrypted_must_let_it_in_too() -> None:
    arn = "arn:aws:kms:us-east-1:000000000000:key/1"
    given = {"Effect": "Allow", "Principal": {"Service": SNS}, "Resource": "*"}

    def problem(*actions: str) -> str | None:
        key = Key(arn, ({**given, "Action": list(actions)},))
        return ResourcePolicies(lambda _: (statement(),), lambda _: key).why_not(SNS, QUEUE, TOPIC)

    assert problem("kms:GenerateDataKey*", "kms:Decrypt") is None
    assert f"perform: kms:Decrypt on resource: {arn} " in str(problem("kms:GenerateDataKey"))
    assert "perform: kms:GenerateDataKey on" in str(problem("kms:Decrypt"))


def test_the_setting_lets_everybody_in() -> None:
    assert ResourcePolicies(lambda _: (), checked=False).why_not(SNS, QUEUE, TOPIC) is None


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"Statement": [1]}', "null"])
def test_what_is_no_policy_lets_nobody_in(text: str) -> None:
    assert list(statements_of(text)) == []


def test_one_statement_needs_no_list() -> None:
    assert len(statements_of(json.dumps({"Statement": statement()}))) == 1


EVENTS = "events.amazonaws.com"
GROUP = "arn:aws:logs:us-east-1:000000000000:log-group:/aws/events/news"
RULE = "arn:aws:events:us-east-1:000000000000:rule/news"


def of_group(*statements: dict[str, Any], target: str = GROUP) -> str | None:
    """Why EventBridge may not write to a log group."""
    return ResourcePolicies(lambda _: statements).why_not(EVENTS, target, RULE)


def letting_in(**changed: Any) -> dict[str, Any]:
    """EventBridge User Guide, "CloudWatch Logs permissions"."""
    given = {
        "Effect": "Allow",
        "Principal": {"Service": [EVENTS, "delivery.logs.amazonaws.com"]},
        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": "arn:aws:logs:us-east-1:000000000000:log-group:/aws/events/*:*",
    }
    return {**given, **changed}


@pytest.mark.parametrize("target", [GROUP, f"{GROUP}:*"])
@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"Principal": {"Service": EVENTS}},
        {"Principal": {"Service": "delivery.logs.amazonaws.com"}},
        {"Action": "logs:*"},
        {"Resource": f"{GROUP}:*"},
        {"Resource": f"{GROUP}:*:*"},
        {"Resource": "*"},
        {"Condition": {"ArnEquals": {"aws:SourceArn": RULE}}},
    ],
)
def test_a_log_group_lets_eventbridge_in(changed: dict[str, Any], target: str) -> None:
    assert of_group(letting_in(**changed), target=target) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"Principal": {"Service": "es.amazonaws.com"}},
        {"Resource": GROUP},  # without the streams, to which the events are written
        {"Resource": f"{GROUP}-2:*"},
        {"Condition": {"ArnEquals": {"aws:SourceArn": f"{RULE}-2"}}},
        {"Effect": "Deny"},
    ],
)
def test_a_log_group_refuses_eventbridge(changed: dict[str, Any]) -> None:
    assert str(of_group(letting_in(**changed))).startswith(
        f"User: {EVENTS} is not authorized to perform: logs:CreateLogStream on resource: {GROUP}:"
    )


def test_eventbridge_makes_a_stream_and_writes_to_it() -> None:
    """Each of the two may be in a statement of its own, and one alone is not enough."""
    making, writing = (letting_in(Action=f"logs:{a}") for a in ("CreateLogStream", "PutLogEvents"))
    assert of_group(making, writing) is None
    assert "perform: logs:PutLogEvents on" in str(of_group(making))
    assert "perform: logs:CreateLogStream on" in str(of_group(writing))
