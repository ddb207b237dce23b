"""Metric filters of CloudWatch Logs: what log events give, and what is stored."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from typing import Any

import pytest

from trigger_stack.delivery.logs.filter_pattern import compiled, extracted, read
from trigger_stack.delivery.logs.metric_filters import (
    Collector,
    LogGroup,
    TransformationError,
    check,
    observed,
)

APACHE = '127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534'
FIELDS = "[ip, user, username, timestamp, request, status_code, bytes]"
GROUP = LogGroup("000000000000", "us-east-1", "g")
#: Of a full minute.
MINUTE = 1_700_000_040
AT = MINUTE * 1000


def transformation(**change: Any) -> dict[str, Any]:
    return {"metricName": "m", "metricNamespace": "N", "metricValue": "1", **change}


def metric_filter(pattern: str = "", name: str = "f", **change: Any) -> dict[str, Any]:
    return {
        "filterName": name,
        "filterPattern": pattern,
        "logGroupName": GROUP.name,
        "metricTransformations": [transformation(**change)],
    }


def point(pattern: str, message: str, **change: Any) -> tuple[float, dict[str, str]] | None:
    """The value and the dimensions that a matching message gives."""
    found = observed(pattern, transformation(**change), AT, message)
    assert found.matches
    if found.point is None:
        return None
    series, value = found.point
    return value, dict(series.dimensions)


def stored(collector: Collector, now_s: float = MINUTE) -> list[dict[str, Any]]:
    return [one for datums in collector.take(now_s) for one in datums.data]


@pytest.mark.parametrize(
    ("pattern", "message", "value", "expected"),
    [
        ("ERROR", "an ERROR", "1", 1),
        ("ERROR", "an ERROR", "-2.5e1", -25),
        ("{ $.lat = * }", '{"lat": 12.5}', "$.lat", 12.5),
        ("{ $.a = 1 }", '{"a": 1, "b": {"c": [7, 8]}}', "$.b.c[1]", 8),
        ("{ $.a = 1 }", '{"a": 1, "b": {"c.d": 3}}', "$.b['c.d']", 3),
        ("{ $.a = 1 }", '{"a": 1, "b": [4, 5]}', "$.b[*]", 4),
        ("{ $.a = 1 }", '{"a": 1, "b": "17"}', "$.b", 17),
        ("{ $.a = 1 }", '{"a": 1, "b": "slow"}', "$.b", None),
        ("{ $.a = 1 }", '{"a": 1, "b": true}', "$.b", None),
        ("{ $.a = 1 }", '{"a": 1, "b": null}', "$.b", None),
        ("{ $.a = 1 }", '{"a": 1, "b": {}}', "$.b", None),
        ("{ $.a = 1 }", '{"a": 1}', "$.b", None),
        ("{ $.a = 1 }", '{"a": 1, "b": NaN}', "$.b", None),
        ("{ $.a = 1 }", '{"a": 1, "b": 1e999}', "$.b", None),
        ("{ $.a = 1 }", '{"a": 1, "b": %s}' % ("9" * 400), "$.b", None),
        ("{ $.a = 1 }", '{"a": 1, "b": "1_0"}', "$.b", None),
        (FIELDS, APACHE, "$bytes", 1534),
        (FIELDS, APACHE, "$6", 404),
        (FIELDS, APACHE, "$username", None),
        ("[..., bytes]", APACHE, "$bytes", 1534),
        ("[..., bytes]", APACHE, "$6", 404),
        ("[ip, ..., status_code, ]", APACHE, "$status_code", 404),
    ],
)  # fmt: skip
def test_the_value_is_a_number_or_a_field(
    pattern: str, message: str, value: str, expected: float | None
) -> None:
    found = point(pattern, message, metricValue=value)

    assert found == (None if expected is None else (expected, {}))


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"a": 1, "d": "x", "n": 3}, {"D": "x", "N": "3"}),
        ({"a": 1, "d": True, "n": 0.5}, {"D": "true", "N": "0.5"}),
        ({"a": 1, "d": "x"}, None),
        ({"a": 1, "d": "x", "n": None}, None),
        ({"a": 1, "d": "x", "n": {}}, None),
        ({"a": 1, "d": " ", "n": 3}, None),
        ({"a": 1, "d": "x\ty", "n": 3}, None),
    ],
)
def test_dimensions_are_fields(message: dict[str, Any], expected: dict[str, str] | None) -> None:
    dimensions = {"D": "$.d", "N": "$.n"}

    found = point("{ $.a = 1 }", json.dumps(message), dimensions=dimensions)

    assert found == (None if expected is None else (1, expected))


def test_fields_of_a_line_are_dimensions() -> None:
    found = point(FIELDS, APACHE, metricValue="$bytes", dimensions={"Status": "$status_code"})

    assert found == (1534, {"Status": "404"})


@pytest.mark.parametrize(
    ("pattern", "change"),
    [
        ("", {}),
        ("ERROR", {"metricValue": "3.5", "unit": "Count", "defaultValue": 0}),
        ("{ $.a = 1 }", {"metricValue": "$.b.c[0]", "unit": "Kilobytes/Second"}),
        ("{ $.a = 1 }", {"dimensions": {"a": "$.a", "b": "$.b", "c": "$.c"}}),
        (FIELDS, {"metricValue": "$bytes", "dimensions": {"a": "$ip", "b": "$2"}}),
        ("[..., bytes]", {"metricValue": "$9", "defaultValue": None}),
        ("", {"dimensions": {}, "defaultValue": 1.5}),
    ],
)
def test_what_aws_takes(pattern: str, change: dict[str, Any]) -> None:
    check(pattern, transformation(**change))


@pytest.mark.parametrize(
    ("pattern", "change", "sentence"),
    [
        ("", {"metricName": None}, "metricName"),
        ("", {"metricName": "a$b"}, "metricName"),
        ("", {"metricNamespace": ""}, "metricNamespace"),
        ("", {"metricValue": "many"}, "must be a valid number"),
        ("", {"metricValue": "inf"}, "must be a valid number"),
        ("", {"metricValue": None}, "must be a valid number"),
        ("", {"metricValue": "$.a"}, "must be a valid number"),
        ("ERROR", {"metricValue": "$size"}, "must be a valid number"),
        ("{ $.a = 1 }", {"metricValue": "$a"}, "must be a valid number"),
        ("{ $.a = 1 }", {"metricValue": "$.a b"}, "must be a valid number"),
        (FIELDS, {"metricValue": "$size"}, "must be a valid number"),
        (FIELDS, {"metricValue": "$8"}, "must be a valid number"),
        (FIELDS, {"metricValue": "$"}, "must be a valid number"),
        ("", {"defaultValue": "0"}, "defaultValue"),
        ("", {"unit": "Miles"}, "Miles is no unit"),
        ("ERROR", {"dimensions": {"a": "$.a"}}, "pattern does not support dimensions"),
        ("{ $.a = 1 }", {"dimensions": {"a": "x"}}, "dimension value must be valid selector"),
        ("{ $.a = 1 }", {"dimensions": {"a": "$.a"}, "defaultValue": 0}, "mutually exclusive"),
        ("{ $.a = 1 }", {"dimensions": dict.fromkeys("abcd", "$.a")}, "3 dimensions at most"),
        ("{ $.a = 1 }", {"dimensions": {":a": "$.a"}}, ":a is no name"),
    ],
)
def test_what_aws_refuses(pattern: str, change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(TransformationError, match=sentence):
        check(pattern, transformation(**change))


def test_many_events_are_few_data_points() -> None:
    collector = Collector()
    filters = [metric_filter("{ $.lat = * }", metricValue="$.lat", unit="Milliseconds")]
    events = [(AT + place % 10, json.dumps({"lat": place % 3})) for place in range(9000)]
    collector.add(GROUP, filters, events)

    (datums,) = collector.take(MINUTE)

    assert (datums.account, datums.region, datums.namespace) == ("000000000000", "us-east-1", "N")
    assert datums.data == [
        {
            "MetricName": "m",
            "Dimensions": [],
            "Timestamp": datetime.fromtimestamp(MINUTE, UTC),
            "Unit": "Milliseconds",
            "Values": [0.0, 1.0, 2.0],
            "Counts": [3000.0, 3000.0, 3000.0],
        }
    ]
    assert collector.is_empty
    assert collector.take(MINUTE) == []


def test_a_data_point_has_150_values_at_most() -> None:
    collector = Collector()
    events = [(AT, str(number)) for number in range(400)]
    collector.add(GROUP, [metric_filter("[n]", metricValue="$n")], events)

    assert [len(one["Values"]) for one in stored(collector)] == [150, 150, 100]


def test_accounts_namespaces_dimensions_and_seconds_stay_apart() -> None:
    collector = Collector()
    other = LogGroup("000000000001", "eu-west-1", "g")
    one = metric_filter("{ $.a = * }", dimensions={"A": "$.a"})
    events = [(AT, '{"a": "x"}'), (AT + 1000, '{"a": "x"}'), (AT, '{"a": "y"}')]
    collector.add(GROUP, [one], events)
    collector.add(other, [metric_filter(metricNamespace="M")], events)

    first, second = collector.take(MINUTE)

    assert (first.namespace, second.namespace) == ("N", "M")
    assert second.account == "000000000001"
    assert [
        (point["Dimensions"][0]["Value"], point["Timestamp"].timestamp() - MINUTE)
        for point in first.data
    ] == [("x", 0), ("x", 1), ("y", 0)]


def test_the_default_value_is_of_a_minute_with_events_that_do_not_match() -> None:
    collector = Collector()
    filters = [metric_filter("ERROR", defaultValue=0.5, unit="Count")]
    collector.add(GROUP, filters, [(AT, "fine"), (AT + 1000, "fine, too")])

    assert stored(collector, MINUTE + 59) == []
    assert not collector.is_empty
    (only,) = stored(collector, MINUTE + 60)

    assert (only["Values"], only["Counts"], only["Unit"]) == ([0.5], [1.0], "Count")
    assert only["Timestamp"] == datetime.fromtimestamp(MINUTE + 59, UTC)
    assert collector.is_empty
    assert stored(collector, MINUTE + 600) == []


@pytest.mark.parametrize("messages", [["fine", "ERROR"], ["ERROR", "fine"]])
def test_there_is_no_default_value_in_a_minute_with_a_match(messages: list[str]) -> None:
    collector = Collector()
    for message in messages:
        collector.add(GROUP, [metric_filter("ERROR", defaultValue=0)], [(AT, message)])

    assert [one["Values"] for one in stored(collector, MINUTE + 60)] == [[1.0]]


def test_a_match_without_a_number_gives_neither_a_value_nor_the_default_value() -> None:
    collector = Collector()
    filters = [metric_filter("{ $.lat = * }", metricValue="$.lat", defaultValue=0)]
    collector.add(GROUP, filters, [(AT, '{"lat": "slow"}')])

    assert stored(collector, MINUTE + 60) == []
    assert collector.is_empty


def test_a_filter_that_is_gone_gives_no_default_value() -> None:
    collector = Collector()
    filters = [metric_filter("ERROR", name, defaultValue=0) for name in ("f", "g")]
    collector.add(GROUP, filters, [(AT, "fine")])
    collector.forget(GROUP, "f")
    collector.forget(LogGroup("000000000000", "us-east-1", "other"))

    assert len(stored(collector, MINUTE + 60)) == 1

    collector.add(GROUP, filters, [(AT, "fine")])
    collector.forget(GROUP)

    assert collector.is_empty


def test_threads_lose_no_value() -> None:
    collector = Collector()
    counted: list[float] = []

    def add() -> None:
        for _ in range(200):
            collector.add(GROUP, [metric_filter()], [(AT, "x")])

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        counted += [one["Counts"][0] for one in stored(collector)]
    for thread in threads:
        thread.join()
    counted += [one["Counts"][0] for one in stored(collector)]

    assert sum(counted) == 800


def test_fields_of_space_delimited_events_are_extracted() -> None:
    assert extracted("[..., request=*.html*, status_code=4*,]", APACHE) == {
        "$1": "127.0.0.1",
        "$2": "-",
        "$3": "frank",
        "$4": "10/Oct/2000:13:25:15 -0700",
        "$request": "GET /index.html HTTP/1.0",
        "$status_code": "404",
        "$7": "1534",
    }
    assert extracted("[..., status_code=5*,]", APACHE) is None
    everything = extracted("[]", APACHE)
    assert everything is not None
    assert everything.keys() == {f"${place}" for place in range(1, 8)}
    assert extracted("{ $.a = 1 }", '{"a": 1}') == {}
    assert extracted("frank", APACHE) == {}
    assert extracted("jane", APACHE) is None


def test_what_does_not_match_has_no_values() -> None:
    assert read("{ $.a = 1 }", '{"a": 2}') is None
    assert read("{ $.a = 1 }", "no JSON") is None
    assert read("[a, b]", "a b c") is None
    assert read("ERROR", "fine") is None
    values = read("ERROR", "ERROR")
    assert values is not None
    assert values("$.a") is None


def test_an_integer_of_hundreds_of_digits_is_compared_as_text() -> None:
    digits = "9" * 400

    assert compiled("{ $.a > 1 }")(f'{{"a": {digits}}}') is False
    assert compiled("{ $.a = 9* }")(f'{{"a": {digits}}}') is True
