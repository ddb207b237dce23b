"""What is wrong with a body that does not fit its model, in API Gateway's words.

API Gateway validates by JSON schema draft 4 with ``java-json-tools/json-schema-validator``, whose
messages (its ``validation.properties``) are those of ``$context.error.validationErrorString``:
``[object has missing required properties (["name"])]``. AWS topic: API Gateway Developer Guide,
"Variables for data models, authorizers, mapping templates, and CloudWatch access logging". The
order of several messages is not documented.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from jsonschema.exceptions import ValidationError

_NUMBERS: Final = ["integer", "number"]
_TYPES: Final[Mapping[type, str]] = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
    type(None): "null",
}


@dataclass(frozen=True, slots=True)
class _Finding:
    """One error of jsonschema.

    Attributes:
        value: What does not fit.
        wanted: What the keyword says.
        schema: The schema that has the keyword.
        causes: How many errors it comes of.
    """

    value: Any
    wanted: Any
    schema: Mapping[str, Any]
    causes: int


def describe(errors: Iterable[ValidationError]) -> str:
    """All findings; those about the whole body first."""
    found = sorted(errors, key=lambda one: (len(one.absolute_path), str(one.validator)))
    # There is one message for all of the properties that are missing, an error for each.
    texts = dict.fromkeys(_text(error) for error in found)
    return f"[{', '.join(texts)}]"


def _text(error: ValidationError) -> str:
    text = _TEXTS.get(str(error.validator))
    schema = error.schema if isinstance(error.schema, Mapping) else {}
    finding = _Finding(error.instance, error.validator_value, schema, len(error.context or ()))
    return error.message if text is None else text(finding)


def _type(one: _Finding) -> str:
    names = {one.wanted} if isinstance(one.wanted, str) else set(one.wanted)
    allowed = sorted({*names, *(_NUMBERS if "number" in names else ())})
    found = _TYPES.get(type(one.value), "object")
    return (
        f"instance type ({found}) does not match any allowed primitive type"
        f" (allowed: {_json(allowed)})"
    )


def _required(one: _Finding) -> str:
    missing = sorted(name for name in one.wanted if name not in one.value)
    return f"object has missing required properties ({_json(missing)})"


def _additional_properties(one: _Finding) -> str:
    known = one.schema.get("properties") or {}
    patterns = one.schema.get("patternProperties") or {}
    unknown = sorted(
        name
        for name in one.value
        if name not in known and not any(re.search(pattern, name) for pattern in patterns)
    )
    return f"object instance has properties which are not allowed by the schema: {_json(unknown)}"


def _limit(one: _Finding, side: str, beyond: str, within: str, exclusive: str) -> str:
    limit, found = one.wanted, one.value
    if one.schema.get(exclusive) is True and found == limit:
        return f"numeric instance is not strictly {within} than the required {side} {limit}"
    return (
        f"numeric instance is {beyond} than the required {side} ({side}: {limit}, found: {found})"
    )


def _length(one: _Finding, what: str, limit: str) -> str:
    length = len(one.value)
    return f'string "{one.value}" is too {what} (length: {length}, {limit}: {one.wanted})'


def _count(one: _Finding, begin: str, limit: str) -> str:
    found = len(one.value)
    return f"{begin}: must have {limit} {one.wanted} elements but instance has {found} elements"


def _members(one: _Finding, what: str, limit: str) -> str:
    found = len(one.value)
    return (
        f"object has too {what} properties"
        f" (found {found} but schema requires at {limit} {one.wanted})"
    )


def _pattern(one: _Finding) -> str:
    return f'ECMA 262 regex "{one.wanted}" does not match input string "{one.value}"'


def _enum(one: _Finding) -> str:
    found, known = _json(one.value), _json(one.wanted)
    return f"instance value ({found}) not found in enum (possible values: {known})"


def _any_of(one: _Finding) -> str:
    return f"instance failed to match at least one required schema among {len(one.wanted)}"


def _one_of(one: _Finding) -> str:
    # Without causes more than one fits; how many, jsonschema does not count.
    matched, schemas = 0 if one.causes else 2, len(one.wanted)
    return f"instance failed to match exactly one schema (matched {matched} out of {schemas})"


_TEXTS: Final[Mapping[str, Callable[[_Finding], str]]] = {
    "additionalProperties": _additional_properties,
    "anyOf": _any_of,
    "enum": _enum,
    "maxItems": partial(_count, begin="array is too long", limit="at most"),
    "maxLength": partial(_length, what="long", limit="maximum allowed"),
    "maxProperties": partial(_members, what="many", limit="most"),
    "maximum": partial(
        _limit, side="maximum", beyond="greater", within="lower", exclusive="exclusiveMaximum"
    ),
    "minItems": partial(_count, begin="array is too short", limit="at least"),
    "minLength": partial(_length, what="short", limit="required minimum"),
    "minProperties": partial(_members, what="few", limit="least"),
    "minimum": partial(
        _limit, side="minimum", beyond="lower", within="greater", exclusive="exclusiveMinimum"
    ),
    "multipleOf": lambda one: f"remainder of division is not zero ({one.value} / {one.wanted})",
    "not": lambda _: "instance matched a schema which it should not have",
    "oneOf": _one_of,
    "pattern": _pattern,
    "required": _required,
    "type": _type,
    "uniqueItems": lambda _: "array must not contain duplicate elements",
}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
