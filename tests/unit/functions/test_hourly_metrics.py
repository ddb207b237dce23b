"""One row an hour, with every page counted, the same however often it runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from function_fakes import FakeTable, client_error

from functions.get_brand.usage import usage_record
from functions.hourly_metrics import handler as hourly_metrics
from functions.hourly_metrics.summary import last_full_hour


@pytest.fixture
def metrics(monkeypatch):
    table = FakeTable("brandId", "recordId", page_size=10)
    monkeypatch.setattr(hourly_metrics, "metrics", table)
    return table


@pytest.fixture
def summaries(monkeypatch):
    table = FakeTable("hour")
    monkeypatch.setattr(hourly_metrics, "summaries", table)
    return table


def reads(table, brand_id, hour, count):
    """`count` reads within `hour` UTC, as get_brand records them."""
    for minute in range(count):
        moment = datetime(2026, 11, 23, hour, minute, tzinfo=UTC)
        table.put_item(Item=usage_record(brand_id, "request", moment))


def test_all_pages_of_the_last_full_hour_are_counted_and_no_other_hour(
    metrics, summaries, event, context
):
    reads(metrics, "acme", 5, 23)
    reads(metrics, "globex", 5, 4)
    reads(metrics, "acme", 4, 7)
    reads(metrics, "acme", 6, 7)

    hourly_metrics.handler(event("eventbridge-scheduled"), context)

    (row,) = summaries.items.values()
    assert row.pop("generatedAt").endswith("Z")
    assert row == {"hour": "2026-11-23T05Z", "total": 27, "byBrand": {"acme": 23, "globex": 4}}
    assert len(metrics.queries) == 3
    assert {query["IndexName"] for query in metrics.queries} == {"by-hour"}


def test_a_second_run_counts_nothing_twice(metrics, summaries, event, context):
    reads(metrics, "acme", 5, 3)

    hourly_metrics.handler(event("eventbridge-scheduled"), context)
    hourly_metrics.handler(event("eventbridge-scheduled"), context)

    (row,) = summaries.items.values()
    assert row["total"] == 3


def test_an_hour_without_reads_has_its_row_too(metrics, summaries, event, context):
    hourly_metrics.handler(event("eventbridge-scheduled"), context)

    (row,) = summaries.items.values()
    assert (row["total"], row["byBrand"]) == (0, {})


@pytest.mark.parametrize("failing", ["metrics", "summaries"])
def test_a_failure_is_raised(failing, metrics, summaries, event, context):
    table = {"metrics": metrics, "summaries": summaries}[failing]
    table.fail_with = client_error("InternalServerError")

    with pytest.raises(type(table.fail_with)):
        hourly_metrics.handler(event("eventbridge-scheduled"), context)
    assert not summaries.items


@pytest.mark.parametrize("time", ["", "yesterday", "2026-11-23T06:07:12"])
def test_a_time_that_is_none_or_has_no_zone_is_raised(time, metrics, summaries, event, context):
    with pytest.raises(ValueError):
        hourly_metrics.handler(event("eventbridge-scheduled") | {"time": time}, context)
    assert not summaries.items


@pytest.mark.parametrize(
    ("moment", "hour"),
    [
        (datetime(2026, 11, 23, 6, 0, tzinfo=UTC), "2026-11-23T05Z"),
        (datetime(2026, 11, 23, 6, 59, 59, tzinfo=UTC), "2026-11-23T05Z"),
        (datetime(2027, 1, 1, 0, 30, tzinfo=UTC), "2026-12-31T23Z"),
        (datetime(2026, 11, 23, 6, 10, tzinfo=timezone(timedelta(hours=5.5))), "2026-11-22T23Z"),
    ],
)
def test_the_last_full_hour_is_the_one_before(moment, hour):
    assert last_full_hour(moment) == hour
