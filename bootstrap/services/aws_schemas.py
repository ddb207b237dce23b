"""AWS's own schemas of the resource types that the stack makes, and what they say about properties.

``aws_schemas.json`` has them, as far as they are needed; ``scripts/aws_schemas.py`` writes it, and
has the list of what is left out, with reasons. Only the keywords that CloudFormation's schemas use
are read (CloudFormation CLI, "Resource type definition schema").
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from bootstrap.errors import did_you_mean
from bootstrap.services import shapes
from bootstrap.services.shapes import Finding, Problems, Shape, below, is_function, missing

FILE = Path(__file__).with_suffix(".json")
_MOST_TEXT = 200


#: The functions that stand for a list; any other stands for text.
_LISTS = ("Fn::GetAZs", "Fn::Split")


def _list(value: Any) -> Problems:
    if isinstance(value, list) or (is_function(value) and next(iter(value)) in _LISTS):
        return ()
    return (Finding(f"must be a list, not {shapes.shown(value)}"),)


_TYPES: dict[str, Shape] = {
    "array": _list,
    "boolean": shapes.flag,
    "integer": shapes.number(),
    "number": shapes.any_number,
    "object": shapes.any_mapping,
    "string": shapes.text,
}


@dataclass(frozen=True)
class Schema:
    """The schema of one resource type.

    Attributes:
        names: every property that AWS documents, supported here or not.
        read_only: those that AWS sets.
        required: those that must be given.
        properties: the schemas of the supported ones, as JSON Schema.
        definitions: what these refer to.
    """

    names: frozenset[str]
    read_only: frozenset[str]
    required: frozenset[str]
    properties: Mapping[str, Any]
    definitions: Mapping[str, Any]

    def problems(self, properties: Mapping[str, Any]) -> Iterator[Finding]:
        """Everything wrong with the values of the supported properties, each at its own key.

        A CloudFormation function stands for a value that is not known yet, and fits wherever text,
        a number or a truth value does.
        """
        for name, value in properties.items():
            if name in self.properties:
                yield from below(name, self._problems(value, self.properties[name]))

    def _problems(self, value: Any, schema: Mapping[str, Any]) -> Iterator[Finding]:
        if reference := schema.get("$ref"):
            schema = self.definitions[reference.rpartition("/")[2]]
        if shapes.is_unknown(value):
            return
        if options := schema.get("oneOf"):
            tried = [list(self._problems(value, option)) for option in options]
            if all(tried):  # the one that fits furthest is what was meant
                yield from max(tried, key=lambda problems: len(problems[0].path))
                return
            if "properties" not in schema:  # else the options only say which of them are required
                return
        if found := _wrong_type(value, schema.get("type", ())) or _wrong_value(value, schema):
            yield from found
        elif is_function(value):
            return
        elif isinstance(value, list):
            yield from self._in_list(value, schema)
        elif isinstance(value, dict):
            yield from self._in_mapping(value, schema)

    def _in_list(self, value: list[Any], schema: Mapping[str, Any]) -> Iterator[Finding]:
        low, high = schema.get("minItems", 0), schema.get("maxItems")
        if problem := _out_of(len(value), low, high):
            yield Finding(f"must have {problem} items, not {len(value)}")
        seen: set[str] = set()
        for index, item in enumerate(value):
            text = json.dumps(item, sort_keys=True)
            if schema.get("uniqueItems") and text in seen:
                yield Finding("stands in the list twice", (index,))
            seen.add(text)
            yield from below(index, self._problems(item, schema.get("items", {})))

    def _in_mapping(self, value: dict[str, Any], schema: Mapping[str, Any]) -> Iterator[Finding]:
        known = schema.get("properties", {})
        patterns = schema.get("patternProperties", {})
        unknown = []
        for key, entry in value.items():
            if key in known:
                own = known[key]
            else:
                own = next((s for p, s in patterns.items() if re.search(p, key)), None)
            if own is None:
                if schema.get("additionalProperties") is False:
                    unknown.append(key)
                continue
            yield from below(key, self._problems(entry, own))
        for key in unknown:
            yield Finding(_unknown(key, known, patterns), (key,))
        yield from missing(schema.get("required", ()), value, unknown)


def _unknown(key: str, known: Mapping[str, Any], patterns: Mapping[str, Any]) -> str:
    if patterns:
        return f"has a name that AWS does not take; it takes {' or '.join(patterns)}"
    if not known:
        return "is not known to AWS"
    meant = did_you_mean(key, known)
    sentence = f"is not known to AWS. There are: {', '.join(sorted(known))}"
    return f"{sentence}.{meant}" if meant else sentence


def _wrong_type(value: Any, types: str | list[str]) -> Problems:
    """The problem with the type of a value, when none of ``types`` is its own."""
    if not types:
        return ()
    names = [types] if isinstance(types, str) else types
    if {*names} == {"object", "string"}:
        return shapes.text_or_mapping(value)
    problems = [_TYPES[name](value) for name in names]
    return problems[0] if all(problems) else ()


def _wrong_value(value: Any, schema: Mapping[str, Any]) -> Problems:
    """The problem with a text or a number itself."""
    if isinstance(value, dict | list):
        return ()
    allowed = [schema["const"]] if "const" in schema else schema.get("enum")
    if allowed is not None and str(value) not in map(str, allowed):
        return shapes.one_of(*map(str, allowed))(value)
    if not isinstance(value, bool) and ("minimum" in schema or "maximum" in schema):
        return _wrong_number(value, schema)
    return _wrong_text(value, schema) if isinstance(value, str) else ()


def _wrong_number(value: Any, schema: Mapping[str, Any]) -> Problems:
    try:
        problem = _out_of(float(value), schema.get("minimum"), schema.get("maximum"))
    except (ValueError, OverflowError):
        return ()
    return (Finding(f"must be {problem}, not {value}"),) if problem else ()


def _wrong_text(value: str, schema: Mapping[str, Any]) -> Problems:
    if problem := _out_of(len(value), schema.get("minLength", 0), schema.get("maxLength")):
        return (Finding(f"must have {problem} characters, not {len(value)}"),)
    pattern = schema.get("pattern")
    if pattern is None or re.search(pattern, value):
        return ()
    shown = value if len(value) < _MOST_TEXT else f"{value[:_MOST_TEXT]}…"
    what = f"must be as AWS has it: {pattern} (a regular expression), not “{shown}”"
    return (Finding(what),)


def _out_of(value: float, low: float | None, high: float | None) -> str:
    """``1 to 10``, ``1 or more``, ``10 or fewer`` when a number is not that; else nothing."""
    if (low is None or value >= low) and (high is None or value <= high):
        return ""
    if high is None:
        return f"{low} or more"
    return f"{high} or fewer" if low is None else f"{low} to {high}"


def of(kind: str) -> Schema | None:
    """The schema of a resource type; None for one that there is none of."""
    found = _all().get(kind)
    if found is None:
        return None
    return Schema(
        frozenset(found["names"]),
        frozenset(found["readOnly"]),
        frozenset(found["required"]),
        found["properties"],
        found["definitions"],
    )


@cache
def _all() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    types: dict[str, Any] = content["types"]
    return types
