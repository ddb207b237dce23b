"""Each use of a brand is counted once, however often its record arrives and in what batch."""

from __future__ import annotations

import base64
import json
import threading
from concurrent.futures import ThreadPoolExecutor

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
        table = boto3.resource(
            "dynamodb",
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        ).create_table(
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
        monkeypatch.setattr(count_usage, "counters", table)
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


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_any_repetition_of_a_shards_records_counts_each_once(counters, data):
    """Deliveries begin anywhere that was reached before, as a shard is read in order."""
    brand = f"b{data.draw(st.integers(0, 10**9))}-{threading.get_ident()}-{id(data)}"
    reached = 0
    for _ in range(data.draw(st.integers(1, 6))):
        begin = data.draw(st.integers(1, reached + 1))
        end = data.draw(st.integers(begin, begin + 5))
        numbers = [str(number) for number in range(begin, end + 1)]
        count(counters, (brand, HOUR, "shard"), numbers)
        reached = max(reached, end)

    assert counted(counters, brand) == reached


def test_two_deliveries_at_the_same_time_count_once(counters):
    numbers = [str(number) for number in range(1, 11)]
    with ThreadPoolExecutor(4) as pool:
        new = list(pool.map(lambda _: count(counters, ("acme", HOUR, "s"), numbers), range(4)))

    assert sorted(new) == [0, 0, 0, 10]
    assert counted(counters) == 10
