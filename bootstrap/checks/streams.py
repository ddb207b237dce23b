"""Streams and schedules.

AWS Lambda, "Retain discarded batch records"; EventBridge, "Setting a schedule pattern";
EventBridge Scheduler, "Schedule types".
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Iterator
from datetime import UTC, datetime

from bootstrap.checks.findings import Hit, Severity, rule
from bootstrap.checks.view import QUEUE, RULE, TABLE, View, own_name, whole, within
from bootstrap.template import Resource

_SCHEDULE = "AWS::Scheduler::Schedule"
_IMAGES = "NEW_AND_OLD_IMAGES"
_AT = re.compile(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?)\)")
_CRON = re.compile(r"cron\(([^()]*)\)")
_MONTH_LENGTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_LAST_YEAR = 2199


@rule(
    "TS701",
    Severity.WARNING,
    mend="Set maximumRetryAttempts or maximumRecordAgeInSeconds, and an on-failure destination.",
)
def blocked_shard(view: View) -> Iterator[Hit]:
    """A record that always fails blocks its shard until it expires, and those behind it with it."""
    for mapping in view.mappings:
        if mapping.service in ("", QUEUE):
            continue
        properties = mapping.resource.properties
        limits = [
            whole(properties.get("MaximumRetryAttempts"), -1),
            whole(properties.get("MaximumRecordAgeInSeconds"), -1),
        ]
        if all(limit in (-1, None) for limit in limits):
            name = own_name(mapping.function) if mapping.function else mapping.resource.logical_id
            yield Hit(
                f"{name} reads a stream without a limit of retries.", view.at(mapping.resource)
            )


@rule("TS702", Severity.WARNING, mend="Set destinations.onFailure with a queue or topic.")
def discarded_records(view: View) -> Iterator[Hit]:
    """Records that failed as often as allowed are skipped, and nothing says which they were."""
    for mapping in view.mappings:
        if mapping.service in ("", QUEUE):
            continue
        properties = mapping.resource.properties
        if not within(properties, "DestinationConfig", "OnFailure", "Destination"):
            name = own_name(mapping.function) if mapping.function else mapping.resource.logical_id
            yield Hit(
                f"{name} reads a stream without a place for failures.", view.at(mapping.resource)
            )


@rule(
    "TS704",
    Severity.ERROR,
    mend="Set StreamViewType: NEW_AND_OLD_IMAGES, or leave StreamSpecification out.",
)
def other_images(view: View) -> Iterator[Hit]:
    """The stack takes changes for a Kinesis stream from the table's own, which must show both."""
    for table in view.of(TABLE):
        kind = within(table.properties.get("StreamSpecification"), "StreamViewType")
        if "KinesisStreamSpecification" in table.properties and kind not in (None, _IMAGES):
            what = f"{table.logical_id} has KinesisStreamSpecification, and its stream {kind}."
            yield Hit(what, view.at(table, "StreamSpecification", "StreamViewType"))


@rule("TS703", Severity.WARNING, mend="Set startingPosition: TRIM_HORIZON, or AT_TIMESTAMP.")
def starts_late(view: View) -> Iterator[Hit]:
    """With LATEST, records that come while the mapping is made or changed are missed."""
    for mapping in view.mappings:
        if mapping.resource.properties.get("StartingPosition") == "LATEST":
            name = own_name(mapping.function) if mapping.function else mapping.resource.logical_id
            yield Hit(f"{name} starts at LATEST.", view.at(mapping.resource, "StartingPosition"))


@rule("TS711", Severity.WARNING, mend="Write a time that is still to come.")
def past(view: View) -> Iterator[Hit]:
    """The schedule has no time left at which it would fire."""
    for resource in _schedules(view):
        expression = resource.properties.get("ScheduleExpression")
        if isinstance(expression, str) and never_again(expression, datetime.now(UTC)):
            what = f"“{expression}” will never be due."
            yield Hit(what, view.at(resource, "ScheduleExpression"))
    for schedule in view.of(_SCHEDULE):
        start, end = (_moment(schedule.properties.get(name)) for name in ("StartDate", "EndDate"))
        if end is not None and end < datetime.now(UTC):
            yield Hit(f"The schedule ended at {end:%Y-%m-%d %H:%M}.", view.at(schedule, "EndDate"))
        elif start is not None and end is not None and end <= start:
            yield Hit("The schedule ends before it begins.", view.at(schedule, "EndDate"))


@rule("TS712", Severity.ERROR, mend="Write a name of the IANA database, such as Europe/Berlin.")
def unknown_time_zone(view: View) -> Iterator[Hit]:
    """AWS refuses a time zone that the IANA database does not have."""
    for resource in _schedules(view):
        name = resource.properties.get("ScheduleExpressionTimezone")
        if isinstance(name, str) and not known_time_zone(name):
            at = view.at(resource, "ScheduleExpressionTimezone")
            yield Hit(f"There is no time zone “{name}”.", at)


def _moment(value: object) -> datetime | None:
    """A date of a schedule, which is UTC when it says nothing else; None for none."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment


def _schedules(view: View) -> list[Resource]:
    return [*view.of(RULE), *view.of(_SCHEDULE)]


def known_time_zone(name: str) -> bool:
    """Whether the IANA database has a time zone; True where this machine has no database."""
    return _loads(name) or not _loads("Europe/London")


def _loads(name: str) -> bool:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def never_again(expression: str, now: datetime) -> bool:
    """Whether a schedule has certainly no time left.

    Args:
        now: with a time zone. A day of grace, as the schedule's own zone may be another.
    """
    if at := _AT.fullmatch(expression):
        try:
            moment = datetime.fromisoformat(at[1]).replace(tzinfo=UTC)
        except ValueError:
            return False
        return (now - moment).total_seconds() > 86_400
    cron = _CRON.fullmatch(expression)
    fields = cron[1].split() if cron else []
    if len(fields) != 6:
        return False
    years, months = _highest(fields[5], _LAST_YEAR), _months(fields[3])
    if years is None or months is None:
        return False
    if (years, max(months)) < (now.year, now.month):
        return True
    if not re.fullmatch(r"\d{1,2}(-\d{1,2})?(,\d{1,2}(-\d{1,2})?)*", fields[2]):
        return False
    first = min(int(part.partition("-")[0]) for part in fields[2].split(","))
    return all(first > _MONTH_LENGTHS[month - 1] for month in months)


def _highest(text: str, last: int) -> int | None:
    """The highest number that a field of cron stands for, or more; None when it is none."""
    highest = 0
    for part in text.split(","):
        span, slash, _ = part.partition("/")
        first, dash, end = span.partition("-")
        if span == "*" or (slash and not dash):
            return last
        number = end if dash else first
        if not re.fullmatch(r"\d{1,4}", number):
            return None
        highest = max(highest, int(number), int(first) if first.isdecimal() else 0)
    return highest


def _months(text: str) -> list[int] | None:
    """The months that a field of cron may stand for."""
    found: set[int] = set()
    for part in text.split(","):
        span, slash, _ = part.partition("/")
        first, dash, end = span.partition("-")
        if span == "*" or slash:
            return list(range(1, 13))
        low, high = _month(first), _month(end if dash else first)
        if low is None or high is None or low > high:
            return None
        found.update(range(low, high + 1))
    return sorted(found)


def _month(text: str) -> int | None:
    if text.upper() in _MONTHS:
        return _MONTHS.index(text.upper()) + 1
    return int(text) if re.fullmatch(r"\d{1,2}", text) and 1 <= int(text) <= 12 else None
