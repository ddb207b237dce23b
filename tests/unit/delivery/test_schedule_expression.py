"""Schedule expressions: what they mean, and what AWS refuses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trigger_stack.delivery.schedules.expression import (
    Cron,
    ExpressionError,
    TimezoneError,
    parse,
    parse_in_zone,
)

ANCHOR = datetime(2026, 3, 1, 10, 7, 30, tzinfo=UTC)


def times(expression: str, after: str, count: int = 3) -> list[str]:
    """The next times after a moment."""
    moment = datetime.fromisoformat(after).replace(tzinfo=UTC)
    schedule, found = parse(expression), []
    for _ in range(count):
        due = schedule.next_after(moment, ANCHOR)
        if due is None:
            break
        found.append(f"{due:%Y-%m-%d %H:%M:%S}")
        moment = due
    return found


@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        (
            "cron(0 10 * * ? *)",
            "2026-01-01 09:59:59",
            ["2026-01-01 10:00:00", "2026-01-02 10:00:00"],
        ),
        ("cron(0 10 * * ? *)", "2026-01-01 10:00:00", ["2026-01-02 10:00:00"]),
        ("cron(15 12 * * ? *)", "2026-01-01 10:00:00", ["2026-01-01 12:15:00"]),
        (
            "cron(0 18 ? * MON-FRI *)",
            "2026-01-02 18:00:00",  # a Friday
            ["2026-01-05 18:00:00", "2026-01-06 18:00:00"],
        ),
        (
            "cron(0/10 * ? * MON-FRI *)",
            "2026-01-02 23:45:00",
            ["2026-01-02 23:50:00", "2026-01-05 00:00:00"],
        ),
        (
            "cron(0 8 1 * ? *)",
            "2026-01-01 08:00:00",
            ["2026-02-01 08:00:00", "2026-03-01 08:00:00"],
        ),
        (
            "cron(0/5 8-17 ? * MON-FRI *)",
            "2026-01-02 17:50:00",
            ["2026-01-02 17:55:00", "2026-01-05 08:00:00"],
        ),
        (
            "cron(0 9 ? * 2#1 *)",
            "2026-01-01 00:00:00",
            ["2026-01-05 09:00:00", "2026-02-02 09:00:00"],
        ),
        (
            "cron(0 0 L * ? *)",
            "2026-02-01 00:00:00",
            ["2026-02-28 00:00:00", "2026-03-31 00:00:00"],
        ),
        ("cron(0 0 L * ? *)", "2028-02-01 00:00:00", ["2028-02-29 00:00:00"]),
        (
            "cron(0 0 ? * 6L *)",
            "2026-01-01 00:00:00",
            ["2026-01-30 00:00:00", "2026-02-27 00:00:00"],
        ),
        (
            "cron(0 0 ? * L *)",
            "2026-01-01 00:00:00",
            ["2026-01-03 00:00:00", "2026-01-10 00:00:00"],
        ),
        (
            "cron(0 0 15W * ? *)",
            "2026-02-01 00:00:00",
            ["2026-02-16 00:00:00", "2026-03-16 00:00:00"],
        ),
        ("cron(0 0 1W * ? *)", "2026-07-31 00:00:00", ["2026-08-03 00:00:00"]),
        (
            "cron(0 0 31W * ? *)",
            "2026-05-01 00:00:00",
            ["2026-05-29 00:00:00", "2026-07-31 00:00:00"],
        ),
        ("cron(0 0 LW * ? *)", "2026-05-01 00:00:00", ["2026-05-29 00:00:00"]),
        (
            "cron(0 0 29 2 ? *)",
            "2026-01-01 00:00:00",
            ["2028-02-29 00:00:00", "2032-02-29 00:00:00"],
        ),
        ("cron(0 0 1 JAN,JUL ? 2027-2028)", "2026-01-01 00:00:00", ["2027-01-01 00:00:00"]),
        ("cron(0 0 1 1 ? 2020)", "2026-01-01 00:00:00", []),
        ("cron(0 0 31 2 ? 2026-2027)", "2026-01-01 00:00:00", []),
        ("cron(0 0 ? * SUN *)", "2026-01-03 00:00:00", ["2026-01-04 00:00:00"]),
        ("cron(0 0 ? * 1 *)", "2026-01-03 00:00:00", ["2026-01-04 00:00:00"]),
        # Seconds of the anchor count: a rate begins when the rule does.
        ("rate(1 minute)", "2026-03-01 10:07:31", ["2026-03-01 10:08:30", "2026-03-01 10:09:30"]),
        ("rate(5 minutes)", "2026-03-01 10:07:30", ["2026-03-01 10:12:30", "2026-03-01 10:17:30"]),
        ("rate(1 hour)", "2026-03-01 12:00:00", ["2026-03-01 12:07:30"]),
        ("rate(7 days)", "2026-03-01 10:07:30", ["2026-03-08 10:07:30"]),
    ],
)
def test_the_next_times(expression: str, after: str, expected: list[str]) -> None:
    assert times(expression, after, max(len(expected), 1))[: len(expected) or None] == expected


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "rate(0 minutes)",
        "rate(1 minutes)",
        "rate(5 minute)",
        "rate(5)",
        "rate(5 seconds)",
        "rate(-5 minutes)",
        "rate(1.5 hours)",
        "rate(99999999999999999999 minutes)",
        "cron()",
        "cron(0 10 * * *)",
        "cron(0 10 * * ? * *)",
        "cron(0 10 * * * *)",
        "cron(0 10 ? * ? *)",
        "cron(0 10 1 * MON *)",
        "cron(60 10 * * ? *)",
        "cron(0 24 * * ? *)",
        "cron(0 10 0 * ? *)",
        "cron(0 10 32 * ? *)",
        "cron(0 10 ? * 0 *)",
        "cron(0 10 ? * 8 *)",
        "cron(0 10 ? * MON#6 *)",
        "cron(0 10 ? * XYZ *)",
        "cron(0 10 * 13 ? *)",
        "cron(0 10 * FOO ? *)",
        "cron(0 10 * * ? 1969)",
        "cron(0 10 * * ? 2200)",
        "cron(30-10 10 * * ? *)",
        "cron(0/0 10 * * ? *)",
        "cron(* * * * ? */)",
        "cron(٣ 10 * * ? *)",
        "at(2026-01-01T00:00:00)",
        "every minute",
    ],
)
def test_what_aws_refuses(expression: str) -> None:
    with pytest.raises(ExpressionError):
        parse(expression)


@given(
    minutes=st.sampled_from(["*", "0", "7", "0/15", "3-40/9", "1,30,59"]),
    hours=st.sampled_from(["*", "0", "23", "0/6", "9-17"]),
    days=st.sampled_from(
        ["* * ?", "L * ?", "1 * ?", "31 * ?", "15W * ?", "? * MON", "? * 3#5", "? 2 5L"]
    ),
    start=st.datetimes(datetime(2024, 1, 1), datetime(2029, 12, 31)),
)
def test_no_time_is_left_out_and_none_invented(
    minutes: str, hours: str, days: str, start: datetime
) -> None:
    """Every minute between a moment and the next time is checked against the fields."""
    schedule = parse(f"cron({minutes} {hours} {days} *)")
    assert isinstance(schedule, Cron)
    moment = start.replace(tzinfo=UTC)
    due = schedule.next_after(moment, moment)
    assert due is not None
    assert (due.second, due.microsecond) == (0, 0)
    assert due > moment

    def matches(one: datetime) -> bool:
        return (
            one.minute in schedule.minutes
            and one.hour in schedule.hours
            and one.month in schedule.months
            and schedule.days(one.date())
        )

    assert matches(due)
    probe = moment.replace(second=0, microsecond=0) + timedelta(minutes=1)
    last = min(due, probe + timedelta(days=2))
    while probe < last:
        assert not matches(probe), probe
        probe += timedelta(minutes=1)


@given(st.text(max_size=40))
def test_no_text_is_an_exception_of_another_kind(text: str) -> None:
    for expression in (text, f"cron({text})", f"rate({text})"):
        try:
            parse(expression)
        except ExpressionError:
            continue


# --- EventBridge Scheduler: time zones, one-time schedules


def times_in(zone: str, expression: str, after: str, count: int) -> list[str]:
    """The next times after a moment, in UTC."""
    moment = datetime.fromisoformat(after).replace(tzinfo=UTC)
    schedule, found = parse_in_zone(expression, zone), list[str]()
    for _ in range(count):
        due = schedule.next_after(moment, ANCHOR)
        if due is None:
            break
        found.append(f"{due:%Y-%m-%d %H:%M}")
        moment = due
    return found


@pytest.mark.parametrize(
    ("zone", "expression", "after", "expected"),
    [
        # Berlin: 2026-03-29 02:00 becomes 03:00, 2026-10-25 03:00 becomes 02:00.
        (
            "Europe/Berlin",
            "cron(0 9 * * ? *)",
            "2026-03-28 00:00",
            ["2026-03-28 08:00", "2026-03-29 07:00", "2026-03-30 07:00"],
        ),
        (
            "Europe/Berlin",
            "cron(30 2 * * ? *)",
            "2026-03-27 12:00",
            ["2026-03-28 01:30", "2026-03-30 00:30"],  # there is no 02:30 on the 29th
        ),
        (
            "Europe/Berlin",
            "cron(30 2 * * ? *)",
            "2026-10-23 12:00",
            ["2026-10-24 00:30", "2026-10-25 00:30", "2026-10-26 01:30"],  # once on the 25th
        ),
        (
            "Europe/Berlin",
            "cron(0/30 2 * * ? *)",
            "2026-10-25 01:10",  # 02:10, for the second time
            ["2026-10-26 01:00", "2026-10-26 01:30"],
        ),
        # New York: 2026-03-08 02:00 becomes 03:00, 2026-11-01 02:00 becomes 01:00.
        (
            "America/New_York",
            "cron(15 2 ? * SUN *)",
            "2026-03-01 12:00",
            ["2026-03-15 06:15"],  # there is no 02:15 on the 8th
        ),
        (
            "America/New_York",
            "cron(15 1 ? * SUN *)",
            "2026-10-26 12:00",
            ["2026-11-01 05:15", "2026-11-08 06:15"],
        ),
        ("America/New_York", "cron(0 12 1 * ? *)", "2026-02-28 23:00", ["2026-03-01 17:00"]),
        # A day's begin and end are those of the zone.
        ("Pacific/Auckland", "cron(0 0 29 2 ? *)", "2026-01-01 00:00", ["2028-02-28 11:00"]),
        ("Asia/Kolkata", "cron(59 23 L * ? *)", "2026-02-01 00:00", ["2026-02-28 18:29"]),
        ("Europe/Berlin", "at(2026-07-01T12:00:00)", "2026-01-01 00:00", ["2026-07-01 10:00"]),
        ("UTC", "at(2026-07-01T12:00:00)", "2026-07-01 12:00", []),
        ("Europe/Berlin", "at(2026-10-25T02:30:00)", "2026-01-01 00:00", ["2026-10-25 00:30"]),
        # A one-time schedule is not left out: 02:30 of the old offset is 03:30.
        ("Europe/Berlin", "at(2026-03-29T02:30:00)", "2026-01-01 00:00", ["2026-03-29 01:30"]),
        # A rate is a duration: 24 hours, whatever the clocks show.
        ("Europe/Berlin", "rate(1 day)", "2026-03-28 12:00", ["2026-03-29 10:07"]),
    ],
)
def test_the_next_times_in_a_time_zone(
    zone: str, expression: str, after: str, expected: list[str]
) -> None:
    assert times_in(zone, expression, after, max(len(expected), 1))[: len(expected) or None] == (
        expected
    )


def test_minutes_of_a_repeated_hour_count_once() -> None:
    found = times_in("Europe/Berlin", "cron(0/20 * * * ? *)", "2026-10-24 23:59", 8)

    assert [time[11:] for time in found] == [
        *("00:00", "00:20", "00:40"),  # 02:00 to 02:40, and not again an hour later
        *("02:00", "02:20", "02:40", "03:00", "03:20"),
    ]


def test_a_rate_of_the_scheduler_begins_with_its_anchor() -> None:
    rate = parse_in_zone("rate(5 minutes)", "UTC")

    assert rate.first(ANCHOR, ANCHOR) == ANCHOR
    assert rate.first(ANCHOR + timedelta(seconds=1), ANCHOR) == ANCHOR + timedelta(minutes=5)
    assert rate.next_after(ANCHOR, ANCHOR) == ANCHOR + timedelta(minutes=5)


def test_a_rate_beyond_the_last_year_never_comes() -> None:
    assert parse("rate(999999999 minutes)").next_after(ANCHOR, ANCHOR) is not None
    assert parse("rate(999999999 days)").next_after(ANCHOR, ANCHOR) is None


@pytest.mark.parametrize("expression", ["rate(1 minutes)", "rate(5 minute)"])
def test_the_scheduler_takes_any_form_of_the_unit(expression: str) -> None:
    parse_in_zone(expression, "UTC")


@pytest.mark.parametrize(
    "expression",
    [
        "at(2026-02-30T00:00:00)",
        "at(2026-01-01T24:00:00)",
        "at(2026-01-01 00:00:00)",
        "at(2026-01-01T00:00)",
        "at(2026-01-01T00:00:00Z)",
        "at(0000-01-01T00:00:00)",
        "at()",
        "rate(0 minutes)",
        " rate(5 minutes)",
        "cron(0 25 * * ? *)",
        "every day",
    ],
)
def test_what_the_scheduler_refuses(expression: str) -> None:
    with pytest.raises(ExpressionError):
        parse_in_zone(expression, "UTC")


@pytest.mark.parametrize("zone", ["", "Mars/Base", "Europe", "../etc/passwd", "/etc", "a\0b"])
def test_a_time_zone_that_is_none(zone: str) -> None:
    with pytest.raises(TimezoneError):
        parse_in_zone("rate(1 day)", zone)


@given(
    zone=st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
    start=st.datetimes(datetime(2024, 1, 1), datetime(2029, 12, 31)),
    fields=st.sampled_from(["0/30 * * * ?", "30 2 * * ?", "15 1 ? * SUN", "0 0 L * ?"]),
)
def test_in_a_time_zone_each_local_time_comes_once(zone: str, start: datetime, fields: str) -> None:
    schedule = parse_in_zone(f"cron({fields} *)", zone)
    assert isinstance(schedule, Cron)
    moment = start.replace(tzinfo=UTC)
    seen = []
    for _ in range(60):
        due = schedule.next_after(moment, moment)
        assert due is not None
        assert due > moment
        seen.append(due.astimezone(schedule.zone).replace(tzinfo=None))
        moment = due

    assert len(set(seen)) == len(seen)
    assert seen == sorted(seen)
    assert all(one.hour in schedule.hours and schedule.days(one.date()) for one in seen)
