"""Resources that events go to, or go through: made once, left alone, changed, taken away."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from bootstrap.looking import Answers, Looking
from bootstrap.removal import delete
from bootstrap.services import RESOURCE_TYPES
from bootstrap.services.base import Context, Outcome
from bootstrap.settings import Settings
from bootstrap.template import Physical
from tests.unit.bootstrap.by_moto import MotoContext, ensure

CREATED, CHANGED, UNCHANGED = Outcome.CREATED, Outcome.CHANGED, Outcome.UNCHANGED
KEY = {"ApiKeyAuthParameters": {"ApiKeyName": "x-key", "ApiKeyValue": "secret"}}
CONNECTION: dict[str, Any] = {"AuthorizationType": "API_KEY", "AuthParameters": KEY}
BUCKET = "AWS::S3::Bucket"


@pytest.fixture
def context() -> Iterator[Context]:
    with mock_aws():
        yield MotoContext(Settings(4566, 8080, "us-east-1"), "shop")


def drop(context: Context, kind: str, properties: dict[str, Any], made: Physical) -> list[bool]:
    """Take a resource away as a run does; whether each of its keys still is something."""
    resource_type = RESOURCE_TYPES[kind]
    left = []
    for key in reversed(resource_type.keys("Thing", properties, made)):
        delete(context, resource_type, key)
        left.append(bool(resource_type.exists and resource_type.exists(context, key)))
    return left


@pytest.mark.parametrize(
    "change",
    [
        {"AuthParameters": {"ApiKeyAuthParameters": {"ApiKeyName": "x", "ApiKeyValue": "secret"}}},
        {
            "AuthParameters": {
                **KEY,
                "InvocationHttpParameters": {
                    "HeaderParameters": [{"Key": "x-of", "Value": "v", "IsValueSecret": False}]
                },
            }
        },
        {"Description": "the shop of a partner"},
    ],
    ids=["key", "parameter", "description"],
)
def test_a_connection_is_made_left_alone_and_changed(
    context: Context, change: dict[str, Any]
) -> None:
    kind = "AWS::Events::Connection"
    first, made = ensure(context, kind, **CONNECTION)

    assert (first, ensure(context, kind, **CONNECTION)) == (CREATED, (UNCHANGED, made))
    assert (made.ref, made.attributes["ArnForPolicy"]) == (
        "shop-Thing",
        "arn:aws:events:us-east-1:123456789012:connection/shop-Thing",
    )
    assert made.attributes["Arn"].startswith(f"{made.attributes['ArnForPolicy']}/")
    assert made.attributes["SecretArn"].startswith("arn:aws:secretsmanager:")
    assert ensure(context, kind, **CONNECTION | change)[0] is CHANGED
    assert ensure(context, kind, **CONNECTION | change)[0] is UNCHANGED
    assert drop(context, kind, CONNECTION, made) == [False]


def test_an_api_destination_is_made_left_alone_and_changed(context: Context) -> None:
    kind = "AWS::Events::ApiDestination"
    _, connection = ensure(context, "AWS::Events::Connection", **CONNECTION)
    given = {
        "ConnectionArn": connection.attributes["Arn"],
        "HttpMethod": "POST",
        "InvocationEndpoint": "https://partner.example/orders",
        "InvocationRateLimitPerSecond": 5,
    }
    first, made = ensure(context, kind, **given)

    assert (first, ensure(context, kind, **given)) == (CREATED, (UNCHANGED, made))
    assert made.ref == "shop-Thing"
    for change in ({"HttpMethod": "PUT"}, {"InvocationRateLimitPerSecond": 300}):
        assert ensure(context, kind, **given | change)[0] is CHANGED
        assert ensure(context, kind, **given | change)[0] is UNCHANGED
    without = {key: value for key, value in given.items() if "Rate" not in key}
    assert ensure(context, kind, **without | change)[0] is UNCHANGED  # 300 is AWS's own
    assert drop(context, kind, given, made) == [False]


def test_a_secret_of_a_connection_that_was_changed_is_told_of(context: Context) -> None:
    kind = "AWS::Events::Connection"
    _, made = ensure(context, kind, **CONNECTION)
    other = json.dumps({"api_key_name": "x-key", "api_key_value": "other"})
    secrets = context.client("secretsmanager")
    secrets.put_secret_value(SecretId=made.attributes["SecretArn"], SecretString=other)

    view = Looking.like(context, Answers())
    assert ensure(view, kind, **CONNECTION)[0] is CHANGED
    assert [call.operation for call in view.writes] == ["update_connection"]


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": code}}, "Operation")


class Clients(Context):
    """One client for everything: what moto does not do."""

    def __init__(self, client: Any) -> None:
        super().__init__(Settings(4566, 8080, "us-east-1"), "shop")
        self._one = client

    def client(self, name: str) -> Any:
        return self._one


class Aliases:
    """Aliases of one function, with their provisioned concurrency."""

    def __init__(self) -> None:
        self.aliases: dict[str, dict[str, Any]] = {}
        self.provisioned: dict[str, int] = {}

    def get_alias(self, **given: Any) -> dict[str, Any]:
        if given["Name"] not in self.aliases:
            raise refused("ResourceNotFoundException")
        return self.aliases[given["Name"]]

    def create_alias(self, **given: Any) -> dict[str, Any]:
        place = f"{given['FunctionName']}:{given['Name']}"
        arn = f"arn:aws:lambda:us-east-1:000000000000:function:{place}"
        self.aliases[given["Name"]] = {"AliasArn": arn, **given}
        return self.aliases[given["Name"]]

    def update_alias(self, **given: Any) -> None:
        self.aliases[given["Name"]] |= given

    def delete_alias(self, **given: Any) -> None:
        del self.aliases[given["Name"]]

    def get_provisioned_concurrency_config(self, **given: Any) -> dict[str, Any]:
        if given["Qualifier"] not in self.provisioned:
            raise refused("ProvisionedConcurrencyConfigNotFoundException")
        requested = self.provisioned[given["Qualifier"]]
        return {"Status": "READY", "RequestedProvisionedConcurrentExecutions": requested}

    def put_provisioned_concurrency_config(self, **given: Any) -> None:
        self.provisioned[given["Qualifier"]] = given["ProvisionedConcurrentExecutions"]

    def delete_provisioned_concurrency_config(self, **given: Any) -> None:
        del self.provisioned[given["Qualifier"]]


@pytest.mark.parametrize(
    "change",
    [
        {"FunctionVersion": "2"},
        {"Description": "what is live"},
        {
            "RoutingConfig": {
                "AdditionalVersionWeights": [{"FunctionVersion": "2", "FunctionWeight": 0.25}]
            }
        },
        {"ProvisionedConcurrencyConfig": {"ProvisionedConcurrentExecutions": 2}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_an_alias_is_made_left_alone_changed_and_deleted(change: dict[str, Any]) -> None:
    kind, client = "AWS::Lambda::Alias", Aliases()
    context = Clients(client)
    given = {"FunctionName": "shop", "FunctionVersion": "1", "Name": "live"}
    first, made = ensure(context, kind, **given)

    assert (first, ensure(context, kind, **given)) == (CREATED, (UNCHANGED, made))
    assert made.ref == "arn:aws:lambda:us-east-1:000000000000:function:shop:live"
    outcomes = [ensure(context, kind, **one)[0] for one in (given | change, given | change, given)]
    assert outcomes == [CHANGED, UNCHANGED, CHANGED]
    assert client.provisioned == {}
    drop(context, kind, given, made)
    assert client.aliases == {}


class Bucket:
    """A bucket with notifications, beside what moto does: moto has none for the bus."""

    def __init__(self, moto: Any) -> None:
        self._moto = moto
        self.notified: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._moto, name)

    def get_bucket_notification_configuration(self, **given: Any) -> dict[str, Any]:
        return {"ResponseMetadata": {}, **copy.deepcopy(self.notified)}

    def put_bucket_notification_configuration(self, **given: Any) -> None:
        self.notified = {
            name: value
            for name, value in copy.deepcopy(given["NotificationConfiguration"]).items()
            if value or isinstance(value, dict)  # the answer has no empty list
        }


def test_a_bucket_tells_queues_topics_and_the_bus(context: Context) -> None:
    files = Bucket(context.client("s3"))
    context = Clients(files)
    event, queue = "s3:ObjectCreated:*", "arn:aws:sqs:us-east-1:000000000000:q"
    rules = {"S3Key": {"Rules": [{"Name": "prefix", "Value": "in/"}]}}

    def given(**filters: Any) -> dict[str, Any]:
        return {
            "BucketName": "files",
            "NotificationConfiguration": {
                "QueueConfigurations": [{"Event": event, "Queue": queue, **filters}],
                "TopicConfigurations": [
                    {"Event": "s3:ObjectRemoved:*", "Topic": "arn:aws:sns:us-east-1:0:t"}
                ],
                "EventBridgeConfiguration": {"EventBridgeEnabled": True},
            },
        }

    first, made = ensure(context, BUCKET, **given())
    assert (first, ensure(context, BUCKET, **given())[0]) == (CREATED, UNCHANGED)
    (one,) = files.notified["QueueConfigurations"]
    assert (one["QueueArn"], one["Events"], "Filter" in one) == (queue, [event], False)

    # A filter takes the place of the one without: S3 would refuse both.
    assert ensure(context, BUCKET, **given(Filter=rules))[0] is CHANGED
    (one,) = files.notified["QueueConfigurations"]
    assert one["Filter"]["Key"]["FilterRules"][0]["Value"] == "in/"
    assert ensure(context, BUCKET, **given(Filter=rules))[0] is UNCHANGED

    # What is no longer described goes by its key, which the record has.
    bucket = RESOURCE_TYPES[BUCKET]
    keys = bucket.keys("Thing", given(Filter=rules), made)
    assert len(keys) == 4
    assert bucket.remove is not None
    assert bucket.exists is not None
    assert [bucket.remove(context, key) for key in keys[1:]] == [True, True, True]
    assert [bucket.exists(context, key) for key in keys] == [True, False, False, False]
    assert files.notified == {}
    assert [bucket.remove(context, key) for key in keys[1:]] == [False, False, False]


def test_what_was_set_on_a_bucket_by_hand_stays(context: Context) -> None:
    files = Bucket(context.client("s3"))
    context = Clients(files)
    topic = "arn:aws:sns:us-east-1:000000000000:t"
    ensure(context, BUCKET, BucketName="files")
    files.notified = {
        "TopicConfigurations": [{"Id": "mine", "TopicArn": topic, "Events": ["s3:ObjectRemoved:*"]}]
    }
    by_hand = files.notified["TopicConfigurations"]

    assert ensure(context, BUCKET, BucketName="files")[0] is UNCHANGED
    given = {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}
    outcome, _ = ensure(context, BUCKET, BucketName="files", NotificationConfiguration=given)
    assert outcome is CHANGED
    assert files.notified == {"TopicConfigurations": by_hand, "EventBridgeConfiguration": {}}


@pytest.mark.parametrize(
    ("protocol", "endpoint"),
    [
        ("email", "shop@shop.example"),
        ("email-json", "shop@shop.example"),
        ("https", "https://shop.example/in"),
        ("sms", "+491701234567"),
    ],
)
def test_who_is_no_function_and_no_queue_subscribes(
    context: Context, protocol: str, endpoint: str
) -> None:
    kind = "AWS::SNS::Subscription"
    topic = context.client("sns").create_topic(Name="t")["TopicArn"]
    given = {"TopicArn": topic, "Protocol": protocol, "Endpoint": endpoint}
    first, made = ensure(context, kind, **given)

    assert (first, ensure(context, kind, **given)) == (CREATED, (UNCHANGED, made))
    assert drop(context, kind, given, made) == [False]
    listed = context.client("sns").list_subscriptions_by_topic(TopicArn=topic)
    assert listed["Subscriptions"] == []


def test_the_delivery_policy_of_a_subscription_is_set_changed_and_gone(context: Context) -> None:
    kind = "AWS::SNS::Subscription"
    topic = context.client("sns").create_topic(Name="t")["TopicArn"]
    given = {"TopicArn": topic, "Protocol": "http", "Endpoint": "http://shop.example/in"}

    def policy(retries: int) -> dict[str, Any]:
        return {"DeliveryPolicy": {"healthyRetryPolicy": {"numRetries": retries}}}

    outcomes = [
        ensure(context, kind, **given, **one)[0] for one in (policy(3), policy(3), policy(5))
    ]
    assert outcomes == [CREATED, UNCHANGED, CHANGED]


def test_an_access_control_signs_for_a_function_url() -> None:
    kind = RESOURCE_TYPES["AWS::CloudFront::OriginAccessControl"]
    config = {
        "Name": "to-the-function",
        "OriginAccessControlOriginType": "lambda",
        "SigningBehavior": "always",
        "SigningProtocol": "sigv4",
    }
    assert kind.problem({"OriginAccessControlConfig": config}) is None
    config["OriginAccessControlOriginType"] = "mediastore"
    assert kind.problem({"OriginAccessControlConfig": config}) is not None


def test_a_route_may_ask_for_a_signature(context: Context) -> None:
    _, api = ensure(context, "AWS::ApiGatewayV2::Api", Name="a", ProtocolType="HTTP")
    kind, given = "AWS::ApiGatewayV2::Route", {"ApiId": api.ref, "RouteKey": "GET /", "Target": "t"}
    outcomes = [
        ensure(context, kind, **given, **one)[0]
        for one in ({"AuthorizationType": "AWS_IAM"}, {"AuthorizationType": "AWS_IAM"}, {})
    ]
    assert outcomes == [CREATED, UNCHANGED, CHANGED]


class Statements:
    """The policy of one version of a layer."""

    def __init__(self) -> None:
        self.sids: list[str] = []

    def get_layer_version_policy(self, **given: Any) -> dict[str, Any]:
        if not self.sids:
            raise refused("ResourceNotFoundException")
        return {"Policy": json.dumps({"Statement": [{"Sid": sid} for sid in self.sids]})}

    def add_layer_version_permission(self, **given: Any) -> None:
        place = (given["LayerName"], given["VersionNumber"])
        assert place == ("arn:aws:lambda:us-east-1:123456789012:layer:tools", 3)
        self.sids.append(given["StatementId"])

    def remove_layer_version_permission(self, **given: Any) -> None:
        self.sids.remove(given["StatementId"])


def test_a_layer_is_shared_once_and_no_longer() -> None:
    kind, policy = "AWS::Lambda::LayerVersionPermission", Statements()
    context = Clients(policy)
    arn = "arn:aws:lambda:us-east-1:123456789012:layer:tools:3"
    given = {"LayerVersionArn": arn, "Action": "lambda:GetLayerVersion", "Principal": "*"}
    first, made = ensure(context, kind, **given)

    assert (first, ensure(context, kind, **given)) == (CREATED, (UNCHANGED, made))
    other = given | {"Principal": "123456789012"}
    assert ensure(context, kind, **other)[0] is CREATED  # Lambda changes no statement
    drop(context, kind, given, made)
    assert len(policy.sids) == 1
