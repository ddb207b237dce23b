"""Changes of IAM roles.

AWS topics: AWS CloudFormation Template Reference Guide, "AWS::IAM::Role"; IAM API Reference.
"""

from __future__ import annotations

import json
from typing import Any

from trigger_stack.localstack.cloudformation import tags

type Model = dict[str, Any]

_SESSION_S = 3600


def change_role(clients: Any, before: Model, model: Model) -> None:
    """Everything but the name and the path, with which a role is another one."""
    iam, role = clients.iam, {"RoleName": model["RoleName"]}
    trust = model["AssumeRolePolicyDocument"]
    if trust != before.get("AssumeRolePolicyDocument"):
        iam.update_assume_role_policy(**role, PolicyDocument=_text(trust))
    settings = [
        (one.get("Description") or "", int(one.get("MaxSessionDuration") or _SESSION_S))
        for one in (model, before)
    ]
    if settings[0] != settings[1]:
        description, seconds = settings[0]
        iam.update_role(**role, Description=description, MaxSessionDuration=seconds)
    _change_policies(iam, role, before, model)
    boundary = model.get("PermissionsBoundary")
    if boundary and boundary != before.get("PermissionsBoundary"):
        iam.put_role_permissions_boundary(**role, PermissionsBoundary=boundary)
    elif before.get("PermissionsBoundary") and not boundary:
        iam.delete_role_permissions_boundary(**role)
    new, gone = tags.changes(before, model)
    if gone:
        iam.untag_role(**role, TagKeys=gone)
    if new:
        iam.tag_role(**role, Tags=tags.as_list(new))


def _change_policies(iam: Any, role: Model, before: Model, model: Model) -> None:
    managed, old = ({*(one.get("ManagedPolicyArns") or [])} for one in (model, before))
    for arn in sorted(managed - old):
        iam.attach_role_policy(**role, PolicyArn=arn)
    for arn in sorted(old - managed):
        iam.detach_role_policy(**role, PolicyArn=arn)
    own, former = (
        {one["PolicyName"]: one["PolicyDocument"] for one in each.get("Policies") or []}
        for each in (model, before)
    )
    for name, document in own.items():
        if document != former.get(name):
            iam.put_role_policy(**role, PolicyName=name, PolicyDocument=_text(document))
    for name in sorted(former.keys() - own):
        iam.delete_role_policy(**role, PolicyName=name)


def _text(document: Any) -> str:
    return document if isinstance(document, str) else json.dumps(document)
