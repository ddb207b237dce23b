"""DynamoDB stream → `audit_brand`, Kinesis → `count_usage`: success, failure, and the way back."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.running import bootstrap
from tests.support.waiting import eventually


@pytest.fixture
def history(aws: Callable[[str], Any]) -> Callable[[str], list[dict[str, Any]]]:
    """``history(brand_id)``: the entries of a brand in ``brand_audit``, oldest first."""

    def query(brand_id: str) -> list[dict[str, Any]]:
        return aws("dynamodb").query(
            TableName="brand_audit",
            KeyConditionExpression="brandId = :b",
            ExpressionAttributeValues={":b": {"S": brand_id}},
            ConsistentRead=True,
        )["Items"]

    return query


@pytest.fixture
def uses(aws: Callable[[str], Any]) -> Callable[[str], int]:
    """``uses(brand_id)``: the sum of a brand's counters in ``brand_usage``."""

    def total(brand_id: str) -> int:
        items = aws("dynamodb").query(
            TableName="brand_usage",
            KeyConditionExpression="brandId = :b",
            ExpressionAttributeValues={":b": {"S": brand_id}},
            ConsistentRead=True,
        )["Items"]
        return sum(int(item["count"]["N"]) for item in items)

    return total


def put_usage(aws: Callable[[str], Any], *data: bytes) -> list[str]:
    """Put records in one request; their sequence numbers."""
    answer = aws("kinesis").put_records(
        StreamName="brand-usage",
        Records=[{"Data": one, "PartitionKey": "k"} for one in data],
    )
    assert answer["FailedRecordCount"] == 0
    return [one["SequenceNumber"] for one in answer["Records"]]


def test_each_change_of_a_brand_is_in_its_history(history, put_brand, brand_id, brand_body):
    assert put_brand(brand_id, brand_body).status_code == 201
    assert put_brand(brand_id, brand_body | {"name": "Acme Ltd"}).status_code == 200

    def complete() -> list[dict[str, Any]]:
        found = history(brand_id)
        assert [one["what"]["S"] for one in found][:1] == ["created"], found
        named = [one for one in found if {"S": "name"} in one["fields"]["L"]]
        assert len(named) == 2, found
        return named

    created, changed = eventually(complete)
    assert created["after"]["M"]["name"]["S"] == "Acme"
    assert changed["before"]["M"]["name"]["S"] == "Acme"
    assert changed["after"]["M"]["name"]["S"] == "Acme Ltd"
    assert changed["who"]["S"] == brand_body["contactEmail"]


def test_a_change_that_cannot_be_recorded_ends_in_audit_brand_dlq_and_others_are(
    aws, history, dead_letters, brand_id
):
    """Both are written in one request, so they are one batch: halves part them."""
    bad = f"not a brand {uuid.uuid4().hex}"
    put = [{"PutRequest": {"Item": {"brandId": {"S": name}}}} for name in (bad, brand_id)]
    aws("dynamodb").batch_write_item(RequestItems={"brands": put})
    aws("dynamodb").delete_item(TableName="brands", Key={"brandId": {"S": bad}})
    eventually(lambda: history(brand_id))

    letter = dead_letters("audit-brand-dlq", "DDBStreamBatchInfo")

    document = json.loads(letter["Body"])
    assert document["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert document["DDBStreamBatchInfo"]["batchSize"] == 1
    assert "table/brands/stream/" in document["DDBStreamBatchInfo"]["streamArn"]
    assert history(bad) == []


def test_uses_are_counted_once(aws, uses, brand_id):
    record = json.dumps({"brandId": brand_id}).encode()
    put_usage(aws, record, record, record)

    def three() -> bool:
        assert (found := uses(brand_id)) == 3, found
        return True

    eventually(three)


def test_a_bad_use_ends_in_count_usage_dlq_and_its_neighbours_are_counted(
    aws, uses, dead_letters, brand_id
):
    good = json.dumps({"brandId": brand_id}).encode()
    _, bad, _ = put_usage(aws, good, b"no json", good)

    letter = dead_letters("count-usage-dlq", bad)

    document = json.loads(letter["Body"])
    batch = document["KinesisBatchInfo"]
    assert batch["startSequenceNumber"] == batch["endSequenceNumber"] == bad
    assert document["requestContext"]["functionArn"].endswith(":count_usage")

    def both() -> bool:
        assert (found := uses(brand_id)) == 2, found
        return True

    eventually(both)


@pytest.mark.long
@pytest.mark.parametrize("fails", ["raise ValueError('not yet')", "return REPORT(event)"])
def test_a_dead_letter_of_a_stream_is_sent_back_to_its_function(
    aws, cleanup, function, logs_of, fails
):
    """`make redrive` reads the records again from where the document says they are.

    A letter whose records fail again stays, also when the function only reports them.
    """
    kinesis, sqs, functions = aws("kinesis"), aws("sqs"), aws("lambda")
    name = f"t-{uuid.uuid4().hex[:10]}"
    kinesis.create_stream(StreamName=name, ShardCount=1)
    cleanup.callback(kinesis.delete_stream, StreamName=name)
    url = sqs.create_queue(QueueName=f"{name}-dlq")["QueueUrl"]
    cleanup.callback(sqs.delete_queue, QueueUrl=url)
    dlq = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    stream = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
    arn = function(
        "import base64, os\n"
        "def REPORT(event):\n"
        "    number = event['Records'][0]['kinesis']['sequenceNumber']\n"
        "    return {'batchItemFailures': [{'itemIdentifier': number}]}\n"
        "def handler(event, context):\n"
        f"    if os.environ.get('MENDED') != 'yes': {fails}\n"
        "    for record in event['Records']:\n"
        "        print('seen', base64.b64decode(record['kinesis']['data']).decode())\n"
    )
    mapping = functions.create_event_source_mapping(
        EventSourceArn=stream["StreamARN"],
        FunctionName=arn,
        StartingPosition="TRIM_HORIZON",
        MaximumRetryAttempts=0,
        FunctionResponseTypes=["ReportBatchItemFailures"],
        DestinationConfig={"OnFailure": {"Destination": dlq["QueueArn"]}},
    )
    cleanup.callback(functions.delete_event_source_mapping, UUID=mapping["UUID"])
    records = [{"Data": data, "PartitionKey": "k"} for data in (b"one", b"two")]
    kinesis.put_records(StreamName=name, Records=records)

    def waiting() -> bool:
        found = sqs.get_queue_attributes(
            QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"]
        )["Attributes"]
        return found["ApproximateNumberOfMessages"] == "1"

    eventually(waiting)
    early = bootstrap("redrive", f"{name}-dlq")
    assert early.returncode == 1, early.stdout + early.stderr
    assert "the function failed again" in early.stdout + early.stderr
    eventually(waiting)
    functions.update_function_configuration(
        FunctionName=arn, Environment={"Variables": {"MENDED": "yes"}}
    )
    functions.get_waiter("function_updated_v2").wait(FunctionName=arn)

    done = bootstrap("redrive", f"{name}-dlq")

    assert done.returncode == 0, done.stdout + done.stderr
    lines = eventually(lambda: logs_of(arn.rpartition(":")[2], "seen"))
    assert [line.strip() for line in lines] == ["seen one", "seen two"]
    assert not waiting()
