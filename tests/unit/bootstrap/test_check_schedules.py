"""When a schedule is over, and which time zones there are."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from conftest import FUNCTION, Project

from bootstrap.checks import streams
from bootstrap.checks.sources import Sources
from bootstrap.checks.streams import known_time_zone, never_again
from bootstrap.checks.view import View
from bootstrap.template import Resource

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "over"),
    [
        ("rate(1 hour)", False),
        ("cron(0 12 * * ? *)", False),
        ("cron(0 12 * * ? 2025)", True),
        ("cron(0 12 * * ? 2020-2025)", True),
        ("cron(0 12 * * ? 2020,2027)", False),
        ("cron(0 12 * * ? 2020/2)", False),
        ("cron(0 12 * 5 ? 2026)", True),
        ("cron(0 12 * 1-5 ? 2026)", True),
        ("cron(0 12 * MAY ? 2026)", True),
        ("cron(0 12 * 6 ? 2026)", False),
        ("cron(0 12 * JAN-DEC ? 2026)", False),
        ("cron(0 12 31 4 ? *)", True),
        ("cron(0 12 31 4,5 ? *)", False),
        ("cron(0 12 29 FEB ? *)", False),
        ("at(2026-06-13T11:59:59)", True),
        ("at(2026-06-15T11:59)", False),  # in a zone to the west it may still be due
        ("at(2026-13-99T11:59)", False),  # no time: another rule's
        ("cron(x y z)", False),
        ("cron(0 0 99999 99999 ? 99999)", False),
        ("cron(0 0 - - ? -)", False),
        ("", False),
    ],
)
def test_a_schedule_is_over(expression: str, over: bool) -> None:
    assert never_again(expression, NOW) is over


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", "America/New_York"])
def test_time_zones_that_there_are(name: str) -> None:
    assert known_time_zone(name)


@pytest.mark.parametrize(
    "name", ["Europe/Bonn", "", "../../etc/passwd", "/etc/passwd", "a\0b", "."]
)
def test_time_zones_that_there_are_not(name: str) -> None:
    assert not known_time_zone(name)


def test_an_unknown_time_zone_of_a_schedule_is_an_error(project: Project) -> None:
    template = project.compile(FUNCTION)
    schedules = {
        name: Resource(
            name,
            "AWS::Scheduler::Schedule",
            {"ScheduleExpression": "rate(1 hour)", "ScheduleExpressionTimezone": zone},
            ("functions", "greet"),
        )
        for name, zone in (("Good", "Europe/Berlin"), ("Bad", "Europe/Bonn"))
    }

    assert streams.unknown_time_zone.find
    (hit,) = streams.unknown_time_zone.find(
        View(template, schedules, Sources(template.document.root))
    )

    assert hit.what == "There is no time zone “Europe/Bonn”."
