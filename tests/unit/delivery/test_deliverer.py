"""A notification is tried as often as SNS tries, and has an end: delivered, dead letter, lost."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from trigger_stack.delivery.core.deliverer import (
    Deliverer,
    EndpointRefusesError,
    Notification,
    may_help,
    pause_after,
)
from trigger_stack.delivery.core.outcome import Outcome
from trigger_stack.delivery.core.placement import NotPlacedError

TOPIC = "arn:aws:sns:us-east-1:0:topic"
QUEUE = "arn:aws:sqs:us-east-1:0:queue"
DLQ = "arn:aws:sqs:us-east-1:0:dlq"


def refused(code: str, status: int) -> ClientError:
    response: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "SendMessage")


class World:
    """An endpoint that fails some times, and a dead-letter queue; pauses pass at once."""

    def __init__(self, *errors: Exception | None, dead_letter_fails: bool = False) -> None:
        self.errors = list(errors)
        self.dead_letter_fails = dead_letter_fails
        self.outcomes: list[Outcome] = []
        self.letters: list[str] = []
        self.pauses: list[float] = []
        self.delivered: list[bool] = []
        self.journal_is_there = True
        self.deliverer = Deliverer(self.record, self.pauses.append)
        self.deliverer.retries.add = self.wait  # type: ignore[method-assign]  # at once

    def record(self, outcome: Outcome) -> bool:
        if self.journal_is_there:
            self.outcomes.append(outcome)
        return self.journal_is_there

    def wait(self, notification: Notification, delay: float) -> None:
        self.pauses.append(delay)
        self.deliverer.attempt(notification)

    def send(self) -> None:
        error = self.errors.pop(0) if self.errors else None
        if error:
            raise error

    def dead_letter(self, error: str) -> None:
        if self.dead_letter_fails:
            raise refused("QueueDoesNotExist", 400)
        self.letters.append(error)

    def deliver(self, *, dead_letter: bool = True, in_order: bool = False) -> Notification:
        call: Callable[[str], None] | None = self.dead_letter if dead_letter else None
        one = Notification(
            kind="notification",
            source_arn=TOPIC,
            endpoint=QUEUE,
            body="body",
            send=self.send,
            dead_letter=call,
            dead_letter_arn=DLQ if dead_letter else "set its RedrivePolicy",
            ended=self.delivered.append,
            in_order=in_order,
        )
        self.deliverer.deliver(one)
        return one


def test_the_pauses_are_those_of_sns() -> None:
    """3 at once, 2 after a second, 10 with back-off from 1 to 20 s, 100 000 each 20 s: 23 days."""
    pauses = list(itertools.takewhile(lambda p: p is not None, map(pause_after, range(1, 200_000))))

    assert pauses[:5] == [0, 0, 0, 1, 1]
    assert pauses[5:15] == [1, 2, 4, 8, 16, 20, 20, 20, 20, 20]
    assert set(pauses[15:]) == {20}
    assert len(pauses) == 100_015
    assert sum(p or 0 for p in pauses) / 86400 == pytest.approx(23.15, abs=0.1)


def test_a_delivery_that_succeeds_is_not_recorded() -> None:
    world = World()

    assert world.deliver().attempts == 1
    assert world.delivered == [True]
    assert world.outcomes == []


def test_an_error_of_the_system_is_tried_again() -> None:
    errors = [refused("InternalError", 500)] * 5 + [EndpointConnectionError(endpoint_url="x")]
    world = World(*errors)

    assert world.deliver().attempts == 7
    assert world.pauses == [1, 1, 1]
    assert world.delivered == [True]
    assert [(one.state, one.attempts) for one in world.outcomes] == [
        ("pending", 4), ("pending", 5), ("pending", 6), ("done", 7),
    ]  # fmt: skip
    assert len({one.id for one in world.outcomes}) == 1, "one event"
    assert [one.due_at is None for one in world.outcomes] == [False, False, False, True]


@pytest.mark.parametrize(
    "error",
    [
        EndpointRefusesError("no function"),
        refused("AWS.SimpleQueueService.NonExistentQueue", 400),
        refused("AccessDenied", 403),
    ],
)
def test_an_endpoint_that_is_gone_is_not_tried_again(error: Exception) -> None:
    world = World(*[error] * 10)

    assert world.deliver().attempts == 1
    assert world.letters == [str(error)]
    assert world.delivered == [False]
    (outcome,) = world.outcomes
    assert (outcome.state, outcome.place) == ("dead-letter", DLQ)


def test_a_throttled_endpoint_is_tried_again() -> None:
    assert may_help(refused("TooManyRequestsException", 429))


def test_without_a_dead_letter_queue_the_message_is_lost_and_says_what_to_set() -> None:
    world = World(EndpointRefusesError("no function"))

    world.deliver(dead_letter=False)

    (outcome,) = world.outcomes
    assert outcome.state == "lost"
    assert "RedrivePolicy" in outcome.place
    assert outcome.payload == b"body"


def test_a_message_whose_dead_letter_queue_is_gone_is_lost() -> None:
    world = World(EndpointRefusesError("no function"), dead_letter_fails=True)

    world.deliver()

    (outcome,) = world.outcomes
    assert outcome.state == "lost"
    assert DLQ in outcome.place


def test_a_source_that_keeps_the_order_waits_with_the_next_message() -> None:
    world = World(*[refused("InternalError", 500)] * 6)
    world.deliverer.retries.add = lambda *_: pytest.fail("the next message would overtake")  # type: ignore[method-assign]  # see there

    world.deliver(in_order=True)

    assert world.pauses == [1, 1, 1]
    assert world.delivered == [True]


def under_way(world: World, first: Callable[[], object]) -> tuple[Notification, Callable[[], None]]:
    """A notification whose first try has begun, and what waits until it has a place."""
    one = Notification(
        kind="notification",
        source_arn=TOPIC,
        endpoint=QUEUE,
        body="body",
        send=world.send,
        dead_letter=world.dead_letter,
        dead_letter_arn=DLQ,
        ended=world.delivered.append,
    )
    return one, world.deliverer.begin(one, lambda: first)


def fail() -> None:
    raise OSError("the engine ended")


def test_a_try_that_is_under_way_and_succeeds_is_the_only_one() -> None:
    world = World(OSError("a second try"))
    one, wait = under_way(world, lambda: None)
    assert world.delivered == []

    wait()

    assert (world.delivered, one.attempts, world.outcomes) == ([True], 1, [])


def test_a_try_that_is_under_way_and_fails_is_followed_by_others_before_the_answer() -> None:
    world = World(OSError("again"))
    one, wait = under_way(world, fail)

    wait()

    assert (world.delivered, one.attempts, world.outcomes) == ([True], 3, [])


def test_a_try_that_cannot_begin_is_one_that_failed() -> None:
    world = World()
    one = under_way(world, lambda: None)[0]

    world.deliverer.begin(one, fail)()  # type: ignore[arg-type]  # it returns nothing, it raises

    assert (world.delivered, world.outcomes) == ([True], [])


def test_a_try_that_is_under_way_and_fails_has_an_end() -> None:
    world = World(refused("AccessDenied", 403))
    one, wait = under_way(world, fail)

    wait()

    assert (world.delivered, len(world.letters), one.attempts) == ([False], 1, 2)


def test_a_message_that_waits_for_its_next_try_has_a_place() -> None:
    world = World(*[refused("InternalError", 500)] * 4)
    world.deliverer.retries.add = lambda *_: None  # type: ignore[method-assign]  # not yet due
    _, wait = under_way(world, fail)

    wait()

    assert [one.state for one in world.outcomes] == ["pending"]


def test_a_message_that_only_memory_has_is_not_answered_for() -> None:
    """The engine, which keeps the journal, is away; the tries go on all the same."""
    world = World(*[refused("InternalError", 500)] * 3)
    waiting: list[Notification] = []
    world.deliverer.retries.add = lambda one, _: waiting.append(one)  # type: ignore[method-assign]  # not yet due
    world.journal_is_there = False
    _, wait = under_way(world, fail)

    with pytest.raises(NotPlacedError):
        wait()

    world.journal_is_there = True
    world.deliverer.attempt(waiting.pop())
    assert (world.delivered, [one.state for one in world.outcomes]) == ([True], ["done"])
