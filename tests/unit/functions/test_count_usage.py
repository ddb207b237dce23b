"""Each use of a brand is counted once, however often its record arrives and in what batch."""

from __future__ import annotations

import base64
import json
import uuid

import boto3
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto import mock_aws

from functions.count_usage import handler as count_usage
from functions.count_usage.usage import count

HOUR = "2026-11-23T05Z"
ARRIVED = 1795412400.25


@pytest.fixture
def counters(monkeypatch):
    with mock_aws():
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        resource = boto3.resource("dynamodb", region_name="us-east-1", **keys)
        resource.create_table(
            TableName="idempotency",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        )
        table = resource.create_table(
            TableName="brand_usage",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": "brandId", "AttributeType": "S"},
                {"AttributeName": "hour", "AttributeType": "S"},
            ],
            KeySchema=[
                {"AttributeName": "brandId", "KeyType": "HASH"},
                {"AttributeName": "hour", "KeyType": "RANGE"},
            ],
        )
        client = boto3.client("dynamodb", region_name="us-east-1", **keys)
        monkeypatch.setattr(count_usage, "dynamodb", client)
        yield table


def counted(table, brand_id="acme"):
    item = table.get_item(Key={"brandId": brand_id, "hour": HOUR}).get("Item", {})
    return int(item.get("count", 0))


def event_of(*records, shard="shardId-000000000000", first=1):
    """An event with one record for each data, numbered from ``first``."""
    return {
        "Records": [
            {
                "kinesis": {
                    "kinesisSchemaVersion": "1.0",
                    "partitionKey": "k",
                    "sequenceNumber": str(number),
                    "data": base64.b64encode(
                        data if isinstance(data, bytes) else json.dumps(data).encode()
                    ).decode(),
                    "approximateArrivalTimestamp": ARRIVED,
                },
                "eventSource": "aws:kinesis",
                "eventVersion": "1.0",
                "eventID": f"{shard}:{number}",
                "eventName": "aws:kinesis:record",
                "invokeIdentityArn": "arn:aws:iam::000000000000:role/r",
                "awsRegion": "us-east-1",
                "eventSourceARN": "arn:aws:kinesis:us-east-1:000000000000:stream/brand-usage",
            }
            for number, data in enumerate(records, first)
        ]
    }


def test_records_are_counted_for_their_brand_and_hour(counters, context):
    acme, globex = {"brandId": "acme"}, {"brandId": "globex"}

    response = count_usage.handler(event_of(acme, globex, acme), context)

    assert response == {"batchItemFailures": []}
    assert counted(counters) == 2
    assert counted(counters, "globex") == 1
    item = counters.get_item(Key={"brandId": "acme", "hour": HOUR})["Item"]
    assert item["expiresAt"] > ARRIVED


def test_the_same_batch_twice_counts_once(counters, context):
    batch = event_of({"brandId": "acme"}, {"brandId": "acme"})

    count_usage.handler(batch, context)
    count_usage.handler(batch, context)
    count_usage.handler(event_of({"brandId": "acme"}, first=2), context)
    count_usage.handler(event_of({"brandId": "acme"}, first=3), context)

    assert counted(counters) == 3


def test_shards_are_counted_by_themselves(counters, context):
    count_usage.handler(event_of({"brandId": "acme"}, first=9), context)
    count_usage.handler(event_of({"brandId": "acme"}, shard="shardId-000000000001"), context)

    assert counted(counters) == 2


@pytest.mark.parametrize(
    "bad", [b"no json", b"\xff", [1], {}, {"brandId": 5}, {"brandId": "not a brand!"}]
)
def test_the_records_before_a_bad_one_are_counted_and_it_is_reported(
    counters, context, logged, bad
):
    lines = logged(count_usage)
    good = {"brandId": "acme"}

    response = count_usage.handler(event_of(good, bad, good), context)

    assert response == {"batchItemFailures": [{"itemIdentifier": "2"}]}
    assert counted(counters) == 1
    assert len(lines.at("WARNING")) == 1


def add(brand, ids):
    return count(count_usage.dynamodb, count_usage.tables, (brand, HOUR), ids)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.lists(st.integers(1, 30), unique=True), max_size=6))
def test_any_repetition_in_any_order_counts_each_record_once(counters, deliveries):
    brand = f"b{uuid.uuid4().hex}"
    for numbers in deliveries:
        add(brand, [f"{brand}:{number}" for number in numbers])

    assert counted(counters, brand) == len({n for numbers in deliveries for n in numbers})


def test_a_record_that_was_given_up_counts_when_it_is_sent_back(counters, context):
    """Later records of its shard were counted meanwhile."""
    count_usage.handler(event_of({"brandId": "acme"}, first=7), context)

    count_usage.handler(event_of({"brandId": "acme"}, first=3), context)

    assert counted(counters) == 2


def test_more_records_than_a_transaction_has(counters):
    ids = [f"s:{number}" for number in range(250)]

    assert add("acme", ids) == 250
    assert add("acme", [*ids[::2], "s:new"]) == 1
    assert counted(counters) == 251
