"""How many log events are kept."""

from __future__ import annotations

import secrets
import sys
import time
from types import SimpleNamespace
from typing import Any

import pytest
from moto.logs.models import logs_backends

from trigger_stack.localstack.lambda_engine import stores
from trigger_stack.localstack.lambda_engine.stores import LogStore


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> Any:
    """moto's; LocalStack's module would change moto for the other tests of this process."""
    monkeypatch.setattr(stores.SERVICE_PLUGINS, "require", lambda _: None)
    made = logs_backends["000000000000"]["us-east-1"]
    provider = SimpleNamespace(get_moto_logs_backend=lambda *_: made)
    monkeypatch.setitem(sys.modules, "localstack.services.logs.provider", provider)
    return made


#: CloudWatch Logs refuses events that are too old.
NOW = int(time.time() * 1000)


def put(store: LogStore, group: str, stream: str, first: int, count: int) -> None:
    where = {"account": "000000000000", "region": "us-east-1", "group": group, "stream": stream}
    store.put(where, [(NOW + at, f"event {at}") for at in range(first, first + count)])


def kept(backend: Any, group: str) -> dict[str, list[int]]:
    streams = backend.groups[group].streams
    return {name: [event.timestamp - NOW for event in one.events] for name, one in streams.items()}


def test_a_group_keeps_its_newest_events(backend: Any, caplog: pytest.LogCaptureFixture) -> None:
    store, group = LogStore(most_events=10), f"/aws/lambda/{secrets.token_hex(4)}"
    put(store, group, "old", 1, 6)
    put(store, group, "new", 7, 5)
    assert [len(events) for events in kept(backend, group).values()] == [6, 5], "a tenth more"

    put(store, group, "new", 12, 3)

    assert kept(backend, group) == {"old": [5, 6], "new": list(range(7, 15))}
    put(store, group, "new", 15, 30)
    assert caplog.text.count(f"{group} has more than 10 events") == 1, "said once"


def test_other_groups_keep_theirs(backend: Any) -> None:
    store, name = LogStore(most_events=10), secrets.token_hex(4)
    put(store, f"/quiet/{name}", "s", 1, 3)
    put(store, f"/loud/{name}", "s", 1, 50)

    assert kept(backend, f"/quiet/{name}") == {"s": [1, 2, 3]}
    assert kept(backend, f"/loud/{name}") == {"s": list(range(41, 51))}
