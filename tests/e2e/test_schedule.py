"""Schedules → `hourly_metrics`."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.e2e.running import bootstrap
from tests.support.waiting import eventually


def record_usage(aws: Any, brand_id: str, when: datetime, count: int) -> None:
    for _ in range(count):
        stamp = when.isoformat(timespec="microseconds")
        aws("dynamodb").put_item(
            TableName="brand_metrics",
            Item={
                "brandId": {"S": brand_id},
                "recordId": {"S": f"{stamp}#{uuid.uuid4().hex}"},
                "hour": {"S": when.strftime("%Y-%m-%dT%HZ")},
                "recordedAt": {"S": stamp},
            },
        )


def test_the_schedule_writes_the_last_full_hours_summary(aws, brand_id):
    now = datetime.now(UTC)
    last = now - timedelta(hours=1)
    record_usage(aws, brand_id, last, 3)
    record_usage(aws, brand_id, now, 2)

    for _ in range(2):  # Twice: safe to run twice, and the hour may have turned in between.
        fired = bootstrap("fire-schedule", "hourly-metrics")
        assert fired.returncode == 0, fired.stderr

    def counted() -> str | None:
        item = (
            aws("dynamodb")
            .get_item(
                TableName="brand_metrics_hourly",
                Key={"hour": {"S": last.strftime("%Y-%m-%dT%HZ")}},
            )
            .get("Item", {})
        )
        return item.get("byBrand", {}).get("M", {}).get(brand_id, {}).get("N")

    assert eventually(counted) == "3"


def test_a_schedule_whose_function_fails_ends_in_hourly_metrics_dlq(
    aws, cleanup, dead_letters, logs_of
):
    events = aws("events")
    name = f"test-{uuid.uuid4().hex[:12]}"
    payload = {"id": str(uuid.uuid4()), "time": "this is no time", "detail": {}}
    functions = aws("lambda")
    function = functions.get_function(FunctionName="hourly_metrics")
    rule = events.put_rule(Name=name, ScheduleExpression="rate(1 day)")
    statement = {"FunctionName": "hourly_metrics", "StatementId": name}
    functions.add_permission(
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=rule["RuleArn"],
        **statement,
    )
    cleanup.callback(functions.remove_permission, **statement)
    cleanup.callback(events.delete_rule, Name=name)
    target = {
        "Id": "metrics",
        "Arn": function["Configuration"]["FunctionArn"],
        "Input": json.dumps(payload),
    }
    events.put_targets(Rule=name, Targets=[target])
    cleanup.callback(events.remove_targets, Rule=name, Ids=["metrics"])

    fired = bootstrap("fire-schedule", name)
    assert fired.returncode == 0, fired.stderr

    record = json.loads(dead_letters("hourly-metrics-dlq", payload["id"], 40)["Body"])
    assert record["requestPayload"] == payload
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 3
    request_id = record["requestContext"]["requestId"]
    eventually(lambda: len(logs_of("hourly_metrics", f"START RequestId: {request_id}")) == 3)


@pytest.mark.parametrize("rule", ["", "no-such-rule"])
def test_an_unknown_rule_is_wrong_use(aws, rule):
    fired = bootstrap("fire-schedule", rule)
    assert fired.returncode == 2
    assert "hourly-metrics" in fired.stderr
