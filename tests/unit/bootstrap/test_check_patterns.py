"""Event patterns: what EventBridge takes, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from bootstrap.checks.patterns import could_match, refused, unknown_keys

GOOD: list[dict[str, Any]] = [
    {"source": ["shop"]},
    {"source": ["shop", {"prefix": "aws."}, {"suffix": ".test"}]},
    {"source": [{"prefix": {"equals-ignore-case": "SHOP"}}]},
    {"source": [{"equals-ignore-case": "shop"}]},
    {"source": [{"wildcard": "sh*p"}]},
    {"source": [{"anything-but": ["a", "b"]}, {"anything-but": "c"}, {"anything-but": 3}]},
    {"source": [{"anything-but": {"prefix": "a"}}, {"anything-but": {"wildcard": "a*"}}]},
    {"detail": {"n": [1, 2.5, None, True]}},
    {"detail": {"n": [{"numeric": [">", 0, "<=", 5.5]}, {"numeric": ["=", 1]}]}},
    {"detail": {"ip": [{"cidr": "10.0.0.0/24"}, {"cidr": "2001:db8::/32"}]}},
    {"detail": {"x": {"y": [{"exists": True}]}, "z": [{"exists": False}]}},
    {"$or": [{"source": ["a"]}, {"detail": {"$or": [{"b": [1]}, {"c": [2]}]}}]},
]
BAD: list[tuple[Any, str]] = [
    ("source", "mapping"),
    ({}, "empty mapping"),
    ({"detail": {}}, "empty mapping"),
    ({"source": "shop"}, "must stand in a list: [shop]"),
    ({"source": None}, "must stand in a list: [null]"),
    ({"detail": {"a": True}}, "must stand in a list: [true]"),
    ({"source": []}, "is empty"),
    ({"source": [["shop"]]}, "has a list in it"),
    ({"source": [{}]}, "exactly one operator"),
    ({"source": [{"prefix": "a", "suffix": "b"}]}, "exactly one operator"),
    ({"source": [{"begins-with": "a"}]}, "there is no operator “begins-with”"),
    ({"source": [{"prefix": 1}]}, "prefix takes another kind"),
    ({"source": [{"exists": "yes"}]}, "exists takes true or false"),
    ({"source": [{"wildcard": "a**"}]}, "two asterisks"),
    ({"source": [{"anything-but": []}]}, "empty list"),
    ({"source": [{"anything-but": {"exists": True}}]}, "anything-but takes"),
    ({"detail": {"n": [{"numeric": [">"]}]}}, "numeric takes"),
    ({"detail": {"n": [{"numeric": ["!=", 1]}]}}, "“!=” is no comparison"),
    ({"detail": {"n": [{"numeric": [">", "1"]}]}}, "1 is no number"),
    ({"detail": {"ip": [{"cidr": "10.0.0.0/99"}]}}, "no range of addresses"),
    ({"$or": [{"source": ["a"]}]}, "two patterns or more"),
    ({"$or": [{"source": ["a"]}, {"source": "b"}]}, "must stand in a list"),
]


@pytest.mark.parametrize("pattern", GOOD, ids=str)
def test_a_pattern_that_is_taken(pattern: Any) -> None:
    assert list(refused(pattern)) == []
    assert list(unknown_keys(pattern)) == []


@pytest.mark.parametrize(("pattern", "said"), BAD, ids=str)
def test_a_pattern_that_is_refused(pattern: Any, said: str) -> None:
    (problem,) = refused(pattern)

    assert said in problem.what


def test_a_pattern_that_is_nested_without_end() -> None:
    pattern: Any = ["x"]
    for _ in range(2000):
        pattern = {"a": pattern}

    assert list(refused(pattern)) == []


@pytest.mark.parametrize("key", ["detailType", "DetailType", "detail_type"])
def test_a_key_that_no_event_has(key: str) -> None:
    (problem,) = unknown_keys({key: ["Sold"]})

    assert problem.what.endswith("Write detail-type.")
    assert problem.path == (key,)
    assert list(unknown_keys({"brand": ["x"]}))
    assert list(unknown_keys({"$or": [{"source": ["a"]}, {"brand": ["x"]}]}))
    # That it is not there is always true.
    assert not list(unknown_keys({"brand": [{"exists": False}]}))


@pytest.mark.parametrize(
    ("values", "matches"),
    [
        (["shop"], True),
        (["shops"], False),
        ([{"prefix": "sh"}], True),
        ([{"prefix": "x"}], False),
        ([{"suffix": "op"}], True),
        ([{"equals-ignore-case": "SHOP"}], True),
        ([{"anything-but": "shop"}], False),
        ([{"anything-but": ["a"]}], True),
        ([{"exists": True}], True),
        ([{"exists": False}], False),
        ([{"wildcard": "x*"}], True),  # not looked at: it may
        ([1], False),
    ],
)
def test_what_may_match(values: list[Any], matches: bool) -> None:
    assert could_match(values, "shop") is matches
