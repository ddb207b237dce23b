"""`make up` again after the file has changed: what it no longer describes goes, on a running stack.

Each case is a resource with all its settings, then with the required ones alone.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bootstrap.services import RESOURCE_TYPES
from bootstrap.services.base import Context, Outcome, Properties, subset
from bootstrap.settings import Settings
from bootstrap.template import Physical
from tests.support.permissions import permit

ROLE = "arn:aws:iam::000000000000:role/test"
CREATED, CHANGED, UNCHANGED = Outcome.CREATED, Outcome.CHANGED, Outcome.UNCHANGED


@dataclass
class Account:
    """Makes resources through the modules that `make up` uses."""

    context: Context
    name: str
    folder: Path
    cleanup: ExitStack
    functions: list[str] = field(default_factory=list)

    def client(self, service: str) -> Any:
        return self.context.client(service)

    def ensure(self, kind: str, properties: Properties) -> tuple[Outcome, Physical]:
        resource_type = RESOURCE_TYPES[kind]
        assert resource_type.problem(properties) is None
        return resource_type.ensure(self.context, f"Thing{self.name}", properties)

    def function(self, **settings: Any) -> Properties:
        """The properties of a function; it is deleted after the test."""
        (self.folder / "app.py").write_text("def handler(event, context): return 1\n")
        name = f"reconcile-{self.name}"
        if name not in self.functions:
            self.functions.append(name)
            self.cleanup.callback(self._delete_function, name)
        return {
            "FunctionName": name,
            "Code": {"Root": str(self.folder), "Patterns": ["app.py"]},
            "Handler": "app.handler",
            "Runtime": os.environ["LAMBDA_PYTHON_RUNTIME"],
            "Role": ROLE,
            **settings,
        }

    def _delete_function(self, name: str) -> None:
        client = self.client("lambda")
        for mapping in client.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]:
            client.delete_event_source_mapping(UUID=mapping["UUID"])
        client.delete_function(FunctionName=name)

    def queue(self) -> tuple[str, str]:
        """URL and ARN of a queue; it is deleted after the test."""
        sqs = self.client("sqs")
        _, made = self.ensure("AWS::SQS::Queue", {"QueueName": f"reconcile-{self.name}"})
        self.cleanup.callback(sqs.delete_queue, QueueUrl=made.ref)
        return made.ref, made.attributes["Arn"]

    def reconcile(self, kind: str, full: Properties, bare: Properties) -> Physical:
        """Each description twice: the second time there is nothing to do."""
        outcomes = []
        for properties in (full, full, bare, bare):
            outcome, made = self.ensure(kind, properties)
            outcomes.append(outcome)
        assert outcomes == [CREATED, UNCHANGED, CHANGED, UNCHANGED]
        return made


@pytest.fixture
def account(settings: Settings, tmp_path: Path) -> Iterator[Account]:
    with ExitStack() as cleanup:
        name = uuid.uuid4().hex[:10]
        yield Account(Context(settings, "reconcile"), name, tmp_path, cleanup)


def test_a_function(account: Account) -> None:
    full = account.function(
        Architectures=["arm64"],
        Description="text",
        Environment={"Variables": {"AN_A": "1"}},
        EphemeralStorage={"Size": 1024},
        MemorySize=256,
        ReservedConcurrentExecutions=3,
        Tags=[{"Key": "team", "Value": "brand"}],
        Timeout=9,
    )

    made = account.reconcile("AWS::Lambda::Function", full, account.function())

    found = account.client("lambda").get_function(FunctionName=made.ref)
    configuration = found["Configuration"]
    assert configuration["Architectures"] == ["x86_64"]
    assert configuration["Description"] == ""
    assert configuration.get("Environment", {}).get("Variables", {}) == {}
    assert configuration["EphemeralStorage"] == {"Size": 512}
    assert (configuration["MemorySize"], configuration["Timeout"]) == (128, 3)
    assert found.get("Tags", {}) == {}
    assert "Concurrency" not in found


def test_an_event_source_mapping(account: Account) -> None:
    function = account.function()
    account.ensure("AWS::Lambda::Function", function)
    _, arn = account.queue()
    bare = {"EventSourceArn": arn, "FunctionName": function["FunctionName"]}
    full = {
        **bare,
        "BatchSize": 3,
        "Enabled": False,
        "FilterCriteria": {"Filters": [{"Pattern": json.dumps({"body": {"a": [1]}})}]},
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "MaximumBatchingWindowInSeconds": 1,
        "ScalingConfig": {"MaximumConcurrency": 2},
    }

    made = account.reconcile("AWS::Lambda::EventSourceMapping", full, bare)

    mapping = account.client("lambda").get_event_source_mapping(UUID=made.ref)
    assert mapping["BatchSize"] == 10
    assert mapping["State"] in ("Enabled", "Enabling", "Updating")
    assert not mapping.get("FilterCriteria", {}).get("Filters")
    assert not mapping.get("FunctionResponseTypes")
    assert mapping["MaximumBatchingWindowInSeconds"] == 0
    assert not mapping.get("ScalingConfig")


def test_an_authorizer_and_its_route(account: Account) -> None:
    _, api = account.ensure(
        "AWS::ApiGatewayV2::Api", {"Name": f"reconcile-{account.name}", "ProtocolType": "HTTP"}
    )
    gateway = account.client("apigatewayv2")
    account.cleanup.callback(gateway.delete_api, ApiId=api.ref)
    function = "arn:aws:lambda:us-east-1:000000000000:function:any"
    bare = {
        "ApiId": api.ref,
        "AuthorizerPayloadFormatVersion": "2.0",
        "AuthorizerType": "REQUEST",
        "AuthorizerUri": function,
        "IdentitySource": ["$request.header.x"],
        "Name": "ask",
    }
    full = {**bare, "AuthorizerResultTtlInSeconds": 60, "EnableSimpleResponses": True}

    authorizer = account.reconcile("AWS::ApiGatewayV2::Authorizer", full, bare)

    _, integration = account.ensure(
        "AWS::ApiGatewayV2::Integration",
        {
            "ApiId": api.ref,
            "IntegrationType": "AWS_PROXY",
            "IntegrationUri": function,
            "PayloadFormatVersion": "2.0",
        },
    )
    target = f"integrations/{integration.ref}"
    bare = {"ApiId": api.ref, "RouteKey": "GET /x", "Target": target}
    full = {**bare, "AuthorizationType": "CUSTOM", "AuthorizerId": authorizer.ref}
    account.reconcile("AWS::ApiGatewayV2::Route", full, bare)


def test_a_function_url(account: Account) -> None:
    function = account.function()
    _, made = account.ensure("AWS::Lambda::Function", function)
    bare = {"AuthType": "NONE", "TargetFunctionArn": made.attributes["Arn"]}
    full = {
        **bare,
        "AuthType": "AWS_IAM",
        "Cors": {
            "AllowCredentials": True,
            "AllowHeaders": ["x-a"],
            "AllowMethods": ["GET"],
            "AllowOrigins": ["https://app.example"],
            "ExposeHeaders": ["x-b"],
            "MaxAge": 60,
        },
        "InvokeMode": "RESPONSE_STREAM",
    }

    url = account.reconcile("AWS::Lambda::Url", full, bare)

    config = account.client("lambda").get_function_url_config(FunctionName=function["FunctionName"])
    assert config["FunctionUrl"] == url.attributes["FunctionUrl"]
    assert (config["AuthType"], config["InvokeMode"]) == ("NONE", "BUFFERED")
    assert not config.get("Cors")


def test_settings_of_asynchronous_invocation(account: Account) -> None:
    function = account.function()
    account.ensure("AWS::Lambda::Function", function)
    _, arn = account.queue()
    identity = {"FunctionName": function["FunctionName"], "Qualifier": "$LATEST"}
    bare = {**identity, "MaximumRetryAttempts": 1}  # Lambda asks for one setting at least
    full = {
        **bare,
        "DestinationConfig": {"OnFailure": {"Destination": arn}},
        "MaximumEventAgeInSeconds": 60,
    }

    account.reconcile("AWS::Lambda::EventInvokeConfig", full, bare)

    found = account.client("lambda").get_function_event_invoke_config(**identity)
    assert not found.get("DestinationConfig", {}).get("OnFailure")
    assert found["MaximumRetryAttempts"] == 1
    assert found.get("MaximumEventAgeInSeconds") is None


def test_a_queue_and_its_policy(account: Account) -> None:
    _, dlq = account.queue()
    bare = {"QueueName": f"reconcile-{account.name}-full"}
    full = {
        **bare,
        "DelaySeconds": 5,
        "MaximumMessageSize": 2048,
        "MessageRetentionPeriod": 60,
        "ReceiveMessageWaitTimeSeconds": 2,
        "RedrivePolicy": {"deadLetterTargetArn": dlq, "maxReceiveCount": 4},
        "VisibilityTimeout": 45,
    }
    sqs = account.client("sqs")

    made = account.reconcile("AWS::SQS::Queue", full, bare)
    account.cleanup.callback(sqs.delete_queue, QueueUrl=made.ref)

    def attributes() -> dict[str, str]:
        answer = sqs.get_queue_attributes(QueueUrl=made.ref, AttributeNames=["All"])
        return dict(answer["Attributes"])

    found = attributes()
    assert "RedrivePolicy" not in found
    assert subset(
        {
            "DelaySeconds": "0",
            "MessageRetentionPeriod": "345600",
            "ReceiveMessageWaitTimeSeconds": "0",
            "VisibilityTimeout": "30",
        },
        found,
    ), found

    policy = {
        "Queues": [made.ref],
        "PolicyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "events.amazonaws.com"},
                    "Action": "sqs:SendMessage",
                    "Resource": made.attributes["Arn"],
                }
            ],
        },
    }
    kind = RESOURCE_TYPES["AWS::SQS::QueuePolicy"]
    assert account.ensure("AWS::SQS::QueuePolicy", policy)[0] is CREATED
    assert account.ensure("AWS::SQS::QueuePolicy", policy)[0] is UNCHANGED
    assert json.loads(attributes()["Policy"]) == policy["PolicyDocument"]
    assert kind.remove is not None
    assert kind.remove(account.context, {"QueueUrl": made.ref})
    assert "Policy" not in attributes()
    assert not kind.remove(account.context, {"QueueUrl": made.ref}), "nothing is left to remove"


def test_a_table(account: Account) -> None:
    name = f"reconcile-{account.name}"
    bare = {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    }
    full = {
        **bare,
        "AttributeDefinitions": [
            *bare["AttributeDefinitions"],
            {"AttributeName": "hour", "AttributeType": "S"},
        ],
        "GlobalSecondaryIndexes": [
            {
                "IndexName": "by-hour",
                "KeySchema": [{"AttributeName": "hour", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        "StreamSpecification": {"StreamViewType": "NEW_IMAGE"},
        "TimeToLiveSpecification": {"AttributeName": "expires", "Enabled": True},
    }
    dynamodb = account.client("dynamodb")

    def table() -> dict[str, Any]:
        return dict(dynamodb.describe_table(TableName=name)["Table"])

    account.cleanup.callback(dynamodb.delete_table, TableName=name)
    account.reconcile("AWS::DynamoDB::Table", full, bare)

    assert "GlobalSecondaryIndexes" not in table()
    assert not table().get("StreamSpecification", {}).get("StreamEnabled")
    time_to_live = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    assert time_to_live["TimeToLiveStatus"] in ("DISABLED", "DISABLING")

    for view in ("KEYS_ONLY", "NEW_AND_OLD_IMAGES"):
        wanted = {**bare, "StreamSpecification": {"StreamViewType": view}}
        outcomes = [account.ensure("AWS::DynamoDB::Table", wanted)[0] for _ in range(2)]
        assert outcomes == [CHANGED, UNCHANGED]
        assert table()["StreamSpecification"] == {"StreamEnabled": True, "StreamViewType": view}


def test_a_distribution(account: Account) -> None:
    required = {
        "Enabled": True,
        "Origins": [
            {
                "Id": "o",
                "DomainName": "b.s3.amazonaws.com",
                "S3OriginConfig": {"OriginAccessIdentity": ""},
            }
        ],
        "DefaultCacheBehavior": {
            "TargetOriginId": "o",
            "ViewerProtocolPolicy": "allow-all",
            "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6",
        },
    }
    certificate = "arn:aws:acm:us-east-1:000000000000:certificate/one"
    optional = {
        "Aliases": [f"{account.name}.shop.example"],
        "ViewerCertificate": {"AcmCertificateArn": certificate, "SslSupportMethod": "sni-only"},
        "CacheBehaviors": [
            {
                "PathPattern": "/api/*",
                "TargetOriginId": "o",
                "ViewerProtocolPolicy": "redirect-to-https",
                "AllowedMethods": ["GET", "HEAD", "OPTIONS"],
                "CachedMethods": ["GET", "HEAD"],
                "ForwardedValues": {"QueryString": True, "Headers": ["Origin"]},
                "DefaultTTL": 60,
            }
        ],
        "CustomErrorResponses": [{"ErrorCode": 404, "ErrorCachingMinTTL": 5}],
        "Comment": "text",
        "DefaultRootObject": "index.html",
        "HttpVersion": "http2",
        "PriceClass": "PriceClass_100",
    }

    made = account.reconcile(
        "AWS::CloudFront::Distribution",
        {"DistributionConfig": {**required, **optional}},
        {"DistributionConfig": required},
    )

    cloudfront = account.client("cloudfront")
    remove = RESOURCE_TYPES["AWS::CloudFront::Distribution"].remove
    assert remove is not None
    account.cleanup.callback(remove, account.context, {"Ref": made.ref})
    config = cloudfront.get_distribution_config(Id=made.ref)["DistributionConfig"]
    assert config["CacheBehaviors"]["Quantity"] == 0
    assert config["Aliases"]["Quantity"] == 0
    assert (config["Comment"], config["DefaultRootObject"]) == ("", "")
    assert (config["HttpVersion"], config["PriceClass"]) == ("http1.1", "PriceClass_All")


POLICIES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "CachePolicy": (
        {
            "MinTTL": 0,
            "DefaultTTL": 60,
            "MaxTTL": 600,
            "ParametersInCacheKeyAndForwardedToOrigin": {
                "EnableAcceptEncodingGzip": True,
                "CookiesConfig": {"CookieBehavior": "none"},
                "HeadersConfig": {"HeaderBehavior": "whitelist", "Headers": ["Accept"]},
                "QueryStringsConfig": {"QueryStringBehavior": "all"},
            },
        },
        {"Comment": "text"},
    ),
    "OriginRequestPolicy": (
        {
            "CookiesConfig": {"CookieBehavior": "all"},
            "HeadersConfig": {"HeaderBehavior": "allViewer"},
            "QueryStringsConfig": {"QueryStringBehavior": "all"},
        },
        {"Comment": "text"},
    ),
    "ResponseHeadersPolicy": (
        {"SecurityHeadersConfig": {"ContentTypeOptions": {"Override": True}}},
        {"CustomHeadersConfig": {"Items": [{"Header": "X-A", "Value": "b", "Override": True}]}},
    ),
    "OriginAccessControl": (
        {
            "OriginAccessControlOriginType": "s3",
            "SigningBehavior": "always",
            "SigningProtocol": "sigv4",
        },
        {"Description": "text"},
    ),
}


@pytest.mark.parametrize("kind", POLICIES)
def test_policies_of_distributions(account: Account, kind: str) -> None:
    required, optional = POLICIES[kind]
    bare = {"Name": f"reconcile-{account.name}", **required}
    account.reconcile(
        f"AWS::CloudFront::{kind}",
        {f"{kind}Config": {**bare, **optional}},
        {f"{kind}Config": bare},
    )


def test_an_access_identity(account: Account) -> None:
    kind, name = "AWS::CloudFront::CloudFrontOriginAccessIdentity", "Comment"
    outcomes = [
        account.ensure(kind, {"CloudFrontOriginAccessIdentityConfig": {name: comment}})[0]
        for comment in ("one", "one", "two", "two")
    ]
    assert outcomes == [CREATED, UNCHANGED, CHANGED, UNCHANGED]


def test_a_version(account: Account) -> None:
    function = account.function()
    account.ensure("AWS::Lambda::Function", function)
    version = {"FunctionName": function["FunctionName"]}

    first, made = account.ensure("AWS::Lambda::Version", version)
    second, same = account.ensure("AWS::Lambda::Version", version)
    account.ensure("AWS::Lambda::Function", {**function, "Timeout": 4})
    third, newer = account.ensure("AWS::Lambda::Version", version)

    assert (first, second, third) == (CREATED, UNCHANGED, CHANGED)
    assert made == same
    assert (made.ref[-2:], newer.ref[-2:]) == (":1", ":2")


def test_a_rule(account: Account) -> None:
    _, arn = account.queue()
    name = f"reconcile-{account.name}"
    bare = {"Name": name, "EventPattern": {"source": [account.name]}}
    target = {
        "Id": "one",
        "Arn": arn,
        "Input": {"a": 1},
        "DeadLetterConfig": {"Arn": arn},
        "RetryPolicy": {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60},
    }
    full = {**bare, "Description": "text", "State": "DISABLED", "Targets": [target]}
    events = account.client("events")
    account.cleanup.callback(events.delete_rule, Name=name)

    account.reconcile("AWS::Events::Rule", full, bare)

    rule = events.describe_rule(Name=name)
    assert (rule["State"], rule.get("Description") or "") == ("ENABLED", "")
    assert events.list_targets_by_rule(Rule=name)["Targets"] == []


def test_a_topic_and_its_subscriptions(account: Account) -> None:
    """A function's subscription is a part of the topic; it goes with the function's event."""
    sns, function = account.client("sns"), account.function()
    _, made = account.ensure("AWS::Lambda::Function", function)
    bare = {"TopicName": f"reconcile-{account.name}"}
    subscription = {"Endpoint": made.attributes["Arn"], "Protocol": "lambda"}
    full = {**bare, "DisplayName": "News", "Subscription": [subscription]}

    topic = account.reconcile("AWS::SNS::Topic", full, bare)
    account.cleanup.callback(sns.delete_topic, TopicArn=topic.ref)

    def subscribed() -> list[str]:
        page = sns.list_subscriptions_by_topic(TopicArn=topic.ref)
        return [one["Endpoint"] for one in page["Subscriptions"]]

    kind = RESOURCE_TYPES["AWS::SNS::Topic"]
    assert subscribed() == [made.attributes["Arn"]]
    keys = kind.keys("Topic", full, topic)
    left = [key for key in keys if key not in kind.keys("Topic", bare, topic)]
    assert kind.remove is not None
    assert [kind.remove(account.context, key) for key in left] == [True]
    assert subscribed() == []
    assert not kind.remove(account.context, {"Ref": topic.ref}), "the topic itself stays"


def test_an_http_api(account: Account) -> None:
    bare = {"Name": f"reconcile-{account.name}", "ProtocolType": "HTTP"}
    full = {
        **bare,
        "CorsConfiguration": {"AllowOrigins": ["https://shop.example"], "MaxAge": 60},
        "Description": "text",
        "Tags": {"team": "brand"},
    }
    gateway = account.client("apigatewayv2")

    api = account.reconcile("AWS::ApiGatewayV2::Api", full, bare)
    account.cleanup.callback(gateway.delete_api, ApiId=api.ref)

    found = gateway.get_api(ApiId=api.ref)
    assert not found.get("CorsConfiguration")
    assert found.get("Description", "") == ""
    assert found.get("Tags", {}) == {}

    stage = {"ApiId": api.ref, "StageName": "test"}
    account.reconcile(
        "AWS::ApiGatewayV2::Stage",
        {**stage, "AutoDeploy": True, "StageVariables": {"a": "1"}},
        stage,
    )
    found = gateway.get_stage(**stage)
    assert not found.get("AutoDeploy")
    assert found.get("StageVariables", {}) == {}

    integration = {
        "ApiId": api.ref,
        "IntegrationType": "HTTP_PROXY",
        "IntegrationUri": "http://localhost:1",
        "PayloadFormatVersion": "1.0",
    }
    account.reconcile(
        "AWS::ApiGatewayV2::Integration", {**integration, "TimeoutInMillis": 50}, integration
    )


def test_a_bucket_a_role_and_a_log_group(account: Account) -> None:
    name = f"reconcile-{account.name}"
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "lambda.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    s3, iam, logs = (account.client(service) for service in ("s3", "iam", "logs"))
    function = account.function()
    _, lambda_function = account.ensure("AWS::Lambda::Function", function)
    notifications = {
        "LambdaConfigurations": [
            {"Event": "s3:ObjectCreated:*", "Function": lambda_function.attributes["Arn"]}
        ]
    }
    account.client("lambda").add_permission(
        FunctionName=function["FunctionName"],
        StatementId="s3",
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
    )
    cases: list[tuple[str, Properties, Properties, Callable[[], Any]]] = [
        (
            "AWS::S3::Bucket",
            {"BucketName": name},
            {
                "VersioningConfiguration": {"Status": "Enabled"},
                "NotificationConfiguration": notifications,
            },
            lambda: s3.delete_bucket(Bucket=name),
        ),
        (
            "AWS::IAM::Role",
            {"RoleName": name, "AssumeRolePolicyDocument": trust},
            {"Policies": [{"PolicyName": "p", "PolicyDocument": policy}]},
            lambda: iam.delete_role(RoleName=name),
        ),
        (
            "AWS::Logs::LogGroup",
            {"LogGroupName": f"/{name}"},
            {"RetentionInDays": 7},
            lambda: logs.delete_log_group(logGroupName=f"/{name}"),
        ),
    ]
    for kind, bare, optional, delete in cases:
        account.cleanup.callback(delete)
        account.reconcile(kind, {**bare, **optional}, bare)

    assert s3.get_bucket_versioning(Bucket=name)["Status"] == "Suspended"
    notified = s3.get_bucket_notification_configuration(Bucket=name)
    assert "LambdaFunctionConfigurations" not in notified
    assert iam.list_role_policies(RoleName=name)["PolicyNames"] == []
    (group,) = logs.describe_log_groups(logGroupNamePrefix=f"/{name}")["logGroups"]
    assert "retentionInDays" not in group


def test_a_bucket_with_configurations(account: Account) -> None:
    name = f"reconcile-{account.name}"
    account.cleanup.callback(account.client("s3").delete_bucket, Bucket=name)
    full = {
        "BucketName": name,
        "CorsConfiguration": {
            "CorsRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"], "MaxAge": 5}]
        },
        "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]},
        "PublicAccessBlockConfiguration": {"BlockPublicAcls": False},
        "Tags": [{"Key": "a", "Value": "b"}],
        "WebsiteConfiguration": {"IndexDocument": "index.html", "ErrorDocument": "error.html"},
    }

    outcomes = [account.ensure("AWS::S3::Bucket", full)[0] for _ in range(2)]

    assert outcomes == [CREATED, UNCHANGED]
    s3 = account.client("s3")
    assert s3.get_bucket_cors(Bucket=name)["CORSRules"][0]["MaxAgeSeconds"] == 5
    website = s3.get_bucket_website(Bucket=name)
    assert website["IndexDocument"] == {"Suffix": "index.html"}
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{name}/*",
    }
    policy = {
        "Bucket": name,
        "PolicyDocument": {"Version": "2012-10-17", "Statement": [statement]},
    }
    outcomes = [account.ensure("AWS::S3::BucketPolicy", policy)[0] for _ in range(2)]
    assert outcomes == [CREATED, UNCHANGED]
    assert RESOURCE_TYPES["AWS::S3::BucketPolicy"].remove
    assert RESOURCE_TYPES["AWS::S3::BucketPolicy"].remove(account.context, {"Ref": name})


def test_the_tags_of_a_table(account: Account) -> None:
    name = f"reconcile-{account.name}"
    account.cleanup.callback(account.client("dynamodb").delete_table, TableName=name)
    bare = {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    }

    account.reconcile("AWS::DynamoDB::Table", {**bare, "Tags": [{"Key": "a", "Value": "b"}]}, bare)


def test_managed_policies_of_a_role(account: Account) -> None:
    name = f"reconcile-{account.name}"
    account.cleanup.callback(account.client("iam").delete_role, RoleName=name)
    bare = {
        "RoleName": name,
        "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []},
    }
    arn = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"

    account.reconcile("AWS::IAM::Role", {**bare, "ManagedPolicyArns": [arn]}, bare)


def test_a_gateway_response(account: Account) -> None:
    gateway = account.client("apigateway")
    api = gateway.create_rest_api(name=f"reconcile-{account.name}")["id"]
    account.cleanup.callback(gateway.delete_rest_api, restApiId=api)
    bare = {"RestApiId": api, "ResponseType": "UNAUTHORIZED", "StatusCode": "401"}
    full = {**bare, "ResponseParameters": {"gatewayresponse.header.X": "'y'"}}

    outcomes = [account.ensure("AWS::ApiGateway::GatewayResponse", full)[0] for _ in range(2)]

    assert outcomes == [CREATED, UNCHANGED]


def test_a_buckets_notifications_to_queues_survive(account: Account) -> None:
    name = f"reconcile-{account.name}"
    s3 = account.client("s3")
    bucket = {"BucketName": name}
    account.cleanup.callback(s3.delete_bucket, Bucket=name)
    account.ensure("AWS::S3::Bucket", bucket)
    _, queue = account.queue()
    permit(account.client, queue)
    to_queue = {"QueueArn": queue, "Events": ["s3:ObjectRemoved:*"]}
    s3.put_bucket_notification_configuration(
        Bucket=name, NotificationConfiguration={"QueueConfigurations": [to_queue]}
    )
    _, function = account.ensure("AWS::Lambda::Function", account.function())
    permit(account.client, function.attributes["Arn"])
    entry = {"Event": "s3:ObjectCreated:*", "Function": function.attributes["Arn"]}

    account.ensure(
        "AWS::S3::Bucket",
        {**bucket, "NotificationConfiguration": {"LambdaConfigurations": [entry]}},
    )

    kept = s3.get_bucket_notification_configuration(Bucket=name)
    assert [one["QueueArn"] for one in kept["QueueConfigurations"]] == [queue]
    assert len(kept["LambdaFunctionConfigurations"]) == 1
