"""DynamoDB stream → function, through a table and a function of the test's own."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.waiting import eventually


@pytest.fixture
def streamed(aws, cleanup, function) -> Callable[..., Any]:
    """Makes a table with a stream, and a mapping to a function with this code."""

    def make(code: str, **mapping: Any) -> tuple[str, str]:
        dynamodb, functions, table = aws("dynamodb"), aws("lambda"), f"t-{uuid.uuid4().hex[:10]}"
        dynamodb.create_table(
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
        cleanup.callback(dynamodb.delete_table, TableName=table)
        arn = dynamodb.describe_table(TableName=table)["Table"]["LatestStreamArn"]
        name = function(code).rpartition(":")[2]
        group = f"/aws/lambda/{name}"
        aws("logs").create_log_group(logGroupName=group)  # else it comes with the first event
        cleanup.callback(aws("logs").delete_log_group, logGroupName=group)
        made = functions.create_event_source_mapping(
            EventSourceArn=arn,
            FunctionName=name,
            **{"StartingPosition": "TRIM_HORIZON", **mapping},
        )
        cleanup.callback(functions.delete_event_source_mapping, UUID=made["UUID"])
        return table, name

    return make


SHOW = """
import json
def handler(event, context):
    for record in event["Records"]:
        print(json.dumps({"record": record}))
"""


def records(logs_of: Callable[[str, str], list[str]], function: str) -> list[dict[str, Any]]:
    return [json.loads(line)["record"] for line in logs_of(function, '"record"')]


def test_each_change_of_an_item_arrives_in_order(aws, streamed, logs_of):
    table, function = streamed(SHOW)
    dynamodb = aws("dynamodb")
    dynamodb.put_item(TableName=table, Item={"id": {"S": "1"}, "data": {"B": b"\x00\x01"}})
    dynamodb.update_item(
        TableName=table,
        Key={"id": {"S": "1"}},
        UpdateExpression="SET n = :n",
        ExpressionAttributeValues={":n": {"N": "5"}},
    )
    dynamodb.delete_item(TableName=table, Key={"id": {"S": "1"}})

    def arrived() -> list[dict[str, Any]]:
        found = records(logs_of, function)
        assert len(found) == 3, found
        return found

    found = eventually(arrived)
    assert [one["eventName"] for one in found] == ["INSERT", "MODIFY", "REMOVE"]
    insert, modify, remove = (one["dynamodb"] for one in found)
    assert insert["Keys"] == {"id": {"S": "1"}}
    assert insert["NewImage"] == {"id": {"S": "1"}, "data": {"B": "AAE="}}
    assert modify["OldImage"] == insert["NewImage"]
    assert modify["NewImage"]["n"] == {"N": "5"}
    assert remove["OldImage"] == modify["NewImage"]
    assert "NewImage" not in remove
    first = found[0]
    assert (first["eventSource"], first["eventVersion"]) == ("aws:dynamodb", "1.1")
    assert f"table/{table}/stream/" in first["eventSourceARN"]
    assert first["eventSourceARN"].startswith("arn:aws:dynamodb:us-east-1:000000000000:")
    assert isinstance(insert["ApproximateCreationDateTime"], float | int)
    numbers = [int(one["dynamodb"]["SequenceNumber"]) for one in found]
    assert numbers == sorted(numbers)


def test_a_filter_lets_new_items_through(aws, streamed, logs_of):
    pattern = json.dumps({"eventName": ["INSERT"], "dynamodb": {"Keys": {"id": {"S": ["yes"]}}}})
    table, function = streamed(SHOW, FilterCriteria={"Filters": [{"Pattern": pattern}]})
    for name in ("no", "yes"):
        aws("dynamodb").put_item(TableName=table, Item={"id": {"S": name}})
    aws("dynamodb").delete_item(TableName=table, Key={"id": {"S": "yes"}})
    aws("dynamodb").put_item(TableName=table, Item={"id": {"S": "yes"}, "last": {"BOOL": True}})

    def arrived() -> list[dict[str, Any]]:
        found = records(logs_of, function)
        assert len(found) == 2, found
        return found

    found = eventually(arrived)
    assert all(one["dynamodb"]["Keys"]["id"]["S"] == "yes" for one in found)
    assert found[1]["dynamodb"]["NewImage"]["last"] == {"BOOL": True}


def test_a_poison_item_is_found_by_halves_and_ends_at_the_destination(
    aws, streamed, logs_of, cleanup
):
    sqs = aws("sqs")
    url = sqs.create_queue(QueueName=f"q-{uuid.uuid4().hex[:10]}")["QueueUrl"]
    cleanup.callback(sqs.delete_queue, QueueUrl=url)
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    table, function = streamed(
        SHOW
        + """
    if any(one["dynamodb"]["Keys"]["id"]["S"] == "bad" for one in event["Records"]):
        raise ValueError("poison")
    print(json.dumps({"done": [one["dynamodb"]["Keys"]["id"]["S"] for one in event["Records"]]}))
""",
        MaximumRetryAttempts=0,
        BisectBatchOnFunctionError=True,
        DestinationConfig={"OnFailure": {"Destination": arn["QueueArn"]}},
    )
    requests = [{"PutRequest": {"Item": {"id": {"S": name}}}} for name in ("a", "bad", "c", "d")]
    aws("dynamodb").batch_write_item(RequestItems={table: requests})

    def handled() -> bool:
        lines = logs_of(function, '"done"')
        done = [name for line in lines for name in json.loads(line)["done"]]
        assert sorted(done) == ["a", "c", "d"], done
        return True

    eventually(handled)
    received = eventually(
        lambda: sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages"), seconds=20
    )
    document = json.loads(received[0]["Body"])
    assert document["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert document["DDBStreamBatchInfo"]["batchSize"] == 1
    assert f"table/{table}/stream/" in document["DDBStreamBatchInfo"]["streamArn"]
