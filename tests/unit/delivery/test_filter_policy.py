"""Filter policies of subscriptions: every operator against every kind of value."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trigger_stack.delivery.core.filter_policy import (
    attributes_pass,
    body_passes,
    is_alternative,
)


def in_body(policy: dict[str, Any], body: Any) -> bool:
    return body_passes(policy, json.dumps(body))


def string(text: str) -> dict[str, Any]:
    return {"DataType": "String", "StringValue": text}


def number(text: str) -> dict[str, Any]:
    return {"DataType": "Number", "StringValue": text}


def array(elements: Any, kind: str = "String.Array") -> dict[str, Any]:
    return {"DataType": kind, "StringValue": json.dumps(elements)}


BINARY = {"DataType": "Binary", "BinaryValue": b"x"}

#: One of each kind, and those that Python takes for equal.
VALUES: list[Any] = [
    *(None, True, False, 0, 1, 5, 5.0, -2, 100, 100.5),
    *("", "5", "true", "null", "x", "xy", "XY", "ayx", "10.0.0.9", "10.0.1.9"),
]
STRINGS = [value for value in VALUES if isinstance(value, str)]


def others(*values: Any) -> list[Any]:
    """All but these, which are compared with their types."""
    left = {repr(value) for value in values}
    return [value for value in VALUES if repr(value) not in left]


RULES: list[tuple[Any, list[Any]]] = [
    ("x", ["x"]),
    ("", [""]),
    ("5", ["5"]),
    ("true", ["true"]),
    (5, [5, 5.0]),
    (5.0, [5, 5.0]),
    (1, [1]),
    (0, [0]),
    (True, [True]),
    (False, [False]),
    (None, [None]),
    ({"prefix": "x"}, ["x", "xy"]),
    ({"prefix": ""}, STRINGS),
    ({"prefix": 5}, []),
    ({"suffix": "x"}, ["x", "ayx"]),
    ({"suffix": ""}, STRINGS),
    ({"equals-ignore-case": "xY"}, ["xy", "XY"]),
    ({"equals-ignore-case": ""}, [""]),
    ({"wildcard": "x"}, ["x"]),
    ({"wildcard": "x*"}, ["x", "xy"]),
    ({"wildcard": "*x"}, ["x", "ayx"]),
    ({"wildcard": "*y*"}, ["xy", "ayx"]),
    ({"wildcard": "a*y*x"}, ["ayx"]),
    ({"wildcard": "x*x"}, []),
    ({"wildcard": "*"}, STRINGS),
    ({"wildcard": None}, []),
    ({"numeric": ["=", 5]}, [5, 5.0]),
    ({"numeric": [">", 1]}, [5, 5.0, 100, 100.5]),
    ({"numeric": [">=", 0, "<=", 100]}, [0, 1, 5, 5.0, 100]),
    ({"numeric": [">", 0, "<", 100]}, [1, 5, 5.0]),
    ({"numeric": ["<", -1]}, [-2]),
    ({"numeric": []}, []),
    ({"numeric": ["="]}, []),
    ({"numeric": ["=", "5"]}, []),
    ({"numeric": ["=", True]}, []),
    ({"numeric": ["!", 5]}, []),
    ({"numeric": [["="], 5]}, []),
    ({"numeric": 5}, []),
    ({"cidr": "10.0.0.0/24"}, ["10.0.0.9"]),
    ({"cidr": "0.0.0.0/0"}, ["10.0.0.9", "10.0.1.9"]),
    ({"cidr": "::/0"}, []),
    ({"cidr": "x"}, []),
    ({"cidr": 5}, []),
    ({"exists": True}, others(None, "")),
    ({"exists": False}, []),
    ({"exists": "yes"}, []),
    ({"anything-but": "x"}, others("x")),
    ({"anything-but": ""}, others("")),
    ({"anything-but": 0}, others(0)),
    ({"anything-but": 100}, others(100)),
    ({"anything-but": [100, 5]}, others(100, 5, 5.0)),
    ({"anything-but": ["x", "5"]}, others("x", "5")),
    ({"anything-but": [1]}, others(1)),
    ({"anything-but": [True, None]}, others(True, None)),
    ({"anything-but": []}, VALUES),
    ({"anything-but": {"prefix": "x"}}, others("x", "xy")),
    ({"anything-but": {"prefix": ""}}, others(*STRINGS)),
    ({"anything-but": {"suffix": "x"}}, others("x", "ayx")),
    ({"anything-but": {"wildcard": "*y"}}, others("xy")),
    ({"anything-but": {"equals-ignore-case": "xy"}}, others("xy", "XY")),
    ({"no-operator": "x"}, []),
    ({}, []),
    ([], []),
    (["x"], []),
]


@pytest.mark.parametrize(("rule", "accepted"), RULES, ids=json.dumps)
def test_which_values_a_rule_accepts(rule: Any, accepted: list[Any]) -> None:
    policy = {"k": [rule]}

    assert [repr(one) for one in VALUES if in_body(policy, {"k": one})] == [*map(repr, accepted)]


@pytest.mark.parametrize(("rule", "accepted"), RULES, ids=json.dumps)
def test_attributes_are_matched_as_bodies_are(rule: Any, accepted: list[Any]) -> None:
    """As elements of an array, and strings and numbers by themselves."""
    policy, expected = {"k": [rule]}, [repr(one) for one in accepted]

    def passing(values: list[Any], attribute: Any) -> list[str]:
        return [repr(one) for one in values if attributes_pass(policy, {"k": attribute(one)})]

    assert passing(VALUES, lambda one: array([one])) == expected
    alone = [one for one in VALUES if isinstance(one, str) and one]
    numbers = [one for one in VALUES if isinstance(one, int | float) and not isinstance(one, bool)]
    found = passing(numbers, lambda one: number(str(one))) + passing(alone, string)
    assert found == [one for one in expected if one in [*map(repr, numbers), *map(repr, alone)]]


@pytest.mark.parametrize(
    ("policy", "attributes", "passes"),
    [
        ({}, {}, True),
        ({"k": ["x", "y"]}, {"k": string("y")}, True),
        ({"k": "x"}, {"k": string("x")}, True),
        ({"k": ["x"], "l": ["y"]}, {"k": string("x"), "l": string("y"), "m": string("z")}, True),
        ({"k": ["x"], "l": ["y"]}, {"k": string("x"), "l": string("q")}, False),
        ({"k": ["x"]}, {}, False),
        ({"k": [None]}, {}, False),
        ({"k": [{"anything-but": ["x"]}]}, {}, False),
        ({"k": [{"anything-but": ["x"]}, {"exists": False}]}, {"l": string("y")}, True),
        ({"k": [5]}, {"k": number("5")}, True),
        ({"k": ["5"]}, {"k": number("5")}, False),
        ({"k": [5]}, {"k": string("5")}, False),
        ({"k": [{"anything-but": [5]}]}, {"k": string("5")}, True),
        ({"k": [{"numeric": [">", 0]}]}, {"k": string("5")}, False),
        ({"k": [{"numeric": ["=", 301.5]}]}, {"k": number("3.015e2")}, True),
        ({"k": [{"numeric": [">", 0]}]}, {"k": number("5") | {"DataType": "Number.int"}}, True),
        ({"k": [{"numeric": [">", 0]}]}, {"k": number("inf")}, False),
        ({"k": [{"numeric": [">", 0]}]}, {"k": number("five")}, False),
        ({"k": [{"prefix": "5"}]}, {"k": number("5")}, False),
        ({"k": ["x"]}, {"k": string("x") | {"DataType": "String.label"}}, True),
        ({"k": [True]}, {"k": string("true")}, False),
        # "String.Array" and "Number.Array"
        ({"k": ["x"]}, {"k": array(["q", "x"])}, True),
        ({"k": [{"anything-but": ["x"]}]}, {"k": array(["x", "y"])}, True),
        ({"k": [{"anything-but": ["x"]}]}, {"k": array(["x"])}, False),
        ({"k": [{"anything-but": [100, 500]}]}, {"k": array([100, 50], "Number.Array")}, True),
        ({"k": [{"prefix": "x"}]}, {"k": array([5, True, None, "xy"])}, True),
        ({"k": [{"equals-ignore-case": "X"}]}, {"k": array([True, "x"])}, True),
        ({"k": [{"numeric": ["=", 5]}]}, {"k": array([None, "a", 5])}, True),
        ({"k": [{"numeric": ["=", 5]}]}, {"k": array(["5", True])}, False),
        ({"k": [{"prefix": "x"}]}, {"k": array([["x"], {"x": "x"}])}, False),
        ({"k": [{"exists": True}]}, {"k": array([])}, False),
        ({"k": [{"exists": False}]}, {"k": array([])}, False),
        ({"k": ["a"]}, {"k": array("a")}, False),
        ({"k": ["a"]}, {"k": array({"a": "a"})}, False),
        ({"k": ["a"]}, {"k": array(5)}, False),
        ({"k": ["a"]}, {"k": string("['a']") | {"DataType": "String.Array"}}, False),
        ({"k": ["a"]}, {"k": string("[" * 100_000) | {"DataType": "String.Array"}}, False),
        # "Key matching": "exists": false needs an attribute; Binary attributes are ignored
        ({"k": [{"exists": True}]}, {"k": string("x")}, True),
        ({"k": [{"exists": False}]}, {"k": string("x")}, False),
        ({"k": [{"exists": False}]}, {"l": string("x")}, True),
        ({"k": [{"exists": False}]}, {}, False),
        ({"k": [{"exists": True}]}, {"k": BINARY, "l": string("x")}, False),
        ({"k": [{"exists": False}]}, {"k": BINARY, "l": string("x")}, True),
        # LocalStack has the names of notifications, too
        ({"k": [300]}, {"k": {"Type": "Number", "Value": 300}}, True),
        ({"k": [300]}, {"k": {}}, False),
        ({"k": [300]}, {"k": None}, False),
        # "$or"
        ({"$or": [{"k": ["x"]}, {"l": ["y"]}]}, {"l": string("y")}, True),
        ({"m": ["z"], "$or": [{"k": ["x"]}, {"l": ["y"]}]}, {"l": string("y")}, False),
        (
            {"k": ["x"], "$or": [{"l": ["q"]}, {"m": ["z"], "$or": [{"n": [1]}, {"o": [2]}]}]},
            {"k": string("x"), "m": string("z"), "o": number("2")},
            True,
        ),
        ({"k": ["x"], "$or": [{"k": ["y"]}, {"l": ["z"]}]}, {"k": string("y")}, False),
        ({"$or": ["x", "y"]}, {"$or": string("y")}, True),
        ({"$or": [{"prefix": "abc"}]}, {"$or": string("abcd")}, True),
        ({"$or": [{"prefix": "a"}, {"suffix": "b"}]}, {"$or": string("cb")}, True),
    ],
)
def test_attributes(policy: dict[str, Any], attributes: dict[str, Any], passes: bool) -> None:
    assert attributes_pass(policy, attributes) is passes


@pytest.mark.parametrize(
    ("policy", "body", "passes"),
    [
        ({}, [], True),
        ({"k": ["x"]}, {"k": "x", "l": {"m": 1}}, True),
        ({"k": ["x"], "l": ["y"]}, {"k": "x"}, False),
        ({"k": ["x"]}, [{"k": "x"}], False),
        ({"k": ["x"]}, "k", False),
        ({"k": ["x"]}, None, False),
        ({"a": {"b": {"c": ["x"]}}}, {"a": {"b": {"c": "x"}}}, True),
        ({"a": {"b": ["x"]}}, {"a": {"b": "y"}}, False),
        ({"a": {"b": ["x"]}}, {"a": "x"}, False),
        ({"a": {"b": ["x"]}}, {"b": "x"}, False),
        ({"k": [None]}, {}, False),
        ({"k": [{"anything-but": ["x"]}]}, {}, False),
        # A name with a dot is a way into objects
        ({"a.b": ["x"]}, {"a": {"b": "x"}}, True),
        ({"a.b": ["x"]}, {"a.b": "x"}, True),
        ({"a": {"b": ["x"]}}, {"a.b": "x"}, True),
        ({"a": {"b.c": ["x"]}}, {"a.b": {"c": "x"}}, True),
        ({"a": ["x"]}, {"": {"a": "x"}}, False),
        ({"ab": ["x"]}, {"a": "x"}, False),
        # Arrays: one value has to match
        ({"k": ["x"]}, {"k": ["q", "x"]}, True),
        ({"k": ["x"]}, {"k": [["q"], ["x"]]}, True),
        ({"k": [{"prefix": "x"}]}, {"k": [5, "xy"]}, True),
        ({"k": [{"anything-but": ["x", "y"]}]}, {"k": ["x", "z"]}, True),
        ({"k": [{"anything-but": ["x", "y"]}]}, {"k": ["x"]}, False),
        ({"k": [{"anything-but": [100, 500]}]}, {"k": [100, 50]}, True),
        ({"a": {"n": ["x"]}}, {"a": [{"n": "q"}, {"n": "x"}]}, True),
        ({"a": {"n": ["x"], "v": ["y"]}}, {"a": [{"n": "x"}, {"v": "y"}]}, True),
        # "Key matching": leaves only, and no null or empty one
        ({"k": [{"exists": True}]}, {"k": False}, True),
        ({"k": [{"exists": True}]}, {"k": []}, False),
        ({"k": [{"exists": True}]}, {"k": {"l": 1}}, False),
        ({"k": [{"exists": True}]}, {"k": [None, "", 0]}, True),
        ({"k": [{"exists": False}]}, {"k": None}, False),
        ({"k": [{"exists": False}]}, {"k": {"l": 1}}, True),
        ({"k": [{"exists": False}]}, {"z": 1}, True),
        ({"k": [{"exists": False}]}, {}, True),
        ({"a": {"n": [{"exists": False}]}}, {"a": [{"n": 1}, {"m": 1}]}, False),
        # Five digits after the point count
        ({"k": [123.456789]}, {"k": 123.4567891}, True),
        ({"k": [0.3]}, {"k": 0.1 + 0.2}, True),
        ({"k": [123.45678]}, {"k": 123.45679}, False),
        ({"k": [{"numeric": ["<", 0.3]}]}, {"k": 0.29999}, True),
        ({"k": [{"numeric": [">", 0]}]}, {"k": 10**400}, True),
        # "$or"
        ({"$or": [{"k": ["x"]}, {"l": {"m": ["y"]}}]}, {"l": {"m": "y"}}, True),
        ({"a": {"s": [1], "$or": [{"k": ["x"]}, {"l": [2]}]}}, {"a": {"s": 1, "l": 2}}, True),
        ({"a": {"s": [1], "$or": [{"k": ["x"]}, {"l": [2]}]}}, {"a": {"s": 1}, "l": 2}, False),
    ],
)
def test_bodies(policy: dict[str, Any], body: Any, passes: bool) -> None:
    assert in_body(policy, body) is passes


@pytest.mark.parametrize(
    "body",
    [
        *("hello", "", "{", "null", '{"k": NaN}', '{"k": "x"} more', None, 5, b'{"k": "x"}'),
        pytest.param("[" * 250_000, id="deep"),
        pytest.param('{"k": %s}' % ("9" * 5000), id="long"),
    ],
)
def test_what_is_no_json_object_does_not_pass(body: Any) -> None:
    assert not body_passes({"k": [{"anything-but": "x"}]}, body)
    assert not body_passes({"k": [{"exists": False}]}, body)


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([{"k": ["x"]}, {"l": ["y"]}], True),
        ([{"k": ["x"]}], False),
        ([], False),
        ([{"k": ["x"]}, "l"], False),
        ([{"numeric": 123}, {"prefix": "abc"}], False),
        ({"k": ["x"]}, False),
        (None, False),
    ],
)
def test_when_or_is_an_alternative(rules: Any, expected: bool) -> None:
    assert is_alternative(rules) is expected


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        (r"a\*b", "a*b", True),
        (r"a\*b", "axb", False),
        (r"a\\*", r"a\xyz", True),
        ("a\\", "a\\", True),
        ("a*a", "a", False),
        ("ab*ba", "aba", False),
        ("*ab*ab*", "abab", True),
        ("*ab*ab*", "aba", False),
    ],
)
def test_wildcards(pattern: str, text: str, fits: bool) -> None:
    assert in_body({"k": [{"wildcard": pattern}]}, {"k": text}) is fits


def test_neither_many_values_nor_many_wildcards_take_long() -> None:
    """LocalStack builds every combination of the arrays' elements."""
    arrays = {name: [f"{name}{one}" for one in range(1000)] for name in "abcd"}
    policy = {name: [f"{name}999"] for name in "abcd"}
    text = json.dumps({"k": "a" * 200_000})
    started = time.perf_counter()

    assert in_body(policy, arrays)
    assert not body_passes({"k": [{"wildcard": "*a*a*a*b"}]}, text)
    assert time.perf_counter() - started < 60  # every combination would take years


def test_as_deep_as_sns_accepts_a_policy() -> None:
    """It refuses one of more than 150 combinations, to which every level counts."""
    policy: Any = ["x"]
    body: Any = "x"
    for _ in range(150):
        policy, body = {"k": policy}, {"k": [body]}

    assert in_body(policy, body)


NAMES = st.sampled_from(["k", "l", "a", "a.b", "", "$or", "DataType", "StringValue", "x.y"])
OPERATORS = st.sampled_from(
    [
        *("prefix", "suffix", "equals-ignore-case", "anything-but", "numeric", "exists", "cidr"),
        *("wildcard", "regex"),
    ]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=4)
    | st.sampled_from(["=", "<", ">", "<=", "10.0.0.0/8", "::1", "10.0.0.1", "[1]", "a*b", 10**400])
)
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(NAMES, inner, max_size=4)
        | st.dictionaries(OPERATORS, inner, min_size=1, max_size=2)
    ),
    max_leaves=20,
)
POLICIES = st.dictionaries(NAMES, JSON, max_size=5)
ATTRIBUTES = st.fixed_dictionaries(
    {"DataType": st.sampled_from(["String", "Number", "String.Array", "Number.Array", "Binary"])},
    optional={"StringValue": SCALARS | JSON.map(json.dumps), "BinaryValue": st.binary()},
)


@settings(deadline=None, max_examples=300)
@given(policy=POLICIES, body=JSON, attributes=st.dictionaries(NAMES, ATTRIBUTES | JSON, max_size=4))
def test_no_policy_and_no_message_raises(
    policy: dict[str, Any], body: Any, attributes: dict[str, Any]
) -> None:
    assert isinstance(body_passes(policy, body), bool)
    assert isinstance(in_body(policy, body), bool)
    assert isinstance(in_body(policy, {"k": body, "a": [body, {"b": body}]}), bool)
    assert isinstance(attributes_pass(policy, attributes), bool)


@settings(deadline=None)
@given(policy=POLICIES, body=st.dictionaries(NAMES, JSON, max_size=4))
def test_an_alternative_passes_what_one_of_its_policies_passes(
    policy: dict[str, Any], body: dict[str, Any]
) -> None:
    other = {"k": ["x"], "l": [{"exists": False}]}
    alternatives = [policy, other]
    expected = any(in_body({"z": [1], **one}, {**body, "z": 1}) for one in alternatives)

    if is_alternative(alternatives):
        assert in_body({"z": [1], "$or": alternatives}, {**body, "z": 1}) is expected
