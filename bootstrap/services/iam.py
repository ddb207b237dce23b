"""AWS IAM: execution roles."""

from __future__ import annotations

import json
from typing import Any

from bootstrap.services.base import Context, Outcome, Properties, ResourceType, found
from bootstrap.template import Physical


def _role(context: Context, logical_id: str, properties: Properties) -> tuple[Outcome, Physical]:
    iam = context.client("iam")
    name = properties["RoleName"]
    trust = properties["AssumeRolePolicyDocument"]
    existing = found(lambda: iam.get_role(RoleName=name), "NoSuchEntity")
    outcome = Outcome.UNCHANGED
    if existing is None:
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]
        outcome = Outcome.CREATED
    else:
        role = existing["Role"]
        if _document(role["AssumeRolePolicyDocument"]) != trust:
            iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trust))
            outcome = Outcome.CHANGED
    for policy in properties.get("Policies", []):
        if _put_policy(iam, name, policy) and outcome is Outcome.UNCHANGED:
            outcome = Outcome.CHANGED
    return outcome, Physical(name, {"Arn": role["Arn"]})


def _put_policy(iam: Any, role: str, policy: dict[str, Any]) -> bool:
    name, wanted = policy["PolicyName"], policy["PolicyDocument"]
    current = found(lambda: iam.get_role_policy(RoleName=role, PolicyName=name), "NoSuchEntity")
    if current is not None and _document(current["PolicyDocument"]) == wanted:
        return False
    iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(wanted))
    return True


def _document(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


RESOURCE_TYPES = {
    "AWS::IAM::Role": ResourceType(
        _role, frozenset({"RoleName", "AssumeRolePolicyDocument"}), frozenset({"Policies"})
    ),
}
