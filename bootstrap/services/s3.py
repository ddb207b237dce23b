"""Amazon S3: buckets and their event notifications."""

from __future__ import annotations

from typing import Any

from bootstrap.services.base import Context, Outcome, Properties, ResourceType, found
from bootstrap.template import Physical


def _bucket(context: Context, logical_id: str, properties: Properties) -> tuple[Outcome, Physical]:
    s3 = context.client("s3")
    name = properties["BucketName"]
    physical = Physical(
        name, {"Arn": f"arn:aws:s3:::{name}", "DomainName": f"{name}.s3.amazonaws.com"}
    )
    outcome = Outcome.UNCHANGED
    if found(lambda: s3.head_bucket(Bucket=name), "404", "NoSuchBucket") is None:
        location: dict[str, Any] = {}
        if context.settings.region != "us-east-1":
            location["CreateBucketConfiguration"] = {"LocationConstraint": context.settings.region}
        s3.create_bucket(Bucket=name, **location)
        outcome = Outcome.CREATED
    changed = [
        _versioning(s3, name, properties.get("VersioningConfiguration", {}).get("Status")),
        _notifications(s3, name, properties.get("NotificationConfiguration", {})),
    ]
    if any(changed) and outcome is Outcome.UNCHANGED:
        outcome = Outcome.CHANGED
    return outcome, physical


def _versioning(s3: Any, bucket: str, status: str | None) -> bool:
    if status is None or s3.get_bucket_versioning(Bucket=bucket).get("Status") == status:
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


RESOURCE_TYPES = {
    "AWS::S3::Bucket": ResourceType(
        _bucket,
        frozenset({"BucketName"}),
        frozenset({"VersioningConfiguration", "NotificationConfiguration"}),
    ),
}
