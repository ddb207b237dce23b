"""`mirror_brand`: one object for each brand, as it is now."""

from __future__ import annotations

import json
from typing import Any

import pytest

from functions.mirror_brand import handler as mirror_brand
from functions.mirror_brand.mirror import BadRecordError, mirror

BUCKET = "brand-archive-bucket"


class Bucket:
    """An S3 client with one bucket."""

    def __init__(self) -> None:
        self.objects: dict[str, Any] = {}

    def put_object(self, **given: Any) -> None:
        assert (given["Bucket"], given["ContentType"]) == (BUCKET, "application/json")
        self.objects[given["Key"]] = json.loads(given["Body"])

    def delete_object(self, **given: Any) -> None:
        assert given["Bucket"] == BUCKET
        self.objects.pop(given["Key"], None)


def record(brand_id: str, after: dict[str, Any] | None) -> str:
    """A record of the table's stream, as the pipe sends it."""
    change: dict[str, Any] = {"Keys": {"brandId": {"S": brand_id}}}
    if after is not None:
        change["NewImage"] = {"brandId": {"S": brand_id}, **after}
    return json.dumps({"eventName": "MODIFY", "dynamodb": change})


def test_the_last_change_counts() -> None:
    s3 = Bucket()
    for number in (1, 2):
        mirror(s3, BUCKET, record("acme", {"version": {"N": str(number)}}))
    assert s3.objects == {"current/acme.json": {"brandId": "acme", "version": "2"}}


@pytest.mark.parametrize("after", [None, {"deletedAt": {"S": "2026-01-31T12:00:00Z"}}])
def test_a_deleted_brand_has_no_object(after: dict[str, Any] | None) -> None:
    s3 = Bucket()
    mirror(s3, BUCKET, record("acme", {}))
    mirror(s3, BUCKET, record("acme", after))
    assert s3.objects == {}


@pytest.mark.parametrize(
    "body",
    ["", "null", "[]", "{}", '{"dynamodb": {"Keys": {"id": {"S": "x"}}}}', record("No Brand", {})],
)
def test_other_messages_are_bad(body: str) -> None:
    with pytest.raises(BadRecordError):
        mirror(Bucket(), BUCKET, body)


def test_a_failed_message_holds_back_its_brand_alone(
    monkeypatch: pytest.MonkeyPatch, context: Any
) -> None:
    s3 = Bucket()
    monkeypatch.setattr(mirror_brand, "s3", s3)
    sent = [("a", record("a", {})), ("b", "bad"), ("b", record("b", {})), ("c", record("c", {}))]
    event = {
        "Records": [
            {
                "messageId": str(number),
                "body": body,
                "attributes": {"MessageGroupId": group},
                "eventSource": "aws:sqs",
            }
            for number, (group, body) in enumerate(sent)
        ]
    }

    answer = mirror_brand.handler(event, context)

    assert [one["itemIdentifier"] for one in answer["batchItemFailures"]] == ["1", "2"]
    assert sorted(s3.objects) == ["current/a.json", "current/c.json"]
