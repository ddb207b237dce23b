"""CloudFormation stacks that one test makes, changes and deletes."""

from __future__ import annotations

import json
import secrets
from typing import Any

from botocore.exceptions import ClientError, WaiterError

from tests.engine.lambda_stack import PYTHON, ROLE, Stack

PRINT = """
import json
def handler(event, context):
    print("SEEN " + json.dumps(event))
"""


class Stacks:
    """Stacks that one test makes."""

    def __init__(self, stack: Stack) -> None:
        self.api = stack.client("cloudformation")
        self.name = f"s-{secrets.token_hex(6)}"
        self.by_change_set = False

    def deploy(self, resources: dict[str, Any], **outputs: Any) -> dict[str, str]:
        """Create or update the stack; its outputs.

        Raises:
            AssertionError: It failed; with the reasons.
        """
        template = {
            "Resources": resources,
            "Outputs": {name: {"Value": value} for name, value in outputs.items()},
        }
        try:
            there = self.api.describe_stacks(StackName=self.name)["Stacks"]
        except ClientError:
            there = []
        change = "update" if there else "create"
        if self.by_change_set:
            self._execute_change_set(change.upper(), json.dumps(template))
        else:
            made = getattr(self.api, f"{change}_stack")
            made(StackName=self.name, TemplateBody=json.dumps(template))
        waiter = self.api.get_waiter(f"stack_{change}_complete")
        try:
            waiter.wait(StackName=self.name, WaiterConfig={"Delay": 0.2, "MaxAttempts": 300})
        except WaiterError:
            raise AssertionError(self.reasons()) from None
        (there,) = self.api.describe_stacks(StackName=self.name)["Stacks"]
        given = {one["OutputKey"]: one["OutputValue"] for one in there.get("Outputs", [])}
        assert set(outputs) == given.keys(), there
        return given

    def _execute_change_set(self, kind: str, template: str) -> None:
        names = {"StackName": self.name, "ChangeSetName": f"c-{secrets.token_hex(6)}"}
        self.api.create_change_set(**names, ChangeSetType=kind, TemplateBody=template)
        waiter = self.api.get_waiter("change_set_create_complete")
        waiter.wait(**names, WaiterConfig={"Delay": 0.2, "MaxAttempts": 300})
        self.api.execute_change_set(**names)

    def reasons(self) -> str:
        """Why the stack failed, and its resources."""
        (made,) = self.api.describe_stacks(StackName=self.name)["Stacks"]
        events = self.api.describe_stack_events(StackName=self.name)["StackEvents"]
        failed = [one for one in events if one["ResourceStatus"].endswith("FAILED")]
        reasons = [one.get("ResourceStatusReason", "") for one in failed]
        return "; ".join([made.get("StackStatusReason", ""), *reasons])

    def resources(self) -> list[dict[str, Any]]:
        """What the stack says that it has."""
        answer = self.api.describe_stack_resources(StackName=self.name)
        return list(answer["StackResources"])

    def physical_ids(self) -> dict[str, str]:
        """By logical id, those of the resources that exist."""
        name = "PhysicalResourceId"
        return {one["LogicalResourceId"]: one[name] for one in self.resources() if name in one}

    def delete(self) -> None:
        self.api.delete_stack(StackName=self.name)
        waiter = self.api.get_waiter("stack_delete_complete")
        try:
            waiter.wait(StackName=self.name, WaiterConfig={"Delay": 0.2, "MaxAttempts": 300})
        except WaiterError:
            raise AssertionError(self.reasons()) from None


def function(code: str) -> dict[str, Any]:
    return {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Code": {"ZipFile": code},
            "Handler": "index.handler",
            "Role": ROLE,
            "Runtime": PYTHON,
            "Timeout": 10,
        },
    }
