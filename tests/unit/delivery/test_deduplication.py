"""A topic takes a deduplication id once in five minutes."""

from __future__ import annotations

from trigger_stack.delivery.core.deduplication import Deduplication

T = "arn:aws:sns:us-east-1:000000000000:t.fifo"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_the_second_within_five_minutes_is_repeated() -> None:
    clock = Clock()
    topics = Deduplication(clock)

    assert not topics.is_repeated(T, "a")
    clock.now += 299
    assert topics.is_repeated(T, "a")
    assert not topics.is_repeated(T, "b")
    assert not topics.is_repeated(f"{T}2", "a"), "another topic"


def test_the_interval_counts_from_the_first() -> None:
    """One that was not delivered does not make it longer."""
    clock = Clock()
    topics = Deduplication(clock)
    topics.is_repeated(T, "a")
    clock.now += 200
    assert topics.is_repeated(T, "a")

    clock.now += 100

    assert not topics.is_repeated(T, "a")
    assert topics.is_repeated(T, "a")


def test_a_topic_that_is_made_again_is_another() -> None:
    clock = Clock()
    topics = Deduplication(clock)
    topics.is_repeated(T, "a")
    topics.is_repeated(f"{T}2", "a")

    topics.forget(T)

    assert not topics.is_repeated(T, "a")
    assert topics.is_repeated(f"{T}2", "a")
    clock.now += 301
    assert not topics.is_repeated(T, "a")


def test_what_is_old_takes_no_memory() -> None:
    clock = Clock()
    topics = Deduplication(clock)
    for number in range(100):
        topics.is_repeated(T, number)
    clock.now += 301

    topics.is_repeated(f"{T}2", "a")

    assert len(topics._order) == 1
    assert list(topics._seen) == [f"{T}2"]


def test_what_was_withdrawn_is_no_duplicate() -> None:
    topics = Deduplication(lambda: 0.0)
    assert not topics.is_repeated(T, "a")
    assert not topics.is_repeated(T, "b")

    topics.withdraw(T, "a")

    assert not topics.is_repeated(T, "a")
    assert topics.is_repeated(T, "b")
