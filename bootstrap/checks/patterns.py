"""Event patterns: what EventBridge refuses about one, and what in it can never match.

EventBridge, "Amazon EventBridge event patterns" and "Comparison operators".
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

from bootstrap.checks.view import within
from bootstrap.definition.document import KeyPath
from bootstrap.definition.scalars import as_text
from bootstrap.services.shapes import is_function

#: The keys that every event has at its top level (EventBridge, "Event structure").
EVENT_KEYS = frozenset(
    ("version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail")
)
_TOP = EVENT_KEYS | {"replay-name", "$or"}
_TEXTS = EVENT_KEYS - {"resources", "detail"}
_COMPARISONS = ("=", "<", "<=", ">", ">=")
_MAX_DEPTH = 40
#: CloudFormation's functions that make a list.
_LISTS = ("Fn::GetAZs", "Fn::Split")
_OPERATORS = (
    "prefix",
    "suffix",
    "equals-ignore-case",
    "wildcard",
    "anything-but",
    "numeric",
    "cidr",
    "exists",
)


class Problem(NamedTuple):
    """A problem, and its path in the pattern."""

    what: str
    path: KeyPath


def refused(pattern: Any, path: KeyPath = ()) -> Iterator[Problem]:
    """What EventBridge refuses about a pattern (``InvalidEventPatternException``)."""
    if not isinstance(pattern, dict):
        yield Problem("An event pattern is a mapping.", path)
        return
    if not pattern:
        yield Problem("The pattern has an empty mapping.", path)
    if len(path) > _MAX_DEPTH:
        return
    for key, value in pattern.items():
        here = (*path, key)
        if is_function(value):
            if next(iter(value)) not in _LISTS:
                yield Problem(f"The value of {key} must stand in a list.", here)
        elif key == "$or" and isinstance(value, list):
            if len(value) < 2:
                yield Problem("$or takes a list of two patterns or more.", here)
            for index, option in enumerate(value):
                yield from refused(option, (*here, index))
        elif isinstance(value, dict):
            yield from refused(value, here)
        elif isinstance(value, list):
            yield from _values(str(key), value, here)
        else:
            yield Problem(f"The value of {key} must stand in a list: [{_shown(value)}].", here)


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else str(value)


def _values(key: str, values: list[Any], path: KeyPath) -> Iterator[Problem]:
    if not values:
        yield Problem(f"The list of {key} is empty.", path)
    for index, value in enumerate(values):
        here = (*path, index)
        if isinstance(value, list):
            yield Problem(f"The list of {key} has a list in it.", here)
        elif isinstance(value, dict):
            if is_function(value):  # a text, known when the resource is made
                continue
            if len(value) != 1:
                yield Problem(f"A comparison of {key} needs exactly one operator.", here)
                continue
            ((operator, operand),) = value.items()
            if is_function(operand) and operator in _OPERATORS:
                continue
            if what := _operator(str(operator), operand):
                yield Problem(f"{key}: {what}", (*here, operator))


def _operator(operator: str, operand: Any) -> str | None:
    match operator, operand:
        case "exists", bool():
            return None
        case "exists", _:
            return "exists takes true or false."
        case (("prefix" | "suffix"), (str() | {"equals-ignore-case": str()})):
            return None
        case (("equals-ignore-case" | "wildcard"), str()):
            return "two asterisks in a row." if "**" in operand else None
        case "cidr", str():
            try:
                ipaddress.ip_network(operand, strict=False)
            except ValueError:
                return f"“{operand}” is no range of addresses."
            return None
        case "numeric", list():
            return _numeric(operand)
        case "anything-but", dict():
            if len(operand) != 1 or not operand.keys() <= {
                "prefix",
                "suffix",
                "equals-ignore-case",
                "wildcard",
            }:
                return "anything-but takes values, or one of prefix, suffix, equals-ignore-case."
            return None
        case "anything-but", list():
            return None if operand else "anything-but has an empty list."
        case "anything-but", (str() | int() | float()):
            return None
    if operator in _OPERATORS:
        return f"{operator} takes another kind of value."
    return f"there is no operator “{operator}”. There are: {', '.join(_OPERATORS)}."


def _numeric(operand: list[Any]) -> str | None:
    if len(operand) not in (2, 4):
        return 'numeric takes a comparison and a number, or two of each: [">", 0, "<=", 5].'
    for comparison, number in zip(operand[::2], operand[1::2], strict=True):
        if comparison not in _COMPARISONS:
            return f"“{comparison}” is no comparison of numbers."
        if isinstance(number, bool) or not isinstance(number, int | float):
            return f"{_shown(number)} is no number."
    return None


def unknown_keys(
    pattern: Any, known: frozenset[str] = _TOP, what: str = "event"
) -> Iterator[Problem]:
    """Keys at the top level that no event has: the pattern can never match.

    Args:
        known: the keys that there are.
        what: what has them.
    """
    if not isinstance(pattern, dict):
        return
    for key, value in pattern.items():
        if key == "$or" and isinstance(value, list):
            for index, option in enumerate(value):
                for problem in unknown_keys(option, known, what):
                    yield Problem(problem.what, ("$or", index, *problem.path))
        elif key not in known:
            plain = str(key).lower().replace("_", "").replace("-", "")
            meant = next((k for k in sorted(known) if k.lower().replace("-", "") == plain), None)
            hint = f" Write {meant}." if meant else ""
            if may_be_absent(value):
                continue
            yield Problem(f"No {what} has “{key}” at its top level.{hint}", (key,))


def may_be_absent(value: Any) -> bool:
    """Whether a pattern's values take a field that is not there."""
    if isinstance(value, dict):
        return all(may_be_absent(one) for one in value.values())
    return isinstance(value, list) and any(within(one, "exists") is False for one in value)


def unequal_kinds(pattern: Any) -> Iterator[Problem]:
    """Numbers where every event has text: they are not equal to it."""
    for leaf in leaves(pattern):
        name = leaf.field[0] if len(leaf.field) == 1 else ""
        numbers = [one for one in leaf.values if isinstance(one, int | float)]
        if name in _TEXTS and numbers and len(numbers) == len(leaf.values):
            quoted = ", ".join(f"'{as_text(one)}'" for one in numbers)
            yield Problem(f"The {name} of an event is text: [{quoted}].", leaf.path)


def empty_ranges(pattern: Any) -> Iterator[Problem]:
    """Ranges of numbers that no number is in."""
    for leaf in leaves(pattern):
        if leaf.values and all(_is_empty(within(one, "numeric")) for one in leaf.values):
            name = leaf.field[-1]
            yield Problem(f"No number is in the range of {name}.", leaf.path)


def _is_empty(numeric: Any) -> bool:
    if not isinstance(numeric, list) or _numeric(numeric) or len(numeric) != 4:
        return False
    low, high = -math.inf, math.inf
    ends = []
    for comparison, number in zip(numeric[::2], numeric[1::2], strict=True):
        ends += [number] if comparison in ("<", ">") else []
        if comparison.startswith((">", "=")):
            low = max(low, number)
        if comparison.startswith(("<", "=")):
            high = min(high, number)
    return low > high or (low == high and low in ends)


def leaves(pattern: Any, path: KeyPath = (), field: KeyPath = ()) -> Iterator[Leaf]:
    """Every list of values in a pattern."""
    if not isinstance(pattern, dict) or len(path) > _MAX_DEPTH:
        return
    for key, value in pattern.items():
        if key == "$or" and isinstance(value, list):
            for index, option in enumerate(value):
                yield from leaves(option, (*path, key, index), field)
        elif isinstance(value, dict) and not is_function(value):
            yield from leaves(value, (*path, key), (*field, key))
        elif isinstance(value, list):
            yield Leaf((*field, key), value, (*path, key))


class Leaf(NamedTuple):
    """A list of values.

    Attributes:
        field: its place in the event.
        path: its place in the pattern.
    """

    field: KeyPath
    values: list[Any]
    path: KeyPath


def objects(pattern: Any) -> set[KeyPath]:
    """The places in the event that the pattern takes for objects."""
    return {leaf.field[:length] for leaf in leaves(pattern) for length in range(1, len(leaf.field))}


def could_match(values: Any, actual: str) -> bool:
    """Whether a list of values may match a text; True when that is not certain."""
    if not isinstance(values, list):
        return True
    return any(_could(value, actual) for value in values)


def _could(value: Any, actual: str) -> bool:
    match value:
        case str():
            return value == actual
        case {"prefix": str(prefix)}:
            return actual.startswith(prefix)
        case {"suffix": str(suffix)}:
            return actual.endswith(suffix)
        case {"equals-ignore-case": str(text)}:
            return actual.casefold() == text.casefold()
        case {"anything-but": str(text)}:
            return actual != text
        case {"anything-but": list(some)}:
            return actual not in some
        case {"exists": bool(there)}:
            return there
        case dict():
            return True
    return False
