"""The roles of this stack's IAM, for services that act with one.

What: no patch; reads LocalStack's store of IAM.
Why: LocalStack's open release assumes no role. A request for each delivery would take longer than
the delivery.
Until: LocalStack checks execution roles.
Test: ``tests/delivery/test_execution_roles.py``.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from localstack.aws.api import CommonServiceException, ServiceException
from localstack.services.iam.models import RoleEntity, iam_stores
from localstack.services.plugins import SERVICE_PLUGINS

from trigger_stack.services.execution_roles import SETTING, ExecutionRoles, Role, Statement

_EVERYTHING: Statement = {"Effect": "Allow", "Action": "*", "Resource": "*"}


@functools.cache
def execution_roles() -> ExecutionRoles:
    """The roles of every account."""
    return ExecutionRoles(find, checked=os.environ.get(SETTING) != "0")


def find(arn: str) -> Role | None:
    """The role of an ARN, or None."""
    account, name = arn.split(":")[4], arn.rpartition("/")[2]
    store = iam_stores[account]["us-east-1"]  # roles are in every region
    entity = store.ROLES.get(name)
    if entity is None or entity.role["Arn"] != arn:
        return None
    trust = _statements(str(entity.role.get("AssumeRolePolicyDocument") or "{}"))
    return Role(trust, list(_permissions(store, entity)))


def _permissions(store: Any, entity: RoleEntity) -> Iterator[Statement]:
    for document in list(entity.inline_policies.values()):
        yield from _statements(document)
    for arn in list(entity.attached_policy_arns):
        policy = store.MANAGED_POLICIES.get(arn) or _of_aws(store, arn)
        if policy is None:
            yield _EVERYTHING  # what it allows is not known
            continue
        version = policy.versions[policy.policy["DefaultVersionId"]]
        yield from _statements(version["Document"])


def _of_aws(store: Any, arn: str) -> Any | None:
    """A policy that AWS manages; None when this release of LocalStack does not have it."""
    try:
        return SERVICE_PLUGINS.require("iam")._provider._get_aws_managed_policy(store, arn)
    except (AttributeError, CommonServiceException, ServiceException):
        return None


def _statements(document: str) -> list[Statement]:
    """The statements of a policy, as the store has it: JSON, quoted as in an URL."""
    parsed = json.loads(unquote(document))
    given = parsed.get("Statement") or []
    return given if isinstance(given, list) else [given]
