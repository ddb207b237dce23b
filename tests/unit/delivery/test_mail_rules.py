"""Which receipt rules are for a recipient, and what they do in which order."""

from __future__ import annotations

from typing import Any

import pytest

from trigger_stack.delivery.mail.rules import RuleSet, matches, plan

S3 = {"S3Action": {"BucketName": "b"}}
FUNCTION = {"LambdaAction": {"FunctionArn": "f", "TopicArn": "t"}}


def rule(name: str, *actions: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"Name": name, "Enabled": True, "Actions": list(actions), **more}


def rule_set(*rules: dict[str, Any], domains: tuple[str, ...] = ("shop.example",)) -> RuleSet:
    return RuleSet("000000000000", "us-east-1", "set", rules, frozenset(domains))


@pytest.mark.parametrize(
    ("condition", "recipient", "fits"),
    [
        ("ada@shop.example", "ada@shop.example", True),
        ("ada@shop.example", "Ada@SHOP.example", True),
        ("ada@shop.example", "ada+anything@shop.example", True),
        ("ada+one@shop.example", "ada+one@shop.example", True),
        ("ada+one@shop.example", "ada+two@shop.example", False),
        ("ada+one@shop.example", "ada@shop.example", False),
        ("ada@shop.example", "bob@shop.example", False),
        ("ada@shop.example", "ada@mail.shop.example", False),
        ("shop.example", "anybody@shop.example", True),
        ("shop.example", "anybody@mail.shop.example", False),
        ("shop.example", "anybody@othershop.example", False),
        (".shop.example", "anybody@mail.shop.example", True),
        (".shop.example", "anybody@a.b.shop.example", True),
        (".shop.example", "anybody@shop.example", False),
        (".shop.example", "anybody@othershop.example", False),
    ],
)
def test_a_condition_is_an_address_a_domain_or_every_subdomain(
    condition: str, recipient: str, fits: bool
) -> None:
    assert matches([condition], recipient) is fits


def test_without_a_condition_a_rule_is_for_every_verified_domain() -> None:
    rules = rule_set(rule("all", S3))

    assert list(rules.rules_for("anybody@shop.example"))
    assert list(rules.rules_for("anybody@mail.shop.example"))
    assert not list(rules.rules_for("anybody@other.example"))


def test_a_rule_is_off_unless_it_is_enabled() -> None:
    off = {"Name": "off", "Actions": [S3]}

    assert not list(rule_set(off).rules_for("a@shop.example"))
    assert plan(rule_set(off), ["a@shop.example"]) == []


def test_every_rule_that_fits_acts_in_order_for_its_own_recipients() -> None:
    rules = rule_set(
        rule("one", S3, FUNCTION, Recipients=["ada@shop.example"]),
        rule("none", S3, Recipients=["eve@shop.example"]),
        rule("two", {"StopAction": {"Scope": "RuleSet"}}),
    )

    steps = plan(rules, ["ada+x@shop.example", "bob@shop.example"])

    assert [str(step) for step in steps] == [
        "rule one: S3",
        "rule one: Lambda",
        "rule one: Lambda notification",
        "rule two: Stop",
    ]
    assert steps[0].recipients == ("ada+x@shop.example",)
    assert steps[-1].recipients == ("ada+x@shop.example", "bob@shop.example")


def test_sns_has_a_topic_and_needs_no_notification_of_its_own() -> None:
    rules = rule_set(rule("one", {"SNSAction": {"TopicArn": "t"}}))

    assert [str(step) for step in plan(rules, ["a@shop.example"])] == ["rule one: SNS"]
