"""What is added to LocalStack's EventBridge Scheduler is still needed."""

from __future__ import annotations

import json
from typing import Any

import boto3
from botocore.exceptions import ClientError
from localstack.services.scheduler.provider import _validate_schedule_expression
from moto import mock_aws

SCHEDULE: dict[str, Any] = {
    "Name": "once",
    "GroupName": "reminders",
    "ScheduleExpression": "at(2035-01-01T00:00:00)",
    "FlexibleTimeWindow": {"Mode": "OFF"},
    "Target": {
        "Arn": "arn:aws:sqs:us-east-1:123456789012:q",
        "RoleArn": "arn:aws:iam::123456789012:role/r",
    },
}


def test_localstack_still_looks_at_the_form_of_an_expression_only() -> None:
    """When one of these fails, see what our provider still adds."""
    _validate_schedule_expression("at(2026-02-31T00:00:00)")


@mock_aws
def test_moto_still_forgets_what_comes_after_completion() -> None:
    scheduler = boto3.client("scheduler", region_name="us-east-1")
    scheduler.create_schedule_group(Name="reminders")
    scheduler.create_schedule(**SCHEDULE)
    scheduler.update_schedule(**SCHEDULE, ActionAfterCompletion="DELETE")

    found = scheduler.get_schedule(Name="once", GroupName="reminders")
    assert found.get("ActionAfterCompletion") != "DELETE"


@mock_aws
def test_moto_still_makes_a_group_that_is_there() -> None:
    scheduler = boto3.client("scheduler", region_name="us-east-1")
    scheduler.create_schedule_group(Name="reminders")
    scheduler.create_schedule(**SCHEDULE)
    scheduler.create_schedule_group(Name="reminders")

    assert scheduler.list_schedules(GroupName="reminders")["Schedules"] == []


@mock_aws
def test_moto_still_takes_any_target_and_time() -> None:
    scheduler = boto3.client("scheduler", region_name="us-east-1")
    scheduler.create_schedule_group(Name="reminders")
    wrong = json.loads(json.dumps(SCHEDULE)) | {"ScheduleExpressionTimezone": "Mars/Base"}
    try:
        scheduler.create_schedule(**wrong)
    except ClientError as error:
        raise AssertionError("it checks the time zone now") from error
