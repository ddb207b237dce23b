"""A number or a truth value that is a text in a template, as a parameter always is.

AWS topic: AWS CloudFormation CLI User Guide, "Resource type schema"; CloudFormation converts the
primitive values of a template to the types of the schema, and LocalStack does not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_WHOLE = re.compile(r"-?[0-9]{1,18}")
_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?")
_FLAGS = {"true": True, "false": False}


def converted(properties: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """The properties of a resource, with the types that its schema says.

    Args:
        properties: As the template has them.
        schema: Of the type: with ``properties`` and ``definitions``.
    """
    definitions = schema.get("definitions") or {}
    known = schema.get("properties") or {}
    return {name: _typed(value, known.get(name), definitions) for name, value in properties.items()}


def _typed(value: Any, schema: Any, definitions: Mapping[str, Any]) -> Any:
    if not isinstance(schema, dict):
        return value
    if reference := schema.get("$ref"):
        return _typed(value, definitions.get(reference.rpartition("/")[2]), definitions)
    if isinstance(value, list):
        return [_typed(one, schema.get("items"), definitions) for one in value]
    if isinstance(value, dict):
        own = schema.get("properties") or {}
        return {key: _typed(one, own.get(key), definitions) for key, one in value.items()}
    return _scalar(value, schema.get("type"))


def _scalar(value: Any, kind: Any) -> Any:
    if not isinstance(value, str):
        return value
    if kind == "boolean":
        return _FLAGS.get(value.lower(), value)
    if kind in ("integer", "number") and _WHOLE.fullmatch(value):
        return int(value)
    if kind == "number" and _NUMBER.fullmatch(value):
        return float(value)
    return value
