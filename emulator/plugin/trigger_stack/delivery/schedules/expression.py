"""Schedule expressions of EventBridge rules and of EventBridge Scheduler.

AWS topics: Amazon EventBridge User Guide, "Setting a schedule pattern": ``rate(value unit)`` counts
from when the rule was created or enabled; ``cron(minutes hours day-of-month month day-of-week
year)`` is in UTC, with a precision of a minute. EventBridge Scheduler User Guide, "Schedule types":
a rate begins at once or with its start date, and there is ``at(yyyy-mm-ddThh:mm:ss)``; cron and at
are in the time zone of the schedule. A time that daylight saving skips does not come, one that it
repeats counts once.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

_RATE = re.compile(r"rate\(([0-9]{1,9}) (minutes?|hours?|days?)\)")
_AT = re.compile(r"at\(([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})\)")
_CRON = re.compile(r"cron\(([^()]+)\)")
_MONTHS = {name.upper(): number for number, name in enumerate(calendar.month_abbr) if name}
_WEEKDAYS = {"SUN": 1, "MON": 2, "TUE": 3, "WED": 4, "THU": 5, "FRI": 6, "SAT": 7}
_FIRST_YEAR, _LAST_YEAR = 1970, 2199
_MINUTES = {"minute": 1, "hour": 60, "day": 24 * 60}

#: Whether a day matches.
type DayTest = Callable[[date], bool]


class ExpressionError(ValueError):
    """AWS would refuse the expression; the text says what is wrong with it."""


class TimezoneError(ValueError):
    """There is no time zone of that name."""


@dataclass(frozen=True)
class Rate:
    """Every so many minutes, hours or days.

    Attributes:
        period: How far apart.
        from_anchor: Whether the first time is the anchor itself.
    """

    period: timedelta
    from_anchor: bool = False

    def first(self, moment: datetime, anchor: datetime) -> datetime | None:
        """The first time from ``moment`` on."""
        if self.from_anchor and anchor >= moment:
            return anchor
        return self.next_after(moment, anchor)

    def next_after(self, moment: datetime, anchor: datetime) -> datetime | None:
        """The first time after ``moment`` that is whole periods after ``anchor``."""
        periods = max((moment - anchor) // self.period, 0) + 1
        try:
            return anchor + periods * self.period
        except OverflowError:  # after the year 9999
            return None


@dataclass(frozen=True)
class Cron:
    """At minutes of a calendar, in a time zone."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: DayTest
    months: frozenset[int]
    years: frozenset[int]
    zone: tzinfo = UTC

    def first(self, moment: datetime, anchor: datetime) -> datetime | None:
        """The first time from ``moment`` on."""
        return self.next_after(moment - timedelta(microseconds=1), anchor)

    def next_after(self, moment: datetime, anchor: datetime) -> datetime | None:
        """The first time after ``moment``; ``None`` when there is none before the year 2200."""
        local = moment.astimezone(self.zone).replace(tzinfo=None, fold=0)
        while (found := self._next_local(local)) is not None:
            due = found.replace(tzinfo=self.zone).astimezone(UTC)
            skipped = due.astimezone(self.zone).replace(tzinfo=None) != found
            # Of a local time that comes twice, this is the first.
            if due > moment and not skipped:
                return due
            local = found
        return None

    def _next_local(self, moment: datetime) -> datetime | None:
        """The first time after a local time, whether the clocks show it or not."""
        start = moment.replace(second=0, microsecond=0) + timedelta(minutes=1)
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
                            return datetime(day.year, day.month, day.day, hour, minute)
            day += timedelta(days=1)
        return None


@dataclass(frozen=True)
class At:
    """Once."""

    time: datetime

    def first(self, moment: datetime, anchor: datetime) -> datetime | None:
        """The time, unless it is before ``moment``."""
        return self.time if self.time >= moment else None

    def next_after(self, moment: datetime, anchor: datetime) -> datetime | None:
        """The time, unless it is not after ``moment``."""
        return self.time if self.time > moment else None


type Schedule = Rate | Cron | At


def parse(expression: str) -> Rate | Cron:
    """Read the expression of a rule.

    Raises:
        ExpressionError: AWS would refuse it.
    """
    text = expression.strip()
    if match := _RATE.fullmatch(text):
        value, unit = int(match[1]), match[2]
        if (value == 1) == unit.endswith("s"):
            raise ExpressionError("rate: the unit must be singular for 1 only")
        return Rate(_period(value, unit))
    return _cron(text, UTC)


def parse_in_zone(expression: str, zone: str) -> Schedule:
    """Read the expression of a schedule of EventBridge Scheduler.

    Args:
        expression: ``rate(…)``, whose unit may be singular or plural, ``cron(…)`` or ``at(…)``.
        zone: IANA name of its time zone, for example ``Europe/Berlin``.

    Raises:
        ExpressionError: AWS would refuse the expression.
        TimezoneError: There is no such zone.
    """
    place = time_zone(zone)
    if match := _RATE.fullmatch(expression):
        return Rate(_period(int(match[1]), match[2]), from_anchor=True)
    if match := _AT.fullmatch(expression):
        try:
            local = datetime.fromisoformat(match[1])
            return At(local.replace(tzinfo=place).astimezone(UTC))
        except (ValueError, OverflowError):
            raise ExpressionError("at: there is no such time") from None
    return _cron(expression, place)


def time_zone(name: str) -> tzinfo:
    """The time zone of an IANA name.

    Raises:
        TimezoneError: There is none.
    """
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # a folder of names, no name at all, or an unknown one
        raise TimezoneError(name) from None


def _period(value: int, unit: str) -> timedelta:
    if value < 1:
        raise ExpressionError("rate: the value must be positive")
    return timedelta(minutes=value * _MINUTES[unit.removesuffix("s")])


def _cron(text: str, zone: tzinfo) -> Cron:
    if match := _CRON.fullmatch(text):
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
            zone=zone,
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
