"""Every resource type: made once, left alone when it is as described, changed when it is not.

The AWS behind it is moto's, in this process: real request shapes, no network.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from bootstrap.services import RESOURCE_TYPES
from bootstrap.services.base import Context, Outcome, ReplacementError, same_json, subset
from bootstrap.services.lambda_ import _same_permission, statement_id
from bootstrap.settings import Settings
from tests.unit.bootstrap.by_moto import MotoContext, ensure

CREATED, CHANGED, UNCHANGED = Outcome.CREATED, Outcome.CHANGED, Outcome.UNCHANGED
DLQ = "arn:aws:sqs:us-east-1:123456789012:dlq"


@pytest.mark.parametrize(
    ("wanted", "actual"),
    [
        ({}, {"a": 1}),
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"a": {"b": [1, {"c": 2}]}}, {"a": {"b": [1, {"c": 2, "d": 3}], "e": 4}}),
        ({"a": []}, {}),
        ({"a": {"b": ""}}, {}),
        ({"a": None}, {"b": 1}),
        ([], []),
        ("x", "x"),
    ],
)
def test_subset(wanted: Any, actual: Any) -> None:
    assert subset(wanted, actual)


@pytest.mark.parametrize(
    ("wanted", "actual"),
    [
        ({"a": 1}, {}),
        ({"a": 1}, {"a": 2}),
        ({"a": [1]}, {"a": [1, 2]}),
        ({"a": [1, 2]}, {"a": [2, 1]}),
        ({"a": {"b": 1}}, {"a": "b"}),
        ({"a": False}, {}),
        ({"a": 0}, {}),
        ([1], None),
    ],
)
def test_no_subset(wanted: Any, actual: Any) -> None:
    assert not subset(wanted, actual)


def test_same_json() -> None:
    assert same_json('{"b": 1, "a": [2]}', {"a": [2], "b": 1})
    assert not same_json('{"a": 1}', {"a": "1"})
    assert not same_json(None, {})


@pytest.mark.parametrize(
    ("statement", "same"),
    [
        ({}, True),
        ({"Principal": "s3.amazonaws.com"}, True),
        ({"Action": "lambda:GetFunction"}, False),
        ({"Principal": {"Service": "sns.amazonaws.com"}}, False),
        ({"Condition": {"ArnLike": {"AWS:SourceArn": "arn:aws:s3:::other"}}}, False),
        ({"Condition": {}}, False),
    ],
)
def test_same_permission(statement: dict[str, Any], same: bool) -> None:
    wanted = {
        "Action": "lambda:InvokeFunction",
        "Principal": "s3.amazonaws.com",
        "SourceArn": "arn:aws:s3:::bucket",
        "SourceAccount": "0",
        "FunctionName": "greet",
    }
    as_stored = {
        "Action": "lambda:InvokeFunction",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Condition": {
            "ArnLike": {"AWS:SourceArn": "arn:aws:s3:::bucket"},
            "StringEquals": {"AWS:SourceAccount": "0"},
        },
    }

    assert _same_permission(wanted, as_stored | statement) is same


@pytest.fixture
def context() -> Iterator[Context]:
    # Functions are stored, not run.
    with mock_aws(config={"lambda": {"use_docker": False}, "core": {"service_whitelist": None}}):
        boto3.client("sqs", region_name="us-east-1").create_queue(QueueName="dlq")
        yield MotoContext(Settings(4566, 8080, "us-east-1"), "shop")


POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "x:Y", "Resource": "*"}],
}
OTHER_POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Deny", "Action": "x:Y", "Resource": "*"}],
}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}
TABLE = {
    "TableName": "brands",
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [
        {"AttributeName": "id", "AttributeType": "S"},
        {"AttributeName": "hour", "AttributeType": "S"},
    ],
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "by-hour",
            "KeySchema": [{"AttributeName": "hour", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "ALL"},
        }
    ],
}
RULE = {
    "Name": "hourly",
    "ScheduleExpression": "rate(1 hour)",
    "Targets": [{"Id": "one", "Arn": DLQ, "Input": {"a": 1}, "DeadLetterConfig": {"Arn": DLQ}}],
}
SCHEDULE: dict[str, Any] = {
    "ScheduleExpression": "rate(1 hour)",
    "FlexibleTimeWindow": {"Mode": "OFF"},
    "Target": {"Arn": DLQ, "RoleArn": "arn:aws:iam::123456789012:role/r", "Input": "{}"},
}


@pytest.mark.parametrize(
    ("kind", "properties", "change"),
    [
        ("AWS::SQS::Queue", {"QueueName": "q"}, None),
        ("AWS::SQS::Queue", {"QueueName": "q", "VisibilityTimeout": 60}, {"VisibilityTimeout": 61}),
        ("AWS::SQS::Queue", {"QueueName": "q.fifo", "FifoQueue": True,
                             "ContentBasedDeduplication": True}, {"DelaySeconds": 3}),
        ("AWS::SQS::Queue", {"QueueName": "q", "RedrivePolicy": {"deadLetterTargetArn": DLQ,
                                                                 "maxReceiveCount": "3"}},
         {"RedrivePolicy": {"deadLetterTargetArn": DLQ, "maxReceiveCount": 4}}),
        ("AWS::Logs::LogGroup", {"LogGroupName": "/a"}, {"RetentionInDays": 14}),
        ("AWS::Logs::LogGroup", {"LogGroupName": "/a", "RetentionInDays": 7},
         {"RetentionInDays": 14}),
        ("AWS::SES::EmailIdentity", {"EmailIdentity": "a@shop.example"}, None),
        ("AWS::SES::EmailIdentity", {"EmailIdentity": "shop.example"}, None),
        ("AWS::IAM::Role", {"RoleName": "r", "AssumeRolePolicyDocument": POLICY},
         {"Policies": [{"PolicyName": "p", "PolicyDocument": POLICY}]}),
        ("AWS::IAM::Role", {"RoleName": "r", "AssumeRolePolicyDocument": POLICY,
                            "Policies": [{"PolicyName": "p", "PolicyDocument": POLICY}]},
         {"Policies": [{"PolicyName": "p", "PolicyDocument": OTHER_POLICY}]}),
        ("AWS::IAM::Role", {"RoleName": "r", "AssumeRolePolicyDocument": POLICY},
         {"AssumeRolePolicyDocument": TRUST}),
        ("AWS::Kinesis::Stream", {"Name": "s", "ShardCount": 1}, {"ShardCount": 2}),
        ("AWS::Kinesis::Stream", {"Name": "s"}, {"RetentionPeriodHours": 48}),
        ("AWS::SNS::Topic", {"TopicName": "t"}, {"DisplayName": "text"}),
        ("AWS::Events::EventBus", {"Name": "bus"}, None),
        ("AWS::Events::Rule", RULE, {"ScheduleExpression": "rate(2 hours)"}),
        ("AWS::Events::Rule", RULE, {"State": "DISABLED"}),
        ("AWS::Events::Rule", RULE, {"Description": "text"}),
        ("AWS::Events::Rule", RULE, {"Targets": [{"Id": "two", "Arn": DLQ}]}),
        ("AWS::Events::Rule", RULE, {"Targets": [{"Id": "one", "Arn": DLQ, "Input": {"a": 2}}]}),
        ("AWS::Events::Rule", RULE, {"Targets": [{"Id": "one", "Arn": DLQ}]}),
        ("AWS::Events::Rule", {"Name": "r", "EventPattern": {"source": ["a"]}},
         {"EventPattern": {"source": ["b"]}}),
        ("AWS::Events::Rule", {"ScheduleExpression": "rate(1 hour)"},
         {"ScheduleExpression": "rate(2 hours)"}),
        ("AWS::Scheduler::ScheduleGroup", {"Name": "g"}, None),
        ("AWS::Scheduler::ScheduleGroup", {}, None),
        ("AWS::Scheduler::Schedule", SCHEDULE, {"ScheduleExpression": "rate(2 hours)"}),
        ("AWS::Scheduler::Schedule", SCHEDULE, {"State": "DISABLED"}),
        ("AWS::Scheduler::Schedule", SCHEDULE, {"Description": "text"}),
        ("AWS::Scheduler::Schedule", SCHEDULE, {"ScheduleExpressionTimezone": "Europe/Berlin"}),
        ("AWS::Scheduler::Schedule", SCHEDULE, {"EndDate": "2035-01-01T00:00:00Z"}),
        ("AWS::Scheduler::Schedule", SCHEDULE,
         {"FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 5}}),
        ("AWS::Scheduler::Schedule", SCHEDULE,
         {"Target": SCHEDULE["Target"] | {"DeadLetterConfig": {"Arn": DLQ}}}),
        ("AWS::Scheduler::Schedule", SCHEDULE,
         {"Target": SCHEDULE["Target"] | {"RetryPolicy": {"MaximumRetryAttempts": 3}}}),
        ("AWS::DynamoDB::Table", TABLE, {"StreamSpecification": {"StreamViewType": "NEW_IMAGE"}}),
        ("AWS::DynamoDB::Table", TABLE,
         {"TimeToLiveSpecification": {"AttributeName": "expires", "Enabled": True}}),
        ("AWS::S3::Bucket", {"BucketName": "a-bucket"},
         {"VersioningConfiguration": {"Status": "Enabled"}}),
        ("AWS::ApiGatewayV2::Api", {"Name": "shop", "ProtocolType": "HTTP"},
         {"Description": "text"}),
    ],
)  # fmt: skip  # a table
def test_made_once_left_alone_and_changed(
    context: Context, kind: str, properties: dict[str, Any], change: dict[str, Any] | None
) -> None:
    first, made = ensure(context, kind, **properties)
    second, again = ensure(context, kind, **properties)

    assert (first, second) == (CREATED, UNCHANGED)
    assert made == again
    if change:
        third, _ = ensure(context, kind, **properties | change)
        fourth, _ = ensure(context, kind, **properties | change)
        assert (third, fourth) == (CHANGED, UNCHANGED)


def test_a_rule_and_its_targets_lose_what_is_no_longer_described(context: Context) -> None:
    ensure(context, "AWS::Events::Rule", **RULE)
    ensure(context, "AWS::Events::Rule", **RULE | {"Targets": [{"Id": "two", "Arn": DLQ}]})

    targets = context.client("events").list_targets_by_rule(Rule="hourly")["Targets"]
    assert [target["Id"] for target in targets] == ["two"]


@pytest.mark.parametrize("gone", ["RedrivePolicy", "DelaySeconds"])
def test_a_queue_loses_what_is_no_longer_described(context: Context, gone: str) -> None:
    full = {
        "QueueName": "q",
        "DelaySeconds": 5,
        "RedrivePolicy": {"deadLetterTargetArn": DLQ, "maxReceiveCount": 3},
    }
    ensure(context, "AWS::SQS::Queue", **full)
    less = {key: value for key, value in full.items() if key != gone}

    assert ensure(context, "AWS::SQS::Queue", **less)[0] is CHANGED
    assert ensure(context, "AWS::SQS::Queue", **less)[0] is UNCHANGED


def test_a_tables_keys_cannot_change(context: Context) -> None:
    ensure(context, "AWS::DynamoDB::Table", **TABLE)
    other = TABLE | {"KeySchema": [{"AttributeName": "hour", "KeyType": "HASH"}]}

    with pytest.raises(ReplacementError, match=r"exists with the keys id \(HASH\).*make clean up"):
        ensure(context, "AWS::DynamoDB::Table", **other)


def test_a_table_gets_a_new_index_and_loses_one(context: Context) -> None:
    plain = {
        "TableName": "brands",
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "KeySchema": TABLE["KeySchema"],
    }
    ensure(context, "AWS::DynamoDB::Table", **plain)

    def indexes() -> list[str]:
        table = context.client("dynamodb").describe_table(TableName="brands")["Table"]
        return [index["IndexName"] for index in table.get("GlobalSecondaryIndexes", [])]

    assert ensure(context, "AWS::DynamoDB::Table", **TABLE)[0] is CHANGED
    assert indexes() == ["by-hour"]
    assert ensure(context, "AWS::DynamoDB::Table", **TABLE)[0] is UNCHANGED
    assert ensure(context, "AWS::DynamoDB::Table", **plain)[0] is CHANGED
    assert indexes() == []


STREAM = {"StreamSpecification": {"StreamViewType": "NEW_IMAGE"}}
EXPIRY = {"TimeToLiveSpecification": {"AttributeName": "expiresAt", "Enabled": True}}
PLAIN = {
    "TableName": "plain",
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "KeySchema": TABLE["KeySchema"],
}
PROVISIONED = PLAIN | {
    "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
}


@pytest.mark.parametrize(
    ("kind", "with_it", "without_it"),
    [
        ("AWS::DynamoDB::Table", TABLE | STREAM, TABLE),
        ("AWS::DynamoDB::Table", TABLE | EXPIRY, TABLE),
        ("AWS::DynamoDB::Table", PLAIN | {"BillingMode": "PAY_PER_REQUEST"}, PROVISIONED),
        ("AWS::Events::Rule", RULE | {"Description": "hourly sums"}, RULE),
        ("AWS::Scheduler::Schedule", SCHEDULE | {"Description": "hourly sums"}, SCHEDULE),
    ],
    ids=["stream", "time to live", "billing mode", "description", "schedule's description"],
)
def test_what_is_no_longer_described_is_taken_away(
    context: Context, kind: str, with_it: dict[str, Any], without_it: dict[str, Any]
) -> None:
    ensure(context, kind, **with_it)

    assert ensure(context, kind, **with_it)[0] is UNCHANGED
    assert ensure(context, kind, **without_it)[0] is CHANGED
    assert ensure(context, kind, **without_it)[0] is UNCHANGED


def test_a_policy_for_several_queues(context: Context) -> None:
    urls = [ensure(context, "AWS::SQS::Queue", QueueName=n)[1].ref for n in ("one", "two")]
    document = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "events.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": "*",
            }
        ],
    }

    def policy(queues: list[str]) -> Outcome:
        return ensure(context, "AWS::SQS::QueuePolicy", Queues=queues, PolicyDocument=document)[0]

    assert policy(urls[:1]) is CREATED
    assert policy(urls) is CREATED
    assert policy(urls) is UNCHANGED


# --- Lambda


@pytest.fixture
def function(context: Context, tmp_path: Path) -> dict[str, Any]:
    """Properties of a function whose code is in ``tmp_path``."""
    (tmp_path / "app.py").write_text("def handler(event, context): ...\n")
    _, role = ensure(context, "AWS::IAM::Role", RoleName="r", AssumeRolePolicyDocument=POLICY)
    return {
        "FunctionName": "greet",
        "Code": {"Root": str(tmp_path), "Patterns": ["!**", "*.py"]},
        "Handler": "app.handler",
        "Runtime": "python3.13",
        "Role": role.attributes["Arn"],
        "Timeout": 3,
        "Environment": {"Variables": {"AN_A": "1"}},
    }


def test_a_functions_code_and_configuration(
    context: Context, function: dict[str, Any], tmp_path: Path
) -> None:
    def again(**change: Any) -> Outcome:
        return ensure(context, "AWS::Lambda::Function", **function | change)[0]

    assert again() is CREATED
    assert again() is UNCHANGED
    (tmp_path / "app.py").write_text("def handler(event, context): return 1\n")
    assert again() is CHANGED
    assert again() is UNCHANGED
    assert again(Timeout=4) is CHANGED
    assert again(Timeout=4, Environment={"Variables": {}}) is CHANGED
    assert (
        again(Timeout=4, Environment={"Variables": {}}, ReservedConcurrentExecutions=2) is CHANGED
    )
    current = context.client("lambda").get_function(FunctionName="greet")
    assert current["Concurrency"] == {"ReservedConcurrentExecutions": 2}
    assert again(Timeout=4, Environment={"Variables": {}}) is CHANGED
    assert "Concurrency" not in context.client("lambda").get_function(FunctionName="greet")


def test_a_function_without_code_is_refused(context: Context, function: dict[str, Any]) -> None:
    function["Code"]["Patterns"] = ["!**", "nothing/**"]

    with pytest.raises(RuntimeError, match=r"package\.patterns pick no file"):
        ensure(context, "AWS::Lambda::Function", **function)


def test_permissions(context: Context, function: dict[str, Any]) -> None:
    ensure(context, "AWS::Lambda::Function", **function)
    wanted = {
        "FunctionName": "greet",
        "Action": "lambda:InvokeFunction",
        "Principal": "s3.amazonaws.com",
        "SourceArn": "arn:aws:s3:::bucket",
        "SourceAccount": "123456789012",
    }

    outcomes = [
        ensure(context, "AWS::Lambda::Permission", **wanted)[0],
        ensure(context, "AWS::Lambda::Permission", **wanted)[0],
        ensure(context, "AWS::Lambda::Permission", **wanted | {"SourceArn": "arn:aws:s3:::b"})[0],
    ]

    assert outcomes == [CREATED, UNCHANGED, CHANGED]
    policy = json.loads(context.client("lambda").get_policy(FunctionName="greet")["Policy"])
    assert len(policy["Statement"]) == 1


def test_the_id_of_a_statement_has_a_hundred_characters_at_most() -> None:
    fits, longer = "a" * 100, [f"{'a' * 120}{end}ByEvent" for end in "bc"]

    assert statement_id(fits) == fits
    shortened = [statement_id(one) for one in longer]
    assert [len(one) for one in shortened] == [100, 100]
    assert len(set(shortened)) == 2
    assert all(one.endswith("ByEvent") for one in shortened)


def test_event_source_mappings(context: Context, function: dict[str, Any]) -> None:
    _, made = ensure(context, "AWS::Lambda::Function", **function)
    _, queue = ensure(context, "AWS::SQS::Queue", QueueName="q")
    wanted = {
        "EventSourceArn": queue.attributes["Arn"],
        "FunctionName": made.attributes["Arn"],
        "BatchSize": 10,
        "Enabled": True,
    }

    outcomes = [
        ensure(context, "AWS::Lambda::EventSourceMapping", **wanted)[0],
        ensure(context, "AWS::Lambda::EventSourceMapping", **wanted)[0],
        ensure(context, "AWS::Lambda::EventSourceMapping", **wanted | {"BatchSize": 5})[0],
        ensure(context, "AWS::Lambda::EventSourceMapping", **wanted | {"BatchSize": 5})[0],
    ]

    assert outcomes == [CREATED, UNCHANGED, CHANGED, UNCHANGED]


def test_a_layer_is_published_when_its_content_changes(context: Context, tmp_path: Path) -> None:
    (tmp_path / "python").mkdir()
    (tmp_path / "python/tool.py").write_text("VALUE = 1\n")

    def publish() -> tuple[Outcome, str]:
        outcome, made = ensure(
            context,
            "AWS::Lambda::LayerVersion",
            LayerName="deps",
            Content={"Folder": str(tmp_path)},
        )
        return outcome, made.ref.rsplit(":", 1)[-1]

    assert publish() == (CREATED, "1")
    assert publish() == (UNCHANGED, "1")
    (tmp_path / "python/tool.py").write_text("VALUE = 2\n")
    assert publish() == (CHANGED, "2")


def test_notifications_of_a_bucket(context: Context, function: dict[str, Any]) -> None:
    _, made = ensure(context, "AWS::Lambda::Function", **function)

    def bucket(prefix: str) -> Outcome:
        rules = [{"Name": "prefix", "Value": prefix}]
        return ensure(
            context,
            "AWS::S3::Bucket",
            BucketName="a-bucket",
            NotificationConfiguration={
                "LambdaConfigurations": [
                    {
                        "Event": "s3:ObjectCreated:*",
                        "Function": made.attributes["Arn"],
                        "Filter": {"S3Key": {"Rules": rules}},
                    }
                ]
            },
        )[0]

    assert [bucket("a/"), bucket("a/"), bucket("b/")] == [CREATED, UNCHANGED, CHANGED]
    assert ensure(context, "AWS::S3::Bucket", BucketName="a-bucket")[0] is CHANGED


def test_an_http_api_with_a_route(context: Context, function: dict[str, Any]) -> None:
    _, made = ensure(context, "AWS::Lambda::Function", **function)
    _, api = ensure(context, "AWS::ApiGatewayV2::Api", Name="shop", ProtocolType="HTTP")

    def all_of_it(timeout: int) -> list[Outcome]:
        stage, _ = ensure(
            context,
            "AWS::ApiGatewayV2::Stage",
            ApiId=api.ref,
            StageName="$default",
            AutoDeploy=True,
        )
        integration, physical = ensure(
            context,
            "AWS::ApiGatewayV2::Integration",
            ApiId=api.ref,
            IntegrationType="AWS_PROXY",
            IntegrationUri=made.attributes["Arn"],
            PayloadFormatVersion="2.0",
            TimeoutInMillis=timeout,
        )
        route, _ = ensure(
            context,
            "AWS::ApiGatewayV2::Route",
            ApiId=api.ref,
            RouteKey="GET /a",
            Target=f"integrations/{physical.ref}",
        )
        return [stage, integration, route]

    assert all_of_it(30000) == [CREATED] * 3
    assert all_of_it(30000) == [UNCHANGED] * 3
    assert all_of_it(9000) == [UNCHANGED, CHANGED, UNCHANGED]


def test_a_stage_of_a_rest_api_logs_and_stops_to_log(context: Context) -> None:
    gateway = context.client("apigateway")
    _, api = ensure(context, "AWS::ApiGateway::RestApi", Name="logged")
    gateway.put_method(
        restApiId=api.ref,
        resourceId=api.attributes["RootResourceId"],
        httpMethod="GET",
        authorizationType="NONE",
    )
    gateway.put_integration(
        restApiId=api.ref,
        resourceId=api.attributes["RootResourceId"],
        httpMethod="GET",
        type="MOCK",
    )
    deployment = {"RestApiId": api.ref, "StageName": "live"}
    arn = "arn:aws:logs:us-east-1:000000000000:log-group:/aws/api-gateway/a"
    log = {"DestinationArn": f"{arn}:*", "Format": "$context.requestId"}

    outcomes = [
        ensure(context, "AWS::ApiGateway::Deployment", **deployment, **settings)[0]
        for settings in (
            {"StageDescription": {"AccessLogSetting": log}},
            {"StageDescription": {"AccessLogSetting": log}},
            {},
            {},
        )
    ]

    assert outcomes == [CREATED, UNCHANGED, CHANGED, UNCHANGED]


def test_a_subscription_with_all_its_settings_and_with_none(context: Context) -> None:
    _, topic = ensure(context, "AWS::SNS::Topic", TopicName="t")
    bare = {"TopicArn": topic.ref, "Protocol": "sqs", "Endpoint": DLQ}
    full = {
        **bare,
        "FilterPolicy": {"kind": ["a"]},
        "FilterPolicyScope": "MessageBody",
        "RawMessageDelivery": True,
        "RedrivePolicy": {"deadLetterTargetArn": DLQ},
    }

    outcomes = [ensure(context, "AWS::SNS::Subscription", **one)[0] for one in (full, full)]
    _, made = ensure(context, "AWS::SNS::Subscription", **bare)

    assert outcomes == [CREATED, UNCHANGED]
    assert ensure(context, "AWS::SNS::Subscription", **bare)[0] is UNCHANGED
    attributes = context.client("sns").get_subscription_attributes(SubscriptionArn=made.ref)
    assert attributes["Attributes"]["RawMessageDelivery"] == "false"
    remove = RESOURCE_TYPES["AWS::SNS::Subscription"].remove
    assert remove is not None
    assert remove(context, {"Ref": made.ref})
    assert not remove(context, {"Ref": made.ref})


def test_a_consumer_of_a_stream_is_registered_once(context: Context) -> None:
    _, stream = ensure(context, "AWS::Kinesis::Stream", Name="s")
    consumer = {"ConsumerName": "c", "StreamARN": stream.attributes["Arn"]}

    made = [ensure(context, "AWS::Kinesis::StreamConsumer", **consumer) for _ in range(2)]

    assert [outcome for outcome, _ in made] == [CREATED, UNCHANGED]
    (arn,) = {physical.ref for _, physical in made}
    assert arn.startswith(f"{stream.attributes['Arn']}/consumer/c")
    assert made[0][1].attributes["ConsumerARN"] == arn
    exists = RESOURCE_TYPES["AWS::Kinesis::StreamConsumer"].exists
    assert exists is not None
    assert exists(context, {"Ref": arn})
    context.client("kinesis").deregister_stream_consumer(ConsumerARN=arn)
    assert not exists(context, {"Ref": arn})


def test_the_starting_position_of_a_mapping_cannot_change(
    context: Context, function: dict[str, Any]
) -> None:
    ensure(context, "AWS::Lambda::Function", **function)
    _, stream = ensure(context, "AWS::Kinesis::Stream", Name="s")
    mapping = {"EventSourceArn": stream.attributes["Arn"], "FunctionName": "greet"}
    ensure(context, "AWS::Lambda::EventSourceMapping", StartingPosition="LATEST", **mapping)

    with pytest.raises(ReplacementError, match="delete-event-source-mapping --uuid"):
        ensure(
            context, "AWS::Lambda::EventSourceMapping", StartingPosition="TRIM_HORIZON", **mapping
        )


def test_log_groups_and_their_subscription_filters(
    context: Context, function: dict[str, Any]
) -> None:
    _, made = ensure(context, "AWS::Lambda::Function", **function)
    _, group = ensure(context, "AWS::Logs::LogGroup", LogGroupName="/shop")
    assert ensure(context, "AWS::Logs::LogGroup", RetentionInDays=3)[1].ref.startswith("shop-")
    logs = context.client("logs")

    def subscribe(pattern: str) -> Outcome:
        return ensure(
            context,
            "AWS::Logs::SubscriptionFilter",
            LogGroupName=group.ref,
            FilterName="errors",
            FilterPattern=pattern,
            DestinationArn=made.attributes["Arn"],
        )[0]

    outcomes = [subscribe(one) for one in ("ERROR", "ERROR", "?ERROR ?FATAL")]

    assert outcomes == [CREATED, UNCHANGED, CHANGED]
    (found,) = logs.describe_subscription_filters(logGroupName="/shop")["subscriptionFilters"]
    assert found["filterPattern"] == "?ERROR ?FATAL"
    remove = RESOURCE_TYPES["AWS::Logs::SubscriptionFilter"].remove
    assert remove is not None
    key = {"LogGroupName": "/shop", "FilterName": "errors"}
    assert remove(context, key)
    assert not remove(context, key)
