"""An operator's commands: dead letters, redrive, a second bootstrap, the state."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
import requests

from tests.e2e.running import bootstrap
from tests.e2e.test_event_bus import BUS, put_event
from tests.support.permissions import permit
from tests.support.waiting import eventually


def test_a_second_bootstrap_changes_nothing_and_says_so(aws):
    again = bootstrap("up")
    assert again.returncode == 0, again.stderr
    assert "no changes" in again.stdout
    assert "curl -X PUT" in again.stdout


def test_status_shows_functions_triggers_and_queues(aws):
    shown = bootstrap("status")
    assert shown.returncode == 0, shown.stderr
    for word in (
        "process_logo",
        "Active",
        "brand-assets-bucket/logos/*.png",
        "brand-notifications",
    ):
        assert word in shown.stdout


@pytest.mark.long
@pytest.mark.xdist_group("letters of palettes")  # the queue is shared, and all of it goes back
def test_an_asynchronous_dead_letter_that_is_sent_back_runs_its_function_again(
    aws, settings, brand_id
):
    # GIVEN a palette that cannot be stored, because its brand is not there
    colors = {"primary": "#0b5fff"}
    event_id = put_event(aws, {"brandId": brand_id, "changes": {"colors": colors}})

    def letter() -> str | None:
        shown = bootstrap("dlq", "regenerate-palette-dlq")
        assert shown.returncode == 0, shown.stderr
        lines = shown.stdout.splitlines()
        payloads = [n for n, line in enumerate(lines) if line.startswith(" ") and brand_id in line]
        return lines[payloads[0] - 1] if payloads else None

    line = eventually(letter, every=1)
    eventually(lambda: brand_id in bootstrap("dlq").stdout, every=1)
    assert "regenerate-palette-dlq" in line
    assert "RetriesExhausted" in line

    # WHEN the brand is there, without an event that would lead to a palette, and the letter goes
    # back
    brands = aws("dynamodb")
    key = {"brandId": {"S": brand_id}}
    brands.put_item(
        TableName="brands",
        Item={**key, "name": {"S": "Acme"}, "colors": {"M": {"primary": {"S": colors["primary"]}}}},
    )
    back = bootstrap("redrive", "regenerate-palette-dlq")

    # THEN the function has run with the same event, and the letter is gone
    assert back.returncode == 0, back.stderr
    assert "sent back" in back.stdout

    def palette() -> dict[str, Any] | None:
        item = brands.get_item(TableName="brands", Key=key, ConsistentRead=True)["Item"]
        return item.get("palette")

    assert set(eventually(palette)["M"]) == {"primary"}
    eventually(lambda: brand_id not in bootstrap("dlq", "regenerate-palette-dlq").stdout, every=1)
    journal = f"{settings.endpoint_url}/_trigger_stack/events"
    wanted = {"function": "regenerate_palette", "text": event_id, "state": "done"}
    (run,) = eventually(lambda: requests.get(journal, params=wanted, timeout=30).json()["events"])
    (row,) = [
        row
        for row in requests.get(f"{journal}/{run['id']}", timeout=30).json()["events"]
        if row["id"] == run["id"]
    ]
    assert json.loads(row["payload"])["id"] == event_id


@pytest.mark.long
def test_a_rules_dead_letter_that_is_sent_back_reaches_its_target(
    aws, function, cleanup, brand_id, logs_of
):
    # GIVEN a rule whose function is not there yet, and an event that could not be delivered
    events, sqs = aws("events"), aws("sqs")
    name = f"test-{uuid.uuid4().hex[:12]}"
    dlq = sqs.create_queue(QueueName=f"{name}-dlq")["QueueUrl"]
    cleanup.callback(sqs.delete_queue, QueueUrl=dlq)
    arn = sqs.get_queue_attributes(QueueUrl=dlq, AttributeNames=["QueueArn"])["Attributes"]
    pattern = json.dumps({"detail": {"brandId": [brand_id]}})
    events.put_rule(Name=name, EventBusName=BUS, EventPattern=pattern)
    cleanup.callback(events.delete_rule, Name=name, EventBusName=BUS)
    target = {
        "Id": "late",
        "Arn": f"arn:aws:lambda:us-east-1:000000000000:function:{name}",
        "DeadLetterConfig": {"Arn": arn["QueueArn"]},
    }
    permit(aws, arn["QueueArn"])
    events.put_targets(Rule=name, EventBusName=BUS, Targets=[target])
    cleanup.callback(events.remove_targets, Rule=name, EventBusName=BUS, Ids=["late"])
    event_id = put_event(aws, {"brandId": brand_id, "changes": {}})

    def undelivered() -> bool:
        lines = bootstrap("dlq", f"{name}-dlq").stdout.splitlines()
        return any(f"{name}-dlq" in line and "NO_RESOURCE" in line for line in lines)

    eventually(undelivered, every=1)

    # WHEN the function is there and the letter goes back
    made = function("def handler(event, context): print(event['id'])", name=name)
    permit(aws, made, services=("events",))
    back = bootstrap("redrive", f"{name}-dlq")

    # THEN the function has had this event, once
    assert back.returncode == 0, back.stderr
    eventually(lambda: [line for line in logs_of(name, event_id) if line.strip() == event_id])
    assert len([line for line in logs_of(name, event_id) if line.strip() == event_id]) == 1
    assert not sqs.receive_message(QueueUrl=dlq).get("Messages")


def test_redriving_a_queue_sends_messages_back_to_their_source(aws, cleanup):
    sqs: Any = aws("sqs")
    name = f"test-{uuid.uuid4().hex[:12]}"
    dlq = sqs.create_queue(QueueName=f"{name}-dlq")["QueueUrl"]
    cleanup.callback(sqs.delete_queue, QueueUrl=dlq)
    arn = sqs.get_queue_attributes(QueueUrl=dlq, AttributeNames=["QueueArn"])["Attributes"]
    redrive = {"deadLetterTargetArn": arn["QueueArn"], "maxReceiveCount": 1}
    url = sqs.create_queue(
        QueueName=name,
        Attributes={"VisibilityTimeout": "0", "RedrivePolicy": json.dumps(redrive)},
    )["QueueUrl"]
    cleanup.callback(sqs.delete_queue, QueueUrl=url)
    sqs.send_message(
        QueueUrl=url,
        MessageBody="poison",
        MessageAttributes={"kind": {"DataType": "String", "StringValue": "test"}},
    )
    # Two receives without a delete: one more than the queue allows.
    sqs.receive_message(QueueUrl=url)
    eventually(lambda: not sqs.receive_message(QueueUrl=url).get("Messages"))

    back = bootstrap("redrive", f"{name}-dlq")

    assert back.returncode == 0, back.stderr
    (message,) = eventually(
        lambda: sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"]).get("Messages")
    )
    assert message["Body"] == "poison"
    assert message["MessageAttributes"]["kind"]["StringValue"] == "test"


def test_looking_into_no_queue_is_wrong_use(aws):
    shown = bootstrap("dlq", "no-such-queue")
    assert shown.returncode == 2
    assert "QUEUE=no-such-queue: no such queue" in shown.stderr


def test_redriving_something_else_is_wrong_use(aws):
    back = bootstrap("redrive", "brand-notifications")
    assert back.returncode == 2
    assert "brand-notifications-dlq" in back.stderr
