"""Schedule expressions: what they mean, and what AWS refuses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trigger_stack.delivery.schedules.expression import Cron, ExpressionError, parse

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
