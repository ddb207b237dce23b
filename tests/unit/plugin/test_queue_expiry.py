"""Messages that expire, or are deleted late, while others are received: unpatched and patched."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from localstack.services.sqs.models import FifoQueue, StandardQueue

from trigger_stack.localstack.sqs import expiry, groups

ORIGINAL = [
    (owner, name, vars(owner)[name])
    for owner, name in (
        (StandardQueue, "remove_expired_messages"),
        (StandardQueue, "_on_remove_message"),
        (FifoQueue, "remove_expired_messages"),
        (FifoQueue, "_put_message"),
        (FifoQueue, "requeue_inflight_messages"),
    )
]


@pytest.fixture(params=[False, True], ids=["localstack", "patched"])
def patched(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    for owner, name, original in ORIGINAL:
        monkeypatch.setattr(owner, name, inspect.unwrap(original))
    groups.install()
    if request.param:
        expiry.install()
    return bool(request.param)


@pytest.fixture
def fifo() -> Iterator[Any]:
    made = FifoQueue("q.fifo", "us-east-1", "000000000000", {"FifoQueue": "true"})
    yield made
    made.shutdown()


@pytest.fixture
def standard() -> Iterator[Any]:
    made = StandardQueue("q", "us-east-1", "000000000000")
    yield made
    made.shutdown()


def put(queue: Any, name: str, group: str = "g") -> Any:
    fifo = {"message_group_id": group, "message_deduplication_id": name}
    return queue.put(
        {"MessageId": name, "Body": name}, **fifo if isinstance(queue, FifoQueue) else {}
    )


def receive(queue: Any) -> list[str]:
    return [one.message_id for one in queue.receive(1).successful]


def test_a_group_that_has_expired_is_given_to_one_receiver(patched: bool, fifo: Any) -> None:
    """When LocalStack gives nothing the second time, it drops empty groups itself."""
    put(fifo, "old").created = 0
    put(fifo, "other", "h")
    fifo.remove_expired_messages()
    put(fifo, "a")
    put(fifo, "b")

    assert receive(fifo) == (["other"] if patched else ["a"])
    assert receive(fifo) == (["a"] if patched else ["other"])
    assert receive(fifo) == ([] if patched else ["b"])


def expire(queue: Any) -> Callable[[], None]:
    """Have a message that is to be removed since it is too old."""
    put(queue, "m").created = 0
    return queue.remove_expired_messages  # type: ignore[no-any-return]  # LocalStack's is untyped


def delete_late(queue: Any) -> Callable[[], None]:
    """Have a message that is to be deleted by a receipt that has expired."""
    put(queue, "m")
    (receipt,) = queue.receive(1, visibility_timeout=0).receipt_handles
    return lambda: queue.remove(receipt)


@pytest.mark.parametrize("change", [expire, delete_late])
def test_the_messages_do_not_change_while_one_is_taken(
    patched: bool, standard: Any, change: Callable[[Any], Callable[[], None]]
) -> None:
    remove = change(standard)
    done = threading.Event()

    def work() -> None:
        remove()
        done.set()

    with standard.visible.mutex:  # as a receive has it
        thread = threading.Thread(target=work)
        thread.start()
        assert done.wait(0.5 if patched else 30) == (not patched)
    thread.join()
    assert receive(standard) == []
