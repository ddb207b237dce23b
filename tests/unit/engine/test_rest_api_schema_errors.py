"""API Gateway's words for bodies that do not fit their model.

The first two are on record with AWS's answers; the others are the messages of the validator that
gives them.
"""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft4Validator

from trigger_stack_engine.front_doors.rest_api.schema_errors import describe


@pytest.mark.parametrize(
    ("schema", "body", "expected"),
    [
        (
            {"required": ["to", "body", "subject"]},
            {},
            'object has missing required properties (["body","subject","to"])',
        ),
        ({"required": ["name"]}, {}, 'object has missing required properties (["name"])'),
        (
            {"type": "integer"},
            "x",
            "instance type (string) does not match any allowed primitive type"
            ' (allowed: ["integer"])',
        ),
        (
            {"type": ["number", "null"]},
            {},
            "instance type (object) does not match any allowed primitive type"
            ' (allowed: ["integer","null","number"])',
        ),
        (
            {"type": "string"},
            True,
            "instance type (boolean) does not match any allowed primitive type"
            ' (allowed: ["string"])',
        ),
        (
            {"properties": {"a": {}}, "additionalProperties": False},
            {"a": 1, "c": 1, "b": 1},
            'object instance has properties which are not allowed by the schema: ["b","c"]',
        ),
        (
            {"enum": ["a", "b"]},
            "c",
            'instance value ("c") not found in enum (possible values: ["a","b"])',
        ),
        ({"pattern": "^a$"}, "b", 'ECMA 262 regex "^a$" does not match input string "b"'),
        (
            {"minLength": 1},
            "",
            'string "" is too short (length: 0, required minimum: 1)',
        ),
        ({"maxLength": 1}, "ab", 'string "ab" is too long (length: 2, maximum allowed: 1)'),
        (
            {"maximum": 3},
            4,
            "numeric instance is greater than the required maximum (maximum: 3, found: 4)",
        ),
        (
            {"minimum": 3, "exclusiveMinimum": True},
            3,
            "numeric instance is not strictly greater than the required minimum 3",
        ),
        (
            {"minItems": 2},
            [1],
            "array is too short: must have at least 2 elements but instance has 1 elements",
        ),
        ({"uniqueItems": True}, [1, 1], "array must not contain duplicate elements"),
        (
            {"maxProperties": 1},
            {"a": 1, "b": 2},
            "object has too many properties (found 2 but schema requires at most 1)",
        ),
        (
            {"anyOf": [{"type": "string"}, {"type": "null"}]},
            1,
            "instance failed to match at least one required schema among 2",
        ),
        (
            {"oneOf": [{"type": "string"}, {"type": "null"}]},
            1,
            "instance failed to match exactly one schema (matched 0 out of 2)",
        ),
        (
            {"oneOf": [{"type": "integer"}, {"minimum": 0}]},
            1,
            "instance failed to match exactly one schema (matched 2 out of 2)",
        ),
        ({"not": {"type": "null"}}, None, "instance matched a schema which it should not have"),
        (
            {"required": ["a"], "properties": {"b": {"type": "null"}}},
            {"b": 1},
            'object has missing required properties (["a"]), instance type (integer) does not match'
            ' any allowed primitive type (allowed: ["null"])',
        ),
    ],
)
def test_words(schema: dict[str, Any], body: Any, expected: str) -> None:
    assert describe(Draft4Validator(schema).iter_errors(body)) == f"[{expected}]"
