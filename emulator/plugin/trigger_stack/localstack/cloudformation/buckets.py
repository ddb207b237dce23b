"""Configurations of a bucket that LocalStack's type leaves out.

AWS topics: AWS CloudFormation Template Reference Guide, "AWS::S3::Bucket"; Amazon S3 API Reference.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

type Model = dict[str, Any]


def set_bucket(clients: Any, before: Model, model: Model) -> None:
    """Set what differs from before, and unset what is gone."""
    bucket, s3 = {"Bucket": model["BucketName"]}, clients.s3
    for name, (put, unset) in _CONFIGURATIONS.items():
        wanted = model.get(name)
        if wanted and wanted != before.get(name):
            put(s3, bucket, wanted)
        elif before.get(name) and not wanted:
            unset(s3, bucket)


def say_whether_to_bus(model: Model) -> None:
    """Events go to the bus unless a template says not, and it may say so by a text."""
    to_bus = (model.get("NotificationConfiguration") or {}).get("EventBridgeConfiguration")
    if to_bus is not None:
        enabled = str((to_bus or {}).get("EventBridgeEnabled", True)).lower() == "true"
        model["NotificationConfiguration"]["EventBridgeConfiguration"] = {
            "EventBridgeEnabled": enabled
        }


def _encryption(s3: Any, bucket: Model, wanted: Model) -> None:
    rules = [
        {
            ("ApplyServerSideEncryptionByDefault" if key == _BY_DEFAULT else key): value
            for key, value in rule.items()
            if key in (_BY_DEFAULT, "BucketKeyEnabled")
        }
        for rule in wanted["ServerSideEncryptionConfiguration"]
    ]
    s3.put_bucket_encryption(**bucket, ServerSideEncryptionConfiguration={"Rules": rules})


_BY_DEFAULT = "ServerSideEncryptionByDefault"


def _logging(s3: Any, bucket: Model, wanted: Model) -> None:
    enabled = {
        # Without a bucket, the log goes to the bucket itself.
        "TargetBucket": wanted.get("DestinationBucketName") or bucket["Bucket"],
        "TargetPrefix": wanted.get("LogFilePrefix") or "",
    }
    if wanted.get("TargetObjectKeyFormat"):
        enabled["TargetObjectKeyFormat"] = wanted["TargetObjectKeyFormat"]
    s3.put_bucket_logging(**bucket, BucketLoggingStatus={"LoggingEnabled": enabled})


def _lifecycle(s3: Any, bucket: Model, wanted: Model) -> None:
    rules = [lifecycle_rule(rule) for rule in wanted["Rules"]]
    s3.put_bucket_lifecycle_configuration(**bucket, LifecycleConfiguration={"Rules": rules})


def lifecycle_rule(given: Model) -> Model:
    """A rule as ``PutBucketLifecycleConfiguration`` has it, for one as a template has it."""
    made: Model = {"Status": given["Status"], "Filter": _filter(given)}
    if "Id" in given:
        made["ID"] = given["Id"]
    expiration = {
        name: given[key]
        for key, name in (
            ("ExpirationInDays", "Days"),
            ("ExpirationDate", "Date"),
            ("ExpiredObjectDeleteMarker", "ExpiredObjectDeleteMarker"),
        )
        if key in given
    }
    if expiration:
        made["Expiration"] = _typed(expiration)
    if "AbortIncompleteMultipartUpload" in given:
        made["AbortIncompleteMultipartUpload"] = _typed(given["AbortIncompleteMultipartUpload"])
    if "NoncurrentVersionExpiration" in given:
        made["NoncurrentVersionExpiration"] = _typed(given["NoncurrentVersionExpiration"])
    elif "NoncurrentVersionExpirationInDays" in given:
        days = int(given["NoncurrentVersionExpirationInDays"])
        made["NoncurrentVersionExpiration"] = {"NoncurrentDays": days}
    for name, days_name in (
        ("Transition", "Days"),
        ("NoncurrentVersionTransition", "NoncurrentDays"),
    ):
        listed = given.get(f"{name}s") or ([given[name]] if name in given else [])
        if listed:
            made[f"{name}s"] = [_transition(one, days_name) for one in listed]
    return made


def _filter(given: Model) -> Model:
    parts: Model = {
        name: given[name]
        for name in ("Prefix", "ObjectSizeGreaterThan", "ObjectSizeLessThan")
        if name in given
    }
    parts = _typed(parts)
    tags = given.get("TagFilters") or []
    if len(tags) == 1 and not parts:
        return {"Tag": tags[0]}
    if tags:
        parts["Tags"] = tags
    return {"And": parts} if len(parts) > 1 or tags else parts or {"Prefix": ""}


def _transition(given: Model, days: str) -> Model:
    names = {"TransitionInDays": days, "TransitionDate": "Date"}
    return _typed({names.get(key, key): value for key, value in given.items()})


def _typed(given: Model) -> Model:
    """Numbers and booleans that are texts in the template."""
    return {
        key: int(value)
        if isinstance(value, str) and value.isdigit() and key != "Prefix"
        else {"true": True, "false": False}.get(value, value)
        if isinstance(value, str) and key != "Prefix"
        else value
        for key, value in given.items()
    }


def _part(operation: str, parameter: str) -> Callable[[Any, Model, Model], None]:
    """What passes a value on as it is."""

    def put(s3: Any, bucket: Model, wanted: Model) -> None:
        getattr(s3, operation)(**bucket, **{parameter: _typed(wanted)})

    return put


def _deleted(operation: str) -> Callable[[Any, Model], None]:
    return lambda s3, bucket: getattr(s3, operation)(**bucket)


def _accelerate(s3: Any, bucket: Model, wanted: Model) -> None:
    status = {"Status": wanted["AccelerationStatus"]}
    s3.put_bucket_accelerate_configuration(**bucket, AccelerateConfiguration=status)


def _acl(s3: Any, bucket: Model, wanted: str) -> None:
    """``PublicRead`` is ``public-read`` for the API."""
    s3.put_bucket_acl(**bucket, ACL=re.sub("(?<!^)(?=[A-Z])", "-", wanted).lower())


type _Put = Callable[[Any, Model, Any], None]
type _Unset = Callable[[Any, Model], None]

#: By property: what sets it, and what unsets it.
_CONFIGURATIONS: dict[str, tuple[_Put, _Unset]] = {
    "AccelerateConfiguration": (
        _accelerate,
        lambda s3, bucket: _accelerate(s3, bucket, {"AccelerationStatus": "Suspended"}),
    ),
    "BucketEncryption": (_encryption, _deleted("delete_bucket_encryption")),
    "LifecycleConfiguration": (_lifecycle, _deleted("delete_bucket_lifecycle")),
    "LoggingConfiguration": (
        _logging,
        lambda s3, bucket: s3.put_bucket_logging(**bucket, BucketLoggingStatus={}),
    ),
    "OwnershipControls": (
        _part("put_bucket_ownership_controls", "OwnershipControls"),
        _deleted("delete_bucket_ownership_controls"),
    ),
    "PublicAccessBlockConfiguration": (
        _part("put_public_access_block", "PublicAccessBlockConfiguration"),
        _deleted("delete_public_access_block"),
    ),
    "VersioningConfiguration": (
        _part("put_bucket_versioning", "VersioningConfiguration"),
        lambda s3, bucket: s3.put_bucket_versioning(
            **bucket, VersioningConfiguration={"Status": "Suspended"}
        ),
    ),
    # After the controls, which say whether there may be one.
    "AccessControl": (_acl, lambda s3, bucket: _acl(s3, bucket, "Private")),
}
