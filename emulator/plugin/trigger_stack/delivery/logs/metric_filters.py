"""Metric filters of CloudWatch Logs: which values log events give to which metrics.

AWS topics: CloudWatch Logs User Guide, "Creating metrics from log events using filters", "Filter
pattern syntax for metric filters"; CloudWatch Logs API Reference, "MetricTransformation".
"""

from __future__ import annotations

import itertools
import json
import re
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from trigger_stack.delivery.logs.filter_pattern import has_fields, number_of, read, refers

_MOST_DIMENSIONS = 3
_MOST_NAME = 255
_MOST_METRIC_VALUE = 100
_MOST_DIMENSION_VALUE = 1024
#: CloudWatch API Reference, "MetricDatum": the largest value, and the values of one of them.
_LARGEST = 2.0**360
_MOST_VALUES = 150
_PERIOD_S = 60
_NAME = re.compile(r"[^:*$]+")
_UNITS = frozenset(
    [
        "Seconds", "Microseconds", "Milliseconds", "Percent", "Count", "Count/Second", "None",
        *(
            f"{size}{what}{rate}".capitalize().replace("/s", "/S")
            for size, what in itertools.product(
                ("", "kilo", "mega", "giga", "tera"), ("bytes", "bits")
            )
            for rate in ("", "/Second")
        ),
    ]
)  # fmt: skip


class TransformationError(ValueError):
    """CloudWatch Logs refuses the metric transformation; the text is AWS's where it is known."""


def check(pattern: str, transformation: dict[str, Any]) -> None:
    """Whether CloudWatch Logs takes a transformation.

    Args:
        pattern: A filter pattern that can be read.
        transformation: As ``PutMetricFilter`` has it.

    Raises:
        TransformationError: It does not.
    """
    for member in ("metricName", "metricNamespace"):
        text = transformation.get(member)
        if not isinstance(text, str) or len(text) > _MOST_NAME or not _NAME.fullmatch(text):
            raise TransformationError(
                f"1 validation error detected: Value '{text}' at 'metricTransformations.1.member."
                f"{member}' failed to satisfy constraint: Member must satisfy regular expression"
                f" pattern: [^:*$]* and have length 1 to {_MOST_NAME}"
            )
    value = transformation.get("metricValue")
    if (
        not isinstance(value, str)
        or len(value) > _MOST_METRIC_VALUE
        or not _is_value(pattern, value)
    ):
        raise TransformationError(
            f"Invalid metric transformation: metric value {value} must be a valid number"
        )
    default = transformation.get("defaultValue")
    if default is not None and (isinstance(default, str) or _finite(default) is None):
        raise TransformationError("Invalid metric transformation: defaultValue must be a number")
    unit = transformation.get("unit")
    if unit is not None and unit not in _UNITS:
        raise TransformationError(f"Invalid metric transformation: {unit} is no unit")
    dimensions = transformation.get("dimensions")
    if dimensions:
        _check_dimensions(pattern, dimensions, default)


def _is_value(pattern: str, value: str) -> bool:
    return refers(pattern, value) if value.startswith("$") else _finite(value) is not None


def _check_dimensions(pattern: str, dimensions: dict[str, Any], default: Any) -> None:
    if default is not None:
        raise TransformationError(
            "Invalid metric transformation: dimensions and default value are mutually exclusive"
            " properties"
        )
    if not has_fields(pattern):
        raise TransformationError("The specified filter pattern does not support dimensions")
    if len(dimensions) > _MOST_DIMENSIONS:
        raise TransformationError(
            f"Invalid metric transformation: a metric has {_MOST_DIMENSIONS} dimensions at most"
        )
    for name, reference in dimensions.items():
        if not isinstance(reference, str) or not refers(pattern, reference):
            raise TransformationError(
                "Invalid metric transformation: dimension value must be valid selector"
            )
        if not 1 <= len(name) <= _MOST_NAME or ":" in name[:1]:
            raise TransformationError(
                f"Invalid metric transformation: {name} is no name of a dimension"
            )


def _finite(value: Any) -> float | None:
    """The number that CloudWatch takes a value for; None when it takes none."""
    number = number_of(value)
    return number if number is not None and abs(number) <= _LARGEST else None


@dataclass(frozen=True)
class Series:
    """A metric, to which values are added.

    Attributes:
        dimensions: Names and values.
    """

    namespace: str
    name: str
    unit: str
    dimensions: tuple[tuple[str, str], ...] = ()


def _series(transformation: dict[str, Any], dimensions: tuple[tuple[str, str], ...]) -> Series:
    return Series(
        transformation["metricNamespace"],
        transformation["metricName"],
        transformation.get("unit") or "None",
        dimensions,
    )


@dataclass(frozen=True)
class Observation:
    """What one log event gives.

    Attributes:
        second: Unix time.
        matches: Whether the event matches.
        point: The metric and the value; None when the event gives nothing.
    """

    second: int
    matches: bool
    point: tuple[Series, float] | None = None


def observed(pattern: str, transformation: dict[str, Any], at: int, message: str) -> Observation:
    """What a log event gives to a metric.

    It gives nothing when the field of the value is no number, or when it lacks the field of a
    dimension.

    Args:
        at: Unix time in milliseconds.
    """
    second = at // 1000
    values = read(pattern, message)
    if values is None:
        return Observation(second, matches=False)
    reference = str(transformation["metricValue"])
    value = _finite(values(reference) if reference.startswith("$") else reference)
    dimensions = []
    for name, field in (transformation.get("dimensions") or {}).items():
        text = _dimension(values(field))
        if text is None:
            value = None
            break
        dimensions.append((name, text))
    if value is None:
        return Observation(second, matches=True)
    return Observation(second, True, (_series(transformation, tuple(dimensions)), value))


def _dimension(value: Any) -> str | None:
    """The text of a dimension; None when CloudWatch takes none (an object, control characters)."""
    if isinstance(value, bool | int | float):
        value = json.dumps(value)
    if not isinstance(value, str):
        return None
    text = value.strip()[:_MOST_DIMENSION_VALUE]
    return text if text and text.isprintable() else None


@dataclass(frozen=True)
class LogGroup:
    """Whose events give values."""

    account: str
    region: str
    name: str


@dataclass(frozen=True)
class Datums:
    """What is stored with one ``PutMetricData``, but for the number of values that it may have."""

    account: str
    region: str
    namespace: str
    data: list[dict[str, Any]]


@dataclass(frozen=True)
class _Period:
    """A minute of a filter with a default value."""

    group: LogGroup
    filter: str
    minute: int


class Collector:
    """Collects the values of log events, until they are stored together.

    A default value is there when the minute is over: only then it is known that no event of it
    matched.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[tuple[str, str], dict[tuple[Series, int], Counter[float]]] = {}
        #: Minutes with events, and the default value as long as none of them matched.
        self._periods: dict[_Period, tuple[Series, float] | None] = {}

    def add(
        self,
        group: LogGroup,
        filters: Iterable[dict[str, Any]],
        events: Sequence[tuple[int, str]],
    ) -> None:
        """Take the values of events.

        Args:
            filters: The metric filters of the log group, as ``DescribeMetricFilters`` has them.
            events: Unix time in milliseconds, and message.
        """
        for one in filters:
            pattern = one.get("filterPattern") or ""
            for transformation in one["metricTransformations"]:
                found = [observed(pattern, transformation, at, message) for at, message in events]
                with self._lock:
                    self._store(group, found)
                    self._default(group, one["filterName"], transformation, found)

    def _store(self, group: LogGroup, found: list[Observation]) -> None:
        for one in found:
            if one.point is not None:
                self._count(group, one.second, *one.point)

    def _count(self, group: LogGroup, second: int, series: Series, value: float) -> None:
        place = self._values.setdefault((group.account, group.region), {})
        place.setdefault((series, second), Counter())[value] += 1

    def _default(
        self,
        group: LogGroup,
        name: str,
        transformation: dict[str, Any],
        found: list[Observation],
    ) -> None:
        if transformation.get("defaultValue") is None:
            return
        default = _series(transformation, ()), float(transformation["defaultValue"])
        for one in found:
            period = _Period(group, name, one.second // _PERIOD_S)
            if one.matches:
                self._periods[period] = None
            else:
                self._periods.setdefault(period, default)

    def forget(self, group: LogGroup, name: str | None = None) -> None:
        """Drop the default values that a filter, or all of a group, would still give."""
        with self._lock:
            for period in list(self._periods):
                if period.group == group and name in (None, period.filter):
                    del self._periods[period]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to store, now or later."""
        with self._lock:
            return not self._values and not self._periods

    def take(self, now_s: float) -> list[Datums]:
        """Take out what can be stored at a time."""
        with self._lock:
            for period in list(self._periods):
                if (period.minute + 1) * _PERIOD_S <= now_s:
                    default = self._periods.pop(period)
                    if default is not None:
                        # Its last second: LocalStack's alarms look at what is not long ago.
                        second = (period.minute + 1) * _PERIOD_S - 1
                        self._count(period.group, second, *default)
            values, self._values = self._values, {}
        found: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
        for (account, region), counts in values.items():
            for (series, second), numbers in counts.items():
                key = (account, region, series.namespace)
                found.setdefault(key, []).extend(_data(series, second, numbers))
        return [Datums(*key, data) for key, data in found.items()]


def _data(series: Series, second: int, numbers: Counter[float]) -> Iterator[dict[str, Any]]:
    for some in itertools.batched(numbers.items(), _MOST_VALUES):
        yield {
            "MetricName": series.name,
            "Dimensions": [{"Name": name, "Value": value} for name, value in series.dimensions],
            "Timestamp": datetime.fromtimestamp(second, UTC),
            "Unit": series.unit,
            "Values": [value for value, _ in some],
            "Counts": [float(count) for _, count in some],
        }
