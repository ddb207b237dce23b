"""Properties of ``resources`` in a ``serverless.yml``: set, changed, gone; then: no changes."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any

from bootstrap.commands.load import load_template
from bootstrap.deploy import Deployment, apply, plan
from bootstrap.plan import Action
from bootstrap.services.base import Context, Outcome
from bootstrap.settings import Settings
from tests.engine.lambda_stack import Stack


class Project:
    """A definition that has resources alone."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.name = f"s{secrets.token_hex(4)}"
        self.file = folder / "serverless.yml"
        self.context = Context(Settings(stack.port, stack.http_port, "us-east-1"), self.name)

    def up(self, resources: dict[str, Any]) -> Deployment:
        """Bring it up, then see that there is nothing left to do."""
        provider = {"name": "aws", "stage": "test", "runtime": "python3.13"}
        document = {"service": self.name, "provider": provider}
        if resources:
            document["resources"] = {"Resources": resources}
        self.file.write_text(json.dumps(document))
        done = apply(load_template(self.file), self.context, lambda one, what: None, prune=True)
        planned = plan(load_template(self.file), self.context)
        left = [step for step in planned.steps.values() if step.action is not Action.NONE]
        assert not left, left
        return done


def resource(kind: str, **properties: Any) -> dict[str, Any]:
    return {"Type": f"AWS::{kind}", "Properties": properties}


def everything(name: str, **given: dict[str, Any]) -> dict[str, Any]:
    """One resource of each type, each with the properties that are given for it."""
    names = {"AttributeName": "id", "AttributeType": "S"}
    plain: dict[str, tuple[str, dict[str, Any]]] = {
        "Bucket": ("S3::Bucket", {"BucketName": f"{name}-files"}),
        "Bus": ("Events::EventBus", {"Name": name}),
        "Group": ("Scheduler::ScheduleGroup", {"Name": name}),
        "Lines": ("Logs::LogGroup", {"LogGroupName": f"/{name}"}),
        "Queue": ("SQS::Queue", {"QueueName": name}),
        "Table": (
            "DynamoDB::Table",
            {
                "TableName": name,
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [names],
                "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            },
        ),
        "Topic": ("SNS::Topic", {"TopicName": name}),
    }
    return {
        key: resource(kind, **properties, **given.get(key, {}))
        for key, (kind, properties) in plain.items()
    }


def tags(value: str) -> dict[str, Any]:
    return {"Tags": [{"Key": "team", "Value": value}]}


def given(value: str, days: int) -> dict[str, dict[str, Any]]:
    """Properties for each of them."""
    rule = {"Id": "old", "Status": "Enabled", "Prefix": "a/", "ExpirationInDays": days}
    cors = {"AllowedMethods": ["GET"], "AllowedOrigins": [f"https://{value}.example"]}
    block = {"BlockPublicAcls": value == "a", "IgnorePublicAcls": False}
    permission = {"redrivePermission": "denyAll" if value == "a" else "allowAll"}
    recovery = {"PointInTimeRecoveryEnabled": True}
    return {
        "Bucket": {
            "LifecycleConfiguration": {"Rules": [rule]},
            "CorsConfiguration": {"CorsRules": [cors]},
            "PublicAccessBlockConfiguration": block,
            "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]},
            "BucketEncryption": {
                "ServerSideEncryptionConfiguration": [
                    {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
                ]
            },
            **tags(value),
        },
        "Bus": tags(value),
        "Group": tags(value),
        "Lines": tags(value),
        "Queue": {
            "RedriveAllowPolicy": permission,
            "KmsMasterKeyId": f"alias/{value}",
            **tags(value),
        },
        "Table": {
            "PointInTimeRecoverySpecification": recovery,
            "DeletionProtectionEnabled": value == "a",
            "TimeToLiveSpecification": {"AttributeName": f"ends_{value}", "Enabled": True},
            **tags(value),
        },
        "Topic": {
            "TracingConfig": "Active" if value == "a" else "PassThrough",
            "SignatureVersion": "2",
            "KmsMasterKeyId": f"alias/{value}",
            **tags(value),
        },
    }


def test_properties_are_set_changed_and_gone(stack: Stack, tmp_path: Path) -> None:
    project, s3, sqs = Project(stack, tmp_path), stack.client("s3"), stack.client("sqs")
    name, bucket = project.name, {"Bucket": f"{project.name}-files"}
    url = f"http://127.0.0.1:{stack.port}/000000000000/{name}"

    def found() -> dict[str, Any]:
        queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        arn = f"arn:aws:sns:us-east-1:000000000000:{name}"
        topic = stack.client("sns").get_topic_attributes(TopicArn=arn)["Attributes"]
        answer = stack.client("dynamodb").describe_time_to_live(TableName=name)
        lives = answer["TimeToLiveDescription"]
        return {
            "redrive": json.loads(queue.get("RedriveAllowPolicy") or "{}"),
            "queue key": queue.get("KmsMasterKeyId", ""),
            "queue tags": sqs.list_queue_tags(QueueUrl=url).get("Tags", {}),
            "topic key": topic.get("KmsMasterKeyId", ""),
            "signature": topic.get("SignatureVersion", "1"),
            "tracing": topic.get("TracingConfig", "PassThrough"),
            "lives": lives["TimeToLiveStatus"] == "ENABLED" and lives["AttributeName"],
        }

    outcomes = project.up(everything(name)).outcomes
    assert set(outcomes.values()) == {Outcome.CREATED}

    for value, days in (("a", 3), ("b", 5)):
        outcomes = project.up(everything(name, **given(value, days))).outcomes
        assert set(outcomes.values()) == {Outcome.CHANGED}, outcomes
        assert found() == {
            "redrive": {"redrivePermission": "denyAll" if value == "a" else "allowAll"},
            "queue key": f"alias/{value}",
            "queue tags": {"team": value},
            "topic key": f"alias/{value}",
            "signature": "2",
            "tracing": "Active" if value == "a" else "PassThrough",
            "lives": f"ends_{value}",
        }
        (rule,) = s3.get_bucket_lifecycle_configuration(**bucket)["Rules"]
        assert rule["Expiration"] == {"Days": days}

    outcomes = project.up(everything(name)).outcomes
    assert set(outcomes.values()) == {Outcome.CHANGED}, outcomes
    assert found() == {
        "redrive": {}, "queue key": "", "queue tags": {}, "topic key": "", "signature": "1",
        "tracing": "PassThrough", "lives": False,
    }  # fmt: skip
    project.up({})


def test_a_bus_its_policies_and_its_archive(stack: Stack, tmp_path: Path) -> None:
    project, events = Project(stack, tmp_path), stack.client("events")
    name = project.name
    bus = {"Bus": resource("Events::EventBus", Name=name)}

    def policy(account: str) -> dict[str, Any]:
        return resource(
            "Events::EventBusPolicy",
            EventBusName={"Ref": "Bus"},
            StatementId=account,
            Principal=account,
            Action="events:PutEvents",
        )

    def sids() -> set[str]:
        document = events.describe_event_bus(Name=name).get("Policy") or '{"Statement": []}'
        return {one["Sid"] for one in json.loads(document)["Statement"]}

    policies = {"One": policy("111111111111"), "Two": policy("222222222222")}
    source = {"SourceArn": {"Fn::GetAtt": ["Bus", "Arn"]}, "ArchiveName": name}
    archive = {"Archive": resource("Events::Archive", **source, EventPattern={"source": ["shop"]})}
    kept = {"Archive": resource("Events::Archive", **source, RetentionDays=3)}

    project.up(bus | policies | archive)
    assert sids() == {"111111111111", "222222222222"}
    done = project.up(bus | {"One": policies["One"]} | kept)
    assert sids() == {"111111111111"}
    assert done.outcomes["Archive"] is Outcome.REPLACED
    described = events.describe_archive(ArchiveName=name)
    assert (described["RetentionDays"], described.get("EventPattern") or "") == (3, "")
    project.up({})
    assert events.list_archives(NamePrefix=name)["Archives"] == []
