"""Which messages of a batch stay in the queue (AWS: "Implementing partial batch responses")."""

from __future__ import annotations

import json
from typing import Any

import pytest

from trigger_stack.delivery.core.partial_failures import failed_items

BATCH = {"a", "b", "c"}


@pytest.mark.parametrize(
    "response",
    [None, {}, {"batchItemFailures": []}, {"batchItemFailures": None}, {"other": 1}],
    ids=json.dumps,
)
def test_complete_success(response: Any) -> None:
    assert failed_items(json.dumps(response).encode(), BATCH) == set()


def test_nothing_returned_is_a_success() -> None:
    assert failed_items(b"", BATCH) == set()


@pytest.mark.parametrize(
    ("response", "failed"),
    [
        ([{"itemIdentifier": "a"}], {"a"}),
        ([{"itemIdentifier": "a"}, {"itemIdentifier": "c"}], {"a", "c"}),
        ([{"itemIdentifier": "a"}, {"itemIdentifier": "a"}], {"a"}),
        ([{"itemIdentifier": "b", "more": 1}], {"b"}),
    ],
)
def test_partial_failure(response: Any, failed: set[str]) -> None:
    assert failed_items(json.dumps({"batchItemFailures": response}).encode(), BATCH) == failed


@pytest.mark.parametrize(
    "response",
    [
        b"no JSON",
        pytest.param(b"[" * 100_000 + b"]" * 100_000, id="nested deeply"),
        b'"a text"',
        b"[]",
        b"1",
        b"true",
        b'{"batchItemFailures": "a"}',
        b'{"batchItemFailures": {"itemIdentifier": "a"}}',
        b'{"batchItemFailures": [{"itemIdentifier": ""}]}',
        b'{"batchItemFailures": [{"itemIdentifier": null}]}',
        b'{"batchItemFailures": [{"itemIdentifier": 1}]}',
        b'{"batchItemFailures": [{"itemId": "a"}]}',
        b'{"batchItemFailures": ["a"]}',
        b'{"batchItemFailures": [null]}',
        b'{"batchItemFailures": [{"itemIdentifier": "unknown"}]}',
        b'{"batchItemFailures": [{"itemIdentifier": "a"}, {"itemIdentifier": "unknown"}]}',
    ],
)
def test_a_malformed_response_fails_the_whole_batch(response: bytes) -> None:
    assert failed_items(response, BATCH) == BATCH


def test_an_identifier_of_any_type_is_no_exception() -> None:
    response = b'{"batchItemFailures": [{"itemIdentifier": {"a": []}}]}'

    assert failed_items(response, BATCH) == BATCH
