"""Filters of a mapping on messages."""

from __future__ import annotations

import json
from typing import Any

import pytest
from localstack.utils.event_matcher import matches_event

from trigger_stack.delivery.sqs.filters import Filters


def record(body: str) -> dict[str, Any]:
    return {"messageId": "1", "body": body, "messageAttributes": {}}


def passes(pattern: dict[str, Any] | None, body: str) -> bool:
    patterns = [] if pattern is None else [json.dumps(pattern)]
    return Filters(patterns, matches_event).pass_through(record(body))


@pytest.mark.parametrize("body", ["text", "{}", "", "[1]"])
def test_without_filters_everything_passes(body: str) -> None:
    assert passes(None, body)


@pytest.mark.parametrize(
    ("pattern", "body", "result"),
    [
        ({"body": {"kind": ["new"]}}, '{"kind": "new"}', True),
        ({"body": {"kind": ["new"]}}, '{"kind": "old"}', False),
        ({"body": {"n": [{"numeric": [">", 5]}]}}, '{"n": 6}', True),
        ({"body": {"kind": ["new"]}}, "new", False),
        ({"body": {"kind": ["new"]}}, '["new"]', False),
        ({"body": ["new"]}, "new", True),
        ({"body": ["new"]}, "old", False),
        ({"body": [{"prefix": "n"}]}, "new", True),
        ({"body": ["new"]}, '{"kind": "new"}', False),
        ({"messageId": ["1"]}, "anything", True),
        ({"messageId": ["2"]}, '{"kind": "new"}', False),
    ],
    ids=str,
)
def test_a_filter(pattern: dict[str, Any], body: str, result: bool) -> None:
    assert passes(pattern, body) is result


def test_one_of_several_filters_is_enough() -> None:
    filters = Filters(['{"body": {"a": [1]}}', '{"body": {"b": [1]}}'], matches_event)

    assert filters.pass_through(record('{"b": 1}'))
    assert not filters.pass_through(record('{"c": 1}'))


def test_the_function_gets_the_body_as_it_was_sent() -> None:
    sent = record('{"kind":   "new"}')
    Filters(['{"body": {"kind": ["new"]}}'], matches_event).pass_through(sent)

    assert sent["body"] == '{"kind":   "new"}'
