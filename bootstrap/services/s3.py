"""Amazon S3: buckets and their event notifications."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from bootstrap.services import lambda_, lifecycle, notifications, shapes
from bootstrap.services.base import (
    Context,
    Key,
    Outcome,
    Properties,
    ResourceType,
    found,
    gone,
    outcome_of,
    same_json,
    subset,
)
from bootstrap.template import Physical

#: The end of the statement that lets a bucket invoke the function of a resource.
_BY_EVENT: Final = "ByEvent"


def _bucket(context: Context, logical_id: str, properties: Properties) -> tuple[Outcome, Physical]:
    s3 = context.client("s3")
    name = properties["BucketName"]
    physical = Physical(
        name,
        {
            "Arn": f"arn:aws:s3:::{name}",
            "DomainName": f"{name}.s3.amazonaws.com",
            "RegionalDomainName": f"{name}.s3.{context.settings.region}.amazonaws.com",
        },
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
        notifications.ensure(
            s3, name, properties.get("NotificationConfiguration", {}), new=missing
        ),
        *(_configuration(s3, name, one, properties, new=missing) for one in _CONFIGURATIONS),
    ]
    return outcome_of(missing, *changed), physical


@dataclass(frozen=True)
class _Configuration:
    """One of a bucket's configurations that have operations of their own.

    Attributes:
        property: its name in CloudFormation.
        operation: name of the operations: ``get_<name>``, ``put_<name>``, ``delete_<name>``.
        argument: name of the argument of ``put``.
        to_api: CloudFormation's value to the API's.
        shown: what ``get`` returns, without what is not the configuration.
        missing: the error when there is none.
        own: what ``shown`` makes of what a new bucket has without being told.
        remove: name of the operation that takes it away, where that is not ``delete_<name>``.
    """

    property: str
    operation: str
    argument: str
    to_api: Callable[[Any], Any]
    shown: Callable[[dict[str, Any]], Any]
    missing: str
    own: Any = None
    remove: str = ""


def _cors(value: dict[str, Any]) -> dict[str, Any]:
    names = {"ExposedHeaders": "ExposeHeaders", "MaxAge": "MaxAgeSeconds", "Id": "ID"}
    return {
        "CORSRules": [
            {names.get(key, key): entry for key, entry in rule.items()}
            for rule in value["CorsRules"]
        ]
    }


def _website(value: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    if "IndexDocument" in value:
        result["IndexDocument"] = {"Suffix": value["IndexDocument"]}
    if "ErrorDocument" in value:
        result["ErrorDocument"] = {"Key": value["ErrorDocument"]}
    if "RedirectAllRequestsTo" in value:
        result["RedirectAllRequestsTo"] = value["RedirectAllRequestsTo"]
    return result


def _part(name: str) -> Callable[[dict[str, Any]], Any]:
    return lambda answer: answer.get(name)


def _encryption(value: dict[str, Any]) -> dict[str, Any]:
    by_default = "ServerSideEncryptionByDefault"
    return {
        "Rules": [
            {(f"Apply{key}" if key == by_default else key): entry for key, entry in rule.items()}
            for rule in value["ServerSideEncryptionConfiguration"]
        ]
    }


_CONFIGURATIONS = (
    _Configuration(
        property="BucketEncryption",
        operation="bucket_encryption",
        argument="ServerSideEncryptionConfiguration",
        to_api=_encryption,
        shown=_part("ServerSideEncryptionConfiguration"),
        missing="ServerSideEncryptionConfigurationNotFoundError",
        own={
            "Rules": [
                {
                    "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"},
                    "BucketKeyEnabled": False,
                }
            ]
        },
    ),
    _Configuration(
        property="LifecycleConfiguration",
        operation="bucket_lifecycle_configuration",
        argument="LifecycleConfiguration",
        to_api=lifecycle.to_api,
        shown=lambda answer: {"Rules": answer.get("Rules")},
        missing="NoSuchLifecycleConfiguration",
        remove="delete_bucket_lifecycle",
    ),
    _Configuration(
        property="CorsConfiguration",
        operation="bucket_cors",
        argument="CORSConfiguration",
        to_api=_cors,
        shown=lambda answer: {"CORSRules": answer.get("CORSRules")},
        missing="NoSuchCORSConfiguration",
    ),
    _Configuration(
        property="WebsiteConfiguration",
        operation="bucket_website",
        argument="WebsiteConfiguration",
        to_api=_website,
        shown=lambda answer: {k: v for k, v in answer.items() if k != "ResponseMetadata"},
        missing="NoSuchWebsiteConfiguration",
    ),
    _Configuration(
        property="OwnershipControls",
        operation="bucket_ownership_controls",
        argument="OwnershipControls",
        to_api=dict,
        shown=_part("OwnershipControls"),
        missing="OwnershipControlsNotFoundError",
        own={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
    ),
    _Configuration(
        property="PublicAccessBlockConfiguration",
        operation="public_access_block",
        argument="PublicAccessBlockConfiguration",
        to_api=dict,
        shown=_part("PublicAccessBlockConfiguration"),
        missing="NoSuchPublicAccessBlockConfiguration",
        own=dict.fromkeys(
            (
                *("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls"),
                "RestrictPublicBuckets",
            ),
            True,
        ),
    ),
    _Configuration(
        property="Tags",
        operation="bucket_tagging",
        argument="Tagging",
        to_api=lambda tags: {"TagSet": tags},
        shown=lambda answer: {"TagSet": answer.get("TagSet")},
        missing="NoSuchTagSet",
    ),
)


def _configuration(
    s3: Any, bucket: str, one: _Configuration, properties: Properties, *, new: bool
) -> bool:
    if one.property not in properties and new:
        return False
    get = getattr(s3, f"get_{one.operation}")
    current = found(lambda: get(Bucket=bucket), one.missing)
    shown = None if current is None else one.shown(current)
    if one.property not in properties:
        return _unset(s3, bucket, one, shown)
    wanted = one.to_api(properties[one.property])
    if shown is not None and subset(wanted, shown):
        return False
    getattr(s3, f"put_{one.operation}")(Bucket=bucket, **{one.argument: wanted})
    return True


def _unset(s3: Any, bucket: str, one: _Configuration, shown: Any) -> bool:
    """Take away what is no longer described, unless every bucket has it from the beginning."""
    if not shown or shown == one.own or not any(shown.values()):
        return False
    getattr(s3, one.remove or f"delete_{one.operation}")(Bucket=bucket)
    return True


def _bucket_policy(
    context: Context, logical_id: str, properties: Properties
) -> tuple[Outcome, Physical]:
    s3, bucket, wanted = context.client("s3"), properties["Bucket"], properties["PolicyDocument"]
    current = found(lambda: s3.get_bucket_policy(Bucket=bucket), "NoSuchBucketPolicy")
    if current is not None and same_json(current["Policy"], wanted):
        return Outcome.UNCHANGED, Physical(bucket)
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(wanted))
    return outcome_of(current is None, True), Physical(bucket)


def _remove_bucket_policy(context: Context, key: Key) -> bool:
    s3 = context.client("s3")
    was_there = (
        found(lambda: s3.get_bucket_policy(Bucket=key["Ref"]), "NoSuchBucketPolicy", "NoSuchBucket")
        is not None
    )
    return was_there and gone(lambda: s3.delete_bucket_policy(Bucket=key["Ref"]), "NoSuchBucket")


def _keys(logical_id: str, properties: Properties, physical: Physical) -> list[Key]:
    """The bucket, and each of its notifications that are no function's: those are triggers."""
    configuration = properties.get("NotificationConfiguration", {})
    listed = notifications.described(configuration)
    return [{"Ref": physical.ref}, *({"Ref": physical.ref, "Notification": one} for one in listed)]


def _exists(context: Context, key: Key) -> bool:
    if "Notification" in key:
        return False
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
            **notifications.filtered(entry),
        }
        for entry in configuration.get("LambdaConfigurations", [])
    ]
    current = s3.get_bucket_notification_configuration(Bucket=bucket)
    added, existing = _parted(current.get("LambdaFunctionConfigurations", []))
    if sorted(map(_notification_key, existing)) == sorted(map(_notification_key, wanted)):
        return False
    # This call replaces everything, also what goes to queues, topics and the bus.
    s3.put_bucket_notification_configuration(
        Bucket=bucket,
        NotificationConfiguration={
            **_others(current),
            "LambdaFunctionConfigurations": [*added, *wanted],
        },
    )
    return True


def _others(configuration: dict[str, Any]) -> dict[str, Any]:
    """The notifications that do not go to functions."""
    names = ("QueueConfigurations", "TopicConfigurations", "EventBridgeConfiguration")
    return {name: value for name, value in configuration.items() if name in names}


def _notification_key(entry: dict[str, Any]) -> tuple[str, str, str]:
    return notifications.identity(entry, "LambdaFunctionArn")


def _remove_notifications(context: Context, key: Key) -> bool:
    """Take the notifications to functions off a bucket; the bucket and its objects stay."""
    s3 = context.client("s3")
    if "Notification" in key:
        return notifications.remove(s3, key["Ref"], key["Notification"])
    current = found(
        lambda: s3.get_bucket_notification_configuration(Bucket=key["Ref"]), "404", "NoSuchBucket"
    )
    added, own = _parted((current or {}).get("LambdaFunctionConfigurations", []))
    if not own:
        return False
    s3.put_bucket_notification_configuration(
        Bucket=key["Ref"],
        NotificationConfiguration={
            **_others(current or {}),
            "LambdaFunctionConfigurations": added,
        },
    )
    return True


# -- notifications of buckets that are there already ----------------------------------------------

#: How the framework names the notifications that it adds: the function's name, and a digest.
_ADDED: Final = re.compile(r"(.+)-[0-9a-f]{32}")


def _parted(
    notifications: list[dict[str, Any]], function: str | None = None
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The notifications that were added (for one function, or any), and the other ones."""
    added: list[dict[str, Any]] = []
    others: list[dict[str, Any]] = []
    for one in notifications:
        name = _ADDED.fullmatch(one.get("Id", ""))
        is_added = name is not None and function in (None, name[1])
        (added if is_added else others).append(one)
    return added, others


def _existing(
    context: Context, logical_id: str, properties: Properties
) -> tuple[Outcome, Physical]:
    s3, bucket = context.client("s3"), properties["BucketName"]
    function = properties["FunctionName"]
    if not _exists(context, {"Ref": bucket}):
        raise RuntimeError(
            f"there is no bucket “{bucket}”; without existing: true it would be made"
        )
    arn = f"arn:aws:lambda:{context.settings.region}:{context.account}:function:{function}"
    permission = lambda_.RESOURCE_TYPES["AWS::Lambda::Permission"]
    allowed, _ = permission.ensure(
        context,
        f"{logical_id}{_BY_EVENT}",
        {
            "FunctionName": function,
            "Action": "lambda:InvokeFunction",
            "Principal": "s3.amazonaws.com",
            "SourceArn": f"arn:aws:s3:::{bucket}",
            "SourceAccount": context.account,
        },
    )
    current = s3.get_bucket_notification_configuration(Bucket=bucket)
    added, others = _parted(current.get("LambdaFunctionConfigurations", []), function)
    wanted = [_added(one, function, arn) for one in properties["BucketConfigs"]]
    changed = sorted(map(_notification_key, added)) != sorted(map(_notification_key, wanted))
    if changed:
        s3.put_bucket_notification_configuration(
            Bucket=bucket,
            NotificationConfiguration={
                **_others(current),
                "LambdaFunctionConfigurations": [*others, *wanted],
            },
        )
    is_new = not added
    return outcome_of(is_new, changed, allowed is not Outcome.UNCHANGED), Physical(logical_id)


def _added(config: dict[str, Any], function: str, arn: str) -> dict[str, Any]:
    digest = hashlib.md5(json.dumps(config).encode(), usedforsecurity=False).hexdigest()
    rules = [
        {"Name": name.lower(), "Value": value}
        for rule in config.get("Rules", [])
        for name, value in rule.items()
    ]
    return {
        "Id": f"{function}-{digest}",
        "LambdaFunctionArn": arn,
        "Events": [config["Event"]],
        **({"Filter": {"Key": {"FilterRules": rules}}} if rules else {}),
    }


def _existing_keys(logical_id: str, properties: Properties, physical: Physical) -> list[Key]:
    names = ("BucketName", "FunctionName")
    return [{**{name: properties[name] for name in names}, "Id": logical_id}]


def _remove_existing(context: Context, key: Key) -> bool:
    s3, bucket, function = context.client("s3"), key["BucketName"], key["FunctionName"]
    allowed = gone(
        lambda: context.client("lambda").remove_permission(
            FunctionName=function, StatementId=lambda_.statement_id(f"{key['Id']}{_BY_EVENT}")
        ),
        "ResourceNotFoundException",
    )
    current = found(
        lambda: s3.get_bucket_notification_configuration(Bucket=bucket), "404", "NoSuchBucket"
    )
    added, others = _parted((current or {}).get("LambdaFunctionConfigurations", []), function)
    if not added:
        return allowed
    s3.put_bucket_notification_configuration(
        Bucket=bucket,
        NotificationConfiguration={
            **_others(current or {}),
            "LambdaFunctionConfigurations": others,
        },
    )
    return True


def _lost(context: Context, key: Key) -> str:
    page = context.client("s3").list_object_versions(Bucket=key["Ref"], MaxKeys=1000)
    count = len(page.get("Versions", []))
    more = "over " if page.get("IsTruncated") else ""
    return f"{more}{count} object{'s' if count > 1 else ''}" if count else ""


def _delete(context: Context, key: Key) -> None:
    s3, bucket = context.client("s3"), key["Ref"]
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        objects = [
            {"Key": one["Key"], "VersionId": one["VersionId"]}
            for one in (*page.get("Versions", []), *page.get("DeleteMarkers", []))
        ]
        if objects:
            s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
    s3.delete_bucket(Bucket=bucket)


RESOURCE_TYPES = {
    "AWS::S3::Bucket": ResourceType(
        _bucket,
        shapes.all_as_aws("BucketName"),
        {
            **shapes.all_as_aws(
                "BucketEncryption",
                "CorsConfiguration",
                "LifecycleConfiguration",
                "OwnershipControls",
                "PublicAccessBlockConfiguration",
                "Tags",
                "WebsiteConfiguration",
                "VersioningConfiguration",
            ),
            "NotificationConfiguration": notifications.SHAPE,
        },
        keys=_keys,
        remove=_remove_notifications,
        exists=_exists,
        delete_with="s3 rb --force s3://{Ref}",
        delete=_delete,
        lost=_lost,
    ),
    "Custom::S3": ResourceType(
        _existing,
        {
            "BucketConfigs": shapes.list_of(
                shapes.mapping(
                    {"Event": shapes.text},
                    {"Rules": shapes.list_of(shapes.mapping_of(shapes.text))},
                )
            ),
            "BucketName": shapes.text,
            "FunctionName": shapes.text,
        },
        keys=_existing_keys,
        remove=_remove_existing,
    ),
    "AWS::S3::BucketPolicy": ResourceType(
        _bucket_policy,
        shapes.all_as_aws("Bucket", "PolicyDocument"),
        remove=_remove_bucket_policy,
    ),
}
