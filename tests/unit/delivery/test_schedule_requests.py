"""What EventBridge Scheduler refuses of a request, and what it says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from trigger_stack.services.errors import ServiceError
from trigger_stack.services.scheduler.universal import UnknownOperationError, action, operation
from trigger_stack.services.scheduler.validation import check_schedule

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ROLE = "arn:aws:iam::123456789012:role/service-role/scheduler"
QUEUE = "arn:aws:sqs:us-east-1:123456789012:q"
BUS = "arn:aws:events:us-east-1:123456789012:event-bus/b"
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:f"
STREAM = "arn:aws:kinesis:us-east-1:123456789012:stream/s"
UNIVERSAL = "arn:aws:scheduler:::aws-sdk:"


def check(target: dict[str, Any] | None = None, **changes: Any) -> None:
    request = {
        "Name": "s",
        "ScheduleExpression": "rate(1 day)",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {"Arn": QUEUE, "RoleArn": ROLE, **(target or {})},
        **changes,
    }
    check_schedule(request, NOW, lambda service: "not here" if service == "ec2" else None)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"ScheduleExpression": "at(2020-01-01T00:00:00)"},
        {"StartDate": NOW - timedelta(minutes=4), "EndDate": NOW + timedelta(days=1)},
        {"FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 1440}},
        {"ScheduleExpressionTimezone": "America/Argentina/Buenos_Aires"},
        {"target": {"Arn": FUNCTION, "Input": "[1]"}},
        {"target": {"Arn": f"{QUEUE}.fifo", "SqsParameters": {"MessageGroupId": "g"}}},
        {"target": {"Arn": BUS, "EventBridgeParameters": {"DetailType": "d", "Source": "s"}}},
        {"target": {"Arn": STREAM, "KinesisParameters": {"PartitionKey": "p"}}},
        {"target": {"Arn": f"{UNIVERSAL}eventbridge:putEvents", "Input": "{}"}},
        {
            "target": {
                "RetryPolicy": {"MaximumRetryAttempts": 0},
                "DeadLetterConfig": {"Arn": QUEUE},
            }
        },
    ],
)
def test_what_is_accepted(changes: dict[str, Any]) -> None:
    check(**changes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"Name": "a b"}, "'a b' at 'name' failed to satisfy constraint"),
        ({"ScheduleExpression": None}, "null at 'scheduleExpression'"),
        ({"ScheduleExpression": "cron(0 0 * * *)"}, "Invalid Schedule Expression cron"),
        ({"ScheduleExpressionTimezone": "CET/x"}, "Invalid Schedule Expression Timezone CET/x"),
        ({"State": "PAUSED"}, "'PAUSED' at 'state'"),
        ({"ActionAfterCompletion": "STOP"}, "'STOP' at 'actionAfterCompletion'"),
        ({"FlexibleTimeWindow": None}, "null at 'flexibleTimeWindow'"),
        ({"FlexibleTimeWindow": {}}, "null at 'flexibleTimeWindow.mode'"),
        ({"FlexibleTimeWindow": {"Mode": "FLEXIBLE"}}, "must be set"),
        ({"FlexibleTimeWindow": {"Mode": "OFF", "MaximumWindowInMinutes": 5}}, "must not be set"),
        ({"FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 1441}}, "1440"),
        ({"StartDate": NOW - timedelta(minutes=6)}, "cannot be earlier than 5 minutes ago"),
        ({"EndDate": NOW}, "cannot be in the past"),
        ({"StartDate": NOW + timedelta(2), "EndDate": NOW + timedelta(1)}, "before the EndDate"),
        ({"Target": None}, "null at 'target'"),
        ({"target": {"Arn": None}}, "null at 'target.arn'"),
        ({"target": {"RoleArn": None}}, "null at 'target.roleArn'"),
        ({"target": {"RoleArn": "role"}}, "'role' at 'target.roleArn'"),
        ({"target": {"RetryPolicy": {"MaximumRetryAttempts": 186}}}, "185"),
        ({"target": {"RetryPolicy": {"MaximumEventAgeInSeconds": 59}}}, "60"),
        ({"target": {"DeadLetterConfig": {"Arn": f"{QUEUE}.fifo"}}}, "deadLetterConfig"),
        ({"target": {"Arn": "queue"}}, "Provided Arn is not in correct format"),
        ({"target": {"Arn": f"{QUEUE}.fifo"}}, "MessageGroupId must be specified"),
        ({"target": {"SqsParameters": {"MessageGroupId": "g"}}}, "for a FIFO queue"),
        ({"target": {"Arn": BUS}}, "EventBridgeParameters must be specified"),
        ({"target": {"Arn": STREAM}}, "KinesisParameters must be specified"),
        ({"target": {"KinesisParameters": {"PartitionKey": "p"}}}, "must not be specified"),
        ({"target": {"Arn": FUNCTION, "Input": "{"}}, "must be JSON"),
        ({"target": {"Arn": "arn:aws:ecs:us-east-1:123456789012:cluster/c"}}, "not part of this"),
        ({"target": {"Arn": f"{UNIVERSAL}ec2:startInstances"}}, "not here"),
        ({"target": {"Arn": f"{UNIVERSAL}sqs:sendMessage", "Input": "[]"}}, "JSON object"),
        ({"target": {"Arn": f"{UNIVERSAL}sqs:receiveMessage"}}, "only reads"),
    ],
)
def test_what_is_refused_by_its_shape(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ServiceError) as caught:
        check(**changes)

    assert said in caught.value.message
    assert (caught.value.code, caught.value.status) == ("ValidationException", 400)


def test_the_names_of_a_universal_target() -> None:
    assert operation(f"{UNIVERSAL}sqs:sendMessage") == ("sqs", "SendMessage")
    assert operation(f"{UNIVERSAL}eventbridge:putEvents") == ("events", "PutEvents")
    assert operation(f"{UNIVERSAL}sfn:startExecution") == ("stepfunctions", "StartExecution")


@pytest.mark.parametrize(
    ("called", "needed"),
    [
        ("sqs:sendMessage", "sqs:SendMessage"),
        ("sqs:sendMessageBatch", "sqs:SendMessage"),
        ("lambda:invoke", "lambda:InvokeFunction"),
        ("sfn:startExecution", "states:StartExecution"),
        ("cloudwatchlogs:putLogEvents", "logs:PutLogEvents"),
        ("sesv2:sendEmail", "ses:SendEmail"),
        ("cognitoidentityprovider:adminCreateUser", "cognito-idp:AdminCreateUser"),
    ],
)
def test_the_action_that_a_universal_target_needs(called: str, needed: str) -> None:
    assert action(f"{UNIVERSAL}{called}") == needed


@pytest.mark.parametrize(
    "arn", ["sqs", "sqs:", "sqs:SendMessage", "sqs:fly", "no-such:doIt", "../x:doIt", ":doIt"]
)
def test_a_universal_target_that_is_none(arn: str) -> None:
    with pytest.raises(UnknownOperationError):
        operation(f"{UNIVERSAL}{arn}")
