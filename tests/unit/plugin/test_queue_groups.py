"""Groups of FIFO queues: what blocks them, with LocalStack's queues as they are and patched."""

from __future__ import annotations

from typing import Any

import pytest
from localstack.services.sqs.models import FifoQueue

from trigger_stack.localstack.sqs import groups

ORIGINAL = {
    name: getattr(FifoQueue, name) for name in ("_put_message", "requeue_inflight_messages")
}


@pytest.fixture(params=[False, True], ids=["localstack", "patched"])
def patched(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    for name, function in ORIGINAL.items():
        monkeypatch.setattr(FifoQueue, name, function)
    if request.param:
        groups.install()
    return bool(request.param)


@pytest.fixture
def queue() -> Any:
    made = FifoQueue("q.fifo", "us-east-1", "000000000000", {"FifoQueue": "true"})
    yield made
    made.shutdown()


def put(queue: Any, name: str, group: str) -> None:
    queue.put(
        {"MessageId": name, "Body": name}, message_group_id=group, message_deduplication_id=name
    )


def names(received: Any) -> list[str]:
    return [one.message_id for one in received.successful]


def test_a_group_is_blocked_while_one_of_its_messages_is_in_flight(
    patched: bool, queue: Any
) -> None:
    """When LocalStack's own queue gives nothing here, its groups need no patch."""
    for name in ("a1", "a2", "a3"):
        put(queue, name, "a")
    taken = queue.receive(2)
    first, second = taken.receipt_handles

    queue.update_visibility_timeout(second, 0)

    assert names(queue.receive(10)) == ([] if patched else ["a2", "a3"])
    if patched:
        queue.remove(first)
        assert names(queue.receive(10)) == ["a2", "a3"]


def test_a_group_waits_for_no_other(patched: bool, queue: Any) -> None:
    """When LocalStack's own queue gives b1 here, its groups need no patch."""
    put(queue, "a1", "a")
    queue.receive(1, visibility_timeout=1000)
    put(queue, "b1", "b")
    queue.receive(1, visibility_timeout=1000)
    for message in queue.inflight:
        if message.message_id == "b1":
            message.visibility_deadline = 0

    queue.requeue_inflight_messages()

    assert names(queue.receive(10)) == (["b1"] if patched else [])


def test_messages_of_a_group_come_back_in_their_order(patched: bool, queue: Any) -> None:
    for name in ("a1", "a2", "a3"):
        put(queue, name, "a")
    queue.receive(2)
    put(queue, "a4", "a")
    for message in queue.inflight:
        message.visibility_deadline = 0

    queue.requeue_inflight_messages()

    assert names(queue.receive(10)) == ["a1", "a2", "a3", "a4"]


def test_a_new_message_waits_behind_those_in_flight(patched: bool, queue: Any) -> None:
    put(queue, "a1", "a")
    taken = queue.receive(1)
    put(queue, "a2", "a")
    assert names(queue.receive(10)) == []

    queue.remove(taken.receipt_handles[0])

    assert names(queue.receive(10)) == ["a2"]


def test_a_message_that_is_moved_is_no_duplicate(queue: Any) -> None:
    put(queue, "a1", "a")
    taken = queue.receive(1)
    queue.remove(taken.receipt_handles[0])
    put(queue, "a1", "a")
    assert names(queue.receive(1)) == [], "LocalStack's queue takes it for one"

    groups.forget_duplicate(queue, "a1")
    put(queue, "a1", "a")

    assert names(queue.receive(1)) == ["a1"]
