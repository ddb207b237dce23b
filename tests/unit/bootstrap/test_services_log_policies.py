"""Resource policies of CloudWatch Logs: made once, left alone, changed, taken away, refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws

from bootstrap.services import RESOURCE_TYPES
from bootstrap.services.base import Context, Outcome
from bootstrap.settings import Settings
from bootstrap.template import Physical
from tests.unit.bootstrap.by_moto import MotoContext, ensure

CREATED, CHANGED, UNCHANGED = Outcome.CREATED, Outcome.CHANGED, Outcome.UNCHANGED
TYPE = "AWS::Logs::ResourcePolicy"


def document(resource: str = "*", indent: int | None = None) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": resource,
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, indent=indent)


@pytest.fixture
def context() -> Iterator[Context]:
    with mock_aws():
        yield MotoContext(Settings(4566, 8080, "us-east-1"), "shop")


def test_a_policy_is_made_left_alone_changed_and_removed(context: Context) -> None:
    outcomes = []
    for one in (document(), document(indent=2), document("arn:aws:logs:*:*:*")):
        outcome, physical = ensure(context, TYPE, PolicyName="shop", PolicyDocument=one)
        outcomes.append(outcome)
    assert outcomes == [CREATED, UNCHANGED, CHANGED]
    assert physical == Physical("shop")

    (found,) = context.client("logs").describe_resource_policies()["resourcePolicies"]
    assert found["policyDocument"] == document("arn:aws:logs:*:*:*")

    kind = RESOURCE_TYPES[TYPE]
    (key,) = kind.keys("Thing", {}, physical)
    assert kind.remove is not None
    assert kind.remove(context, key)
    assert not kind.remove(context, key)
    assert context.client("logs").describe_resource_policies()["resourcePolicies"] == []


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"Statement": []}, "must be text, with the policy as JSON in it"),
        (3, "must be text, with the policy as JSON in it"),
        ("Statement", "must be JSON: Expecting value"),
        ("{}", "must have a Statement"),
        ("[]", "must have a Statement"),
    ],
)
def test_what_aws_takes_for_no_policy_is_refused(value: Any, said: str) -> None:
    """CloudFormation: "#/PolicyDocument: expected type: String, found: JSONObject"."""
    (found,) = RESOURCE_TYPES[TYPE].problems({"PolicyName": "p", "PolicyDocument": value})

    assert found.message.startswith(f"PolicyDocument {said}"), found.message
    assert found.path == ("PolicyDocument",)


@pytest.mark.parametrize("value", [document(), {"Fn::Sub": "{}"}, {"Ref": "Policy"}])
def test_what_is_not_known_yet_is_let_through(value: Any) -> None:
    found = RESOURCE_TYPES[TYPE].problems({"PolicyName": "p", "PolicyDocument": value})

    assert list(found) == []
