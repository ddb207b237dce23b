"""An event that a pattern of EventBridge matches, to fire a rule by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

_TEXT = "example"
#: What a matcher's value becomes, by its name (EventBridge User Guide, "Comparison operators").
_SAMPLES: dict[str, Callable[[Any], Any]] = {
    "equals-ignore-case": lambda value: value,
    "prefix": lambda value: f"{_affix(value)}{_TEXT}",
    "suffix": lambda value: f"{_TEXT}{_affix(value)}",
    "wildcard": lambda value: str(value).replace("*", _TEXT),
    "cidr": lambda value: str(value).partition("/")[0],
    "anything-but": lambda value: f"not-{_TEXT}",
}


def sample_of(pattern: Mapping[str, Any]) -> dict[str, Any]:
    """A part of an event that a pattern's part matches, as far as its operators are known.

    Args:
        pattern: Of a rule, or a part of one.
    """
    event: dict[str, Any] = {}
    for name, wanted in pattern.items():
        if name == "$or":
            first = wanted[0] if isinstance(wanted, list) and wanted else {}
            event |= sample_of(first) if isinstance(first, Mapping) else {}
        elif isinstance(wanted, Mapping):
            event[name] = sample_of(wanted)
        elif isinstance(wanted, list) and wanted and not _is_absent(wanted[0]):
            event[name] = _value_for(wanted[0])
    return event


def item_of(patterns: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Attributes of an item whose stream records the first pattern matches.

    Args:
        patterns: The filters of a mapping or pipe on a table's stream; there may be none.

    Returns:
        The attributes by name, each in DynamoDB's JSON (``{"S": "…"}``). What a filter asks of
        the image before a change is the image after it, too.
    """
    record = sample_of(patterns[0]).get("dynamodb") if patterns else None
    images = record if isinstance(record, Mapping) else {}
    item: dict[str, Any] = {}
    for name in ("OldImage", "NewImage", "Keys"):
        image = images.get(name)
        for attribute, value in image.items() if isinstance(image, Mapping) else ():
            if isinstance(value, Mapping) and value:
                item[attribute] = {kind: _attribute(kind, one) for kind, one in value.items()}
    return item


def _attribute(kind: str, value: Any) -> Any:
    """The value as an attribute of this type has it; a filter may ask only that there is one."""
    if value != _TEXT:
        return str(value) if kind == "N" else value
    return {"N": "1", "B": "ZXhhbXBsZQ==", "BOOL": True, "NULL": True}.get(kind, value)


def _is_absent(matcher: Any) -> bool:
    return isinstance(matcher, Mapping) and matcher.get("exists") is False


def _value_for(matcher: Any) -> Any:
    if not isinstance(matcher, Mapping):
        return matcher
    for name, value in matcher.items():
        if name == "numeric" and isinstance(value, list):
            return _number(value)
        if name in _SAMPLES:
            return _SAMPLES[name](value)
    return _TEXT


def _number(comparison: list[Any]) -> float:
    """A number for ``[">", 0, "<=", 5]``: at the first bound, or a little beside it."""
    operator, bound = (*comparison, 0, 0)[:2]
    beside = {">": 1, "<": -1}.get(str(operator), 0)
    number: float = bound + beside if isinstance(bound, int | float) else 0
    upper = comparison[3] if len(comparison) > 3 else None
    if isinstance(upper, int | float) and number >= upper and operator == ">":
        number = (bound + upper) / 2
    return number


def _affix(value: Any) -> str:
    """The text of a prefix or suffix, which may be within ``equals-ignore-case``."""
    return str(next(iter(value.values()), "")) if isinstance(value, Mapping) else str(value)
