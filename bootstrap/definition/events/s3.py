"""``s3``: object events of a bucket (Serverless guide, "S3"; Amazon S3, "Event notifications").

A bucket that is not ``existing`` is made. Notifications of an existing one are added to those that
it has.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Literal, override

from bootstrap.definition import naming
from bootstrap.definition.document import Document, KeyPath
from bootstrap.definition.events.base import (
    EventType,
    Example,
    Trigger,
    awslocal,
    invoke_permission,
)
from bootstrap.definition.events.failures import ASYNCHRONOUS_INVOCATION
from bootstrap.definition.parsing import Model, Reference
from bootstrap.services.api_models import enumeration
from bootstrap.settings import Settings
from bootstrap.template import Resource

if TYPE_CHECKING:
    from bootstrap.definition.model import Service

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


@cache
def known_s3_events() -> tuple[str, ...]:
    """Every event type that the S3 API model of the installed SDK lists."""
    return enumeration("s3", "Event")


class S3Bucket(Model):
    """``provider.s3.<key>``: a bucket that events refer to by its key.

    All but ``name`` are properties of ``AWS::S3::Bucket``, with a small letter at their beginning.
    """

    name: str | None = None
    accelerateConfiguration: Any = None
    accessControl: Any = None
    analyticsConfigurations: Any = None
    bucketEncryption: Any = None
    corsConfiguration: Any = None
    intelligentTieringConfigurations: Any = None
    inventoryConfigurations: Any = None
    lifecycleConfiguration: Any = None
    loggingConfiguration: Any = None
    metricsConfigurations: Any = None
    notificationConfiguration: dict[str, Any] | None = None
    objectLockConfiguration: Any = None
    objectLockEnabled: Any = None
    ownershipControls: Any = None
    publicAccessBlockConfiguration: Any = None
    replicationConfiguration: Any = None
    tags: Any = None
    versioningConfiguration: Any = None
    websiteConfiguration: Any = None

    def properties(self) -> dict[str, Any]:
        """The properties of the bucket, notifications left out."""
        given = self.model_dump(exclude_none=True, exclude={"name", "notificationConfiguration"})
        return {f"{key[0].upper()}{key[1:]}": value for key, value in given.items()}


EXISTING = "Custom::S3"


class S3Event(Model):
    """``s3`` under ``events``: a bucket, an event type, and rules on the object's key."""

    bucket: Reference
    event: str = "s3:ObjectCreated:*"
    rules: list[dict[Literal["prefix", "suffix"], str]] = []
    existing: bool = False
    forceDeploy: bool | None = None

    @property
    def key(self) -> str:
        """The bucket, as text: equal for equal buckets."""
        return self.bucket if isinstance(self.bucket, str) else json.dumps(self.bucket)

    def values(self, name: str) -> list[str]:
        """The value of the ``prefix`` or ``suffix`` rule."""
        return [rule[key] for rule in self.rules for key in rule if key == name]


class S3(EventType[S3Event]):
    """S3 notifies of an object event and invokes the function asynchronously."""

    key = "s3"
    model = S3Event
    provider_settings: ClassVar = {"s3": (dict[str, S3Bucket], {})}
    failures = (ASYNCHRONOUS_INVOCATION,)

    def long_form(self, body: Any) -> Any:
        """``s3: <bucket>``."""
        return {"bucket": body} if isinstance(body, str) else body

    @override
    def check(self, trigger: Trigger[S3Event], service: Service, document: Document) -> None:
        event = trigger.event
        if event.event not in known_s3_events():
            document.fail(
                f"functions.{trigger.key}: S3 has no event “{event.event}”. It has: "
                f"{', '.join(known_s3_events())}.",
                *trigger.path,
                "event",
            )
        if not event.existing and not isinstance(event.bucket, str):
            document.fail(
                f"functions.{trigger.key}: a bucket that is made here has a name. For one that is"
                " described elsewhere, or under resources, add existing: true.",
                *(*trigger.path, "bucket"),
            )
        for other in service.triggers:
            if other.type is self and other.key == trigger.key and event.existing:
                _check_one_bucket(trigger, other, document)
        for name in ("prefix", "suffix"):
            if len(event.values(name)) > 1:
                document.fail(
                    f"functions.{trigger.key}: S3 takes at most one {name} per event; write a "
                    "second s3 event for the other.",
                    *trigger.path,
                    "rules",
                )

    def permissions(
        self, triggers: Sequence[Trigger[S3Event]], service: Service
    ) -> Iterator[Resource]:
        """One for each function and bucket."""
        new = [trigger for trigger in triggers if not trigger.event.existing]
        for trigger in {_permission_id(trigger): trigger for trigger in reversed(new)}.values():
            name = self._bucket_name(trigger.event.key, service)
            yield invoke_permission(
                _permission_id(trigger),
                trigger,
                "s3.amazonaws.com",
                {"Fn::Sub": f"arn:${{AWS::Partition}}:s3:::{name}"},
                SourceAccount={"Ref": "AWS::AccountId"},
            )

    def role_statements(self, triggers: Sequence[Trigger[S3Event]]) -> Iterator[dict[str, Any]]:
        """None: a function that reads the object needs what ``provider.iam`` gives it."""
        yield from ()

    def resources(
        self, triggers: Sequence[Trigger[S3Event]], service: Service, document: Document
    ) -> Iterator[Resource]:
        """Every bucket that an event names, with its notifications; those of existing ones."""
        settings = self._buckets(service)
        new = [trigger for trigger in triggers if not trigger.event.existing]
        used = dict.fromkeys(trigger.event.key for trigger in new)
        for key in settings.keys() - used:
            document.note("is not made, as on AWS: no s3 event names it", "provider", "s3", key)
        for key in used:
            own = [trigger for trigger in new if trigger.event.bucket == key]
            path: KeyPath = ("provider", "s3", key, "name")
            if key not in settings:
                path = (*own[0].path, "bucket")
            properties: dict[str, Any] = {"BucketName": self._bucket_name(key, service)}
            if problem := bucket_name_problem(properties["BucketName"]):
                document.fail(_wrong_name(properties["BucketName"], problem), *path)
            if own:
                notifications = [_notification(trigger) for trigger in own]
                properties["NotificationConfiguration"] = {"LambdaConfigurations": notifications}
            if key in settings:
                properties |= settings[key].properties()
                if more := settings[key].notificationConfiguration:
                    _refuse_lambda_configurations(more, key, document)
                    properties["NotificationConfiguration"] |= more
            permissions = tuple(dict.fromkeys(map(_permission_id, own)))
            yield Resource(naming.bucket_id(key), "AWS::S3::Bucket", properties, path, permissions)
        yield from _existing(triggers, service)

    @override
    def resource_problem(self, kind: str, properties: dict[str, Any]) -> tuple[str, str] | None:
        name = properties.get("BucketName") if kind == "AWS::S3::Bucket" else None
        problem = bucket_name_problem(name) if isinstance(name, str) else None
        return ("BucketName", _wrong_name(str(name), problem)) if problem else None

    @override
    def example(self, trigger: Trigger[S3Event], service: Service, settings: Settings) -> Example:
        event = trigger.event
        name = self._bucket_name(event.key, service)
        if not isinstance(event.bucket, str):
            name = "<bucket>"
        prefix = next(iter(event.values("prefix")), "")
        suffix = next(iter(event.values("suffix")), "")
        key = service.samples.object_key(name) or "example"
        source = "samples/coffee-logo.png" if suffix in ("", ".png") else "README.md"
        target = f"s3://{name}/{prefix}{key}{suffix or '.png'}"
        command = f"{awslocal(settings)} s3 cp {source} {target}"
        return Example(f"S3 {name}/{prefix}*{suffix}", command)

    def _buckets(self, service: Service) -> dict[str, S3Bucket]:
        buckets: dict[str, S3Bucket] = service.provider.setting("s3")
        return buckets

    def _bucket_name(self, key: str, service: Service) -> str:
        settings = self._buckets(service).get(key)
        return (settings and settings.name) or key


def _refuse_lambda_configurations(more: dict[str, Any], key: str, document: Document) -> None:
    name = "LambdaConfigurations"
    if name in more:
        document.fail(
            f"provider.s3.{key}.notificationConfiguration.{name} takes the place of the s3 events:"
            " none of them would fire. Write s3 events instead.",
            *("provider", "s3", key, "notificationConfiguration", name),
        )


def _check_one_bucket(
    trigger: Trigger[S3Event], other: Trigger[S3Event], document: Document
) -> None:
    if other.event.existing and other.event.key != trigger.event.key:
        document.fail(
            f"functions.{trigger.key}: a function may have events of one existing bucket only, not"
            f" of “{other.event.key}” and “{trigger.event.key}”.",
            *(*trigger.path, "bucket"),
        )


def _existing(triggers: Sequence[Trigger[S3Event]], service: Service) -> Iterator[Resource]:
    """The notifications of existing buckets, one resource for each function.

    One after the other: each reads the bucket's notifications and writes them back.
    """
    before: str | None = None
    buckets = _buckets_of_the_file(service)
    for key in dict.fromkeys(one.key for one in triggers if one.event.existing):
        own = [one for one in triggers if one.key == key and one.event.existing]
        logical_id = f"{naming.normalized(key)}CustomS31"
        bucket = own[0].event.bucket
        properties = {
            "FunctionName": own[0].function,
            "BucketName": bucket,
            "BucketConfigs": [
                {
                    "Event": one.event.event,
                    "Rules": [
                        {name.capitalize(): value}
                        for rule in one.event.rules
                        for name, value in rule.items()
                    ],
                }
                for one in own
            ],
        }
        needed = (naming.function_id(key), buckets.get(own[0].event.key), before)
        yield Resource(
            logical_id, EXISTING, properties, own[0].path, tuple(name for name in needed if name)
        )
        before = logical_id


def _buckets_of_the_file(service: Service) -> dict[str, str]:
    """The logical ids of the buckets that the file describes, by their names."""
    found = {}
    for logical_id, body in service.resources.Resources.items():
        properties = body.get("Properties")
        if body.get("Type") == "AWS::S3::Bucket" and isinstance(properties, dict):
            name = properties.get("BucketName")
            found[name if isinstance(name, str) else json.dumps(name)] = logical_id
    return found


def _wrong_name(name: str, problem: str) -> str:
    return f"the bucket name “{name}” {problem}."


def _notification(trigger: Trigger[S3Event]) -> dict[str, Any]:
    configuration: dict[str, Any] = {
        "Event": trigger.event.event,
        "Function": trigger.function_arn,
    }
    rules = [{"Name": n, "Value": v} for rule in trigger.event.rules for n, v in rule.items()]
    if rules:
        configuration["Filter"] = {"S3Key": {"Rules": rules}}
    return configuration


def _permission_id(trigger: Trigger[S3Event]) -> str:
    bucket = naming.alphanumeric(trigger.event.key)
    return f"{naming.normalized(trigger.key)}LambdaPermission{bucket}S3"
