"""A sender is answered when its event has a place: with its endpoint, or in the journal."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from trigger_stack.delivery.core.placement import NotPlacedError, Placement, begun


class Told:
    """A journal that is there or not."""

    def __init__(self, *, is_there: bool = True) -> None:
        self.is_there = is_there
        self.states: list[str] = []

    def __call__(self, state: str) -> bool:
        self.states.append(state)
        return self.is_there


def ensure(placement: Placement, told: Told) -> None:
    placement.ensure(lambda: told("pending"))


def test_an_event_that_is_delivered_is_not_recorded() -> None:
    placement, told = Placement(patience_s=60), Told()

    placement.delivered(lambda: told("done"))
    ensure(placement, told)

    assert told.states == []


def test_a_sender_waits_for_a_delivery_that_is_under_way() -> None:
    placement, told = Placement(patience_s=60), Told()
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(ensure, placement, told)
        assert not waiting.done()
        placement.delivered(lambda: told("done"))
        waiting.result(timeout=10)

    assert told.states == []


def test_what_takes_long_is_recorded_and_so_is_its_end() -> None:
    placement, told = Placement(patience_s=0), Told()

    ensure(placement, told)
    placement.delivered(lambda: told("done"))

    assert told.states == ["pending", "done"]


def test_what_waits_for_its_next_try_has_a_place() -> None:
    placement, told = Placement(patience_s=60), Told()

    placement.record(lambda: told("pending, due in a second"))
    ensure(placement, told)
    placement.delivered(lambda: told("done"))

    assert told.states == ["pending, due in a second", "done"]


@pytest.mark.parametrize("is_recorded_before", [True, False])
def test_without_a_journal_there_is_no_place(is_recorded_before: bool) -> None:
    placement, told = Placement(patience_s=0), Told(is_there=False)
    if is_recorded_before:
        placement.record(lambda: told("pending"))

    with pytest.raises(NotPlacedError):
        ensure(placement, told)

    told.is_there = True
    placement.delivered(lambda: told("done"))
    assert told.states[-1] == "done", "it was told of it, if in vain: its end is recorded"


def test_an_end_that_comes_while_the_journal_is_told_is_recorded_after_it() -> None:
    placement, told = Placement(patience_s=0), Told()
    begins, may_end = threading.Event(), threading.Event()

    def slowly() -> bool:
        begins.set()
        may_end.wait(10)
        return told("pending")

    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(placement.ensure, slowly)
        assert begins.wait(10)
        ending = pool.submit(placement.delivered, lambda: told("done"))
        may_end.set()
        waiting.result(10)
        ending.result(10)

    assert told.states == ["pending", "done"]


def test_what_cannot_begin_fails_when_its_end_is_waited_for() -> None:
    def begin() -> None:
        raise OSError("no engine")

    with pytest.raises(OSError, match="no engine"):
        begun(begin)()  # type: ignore[arg-type]  # it returns nothing, it raises
