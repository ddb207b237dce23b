"""Table → pipe → FIFO queue → `mirror_brand`: order, failures, the queue's dead letters."""

from __future__ import annotations

import json
import uuid
from typing import Any

from tests.support.waiting import eventually

BUCKET = "brand-archive-bucket"
QUEUE = "brand-mirror.fifo"


def mirrored(aws, brand_id: str) -> dict[str, Any] | None:
    """The object of a brand, when there is one."""
    s3 = aws("s3")
    try:
        found = s3.get_object(Bucket=BUCKET, Key=f"current/{brand_id}.json")
    except s3.exceptions.NoSuchKey:
        return None
    return json.loads(found["Body"].read())


def test_the_mirror_has_the_last_of_many_changes(aws, put_brand, brand_id, brand_body):
    for number in range(8):
        answer = put_brand(brand_id, brand_body | {"name": f"Acme {number}"})
        assert answer.status_code in {200, 201}

    def last() -> bool:
        brand = mirrored(aws, brand_id)
        assert brand and brand["name"] == "Acme 7", brand
        return True

    eventually(last)


def test_a_bad_message_holds_back_its_group_until_it_is_dead(aws, cleanup):
    """A queue of the test's own with the shipped settings, but for a visibility of one second."""
    sqs, functions, own = aws("sqs"), aws("lambda"), f"test-{uuid.uuid4().hex[:12]}"
    shipped_url = sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"]
    shipped = sqs.get_queue_attributes(QueueUrl=shipped_url, AttributeNames=["All"])["Attributes"]
    redrive = json.loads(shipped["RedrivePolicy"])
    assert redrive["deadLetterTargetArn"].endswith(":brand-mirror-dlq.fifo")
    urls, arns = {}, {}
    for kind in ("dlq", "queue"):
        urls[kind] = sqs.create_queue(
            QueueName=f"{own}-{kind}.fifo", Attributes={"FifoQueue": "true"}
        )["QueueUrl"]
        cleanup.callback(sqs.delete_queue, QueueUrl=urls[kind])
        attributes = sqs.get_queue_attributes(QueueUrl=urls[kind], AttributeNames=["QueueArn"])
        arns[kind] = attributes["Attributes"]["QueueArn"]
    policy = json.dumps({**redrive, "deadLetterTargetArn": arns["dlq"]})
    sqs.set_queue_attributes(QueueUrl=urls["queue"], Attributes={"RedrivePolicy": policy})
    made = functions.create_event_source_mapping(
        EventSourceArn=arns["queue"],
        FunctionName="mirror_brand",
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )
    cleanup.callback(functions.delete_event_source_mapping, UUID=made["UUID"])
    eventually(lambda: functions.get_event_source_mapping(UUID=made["UUID"])["State"] == "Enabled")
    sqs.set_queue_attributes(QueueUrl=urls["queue"], Attributes={"VisibilityTimeout": "1"})

    def send(group: str, *bodies: str) -> None:
        for number, body in enumerate(bodies):
            sqs.send_message(
                QueueUrl=urls["queue"],
                MessageBody=body,
                MessageGroupId=group,
                MessageDeduplicationId=f"{group}-{number}",
            )

    send(own, f"no record {own}", changed(own))
    send(f"{own}-other", changed(f"{own}-other"))

    assert eventually(lambda: mirrored(aws, f"{own}-other")), "another group goes on"
    here = aws("s3").list_objects_v2(Bucket=BUCKET, Prefix=f"current/{own}.json")
    assert here["KeyCount"] == 0, "the message behind the bad one waits"

    def dead() -> list[dict[str, Any]]:
        return sqs.receive_message(QueueUrl=urls["dlq"], WaitTimeSeconds=1).get("Messages", [])

    (letter,) = eventually(dead)
    assert letter["Body"] == f"no record {own}"
    assert eventually(lambda: mirrored(aws, own)), "then its group goes on"


def changed(brand_id: str) -> str:
    """A record of the table's stream, as the pipe sends it."""
    key = {"brandId": {"S": brand_id}}
    return json.dumps({"eventName": "MODIFY", "dynamodb": {"Keys": key, "NewImage": key}})
