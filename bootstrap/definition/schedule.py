"""Schedule expressions (Amazon EventBridge, "Setting a schedule pattern")."""

from __future__ import annotations

import re

_RATE = re.compile(r"rate\((\d+) (minutes?|hours?|days?)\)")
_CRON = re.compile(r"cron\(([^()]*)\)")
_CRON_FIELDS = 6


def schedule_problem(expression: str) -> str | None:
    """What EventBridge would refuse about a ``rate(…)`` or ``cron(…)`` expression, or None."""
    if rate := _RATE.fullmatch(expression):
        value, unit = int(rate[1]), rate[2]
        if value < 1:
            return "needs a rate of 1 or more"
        if (value == 1) == unit.endswith("s"):
            wanted = unit.rstrip("s") if value == 1 else f"{unit}s"
            return f"needs the unit “{wanted}” with {value}: rate({value} {wanted})"
        return None
    if expression.startswith("rate"):
        return "is not a rate: write rate(<number> minute|minutes|hour|hours|day|days)"
    cron = _CRON.fullmatch(expression)
    if not cron:
        return "must be rate(…) or cron(…)"
    fields = cron[1].split()
    if len(fields) != _CRON_FIELDS:
        return (
            f"has {len(fields)} fields; cron needs six: minutes hours day-of-month month "
            "day-of-week year"
        )
    if (fields[2] == "?") == (fields[4] == "?"):
        return "needs “?” in exactly one of day-of-month and day-of-week"
    return None
