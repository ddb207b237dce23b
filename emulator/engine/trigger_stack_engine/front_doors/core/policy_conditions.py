"""The conditions of a policy's statement.

AWS topic: IAM User Guide, "IAM JSON policy elements: Condition operators".
"""

from __future__ import annotations

import functools
import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

#: Condition keys in lower case with their values; None: the call has one that is not known here.
type Keys = Mapping[str, str | None]

_IF_EXISTS: Final = "IfExists"


def conditions_hold(conditions: Mapping[str, Any], keys: Keys, *, unknown: bool) -> bool:
    """Whether every condition of a statement holds.

    Args:
        conditions: ``Condition`` of the statement.
        keys: Of the call. One that is not among them is a key that the call does not have.
        unknown: What a condition on a value that is not known counts as.
    """
    return all(
        _holds(operator, keys, key.lower(), as_list(patterns), unknown)
        for operator, entries in conditions.items()
        for key, patterns in entries.items()
    )


@functools.lru_cache(4096)  # the same policies are asked for each event
def like(pattern: str, actual: str) -> bool:
    """IAM wildcards: ``*`` for any text, ``?`` for any one character."""
    parts = ("." if c == "?" else ".*" if c == "*" else re.escape(c) for c in pattern)
    return re.fullmatch("".join(parts), actual, re.DOTALL) is not None


def as_list(value: object) -> list[Any]:
    """A value of a policy that may be one or several."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _holds(operator: str, keys: Keys, key: str, patterns: list[Any], unknown: bool) -> bool:
    given = [str(pattern) for pattern in patterns]
    quantifier, _, name = operator.rpartition(":")
    if name == "Null":
        return any((key not in keys) == (text.lower() == "true") for text in given)
    optional = name.endswith(_IF_EXISTS)
    name = name.removesuffix(_IF_EXISTS)
    matches, negated = _OPERATORS.get(name, (_never, False))
    if key not in keys:
        return optional or negated or quantifier.lower() == "forallvalues"
    actual = keys[key]
    if actual is None:
        return unknown
    return negated != any(matches(text, actual) for text in given)


def _never(pattern: str, actual: str) -> bool:
    """Dates, numbers and bytes: no key that is known here has one."""
    return False


def _is_equal(pattern: str, actual: str) -> bool:
    return pattern == actual


def _is_equal_in_any_case(pattern: str, actual: str) -> bool:
    return pattern.casefold() == actual.casefold()


def _contains(network: str, address: str) -> bool:
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


#: How a pattern is compared with a value, and whether none may match.
_OPERATORS: Final[Mapping[str, tuple[Callable[[str, str], bool], bool]]] = {
    "ArnEquals": (like, False),
    "ArnLike": (like, False),
    "ArnNotEquals": (like, True),
    "ArnNotLike": (like, True),
    "Bool": (_is_equal_in_any_case, False),
    "IpAddress": (_contains, False),
    "NotIpAddress": (_contains, True),
    "StringEquals": (_is_equal, False),
    "StringEqualsIgnoreCase": (_is_equal_in_any_case, False),
    "StringLike": (like, False),
    "StringNotEquals": (_is_equal, True),
    "StringNotEqualsIgnoreCase": (_is_equal_in_any_case, True),
    "StringNotLike": (like, True),
}
