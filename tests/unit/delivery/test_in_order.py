"""Work of one key is done in its order; keys do not wait for each other."""

from __future__ import annotations

import threading

import pytest

from tests.support.waiting import eventually
from trigger_stack.delivery.core.in_order import InOrder


def test_work_of_one_key_is_done_in_its_order() -> None:
    work, done = InOrder("work"), []
    for number in range(500):
        work.submit("a", lambda one=number: done.append(one))

    eventually(lambda: len(done) == 500)
    assert done == list(range(500))


def test_a_key_that_is_busy_delays_no_other() -> None:
    work, goes_on, done = InOrder("work"), threading.Event(), []
    work.submit("a", lambda: goes_on.wait(10))
    work.submit("a", lambda: done.append("a"))
    work.submit("b", lambda: done.append("b"))

    eventually(lambda: done == ["b"])
    goes_on.set()
    eventually(lambda: done == ["b", "a"])


def test_work_that_fails_does_not_end_what_follows(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise ValueError("broken")

    work, done = InOrder("work"), []
    work.submit("a", fail)
    work.submit("a", lambda: done.append("next"))

    eventually(lambda: done == ["next"])
    assert "broken" in caplog.text


def test_a_key_without_work_has_no_thread() -> None:
    work, name = InOrder("ends"), "ends"
    work.submit("a", lambda: None)

    eventually(lambda: name not in [one.name for one in threading.enumerate()])
    assert not work._waiting
