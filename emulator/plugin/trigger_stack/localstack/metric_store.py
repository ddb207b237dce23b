"""The values of a request to CloudWatch are stored together.

What: ``CloudwatchDatabase.add_metric_data`` stores all metrics of a request in one transaction.
Why: LocalStack opens its database and commits for each metric, which takes 2 to 5 ms. A second of
traffic has a dozen metrics, and 50 queues have 150 each minute: most of what a stack at rest does.
Until: LocalStack stores a request in one transaction.
Test: ``tests/unit/plugin/test_metric_store.py``.
"""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
import time
from collections.abc import Iterable, Iterator
from typing import Any, Final

_SINGLE: Final = """
INSERT INTO SINGLE_METRICS (
    account_id, region, metric_name, namespace, timestamp, dimensions, unit, storage_resolution,
    value
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_AGGREGATED: Final = """
INSERT INTO AGGREGATED_METRICS (
    account_id, region, metric_name, namespace, timestamp, dimensions, unit, storage_resolution,
    sample_count, sum, min, max
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""


def add_metric_data(
    database: Any, account_id: str, region: str, namespace: str, metric_data: Iterable[Any]
) -> None:
    """Store the metrics of one request (CloudWatch API Reference, "PutMetricData").

    Args:
        database: LocalStack's ``CloudwatchDatabase``.
        account_id: Whose metrics they are.
        region: Where.
        namespace: For example ``AWS/SQS``.
        metric_data: ``MetricDatum`` each, with ``Value``, ``Values`` or ``StatisticValues``.
    """
    single: list[tuple[Any, ...]] = []
    aggregated: list[tuple[Any, ...]] = []
    now = int(time.time())
    for metric in metric_data:
        at = metric.get("Timestamp")
        common = (
            *(account_id, region, metric.get("MetricName"), namespace),
            database._convert_timestamp_to_unix(at) if at else now,
            database._get_ordered_dimensions_with_separator(metric.get("Dimensions")),
            *(metric.get("Unit"), metric.get("StorageResolution")),
        )
        single += [(*common, value) for value in _values(metric)]
        if some := metric.get("StatisticValues"):
            names = ("SampleCount", "Sum", "Minimum", "Maximum")
            aggregated.append((*common, *map(some.get, names)))
    with (
        database.DATABASE_LOCK,
        contextlib.closing(sqlite3.connect(database.METRICS_DB)) as connection,
        connection,
    ):
        connection.executemany(_SINGLE, single)
        connection.executemany(_AGGREGATED, aggregated)


def _values(metric: Any) -> Iterator[float]:
    """Each value as often as it was counted."""
    if (value := metric.get("Value")) is not None:
        yield value
        return
    values = metric.get("Values") or []
    for one, count in zip(values, metric.get("Counts") or [1] * len(values), strict=True):
        yield from itertools.repeat(one, int(count))


def install() -> None:
    """Patch LocalStack's CloudWatch. Idempotent."""
    from localstack.services.cloudwatch.cloudwatch_database_helper import CloudwatchDatabase

    owner: Any = CloudwatchDatabase
    owner.add_metric_data = add_metric_data
