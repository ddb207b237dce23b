"""Schedule expressions of EventBridge rules.

AWS topics: Amazon EventBridge User Guide, "Setting a schedule pattern": ``rate(value unit)`` counts
from when the rule was created or enabled; ``cron(minutes hours day-of-month month day-of-week
year)`` is in UTC, with a precision of a minute.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

_RATE = re.compile(r"rate\((\d{1,9}) (minutes?|hours?|days?)\)")
_CRON = re.compile(r"cron\(([^()]+)\)")
_MONTHS = {name.upper(): number for number, name in enumerate(calendar.month_abbr) if name}
_WEEKDAYS = {"SUN": 1, "MON": 2, "TUE": 3, "WED": 4, "THU": 5, "FRI": 6, "SAT": 7}
_FIRST_YEAR, _LAST_YEAR = 1970, 2199
_MINUTES = {"minute": 1, "hour": 60, "day": 24 * 60}

#: Whether a day matches.
type DayTest = Callable[[date], bool]


class ExpressionError(ValueError):
    """AWS would refuse the expression; the text says what is wrong with it."""


@dataclass(frozen=True)
class Rate:
    """Every so many minutes, hours or days."""

    period: timedelta

    def next_after(self, moment: datetime, anchor: datetime) -> datetime:
        """The first time after ``moment`` that is whole periods after ``anchor``."""
        periods = max((moment - anchor) // self.period, 0) + 1
        return anchor + periods * self.period


@dataclass(frozen=True)
class Cron:
    """At minutes of a calendar, in UTC."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: DayTest
    months: frozenset[int]
    years: frozenset[int]

    def next_after(self, moment: datetime, anchor: datetime) -> datetime | None:
        """The first time after ``moment``; ``None`` when there is none before the year 2200."""
        start = moment.astimezone(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
        day = start.date()
        while day.year <= _LAST_YEAR:
            if day.year not in self.years:
                later = [year for year in self.years if year > day.year]
                if not later:
                    return None
                day = date(min(later), 1, 1)
                continue
            if day.month not in self.months:
                day = _next_month(day)
                continue
            if self.days(day):
                earliest = (start.hour, start.minute) if day == start.date() else (0, 0)
                for hour in self.hours:
                    for minute in self.minutes:
                        if (hour, minute) >= earliest:
                            return datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)
            day += timedelta(days=1)
        return None


type Schedule = Rate | Cron


def parse(expression: str) -> Schedule:
    """Read an expression.

    Raises:
        ExpressionError: AWS would refuse it.
    """
    if match := _RATE.fullmatch(expression.strip()):
        value, unit = int(match[1]), match[2]
        if value < 1 or (value == 1) == unit.endswith("s"):
            raise ExpressionError("rate: the value must be positive, the unit singular for 1 only")
        return Rate(timedelta(minutes=value * _MINUTES[unit.removesuffix("s")]))
    if match := _CRON.fullmatch(expression.strip()):
        fields = match[1].split()
        if len(fields) != 6:
            raise ExpressionError("cron: six fields are needed")
        minutes, hours, of_month, months, of_week, years = fields
        if (of_month == "?") == (of_week == "?"):
            raise ExpressionError("cron: exactly one of day-of-month and day-of-week must be ?")
        return Cron(
            minutes=tuple(sorted(_values(minutes, 0, 59))),
            hours=tuple(sorted(_values(hours, 0, 23))),
            days=_day_of_week(of_week) if of_month == "?" else _day_of_month(of_month),
            months=frozenset(_values(months, 1, 12, _MONTHS)),
            years=frozenset(_values(years, _FIRST_YEAR, _LAST_YEAR)),
        )
    raise ExpressionError("neither rate(…) nor cron(…)")


def _next_month(day: date) -> date:
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)


def _values(text: str, low: int, high: int, names: dict[str, int] | None = None) -> set[int]:
    """The numbers of a field with lists, ranges and steps."""
    found: set[int] = set()
    for part in text.split(","):
        base, slash, step_text = part.partition("/")
        step = _number(step_text, 1, high - low + 1) if slash else 1
        if base == "*":
            first, last = low, high
        elif "-" in base:
            start, _, end = base.partition("-")
            first, last = _number(start, low, high, names), _number(end, low, high, names)
            if first > last:
                raise ExpressionError(f"cron: {part} is no range")
        else:
            first = _number(base, low, high, names)
            last = high if slash else first
        found.update(range(first, last + 1, step))
    return found


def _number(text: str, low: int, high: int, names: dict[str, int] | None = None) -> int:
    if names and text.upper() in names:
        return names[text.upper()]
    if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
        raise ExpressionError(f"cron: {text!r} is not in {low}-{high}")
    return int(text)


def _last_day(day: date) -> int:
    return calendar.monthrange(day.year, day.month)[1]


def _nearest_weekday(day: date, wanted: int) -> int:
    """The weekday (Monday to Friday) nearest to a day of the month, in the same month."""
    weekday = date(day.year, day.month, wanted).weekday()
    if weekday == 5:
        return wanted - 1 if wanted > 1 else wanted + 2
    if weekday == 6:
        return wanted + 1 if wanted < _last_day(day) else wanted - 2
    return wanted


def _day_of_month(text: str) -> DayTest:
    if text == "L":
        return lambda day: day.day == _last_day(day)
    if text == "LW":
        return lambda day: day.day == _nearest_weekday(day, _last_day(day))
    if text.endswith("W"):
        wanted = _number(text[:-1], 1, 31)
        return lambda day: wanted <= _last_day(day) and day.day == _nearest_weekday(day, wanted)
    days = frozenset(_values(text, 1, 31))
    return lambda day: day.day in days


def _aws_weekday(day: date) -> int:
    """1 for Sunday to 7 for Saturday."""
    return day.isoweekday() % 7 + 1


def _day_of_week(text: str) -> DayTest:
    if text == "L":
        return lambda day: _aws_weekday(day) == 7
    if text.endswith("L"):
        weekday = _number(text[:-1], 1, 7, _WEEKDAYS)
        return lambda day: _aws_weekday(day) == weekday and day.day > _last_day(day) - 7
    if "#" in text:
        name, _, which = text.partition("#")
        weekday, number = _number(name, 1, 7, _WEEKDAYS), _number(which, 1, 5)
        return lambda day: _aws_weekday(day) == weekday and (day.day - 1) // 7 + 1 == number
    weekdays = frozenset(_values(text, 1, 7, _WEEKDAYS))
    return lambda day: _aws_weekday(day) in weekdays
