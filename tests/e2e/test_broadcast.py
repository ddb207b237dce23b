"""Bus → topic → two queues, one filtered → `index_brand`, `archive_brand`."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from tests.support.waiting import eventually

ARCHIVE = "brand-archive-bucket"


def archived(aws, brand_id: str) -> list[dict[str, Any]]:
    """The updates of a brand in the archive, oldest first."""
    s3 = aws("s3")
    found = s3.list_objects_v2(Bucket=ARCHIVE, Prefix=f"{brand_id}/").get("Contents", [])
    return [json.loads(s3.get_object(Bucket=ARCHIVE, Key=o["Key"])["Body"].read()) for o in found]


def indexed(aws, brand_id: str) -> dict[str, Any] | None:
    key = {"brandId": {"S": brand_id}}
    answer = aws("dynamodb").get_item(TableName="brand_index", Key=key, ConsistentRead=True)
    return answer.get("Item")


def test_an_update_reaches_both_and_one_without_a_name_the_archive_alone(
    aws, put_brand, brand_id, brand_body, logs_of
):
    assert put_brand(brand_id, brand_body).status_code == 201
    eventually(lambda: indexed(aws, brand_id))
    changed = brand_body | {"colors": {"primary": "#ff0000"}}
    assert put_brand(brand_id, changed).status_code == 200

    def both() -> list[dict[str, Any]]:
        found = archived(aws, brand_id)
        assert len(found) == 2, found
        return found

    first, second = eventually(both)
    assert first["detail"]["changes"]["name"] == "Acme"
    assert set(second["detail"]["changes"]) == {"colors"}
    item = indexed(aws, brand_id)
    assert item is not None
    assert item["searchName"]["S"] == "acme"
    assert item["updatedAt"]["S"] == first["detail"]["updatedAt"]
    eventually(lambda: logs_of("index_brand", brand_id))  # it says which brand it has indexed
    assert len(logs_of("index_brand", brand_id)) == 1, "the filter keeps the second update away"


@pytest.mark.parametrize("name", ["index", "archive"])
def test_a_bad_message_is_dead_lettered_as_the_shipped_queue_has_it(aws, cleanup, name):
    """A queue of the test's own with the shipped settings, but for a visibility of one second."""
    sqs, functions, own = aws("sqs"), aws("lambda"), f"test-{uuid.uuid4().hex[:12]}"
    shipped_url = sqs.get_queue_url(QueueName=f"brand-{name}")["QueueUrl"]
    shipped = sqs.get_queue_attributes(QueueUrl=shipped_url, AttributeNames=["All"])["Attributes"]
    redrive = json.loads(shipped["RedrivePolicy"])
    assert redrive["deadLetterTargetArn"].endswith(f":brand-{name}-dlq")
    urls, arns = {}, {}
    for kind in ("dlq", "queue"):
        urls[kind] = sqs.create_queue(QueueName=f"{own}-{kind}")["QueueUrl"]
        cleanup.callback(sqs.delete_queue, QueueUrl=urls[kind])
        attributes = sqs.get_queue_attributes(QueueUrl=urls[kind], AttributeNames=["QueueArn"])
        arns[kind] = attributes["Attributes"]["QueueArn"]
    policy = json.dumps({**redrive, "deadLetterTargetArn": arns["dlq"]})
    sqs.set_queue_attributes(QueueUrl=urls["queue"], Attributes={"RedrivePolicy": policy})
    made = functions.create_event_source_mapping(
        EventSourceArn=arns["queue"],
        FunctionName=f"{name}_brand",
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )
    cleanup.callback(functions.delete_event_source_mapping, UUID=made["UUID"])
    eventually(lambda: functions.get_event_source_mapping(UUID=made["UUID"])["State"] == "Enabled")
    sqs.set_queue_attributes(QueueUrl=urls["queue"], Attributes={"VisibilityTimeout": "1"})

    sqs.send_message(QueueUrl=urls["queue"], MessageBody=f"no update {own}")

    def dead() -> list[dict[str, Any]]:
        return sqs.receive_message(
            QueueUrl=urls["dlq"], WaitTimeSeconds=1, MessageSystemAttributeNames=["All"]
        ).get("Messages", [])

    (letter,) = eventually(dead)
    assert letter["Body"] == f"no update {own}"
    assert letter["Attributes"]["ApproximateReceiveCount"] == "4", "three receives, and this one"
