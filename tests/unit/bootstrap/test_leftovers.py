"""Resources that left the file: triggers go, data stays, and `make up` names both."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws
from test_services import DLQ, MotoContext

from bootstrap.definition.document import Document
from bootstrap.deploy import Deployment, apply
from bootstrap.errors import DeployError
from bootstrap.services.base import Context
from bootstrap.settings import Settings
from bootstrap.template import Resource, Template

QUEUE = Resource("Queue", "AWS::SQS::Queue", {"QueueName": "q"}, ("Queue",), ())
RULE = Resource(
    "Hourly",
    "AWS::Events::Rule",
    {
        "Name": "hourly",
        "ScheduleExpression": "rate(1 hour)",
        "Targets": [{"Id": "one", "Arn": DLQ}],
    },
    ("Hourly",),
    (),
)


REMINDER = Resource(
    "Reminder",
    "AWS::Scheduler::Schedule",
    {
        "ScheduleExpression": "rate(1 hour)",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {"Arn": DLQ, "RoleArn": "arn:aws:iam::123456789012:role/r"},
    },
    ("Reminder",),
    (),
)


@pytest.fixture
def context() -> Iterator[Context]:
    with mock_aws(config={"core": {"service_whitelist": None}}):
        boto3.client("sqs", region_name="us-east-1").create_queue(QueueName="dlq")
        yield MotoContext(Settings(4566, 8080, "us-east-1"), "shop")


def run(context: Context, *resources: Resource) -> Deployment:
    lines: dict[tuple[str | int, ...], int] = {(r.logical_id,): 1 for r in resources}
    made = Template("shop", "us-east-1", "test", Document(Path("serverless.yml"), {}, lines))
    for resource in resources:
        made.add(resource)
    return apply(made, context, lambda resource, outcome: None)


def rules(context: Context) -> list[Any]:
    return [rule["Name"] for rule in context.client("events").list_rules()["Rules"]]


def test_a_trigger_is_removed_with_a_sentence(context: Context) -> None:
    run(context, QUEUE, RULE)

    (leftover,) = run(context, QUEUE).leftovers

    assert rules(context) == []
    assert str(leftover) == "removed Hourly (AWS::Events::Rule): it is no longer described"
    assert run(context, QUEUE).leftovers == []


def test_a_schedule_is_a_trigger_and_a_rule_without_a_name_is_found_again(
    context: Context,
) -> None:
    nameless = Resource(
        "Nameless", RULE.type, {k: v for k, v in RULE.properties.items() if k != "Name"}, (), ()
    )
    run(context, QUEUE, REMINDER, nameless)
    scheduler = context.client("scheduler")
    assert [one["Name"] for one in scheduler.list_schedules()["Schedules"]] == ["shop-Reminder"]
    assert rules(context) == ["shop-Nameless"]

    run(context, QUEUE)

    assert scheduler.list_schedules()["Schedules"] == []
    assert rules(context) == []


def test_a_queue_stays_and_each_run_says_how_to_delete_it(context: Context) -> None:
    run(context, QUEUE, RULE)

    for _ in range(2):
        (leftover,) = run(context, RULE).leftovers
        assert str(leftover).startswith("kept Queue (AWS::SQS::Queue): no longer described; ")
        assert "awslocal sqs delete-queue" in str(leftover)
    assert len(context.client("sqs").list_queues(QueueNamePrefix="q")["QueueUrls"]) == 1


def test_what_somebody_else_made_is_not_touched(context: Context) -> None:
    context.client("events").put_rule(Name="by-hand", ScheduleExpression="rate(1 day)")
    run(context, RULE)

    run(context, QUEUE)

    assert rules(context) == ["by-hand"]


def test_a_failed_run_removes_nothing_and_the_next_one_does(context: Context) -> None:
    run(context, QUEUE, RULE)
    table = {
        "TableName": "broken",
        "AttributeDefinitions": [{"AttributeName": "other", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "BillingMode": "PAY_PER_REQUEST",
    }
    broken = Resource("Table", "AWS::DynamoDB::Table", table, ("Table",), ())

    with pytest.raises(DeployError):
        run(context, QUEUE, broken)
    assert rules(context) == ["hourly"]

    assert len(run(context, QUEUE).leftovers) == 1
    assert rules(context) == []
