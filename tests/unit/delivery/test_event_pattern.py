"""Event patterns match what EventBridge's own matcher matches."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trigger_stack.delivery.core.event_pattern import matches

NESTED = '{"a":' * 50_000 + "1" + "}" * 50_000


@pytest.mark.parametrize(
    ("conditions", "fulfilled", "others"),
    [
        (["x"], ["x", ["x"], ["y", "x"], [["x"]]], ["X", "", None, 1, [], {}, {"x": "x"}]),
        ([1], [1, 1.0, [2, 1]], [True, "1", None, 2]),
        ([True], [True], [1, "true", False]),
        ([False], [False], [0, None, ""]),
        ([None], [None, [None]], [0, "", "null", False]),
        ([""], ["", [""]], [None, " "]),
        (["x", 2], ["x", 2], ["y", 3]),
        ([{"prefix": "lo"}], ["lo", "logo", ["x", "logo"]], ["Lo", "l", 1, True, None]),
        ([{"prefix": ""}], ["", "x"], [1, None]),
        ([{"prefix": {"equals-ignore-case": "Lo"}}], ["LOgo", "lo"], ["x", 5, True, None]),
        ([{"suffix": ".png"}], [".png", "a.png"], [".PNG", "png", 1]),
        ([{"suffix": {"equals-ignore-case": ".png"}}], ["a.PNG"], ["a", 5]),
        ([{"equals-ignore-case": "Ab"}], ["AB", "ab"], ["abc", 1]),
        ([{"wildcard": "logos/*"}], ["logos/", "logos/a", "logos/a/b"], ["logo", "xlogos/"]),
        ([{"wildcard": "logos/*/*.png"}], ["logos/acme/.png", "logos/a/b.png"], ["logos/.png"]),
        ([{"wildcard": "a*b"}], ["ab", "axb", "a\nb", "abb"], ["axb\n", "a", "ba", 1]),
        ([{"wildcard": "*"}], ["", "x"], [1, None]),
        ([{"wildcard": r"a\*b"}], ["a*b"], ["ab", "axb", r"a\*b"]),
        ([{"wildcard": r"a\\*"}], ["a\\", "a\\b"], ["a*", "a"]),
        ([{"wildcard": "a.c"}], ["a.c"], ["abc"]),
        ([{"numeric": [">", 0, "<=", 5]}], [1, 5, 0.1, [9, 3]], [0, 6, "3", True, None]),
        ([{"numeric": ["=", 1]}], [1, 1.0], [True, "1", 2]),
        ([{"numeric": ["<", 1]}], [0, -5], [1, False]),
        ([{"numeric": [">=", 1]}], [1, 2], [0.9]),
        ([{"cidr": "10.0.0.0/8"}], ["10.1.2.3"], ["11.0.0.1", 167772161, "x", "::1", None]),
        ([{"cidr": "10.0.0.5/24"}], ["10.0.0.1"], ["10.0.1.1"]),
        ([{"cidr": "2001:db8::/32"}], ["2001:db8::1"], ["10.0.0.1"]),
        ([{"cidr": "0.0.0.0/8"}], ["0.0.0.1"], [1, True]),
        ([{"exists": True}], [1, None, "", False, [1], [{"z": 1}, 2]], [[], {}, {"b": 1}, [{}]]),
        ([{"anything-but": "x"}], ["y", 1, None, ["x", "y"]], ["x", ["x"], []]),
        ([{"anything-but": ["x", "y"]}], ["z", 0], ["x", "y"]),
        ([{"anything-but": [1]}], [True, 2, "1"], [1, 1.0]),
        ([{"anything-but": {"prefix": "a"}}], ["b", 1], ["a", "ab"]),
        ([{"anything-but": {"prefix": ["a", "b"]}}], ["c"], ["ab", "ba"]),
        ([{"anything-but": {"suffix": ".x"}}], ["x"], ["a.x"]),
        ([{"anything-but": {"equals-ignore-case": ["A"]}}], ["b"], ["a", "A"]),
        ([{"anything-but": {"wildcard": "*/lib/*"}}], ["/src/"], ["/lib/", "a/lib/b"]),
    ],
    ids=str,
)
def test_conditions(conditions: list[Any], fulfilled: list[Any], others: list[Any]) -> None:
    for value in fulfilled:
        assert matches({"a": conditions}, {"a": value}), value
    for value in others:
        assert not matches({"a": conditions}, {"a": value}), value


def test_what_must_not_be_there() -> None:
    absent = {"a": {"b": [{"exists": False}]}}

    for event in ({}, {"a": 1}, {"a": {"c": 1}}, {"a": {"b": []}}, {"a": {"b": {}}}, {"a": []}):
        assert matches(absent, event), event
    for event in ({"a": {"b": None}}, {"a.b": 1}, {"a": [{"b": 1}, {"c": 1}]}):
        assert not matches(absent, event), event


def test_absent_or_a_value() -> None:
    pattern = {"a": [{"exists": False}, "x"], "b": ["y"]}

    assert matches(pattern, {"b": "y"})
    assert matches(pattern, {"a": "x", "b": "y"})
    assert not matches(pattern, {"a": "z", "b": "y"})
    assert not matches(pattern, {"a": "x"})


ITEMS = {"items": {"n": ["x"], "v": ["y"]}}


@pytest.mark.parametrize(
    ("event", "is_match"),
    [
        ({"items": [{"n": "x", "v": "z"}, {"n": "q", "v": "y"}]}, False),
        ({"items": [{"n": "x", "v": "z"}, {"n": "x", "v": "y"}]}, True),
        ({"items": {"n": "x", "v": "y"}}, True),
        ({"items": [{"n": ["a", "x"], "v": ["y", "b"]}]}, True),
        ({"items": [[{"n": "x"}, {"v": "y"}]]}, False),
        ({"items": [[{"n": "x", "v": "y"}], []]}, True),
        ({"items": [{"n": "x"}], "items.v": "y"}, True),
    ],
)
def test_fields_of_objects_in_an_array_are_of_one_element(
    event: dict[str, Any], is_match: bool
) -> None:
    assert matches(ITEMS, event) is is_match


def test_the_array_example_of_event_ruler() -> None:
    """README of aws/event-ruler, "JSON Array Matching"."""
    event = {
        "employees": [
            {"firstName": "John", "lastName": "Doe", "ids": [1234, 1000, 9999]},
            {"firstName": "Anna", "lastName": "Smith"},
            {"firstName": "Peter", "lastName": "Jones"},
        ]
    }

    assert not matches({"employees": {"firstName": ["Anna"], "lastName": ["Jones"]}}, event)
    assert matches({"employees": {"firstName": ["Anna"], "lastName": ["Smith"]}}, event)
    assert matches({"employees": {"firstName": ["John"], "ids": [1000]}}, event)
    assert not matches({"employees": {"firstName": ["Anna"], "ids": [1000]}}, event)
    absent = [{"exists": False}]
    assert matches({"employees": {"firstName": ["Anna"], "ids": absent}}, event)
    assert not matches({"employees": {"firstName": ["John"], "ids": absent}}, event)


def test_choices() -> None:
    pattern = {
        "source": ["s"],
        "detail": {"$or": [{"a": ["x"]}, {"b": [{"numeric": [">", 1]}], "c": ["y"]}]},
    }

    assert matches(pattern, {"source": "s", "detail": {"a": "x"}})
    assert matches(pattern, {"source": "s", "detail": {"b": 2, "c": "y"}})
    assert not matches(pattern, {"source": "s", "detail": {"b": 2}})
    assert not matches(pattern, {"source": "t", "detail": {"a": "x"}})


@pytest.mark.parametrize("conditions", [[{"prefix": "a"}, {"suffix": "b"}], [1], ["x", "ab"]])
def test_or_can_be_the_name_of_a_field(conditions: list[Any]) -> None:
    assert matches({"$or": conditions}, {"$or": [1, "ab"]})
    assert not matches({"$or": conditions}, {"a": 1})


def test_a_name_with_a_dot_is_a_path() -> None:
    assert matches({"a.b": ["x"]}, {"a": {"b": "x"}})
    assert matches({"a": {"b": ["x"]}}, {"a.b": "x"})


def test_json_texts_and_what_is_none() -> None:
    assert matches('{"a": [1]}', '{"a": 1}')
    assert matches(None, "no JSON")
    for event in ("no JSON", "[]", "1", NESTED):
        assert not matches('{"a": [1]}', event)


def test_many_elements_take_no_long_time() -> None:
    """An event of 256 KB: all pairs of elements would be millions."""
    event = {"a": [{"n": n, "v": 0} for n in range(5000)], "b": [{"m": 1} for _ in range(5000)]}

    assert not matches({"a": {"n": [{"numeric": [">", 1]}], "v": [1]}, "b": {"m": [1]}}, event)
    assert matches({"a": {"n": [4999], "v": [0]}, "b": {"m": [1]}}, event)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner),
    max_leaves=10,
)
CONDITION = st.one_of(
    st.none() | st.booleans() | st.integers() | st.text(max_size=2),
    st.sampled_from(
        [
            {"prefix": "a"},
            {"prefix": {"equals-ignore-case": "a"}},
            {"suffix": {"equals-ignore-case": "a"}},
            {"wildcard": "*a\\*"},
            {"equals-ignore-case": "A"},
            {"numeric": [">", 0, "<", 9]},
            {"cidr": "10.0.0.0/8"},
            {"exists": True},
            {"exists": False},
            {"anything-but": ["a", 1]},
            {"anything-but": {"prefix": "a"}},
        ]
    ),
)
PATTERN = st.recursive(
    st.dictionaries(st.sampled_from("ab"), st.lists(CONDITION, min_size=1), min_size=1),
    lambda inner: st.dictionaries(st.sampled_from("ab"), inner, min_size=1),
    max_leaves=4,
)


@given(PATTERN, st.dictionaries(st.sampled_from("ab"), JSON))
def test_whatever_pattern_and_event_are_there_is_an_answer(
    pattern: dict[str, Any], event: dict[str, Any]
) -> None:
    assert matches(pattern, event) is matches(json.dumps(pattern), json.dumps(event))
