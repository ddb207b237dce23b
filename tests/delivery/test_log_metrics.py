"""Metric filters: log events of a group become values of CloudWatch metrics."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.engine.lambda_stack import Stack
from tests.support.waiting import eventually

APACHE = '127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET / HTTP/1.0" {} {}'


class Metrics:
    """Log groups of the test's own, and a namespace of their metrics."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.logs, self.cloudwatch = stack.client("logs"), stack.client("cloudwatch")
        self.namespace = f"N-{secrets.token_hex(6)}"
        self.groups: list[str] = []

    def group(self) -> str:
        name = f"/test/{secrets.token_hex(6)}"
        self.logs.create_log_group(logGroupName=name)
        self.logs.create_log_stream(logGroupName=name, logStreamName="s")
        self.groups.append(name)
        return name

    def count(
        self,
        group: str,
        metric: str,
        pattern: str,
        value: str = "1",
        *,
        name: str = "",
        **more: Any,
    ) -> None:
        """Put a metric filter, named like its metric."""
        self.logs.put_metric_filter(
            logGroupName=group,
            filterName=name or metric,
            filterPattern=pattern,
            metricTransformations=[
                {
                    "metricName": metric,
                    "metricNamespace": self.namespace,
                    "metricValue": value,
                    **more,
                }
            ],
        )

    def write(self, group: str, *messages: str, ago_s: int = 0) -> None:
        at = int((time.time() - ago_s) * 1000)
        self.logs.put_log_events(
            logGroupName=group,
            logStreamName="s",
            logEvents=[{"timestamp": at, "message": one} for one in messages],
        )

    def statistics(self, metric: str, **dimensions: str) -> dict[str, Any]:
        """Sum, count and so on of all that the metric has; empty when it has nothing."""
        now = datetime.now(UTC)
        found = self.cloudwatch.get_metric_statistics(
            Namespace=self.namespace,
            MetricName=metric,
            Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
            StartTime=now - timedelta(minutes=30),
            EndTime=now + timedelta(minutes=30),
            Period=3600,
            Statistics=["Sum", "SampleCount", "Minimum", "Maximum"],
        )["Datapoints"]
        assert len(found) < 2, found
        return dict(found[0]) if found else {}

    def wait_for(self, metric: str, total: float, count: int, **dimensions: str) -> dict[str, Any]:
        def there() -> dict[str, Any]:
            found = self.statistics(metric, **dimensions)
            assert (found.get("Sum"), found.get("SampleCount")) == (total, count), found
            return found

        return eventually(there)


@pytest.fixture
def metrics(stack: Stack) -> Iterator[Metrics]:
    one = Metrics(stack)
    yield one
    for group in one.groups:
        one.logs.delete_log_group(logGroupName=group)


def test_a_filter_counts_the_events_of_its_group_alone(metrics: Metrics) -> None:
    mine, other = metrics.group(), metrics.group()
    metrics.count(mine, "errors", "ERROR")
    metrics.count(other, "others", "ERROR", "3.5")

    metrics.write(other, "ERROR in another group")
    metrics.wait_for("others", 3.5, 1)
    metrics.write(mine, "ERROR", "fine", "ERROR again")

    metrics.wait_for("errors", 2, 2)
    metrics.wait_for("others", 3.5, 1)


def test_lines_of_a_function_are_counted(metrics: Metrics) -> None:
    code = "def handler(event, context): print('ERROR', event['n'])"
    function, other = metrics.stack.create(code), metrics.stack.create(code)
    group = f"/aws/lambda/{function}"
    metrics.logs.create_log_group(logGroupName=group)
    metrics.count(group, "errors", "ERROR")
    metrics.count(group, "n", "[level = ERROR, n]", "$n")

    metrics.stack.invoke(other, {"n": 100})
    for number in (1, 2, 3):
        metrics.stack.invoke(function, {"n": number})

    metrics.wait_for("errors", 3, 3)
    metrics.wait_for("n", 6, 3)


def test_values_are_fields_of_json_and_of_lines(metrics: Metrics) -> None:
    group = metrics.group()
    metrics.count(group, "latency", "{ $.lat = * }", "$.lat", unit="Milliseconds")
    metrics.count(group, "nested", "{ $.lat = * }", "$.sizes[1]")
    metrics.count(group, "bytes", "[..., status = 2*, bytes]", "$bytes", unit="Bytes")

    metrics.write(group, *(json.dumps({"lat": lat, "sizes": [0, 4]}) for lat in (12.5, 7, "slow")))
    metrics.write(group, APACHE.format(200, 1534), APACHE.format(404, 9), APACHE.format(204, 6))

    latency = metrics.wait_for("latency", 19.5, 2)
    assert (latency["Minimum"], latency["Maximum"], latency["Unit"]) == (7, 12.5, "Milliseconds")
    assert metrics.wait_for("bytes", 1540, 2)["Unit"] == "Bytes"
    assert metrics.wait_for("nested", 12, 3)["Unit"] == "None"


def test_dimensions_are_fields_of_the_event(metrics: Metrics) -> None:
    group = metrics.group()
    dimensions = {"Route": "$.route", "Code": "$.code"}
    metrics.count(group, "calls", "{ $.lat = * }", "$.lat", dimensions=dimensions)

    metrics.write(
        group,
        '{"lat": 1, "route": "/a", "code": 200}',
        '{"lat": 2, "route": "/a", "code": 200}',
        '{"lat": 4, "route": "/b", "code": 500}',
        '{"lat": 8, "route": "/b"}',
    )

    metrics.wait_for("calls", 3, 2, Route="/a", Code="200")
    metrics.wait_for("calls", 4, 1, Route="/b", Code="500")
    assert metrics.statistics("calls") == {}
    now = datetime.now(UTC)
    metric = {
        "Namespace": metrics.namespace,
        "MetricName": "calls",
        "Dimensions": [{"Name": "Code", "Value": "200"}, {"Name": "Route", "Value": "/a"}],
    }
    (result,) = metrics.cloudwatch.get_metric_data(
        MetricDataQueries=[
            {"Id": "q", "MetricStat": {"Metric": metric, "Period": 3600, "Stat": "Average"}}
        ],
        StartTime=now - timedelta(minutes=30),
        EndTime=now + timedelta(minutes=30),
    )["MetricDataResults"]
    assert result["Values"] == [1.5]


def test_a_dimension_may_be_any_text(metrics: Metrics) -> None:
    group, path = metrics.group(), "/a?b=c&d='%_é"
    metrics.count(group, "calls", "{ $.path = * }", dimensions={"Path": "$.path"})

    metrics.write(group, json.dumps({"path": path}))

    metrics.wait_for("calls", 1, 1, Path=path)
    (listed,) = metrics.cloudwatch.list_metrics(Namespace=metrics.namespace)["Metrics"]
    assert listed["Dimensions"] == [{"Name": "Path", "Value": path}]


def test_the_default_value_comes_when_no_event_matches(metrics: Metrics) -> None:
    group = metrics.group()
    metrics.count(group, "quiet", "ERROR", defaultValue=0.25, unit="Count")
    metrics.count(group, "loud", "fine", defaultValue=0.25)
    metrics.count(group, "absent", "ERROR")

    # In a minute that is over: the default value comes with its end.
    metrics.write(group, "fine", "fine", ago_s=300)

    assert metrics.wait_for("quiet", 0.25, 1)["Unit"] == "Count"
    metrics.wait_for("loud", 2, 2)
    assert metrics.statistics("absent") == {}


def test_a_change_of_a_filter_counts_at_once(metrics: Metrics) -> None:
    group = metrics.group()
    metrics.count(group, "errors", "ERROR", name="f")
    metrics.count(group, "all", "")
    metrics.write(group, "ERROR WARN")
    metrics.count(group, "errors", "WARN", "10", name="f")  # in place of the first one
    metrics.write(group, "ERROR", "WARN")
    described = metrics.logs.describe_metric_filters(logGroupName=group)["metricFilters"]
    metrics.logs.delete_metric_filter(logGroupName=group, filterName="f")
    metrics.write(group, "WARN")

    metrics.wait_for("all", 4, 4)
    metrics.wait_for("errors", 11, 2)
    assert [one["filterName"] for one in described] == ["all", "f"]
    assert (described[1]["filterPattern"], described[1]["creationTime"] > 0) == ("WARN", True)
    with pytest.raises(ClientError, match="The specified metric filter does not exist"):
        metrics.logs.delete_metric_filter(logGroupName=group, filterName="f")


def test_filters_end_with_their_group(metrics: Metrics) -> None:
    group = metrics.group()
    metrics.count(group, "errors", "ERROR")
    metrics.logs.delete_log_group(logGroupName=group)
    metrics.logs.create_log_group(logGroupName=group)
    metrics.logs.create_log_stream(logGroupName=group, logStreamName="s")
    metrics.count(group, "all", "")

    metrics.write(group, "ERROR")

    metrics.wait_for("all", 1, 1)
    assert metrics.statistics("errors") == {}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"filterPattern": "foo-bar"}, "quote it"),
        ({"filterName": "a:b"}, "filterName"),
        ({"logGroupName": "/nobody"}, "log group does not exist"),
        ({"metricTransformations": []}, "length equal to 1"),
        ({"applyOnTransformedLogs": True}, "applyOnTransformedLogs is not part of this stack"),
        ({"metricValue": "many"}, "metric value many must be a valid number"),
        ({"dimensions": {"a": "$.a"}, "defaultValue": 0}, "mutually exclusive properties"),
    ],
)
def test_what_cannot_be_is_refused(metrics: Metrics, change: dict[str, Any], sentence: str) -> None:
    of_filter = {key: value for key, value in change.items() if key[0] in "fla" or key[6:7] == "T"}
    transformation = {
        "metricName": "m",
        "metricNamespace": metrics.namespace,
        "metricValue": "1",
        **{key: value for key, value in change.items() if key not in of_filter},
    }
    request = {
        "logGroupName": metrics.group(),
        "filterName": "f",
        "filterPattern": "{ $.a = 1 }",
        "metricTransformations": [transformation],
        **of_filter,
    }

    with pytest.raises(ClientError, match=sentence):
        metrics.logs.put_metric_filter(**request)


def test_fields_of_lines_are_extracted(metrics: Metrics) -> None:
    tested = metrics.logs.test_metric_filter(
        filterPattern="[..., status = 4*, bytes]",
        logEventMessages=[APACHE.format(200, 1), APACHE.format(404, 9)],
    )

    (match,) = tested["matches"]
    assert match["eventNumber"] == 2
    assert (match["extractedValues"]["$status"], match["extractedValues"]["$3"]) == ("404", "frank")
