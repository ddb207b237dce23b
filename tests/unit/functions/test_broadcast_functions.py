"""`index_brand` and `archive_brand`: two queues of one topic, each with failures of its own."""

from __future__ import annotations

import json

import boto3
import pytest
from function_fakes import client_error
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws

from functions.archive_brand import handler as archive_brand
from functions.index_brand import handler as index_brand
from functions.index_brand.index import search_name
from functions.shared.updates import BadUpdateError, parse_update

KEYS = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}


def update(**detail):
    """A message body: a `BrandUpdated` as the bus sends it."""
    return {
        "version": "0",
        "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
        "detail-type": "BrandUpdated",
        "source": "brand-platform",
        "detail": {
            "brandId": "acme",
            "changes": {"name": "Acme"},
            "updatedAt": "2026-11-23T05:00:00.000000Z",
            **detail,
        },
    }


def batch_of(event, *bodies):
    """An SQS event with these bodies."""
    batch = event("sqs-notifications")
    (pattern, *_) = batch["Records"]
    batch["Records"] = [
        {
            **pattern,
            "messageId": f"m{number}",
            "body": body if isinstance(body, str) else json.dumps(body),
        }
        for number, body in enumerate(bodies)
    ]
    return batch


def failed(response):
    return [item["itemIdentifier"] for item in response["batchItemFailures"]]


@pytest.fixture
def index(monkeypatch):
    with mock_aws():
        table = boto3.resource("dynamodb", **KEYS).create_table(
            TableName="brand_index",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "brandId", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "brandId", "KeyType": "HASH"}],
        )
        monkeypatch.setattr(index_brand, "index", table)
        yield table


@pytest.fixture
def bucket(monkeypatch):
    with mock_aws():
        s3 = boto3.client("s3", **KEYS)
        s3.create_bucket(Bucket="brand-archive-bucket")
        monkeypatch.setattr(archive_brand, "s3", s3)
        yield s3


def test_a_name_is_indexed_as_one_searches_for_it(index, event, context):
    body = update(changes={"name": "  Café   ZÜRICH "})

    response = index_brand.handler(batch_of(event, body), context)

    assert failed(response) == []
    assert index.get_item(Key={"brandId": "acme"})["Item"]["searchName"] == "cafe zurich"


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (1, 0, 1, 0)])
def test_the_latest_name_wins_in_any_order(index, event, context, order):
    bodies = [
        update(changes={"name": "Old"}),
        update(changes={"name": "New"}, updatedAt="2026-11-23T05:00:00.000001Z"),
    ]

    response = index_brand.handler(batch_of(event, *(bodies[one] for one in order)), context)

    assert failed(response) == []
    assert index.get_item(Key={"brandId": "acme"})["Item"]["name"] == "New"


def deletion(**detail):
    """A message body: a `BrandDeleted` as the bus sends it."""
    body = update(**detail) | {"detail-type": "BrandDeleted"}
    del body["detail"]["changes"]
    return body


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (1, 0, 1, 0)])
def test_a_deleted_brand_is_found_no_longer_in_any_order(index, event, context, order):
    bodies = [update(), deletion(updatedAt="2026-11-23T05:00:00.000001Z")]

    response = index_brand.handler(batch_of(event, *(bodies[one] for one in order)), context)

    assert failed(response) == []
    item = index.get_item(Key={"brandId": "acme"})["Item"]
    assert item == {"brandId": "acme", "updatedAt": "2026-11-23T05:00:00.000001Z"}


def test_a_brand_made_anew_is_found_again(index, event, context):
    anew = update(updatedAt="2026-11-23T05:00:00.000002Z")
    bodies = [deletion(updatedAt="2026-11-23T05:00:00.000001Z"), anew]

    assert failed(index_brand.handler(batch_of(event, *bodies), context)) == []
    assert index.get_item(Key={"brandId": "acme"})["Item"]["searchName"] == "acme"


def test_a_deletion_is_archived_beside_the_updates(bucket, event, context):
    late = deletion(updatedAt="2026-11-23T06:00:00.000000Z")

    assert failed(archive_brand.handler(batch_of(event, update(), late), context)) == []
    keys = [one["Key"] for one in bucket.list_objects_v2(Bucket="brand-archive-bucket")["Contents"]]
    stored = bucket.get_object(Bucket="brand-archive-bucket", Key=keys[1])
    assert json.loads(stored["Body"].read()) == late


def test_every_update_is_an_object_and_the_same_one_twice_is_one(bucket, event, context):
    other = update(updatedAt="2026-11-23T06:00:00.000000Z")

    response = archive_brand.handler(batch_of(event, update(), other, update()), context)

    assert failed(response) == []
    keys = [one["Key"] for one in bucket.list_objects_v2(Bucket="brand-archive-bucket")["Contents"]]
    assert keys == [
        f"acme/2026-11-23T0{hour}:00:00.000000Z-6a7e8feb-b491-4cf7-a9f1-bf3703467718.json"
        for hour in (5, 6)
    ]
    stored = bucket.get_object(Bucket="brand-archive-bucket", Key=keys[0])
    assert json.loads(stored["Body"].read()) == update()


BAD = [
    "{not json",
    "[1]",
    {},
    {**update(), "source": "other"},
    {**update(), "detail-type": "Other"},
    {**update(), "id": None},
    {**update(), "detail": None},
    update(brandId="not a brand!"),
    update(changes=None),
    update(updatedAt="yesterday"),
]


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("function", [index_brand, archive_brand])
def test_a_bad_message_fails_alone_with_a_warning(
    index, bucket, event, context, logged, function, bad
):
    lines = logged(function)

    response = function.handler(batch_of(event, update(), bad, update()), context)

    assert failed(response) == ["m1"]
    assert len(lines.at("WARNING")) == 1


@pytest.mark.parametrize("changes", [{"colors": {}}, {"name": None}, {"name": " "}, {"name": 5}])
def test_an_update_without_a_name_is_not_indexed(index, event, context, changes):
    response = index_brand.handler(batch_of(event, update(changes=changes)), context)

    assert failed(response) == ["m0"]
    assert index.scan()["Items"] == []


@pytest.mark.parametrize(
    ("function", "client", "operation"),
    [(index_brand, "index", "put_item"), (archive_brand, "s3", "put_object")],
)
def test_a_service_that_refuses_fails_the_message_with_its_stack_trace(
    monkeypatch, index, bucket, event, context, logged, function, client, operation
):
    lines = logged(function)

    def refuse(**_):
        raise client_error("InternalError")

    monkeypatch.setattr(getattr(function, client), operation, refuse)

    response = function.handler(batch_of(event, update()), context)

    assert failed(response) == ["m0"]
    assert "exception" in lines.at("ERROR")[0]


@given(st.text())
def test_a_search_name_is_its_own_search_name(name):
    once = search_name(name)

    assert search_name(once) == once


@given(st.recursive(st.none() | st.booleans() | st.text(), st.lists, max_leaves=5))
def test_anything_else_is_a_bad_update(value):
    with pytest.raises(BadUpdateError):
        parse_update(json.dumps(value))
