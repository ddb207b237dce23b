"""Statistics and alarms see the values of their own metric.

What: a provider ``cloudwatch:exact`` (LocalStack's extension point ``localstack.aws.provider``),
the default: its own provider, with ``get_metric_data_stat`` of its ``CloudwatchDatabase`` replaced,
and the answer of ``list_metrics`` sifted.
Why: LocalStack looks for dimensions by ``LIKE '%FunctionName=get%'``: a statistic or an alarm of
the function ``get`` counts ``get_brand`` and ``Get``, too, and what has more dimensions. It asks
once for each period.
Until: LocalStack compares dimensions.
Test: ``tests/delivery/test_log_metrics.py``, ``tests/unit/plugin/test_metric_queries.py``.

AWS topic: Amazon CloudWatch User Guide, "Metrics", dimensions: each set of them is a metric of its
own.
"""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from localstack import config
from localstack.runtime.hooks import on_infra_start
from localstack.services.plugins import Service, aws_provider

#: Time, values together, least, most and number of values of each row.
_ROWS = """
SELECT timestamp, value, value, value, 1 FROM SINGLE_METRICS WHERE {where}
UNION ALL
SELECT timestamp, sum, min, max, sample_count FROM AGGREGATED_METRICS WHERE {where}
"""
_WHERE = (
    "account_id = ? AND region = ? AND namespace = ? AND metric_name = ? AND dimensions IS ?"
    " AND timestamp >= ? AND timestamp < ?"
)

type Row = tuple[float, float, float, float, float]


def statistic(name: str, rows: Iterable[Row]) -> float:
    """A statistic of the values of one period.

    Args:
        name: ``SampleCount``, ``Average``, ``Sum``, ``Minimum`` or ``Maximum``.
        rows: One or more, as ``_ROWS`` selects them.
    """
    rows = list(rows)
    match name:
        case "Minimum":
            return min(least for _, _, least, _, _ in rows)
        case "Maximum":
            return max(most for _, _, _, most, _ in rows)
    total, count = sum(row[1] for row in rows), sum(row[4] for row in rows)
    return {"Sum": total, "Average": total / count}.get(name, count)


def in_periods(rows: Iterable[Row], start: float, period: float) -> dict[float, list[Row]]:
    """Rows by the begin of the period that they are in, the earliest first."""
    found: dict[float, list[Row]] = {}
    for row in rows:
        begin = start + (row[0] - start) // period * period
        found.setdefault(begin, []).append(row)
    return dict(sorted(found.items()))


def _statistics(
    database: Any,
    account_id: str,
    region: str,
    query: Any,
    start_time: datetime,
    end_time: datetime,
    scan_by: str | None,
) -> dict[str, list[Any]]:
    """``timestamps`` (seconds since 1970) and ``values`` of the periods that have any."""
    wanted = query["MetricStat"]
    metric, unit = wanted["Metric"], wanted.get("Unit")
    start = database._convert_timestamp_to_unix(start_time)
    end = database._convert_timestamp_to_unix(end_time)
    period = wanted["Period"]
    where, values = (
        _WHERE,
        [
            *(account_id, region, metric.get("Namespace"), metric.get("MetricName")),
            database._get_ordered_dimensions_with_separator(list(metric.get("Dimensions") or [])),
            # The last period counts as a whole, as LocalStack has it.
            *(start, start + -(-(end - start) // period) * period),
        ],
    )
    if unit == "NULL_VALUE":
        where += " AND unit IS NULL"
    elif unit:
        where += " AND unit = ?"
        values.append(unit)
    with (
        database.DATABASE_LOCK,
        sqlite3.connect(database.METRICS_DB_READ_ONLY, uri=True) as connection,
    ):
        # Nothing of a request is in the text of the query.
        rows = connection.execute(_ROWS.format(where=where), values * 2).fetchall()
    some = in_periods((row for row in rows if row[4]), start, period)
    found = [(begin, statistic(wanted["Stat"], one)) for begin, one in some.items()]
    if scan_by in (None, "TimestampDescending"):
        found.reverse()
    return {
        "timestamps": [begin for begin, _ in found],
        "values": [value for _, value in found],
    }


def has_dimensions(metric: dict[str, Any], filters: Iterable[dict[str, str]]) -> bool:
    """Whether a metric has all dimensions that ``ListMetrics`` asks for, some without a value."""
    own = {one["Name"]: one["Value"] for one in metric.get("dimensions") or []}
    return all(
        one["Name"] in own and one.get("Value") in (None, own[one["Name"]]) for one in filters
    )


def install() -> None:
    """Patch LocalStack's CloudWatch. Idempotent."""
    from localstack.services.cloudwatch.cloudwatch_database_helper import CloudwatchDatabase

    owner: Any = CloudwatchDatabase
    list_metrics = owner.list_metrics
    if hasattr(list_metrics, "__wrapped__"):
        return

    @functools.wraps(list_metrics)
    def list_own_metrics(
        database: Any,
        account_id: str,
        region: str,
        namespace: str,
        metric_name: str,
        dimensions: Any,
    ) -> Any:
        found = list_metrics(database, account_id, region, namespace, metric_name, dimensions)
        kept = [one for one in found["metrics"] if has_dimensions(one, dimensions or [])]
        return {**found, "metrics": kept}

    owner.list_metrics = list_own_metrics
    owner.get_metric_data_stat = _statistics


@on_infra_start(priority=800)
def choose_exact_metrics() -> None:
    """Use this provider unless a setting names another one."""
    config.SERVICE_PROVIDER_CONFIG.set_provider_if_not_exists("cloudwatch", "exact")


@aws_provider(api="cloudwatch", name="exact")
def cloudwatch() -> Service:
    """LocalStack's provider, whose metrics are told apart by their dimensions."""
    from localstack.services.cloudwatch.provider_v2 import CloudwatchProvider

    from trigger_stack.localstack import alarms, metric_store

    install()
    metric_store.install()
    alarms.install()
    return Service.for_provider(CloudwatchProvider())
