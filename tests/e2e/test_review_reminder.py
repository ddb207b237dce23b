"""EventBridge Scheduler → `brand_review_reminder`, set by `put_brand`."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from tests.e2e.running import bootstrap
from tests.support.waiting import eventually

GROUP = "brand-review-reminders"


def due(schedule):
    """When a one-time schedule fires."""
    return datetime.fromisoformat(schedule["ScheduleExpression"][3:-1]).replace(tzinfo=UTC)


def subjects(mails, address):
    return [mail["Subject"] for mail in mails(address)]


def test_each_put_replaces_the_brands_one_reminder(aws, brand_id, brand_body, put_brand):
    scheduler = aws("scheduler")
    assert put_brand(brand_id, brand_body).status_code == 201
    first = scheduler.get_schedule(Name=brand_id, GroupName=GROUP)
    days = timedelta(days=30)

    assert (
        days - timedelta(minutes=1) < due(first) - datetime.now(UTC) < days + timedelta(seconds=2)
    )
    eventually(lambda: datetime.now(UTC) + days > due(first))
    assert put_brand(brand_id, brand_body).status_code == 200
    second = scheduler.get_schedule(Name=brand_id, GroupName=GROUP)

    assert due(second) > due(first)
    assert second["ActionAfterCompletion"] == "DELETE"
    names = [
        one["Name"]
        for page in scheduler.get_paginator("list_schedules").paginate(GroupName=GROUP)
        for one in page["Schedules"]
    ]
    assert names.count(brand_id) == 1
    shown = bootstrap("clock")
    assert f"{GROUP}/{brand_id}" in shown.stdout


def test_a_reminder_that_is_due_mails_the_contact_and_its_schedule_is_deleted(
    aws, brand_id, brand_body, put_brand, mails, journal
):
    """The brand's own schedule, brought forward: the clock is everybody's, and is not moved."""
    scheduler = aws("scheduler")
    put_brand(brand_id, brand_body)
    schedule = scheduler.get_schedule(Name=brand_id, GroupName=GROUP)
    clock = datetime.fromisoformat(bootstrap("clock").stdout.split()[0])
    soon = clock + timedelta(seconds=5)
    keys = ("Name", "GroupName", "FlexibleTimeWindow", "ActionAfterCompletion", "Target")
    scheduler.update_schedule(
        **{key: schedule[key] for key in keys},
        ScheduleExpression=f"at({soon:%Y-%m-%dT%H:%M:%S})",
    )

    def gone():
        with pytest.raises(ClientError, match="does not exist"):
            scheduler.get_schedule(Name=brand_id, GroupName=GROUP)
        return True

    address = brand_body["contactEmail"]
    found = eventually(lambda: subjects(mails, address))
    assert found == [f"Please review: {brand_id}"]
    eventually(gone)
    (tick,) = journal.find(source=schedule["Arn"], kind="schedule tick")
    assert tick["state"] == "done"
    events = journal.trace(tick["id"])["events"]
    assert {one["kind"] for one in events} >= {"schedule tick"}
    assert not [one for one in events if one["state"] == "lost"]


def test_a_reminder_can_be_fired_by_name(brand_id, brand_body, put_brand, mails):
    put_brand(brand_id, brand_body)

    fired = bootstrap("fire-schedule", brand_id)

    assert fired.returncode == 0, fired.stderr
    assert "function:brand_review_reminder" in fired.stdout.replace("\n", "")
    eventually(lambda: subjects(mails, brand_body["contactEmail"]))


def test_a_brand_that_was_deleted_gets_no_mail(
    api, aws, brand_id, brand_body, put_brand, mails, logs_of
):
    import requests

    put_brand(brand_id, brand_body)
    assert requests.delete(f"{api}/brand/{brand_id}", timeout=30).status_code == 204

    assert bootstrap("fire-schedule", f"{GROUP}/{brand_id}").returncode == 0

    def passed_over():
        lines = logs_of("brand_review_reminder", brand_id)
        return [line for line in lines if "No such brand any longer" in line]

    eventually(passed_over)
    assert "Please review" not in " ".join(subjects(mails, brand_body["contactEmail"]))


def test_what_the_function_cannot_handle_ends_in_its_dead_letter_queue(
    aws, cleanup, dead_letters, journal
):
    scheduler, name = aws("scheduler"), f"test-{uuid.uuid4().hex[:12]}"
    function = aws("lambda").get_function(FunctionName="brand_review_reminder")
    role = aws("iam").get_role(RoleName="brand-platform-local-review-reminder")
    scheduler.create_schedule(
        Name=name,
        GroupName=GROUP,
        ScheduleExpression="rate(30 days)",
        StartDate=datetime.now(UTC) + timedelta(days=20),
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={
            "Arn": function["Configuration"]["FunctionArn"],
            "RoleArn": role["Role"]["Arn"],
            "Input": json.dumps({"brandId": name.upper()}),
        },
    )
    cleanup.callback(scheduler.delete_schedule, Name=name, GroupName=GROUP)

    assert bootstrap("fire-schedule", name).returncode == 0

    letter = json.loads(dead_letters("brand-review-reminder-dlq", name.upper(), 40)["Body"])
    assert letter["requestPayload"] == {"brandId": name.upper()}
    assert letter["responsePayload"]["errorType"] == "BadReminderError"


def test_status_lists_schedules_and_receipt_rules(brand_id, brand_body, put_brand):
    put_brand(brand_id, brand_body)

    shown = bootstrap("status")

    assert shown.returncode == 0, shown.stderr
    assert "next by the clock" in shown.stdout
    assert "of the schedules brand-review-reminders" in " ".join(shown.stdout.split())
    assert "hourly-metrics" in shown.stdout
    assert "receipt rule set brand-platform" in shown.stdout
    assert "receipt rule logo-by-mail" in " ".join(shown.stdout.split())


def test_what_the_scheduler_cannot_hand_over_comes_back_by_redrive(aws, cleanup, journal, role):
    """The target is made after its schedule has failed: a redrive finds it."""
    scheduler, sqs, name = aws("scheduler"), aws("sqs"), f"test-{uuid.uuid4().hex[:12]}"
    dead = sqs.create_queue(QueueName=f"{name}-dlq")["QueueUrl"]
    cleanup.callback(sqs.delete_queue, QueueUrl=dead)
    target = "arn:aws:sqs:us-east-1:000000000000:" + name
    scheduler.create_schedule(
        Name=name,
        ScheduleExpression="rate(30 days)",
        StartDate=datetime.now(UTC) + timedelta(days=20),
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={
            "Arn": target,
            "RoleArn": role("scheduler"),
            "Input": name,
            "DeadLetterConfig": {"Arn": f"{target}-dlq"},
        },
    )
    cleanup.callback(scheduler.delete_schedule, Name=name)
    assert bootstrap("fire-schedule", f"default/{name}").returncode == 0
    arn = scheduler.get_schedule(Name=name)["Arn"]
    eventually(lambda: journal.find(source=arn, kind="schedule tick", state="dead-letter"))
    assert f"schedule default/{name}" in "".join(bootstrap("dlq", f"{name}-dlq").stdout.split("\n"))

    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    cleanup.callback(sqs.delete_queue, QueueUrl=url)
    redriven = bootstrap("redrive", f"{name}-dlq")

    assert redriven.returncode == 0, redriven.stdout + redriven.stderr
    (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"]
    assert message["Body"] == name
