"""Receipt rules of a stack: made, changed and deleted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.delivery.stacks import Stacks
from tests.engine.lambda_stack import Stack, start_stack

SERVICES = "cloudformation,cloudwatch,iam,lambda,logs,s3,ses,sns,sqs,sts"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    made = start_stack(tmp_path_factory.mktemp("mail"), SERVICES=SERVICES)
    yield made
    made.stop()


def test_receipt_rules(stack: Stack) -> None:
    stacks, ses = Stacks(stack), stack.client("ses")
    sets = {"RuleSetName": {"Ref": "Set"}}

    def resources(*recipients: str, **first: Any) -> dict[str, Any]:
        topic = {"SNSAction": {"TopicArn": {"Ref": "Topic"}}}
        rule = {"Recipients": [*recipients], "Enabled": "true", "Actions": [topic], **first}
        named = {"Rule": rule | {"Name": "second"}, "After": {"Ref": "First"}}
        return {
            "Topic": {"Type": "AWS::SNS::Topic"},
            "Set": {"Type": "AWS::SES::ReceiptRuleSet"},
            "First": {"Type": "AWS::SES::ReceiptRule", "Properties": {**sets, "Rule": rule}},
            "Second": {"Type": "AWS::SES::ReceiptRule", "Properties": sets | named},
        }

    names = {name: {"Ref": name} for name in ("Set", "First", "Second")}
    made = stacks.deploy(resources("a@shop.example"), **names)
    assert made["Second"] == "second"

    def rules() -> list[dict[str, Any]]:
        return list(ses.describe_receipt_rule_set(RuleSetName=made["Set"])["Rules"])

    assert [one["Name"] for one in rules()] == [made["First"], "second"]
    assert [one["Enabled"] for one in rules()] == [True, True]
    assert stacks.deploy(resources("b@shop.example", ScanEnabled="true"), **names) == made
    assert [one["Recipients"] for one in rules()] == [["b@shop.example"]] * 2
    assert rules()[0]["ScanEnabled"] is True

    only = {name: one for name, one in resources("b@shop.example").items() if name != "Second"}
    stacks.deploy(only)
    assert [one["Name"] for one in rules()] == [made["First"]]
    stacks.delete()
    with pytest.raises(ClientError, match="RuleSetDoesNotExist"):
        rules()
