"""Where a message is that was received too often: LocalStack's queues as they are, and patched."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import pytest
from localstack.services.sqs.models import (
    FifoQueue,
    SqsMessage,
    SqsQueue,
    StandardQueue,
    sqs_stores,
)

from trigger_stack.localstack.sqs import dead_letters

ACCOUNT, REGION = "000000000000", "us-east-1"
ORIGINAL = [
    (owner, name, vars(owner)[name])
    for owner, name in (
        (SqsQueue, "max_receive_count"),
        (StandardQueue, "receive"),
        (FifoQueue, "receive"),
        (SqsMessage, "__init__"),
    )
]


@pytest.fixture(params=[False, True], ids=["localstack", "patched"])
def patched(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[bool]:
    for owner, name, original in ORIGINAL:
        monkeypatch.setattr(owner, name, original)
    monkeypatch.delattr(SqsQueue, dead_letters._MARK, raising=False)
    if request.param:
        dead_letters.install(nullcontext)
    yield bool(request.param)
    if request.param:
        delattr(SqsQueue, dead_letters._MARK)


class Queues:
    """Queues in LocalStack's store."""

    def __init__(self) -> None:
        self.made: list[Any] = []

    def new(self, target: Any = None, *, fifo: bool = False) -> Any:
        name = f"q-{secrets.token_hex(6)}" + (".fifo" if fifo else "")
        attributes = {"FifoQueue": "true"} if fifo else {}
        if target is not None:
            policy = {"deadLetterTargetArn": target.arn, "maxReceiveCount": 1}
            attributes["RedrivePolicy"] = json.dumps(policy)
        queue: Any = (FifoQueue if fifo else StandardQueue)(name, REGION, ACCOUNT, attributes)
        sqs_stores[ACCOUNT][REGION].queues[name] = queue
        self.made.append(queue)
        return queue

    @staticmethod
    def delete(queue: Any) -> None:
        del sqs_stores[ACCOUNT][REGION].queues[queue.name]


@pytest.fixture
def queues() -> Iterator[Queues]:
    made = Queues()
    yield made
    for queue in made.made:
        sqs_stores[ACCOUNT][REGION].queues.pop(queue.name, None)
        queue.shutdown()


def put(queue: Any, name: str = "m") -> None:
    group = {"message_group_id": "g", "message_deduplication_id": name}
    queue.put({"MessageId": name, "Body": name}, **group if isinstance(queue, FifoQueue) else {})


def receive(queue: Any) -> list[str]:
    """The messages that a receive gives out; they are visible at once."""
    return [one.message_id for one in queue.receive(10, visibility_timeout=0).successful]


@pytest.mark.parametrize("fifo", [False, True], ids=["standard", "fifo"])
def test_a_message_stays_when_its_dead_letter_queue_is_gone(
    patched: bool, queues: Queues, fifo: bool
) -> None:
    """When LocalStack's own queue gives it out here, it needs no patch."""
    letters = queues.new(fifo=fifo)
    queue = queues.new(letters, fifo=fifo)
    put(queue)
    queues.delete(letters)

    assert [receive(queue) for _ in range(4)] == [["m"], *[["m"] if patched else []] * 3]


@pytest.mark.parametrize("fifo", [False, True], ids=["standard", "fifo"])
def test_a_message_stays_when_its_dead_letter_queue_is_of_the_other_type(
    patched: bool, queues: Queues, fifo: bool
) -> None:
    queue = queues.new(queues.new(fifo=not fifo), fifo=fifo)
    put(queue)

    assert [receive(queue) for _ in range(4)] == [["m"], *[["m"] if patched else []] * 3]


@pytest.mark.parametrize("fifo", [False, True], ids=["standard", "fifo"])
def test_a_queue_moves_its_letters_itself(patched: bool, queues: Queues, fifo: bool) -> None:
    """LocalStack's move task drops them."""
    letters = queues.new(fifo=fifo)
    queue = queues.new(letters, fifo=fifo)
    for name in ("a", "b"):
        put(queue, name)

    assert receive(queue) == ["a", "b"]
    assert receive(queue) == []

    found = receive(letters)
    assert found == (["a", "b"] if patched else [])
    if patched:
        put(queue, "c")
        assert receive(queue) == ["c"]


@pytest.mark.parametrize("patched", [True], indirect=True)
@pytest.mark.usefixtures("patched")
def test_a_letter_that_cannot_be_put_stays(queues: Queues, monkeypatch: pytest.MonkeyPatch) -> None:
    letters = queues.new()
    queue = queues.new(letters)
    put(queue)
    assert receive(queue) == ["m"]

    def refuse(**_: Any) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as context:
        context.setattr(letters, "put", refuse)
        assert receive(queue) == []
    assert receive(queue) == []
    assert receive(letters) == ["m"]


@pytest.mark.parametrize("fifo", [False, True], ids=["standard", "fifo"])
def test_a_letter_of_a_standard_queue_is_as_old_as_its_message(
    patched: bool, queues: Queues, fifo: bool
) -> None:
    letters = queues.new(fifo=fifo)
    queue = queues.new(letters, fifo=fifo)
    put(queue)
    sent = time.time() - 3600
    message = queue.receive(1, visibility_timeout=0).successful[0]
    message.created = sent
    moved = queue.receive(1, visibility_timeout=0)
    for one in moved.dead_letter_messages:  # LocalStack's provider does this
        letters.put(one.message, None, one.message_deduplication_id, one.message_group_id)

    (letter,) = letters.receive(1).successful

    assert (letter.created == sent) == (patched and not fifo)
    assert (letter.priority == sent) == (patched and not fifo)
