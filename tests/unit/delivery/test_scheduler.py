"""The scheduler, with a clock that is moved."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.waiting import eventually
from trigger_stack.delivery.schedules.expression import ExpressionError
from trigger_stack.delivery.schedules.scheduler import Clock, Scheduler

START = datetime(2026, 1, 1, 10, 0, 30, tzinfo=UTC)


class World:
    """A scheduler whose machine stands still."""

    def __init__(self) -> None:
        self.real = START.timestamp()
        self.fired: list[tuple[str, str]] = []
        self.failing = ""
        self.scheduler = Scheduler(self.fire, Clock(lambda: self.real))

    def fire(self, key: str, due: datetime) -> None:
        if key == self.failing:
            raise RuntimeError("no target")
        self.fired.append((key, f"{due:%H:%M:%S}"))

    def forward(self, **delta: float) -> None:
        self.scheduler.move_to(self.scheduler.clock.now() + timedelta(**delta))


@pytest.fixture
def world() -> Iterator[World]:
    return World()  # type: ignore[return-value]  # pytest takes it as it is


def test_everything_due_in_between_fires_in_order_once(world: World) -> None:
    world.scheduler.put("rate", "rate(2 minutes)")
    world.scheduler.put("cron", "cron(* * * * ? *)")

    world.forward(minutes=5)

    eventually(lambda: len(world.fired) == 7)
    assert world.fired == [
        ("cron", "10:01:00"),
        ("cron", "10:02:00"),
        ("rate", "10:02:30"),
        ("cron", "10:03:00"),
        ("cron", "10:04:00"),
        ("rate", "10:04:30"),
        ("cron", "10:05:00"),
    ]


def test_a_rate_counts_from_when_it_was_enabled(world: World) -> None:
    world.forward(seconds=15)
    world.scheduler.put("rate", "rate(1 hour)")

    assert world.scheduler.due_times() == {"rate": START + timedelta(hours=1, seconds=15)}


def test_the_same_expression_again_changes_nothing(world: World) -> None:
    world.scheduler.put("rate", "rate(1 hour)")
    world.forward(minutes=30)
    world.scheduler.put("rate", "rate(1 hour)")

    assert world.scheduler.due_times() == {"rate": START + timedelta(hours=1)}


def test_another_expression_counts_anew(world: World) -> None:
    world.scheduler.put("rate", "rate(1 hour)")
    world.forward(minutes=30)
    world.scheduler.put("rate", "rate(2 hours)")

    assert world.scheduler.due_times() == {"rate": START + timedelta(hours=2, minutes=30)}
    world.forward(hours=1)
    assert world.fired == []


def test_what_is_disabled_does_not_fire(world: World) -> None:
    world.scheduler.put("off", "rate(1 minute)")
    world.scheduler.put("on", "rate(1 minute)")
    world.scheduler.remove("off")

    world.forward(minutes=2)

    eventually(lambda: len(world.fired) == 2)
    assert {key for key, _ in world.fired} == {"on"}


def test_one_that_fails_does_not_stop_the_others(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.failing = "bad"
    world.scheduler.put("bad", "rate(1 minute)")
    world.scheduler.put("good", "rate(1 minute)")

    world.forward(minutes=2)

    eventually(lambda: [key for key, _ in world.fired] == ["good", "good"])
    assert "EVENT LOST: schedule bad" in caplog.text


def test_a_schedule_in_the_past_never_fires(world: World) -> None:
    world.scheduler.put("past", "cron(0 0 1 1 ? 2020)")

    assert world.scheduler.due_times() == {}


def test_the_clock_goes_forward_only(world: World) -> None:
    with pytest.raises(ValueError, match="before the present time"):
        world.scheduler.move_to(START - timedelta(seconds=1))


def test_the_real_clock_again(world: World) -> None:
    world.scheduler.put("rate", "rate(1 hour)")
    world.forward(hours=3)
    eventually(lambda: len(world.fired) == 3)

    world.scheduler.move_to(None)

    assert world.scheduler.clock.now() == START
    assert world.scheduler.due_times() == {"rate": START + timedelta(hours=1)}


def test_after_a_long_sleep_of_the_machine_one_time_counts(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """The machine slept for a day: 1440 events at once would be no help."""
    with caplog.at_level(logging.WARNING):
        world.scheduler.put("cron", "cron(* * * * ? *)")
        world.real += 86_400
        world.scheduler.put("wake", "rate(1 day)")  # as any change does, or a minute that passes
        eventually(lambda: world.fired)

    assert world.fired == [("cron", "10:01:00")]
    assert "times until 2026-01-02T10:00:30+00:00 are left out" in caplog.text


def test_a_wrong_expression_is_refused(world: World) -> None:
    with pytest.raises(ExpressionError):
        world.scheduler.put("wrong", "rate(0 minutes)")


def test_it_fires_by_the_machines_clock() -> None:
    fired = threading.Event()
    moments: list[tuple[datetime, datetime]] = []

    def fire(key: str, due: datetime) -> None:
        moments.append((due, datetime.now(UTC)))
        fired.set()

    scheduler = Scheduler(fire)
    offset = 60 - datetime.now(UTC).timestamp() % 60 - 1  # a second before the minute
    scheduler.clock.offset = timedelta(seconds=offset)
    scheduler.put("minute", "cron(* * * * ? *)")

    assert fired.wait(10)
    due, now = moments[0]
    assert due.second == 0
    assert now + scheduler.clock.offset >= due
