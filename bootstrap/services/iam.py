"""AWS IAM: execution roles."""

from __future__ import annotations

import json
from typing import Any

from bootstrap.services import shapes
from bootstrap.services.base import (
    Context,
    Key,
    Outcome,
    Properties,
    ResourceType,
    found,
    outcome_of,
)
from bootstrap.template import Physical


def _role(context: Context, logical_id: str, properties: Properties) -> tuple[Outcome, Physical]:
    iam = context.client("iam")
    name = properties["RoleName"]
    trust = properties["AssumeRolePolicyDocument"]
    existing = found(lambda: iam.get_role(RoleName=name), "NoSuchEntity")
    changes: list[bool] = []
    if existing is None:
        more = {key: properties[key] for key in ("Description", "Path") if key in properties}
        document = json.dumps(trust)
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document, **more)["Role"]
    else:
        role = existing["Role"]
        if _document(role["AssumeRolePolicyDocument"]) != trust:
            iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trust))
            changes.append(True)
    attached = set[str]() if existing is None else _attached(iam, name)
    managed = set(properties.get("ManagedPolicyArns", []))
    for arns, change in (
        (managed - attached, iam.attach_role_policy),
        (attached - managed, iam.detach_role_policy),
    ):
        for arn in sorted(arns):
            change(RoleName=name, PolicyArn=arn)
            changes.append(True)
    policies = {
        policy["PolicyName"]: policy["PolicyDocument"] for policy in properties.get("Policies", [])
    }
    changes += [
        _put_policy(iam, name, policy, wanted, new=existing is None)
        for policy, wanted in policies.items()
    ]
    if existing is not None:
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
            if policy not in policies:
                iam.delete_role_policy(RoleName=name, PolicyName=policy)
                changes.append(True)
    return outcome_of(existing is None, *changes), Physical(name, {"Arn": role["Arn"]})


def _attached(iam: Any, role: str) -> set[str]:
    answer = iam.list_attached_role_policies(RoleName=role)
    return {policy["PolicyArn"] for policy in answer["AttachedPolicies"]}


def _put_policy(iam: Any, role: str, name: str, wanted: dict[str, Any], *, new: bool) -> bool:
    identity = {"RoleName": role, "PolicyName": name}
    current = None if new else found(lambda: iam.get_role_policy(**identity), "NoSuchEntity")
    if current is not None and _document(current["PolicyDocument"]) == wanted:
        return False
    iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(wanted))
    return True


def _document(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


def _exists(context: Context, key: Key) -> bool:
    iam = context.client("iam")
    return found(lambda: iam.get_role(RoleName=key["Ref"]), "NoSuchEntity") is not None


def _delete(context: Context, key: Key) -> None:
    iam, name = context.client("iam"), key["Ref"]
    for arn in _attached(iam, name):
        iam.detach_role_policy(RoleName=name, PolicyArn=arn)
    for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        iam.delete_role_policy(RoleName=name, PolicyName=policy)
    iam.delete_role(RoleName=name)


RESOURCE_TYPES = {
    "AWS::IAM::Role": ResourceType(
        _role,
        {
            **shapes.all_as_aws("RoleName"),
            "AssumeRolePolicyDocument": shapes.any_mapping,
        },
        {
            **shapes.all_as_aws("Description", "ManagedPolicyArns", "Path"),
            "Policies": shapes.list_of(
                shapes.mapping({"PolicyName": shapes.text, "PolicyDocument": shapes.any_mapping})
            ),
            "MaxSessionDuration": shapes.number(3600, 43_200),
        },
        exists=_exists,
        delete_with="iam delete-role --role-name {Ref}",
        holds_data=False,
        delete=_delete,
    ),
}
