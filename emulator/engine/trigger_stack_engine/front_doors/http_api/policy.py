"""Whether a function's resource-based policy lets an HTTP API invoke it.

AWS topics: "Using resource-based policies for Lambda" and "Actions, resources, and condition keys
for Amazon API Gateway" (the ARN of an execution).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

_PRINCIPAL: Final = "apigateway.amazonaws.com"
_ACTIONS: Final = ("lambda:invokefunction", "lambda:*", "*")


def source_arn(
    *, region: str, account_id: str, api_id: str, stage: str, method: str, route_path: str
) -> str:
    """ARN with which an HTTP API introduces itself to Lambda.

    Args:
        route_path: Path of the route's key with its variables (``/brand/{brandId}``), or
            ``$default``, which stands without a method.
    """
    tail = route_path if not route_path.startswith("/") else f"{method}{route_path}"
    return f"arn:aws:execute-api:{region}:{account_id}:{api_id}/{stage}/{tail}"


def allows_invoke(statements: Iterable[Mapping[str, Any]], *, arn: str, account_id: str) -> bool:
    """Whether any ``Allow`` statement covers the call and no ``Deny`` statement does.

    Conditions on anything but source ARN and source account cannot hold for API Gateway, so a
    statement with one does not apply.

    Args:
        arn: See :func:`source_arn`.
    """
    keys = {"aws:sourcearn": arn, "aws:sourceaccount": account_id}
    effects = {s.get("Effect") for s in statements if _applies(s, keys)}
    return "Allow" in effects and "Deny" not in effects


def _applies(statement: Mapping[str, Any], keys: Mapping[str, str]) -> bool:
    return (
        _is_principal(statement.get("Principal"))
        and any(str(a).lower() in _ACTIONS for a in _as_list(statement.get("Action")))
        and all(
            key.lower() in keys and _holds(operator, keys[key.lower()], _as_list(patterns))
            for operator, entries in (statement.get("Condition") or {}).items()
            for key, patterns in entries.items()
        )
    )


def _is_principal(principal: object) -> bool:
    if isinstance(principal, Mapping):
        return any(
            value in (_PRINCIPAL, "*")
            for kind in ("Service", "AWS")
            for value in _as_list(principal.get(kind))
        )
    return principal == "*"


def _holds(operator: str, actual: str, patterns: list[Any]) -> bool:
    if operator in ("StringEquals", "ArnEquals") and actual in patterns:
        return True
    return operator in ("ArnLike", "ArnEquals", "StringLike") and any(
        _like(str(pattern), actual) for pattern in patterns
    )


def _like(pattern: str, actual: str) -> bool:
    """IAM wildcards: ``*`` for any text, ``?`` for any one character."""
    parts = ("." if c == "?" else ".*" if c == "*" else re.escape(c) for c in pattern)
    return re.fullmatch("".join(parts), actual, re.DOTALL) is not None


def _as_list(value: object) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
