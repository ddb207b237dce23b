"""Events of buckets are those of AWS, and a bucket takes the notifications that AWS takes."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import unquote_plus

import boto3
import pytest
import requests
from botocore.exceptions import ClientError

from tests.delivery.conftest import arn_of
from tests.engine.lambda_stack import Stack
from tests.support.permissions import permit
from tests.support.waiting import eventually

type Event = dict[str, Any]

ALL = ["s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:ObjectTagging:*", "s3:ObjectAcl:Put"]
AMBIGUOUS = "Configuration is ambiguously defined. Cannot have overlapping suffixes"
OTHER_REGION = "The notification destination service region is not valid"


class Bucket:
    """A bucket, a queue for its notifications, and one for its events on the default bus."""

    def __init__(self, stack: Stack) -> None:
        self.stack, self.name = stack, f"b-{secrets.token_hex(6)}"
        self.s3, self.sqs, self.events = (stack.client(one) for one in ("s3", "sqs", "events"))
        self.urls = {
            kind: self.sqs.create_queue(QueueName=f"{self.name}-{kind}")["QueueUrl"]
            for kind in ("queue", "bus")
        }
        permit(stack.client, self.arn("queue"), self.arn("bus"))
        self.s3.create_bucket(Bucket=self.name)
        pattern = {"source": ["aws.s3"], "detail": {"bucket": {"name": [self.name]}}}
        self.events.put_rule(Name=self.name, EventPattern=json.dumps(pattern))
        self.events.put_targets(Rule=self.name, Targets=[{"Id": "1", "Arn": self.arn("bus")}])
        self._seen: dict[str, list[Event]] = {"queue": [], "bus": []}

    def close(self) -> None:
        self.events.remove_targets(Rule=self.name, Ids=["1"])
        self.events.delete_rule(Name=self.name)

    def arn(self, kind: str) -> str:
        return arn_of(self.sqs, self.urls[kind])

    def configure(self, *notifications: dict[str, Any]) -> None:
        self.s3.put_bucket_notification_configuration(
            Bucket=self.name,
            NotificationConfiguration={
                "QueueConfigurations": list(notifications),
                "EventBridgeConfiguration": {},
            },
        )

    def wanted(self, *events: str, kind: str = "queue", **filters: str) -> dict[str, Any]:
        rules = [{"Name": name, "Value": value} for name, value in filters.items()]
        made: dict[str, Any] = {"QueueArn": self.arn(kind), "Events": list(events or ALL)}
        return made | ({"Filter": {"Key": {"FilterRules": rules}}} if rules else {})

    def put(self, key: str) -> None:
        self.s3.put_object(Bucket=self.name, Key=key, Body=b"x")

    def seen(self, kind: str, count: int) -> list[Event]:
        """The first records (or events of the bus) that a queue got, as soon as it has so many."""
        got = self._seen[kind]

        def all_there() -> list[Event]:
            answer = self.sqs.receive_message(QueueUrl=self.urls[kind], MaxNumberOfMessages=10)
            for one in answer.get("Messages", []):
                body = json.loads(one["Body"])
                got.extend([body] if kind == "bus" else body.get("Records", []))
                self.sqs.delete_message(
                    QueueUrl=self.urls[kind], ReceiptHandle=one["ReceiptHandle"]
                )
            assert len(got) >= count, got
            return got[:count]

        return eventually(all_there)

    def multipart(self, key: str) -> None:
        about = {"Bucket": self.name, "Key": key}
        upload = self.s3.create_multipart_upload(**about)["UploadId"]
        about["UploadId"] = upload
        tag = self.s3.upload_part(**about, PartNumber=1, Body=b"1")["ETag"]
        parts = {"Parts": [{"PartNumber": 1, "ETag": tag}]}
        self.s3.complete_multipart_upload(**about, MultipartUpload=parts)

    def form(self, key: str) -> None:
        made = self.s3.generate_presigned_post(self.name, key)
        files = {"file": ("f", b"1")}
        requests.post(made["url"], data=made["fields"], files=files, timeout=60).raise_for_status()


@pytest.fixture
def bucket(stack: Stack) -> Iterator[Bucket]:
    made = Bucket(stack)
    yield made
    made.close()


def sequencers(events: list[Event]) -> list[str]:
    return [(one.get("s3") or one["detail"])["object"]["sequencer"] for one in events]


def test_sequencers_grow_and_are_the_same_in_the_record_and_on_the_bus(bucket: Bucket) -> None:
    bucket.configure(bucket.wanted())
    for number in range(3):
        bucket.put("a")
        bucket.put(f"other-{number}")
    bucket.s3.delete_object(Bucket=bucket.name, Key="a")
    bucket.s3.delete_objects(
        Bucket=bucket.name, Delete={"Objects": [{"Key": "other-1"}, {"Key": "never"}]}
    )

    made = ["a", "other-0", "a", "other-1", "a", "other-2", "a", "other-1", "never"]
    records = sorted(bucket.seen("queue", 9), key=lambda one: sequencers([one]))
    given = sequencers(records)

    assert [one["s3"]["object"]["key"] for one in records] == made
    assert len(set(given)) == 9
    assert all(len(one) == 18 and int(one, 16) and one == one.upper() for one in given)
    assert sorted(sequencers(bucket.seen("bus", 9))) == given


def test_the_greatest_sequencer_is_that_of_the_object_that_is_left(bucket: Bucket) -> None:
    """Whoever of many writes last has the greatest one, as AWS says."""
    versions = {"Status": "Enabled"}
    bucket.s3.put_bucket_versioning(Bucket=bucket.name, VersioningConfiguration=versions)
    bucket.configure(bucket.wanted())
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(bucket.put, ["a"] * 40))

    records = bucket.seen("queue", 40)
    last = max(records, key=lambda one: str(one["s3"]["object"]["sequencer"]))

    left = bucket.s3.head_object(Bucket=bucket.name, Key="a")["VersionId"]
    assert last["s3"]["object"]["versionId"] == left
    assert len(set(sequencers(records))) == 40


def test_reasons_and_kinds_of_deletions_on_the_bus(bucket: Bucket) -> None:
    s3, about = bucket.s3, {"Bucket": bucket.name, "Key": "a"}
    bucket.configure()
    bucket.put("a")
    s3.copy_object(**about | {"Key": "b"}, CopySource=about)
    bucket.multipart("c")
    bucket.form("d")
    s3.delete_object(**about)
    versions = {"Status": "Enabled"}
    s3.put_bucket_versioning(Bucket=bucket.name, VersioningConfiguration=versions)
    marker = s3.delete_object(**about | {"Key": "b"})["VersionId"]
    s3.delete_object(**about | {"Key": "b"}, VersionId=marker)

    events = bucket.seen("bus", 7)

    assert [(one["detail-type"], one["detail"]["reason"]) for one in events] == [
        ("Object Created", "PutObject"),
        ("Object Created", "CopyObject"),
        ("Object Created", "CompleteMultipartUpload"),
        ("Object Created", "POST Object"),
        *[("Object Deleted", "DeleteObject")] * 3,
    ]
    assert [one["detail"].get("deletion-type") for one in events[4:]] == [
        "Permanently Deleted",
        "Delete Marker Created",
        "Permanently Deleted",
    ]
    assert {one["detail"]["requester"] for one in events} == {"000000000000"}


def test_tags_access_and_restoring_on_the_bus(bucket: Bucket) -> None:
    """They have no reason, and what does not change an object has no sequencer there."""
    s3, about = bucket.s3, {"Bucket": bucket.name, "Key": "a"}
    bucket.configure(bucket.wanted("s3:ObjectRestore:*"))
    s3.put_object(**about, Body=b"x", StorageClass="GLACIER")
    s3.put_object_tagging(**about, Tagging={"TagSet": [{"Key": "k", "Value": "v"}]})
    s3.delete_object_tagging(**about)
    s3.put_object_acl(**about, ACL="public-read")
    s3.restore_object(**about, RestoreRequest={"Days": 1})

    events = bucket.seen("bus", 6)[1:]

    tags, access = ["etag", "key"], ["etag", "key"]
    assert [(one["detail-type"], sorted(one["detail"]["object"])) for one in events] == [
        ("Object Tags Added", tags),
        ("Object Tags Deleted", tags),
        ("Object ACL Updated", access),
        ("Object Restore Initiated", ["etag", "key", "size"]),
        ("Object Restore Completed", ["etag", "key", "size"]),
    ]
    assert not [one for one in events if "reason" in one["detail"]]
    assert events[-1]["detail"]["requester"] == "s3.amazonaws.com"
    initiated, completed = sequencers(bucket.seen("queue", 2))
    assert initiated < completed


@pytest.mark.parametrize(
    ("filters", "keys", "fired"),
    [
        ({"prefix": "a+b"}, ["a b1", "A b1", "a%20b1"], ["a b1"]),
        ({"prefix": "a b"}, ["a b1", "a+b1"], ["a b1"]),
        ({"prefix": "é/"}, ["é/x", "e/x"], ["é/x"]),
        ({"prefix": "day%3D1/"}, ["day=1/x", "day=2/x"], ["day=1/x"]),
        ({"prefix": "a(b&=", "suffix": "~!'"}, ["a(b&=~!'", "a(b&="], ["a(b&=~!'"]),
        ({"suffix": ".p%2Bg"}, ["x.p+g", "x.p g"], ["x.p+g"]),
    ],
)
def test_a_prefix_and_a_suffix_are_meant_encoded_or_as_they_are(
    bucket: Bucket, filters: dict[str, str], keys: list[str], fired: list[str]
) -> None:
    last = {"prefix": "last", "suffix": "last"}
    bucket.configure(bucket.wanted("s3:ObjectCreated:Put", **filters))
    for key in keys:
        bucket.put(key)
    bucket.configure(bucket.wanted("s3:ObjectCreated:Put", **last))
    bucket.put("last")

    records = bucket.seen("queue", len(fired) + 1)

    assert [unquote_plus(one["s3"]["object"]["key"]) for one in records] == [*fired, "last"]


def test_two_notifications_for_one_object_are_refused_and_send_no_test_event(
    bucket: Bucket,
) -> None:
    bucket.configure(bucket.wanted(ALL[0], prefix="kept/"))
    for pair in (
        (bucket.wanted(ALL[0]), bucket.wanted("s3:ObjectCreated:Put", kind="bus", prefix="a")),
        (bucket.wanted(ALL[0], suffix="jpg"), bucket.wanted(ALL[0], kind="bus", suffix="pg")),
    ):
        with pytest.raises(ClientError, match=AMBIGUOUS) as refused:
            bucket.configure(*pair)
        assert refused.value.response["Error"]["Code"] == "InvalidArgument"
    with pytest.raises(ClientError, match="Configurations overlap"):
        bucket.configure(bucket.wanted(ALL[0]), bucket.wanted(ALL[0], kind="bus"))

    (kept,) = bucket.s3.get_bucket_notification_configuration(Bucket=bucket.name)[
        "QueueConfigurations"
    ]
    assert kept["Filter"]["Key"]["FilterRules"] == [{"Name": "Prefix", "Value": "kept/"}]
    bucket.put("kept/1")
    # Its test event would be here, too.
    (event,) = bucket.seen("bus", 1)
    assert event["detail"]["object"]["key"] == "kept/1"

    bucket.configure(
        bucket.wanted(ALL[0], suffix=".jpg"),
        bucket.wanted(ALL[0], kind="bus", suffix=".png"),
        bucket.wanted("s3:ObjectRemoved:*"),
    )


def test_a_destination_in_another_region_is_refused(bucket: Bucket) -> None:
    far = boto3.client(
        "sqs",
        endpoint_url=f"http://127.0.0.1:{bucket.stack.port}",
        region_name="eu-west-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    arn = arn_of(far, far.create_queue(QueueName=bucket.name)["QueueUrl"])
    assert ":eu-west-1:" in arn
    elsewhere = {"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}

    with pytest.raises(ClientError, match=OTHER_REGION) as refused:
        bucket.configure(elsewhere)
    assert refused.value.response["Error"]["Code"] == "InvalidArgument"

    permit(lambda _: far, arn)
    # A bucket of that region takes it, whichever region the request names.
    name = f"{bucket.name}-eu"
    place = {"LocationConstraint": "eu-west-1"}
    bucket.s3.create_bucket(Bucket=name, CreateBucketConfiguration=place)
    bucket.s3.put_bucket_notification_configuration(
        Bucket=name, NotificationConfiguration={"QueueConfigurations": [elsewhere]}
    )
