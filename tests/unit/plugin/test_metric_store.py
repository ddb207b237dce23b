"""The metrics of one request are stored in one transaction, as LocalStack stores each."""

from __future__ import annotations

import contextlib
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from localstack.services.cloudwatch import cloudwatch_database_helper as helper
from localstack.services.cloudwatch.cloudwatch_database_helper import CloudwatchDatabase

from trigger_stack.localstack import metric_store

AT = datetime(2026, 1, 1, tzinfo=UTC)
QUEUE = [{"Name": "QueueName", "Value": "one"}]
TWO = [{"Name": "b", "Value": "2"}, {"Name": "a", "Value": "1"}]
#: Each form of a ``MetricDatum``.
METRICS: list[dict[str, Any]] = [
    {"MetricName": "one", "Dimensions": QUEUE, "Timestamp": AT, "Unit": "Count", "Value": 1.5},
    {"MetricName": "zero", "Timestamp": AT, "Value": 0.0},
    {"MetricName": "values", "Dimensions": TWO, "Timestamp": AT, "Values": [1.0, 2.0]},
    {"MetricName": "counts", "Timestamp": AT, "Values": [1.0, 2.0], "Counts": [3.0, 1.0]},
    {"MetricName": "none", "Timestamp": AT, "Values": []},
    {
        "MetricName": "statistics",
        "Timestamp": AT,
        "StorageResolution": 1,
        "StatisticValues": {"SampleCount": 2, "Sum": 3, "Minimum": 1, "Maximum": 2},
    },
]


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CloudwatchDatabase:
    monkeypatch.setattr(CloudwatchDatabase, "CLOUDWATCH_DATA_ROOT", str(tmp_path))
    monkeypatch.setattr(CloudwatchDatabase, "METRICS_DB", str(tmp_path / "metrics.db"))
    return CloudwatchDatabase()


def stored(database: CloudwatchDatabase) -> list[tuple[Any, ...]]:
    """All rows, which are deleted."""
    rows: list[tuple[Any, ...]] = []
    with contextlib.closing(sqlite3.connect(database.METRICS_DB)) as connection, connection:
        for table in ("SINGLE_METRICS", "AGGREGATED_METRICS"):
            rows += [row[1:] for row in connection.execute(f"SELECT * FROM {table} ORDER BY id")]
            connection.execute(f"DELETE FROM {table}")
    return rows


def connections(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Grows with each connection that LocalStack opens."""
    opened: list[Any] = []
    connect = sqlite3.connect

    def count(*arguments: Any, **named: Any) -> Any:
        opened.append(arguments)
        return connect(*arguments, **named)

    monkeypatch.setattr(helper.sqlite3, "connect", count)
    return opened


def test_the_rows_are_those_of_localstack(database: CloudwatchDatabase) -> None:
    data: Any = METRICS
    database.add_metric_data("0", "us-east-1", "Mine", data)
    theirs = stored(database)

    metric_store.add_metric_data(database, "0", "us-east-1", "Mine", data)

    assert len(theirs) == 9
    assert stored(database) == theirs


def test_a_metric_without_a_time_is_of_now(database: CloudwatchDatabase) -> None:
    before = int(datetime.now(UTC).timestamp())

    metric_store.add_metric_data(database, "0", "x", "Mine", [{"MetricName": "a", "Value": 1.0}])

    ((*_, at, dimensions, _unit, _resolution, value),) = stored(database)
    assert before <= at <= datetime.now(UTC).timestamp()
    assert (dimensions, value) == (None, 1.0)


def test_one_transaction(database: CloudwatchDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = connections(monkeypatch)

    metric_store.add_metric_data(database, "0", "us-east-1", "Mine", METRICS)

    assert len(opened) == 1


def test_localstack_takes_one_for_each(
    database: CloudwatchDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, LocalStack does it by itself, and the patch can go."""
    opened = connections(monkeypatch)
    data: Any = METRICS

    database.add_metric_data("0", "us-east-1", "Mine", data)

    assert len(opened) == 5
