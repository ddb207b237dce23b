"""Whether an event pattern matches an event, as EventBridge, mappings and pipes decide it.

AWS topics: Amazon EventBridge User Guide, "Amazon EventBridge event patterns" and "Comparison
operators for use in event patterns"; the README of EventBridge's matcher, aws/event-ruler, for
arrays: an array matches by any of its elements, and fields of objects in an array must be of one
and the same element.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from trigger_stack.delivery.core import comparison

#: Which element of which array a value is in; arrays by where they are in the event.
type Membership = frozenset[tuple[tuple[str | int, ...], int]]
#: Conditions of each field, of which one must hold; the name of a field is its path with dots.
type Conditions = dict[str, Sequence[Any]]
#: Values of each field that a pattern names.
type Fields = dict[str, list[tuple[Any, Membership]]]

_NOWHERE: Membership = frozenset()


def matches(pattern: str | Mapping[str, Any] | None, event: str | Mapping[str, Any]) -> bool:
    """Whether a pattern matches. Never raises for a pattern that AWS accepts.

    Args:
        pattern: As JSON or parsed; without one every event matches.
        event: As JSON or parsed; what is no JSON object matches no pattern.
    """
    if not pattern:
        return True
    try:
        alternatives = _parsed(pattern) if isinstance(pattern, str) else _alternatives(pattern)
        content = json.loads(event) if isinstance(event, str) else event
        if not isinstance(content, Mapping):
            return False
        fields = _fields(content, {name for one in alternatives for name in one})
    except (ValueError, RecursionError):  # no JSON, or nested deeper than anybody reads
        return False
    return any(_holds(one, fields) for one in alternatives)


@functools.lru_cache(1024)
def _parsed(pattern: str) -> list[Conditions]:
    parsed = json.loads(pattern)
    return _alternatives(parsed) if isinstance(parsed, Mapping) else []


def _alternatives(pattern: Mapping[str, Any], above: str = "") -> list[Conditions]:
    """A pattern as conditions of fields; each choice of an ``$or`` makes an alternative."""
    found: list[Conditions] = [{}]
    for key, value in pattern.items():
        if key == "$or" and comparison.is_alternative(value):
            further = [one for choice in value for one in _alternatives(choice, above)]
        elif isinstance(value, Mapping):
            further = _alternatives(value, f"{above}{key}.")
        else:
            further = [{f"{above}{key}": comparison.list_of(value)}]
        found = [{**one, **other} for one in found for other in further]
    return found


def _fields(event: Mapping[str, Any], names: set[str]) -> Fields:
    """The values of those fields of an event that a pattern names."""
    wanted = {name[:end] for name in names for end in _ends(name)}
    found: Fields = {}
    waiting: list[tuple[Any, str, tuple[str | int, ...], Membership]] = [(event, "", (), _NOWHERE)]
    while waiting:
        value, name, place, membership = waiting.pop()
        if isinstance(value, Mapping):
            for key, one in value.items():
                below = f"{name}.{key}" if place else str(key)
                if below in wanted:
                    waiting.append((one, below, (*place, key), membership))
        elif isinstance(value, list):
            for index, one in enumerate(value):
                # Only objects have other fields beside this one.
                inside = isinstance(one, Mapping | list)
                step = membership | {(place, index)} if inside else membership
                waiting.append((one, name, (*place, index), step))
        elif name in names:
            found.setdefault(name, []).append((value, membership))
    return found


def _ends(name: str) -> Iterator[int]:
    """Where the names of what a field is in end, and its own."""
    for position, letter in enumerate(name):
        if letter == ".":
            yield position
    yield len(name)


def _holds(conditions: Conditions, fields: Fields) -> bool:
    """Whether one element of each array fulfils all conditions."""
    possible: set[Membership] = {_NOWHERE}
    # What must not be there is looked for beside what is.
    for name in sorted(conditions, key=lambda one: _may_be_absent(conditions[one])):
        values, wanted = fields.get(name, []), conditions[name]
        others = [one for key in conditions if key != name for _, one in fields.get(key, [])]
        shared = {array for one in others for array, _ in one}
        fulfilled = {
            frozenset(step for step in membership if step[0] in shared)
            for value, membership in values
            if any(_is_fulfilled(one, value) for one in wanted)
        }
        found = {
            before | one for before in possible for one in fulfilled if _is_consistent(before, one)
        }
        if _may_be_absent(wanted):
            found |= {
                before
                for before in possible
                if not any(_is_consistent(before, membership) for _, membership in values)
            }
        if not found:
            return False
        possible = found
    return True


def _is_consistent(one: Membership, other: Membership) -> bool:
    """Whether two values can be looked at together: in no array in different elements."""
    if not one or not other:
        return True
    elements = dict(one)
    return all(elements.get(array, index) == index for array, index in other)


def _may_be_absent(conditions: Iterable[Any]) -> bool:
    return any(isinstance(one, Mapping) and one.get("exists") is False for one in conditions)


def _is_fulfilled(condition: Any, value: Any) -> bool:
    """Whether a value that is there fulfils a condition."""
    if isinstance(condition, Mapping) and "exists" in condition:
        return condition["exists"] is True
    return comparison.matches(value, condition)
