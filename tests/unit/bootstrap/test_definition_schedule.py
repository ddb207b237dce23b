"""Schedule expressions, as EventBridge takes and refuses them."""

from __future__ import annotations

import pytest

from bootstrap.definition.schedule import schedule_problem


@pytest.mark.parametrize(
    "expression",
    [
        "rate(1 minute)",
        "rate(5 minutes)",
        "rate(1 hour)",
        "rate(24 hours)",
        "rate(1 day)",
        "rate(7 days)",
        # The examples of Amazon EventBridge, "Cron expressions"
        "cron(0 10 * * ? *)",
        "cron(15 12 * * ? *)",
        "cron(0 18 ? * MON-FRI *)",
        "cron(0 8 1 * ? *)",
        "cron(0/10 * ? * MON-FRI *)",
        "cron(0/5 8-17 ? * MON-FRI *)",
        "cron(0 9 ? * 2#1 *)",
        "cron(0 12 L * ? *)",
        "cron(0 12 3W * ? *)",
        "cron(0 12 ? JAN,jul 6L 2026-2030)",
        "cron(0  12  1,15  *  ?  *)",
        "cron(*/15 * * * ? *)",
    ],
)
def test_accepted(expression: str) -> None:
    assert schedule_problem(expression) is None


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("rate(0 minutes)", "needs a rate of 1 or more"),
        ("rate(1 minutes)", "rate(1 minute)"),
        ("rate(5 minute)", "rate(5 minutes)"),
        ("rate(1 hours)", "rate(1 hour)"),
        ("rate(2 day)", "rate(2 days)"),
        ("rate(5minutes)", "is not a rate"),
        ("rate(-1 minutes)", "is not a rate"),
        ("rate(1.5 hours)", "is not a rate"),
        ("rate(30 seconds)", "is not a rate"),
        ("rate(1 hour) ", "is not a rate"),
        ("rate(\u0663 hours)", "is not a rate"),
        ("rate 5 minutes", "is not a rate"),
        ("every hour", "must be rate(…) or cron(…)"),
        ("", "must be rate(…) or cron(…)"),
        ("at(2026-01-01T00:00:00)", "must be rate(…) or cron(…)"),
        ("0 12 * * ? *", "must be rate(…) or cron(…)"),
        ("cron(0 12 * * ?)", "has 5 fields; cron needs six"),
        ("cron(0 12 * * * ? *)", "has 7 fields; cron needs six"),
        ("cron()", "has 0 fields"),
        ("cron(0 12 * * * *)", "“?” in exactly one of day-of-month and day-of-week"),
        ("cron(0 12 ? * ? *)", "“?” in exactly one of day-of-month and day-of-week"),
        ("cron(60 12 * * ? *)", "cannot have “60” as minutes (from 0 to 59)"),
        ("cron(0 24 * * ? *)", "cannot have “24” as hours"),
        ("cron(0 0 32 * ? *)", "cannot have “32” as day-of-month"),
        ("cron(0 0 0 * ? *)", "cannot have “0” as day-of-month"),
        ("cron(0 0 40W * ? *)", "cannot have “40W” as day-of-month"),
        ("cron(0 0 1 13 ? *)", "cannot have “13” as month"),
        ("cron(0 0 1 JANUARY ? *)", "cannot have “JANUARY” as month"),
        ("cron(0 0 ? * 8 *)", "cannot have “8” as day-of-week"),
        ("cron(0 0 ? * MON#6 *)", "cannot have “MON#6” as day-of-week"),
        ("cron(0 0 1 * ? 1969)", "cannot have “1969” as year"),
        ("cron(0/0 0 1 * ? *)", "cannot have “0/0” as minutes"),
        ("cron(0,,1 0 1 * ? *)", "cannot have “” as minutes"),
        ("cron(? 0 1 * ? *)", "cannot have “?” as minutes"),
        ("cron(1- 0 1 * ? *)", "cannot have “1-” as minutes"),
    ],
)
def test_refused(expression: str, said: str) -> None:
    assert said in (schedule_problem(expression) or "accepted")


def test_a_number_without_end_is_no_denial_of_service() -> None:
    assert schedule_problem(f"rate({'9' * 10_000} days)") is None
