"""Whether a service may assume an execution role, and what the role lets it do.

AWS topics: EventBridge Scheduler User Guide, "Setting up" (execution role) and "Confused deputy
prevention"; EventBridge User Guide, "Permissions for EventBridge Pipes"; IAM User Guide, "Policy
evaluation logic".
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from trigger_stack_engine.front_doors.core.policy import allows, covers, names

SETTING: Final = "CHECK_EXECUTION_ROLES"
#: A resource that only a statement about every resource covers.
_UNLIKELY: Final = "\0"
_ASSUME: Final = "sts:assumerole"

type Statement = Mapping[str, Any]


@dataclass(frozen=True)
class Role:
    """A role of IAM.

    Attributes:
        trust: Statements of ``AssumeRolePolicyDocument``.
        permissions: Statements of every policy that it has.
    """

    trust: list[Statement]
    permissions: list[Statement]


class ExecutionRoles:
    """The roles that services act with.

    Args:
        find: The role of an ARN, or None.
        checked: False takes every role for one that may do everything.
    """

    def __init__(self, find: Callable[[str], Role | None], *, checked: bool = True) -> None:
        self._find = find
        self._checked = checked

    def why_not_assumed(self, role_arn: str, principal: str, source_arn: str) -> str | None:
        """Why a service cannot assume a role; None when it can.

        Args:
            role_arn: ARN of the role.
            principal: For example ``pipes.amazonaws.com``.
            source_arn: ARN of what the service acts for: ``aws:SourceArn`` of the trust policy.
        """
        account = source_arn.split(":")[4]
        if not self._looks_at(role_arn, account):
            return None
        role = self._find(role_arn)
        if role is None:
            return (
                f"There is no role {role_arn} in this stack: create it, or set {SETTING}=0 to have"
                " no role checked."
            )
        keys = {"aws:sourcearn": source_arn, "aws:sourceaccount": account}
        about = [{**one, "Action": _ASSUME} for one in role.trust if names(one, _ASSUME)]
        if allows(about, action=_ASSUME, principals=(principal,), keys=keys):
            return None
        return f"The trust policy of {role_arn} does not let {principal} assume it."

    def why_not_allowed(
        self, role_arn: str, actions: Collection[str], resource: str | None, source_arn: str
    ) -> str | None:
        """Why a role does not let a service do something; None when it does.

        A statement with a condition counts when it allows, and not when it denies: what a condition
        would compare with is not known here.

        Args:
            role_arn: ARN of the role.
            actions: For example ``sqs:SendMessage``; one of them is enough.
            resource: ARN of what it is done to. None when it is not known: then a statement counts
                for whatever resource it allows, and when it denies only for every resource.
            source_arn: ARN of what the service acts for.
        """
        if not self._looks_at(role_arn, source_arn.split(":")[4]):
            return None
        role = self._find(role_arn)
        given = role.permissions if role else []
        if any(_is_allowed(given, action.lower(), resource) for action in actions):
            return None
        action = next(iter(actions))
        where = f" on resource: {resource}" if resource else ""
        return (
            f"{role_arn} is not authorized to perform: {action}{where} because no identity-based"
            f" policy allows the {action} action"
        )

    def _looks_at(self, role_arn: str, account: str) -> bool:
        """Roles of other accounts are not here: nothing is known of them."""
        return self._checked and role_arn.split(":")[4] == account


def _is_allowed(statements: Iterable[Statement], action: str, resource: str | None) -> bool:
    about = [one for one in statements if _names(one, action)]
    denied = [one for one in about if one.get("Effect") == "Deny" and not one.get("Condition")]
    if any(_covers(one, resource or _UNLIKELY) for one in denied):
        return False
    allowed = [one for one in about if one.get("Effect") == "Allow"]
    return any(resource is None or _covers(one, resource) for one in allowed)


def _names(statement: Statement, action: str) -> bool:
    if "NotAction" in statement:
        return not names({"Action": statement["NotAction"]}, action)
    return names(statement, action)


def _covers(statement: Statement, resource: str) -> bool:
    if "NotResource" in statement:
        return not covers({"Resource": statement["NotResource"]}, resource)
    return covers(statement, resource)
