"""Which targets EventBridge refuses, and with which sentence."""

from __future__ import annotations

from typing import Any

import pytest

from trigger_stack.delivery.rules.target_checks import exceeds, why_refused

QUEUE = "arn:aws:sqs:us-east-1:000000000000:q"
ROLE = {"RoleArn": "arn:aws:iam::000000000000:role/r"}


def refused(arn: str = QUEUE, absent: tuple[str, ...] = (), **settings: Any) -> str | None:
    return why_refused({"Id": "t", "Arn": arn} | settings, "us-east-1", absent)


@pytest.mark.parametrize(
    ("arn", "settings"),
    [
        (QUEUE, {}),
        (QUEUE, {"Input": '"text"'}),
        (QUEUE, {"InputPath": "$"}),
        (QUEUE, {"InputPath": "$.detail.list[0]"}),
        (QUEUE, {"DeadLetterConfig": {}}),
        (QUEUE, {"DeadLetterConfig": {"Arn": QUEUE}}),
        (f"{QUEUE}.fifo", {"SqsParameters": {"MessageGroupId": "g"}}),
        ("arn:aws:sns:us-east-1:000000000000:t", {}),
        ("arn:aws:logs:us-east-1:000000000000:log-group:/g:*", {}),
        ("arn:aws:lambda:us-east-1:000000000000:function:f:live", {}),
        ("arn:aws:execute-api:us-east-1:000000000000:api/dev/POST/a/*", {}),
        ("arn:aws:events:us-east-1:000000000000:archive/a", {}),
        ("arn:aws:events:eu-west-1:000000000000:event-bus/b", ROLE),
        ("arn:aws:states:us-east-1:000000000000:stateMachine:s", ROLE),
    ],
)
def test_taken(arn: str, settings: dict[str, Any]) -> None:
    assert refused(arn, **settings) is None


@pytest.mark.parametrize(
    ("arn", "settings", "said"),
    [
        ("q", {}, "Parameter q is not valid. Reason: Provided Arn is not in correct format."),
        (
            "arn:aws:s3:::bucket",
            {},
            "Targets of s3 are not part of this stack. Targets here: apigateway, events,"
            " execute-api, firehose, kinesis, lambda, logs, sns, sqs, states.",
        ),
        (
            f"{QUEUE}.fifo",
            {"SqsParameters": {}},
            "Parameter(s) SqsParameters must be specified for target: t.",
        ),
        (QUEUE, {"InputPath": "$.detail['a']"}, "InputPath for target t is invalid."),
        (
            QUEUE,
            {"InputTransformer": {"InputTemplate": "<a>", "InputPathsMap": {"a": "detail"}}},
            "InputPath for target t is invalid.",
        ),
        (
            QUEUE,
            {"DeadLetterConfig": {"Arn": "q"}},
            "Parameter q is not valid. Reason: Provided Arn is not in correct format.",
        ),
    ],
)
def test_refused(arn: str, settings: dict[str, Any], said: str) -> None:
    assert refused(arn, **settings) == said


def test_what_this_stack_does_not_have_is_named() -> None:
    machine = "arn:aws:states:us-east-1:000000000000:stateMachine:s"
    said = refused(machine, ("firehose", "states"), **ROLE)
    assert said is not None
    assert said.startswith("Targets of states are not part of this stack. Targets here: ")
    assert "firehose" not in said


@pytest.mark.parametrize(
    ("known", "added", "expected"),
    [
        ("", "12345", False),
        ("", "123456", True),
        ("1234", "56", True),
        ("12345", "5", False),
        ("123456", "6", False),  # LocalStack took it before
    ],
)
def test_a_rule_has_five_targets(known: str, added: str, expected: bool) -> None:
    assert exceeds(known, added) is expected
