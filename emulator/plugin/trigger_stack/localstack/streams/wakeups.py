"""Which mappings read a stream: a record that is put wakes them.

What: no patch: ``dynamodb/forwarder.py`` says what was written, as soon as DynamoDB Local has it.
Why: LocalStack asks a stream once a second, and less often when it was empty.
Until: LocalStack's pollers wait for records.
Test: ``tests/unit/plugin/test_sqs_patches.py::test_localstack_still_polls_at_intervals``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_lock = threading.Lock()
_readers: dict[str, set[Callable[[], None]]] = {}
_WRITES = frozenset(
    {
        "BatchExecuteStatement",
        "BatchWriteItem",
        "DeleteItem",
        "ExecuteStatement",
        "ExecuteTransaction",
        "PutItem",
        "TransactWriteItems",
        "UpdateItem",
    }
)


@contextmanager
def reading(stream_arn: str, wake: Callable[[], None]) -> Iterator[None]:
    """Have ``wake`` called for each change of a stream."""
    with _lock:
        _readers.setdefault(stream_arn, set()).add(wake)
    try:
        yield
    finally:
        with _lock:
            _readers[stream_arn].discard(wake)
            if not _readers[stream_arn]:
                del _readers[stream_arn]


def wake_stream(stream_arn: str) -> None:
    """There may be records in a stream."""
    with _lock:
        found = list(_readers.get(stream_arn, ()))
    for wake in found:
        wake()


def wake_table(account: str, region: str, table: str) -> None:
    """There may be records in a stream of a table."""
    prefix = f"arn:aws:dynamodb:{region}:{account}:table/{table}/stream/"
    with _lock:
        arns = [arn for arn in _readers if arn.startswith(prefix)]
    for arn in arns:
        wake_stream(arn)


def after(context: Any) -> None:
    """A request to DynamoDB was handled; there may be records when it was a write."""
    if _readers and context.operation.name in _WRITES:
        for table in tables_of(context.service_request or {}):
            wake_table(context.account_id, context.region, table)


def tables_of(request: dict[str, Any]) -> set[str]:
    """The tables that a request writes to. Statements of PartiQL name theirs inside a text."""
    named = [request.get("TableName"), *(request.get("RequestItems") or {})]
    for item in request.get("TransactItems") or []:
        named += [action.get("TableName") for action in item.values()]
    statements = [request, *(request.get("TransactStatements") or request.get("Statements") or [])]
    words = " ".join(one.get("Statement") or "" for one in statements).replace('"', " ").split()
    with _lock:
        known = {arn.split("/")[1] for arn in _readers if ":table/" in arn}
    named += [word for word in words if word in known]
    return {name.rpartition("/")[2] for name in named if name}
