"""What an execution role lets a service do."""

from __future__ import annotations

from typing import Any

import pytest

from trigger_stack.services.execution_roles import ExecutionRoles, Role
from trigger_stack.services.scheduler.client_tokens import ClientTokens

ROLE = "arn:aws:iam::000000000000:role/r"
QUEUE = "arn:aws:sqs:us-east-1:000000000000:q"
PIPE = "arn:aws:pipes:us-east-1:000000000000:pipe/p"
PRINCIPAL = "pipes.amazonaws.com"
ALLOW: dict[str, Any] = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": QUEUE}
TRUST: dict[str, Any] = {
    "Effect": "Allow",
    "Action": "sts:AssumeRole",
    "Principal": {"Service": [PRINCIPAL]},
}


def roles(*permissions: dict[str, Any], trust: Any = TRUST, checked: bool = True) -> ExecutionRoles:
    role = Role([trust], list(permissions))
    return ExecutionRoles(lambda arn: role if arn == ROLE else None, checked=checked)


@pytest.mark.parametrize(
    ("permissions", "allowed"),
    [
        ([ALLOW], True),
        ([], False),
        ([{**ALLOW, "Action": ["sqs:Send*"]}], True),
        ([{**ALLOW, "Action": "SQS:sendmessage"}], True),
        ([{**ALLOW, "Action": "sqs:ReceiveMessage"}], False),
        ([{**ALLOW, "Resource": f"{QUEUE}2"}], False),
        ([{**ALLOW, "Resource": ["x", "arn:aws:sqs:*:*:q"]}], True),
        ([ALLOW, {**ALLOW, "Effect": "Deny"}], False),
        ([ALLOW, {**ALLOW, "Effect": "Deny", "Condition": {"Bool": {"x": "true"}}}], True),
        ([{**ALLOW, "Condition": {"StringEquals": {"aws:RequestedRegion": "x"}}}], True),
        ([{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}], True),
        ([{"Effect": "Allow", "NotAction": "sqs:*", "Resource": "*"}], False),
        ([{"Effect": "Allow", "Action": "*", "NotResource": QUEUE}], False),
    ],
)
def test_permissions(permissions: list[dict[str, Any]], allowed: bool) -> None:
    problem = roles(*permissions).why_not_allowed(ROLE, ("sqs:SendMessage",), QUEUE, PIPE)

    assert (problem is None) == allowed, problem


@pytest.mark.parametrize(
    ("permissions", "allowed"),
    [
        ([ALLOW], True),
        ([{**ALLOW, "Action": "sqs:ReceiveMessage"}], False),
        ([ALLOW, {**ALLOW, "Effect": "Deny"}], True),
        ([ALLOW, {**ALLOW, "Effect": "Deny", "Resource": "*"}], False),
    ],
)
def test_permissions_for_a_resource_that_is_not_known(
    permissions: list[dict[str, Any]], allowed: bool
) -> None:
    problem = roles(*permissions).why_not_allowed(ROLE, ("sqs:SendMessage",), None, PIPE)

    assert (problem is None) == allowed, problem
    assert problem is None or "on resource" not in problem


def test_one_of_several_actions_is_enough() -> None:
    wanted = ("kinesis:PutRecords", "sqs:SendMessage")
    assert roles(ALLOW).why_not_allowed(ROLE, wanted, QUEUE, PIPE) is None


@pytest.mark.parametrize(
    ("trust", "assumed"),
    [
        (TRUST, True),
        ({**TRUST, "Action": ["sts:*"]}, True),
        ({**TRUST, "Action": "sts:TagSession"}, False),
        ({**TRUST, "Principal": {"Service": "lambda.amazonaws.com"}}, False),
        ({**TRUST, "Principal": {"AWS": ROLE}}, False),
        ({**TRUST, "Condition": {"StringEquals": {"aws:SourceAccount": "000000000000"}}}, True),
        ({**TRUST, "Condition": {"StringEquals": {"aws:SourceAccount": "111111111111"}}}, False),
        ({**TRUST, "Condition": {"ArnLike": {"aws:SourceArn": f"{PIPE}*"}}}, True),
    ],
)
def test_trust(trust: dict[str, Any], assumed: bool) -> None:
    problem = roles(trust=trust).why_not_assumed(ROLE, PRINCIPAL, PIPE)

    assert (problem is None) == assumed, problem


def test_a_role_that_is_not_there_and_one_of_another_account() -> None:
    nobody, foreign = f"{ROLE}2", ROLE.replace("000000000000", "111111111111")

    assert "CHECK_EXECUTION_ROLES=0" in str(roles().why_not_assumed(nobody, PRINCIPAL, PIPE))
    assert roles().why_not_allowed(nobody, ("a:B",), QUEUE, PIPE)
    for unchecked, arn in ((roles(), foreign), (roles(checked=False), nobody)):
        assert unchecked.why_not_assumed(arn, PRINCIPAL, PIPE) is None
        assert unchecked.why_not_allowed(arn, ("a:B",), QUEUE, PIPE) is None


def test_a_token_is_new_again_when_its_request_failed() -> None:
    tokens, done = ClientTokens(), []

    def fail() -> None:
        raise ValueError

    with pytest.raises(ValueError):
        tokens.once(("a",), {"ClientToken": "t", "Name": "n"}, fail)
    for place in (("a",), ("a",), ("b",)):
        request = {"ClientToken": "t", "Name": "n"}
        assert tokens.once(place, request, lambda: done.append(1) or {"Arn": "x"}) == {"Arn": "x"}
    assert len(done) == 2
