"""The comparison operators of event patterns and filter policies.

AWS topics: Amazon EventBridge User Guide, "Comparison operators for use in event patterns"; Amazon
SNS Developer Guide, "String value matching" and "Numeric value matching". What they leave open is
as in aws/event-ruler, whose error messages both services have. Nothing here raises: what cannot be
compared does not match.
"""

from __future__ import annotations

import ipaddress
import operator
from collections.abc import Callable, Mapping
from typing import Any

#: AWS says five digits after the decimal point for SNS and six for EventBridge; moto's tests, which
#: ran at AWS, found six for SNS.
_DIGITS = 6


def matches(value: Any, rule: Any) -> bool:
    """Whether a value meets a rule: a literal of JSON, or an operator with its operand."""
    if not isinstance(rule, Mapping):
        return _is_same(value, rule)
    return bool(rule) and all(
        name in OPERATORS and OPERATORS[name](value, operand) for name, operand in rule.items()
    )


def _is_same(value: Any, literal: Any) -> bool:
    """Whether two JSON values are equal; for Python, true would be 1."""
    if _is_number(value) and _is_number(literal):
        return _rounded(value) == _rounded(literal)
    if isinstance(value, str):
        return isinstance(literal, str) and value == literal
    return value is literal and isinstance(value, bool | None)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _rounded(number: float) -> float:
    return round(number, _DIGITS)


def list_of(rules: Any) -> list[Any]:
    """Rules that may be written as one."""
    return rules if isinstance(rules, list) else [rules]


def _anything_but(value: Any, excluded: Any) -> bool:
    """``excluded``: a literal, some literals, or an operator with one operand or some."""
    if not isinstance(excluded, Mapping):
        return not any(_is_same(value, one) for one in list_of(excluded))
    return not any(
        matches(value, {name: one})
        for name, operands in excluded.items()
        for one in list_of(operands)
    )


def _of_strings(compare: Callable[[str, str], bool]) -> Callable[[Any, Any], bool]:
    """An operator that sees strings only; ``{"equals-ignore-case": "x"}`` may be its operand."""

    def of_strings(value: Any, operand: Any) -> bool:
        if isinstance(value, str) and isinstance(operand, Mapping):
            value, operand = value.lower(), operand.get("equals-ignore-case")
            operand = operand.lower() if isinstance(operand, str) else None
        return isinstance(value, str) and isinstance(operand, str) and compare(value, operand)

    return of_strings


def _is_same_in_any_case(value: str, operand: str) -> bool:
    return value.lower() == operand.lower()


def _fits(value: str, pattern: str) -> bool:
    """Whether a string is like a pattern: ``*`` is any text, after a backslash the character.

    No regular expression: with several ``*`` it would try too many ways.
    """
    first, *others = _between_wildcards(pattern)
    if not others:
        return value == first
    if not value.startswith(first):
        return False
    *inner, last = others
    at = len(first)
    for part in inner:
        found = value.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return len(value) - len(last) >= at and value.endswith(last)


def _between_wildcards(pattern: str) -> list[str]:
    parts = [""]
    characters = iter(pattern)
    for character in characters:
        if character == "*":
            parts.append("")
        elif character == "\\":
            parts[-1] += next(characters, "\\")
        else:
            parts[-1] += character
    return parts


def wildcards_in(pattern: str) -> int:
    """How many ``*`` of a pattern stand for any text."""
    return len(_between_wildcards(pattern)) - 1


def _is_in_network(value: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(value) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _is_in_range(value: Any, range_: Any) -> bool:
    if not _is_number(value) or not isinstance(range_, list) or not range_ or len(range_) % 2:
        return False
    for name, bound in zip(range_[::2], range_[1::2], strict=True):
        if not isinstance(name, str) or name not in _COMPARISONS or not _is_number(bound):
            return False
        if not _COMPARISONS[name](_rounded(value), _rounded(bound)):
            return False
    return True


OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "anything-but": _anything_but,
    "prefix": _of_strings(str.startswith),
    "suffix": _of_strings(str.endswith),
    "equals-ignore-case": _of_strings(_is_same_in_any_case),
    "wildcard": _of_strings(_fits),
    "cidr": _of_strings(_is_in_network),
    "numeric": _is_in_range,
}
#: AWS names two of them ("AND/OR logic"); the others are those of event-ruler.
RESERVED = frozenset(OPERATORS | _COMPARISONS) | {
    *("exactly", "exists", "regex", "not-wildcard", "not-equals-ignore-case"),
    *("date-after", "date-on-or-after", "date-before", "date-on-or-before", "in-date-range"),
    *("ip-address-in-range", "ip-address-not-in-range"),
}


def is_alternative(rules: object) -> bool:
    """Whether the value of ``$or`` is an OR; if not, ``$or`` is the name of a field."""
    return (
        isinstance(rules, list)
        and len(rules) >= 2
        and all(isinstance(one, Mapping) and RESERVED.isdisjoint(one) for one in rules)
    )


def with_or_as_name(pattern: Mapping[str, Any]) -> dict[str, Any]:
    """A pattern for LocalStack, to which each ``$or`` is an OR, even one that is a name for AWS."""
    renamed: dict[str, Any] = {}
    for name, rules in pattern.items():
        if isinstance(rules, Mapping):
            renamed[name] = with_or_as_name(rules)
        elif name == "$or" and is_alternative(rules):
            renamed[name] = [with_or_as_name(one) for one in rules]
        else:
            renamed["'$or'" if name == "$or" else name] = rules
    return renamed
