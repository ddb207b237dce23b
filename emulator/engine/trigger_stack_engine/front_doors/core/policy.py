"""Whether a policy lets somebody do something.

AWS topics: "Using resource-based policies for Lambda" and IAM's "Policy evaluation logic".
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any


def allows(
    statements: Iterable[Mapping[str, Any]],
    *,
    action: str,
    principals: Collection[str],
    keys: Mapping[str, str],
) -> bool:
    """Whether any ``Allow`` statement covers the call and no ``Deny`` statement does; see below."""
    return verdict(statements, action=action, principals=principals, keys=keys) == "Allow"


def verdict(
    statements: Iterable[Mapping[str, Any]],
    *,
    action: str,
    principals: Collection[str],
    keys: Mapping[str, str],
) -> str | None:
    """``Deny`` when a statement denies the call, ``Allow`` when one allows it, else ``None``.

    Args:
        statements: Of the policy.
        action: For example ``lambda:invokefunction``, in lower case.
        principals: Names of the caller, any of which a statement may name; ``*`` is everybody.
        keys: Condition keys in lower case with their values. A condition on another key cannot
            hold, so a statement with one does not apply.
    """
    actions = (action, "lambda:*", "*")
    effects = {
        one.get("Effect")
        for one in statements
        if _is_principal(one.get("Principal"), principals)
        and any(str(name).lower() in actions for name in _as_list(one.get("Action")))
        and _conditions_hold(one.get("Condition") or {}, keys)
    }
    return "Deny" if "Deny" in effects else "Allow" if "Allow" in effects else None


def covers(statement: object, resource: str) -> bool:
    """Whether a statement is about a resource: one of its ``Resource`` patterns matches."""
    if not isinstance(statement, Mapping):
        return False
    return any(_like(str(pattern), resource) for pattern in _as_list(statement.get("Resource")))


def names(statement: Mapping[str, Any], action: str) -> bool:
    """Whether a statement is about an action; ``*`` and ``?`` stand for letters.

    Args:
        action: For example ``s3:putobject``, in lower case.
    """
    return any(_like(str(one).lower(), action) for one in _as_list(statement.get("Action")))


def _conditions_hold(conditions: Mapping[str, Any], keys: Mapping[str, str]) -> bool:
    return all(
        key.lower() in keys and _holds(operator, keys[key.lower()], _as_list(patterns))
        for operator, entries in conditions.items()
        for key, patterns in entries.items()
    )


def _is_principal(principal: object, names: Collection[str]) -> bool:
    if isinstance(principal, Mapping):
        return any(
            value == "*" or value in names
            for kind in ("Service", "AWS")
            for value in _as_list(principal.get(kind))
        )
    return principal == "*"


def _holds(operator: str, actual: str, patterns: list[Any]) -> bool:
    if operator in ("StringEquals", "ArnEquals") and actual in patterns:
        return True
    if operator in ("IpAddress", "NotIpAddress"):
        inside = any(_contains(str(pattern), actual) for pattern in patterns)
        return inside == (operator == "IpAddress")
    if operator == "Bool":
        return any(str(pattern).lower() == actual for pattern in patterns)
    return operator in ("ArnLike", "ArnEquals", "StringLike") and any(
        _like(str(pattern), actual) for pattern in patterns
    )


def _contains(network: str, address: str) -> bool:
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def _like(pattern: str, actual: str) -> bool:
    """IAM wildcards: ``*`` for any text, ``?`` for any one character."""
    parts = ("." if c == "?" else ".*" if c == "*" else re.escape(c) for c in pattern)
    return re.fullmatch("".join(parts), actual, re.DOTALL) is not None


def _as_list(value: object) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
