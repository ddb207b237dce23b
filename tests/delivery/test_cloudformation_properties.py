"""Properties of a stack's resources: set, changed, unset when they are gone, or refused by name."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.delivery.stacks import PRINT, Stacks, function
from tests.engine.lambda_stack import Stack
from tests.support.waiting import eventually


@pytest.fixture
def stacks(stack: Stack) -> Iterator[Stacks]:
    made = Stacks(stack)
    yield made
    made.delete()


def resource(kind: str, **properties: Any) -> dict[str, Any]:
    return {"Type": f"AWS::{kind}", "Properties": properties}


def tag(value: str) -> list[dict[str, str]]:
    return [{"Key": "team", "Value": value}]


# --- S3


def test_configurations_of_a_bucket(stack: Stack, stacks: Stacks) -> None:
    s3 = stack.client("s3")
    rule = {
        "Id": "old",
        "Status": "Enabled",
        "Prefix": "logs/",
        "ExpirationInDays": 30,
        "NoncurrentVersionExpiration": {"NoncurrentDays": 7},
        "Transitions": [{"StorageClass": "GLACIER", "TransitionInDays": 10}],
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
    }
    encryption = {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    cors = {"AllowedMethods": ["GET"], "AllowedOrigins": ["*"], "MaxAge": 60}
    full = {
        "BucketEncryption": {"ServerSideEncryptionConfiguration": [encryption]},
        "CorsConfiguration": {"CorsRules": [cors]},
        "LifecycleConfiguration": {"Rules": [rule]},
        "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]},
        "PublicAccessBlockConfiguration": {"BlockPublicAcls": "true", "IgnorePublicAcls": True},
        "Tags": tag("a"),
        "VersioningConfiguration": {"Status": "Enabled"},
    }
    name = {"Name": {"Ref": "Bucket"}}

    bucket = stacks.deploy({"Bucket": resource("S3::Bucket", **full)}, **name)["Name"]

    (made,) = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert (made["ID"], made["Filter"], made["Expiration"]) == (
        "old", {"Prefix": "logs/"}, {"Days": 30},
    )  # fmt: skip
    assert made["Transitions"] == [{"StorageClass": "GLACIER", "Days": 10}]
    assert made["NoncurrentVersionExpiration"] == {"NoncurrentDays": 7}
    assert made["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}
    block = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert (block["BlockPublicAcls"], block["IgnorePublicAcls"]) == (True, True)
    assert s3.get_bucket_cors(Bucket=bucket)["CORSRules"][0]["MaxAgeSeconds"] == 60
    controls = s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]
    assert controls["Rules"] == [{"ObjectOwnership": "BucketOwnerPreferred"}]
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == tag("a")
    grants = s3.get_bucket_acl(Bucket=bucket)["Grants"]
    assert all("URI" not in one["Grantee"] for one in grants), "a bucket is private"

    changed = full | {
        "LifecycleConfiguration": {"Rules": [rule | {"ExpirationInDays": "60"}]},
        "PublicAccessBlockConfiguration": {"BlockPublicAcls": False},
        "Tags": tag("b"),
    }
    assert stacks.deploy({"Bucket": resource("S3::Bucket", **changed)}, **name)["Name"] == bucket
    (made,) = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert made["Expiration"] == {"Days": 60}
    block = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert block["BlockPublicAcls"] is False
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == tag("b")

    stacks.deploy({"Bucket": resource("S3::Bucket")}, **name)
    for operation, code in (
        ("get_bucket_lifecycle_configuration", "NoSuchLifecycleConfiguration"),
        ("get_public_access_block", "NoSuchPublicAccessBlockConfiguration"),
        ("get_bucket_cors", "NoSuchCORSConfiguration"),
        ("get_bucket_ownership_controls", "OwnershipControlsNotFoundError"),
        ("get_bucket_tagging", "NoSuchTagSet"),
    ):
        with pytest.raises(ClientError, match=code):
            getattr(s3, operation)(Bucket=bucket)
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Suspended"


def test_events_of_a_bucket_go_to_the_bus_unless_they_are_said_not_to(
    stack: Stack, stacks: Stacks
) -> None:
    """``EventBridgeEnabled`` is true by default (AWS::S3::Bucket EventBridgeConfiguration)."""
    name, s3 = {"Name": {"Ref": "Bucket"}}, stack.client("s3")

    def notified(**configuration: Any) -> bool:
        to_bus = {"EventBridgeConfiguration": configuration}
        made = stacks.deploy(
            {"Bucket": resource("S3::Bucket", NotificationConfiguration=to_bus)}, **name
        )
        answer = s3.get_bucket_notification_configuration(Bucket=made["Name"])
        return "EventBridgeConfiguration" in answer

    assert notified()
    assert not notified(EventBridgeEnabled="false")
    assert notified(EventBridgeEnabled="true")


# --- DynamoDB


def table(*hours: str, **properties: Any) -> dict[str, Any]:
    names = ("id", *hours)
    made = {
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": one, "AttributeType": "S"} for one in names],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    }
    if hours:
        made["GlobalSecondaryIndexes"] = [index(one) for one in hours]
    return resource("DynamoDB::Table", **made | properties)


def index(hour: str, projection: str = "ALL") -> dict[str, Any]:
    return {
        "IndexName": f"by-{hour}",
        "KeySchema": [{"AttributeName": hour, "KeyType": "HASH"}],
        "Projection": {"ProjectionType": projection},
    }


def test_settings_of_a_table(stack: Stack, stacks: Stacks) -> None:
    dynamodb, name = stack.client("dynamodb"), {"Name": {"Ref": "Table"}}
    full = {
        "DeletionProtectionEnabled": True,
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": "true"},
        "Tags": tag("a"),
        "TimeToLiveSpecification": {"AttributeName": "ends", "Enabled": True},
    }
    made = stacks.deploy({"Table": table("hour", **full)}, **name)["Name"]

    def settings() -> dict[str, Any]:
        described = dynamodb.describe_table(TableName=made)["Table"]
        backups = dynamodb.describe_continuous_backups(TableName=made)
        recovery = backups["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
        lives = dynamodb.describe_time_to_live(TableName=made)["TimeToLiveDescription"]
        return {
            "protected": described.get("DeletionProtectionEnabled", False),
            "indexes": [one["IndexName"] for one in described.get("GlobalSecondaryIndexes", [])],
            "recovery": recovery["PointInTimeRecoveryStatus"],
            "lives": lives.get("AttributeName") if lives["TimeToLiveStatus"] == "ENABLED" else "",
            "tags": dynamodb.list_tags_of_resource(ResourceArn=described["TableArn"])["Tags"],
        }

    assert settings() == {
        "protected": True, "indexes": ["by-hour"], "recovery": "ENABLED", "lives": "ends",
        "tags": tag("a"),
    }  # fmt: skip

    other = {"AttributeName": "expires", "Enabled": True}
    changed = full | {"Tags": tag("b"), "TimeToLiveSpecification": other}
    stacks.deploy({"Table": table("hour", "day", **changed)}, **name)
    assert settings()["tags"] == tag("b")
    assert settings()["lives"] == "expires"
    assert sorted(settings()["indexes"]) == ["by-day", "by-hour"]

    assert stacks.deploy({"Table": table()}, **name)["Name"] == made
    assert settings() == {
        "protected": False, "indexes": [], "recovery": "DISABLED", "lives": "", "tags": [],
    }  # fmt: skip


def test_settings_of_a_global_table(stack: Stack, stacks: Stacks) -> None:
    """As the CDK's ``TableV2`` has it: one replica, in the region of the stack."""
    dynamodb, name = stack.client("dynamodb"), {"Name": {"Ref": "Table"}}

    def deployed(*regions: str, replica: dict[str, Any], **properties: Any) -> dict[str, Any]:
        made = table(**properties)
        made["Type"] = "AWS::DynamoDB::GlobalTable"
        made["Properties"]["Replicas"] = [
            {"Region": region, **replica} for region in regions or ("us-east-1",)
        ]
        arn = {"Stream": {"Fn::GetAtt": ["Table", "StreamArn"]}} if properties else {}
        found = stacks.deploy({"Table": made}, **name, **arn)
        described = dynamodb.describe_table(TableName=found["Name"])["Table"]
        backups = dynamodb.describe_continuous_backups(TableName=found["Name"])
        recovery = backups["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
        tags = dynamodb.list_tags_of_resource(ResourceArn=described["TableArn"])["Tags"]
        return {
            "protected": described.get("DeletionProtectionEnabled", False),
            "recovery": recovery["PointInTimeRecoveryStatus"],
            "stream": found.get("Stream") == described.get("LatestStreamArn"),
            "tags": [one["Value"] for one in tags],
        }

    full = {
        "DeletionProtectionEnabled": True,
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
        "Tags": tag("a"),
    }
    view = {"StreamSpecification": {"StreamViewType": "NEW_AND_OLD_IMAGES"}}
    assert deployed(replica=full, **view) == {
        "protected": True, "recovery": "ENABLED", "stream": True, "tags": ["a"],
    }  # fmt: skip
    keys = {"StreamSpecification": {"StreamViewType": "KEYS_ONLY"}}
    assert deployed(replica={"Tags": tag("b")}, **keys) == {
        "protected": False, "recovery": "DISABLED", "stream": True, "tags": ["b"],
    }  # fmt: skip
    with pytest.raises(AssertionError, match="the regions of Replicas cannot be changed here"):
        deployed("us-east-1", "eu-west-1", replica={})


def test_what_only_a_new_table_can_have_otherwise_fails_by_name(stacks: Stacks) -> None:
    stacks.deploy({"Table": table("hour")})

    other = [index("hour", "KEYS_ONLY")]
    with pytest.raises(AssertionError, match=r"Cannot update GSI's properties .*by-hour"):
        stacks.deploy({"Table": table("hour", GlobalSecondaryIndexes=other)})
    key = [{"AttributeName": "hour", "KeyType": "HASH"}]
    with pytest.raises(AssertionError, match="KeySchema of a table cannot be changed"):
        stacks.deploy({"Table": table("hour", KeySchema=key)})


# --- Messages


def test_settings_of_a_topic(stack: Stack, stacks: Stacks) -> None:
    sns, queues = stack.client("sns"), {n: resource("SQS::Queue") for n in ("One", "Two")}
    full = {
        "KmsMasterKeyId": "alias/aws/sns",
        "TracingConfig": "Active",
        "SignatureVersion": "2",
        "Tags": tag("a"),
        "DeliveryStatusLogging": [{"Protocol": "sqs"}],
    }

    def to(name: str) -> dict[str, Any]:
        return {"Protocol": "sqs", "Endpoint": {"Fn::GetAtt": [name, "Arn"]}}

    def deployed(**properties: Any) -> tuple[dict[str, str], list[str]]:
        arn = stacks.deploy(
            queues | {"Topic": resource("SNS::Topic", **properties)}, Arn={"Ref": "Topic"}
        )["Arn"]
        found = sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]
        endpoints = [one["Endpoint"].rpartition("-")[0].rpartition("-")[2] for one in found]
        return sns.get_topic_attributes(TopicArn=arn)["Attributes"], endpoints

    first, endpoints = deployed(**full, Subscription=[to("One")])
    assert (first["KmsMasterKeyId"], first["TracingConfig"], first["SignatureVersion"]) == (
        "alias/aws/sns", "Active", "2",
    )  # fmt: skip
    assert endpoints == ["One"]

    second, endpoints = deployed(
        **full | {"TracingConfig": "PassThrough"}, Subscription=[to("Two")]
    )
    assert (second["TopicArn"], second["TracingConfig"]) == (first["TopicArn"], "PassThrough")
    assert endpoints == ["Two"]

    third, endpoints = deployed(DisplayName="shop")
    assert third["TopicArn"] == first["TopicArn"]
    assert (third.get("KmsMasterKeyId", ""), third["SignatureVersion"]) == ("", "1")
    assert (third["DisplayName"], endpoints) == ("shop", [])


def test_settings_of_a_queue_and_a_subscription(stack: Stack, stacks: Stacks) -> None:
    sqs, sns = stack.client("sqs"), stack.client("sns")
    allow = {"redrivePermission": "denyAll"}

    def resources(queue: dict[str, Any], subscription: dict[str, Any]) -> dict[str, Any]:
        endpoint = {"Protocol": "sqs", "Endpoint": {"Fn::GetAtt": ["Queue", "Arn"]}}
        topic = {"TopicArn": {"Ref": "Topic"}}
        return {
            "Dead": resource("SQS::Queue"),
            "Queue": resource("SQS::Queue", **queue),
            "Topic": resource("SNS::Topic"),
            "Subscription": resource("SNS::Subscription", **topic, **endpoint, **subscription),
        }

    names = {"Queue": {"Ref": "Queue"}, "Subscription": {"Ref": "Subscription"}}
    dead = {"RedrivePolicy": {"deadLetterTargetArn": {"Fn::GetAtt": ["Dead", "Arn"]}}}
    key = {"KmsMasterKeyId": "alias/aws/sqs", "KmsDataKeyReusePeriodSeconds": 600}
    made = stacks.deploy(resources({"RedriveAllowPolicy": allow, **key}, dead), **names)

    def attributes() -> tuple[dict[str, str], dict[str, str]]:
        queue = sqs.get_queue_attributes(QueueUrl=made["Queue"], AttributeNames=["All"])
        subscription = sns.get_subscription_attributes(SubscriptionArn=made["Subscription"])
        return queue["Attributes"], subscription["Attributes"]

    queue, subscription = attributes()
    assert json.loads(queue["RedriveAllowPolicy"]) == allow
    assert queue["KmsMasterKeyId"] == "alias/aws/sqs"
    assert "deadLetterTargetArn" in subscription["RedrivePolicy"]

    assert stacks.deploy(resources({}, {}), **names) == made
    queue, subscription = attributes()
    assert json.loads(queue.get("RedriveAllowPolicy") or "{}") == {}
    assert queue.get("KmsMasterKeyId", "") == ""
    assert json.loads(subscription.get("RedrivePolicy") or "{}") == {}


# --- Functions


def test_settings_of_a_function_and_what_belongs_to_it(stack: Stack, stacks: Stacks) -> None:
    """Signing, recursion, SnapStart, an alias with weights, a URL, an asynchronous invocation."""
    client = stack.client("lambda")
    profile = "arn:aws:signer:us-east-1:000000000000:/signing-profiles/shop/{}"

    def resources(
        settings: dict[str, Any], url: dict[str, Any], alias: dict[str, Any], signer: str
    ) -> dict[str, Any]:
        made = function(PRINT)
        made["Properties"] |= settings
        name = {"Ref": "Function"}
        trusted = {"SigningProfileVersionArns": [profile.format(signer)]}
        second = resource("Lambda::Version", FunctionName=name, Description="second")
        return {
            "Function": made,
            "Signing": resource("Lambda::CodeSigningConfig", AllowedPublishers=trusted),
            "First": resource("Lambda::Version", FunctionName=name, Description="first"),
            **({"Second": second} if alias else {}),
            "Alias": resource(
                "Lambda::Alias",
                FunctionName=name,
                Name="live",
                FunctionVersion={"Fn::GetAtt": ["First", "Version"]},
                **alias,
            ),
            "Url": resource("Lambda::Url", TargetFunctionArn=name, AuthType="NONE", **url),
            "Invoke": resource(
                "Lambda::EventInvokeConfig",
                FunctionName=name,
                Qualifier="$LATEST",
                MaximumRetryAttempts=0,
                **({"MaximumEventAgeInSeconds": 60} if url else {}),
            ),
        }

    names = {"Name": {"Ref": "Function"}, "Signing": {"Ref": "Signing"}}
    other = {"Fn::GetAtt": ["Second", "Version"]}
    full = {
        "CodeSigningConfigArn": {"Ref": "Signing"},
        "LoggingConfig": {"LogFormat": "JSON", "ApplicationLogLevel": "DEBUG"},
        "RecursiveLoop": "Allow",
        "SnapStart": {"ApplyOn": "PublishedVersions"},
        "Tags": tag("a"),
        "TracingConfig": {"Mode": "Active"},
    }
    cors = {"AllowOrigins": ["https://shop.example"], "MaxAge": 60}
    made = stacks.deploy(
        resources(
            full,
            {"Cors": cors, "InvokeMode": "RESPONSE_STREAM"},
            {},
            "one",
        ),
        **names,
    )
    name = {"FunctionName": made["Name"]}

    def found() -> dict[str, Any]:
        config = client.get_function_configuration(**name)
        url = client.get_function_url_config(**name)
        alias = client.get_alias(**name, Name="live")
        invoke = client.get_function_event_invoke_config(**name)
        signing = client.get_code_signing_config(CodeSigningConfigArn=made["Signing"])
        return {
            "signed": client.get_function_code_signing_config(**name).get("CodeSigningConfigArn"),
            "signers": signing["CodeSigningConfig"]["AllowedPublishers"],
            "loop": client.get_function_recursion_config(**name)["RecursiveLoop"],
            "snap": config.get("SnapStart", {}).get("ApplyOn"),
            "log": config["LoggingConfig"]["LogFormat"],
            "trace": config["TracingConfig"]["Mode"],
            "tags": client.get_function(**name).get("Tags", {}).get("team"),
            "url": (url["InvokeMode"], url.get("Cors", {}).get("AllowOrigins")),
            "weights": list(
                (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights", {}).values()
            ),
            "age": invoke.get("MaximumEventAgeInSeconds"),
        }

    def signers(name: str) -> dict[str, Any]:
        return {"SigningProfileVersionArns": [profile.format(name)]}

    assert found() == {
        "signed": made["Signing"], "signers": signers("one"), "loop": "Allow",
        "snap": "PublishedVersions", "log": "JSON", "trace": "Active", "tags": "a",
        "url": ("RESPONSE_STREAM", ["https://shop.example"]), "weights": [], "age": 60,
    }  # fmt: skip

    # Without a change there is no second version.
    changed = full | {"Tags": tag("b"), "Description": "changed"}
    for weight in (0.25, "0.5"):
        weights = [{"FunctionVersion": other, "FunctionWeight": weight}]
        stacks.deploy(
            resources(
                changed,
                {"Cors": cors | {"AllowOrigins": ["*"]}},
                {"RoutingConfig": {"AdditionalVersionWeights": weights}},
                "two",
            ),
            **names,
        )
        assert found() == {
            "signed": made["Signing"], "signers": signers("two"), "loop": "Allow",
            "snap": "PublishedVersions", "log": "JSON", "trace": "Active", "tags": "b",
            "url": ("BUFFERED", ["*"]), "weights": [float(weight)], "age": 60,
        }  # fmt: skip

    assert stacks.deploy(resources({}, {}, {}, "two"), **names) == made
    assert found() == {
        "signed": None, "signers": signers("two"), "loop": "Terminate", "snap": "None",
        "log": "Text", "trace": "PassThrough", "tags": None, "url": ("BUFFERED", None),
        "weights": [], "age": None,
    }  # fmt: skip


def test_a_version_has_the_snap_start_of_its_function(stack: Stack, stacks: Stacks) -> None:
    made = function(PRINT)
    made["Properties"]["SnapStart"] = {"ApplyOn": "PublishedVersions"}
    resources = {
        "Function": made,
        "Version": resource("Lambda::Version", FunctionName={"Ref": "Function"}),
    }
    version = stacks.deploy(resources, Version={"Ref": "Version"})["Version"]

    config = stack.client("lambda").get_function_configuration(FunctionName=version)

    assert config["SnapStart"] == {"ApplyOn": "PublishedVersions", "OptimizationStatus": "On"}


def test_a_permission_by_url_alone_and_one_of_a_layer(stack: Stack, stacks: Stacks) -> None:
    client = stack.client("lambda")
    archive = stack.layer({"python/tool.py": "VALUE = 1\n"})
    resources = {
        "Function": function(PRINT),
        "May": resource(
            "Lambda::Permission",
            Action="lambda:InvokeFunction",
            FunctionName={"Ref": "Function"},
            Principal="*",
            InvokedViaFunctionUrl=True,
        ),
        "MayUse": resource(
            "Lambda::LayerVersionPermission",
            Action="lambda:GetLayerVersion",
            LayerVersionArn=archive,
            OrganizationId="o-shop123456",
            Principal="*",
        ),
    }
    made = stacks.deploy(resources, Name={"Ref": "Function"})

    (statement,) = json.loads(client.get_policy(FunctionName=made["Name"])["Policy"])["Statement"]
    assert statement["Condition"] == {"Bool": {"lambda:InvokedViaFunctionUrl": "true"}}
    *_, layer, version = archive.split(":")
    policy = client.get_layer_version_policy(LayerName=layer, VersionNumber=int(version))["Policy"]
    assert json.loads(policy)["Statement"][0]["Principal"] == "*"

    del resources["MayUse"]
    stacks.deploy(resources)
    left = client.get_layer_version_policy(LayerName=layer, VersionNumber=int(version))["Policy"]
    assert json.loads(left)["Statement"] == []


# --- API Gateway


def rest_api(api: dict[str, Any], stage: dict[str, Any]) -> dict[str, Any]:
    rest = {"RestApiId": {"Ref": "Api"}}
    return {
        "Api": resource("ApiGateway::RestApi", Name="shop", **api),
        "Get": resource(
            "ApiGateway::Method",
            **rest,
            ResourceId={"Fn::GetAtt": ["Api", "RootResourceId"]},
            HttpMethod="GET",
            AuthorizationType="NONE",
            Integration={"Type": "MOCK"},
        ),
        "Deployment": resource("ApiGateway::Deployment", **rest) | {"DependsOn": "Get"},
        "Stage": resource(
            "ApiGateway::Stage",
            **rest,
            StageName="live",
            DeploymentId={"Ref": "Deployment"},
            **stage,
        ),
    }


def test_settings_of_a_rest_api_and_its_stage(stack: Stack, stacks: Stacks) -> None:
    client, api = stack.client("apigateway"), {"Id": {"Ref": "Api"}}
    limit = {"ResourcePath": "/*", "HttpMethod": "*", "ThrottlingRateLimit": 5.5}
    one = {"ResourcePath": "/pets", "HttpMethod": "GET", "MetricsEnabled": True}
    every = limit | {"ThrottlingBurstLimit": 7, "CachingEnabled": "true"}
    made = stacks.deploy(
        rest_api(
            {"ApiKeySourceType": "AUTHORIZER", "BinaryMediaTypes": ["image/png"]},
            {"MethodSettings": [every, one], "Variables": {"a": "b"}},
        ),
        **api,
    )["Id"]

    def stage() -> dict[str, Any]:
        return dict(client.get_stage(restApiId=made, stageName="live"))

    settings = stage()["methodSettings"]
    assert settings["*/*"]["throttlingRateLimit"] == 5.5
    assert settings["*/*"]["throttlingBurstLimit"] == 7
    assert settings["*/*"]["cachingEnabled"] is True
    assert settings["~1pets/GET"]["metricsEnabled"] is True
    described = client.get_rest_api(restApiId=made)
    assert (described["apiKeySource"], described["binaryMediaTypes"]) == (
        "AUTHORIZER",
        ["image/png"],
    )

    stacks.deploy(
        rest_api(
            {"BinaryMediaTypes": ["*/*"], "DisableExecuteApiEndpoint": True},
            {"MethodSettings": [every | {"ThrottlingRateLimit": 9}]},
        ),
        **api,
    )
    settings = stage()["methodSettings"]
    assert settings["*/*"]["throttlingRateLimit"] == 9
    assert settings.get("~1pets/GET", {}).get("throttlingRateLimit", -1) == -1
    assert "variables" not in stage()
    described = client.get_rest_api(restApiId=made)
    assert (described["apiKeySource"], described["binaryMediaTypes"]) == ("HEADER", ["*/*"])
    assert described["disableExecuteApiEndpoint"] is True

    stacks.deploy(rest_api({}, {}), **api)
    assert "*/*" not in stage().get("methodSettings", {})
    assert client.get_rest_api(restApiId=made).get("binaryMediaTypes", []) == []


def test_a_method_gets_an_authorizer_and_a_plan_its_limits(stack: Stack, stacks: Stacks) -> None:
    """LocalStack's types say that they changed them, and leave the method open."""
    client = stack.client("apigateway")

    def resources(method: dict[str, Any], plan: dict[str, Any]) -> dict[str, Any]:
        made = rest_api({}, {})
        made["Get"]["Properties"] |= method
        made["Plan"] = resource("ApiGateway::UsagePlan", UsagePlanName=stacks.name, **plan)
        made["Plan"]["DependsOn"] = "Stage"
        return made

    names = {"Api": {"Ref": "Api"}, "Plan": {"Ref": "Plan"}}
    served = {"ApiStages": [{"ApiId": {"Ref": "Api"}, "Stage": "live"}]}
    limits = {"Quota": {"Limit": 5, "Period": "DAY"}, "Throttle": {"RateLimit": 3, "BurstLimit": 4}}
    answers = {"Type": "MOCK", "IntegrationResponses": [{"StatusCode": "200"}]}
    first = {"Integration": answers, "MethodResponses": [{"StatusCode": "200"}]}
    made = stacks.deploy(resources(first, served | limits | {"Tags": tag("a")}), **names)
    root = client.get_resources(restApiId=made["Api"])["items"][0]["id"]

    def method() -> dict[str, Any]:
        return dict(client.get_method(restApiId=made["Api"], resourceId=root, httpMethod="GET"))

    def plan() -> dict[str, Any]:
        return dict(client.get_usage_plan(usagePlanId=made["Plan"]))

    assert (method()["authorizationType"], plan()["quota"]["limit"]) == ("NONE", 5)
    signed = first | {"AuthorizationType": "AWS_IAM", "ApiKeyRequired": True}
    slower = served | {"Throttle": {"RateLimit": 1, "BurstLimit": 4}, "Tags": tag("b")}
    assert stacks.deploy(resources(signed, slower), **names) == made

    found = method()
    assert (found["authorizationType"], found["apiKeyRequired"]) == ("AWS_IAM", True)
    assert "200" in found["methodResponses"]
    assert "200" in found["methodIntegration"]["integrationResponses"]
    assert plan()["throttle"] == {"rateLimit": 1, "burstLimit": 4}
    assert "quota" not in plan()
    assert plan()["tags"] == {"team": "b"}
    assert plan()["apiStages"] == [{"apiId": made["Api"], "stage": "live"}]

    stacks.deploy(resources({"AuthorizationType": "NONE"}, {}), **names)
    assert (method()["authorizationType"], method()["apiKeyRequired"]) == ("NONE", False)
    assert "methodResponses" not in method()
    assert not plan().get("apiStages")


# --- Roles


def test_a_role_is_changed_and_stays_the_same(stack: Stack, stacks: Stacks) -> None:
    iam = stack.client("iam")

    def role(service: str, allowed: dict[str, str], **more: Any) -> dict[str, Any]:
        trust = {
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": {"Service": f"{service}.amazonaws.com"},
        }
        policies = [
            {"PolicyName": name, "PolicyDocument": _document("Allow", action)}
            for name, action in allowed.items()
        ]
        document = {"Version": "2012-10-17", "Statement": [trust]}
        return resource("IAM::Role", AssumeRolePolicyDocument=document, Policies=policies, **more)

    managed = "arn:aws:iam::aws:policy/service-role/AWSLambda{}Role"
    outputs = {"Name": {"Ref": "Role"}, "Arn": {"Fn::GetAtt": ["Role", "Arn"]}}
    arns = [managed.format("Basic" + "Execution")]
    first = role("lambda", {"one": "sqs:SendMessage", "two": "s3:GetObject"}, Tags=tag("a"),
                 ManagedPolicyArns=arns)  # fmt: skip
    made = stacks.deploy({"Role": first}, **outputs)
    name = {"RoleName": made["Name"]}
    second = role("pipes", {"one": "sqs:*"}, Tags=tag("b"), Description="pipes",
                  ManagedPolicyArns=[managed.format("SQSQueueExecution")])  # fmt: skip

    assert stacks.deploy({"Role": second}, **outputs) == made

    found = iam.get_role(**name)["Role"]
    assert found["Description"] == "pipes"
    trusted = found["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]["Service"]
    assert trusted == "pipes.amazonaws.com"
    assert iam.list_role_policies(**name)["PolicyNames"] == ["one"]
    document = iam.get_role_policy(**name, PolicyName="one")["PolicyDocument"]
    assert document["Statement"][0]["Action"] == "sqs:*"
    (attached,) = iam.list_attached_role_policies(**name)["AttachedPolicies"]
    assert attached["PolicyName"] == "AWSLambdaSQSQueueExecutionRole"
    assert iam.list_role_tags(**name)["Tags"] == tag("b")


def _document(effect: str, action: str) -> dict[str, Any]:
    statement = {"Effect": effect, "Action": action, "Resource": "*"}
    return {"Version": "2012-10-17", "Statement": [statement]}


# --- EventBridge


def test_a_rule_without_a_name_stays_one_rule(stack: Stack, stacks: Stacks) -> None:
    """A second one beside it would go on to fire."""
    events = stack.client("events")

    def rule(source: str) -> dict[str, Any]:
        return {
            "Bus": resource("Events::EventBus", Name=stacks.name),
            "Rule": resource(
                "Events::Rule",
                EventBusName={"Ref": "Bus"},
                EventPattern={"source": [source]},
                Tags=tag(source),
            ),
        }

    for source in ("a", "b"):
        stacks.deploy(rule(source))
        (one,) = events.list_rules(EventBusName=stacks.name)["Rules"]
        assert json.loads(one["EventPattern"]) == {"source": [source]}
        assert events.list_tags_for_resource(ResourceARN=one["Arn"])["Tags"] == tag(source)


def test_a_bus_its_policies_and_its_archive(stack: Stack, stacks: Stacks) -> None:
    events, name = stack.client("events"), f"{stacks.name}-bus"

    def statement(account: str) -> dict[str, Any]:
        return {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
            "Action": "events:PutEvents",
            "Resource": {"Fn::GetAtt": ["Bus", "Arn"]},
        }

    def policy(name: str, account: str) -> dict[str, Any]:
        return resource(
            "Events::EventBusPolicy",
            EventBusName={"Ref": "Bus"},
            StatementId=name,
            Statement=statement(account),
        )

    def archive(**properties: Any) -> dict[str, Any]:
        return resource("Events::Archive", SourceArn={"Fn::GetAtt": ["Bus", "Arn"]}, **properties)

    def bus(team: str) -> dict[str, Any]:
        return {"Bus": resource("Events::EventBus", Name=name, Tags=tag(team))}

    def sids() -> dict[str, str]:
        described = events.describe_event_bus(Name=name).get("Policy") or '{"Statement": []}'
        return {
            one["Sid"]: one["Principal"]["AWS"][13:25] for one in json.loads(described)["Statement"]
        }

    pattern = {"source": ["shop"]}
    policies = {"One": policy("one", "111111111111"), "Two": policy("two", "222222222222")}
    outputs = {"Archive": {"Ref": "Archive"}, "Arn": {"Fn::GetAtt": ["Archive", "Arn"]}}
    kept = archive(EventPattern=pattern, RetentionDays=3, Description="kept")
    made = stacks.deploy(bus("a") | policies | {"Archive": kept}, **outputs)
    arn = events.describe_event_bus(Name=name)["Arn"]
    assert events.list_tags_for_resource(ResourceARN=arn)["Tags"] == tag("a")
    assert sids() == {"one": "111111111111", "two": "222222222222"}
    described = events.describe_archive(ArchiveName=made["Archive"])
    assert (json.loads(described["EventPattern"]), described["RetentionDays"]) == (pattern, 3)
    assert made["Arn"].endswith(f":archive/{made['Archive']}")

    changed = {"One": policy("one", "333333333333")}
    every = {"Archive": archive(RetentionDays=5)}
    assert stacks.deploy(bus("b") | changed | every, **outputs) == made
    assert events.list_tags_for_resource(ResourceARN=arn)["Tags"] == tag("b")
    assert sids() == {"one": "333333333333"}
    described = events.describe_archive(ArchiveName=made["Archive"])
    assert (described["RetentionDays"], described.get("EventPattern") or "") == (5, "")
    events.put_events(
        Entries=[{"Source": "other", "DetailType": "t", "Detail": "{}", "EventBusName": name}]
    )

    def archived() -> bool:
        return events.describe_archive(ArchiveName=made["Archive"])["EventCount"] == 1

    eventually(archived)

    stacks.deploy({"Bus": resource("Events::EventBus", Name=name)})
    assert sids() == {}
    with pytest.raises(ClientError, match="ResourceNotFound"):
        events.describe_archive(ArchiveName=made["Archive"])
    assert events.list_tags_for_resource(ResourceARN=arn)["Tags"] == []


def test_connections_and_destinations_are_changed(stack: Stack, stacks: Stacks) -> None:
    events = stack.client("events")

    def resources(key: str, path: str, **more: Any) -> dict[str, Any]:
        auth = {"ApiKeyAuthParameters": {"ApiKeyName": key, "ApiKeyValue": "secret"}}
        return {
            "Connection": resource(
                "Events::Connection", AuthorizationType="API_KEY", AuthParameters=auth
            ),
            "Destination": resource(
                "Events::ApiDestination",
                ConnectionArn={"Fn::GetAtt": ["Connection", "Arn"]},
                HttpMethod="POST",
                InvocationEndpoint=f"https://shop.example/{path}",
                **more,
            ),
        }

    names = {name: {"Ref": name} for name in ("Connection", "Destination")}
    made = stacks.deploy(resources("x-one", "one"), **names)
    again = stacks.deploy(resources("x-two", "two", InvocationRateLimitPerSecond=9), **names)

    assert again == made
    connection = events.describe_connection(Name=made["Connection"])["AuthParameters"]
    assert connection["ApiKeyAuthParameters"]["ApiKeyName"] == "x-two"
    destination = events.describe_api_destination(Name=made["Destination"])
    assert destination["InvocationEndpoint"] == "https://shop.example/two"
    assert destination["InvocationRateLimitPerSecond"] == 9


# --- Logs, streams and schedules


def test_tags_of_other_resources(stack: Stack, stacks: Stacks) -> None:
    mode = {"StreamModeDetails": {"StreamMode": "PROVISIONED"}, "ShardCount": 1}
    group = f"g-{secrets.token_hex(6)}"

    def deployed(**tags: Any) -> list[Any]:
        made = stacks.deploy(
            {
                "Group": resource("Scheduler::ScheduleGroup", Name=group, **tags),
                "Lines": resource("Logs::LogGroup", KmsKeyId="none", **tags),
                "Stream": resource("Kinesis::Stream", **mode, **tags),
            },
            Lines={"Fn::GetAtt": ["Lines", "Arn"]},
            Group={"Fn::GetAtt": ["Group", "Arn"]},
            Stream={"Ref": "Stream"},
        )
        lines = stack.client("logs").list_tags_for_resource(
            resourceArn=made["Lines"].removesuffix(":*")
        )
        scheduler, kinesis = stack.client("scheduler"), stack.client("kinesis")
        return [
            lines["tags"].get("team"),
            *[
                t["Value"]
                for t in scheduler.list_tags_for_resource(ResourceArn=made["Group"])["Tags"]
            ],
            *[t["Value"] for t in kinesis.list_tags_for_stream(StreamName=made["Stream"])["Tags"]],
        ]

    assert deployed(Tags=tag("a")) == ["a", "a", "a"]
    assert deployed(Tags=tag("b")) == ["b", "b", "b"]
    assert deployed() == [None]


def test_users_and_groups_of_a_pool(stack: Stack, stacks: Stacks) -> None:
    cognito = stack.client("cognito-idp")
    pool = {"UserPoolId": {"Ref": "Pool"}}

    def resources(description: str) -> dict[str, Any]:
        mail = [{"Name": "email", "Value": "one@shop.example"}]
        return {
            "Pool": resource("Cognito::UserPool", UserPoolName="shop"),
            "Group": resource(
                "Cognito::UserPoolGroup", **pool, GroupName="staff", Description=description
            ),
            "User": resource(
                "Cognito::UserPoolUser",
                **pool,
                Username="one",
                UserAttributes=mail,
                MessageAction="SUPPRESS",
            ),
            "Member": resource(
                "Cognito::UserPoolUserToGroupAttachment",
                **pool,
                GroupName={"Ref": "Group"},
                Username={"Ref": "User"},
            ),
        }

    outputs = {name: {"Ref": name} for name in ("Pool", "Group", "User")}
    made = stacks.deploy(resources("first"), **outputs)
    assert stacks.deploy(resources("second"), **outputs) == made

    group = {"UserPoolId": made["Pool"], "GroupName": "staff"}
    assert cognito.get_group(**group)["Group"]["Description"] == "second"
    (user,) = cognito.list_users_in_group(**group)["Users"]
    assert (user["Username"], made["User"]) == ("one", "one")
    left = {name: one for name, one in resources("second").items() if name in ("Pool", "Group")}
    stacks.deploy(left)
    assert cognito.list_users_in_group(**group)["Users"] == []
    assert cognito.list_users(UserPoolId=made["Pool"])["Users"] == []


# --- What cannot be set


ALARM = {
    "ComparisonOperator": "GreaterThanThreshold",
    "EvaluationPeriods": 1,
    "MetricName": "m",
    "Namespace": "n",
    "Period": 60,
    "Statistic": "Sum",
    "Threshold": 1,
}
METRICS = [{"Id": "e", "Expression": "m1 * 2"}]
ACCESS = "arn:aws:elasticfilesystem:us-east-1:0:access-point/a"
FILES = {"FileSystemConfigs": [{"Arn": ACCESS, "LocalMountPath": "/mnt/a"}]}
STOP = {"AlarmActions": ["arn:aws:automate:us-east-1:ec2:stop"]}
COPY = {"Role": "r", "Rules": []}


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        (resource("SQS::Queue", VisibilityTimeOut=3), r"VisibilityTimeOut cannot be set here"),
        (resource("S3::Bucket", ReplicationConfiguration=COPY), "ReplicationConfiguration cannot"),
        (
            resource("Lambda::Function", **function(PRINT)["Properties"], **FILES),
            "FileSystemConfigs cannot be set here",
        ),
        (
            resource("CloudWatch::Alarm", **ALARM | {"Metrics": METRICS}),
            "Metrics: an alarm compares one statistic of one metric here",
        ),
        (
            resource("CloudWatch::Alarm", **ALARM, **STOP),
            "only topics and functions are called here",
        ),
        (
            resource("CloudWatch::CompositeAlarm", AlarmRule='ALARM("arn:a") AND'),
            "it ends too early",
        ),
        (
            resource("Logs::MetricFilter", LogGroupName="/g", FilterPattern="", Colour="red",
                     MetricTransformations=[]),
            "Colour cannot be set here",
        ),
    ],
    ids=["misspelt", "replication", "files", "metric math", "action", "rule", "filter"],
)  # fmt: skip
def test_what_would_have_no_effect_fails_by_name(
    stacks: Stacks, made: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(AssertionError, match=sentence):
        stacks.deploy({"Thing": made})


def test_what_matters_on_aws_alone_is_noted(stack: Stack, stacks: Stacks) -> None:
    stacks.deploy({"Bucket": resource("S3::Bucket", MetricsConfigurations=[{"Id": "all"}])})

    assert "Bucket (AWS::S3::Bucket): MetricsConfigurations: no effect here" in stack.log
