"""A statistic is of one metric: of the values that have exactly its dimensions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from localstack.services.cloudwatch.cloudwatch_database_helper import CloudwatchDatabase

from trigger_stack.localstack import metric_queries
from trigger_stack.localstack.metric_queries import has_dimensions

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
FUNCTION = [{"Name": "FunctionName", "Value": "get"}]


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CloudwatchDatabase:
    file = tmp_path / "metrics.db"
    for name, value in (
        ("CLOUDWATCH_DATA_ROOT", str(tmp_path)),
        ("METRICS_DB", str(file)),
        ("METRICS_DB_READ_ONLY", f"file:{file}?mode=ro"),
    ):
        monkeypatch.setattr(CloudwatchDatabase, name, value)
    return CloudwatchDatabase()


def put(
    database: CloudwatchDatabase, *dimensions: tuple[str, str], at_s: int = 0, **value: Any
) -> None:
    data = {
        "MetricName": "Errors",
        "Dimensions": [{"Name": name, "Value": one} for name, one in dimensions],
        "Timestamp": BEGIN + timedelta(seconds=at_s),
        "Unit": "Count",
        **(value or {"Value": 1.0}),
    }
    database.add_metric_data("0", "us-east-1", "AWS/Lambda", [data])  # type: ignore[list-item]  # as it is sent


def ask(query: Any, database: CloudwatchDatabase, dimensions: Any = FUNCTION, **more: Any) -> Any:
    metric = {"Namespace": "AWS/Lambda", "MetricName": "Errors", "Dimensions": list(dimensions)}
    stat = {"Metric": metric, "Period": 60, "Stat": "Sum", **more}
    end = BEGIN + timedelta(minutes=5)
    found = query(
        database, "0", "us-east-1", {"MetricStat": stat}, BEGIN, end, "TimestampAscending"
    )
    minutes = [int(one - BEGIN.timestamp()) // 60 for one in found["timestamps"]]
    return list(zip(minutes, found["values"], strict=True))


NEIGHBOURS = [
    [("FunctionName", "get_brand")],
    [("FunctionName", "Get")],
    [("FunctionName", "forget")],
    [("FunctionName", "get"), ("Resource", "get:1")],
    [],
]


@pytest.mark.parametrize("neighbour", NEIGHBOURS)
def test_other_dimensions_are_another_metric(database: CloudwatchDatabase, neighbour: Any) -> None:
    put(database, ("FunctionName", "get"))
    put(database, *neighbour)

    assert ask(metric_queries._statistics, database) == [(0, 1.0)]


def test_localstack_still_takes_them_for_one(database: CloudwatchDatabase) -> None:
    """When this fails, this module can go."""
    put(database, ("FunctionName", "get"))
    put(database, ("FunctionName", "get_brand"))
    original = getattr(CloudwatchDatabase, "get_metric_data_stat")  # noqa: B009  LocalStack's own
    if original is metric_queries._statistics:
        pytest.fail("the patch is installed in this process: LocalStack's own is hidden")

    assert ask(original, database) == [(0, 2.0)]


@pytest.mark.parametrize(
    ("statistic", "values"),
    [
        ("Sum", [(0, 21.0), (2, 4.0)]),
        ("SampleCount", [(0, 6.0), (2, 1.0)]),
        ("Average", [(0, 3.5), (2, 4.0)]),
        ("Minimum", [(0, 1.0), (2, 4.0)]),
        ("Maximum", [(0, 9.0), (2, 4.0)]),
    ],
)
def test_statistics_of_periods(
    database: CloudwatchDatabase, statistic: str, values: list[tuple[int, float]]
) -> None:
    one = ("FunctionName", "get")
    put(database, one, at_s=0, Value=1.0)
    put(
        database,
        one,
        at_s=59,
        StatisticValues={"SampleCount": 5, "Sum": 20, "Minimum": 2, "Maximum": 9},
    )
    put(database, one, at_s=120, Value=4.0)
    put(database, one, at_s=300, Value=100.0)

    assert ask(metric_queries._statistics, database, Stat=statistic) == values


def test_a_unit_and_no_dimensions(database: CloudwatchDatabase) -> None:
    put(database)
    put(database, Unit="Seconds", Value=7.0)

    assert ask(metric_queries._statistics, database, [], Unit="Seconds") == [(0, 7.0)]
    assert ask(metric_queries._statistics, database, []) == [(0, 8.0)]
    assert ask(metric_queries._statistics, database) == []


def test_a_list_has_those_with_all_dimensions() -> None:
    metric = {"dimensions": [{"Name": "FunctionName", "Value": "get"}, {"Name": "R", "Value": "x"}]}

    assert has_dimensions(metric, FUNCTION)
    assert has_dimensions(metric, [{"Name": "R"}])
    assert not has_dimensions(metric, [{"Name": "FunctionName", "Value": "ge"}])
    assert not has_dimensions({"dimensions": None}, FUNCTION)
