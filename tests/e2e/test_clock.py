"""`make clock`: schedules fire by a clock that can be moved."""

from __future__ import annotations

import json
import uuid

import pytest

from tests.e2e.running import bootstrap
from tests.support.permissions import permit
from tests.support.waiting import eventually


def test_the_clock_shows_when_each_schedule_is_due(aws):
    shown = bootstrap("clock")

    assert shown.returncode == 0, shown.stderr
    assert "hourly-metrics" in shown.stdout


def test_what_is_due_in_between_fires(aws, cleanup):
    """Seconds only: the clock is everybody's, and no other schedule is due in them."""
    events, sqs = aws("events"), aws("sqs")
    name = f"test-{uuid.uuid4().hex[:12]}"
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    cleanup.callback(sqs.delete_queue, QueueUrl=url)
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    permit(aws, arn["QueueArn"])
    events.put_rule(Name=name, ScheduleExpression="rate(1 minute)")
    cleanup.callback(events.delete_rule, Name=name)
    events.put_targets(Rule=name, Targets=[{"Id": "1", "Arn": arn["QueueArn"]}])
    cleanup.callback(events.remove_targets, Rule=name, Ids=["1"])

    moved = bootstrap("clock", "+61s")

    assert moved.returncode == 0, moved.stderr
    (message,) = eventually(
        lambda: sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages")
    )
    assert json.loads(message["Body"])["resources"][0].endswith(f"rule/{name}")


@pytest.mark.parametrize("at", ["yesterday", "2020-01-01T00:00Z", "+1", "61"])
def test_a_time_that_is_none_is_wrong_use(aws, at):
    moved = bootstrap("clock", at)

    assert moved.returncode == 2
    assert f"AT={at}" in moved.stderr
