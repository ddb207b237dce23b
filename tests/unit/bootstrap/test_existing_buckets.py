"""``Custom::S3``: notifications that are added to a bucket, beside those that it has.

The AWS behind it is moto's, in this process.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from bootstrap.services import RESOURCE_TYPES
from bootstrap.services.base import Context, Outcome
from bootstrap.settings import Settings

BUCKET = "theirs"
ARN = "arn:aws:lambda:us-east-1:000000000000:function:"


class InMoto(Context):
    def client(self, name: str) -> Any:
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        return boto3.client(name, region_name="us-east-1", **keys)


@pytest.fixture
def context() -> Iterator[Context]:
    with mock_aws(config={"lambda": {"use_docker": False}}):
        made = InMoto(Settings(4566, 8080, "us-east-1"), "shop")
        role = made.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument="{}")
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as package:
            package.writestr("app.py", "")
        for name in ("one", "two"):
            made.client("lambda").create_function(
                FunctionName=name,
                Role=role["Role"]["Arn"],
                Runtime="python3.13",
                Handler="app.handler",
                Code={"ZipFile": archive.getvalue()},
            )
        yield made


def wanted(function: str = "one", event: str = "s3:ObjectCreated:*") -> dict[str, Any]:
    configs = [{"Event": event, "Rules": [{"Prefix": f"{function}/"}]}]
    return {"FunctionName": function, "BucketName": BUCKET, "BucketConfigs": configs}


def ensure(context: Context, properties: dict[str, Any]) -> Outcome:
    kind = RESOURCE_TYPES["Custom::S3"]
    assert kind.problem(properties) is None
    outcome, _ = kind.ensure(context, f"{properties['FunctionName']}CustomS31", properties)
    return outcome


def notified(context: Context) -> list[tuple[str, str]]:
    s3 = context.client("s3")
    found = s3.get_bucket_notification_configuration(Bucket=BUCKET)
    return sorted(
        (one["LambdaFunctionArn"].rpartition(":")[2], one["Events"][0])
        for one in found.get("LambdaFunctionConfigurations", [])
    )


def test_notifications_are_added_changed_and_left_alone(context: Context) -> None:
    context.client("s3").create_bucket(Bucket=BUCKET)

    assert ensure(context, wanted()) is Outcome.CREATED
    assert ensure(context, wanted()) is Outcome.UNCHANGED
    assert ensure(context, wanted("two")) is Outcome.CREATED
    assert ensure(context, wanted(event="s3:ObjectRemoved:*")) is Outcome.CHANGED

    assert notified(context) == [("one", "s3:ObjectRemoved:*"), ("two", "s3:ObjectCreated:*")]
    policy = json.loads(context.client("lambda").get_policy(FunctionName="one")["Policy"])
    assert [one["Principal"] for one in policy["Statement"]] == [{"Service": "s3.amazonaws.com"}]


def test_a_bucket_of_the_same_file_keeps_what_was_added_to_it(context: Context) -> None:
    bucket = RESOURCE_TYPES["AWS::S3::Bucket"]
    own = {"Event": "s3:ObjectCreated:Put", "Function": f"{ARN}two"}
    described = {
        "BucketName": BUCKET,
        "NotificationConfiguration": {"LambdaConfigurations": [own]},
    }
    bucket.ensure(context, "Theirs", described)
    ensure(context, wanted())

    outcome, _ = bucket.ensure(context, "Theirs", described)

    assert outcome is Outcome.UNCHANGED
    assert ensure(context, wanted()) is Outcome.UNCHANGED
    assert notified(context) == [("one", "s3:ObjectCreated:*"), ("two", "s3:ObjectCreated:Put")]


def test_what_is_no_longer_described_is_taken_off_alone(context: Context) -> None:
    context.client("s3").create_bucket(Bucket=BUCKET)
    for name in ("one", "two"):
        ensure(context, wanted(name))
    remove = RESOURCE_TYPES["Custom::S3"].remove
    assert remove is not None
    key = {"BucketName": BUCKET, "FunctionName": "one", "Id": "oneCustomS31"}

    assert remove(context, key)
    assert not remove(context, key)

    assert notified(context) == [("two", "s3:ObjectCreated:*")]


def test_a_bucket_that_is_not_there(context: Context) -> None:
    with pytest.raises(RuntimeError, match="there is no bucket “theirs”"):
        ensure(context, wanted())
