"""``s3``: object events of a bucket (Serverless guide, "S3"; Amazon S3, "Event notifications")."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from bootstrap.definition import naming
from bootstrap.definition.document import KeyPath
from bootstrap.definition.model import S3Event, Service, known_s3_events, parse
from bootstrap.template import Resource, Template

_BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


def bucket_name_problem(name: str) -> str | None:
    """What Amazon S3 would refuse about a bucket name (S3, "Bucket naming rules"), or None."""
    if not 3 <= len(name) <= 63:
        return "must be 3 to 63 characters long"
    if not _BUCKET_NAME.fullmatch(name):
        return (
            "may have lower-case letters, digits, dots and hyphens only, and must begin and "
            "end with a letter or digit"
        )
    if ".." in name:
        return "must not have two dots in a row"
    if name.startswith(("xn--", "sthree-", "amzn-s3-demo-")):
        return "begins with a prefix that S3 reserves"
    if name.endswith(("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")):
        return "ends with a suffix that S3 reserves"
    try:
        ipaddress.IPv4Address(name)
    except ValueError:
        return None
    return "must not look like an IP address"


def compile_event(
    key: str, index: int, body: Any, path: KeyPath, service: Service, template: Template
) -> None:
    """Check one ``s3`` event and add the permission for S3 to invoke the function.

    The bucket itself is added by :func:`compile_buckets`, because several events share one.
    """
    event = _parse(body, path, template)
    if event.event not in known_s3_events():
        template.document.fail(
            f"functions.{key}: S3 has no event “{event.event}”. It has: "
            f"{', '.join(known_s3_events())}.",
            *path,
            "event",
        )
    name = _bucket_name(event.bucket, service)
    permission = _permission_id(key, event.bucket)
    if permission not in template.resources:
        template.add(
            Resource(
                permission,
                "AWS::Lambda::Permission",
                {
                    "FunctionName": {"Fn::GetAtt": [naming.function_id(key), "Arn"]},
                    "Action": "lambda:InvokeFunction",
                    "Principal": "s3.amazonaws.com",
                    "SourceArn": {"Fn::Sub": f"arn:${{AWS::Partition}}:s3:::{name}"},
                    "SourceAccount": {"Ref": "AWS::AccountId"},
                },
                path,
            )
        )


def compile_buckets(service: Service, template: Template) -> None:
    """Add every bucket that an ``s3`` event or ``provider.s3`` names, with its notifications.

    Raises:
        DefinitionError: a name that S3 would refuse, or more than one prefix or suffix.
    """
    buckets: dict[str, dict[str, Any]] = {}
    origin: dict[str, KeyPath] = {}
    depends: dict[str, list[str]] = {}
    for key in service.provider.s3:
        buckets[key], origin[key], depends[key] = {}, ("provider", "s3", key, "name"), []
    for key, function in service.functions.items():
        for index, event in enumerate(function.events):
            if "s3" not in event:
                continue
            path: KeyPath = ("functions", key, "events", index, "s3")
            s3 = _parse(event["s3"], path, template)
            origin.setdefault(s3.bucket, (*path, "bucket"))
            bucket = buckets.setdefault(s3.bucket, {})
            depends.setdefault(s3.bucket, []).append(_permission_id(key, s3.bucket))
            bucket.setdefault("LambdaConfigurations", []).append(
                _notification(key, s3, path, template)
            )
    for key, notifications in buckets.items():
        name = _bucket_name(key, service)
        if problem := bucket_name_problem(name):
            template.document.fail(f"the bucket name “{name}” {problem}.", *origin[key])
        properties: dict[str, Any] = {"BucketName": name}
        if notifications:
            properties["NotificationConfiguration"] = notifications
        settings = service.provider.s3.get(key)
        if settings and settings.versioningConfiguration:
            properties["VersioningConfiguration"] = settings.versioningConfiguration
        template.add(
            Resource(
                naming.bucket_id(key),
                "AWS::S3::Bucket",
                properties,
                origin[key],
                tuple(dict.fromkeys(depends[key])),
            )
        )


def _notification(key: str, event: S3Event, path: KeyPath, template: Template) -> dict[str, Any]:
    rules = [{"Name": n, "Value": v} for rule in event.rules for n, v in rule.items()]
    for name in ("prefix", "suffix"):
        if sum(rule["Name"] == name for rule in rules) > 1:
            template.document.fail(
                f"functions.{key}: S3 takes at most one {name} per event; write a second s3 "
                "event for the other.",
                *path,
                "rules",
            )
    configuration: dict[str, Any] = {
        "Event": event.event,
        "Function": {"Fn::GetAtt": [naming.function_id(key), "Arn"]},
    }
    if rules:
        configuration["Filter"] = {"S3Key": {"Rules": rules}}
    return configuration


def _parse(body: Any, path: KeyPath, template: Template) -> S3Event:
    data = {"bucket": body} if isinstance(body, str) else body
    return parse(S3Event, data, template.document, path)


def _bucket_name(key: str, service: Service) -> str:
    settings = service.provider.s3.get(key)
    return settings.name if settings else key


def _permission_id(key: str, bucket: str) -> str:
    return f"{naming.normalized(key)}LambdaPermission{naming.alphanumeric(bucket)}S3"
