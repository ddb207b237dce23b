"""An event for a pattern: the example that fires a rule."""

from __future__ import annotations

from typing import Any

import pytest

from bootstrap.definition.sample_event import item_of, sample_of


@pytest.mark.parametrize(
    ("pattern", "event"),
    [
        ({}, {}),
        ({"source": ["shop", "other"]}, {"source": "shop"}),
        ({"detail": {"a": {"b": [1]}}}, {"detail": {"a": {"b": 1}}}),
        ({"a": [{"exists": True}]}, {"a": "example"}),
        ({"a": [{"exists": False}]}, {}),
        ({"a": [{"prefix": "p-"}]}, {"a": "p-example"}),
        ({"a": [{"prefix": {"equals-ignore-case": "P-"}}]}, {"a": "P-example"}),
        ({"a": [{"suffix": ".png"}]}, {"a": "example.png"}),
        ({"a": [{"wildcard": "x/*.y"}]}, {"a": "x/example.y"}),
        ({"a": [{"cidr": "10.0.0.0/24"}]}, {"a": "10.0.0.0"}),
        ({"a": [{"anything-but": ["x"]}]}, {"a": "not-example"}),
        ({"a": [{"numeric": ["=", 5]}]}, {"a": 5}),
        ({"a": [{"numeric": [">", 5]}]}, {"a": 6}),
        ({"a": [{"numeric": [">", 0, "<", 1]}]}, {"a": 0.5}),
        ({"a": [{"numeric": ["<", 5]}]}, {"a": 4}),
        ({"a": [{"numeric": []}]}, {"a": 0}),
        ({"$or": [{"a": ["x"]}, {"b": ["y"]}]}, {"a": "x"}),
        ({"a": "no pattern", "b": [], "$or": []}, {}),
    ],
)
def test_the_first_alternative_is_the_sample(
    pattern: dict[str, Any], event: dict[str, Any]
) -> None:
    assert sample_of(pattern) == event


@pytest.mark.parametrize(
    ("patterns", "item"),
    [
        ([], {}),
        ([{"eventName": ["INSERT"]}], {}),
        ([{"dynamodb": {"NewImage": {"kind": {"S": ["order"]}}}}], {"kind": {"S": "order"}}),
        ([{"dynamodb": {"Keys": {"id": {"N": ["7"]}}}}, {}], {"id": {"N": "7"}}),
        (
            [{"dynamodb": {"OldImage": {"on": {"BOOL": [{"exists": True}]}}}}],
            {"on": {"BOOL": True}},
        ),
        ([{"dynamodb": {"NewImage": {"n": {"N": [{"exists": True}]}}}}], {"n": {"N": "1"}}),
        ([{"dynamodb": ["no image"]}], {}),
        ([{"dynamodb": {"NewImage": ["x"], "Keys": {"id": ["x"]}}}], {}),
    ],
)
def test_an_item_whose_records_the_first_filter_takes(
    patterns: list[dict[str, Any]], item: dict[str, Any]
) -> None:
    assert item_of(patterns) == item
