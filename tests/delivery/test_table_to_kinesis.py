"""What LocalStack accepts for a table and does nothing for is refused."""

from __future__ import annotations

import uuid

import pytest
from botocore.exceptions import ClientError

from tests.engine.lambda_stack import Stack


def test_the_changes_of_a_table_go_to_no_kinesis_stream(stack: Stack) -> None:
    dynamodb, kinesis = stack.client("dynamodb"), stack.client("kinesis")
    name = f"test-{uuid.uuid4().hex[:8]}"
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    kinesis.create_stream(StreamName=name, ShardCount=1)
    arn = kinesis.describe_stream(StreamName=name)["StreamDescription"]["StreamARN"]

    with pytest.raises(ClientError, match="does not forward the changes of a table"):
        dynamodb.enable_kinesis_streaming_destination(TableName=name, StreamArn=arn)

    found = dynamodb.describe_kinesis_streaming_destination(TableName=name)
    assert found["KinesisDataStreamDestinations"] == []
