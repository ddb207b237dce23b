"""Schedule expressions (Amazon EventBridge, "Setting a schedule pattern")."""

from __future__ import annotations

import re
from dataclasses import dataclass

_RATE = re.compile(r"rate\(([0-9]+) (minutes?|hours?|days?)\)")
_CRON = re.compile(r"cron\(([^()]*)\)")


@dataclass(frozen=True)
class _Field:
    """One field of a cron expression: its range, its names, and marks that only it takes."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    special: str = r"(?!)"

    def problem(self, text: str) -> str | None:
        for part in text.split(","):
            if not self._takes(part):
                return f"cannot have “{part}” as {self.name} (from {self.low} to {self.high})"
        return None

    def _takes(self, part: str) -> bool:
        if re.fullmatch(self.special, part):
            numbers = re.findall(r"[0-9]+", part)
            return all(self.low <= int(number) <= self.high for number in numbers[:1])
        span, slash, step = part.partition("/")
        if slash and not (re.fullmatch(r"[0-9]{1,4}", step) and int(step)):
            return False
        if span == "*":
            return True
        first, dash, last = span.partition("-")
        numbers = [self._number(first), self._number(last) if dash else self.low]
        return None not in numbers

    def _number(self, text: str) -> int | None:
        if text.upper() in self.names:
            return self.names.index(text.upper()) + 1
        if not re.fullmatch(r"[0-9]{1,4}", text):
            return None
        return int(text) if self.low <= int(text) <= self.high else None


_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_FIELDS = (
    _Field("minutes", 0, 59),
    _Field("hours", 0, 23),
    _Field("day-of-month", 1, 31, special=r"\?|L|[0-9]{1,2}W|LW"),
    _Field("month", 1, 12, _MONTHS),
    _Field("day-of-week", 1, 7, _DAYS, special=r"\?|L|[1-7]L|(?:[1-7]|[A-Za-z]{3})#[1-5]"),
    _Field("year", 1970, 2199),
)


def schedule_problem(expression: str) -> str | None:
    """What EventBridge would refuse about a ``rate(…)`` or ``cron(…)`` expression, or None."""
    if rate := _RATE.fullmatch(expression):
        value, unit = int(rate[1][:20]), rate[2]
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
    if len(fields) != len(_FIELDS):
        return (
            f"has {len(fields)} fields; cron needs six: minutes hours day-of-month month "
            "day-of-week year"
        )
    if (fields[2] == "?") == (fields[4] == "?"):
        return "needs “?” in exactly one of day-of-month and day-of-week"
    return next((p for f, t in zip(_FIELDS, fields, strict=True) if (p := f.problem(t))), None)
