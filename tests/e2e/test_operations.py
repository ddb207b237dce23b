"""What an operator does: look at dead letters, send them back, create again, ask for the state."""

from __future__ import annotations

import json
import uuid
from typing import Any

from tests.e2e.test_schedule import bootstrap
from tests.support.waiting import eventually


def test_a_second_bootstrap_changes_nothing_and_says_so(aws):
    again = bootstrap("up")
    assert again.returncode == 0, again.stderr
    assert "nothing to change" in again.stdout
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


def test_a_dead_letter_is_shown_with_its_reason_and_can_be_sent_back(
    aws, api, put_brand, brand_id, brand_body
):
    import requests

    # GIVEN a palette that cannot be stored, because its brand is not there
    detail = {"brandId": brand_id, "changes": {"colors": {"primary": "#0b5fff"}}}
    aws("events").put_events(
        Entries=[
            {
                "EventBusName": "brand-platform-bus",
                "Source": "brand-platform",
                "DetailType": "BrandUpdated",
                "Detail": json.dumps(detail),
            }
        ]
    )

    def letter() -> str | None:
        shown = bootstrap("dlq")
        assert shown.returncode == 0, shown.stderr
        lines = shown.stdout.splitlines()
        payloads = [n for n, line in enumerate(lines) if line.startswith(" ") and brand_id in line]
        return lines[payloads[0] - 1] if payloads else None

    line = eventually(letter, seconds=40, every=1)
    assert "regenerate-palette-dlq" in line
    assert "RetriesExhausted" in line

    # WHEN the brand is there and the dead letters are sent back
    put_brand(brand_id, brand_body)
    eventually(lambda: "palette" in requests.get(f"{api}/brand/{brand_id}", timeout=30).json())
    back = bootstrap("redrive", "regenerate-palette-dlq")

    # THEN this one has left the queue
    assert back.returncode == 0, back.stderr
    assert "sent back" in back.stdout
    eventually(lambda: brand_id not in bootstrap("dlq").stdout, seconds=30, every=1)


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


def test_redriving_something_else_is_wrong_use(aws):
    back = bootstrap("redrive", "brand-notifications")
    assert back.returncode == 2
    assert "brand-notifications-dlq" in back.stderr
