"""Checks a request against what AWS's own model of the service says of each member.

The model is botocore's: ``required``, ``min``, ``max``, ``pattern`` and ``enum``. AWS's front end
refuses what breaks it before the service sees the request, with all findings in one sentence.

AWS topic: Smithy 2.0, "Constraint traits"; the wording is that of recorded answers of AWS.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Set
from typing import Any

_NUMBERS = ("integer", "long", "float", "double")

#: A finding: the value as AWS shows it (None: it does not), the member's path and the constraint.
type _Finding = tuple[str | None, str, str]


def violations(shape: Any, value: Any, skipped: Set[str] = frozenset()) -> str | None:
    """What is wrong with a request, as AWS words it; ``None`` when nothing is.

    Args:
        shape: The shape of the request (botocore's).
        value: The request.
        skipped: Names of members whose values are not looked at, wherever they are.
    """
    found = list(_structure(shape, value, "", skipped))
    if not found:
        return None
    count = f"{len(found)} validation error{'s' if len(found) > 1 else ''} detected: "
    return count + "; ".join(_worded(*one) for one in found)


def _worded(shown: str | None, path: str, constraint: str) -> str:
    value = "Value" if shown is None else f"Value {shown}"
    return f"{value} at '{path}' failed to satisfy constraint: {constraint}"


def _structure(
    shape: Any, value: dict[str, Any], path: str, skipped: Set[str]
) -> Iterator[_Finding]:
    for name, member in shape.members.items():
        place = f"{path}{name[:1].lower()}{name[1:]}"
        given = value.get(name)
        if given is not None:
            if name in skipped:
                continue
            yield from _member(member, given, place, skipped)
        elif name in shape.required_members:
            yield "null", place, "Member must not be null"


def _member(shape: Any, value: Any, path: str, skipped: Set[str]) -> Iterator[_Finding]:
    broken = _broken(shape, value)
    if broken:
        for constraint in broken:
            yield _shown(shape, value), path, constraint
    elif shape.type_name == "structure" and isinstance(value, dict):
        yield from _structure(shape, value, f"{path}.", skipped)
    elif shape.type_name == "list" and isinstance(value, list):
        yield from _list(shape, value, path, skipped)
    elif shape.type_name == "map" and isinstance(value, dict):
        yield from _map(shape, value, path)


def _list(shape: Any, value: list[Any], path: str, skipped: Set[str]) -> Iterator[_Finding]:
    for number, one in enumerate(value, 1):
        if shape.member.type_name == "structure":
            if isinstance(one, dict):
                yield from _structure(shape.member, one, f"{path}.{number}.member.", skipped)
        elif one is None or _broken(shape.member, one):
            yield _shown(shape, value), path, _of_all("Member", shape.member)
            return


def _map(shape: Any, value: dict[str, Any], path: str) -> Iterator[_Finding]:
    for side, inner, parts in (("keys", shape.key, value), ("values", shape.value, value.values())):
        if any(part is None or _broken(inner, part) for part in parts):
            yield _shown(shape, value), path, _of_all(f"Map {side}", inner)


def _of_all(whose: str, shape: Any) -> str:
    """The one constraint of a list or map: what each of its members must be."""
    limits = shape.metadata
    parts = []
    what = "value" if shape.type_name in _NUMBERS else "length"
    if "max" in limits:
        parts.append(f"Member must have {what} less than or equal to {limits['max']}")
    if "min" in limits:
        parts.append(f"Member must have {what} greater than or equal to {limits['min']}")
    if "pattern" in limits:
        parts.append(f"Member must satisfy regular expression pattern: {limits['pattern']}")
    if enum := limits.get("enum"):
        parts.append(f"Member must satisfy enum value set: [{', '.join(enum)}]")
    if whose == "Member" or not parts:
        parts.append("Member must not be null")
    return f"{whose} must satisfy constraint: [{', '.join(parts)}]"


def _broken(shape: Any, value: Any) -> list[str]:
    """The constraints of a value itself that it breaks."""
    limits = shape.metadata
    if not limits:
        return []
    broken = []
    measured = _measured(shape, value)
    if measured is not None:
        size, what = measured
        if "max" in limits and size > limits["max"]:
            broken.append(f"Member must have {what} less than or equal to {limits['max']}")
        if "min" in limits and size < limits["min"]:
            broken.append(f"Member must have {what} greater than or equal to {limits['min']}")
    if isinstance(value, str):
        if "pattern" in limits and not _pattern(limits["pattern"]).fullmatch(value):
            text = f"Member must satisfy regular expression pattern: {limits['pattern']}"
            broken.append(text)
        if "enum" in limits and value not in limits["enum"]:
            broken.append(f"Member must satisfy enum value set: [{', '.join(limits['enum'])}]")
    return broken


def _measured(shape: Any, value: Any) -> tuple[float, str] | None:
    kind = shape.type_name
    if kind in _NUMBERS and isinstance(value, int | float):
        return value, "value"
    if kind in ("string", "list", "map", "blob") and isinstance(value, str | bytes | list | dict):
        return len(value), "length"
    return None


def _shown(shape: Any, value: Any) -> str | None:
    if shape.metadata.get("sensitive") or isinstance(value, bytes):
        return None
    if isinstance(value, list):
        return f"'[{', '.join(map(str, value))}]'"
    if isinstance(value, dict):
        return f"'{{{', '.join(f'{name}={one}' for name, one in value.items())}}}'"
    return f"'{value}'"


@functools.cache
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.DOTALL)
