"""A CloudFormation stack with a policy of CloudWatch Logs and a composite alarm of any rule."""

from __future__ import annotations

import json
import secrets
from typing import Any

from tests.engine.lambda_stack import Stack
from tests.support.waiting import eventually

ALARM = {
    "Type": "AWS::CloudWatch::Alarm",
    "Properties": {
        "MetricName": "errors",
        "Namespace": "shop",
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 1,
        "ComparisonOperator": "GreaterThanThreshold",
    },
}


def template(name: str, *actions: str) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": [f"logs:{action}" for action in actions],
        "Resource": "${Lines.Arn}",
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    rule = "NOT (ALARM(${One}) AND OK(${Other})) OR FALSE"
    resources: dict[str, Any] = {
        "Lines": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": f"/{name}"}},
        "One": ALARM,
        "Other": ALARM,
        "Both": {
            "Type": "AWS::CloudWatch::CompositeAlarm",
            "Properties": {"AlarmName": name, "AlarmRule": {"Fn::Sub": rule}},
        },
        "Storing": {
            "Type": "AWS::Logs::ResourcePolicy",
            "Properties": {"PolicyName": name, "PolicyDocument": {"Fn::Sub": document}},
        },
    }
    return json.dumps({"Resources": resources})


def test_they_are_made_changed_and_deleted(stack: Stack) -> None:
    cloudformation, name = stack.client("cloudformation"), f"s{secrets.token_hex(4)}"

    def is_(status: str) -> bool:
        (found,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
        assert found["StackStatus"] == status, found
        return True

    def allowed() -> list[str]:
        policies = stack.client("logs").describe_resource_policies()["resourcePolicies"]
        documents = [one["policyDocument"] for one in policies if one["policyName"] == name]
        return [action for one in documents for action in json.loads(one)["Statement"][0]["Action"]]

    cloudformation.create_stack(StackName=name, TemplateBody=template(name, "PutLogEvents"))
    eventually(lambda: is_("CREATE_COMPLETE"))
    assert allowed() == ["logs:PutLogEvents"]

    both = template(name, "CreateLogStream", "PutLogEvents")
    cloudformation.update_stack(StackName=name, TemplateBody=both)
    eventually(lambda: is_("UPDATE_COMPLETE"))
    assert allowed() == ["logs:CreateLogStream", "logs:PutLogEvents"]

    cloudformation.delete_stack(StackName=name)
    eventually(lambda: allowed() == [])
