"""A template with the transform of AWS SAM."""

from __future__ import annotations

import json
import secrets

from tests.engine.lambda_stack import Stack


def test_a_template_of_sam_is_translated(stack: Stack) -> None:
    api, name = stack.client("cloudformation"), f"s-{secrets.token_hex(6)}"
    template = {
        "Transform": "AWS::Serverless-2016-10-31",
        "Resources": {
            "Things": {
                "Type": "AWS::Serverless::SimpleTable",
                "Properties": {"TableName": name},
            }
        },
    }

    api.create_stack(
        StackName=name,
        TemplateBody=json.dumps(template),
        Capabilities=["CAPABILITY_AUTO_EXPAND"],
    )
    waiter = {"Delay": 0.2, "MaxAttempts": 300}
    api.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig=waiter)

    table = stack.client("dynamodb").describe_table(TableName=name)["Table"]
    assert table["KeySchema"] == [{"AttributeName": "id", "KeyType": "HASH"}]
    api.delete_stack(StackName=name)
