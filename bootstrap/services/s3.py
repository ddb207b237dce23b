"""Amazon S3: buckets and their event notifications."""

from __future__ import annotations

from typing import Any

from bootstrap.services import shapes
from bootstrap.services.base import (
    Context,
    Key,
    Outcome,
    Properties,
    ResourceType,
    found,
    outcome_of,
)
from bootstrap.template import Physical


def _bucket(context: Context, logical_id: str, properties: Properties) -> tuple[Outcome, Physical]:
    s3 = context.client("s3")
    name = properties["BucketName"]
    physical = Physical(
        name, {"Arn": f"arn:aws:s3:::{name}", "DomainName": f"{name}.s3.amazonaws.com"}
    )
    missing = not _exists(context, {"Ref": name})
    if missing:
        location: dict[str, Any] = {}
        if context.settings.region != "us-east-1":
            location["CreateBucketConfiguration"] = {"LocationConstraint": context.settings.region}
        s3.create_bucket(Bucket=name, **location)
    changed = [
        _versioning(s3, name, properties.get("VersioningConfiguration", {}).get("Status")),
        _notifications(s3, name, properties.get("NotificationConfiguration", {})),
    ]
    return outcome_of(missing, *changed), physical


def _exists(context: Context, key: Key) -> bool:
    s3 = context.client("s3")
    return found(lambda: s3.head_bucket(Bucket=key["Ref"]), "404", "NoSuchBucket") is not None


def _versioning(s3: Any, bucket: str, status: str | None) -> bool:
    current = s3.get_bucket_versioning(Bucket=bucket).get("Status")
    if status is None and current == "Enabled":
        status = "Suspended"  # a bucket that was versioned cannot be unversioned again
    if status is None or current == status:
        return False
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})
    return True


def _notifications(s3: Any, bucket: str, configuration: dict[str, Any]) -> bool:
    wanted = [
        {
            "LambdaFunctionArn": entry["Function"],
            "Events": [entry["Event"]],
            **({"Filter": _filter(entry["Filter"])} if "Filter" in entry else {}),
        }
        for entry in configuration.get("LambdaConfigurations", [])
    ]
    current = s3.get_bucket_notification_configuration(Bucket=bucket)
    existing = current.get("LambdaFunctionConfigurations", [])
    if sorted(map(_notification_key, existing)) == sorted(map(_notification_key, wanted)):
        return False
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"LambdaFunctionConfigurations": wanted}
    )
    return True


def _filter(given: dict[str, Any]) -> dict[str, Any]:
    rules = given["S3Key"]["Rules"]
    return {"Key": {"FilterRules": [{"Name": r["Name"], "Value": r["Value"]} for r in rules]}}


def _notification_key(entry: dict[str, Any]) -> tuple[str, str, str]:
    rules = entry.get("Filter", {}).get("Key", {}).get("FilterRules", [])
    return (
        entry["LambdaFunctionArn"],
        ",".join(sorted(entry["Events"])),
        ",".join(sorted(f"{rule['Name'].lower()}={rule['Value']}" for rule in rules)),
    )


def _remove_notifications(context: Context, key: Key) -> bool:
    """Take the notifications to functions off a bucket; the bucket and its objects stay."""
    s3 = context.client("s3")
    current = found(
        lambda: s3.get_bucket_notification_configuration(Bucket=key["Ref"]), "404", "NoSuchBucket"
    )
    if not (current or {}).get("LambdaFunctionConfigurations"):
        return False
    others = {
        name: value
        for name, value in (current or {}).items()
        if name in ("QueueConfigurations", "TopicConfigurations", "EventBridgeConfiguration")
    }
    s3.put_bucket_notification_configuration(Bucket=key["Ref"], NotificationConfiguration=others)
    return True


RESOURCE_TYPES = {
    "AWS::S3::Bucket": ResourceType(
        _bucket,
        {"BucketName": shapes.text},
        {
            "VersioningConfiguration": shapes.mapping(
                {"Status": shapes.one_of("Enabled", "Suspended")}
            ),
            "NotificationConfiguration": shapes.mapping(
                {},
                {
                    "LambdaConfigurations": shapes.list_of(
                        shapes.mapping(
                            {"Event": shapes.text, "Function": shapes.text},
                            {
                                "Filter": shapes.mapping(
                                    {
                                        "S3Key": shapes.mapping(
                                            {
                                                "Rules": shapes.list_of(
                                                    shapes.mapping(
                                                        {"Name": shapes.text, "Value": shapes.text}
                                                    )
                                                )
                                            }
                                        )
                                    }
                                )
                            },
                        )
                    )
                },
            ),
        },
        remove=_remove_notifications,
        exists=_exists,
        delete_with="s3 rb --force s3://{Ref}",
    ),
}
