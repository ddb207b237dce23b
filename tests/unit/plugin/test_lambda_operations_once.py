"""The handlers of Lambda's operations are put in place once, whoever comes first."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest

from trigger_stack.localstack.lambda_engine import operations

CONTEXT = SimpleNamespace(service=SimpleNamespace(service_name="lambda"))


def test_two_first_requests_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrapped twice, a list of pages would be one of the first page alone."""
    table: dict[str, Any] = dict.fromkeys(operations._WRAPPED, "LocalStack's")
    service = SimpleNamespace(
        skeleton=SimpleNamespace(dispatch_table=table), lifecycle_hook="the provider"
    )
    both = threading.Barrier(2)

    def get_service(name: str) -> Any:
        """Lets the two meet, if they come here at once; else it waits in vain."""
        with suppress(threading.BrokenBarrierError):
            both.wait(0.5)
        return service

    monkeypatch.setattr(operations, "SERVICE_PLUGINS", SimpleNamespace(get_service=get_service))
    monkeypatch.setattr(operations, "_replaced", threading.Event())

    def request(_: int) -> Any:
        operations._provide(None, CONTEXT, None)
        return table["DeleteFunction"]

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(request, range(2))

    # Each found it in place when it went on, around LocalStack's own.
    assert first is second
    assert (first.func, first.args) == (operations.delete_function, ("LocalStack's",))
