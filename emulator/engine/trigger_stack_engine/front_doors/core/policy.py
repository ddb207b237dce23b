"""Whether a policy lets somebody do something.

AWS topics: "Using resource-based policies for Lambda" and IAM's "Policy evaluation logic".
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from trigger_stack_engine.front_doors.core.policy_conditions import (
    Keys,
    as_list,
    conditions_hold,
    like,
)


def allows(
    statements: Iterable[Mapping[str, Any]],
    *,
    action: str,
    principals: Collection[str],
    keys: Keys,
) -> bool:
    """Whether any ``Allow`` statement covers the call and no ``Deny`` statement does; see below."""
    return verdict(statements, action=action, principals=principals, keys=keys) == "Allow"


def verdict(
    statements: Iterable[Mapping[str, Any]],
    *,
    action: str,
    principals: Collection[str],
    keys: Keys,
) -> str | None:
    """``Deny`` when a statement denies the call, ``Allow`` when one allows it, else ``None``.

    Args:
        statements: Of the policy.
        action: For example ``lambda:invokefunction``, in lower case.
        principals: Names of the caller, any of which a statement may name; ``*`` is everybody.
        keys: Condition keys of the call. What a condition on a value that is not known would say
            is taken for what lets the caller in: it holds in an ``Allow``, and not in a ``Deny``.
    """
    actions = (action, "lambda:*", "*")
    effects = {
        one.get("Effect")
        for one in statements
        if _is_principal(one.get("Principal"), principals)
        and any(str(name).lower() in actions for name in as_list(one.get("Action")))
        and conditions_hold(one.get("Condition") or {}, keys, unknown=one.get("Effect") == "Allow")
    }
    return "Deny" if "Deny" in effects else "Allow" if "Allow" in effects else None


def covers(statement: object, resource: str) -> bool:
    """Whether a statement is about a resource: one of its ``Resource`` patterns matches."""
    if not isinstance(statement, Mapping):
        return False
    return any(like(str(pattern), resource) for pattern in as_list(statement.get("Resource")))


def names(statement: Mapping[str, Any], action: str) -> bool:
    """Whether a statement is about an action; ``*`` and ``?`` stand for letters.

    Args:
        action: For example ``s3:putobject``, in lower case.
    """
    return any(like(str(one).lower(), action) for one in as_list(statement.get("Action")))


def _is_principal(principal: object, names: Collection[str]) -> bool:
    if isinstance(principal, Mapping):
        return any(
            value == "*" or value in names
            for kind in ("Service", "AWS")
            for value in as_list(principal.get(kind))
        )
    return principal == "*"
