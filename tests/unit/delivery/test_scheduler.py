"""The scheduler, with a clock that is moved."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.waiting import eventually
from trigger_stack.delivery.schedules.expression import ExpressionError
from trigger_stack.delivery.schedules.scheduler import Clock, Scheduler, Terms

START = datetime(2026, 1, 1, 10, 0, 30, tzinfo=UTC)


class World:
    """A scheduler whose machine stands still."""

    def __init__(self) -> None:
        self.real = START.timestamp()
        self.fired: list[tuple[str, str]] = []
        self.failing = ""
        self.chance = 0.0
        self.scheduler = Scheduler(self.fire, Clock(lambda: self.real), lambda: self.chance)

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


# --- EventBridge Scheduler


def test_a_one_time_schedule_fires_once(world: World) -> None:
    world.scheduler.put("once", "at(2026-01-01T12:00:00)", Terms("Europe/Berlin"))

    world.forward(minutes=59)
    assert world.fired == []
    world.forward(days=400)

    assert world.fired == [("once", "11:00:00")]
    assert not world.scheduler.waits("once")


def test_a_one_time_schedule_in_the_past_never_fires(world: World) -> None:
    world.scheduler.put("past", "at(2026-01-01T10:00:29)", Terms())

    assert not world.scheduler.waits("past")


def test_a_one_time_schedule_has_no_start_and_end_date(world: World) -> None:
    terms = Terms(start=START + timedelta(days=9), end=START)
    world.scheduler.put("once", "at(2026-01-01T10:01:00)", terms)

    world.forward(minutes=1)

    assert world.fired == [("once", "10:01:00")]


def test_a_rate_of_the_scheduler_fires_at_once(world: World) -> None:
    world.scheduler.put("rate", "rate(1 minute)", Terms())
    eventually(lambda: world.fired)

    world.forward(minutes=2)

    assert [time for _, time in world.fired] == ["10:00:30", "10:01:30", "10:02:30"]


def test_start_and_end_date_of_a_recurring_schedule(world: World) -> None:
    terms = Terms(start=START + timedelta(minutes=10), end=START + timedelta(minutes=12))
    world.scheduler.put("rate", "rate(1 minute)", terms)
    world.scheduler.put("cron", "cron(* * * * ? *)", terms)

    world.forward(hours=1)

    assert world.fired == [
        ("rate", "10:10:30"),
        ("cron", "10:11:00"),
        ("rate", "10:11:30"),
        ("cron", "10:12:00"),
    ]
    assert world.scheduler.due_times() == {}


@pytest.mark.parametrize(("chance", "seconds"), [(0.0, 30), (0.5, 330), (1.0, 630)])
def test_a_flexible_window_is_never_left(world: World, chance: float, seconds: int) -> None:
    """Due at 10:01:00, within ten minutes: from 30 to 630 seconds from now."""
    world.chance = chance
    world.scheduler.put("flexible", "at(2026-01-01T10:01:00)", Terms(window=timedelta(minutes=10)))

    world.forward(seconds=seconds - 1)
    assert world.fired == []
    world.forward(seconds=1)

    assert world.fired == [("flexible", "10:01:00")], "the scheduled time is not the window's"


def test_a_window_longer_than_the_period_leaves_nothing_out(world: World) -> None:
    world.chance = 1.0
    terms = Terms(start=START, window=timedelta(minutes=5))
    world.scheduler.put("rate", "rate(1 minute)", terms)

    world.forward(minutes=7)

    assert [time for _, time in world.fired] == ["10:00:30", "10:01:30", "10:02:30"]


def test_other_terms_count_anew(world: World) -> None:
    world.scheduler.put("cron", "cron(0 12 * * ? *)", Terms("Europe/Berlin"))
    world.scheduler.put("cron", "cron(0 12 * * ? *)", Terms("America/New_York"))

    assert world.scheduler.due_times() == {"cron": datetime(2026, 1, 1, 17, tzinfo=UTC)}


def test_the_real_clock_again_does_not_repeat_what_has_fired(world: World) -> None:
    world.scheduler.put("once", "at(2026-01-01T12:00:00)", Terms())
    start = START + timedelta(hours=1)
    world.scheduler.put("later", "rate(1 hour)", Terms(start=start))
    world.forward(hours=3)
    assert len(world.fired) == 4

    world.scheduler.move_to(None)

    assert world.scheduler.due_times() == {"later": start}
