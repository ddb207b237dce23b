"""Whether the filter policy of a subscription to a topic lets a message through.

A policy and a body are flattened to properties: ``{"a": {"b": 1}}`` has the property ``a.b``, and
so has ``{"a.b": 1}``. A property has several values when an array is on the way to it; then one of
them has to match. Nothing here raises: what cannot be read does not match.

AWS topics: Amazon SNS Developer Guide, "Amazon SNS subscription filter policies": "Filter policy
constraints", "String value matching", "Numeric value matching", "AND/OR logic", "Key matching".
What they leave open is as in aws/event-ruler, whose error messages are those of SNS (values of
another kind for ``anything-but``, reserved names), or as in LocalStack (arrays of objects).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from trigger_stack.delivery.core.comparison import is_alternative, list_of, matches

#: Names of properties; an array on the way gives a property more than one value.
type Properties = dict[str, list[Any]]

_OR = "$or"


def attributes_pass(policy: Mapping[str, Any], attributes: Mapping[str, Any]) -> bool:
    """Whether a policy lets a message through by its attributes.

    Args:
        policy: The filter policy.
        attributes: Message attributes by name, each with ``DataType`` and ``StringValue``.
    """
    if not policy:
        return True
    if not attributes:  # "exists": false needs another attribute; all else needs the one it names
        return False
    properties: Properties = {}
    for name, attribute in attributes.items():
        values = _values_of(attribute)
        if values is not None:
            properties[name] = values
    return _passes(policy, properties)


def body_passes(policy: Mapping[str, Any], body: object) -> bool:
    """Whether a policy lets a message through by its body.

    Args:
        policy: The filter policy, with properties inside properties.
        body: The text of the message; what is no JSON object does not match.
    """
    if not policy:
        return True
    if not isinstance(body, str):
        return False
    content = _parsed(body)
    return isinstance(content, dict) and _passes(policy, _properties_of(content, policy))


def _passes(policy: Mapping[str, Any], properties: Properties, path: str | None = None) -> bool:
    return all(_meets(name, rules, properties, path) for name, rules in policy.items())


def _meets(name: str, rules: Any, properties: Properties, path: str | None) -> bool:
    if name == _OR and is_alternative(rules):
        return any(_passes(one, properties, path) for one in rules)
    here = _joined(path, name)
    if isinstance(rules, dict):
        return _passes(rules, properties, here)
    values = properties.get(here)
    return any(_accepts(rule, values) for rule in list_of(rules))


def _joined(path: str | None, name: str) -> str:
    return name if path is None else f"{path}.{name}"


def _accepts(rule: Any, values: list[Any] | None) -> bool:
    """Whether a rule accepts a property; None as its values when the message has none of it."""
    if isinstance(rule, dict) and "exists" in rule:
        if rule["exists"] is False:
            return values is None
        return rule["exists"] is True and any(one not in (None, "") for one in values or ())
    return values is not None and any(matches(value, rule) for value in values)


def _values_of(attribute: Any) -> list[Any] | None:
    """The values of a message attribute; None of one that SNS ignores."""
    if not isinstance(attribute, dict):
        return None
    kind = str(attribute.get("DataType") or attribute.get("Type") or "")
    text = attribute.get("StringValue") or attribute.get("Value")
    if kind.startswith("Binary"):
        return None
    if kind.endswith(".Array"):
        elements = _parsed(text) if isinstance(text, str) else None
        return elements if isinstance(elements, list) else []
    if kind == "Number" or kind.startswith("Number."):
        return [_number_of(text)]
    return [text]


def _number_of(text: Any) -> Any:
    try:
        number = float(text)
    except (ValueError, TypeError, OverflowError):
        return text
    return number if math.isfinite(number) else text


def _parsed(text: str) -> Any:
    """A JSON value; None of what is no JSON."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _properties_of(body: dict[str, Any], policy: Mapping[str, Any]) -> Properties:
    """The properties of a body that a policy names, wherever arrays are on the way to them."""
    wanted = set(_paths(policy))
    properties: Properties = {}
    pending: list[tuple[str | None, Any]] = [(None, body)]
    while pending:  # a body may be nested deeper than functions can call each other
        path, value = pending.pop()
        if isinstance(value, dict):
            inner = ((_joined(path, name), one) for name, one in value.items())
            pending += [one for one in inner if _leads_to(one[0], wanted)]
        elif isinstance(value, list):
            pending += [(path, one) for one in value]
        elif path is not None:
            properties.setdefault(path, []).append(value)
    return properties


def _leads_to(path: str, wanted: set[str]) -> bool:
    return any(one.startswith(path) and one[len(path) :][:1] in ("", ".") for one in wanted)


def _paths(policy: Mapping[str, Any], path: str | None = None) -> Iterator[str]:
    """The properties that a policy names."""
    for name, rules in policy.items():
        if name == _OR and is_alternative(rules):
            for one in rules:
                yield from _paths(one, path)
        elif isinstance(rules, dict):
            yield from _paths(rules, _joined(path, name))
        else:
            yield _joined(path, name)
