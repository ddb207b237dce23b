"""SQS `brand-notifications` → `notify_brand`: partial batches, three receives, then the DLQ."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest

from tests.support.waiting import eventually


def message(email: str, **changes: Any) -> str:
    body = {"brandId": "acme", "eventType": "BrandUpdated", "notifyEmail": email, **changes}
    return json.dumps(body)


def an_address() -> str:
    return f"{uuid.uuid4().hex[:12]}@acme.example"


def test_a_message_becomes_one_mail(aws, mails):
    sqs, address = aws("sqs"), an_address()
    url = sqs.get_queue_url(QueueName="brand-notifications")["QueueUrl"]

    sqs.send_message(QueueUrl=url, MessageBody=message(address))

    (mail,) = eventually(lambda: mails(address))
    assert mail["Source"] == "notifications@brand-platform.example"


@pytest.fixture
def queues(aws: Callable[[str], Any], cleanup: ExitStack) -> tuple[str, str]:
    """A queue and a dead-letter queue of the test's own, with the shipped mapping's settings.

    Only the waiting is shorter: one second of visibility and no batch window.
    """
    sqs, functions = aws("sqs"), aws("lambda")
    shipped_url = sqs.get_queue_url(QueueName="brand-notifications")["QueueUrl"]
    shipped = sqs.get_queue_attributes(QueueUrl=shipped_url, AttributeNames=["All"])["Attributes"]
    redrive = json.loads(shipped["RedrivePolicy"])
    mapping = functions.list_event_source_mappings(
        EventSourceArn=shipped["QueueArn"], FunctionName="notify_brand"
    )["EventSourceMappings"][0]

    name = f"test-{uuid.uuid4().hex[:12]}"
    dlq = sqs.create_queue(QueueName=f"{name}-dlq")["QueueUrl"]
    cleanup.callback(sqs.delete_queue, QueueUrl=dlq)
    dlq_arn = sqs.get_queue_attributes(QueueUrl=dlq, AttributeNames=["QueueArn"])["Attributes"]
    url = sqs.create_queue(
        QueueName=name,
        Attributes={
            "VisibilityTimeout": shipped["VisibilityTimeout"],
            "RedrivePolicy": json.dumps({**redrive, "deadLetterTargetArn": dlq_arn["QueueArn"]}),
        },
    )["QueueUrl"]
    cleanup.callback(sqs.delete_queue, QueueUrl=url)
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    made = functions.create_event_source_mapping(
        EventSourceArn=arn["QueueArn"],
        FunctionName="notify_brand",
        BatchSize=mapping["BatchSize"],
        FunctionResponseTypes=mapping["FunctionResponseTypes"],
    )
    cleanup.callback(functions.delete_event_source_mapping, UUID=made["UUID"])
    eventually(lambda: functions.get_event_source_mapping(UUID=made["UUID"])["State"] == "Enabled")
    # The mapping is refused below the function's time-out; the queue may be changed later.
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "1"})
    return url, dlq


def test_one_bad_message_never_hurts_its_neighbours(aws, queues, mails):
    sqs = aws("sqs")
    url, dlq = queues
    good = [an_address() for _ in range(4)]
    bad = json.dumps({"brandId": "acme", "notifyEmail": "not an address", "mark": an_address()})
    bodies = [message(good[0]), message(good[1]), bad, message(good[2]), message(good[3])]

    sqs.send_message_batch(
        QueueUrl=url,
        Entries=[{"Id": str(n), "MessageBody": body} for n, body in enumerate(bodies)],
    )

    def dead() -> list[dict[str, Any]]:
        return sqs.receive_message(
            QueueUrl=dlq, WaitTimeSeconds=1, MessageSystemAttributeNames=["All"]
        ).get("Messages", [])

    (letter,) = eventually(dead)
    assert letter["Body"] == bad
    # Three receives by the function, and this one.
    assert letter["Attributes"]["ApproximateReceiveCount"] == "4"
    assert [len(mails(address)) for address in good] == [1, 1, 1, 1]
    left = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert left["ApproximateNumberOfMessages"] == "0"
    assert left["ApproximateNumberOfMessagesNotVisible"] == "0"


def test_a_message_delivered_twice_is_mailed_once(aws, function_event, mails):
    address = an_address()
    event = function_event(message(address))
    for _ in range(2):
        answer = aws("lambda").invoke(FunctionName="notify_brand", Payload=json.dumps(event))
        assert json.loads(answer["Payload"].read()) == {"batchItemFailures": []}
    assert len(mails(address)) == 1


@pytest.fixture
def function_event() -> Callable[[str], dict[str, Any]]:
    """An event as Lambda's poller hands it over (AWS Lambda, "Amazon SQS event")."""

    def build(body: str) -> dict[str, Any]:
        return {
            "Records": [
                {
                    "messageId": str(uuid.uuid4()),
                    "receiptHandle": "handle",
                    "body": body,
                    "attributes": {
                        "ApproximateReceiveCount": "1",
                        "SentTimestamp": "0",
                        "SenderId": "000000000000",
                        "ApproximateFirstReceiveTimestamp": "0",
                    },
                    "messageAttributes": {},
                    "md5OfBody": "",
                    "eventSource": "aws:sqs",
                    "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:brand-notifications",
                    "awsRegion": "us-east-1",
                }
            ]
        }

    return build


def test_the_shipped_queue_gives_up_after_three_receives(aws):
    sqs = aws("sqs")
    url = sqs.get_queue_url(QueueName="brand-notifications")["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    redrive = json.loads(attributes["RedrivePolicy"])
    assert attributes["VisibilityTimeout"] == "65"
    assert int(redrive["maxReceiveCount"]) == 3
    dlq_name = redrive["deadLetterTargetArn"].rsplit(":", 1)[-1]
    dlq = sqs.get_queue_url(QueueName=dlq_name)["QueueUrl"]
    kept = sqs.get_queue_attributes(QueueUrl=dlq, AttributeNames=["MessageRetentionPeriod"])
    assert (dlq_name, kept["Attributes"]["MessageRetentionPeriod"]) == (
        "brand-notifications-dlq",
        "1209600",
    )
