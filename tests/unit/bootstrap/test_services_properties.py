"""Properties of resources: set, left alone, changed, and gone once they are described no longer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws

from bootstrap.services import RESOURCE_TYPES, lifecycle
from bootstrap.services.base import Context, Outcome, ReplacementError
from bootstrap.settings import Settings
from tests.unit.bootstrap.by_moto import MotoContext, ensure

CREATED, CHANGED, UNCHANGED = Outcome.CREATED, Outcome.CHANGED, Outcome.UNCHANGED
TABLE: dict[str, Any] = {
    "TableName": "t",
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
}
BUCKET = {"BucketName": "shop-files"}
QUEUE = {"QueueName": "q"}
TOPIC = {"TopicName": "t"}
RULE = {"Id": "old", "Status": "Enabled", "Prefix": "a/", "ExpirationInDays": 3}
KEY = {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}


@pytest.fixture
def context() -> Iterator[Context]:
    with mock_aws():
        yield MotoContext(Settings(4566, 8080, "us-east-1"), "shop")


def tags(value: str) -> dict[str, Any]:
    return {"Tags": [{"Key": "team", "Value": value}]}


@pytest.mark.parametrize(
    ("kind", "plain", "one", "other"),
    [
        ("S3::Bucket", BUCKET, {"LifecycleConfiguration": {"Rules": [RULE]}},
         {"LifecycleConfiguration": {"Rules": [RULE | {"ExpirationInDays": "5"}]}}),
        ("S3::Bucket", BUCKET, {"CorsConfiguration": {"CorsRules": [
            {"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]}},
         {"CorsConfiguration": {"CorsRules": [
            {"AllowedMethods": ["PUT"], "AllowedOrigins": ["*"]}]}}),
        ("S3::Bucket", BUCKET, {"BucketEncryption": {"ServerSideEncryptionConfiguration": [KEY]}},
         None),
        ("S3::Bucket", BUCKET, {"PublicAccessBlockConfiguration": {"BlockPublicAcls": True}},
         {"PublicAccessBlockConfiguration": {"BlockPublicAcls": False, "IgnorePublicAcls": True}}),
        ("S3::Bucket", BUCKET, tags("a"), tags("b")),
        ("SQS::Queue", QUEUE, tags("a"), tags("b")),
        ("SQS::Queue", QUEUE, {"KmsMasterKeyId": "k", "KmsDataKeyReusePeriodSeconds": "60"},
         {"KmsMasterKeyId": "k", "KmsDataKeyReusePeriodSeconds": 90}),
        ("SNS::Topic", TOPIC, tags("a"), tags("b")),
        ("SNS::Topic", TOPIC, {"KmsMasterKeyId": "alias/a"}, {"KmsMasterKeyId": "alias/b"}),
        ("Logs::LogGroup", {"LogGroupName": "/g"}, tags("a"), tags("b")),
        ("Events::EventBus", {"Name": "bus"}, tags("a"), tags("b")),
        ("Scheduler::ScheduleGroup", {"Name": "g"}, tags("a"), tags("b")),
        ("DynamoDB::Table", TABLE,
         {"PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": "true"}}, None),
        ("DynamoDB::Table", TABLE, {"DeletionProtectionEnabled": True}, None),
    ],
    ids=lambda value: next(iter(value), "") if isinstance(value, dict) else None,
)  # fmt: skip  # a table
def test_set_left_alone_changed_and_gone(
    context: Context,
    kind: str,
    plain: dict[str, Any],
    one: dict[str, Any],
    other: dict[str, Any] | None,
) -> None:
    steps = [plain, plain, plain | one, plain | one]
    steps += [plain | other, plain | other] if other else []

    outcomes = [ensure(context, f"AWS::{kind}", **step)[0] for step in (*steps, plain, plain)]

    expected = [CREATED, UNCHANGED, CHANGED, UNCHANGED]
    expected += [CHANGED, UNCHANGED] if other else []
    assert outcomes == [*expected, CHANGED, UNCHANGED]


def test_a_new_bucket_has_its_life_cycle(context: Context) -> None:
    rules = {"LifecycleConfiguration": {"Rules": [RULE]}}

    assert ensure(context, "AWS::S3::Bucket", **BUCKET, **rules)[0] is CREATED

    s3 = context.client("s3")
    (made,) = s3.get_bucket_lifecycle_configuration(Bucket="shop-files")["Rules"]
    assert (made["Expiration"], made["Filter"]) == ({"Days": 3}, {"Prefix": "a/"})


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({}, {"Filter": {"Prefix": ""}}),
        ({"TagFilters": [{"Key": "a", "Value": "b"}]},
         {"Filter": {"Tag": {"Key": "a", "Value": "b"}}}),
        ({"Prefix": "a/", "ObjectSizeLessThan": 5},
         {"Filter": {"And": {"Prefix": "a/", "ObjectSizeLessThan": 5}}}),
        ({"Prefix": "a/", "TagFilters": [{"Key": "a", "Value": "b"}]},
         {"Filter": {"And": {"Prefix": "a/", "Tags": [{"Key": "a", "Value": "b"}]}}}),
        ({"Transition": {"StorageClass": "GLACIER", "TransitionInDays": 1}},
         {"Filter": {"Prefix": ""}, "Transitions": [{"StorageClass": "GLACIER", "Days": 1}]}),
        ({"NoncurrentVersionExpirationInDays": 2},
         {"Filter": {"Prefix": ""}, "NoncurrentVersionExpiration": {"NoncurrentDays": 2}}),
    ],
)  # fmt: skip  # a table
def test_a_rule_of_a_life_cycle(given: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert lifecycle.rule({"Status": "Enabled", **given}) == {"Status": "Enabled", **wanted}


def test_a_bus_has_several_statements(context: Context) -> None:
    kind, bus = "AWS::Events::EventBusPolicy", {"EventBusName": "bus"}
    ensure(context, "AWS::Events::EventBus", Name="bus")
    events = context.client("events")
    first = {"StatementId": "one", "Principal": "111111111111", "Action": "events:PutEvents"}
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::222222222222:root"},
        "Action": "events:PutEvents",
        "Resource": events.describe_event_bus(Name="bus")["Arn"],
    }
    second = {"StatementId": "two", "Statement": statement}

    outcomes = [ensure(context, kind, **bus, **one)[0] for one in (first, first, second, first)]

    def sids() -> list[str]:
        policy = events.describe_event_bus(Name="bus").get("Policy") or '{"Statement": []}'
        return [one["Sid"] for one in json.loads(policy)["Statement"]]

    assert outcomes == [CREATED, UNCHANGED, CREATED, UNCHANGED]
    assert sids() == ["one", "two"]
    changed = second | {"Statement": statement | {"Action": "events:*"}}
    assert ensure(context, kind, **bus, **changed)[0] is CHANGED
    remove = RESOURCE_TYPES[kind].remove
    assert remove is not None
    assert remove(context, bus | {"StatementId": "one"})
    assert not remove(context, bus | {"StatementId": "one"})
    assert sids() == ["two"]
    assert remove(context, bus | {"StatementId": "two"})
    assert sids() == []


def test_an_archive(context: Context) -> None:
    kind = "AWS::Events::Archive"
    bus = ensure(context, "AWS::Events::EventBus", Name="bus")[1].attributes["Arn"]
    plain = {"ArchiveName": "a", "SourceArn": bus, "EventPattern": {"source": ["shop"]}}

    outcomes = [
        ensure(context, kind, **one)[0]
        for one in (plain, plain, plain | {"RetentionDays": 3}, plain | {"RetentionDays": 3})
    ]

    assert outcomes == [CREATED, UNCHANGED, CHANGED, UNCHANGED]
    _, made = ensure(context, kind, **plain)
    assert (made.ref, made.attributes["Arn"].endswith(":archive/a")) == ("a", True)
    with pytest.raises(ReplacementError, match="the archive a exists with the pattern"):
        ensure(context, kind, **plain | {"EventPattern": {"source": ["other"]}})


def test_what_is_newer_than_the_schema_is_known_to_aws() -> None:
    kind = RESOURCE_TYPES["AWS::Logs::LogGroup"]
    problem = kind.problem({"LogGroupName": "/g", "LogGroupClass": "STANDARD"})
    assert problem is not None
    assert problem.message.startswith("the property LogGroupClass is not supported here.")
