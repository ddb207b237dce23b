"""How many batches of a mapping are in flight."""

from __future__ import annotations

import threading

import pytest

from trigger_stack.delivery.sqs.scaling import FIRST_BATCHES, MOST_BATCHES, Scaling


class Clock:
    """Seconds, moved by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def taken(scaling: Scaling) -> int:
    """How many batches may begin now."""
    number = 0
    while scaling.acquire(0):
        number += 1
    return number


@pytest.mark.parametrize(("maximum", "first"), [(None, FIRST_BATCHES), (2, 2), (100, 5)])
def test_it_begins_with_five_or_the_maximum(maximum: int | None, first: int) -> None:
    assert taken(Scaling(maximum, Clock())) == first


def test_it_grows_by_300_a_minute_while_all_are_in_flight() -> None:
    clock = Clock()
    scaling = Scaling(None, clock)
    assert taken(scaling) == 5

    clock.now = 1.0
    assert taken(scaling) == 5
    clock.now = 61.0
    assert taken(scaling) == 300


def test_an_idle_mapping_does_not_grow() -> None:
    clock = Clock()
    scaling = Scaling(None, clock)
    clock.now = 3600.0

    assert taken(scaling) == 5


@pytest.mark.parametrize(("maximum", "most"), [(None, MOST_BATCHES), (7, 7)])
def test_it_never_exceeds_the_maximum(maximum: int | None, most: int) -> None:
    clock = Clock()
    scaling = Scaling(maximum, clock)
    total = taken(scaling)
    for hour in range(1, 4):
        clock.now = 3600.0 * hour
        total += taken(scaling)

    assert total == most


def test_throttling_halves_it() -> None:
    clock = Clock()
    scaling = Scaling(8, clock)
    taken(scaling)
    clock.now = 10.0
    taken(scaling)
    for _ in range(8):
        scaling.release()
    assert scaling.acquire(0)

    scaling.throttled()
    scaling.release()

    assert taken(scaling) == 4


def test_throttling_never_stops_it() -> None:
    scaling = Scaling(2, Clock())
    for _ in range(20):
        assert scaling.acquire(0)
        scaling.throttled()
        scaling.release()

    assert taken(scaling) == 1


def test_a_batch_that_ends_wakes_the_next() -> None:
    scaling = Scaling(2, Clock())
    taken(scaling)
    threading.Timer(0.05, scaling.release).start()

    assert scaling.acquire(10)
