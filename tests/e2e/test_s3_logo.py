"""S3 object events → `process_logo`."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from bootstrap.settings import Settings
from tests.support.waiting import eventually

BUCKET = "brand-assets-bucket"
SAMPLE = Path(__file__).parents[2] / "samples" / "coffee-logo.png"


@pytest.fixture
def rows(aws: Callable[[str], Any]) -> Callable[[str], list[dict[str, Any]]]:
    """``rows(brand_id)``: the brand's rows in ``brand_logos``."""

    def query(brand_id: str) -> list[dict[str, Any]]:
        return aws("dynamodb").query(
            TableName="brand_logos",
            KeyConditionExpression="brandId = :b",
            ExpressionAttributeValues={":b": {"S": brand_id}},
            ConsistentRead=True,
        )["Items"]

    return query


def upload(aws: Callable[[str], Any], key: str) -> str:
    answer = aws("s3").put_object(Bucket=BUCKET, Key=key, Body=SAMPLE.read_bytes())
    return str(answer["VersionId"])


def s3_event(key: str, version: str, size: int) -> dict[str, Any]:
    """An event as S3 sends it (Amazon S3, "Event message structure")."""
    return {
        "Records": [
            {
                "eventVersion": "2.1",
                "eventSource": "aws:s3",
                "awsRegion": "us-east-1",
                "eventTime": "2026-01-01T00:00:00.000Z",
                "eventName": "ObjectCreated:Put",
                "responseElements": {"x-amz-request-id": uuid.uuid4().hex},
                "s3": {
                    "bucket": {"name": BUCKET, "arn": f"arn:aws:s3:::{BUCKET}"},
                    "object": {
                        "key": key,
                        "size": size,
                        "eTag": "d41d8cd98f00b204e9800998ecf8427e",
                        "versionId": version,
                        "sequencer": "00",
                    },
                },
            }
        ]
    }


def announced(aws: Callable[[str], Any], seen: Callable[[], list[Any]], brand_id: str) -> int:
    """How many events about the brand there are, once a later one has arrived as well."""
    marker = uuid.uuid4().hex
    entry = {
        "EventBusName": "brand-platform-bus",
        "Source": "test",
        "DetailType": marker,
        "Detail": json.dumps({"brandId": brand_id}),
    }
    assert aws("events").put_events(Entries=[entry])["FailedEntryCount"] == 0
    eventually(lambda: marker in [event["detail-type"] for event in seen()])
    return len(seen()) - 1


def test_an_upload_becomes_a_row_with_labels(aws, rows, bus_events, brand_id):
    seen = bus_events(brand_id)
    version = upload(aws, f"logos/{brand_id}/logo one+two.png")

    (row,) = eventually(lambda: rows(brand_id))

    assert row["versionId"]["S"] == version
    assert row["key"]["S"] == f"logos/{brand_id}/logo one+two.png"
    labels = {label["M"]["name"]["S"] for label in row["labels"]["L"]}
    assert "Logo" in labels, labels
    assert row["labelModelVersion"]["S"]
    (event,) = eventually(seen)
    assert event["detail"]["changes"]["logoUrl"].endswith(f"/logos/{brand_id}/logo%20one%2Btwo.png")


def test_an_upload_outside_prefix_and_suffix_runs_nothing(aws, rows, logs_of, brand_id):
    other = f"{brand_id}-outside"
    for key in (
        f"uploads/{other}/logo.png",
        f"logos/{other}/logo.jpg",
        f"LOGOS/{other}/logo.png",
        f"logos/{other}/logo.PNG",
    ):
        aws("s3").put_object(Bucket=BUCKET, Key=key, Body=SAMPLE.read_bytes())
    # S3 announced those first: when this one has arrived, they would have.
    upload(aws, f"logos/{brand_id}/logo.png")
    eventually(lambda: rows(brand_id))
    eventually(lambda: logs_of("process_logo", brand_id))

    assert rows(other) == []
    assert logs_of("process_logo", other) == []


def test_the_same_event_twice_gives_one_result(aws, settings, rows, bus_events, brand_id):
    seen = bus_events(brand_id)
    key = f"logos/{brand_id}/logo.png"
    version = upload(aws, key)
    (first,) = eventually(lambda: rows(brand_id))
    eventually(seen)
    # S3's own event has another eTag: this one is told apart by it, so send it twice more.
    event = s3_event(key, version, SAMPLE.stat().st_size)
    event["Records"][0]["s3"]["object"]["eTag"] = first["eTag"]["S"]
    # The row is written before the function ends: until then a copy counts as work in progress.
    eventually(lambda: _states(settings, version) == ["done"])

    for _ in range(2):
        answer = aws("lambda").invoke(FunctionName="process_logo", Payload=json.dumps(event))
        assert "FunctionError" not in answer, answer["Payload"].read()

    assert rows(brand_id) == [first]
    assert announced(aws, seen, brand_id) == 1


def test_the_same_event_at_the_same_time_gives_one_result(
    aws, settings, rows, bus_events, brand_id
):
    # An object below another prefix has no event of its own: only the two below count.
    key = f"logos/{brand_id}/logo.png"
    staged = aws("s3").put_object(Bucket=BUCKET, Key=f"staged/{brand_id}.png", Body=b"x")
    assert staged["VersionId"]
    seen = bus_events(brand_id)
    version = upload(aws, key)
    (first,) = eventually(lambda: rows(brand_id))
    eventually(seen)
    # The same object, announced under a time of its own, by deliveries that overlap.
    event = s3_event(key, version, SAMPLE.stat().st_size)
    event["Records"][0]["s3"]["object"]["eTag"] = f"{uuid.uuid4().hex}"

    def deliver(_: int) -> Any:
        return aws("lambda").invoke(
            FunctionName="process_logo", InvocationType="Event", Payload=json.dumps(event)
        )["StatusCode"]

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(deliver, range(4))) == [202] * 4

    # All four copies have come to their end: then there is one announcement for S3's own event,
    # and one for the four.
    def states() -> list[str]:
        return _states(settings, event["Records"][0]["s3"]["object"]["eTag"])

    assert eventually(lambda: "pending" not in (ended := states()) and ended) == ["done"] * 4
    assert _idempotency_done(aws, event) == 1
    assert announced(aws, seen, brand_id) == 2
    (row,) = rows(brand_id)
    assert row["versionId"] == first["versionId"]


def _states(settings: Settings, text: str) -> list[str]:
    """The journal's states of process_logo's events that have a text in their payload."""
    url = f"{settings.endpoint_url}/_trigger_stack/events"
    found = requests.get(url, params={"text": text}, timeout=30).json()["events"]
    return [one["state"] for one in found if one["function"].endswith("process_logo")]


def _idempotency_done(aws: Callable[[str], Any], event: dict[str, Any]) -> int:
    """How many finished idempotency records there are for the event's object version."""
    tag = event["Records"][0]["s3"]["object"]["versionId"]
    pages = aws("dynamodb").get_paginator("scan").paginate(TableName="idempotency")
    done = 0
    for page in pages:
        for item in page["Items"]:
            # count_usage keeps its ids in this table, too: without a status.
            state = item.get("status", {}).get("S")
            if state == "COMPLETED" and tag in item.get("data", {}).get("S", ""):
                done += 1
    return done - 1


def test_a_logo_that_is_no_picture_ends_in_the_on_failure_destination(aws, dead_letters, brand_id):
    key = f"logos/{brand_id}/logo.png"
    aws("s3").put_object(Bucket=BUCKET, Key=key, Body=b"this is no picture")

    record = json.loads(dead_letters("process-logo-dlq", brand_id, 40)["Body"])

    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 3
    assert record["requestPayload"]["Records"][0]["s3"]["object"]["key"] == key
    assert "InvalidImageFormat" in json.dumps(record["responsePayload"])
