"""What a bucket tells queues, topics and EventBridge.

Each is found again by where it goes, its events and its filter, and has an id that says who made
it: what somebody else has set on the bucket stays. AWS topics: AWS CloudFormation Template
Reference Guide, "AWS::S3::Bucket NotificationConfiguration"; Amazon S3 API Reference,
"PutBucketNotificationConfiguration".
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from bootstrap.services import shapes
from bootstrap.services.base import found

type Configuration = dict[str, Any]


@dataclass(frozen=True)
class _Kind:
    """A kind of destination.

    Attributes:
        property: the list in CloudFormation and in the API.
        destination: the name of the destination in CloudFormation.
        argument: the name of the destination in the API.
    """

    property: str
    destination: str
    argument: str


_KINDS: Final = (
    _Kind("QueueConfigurations", "Queue", "QueueArn"),
    _Kind("TopicConfigurations", "Topic", "TopicArn"),
)
_BUS: Final = "EventBridgeConfiguration"
#: How the ids of those begin that a definition has made.
_OWN: Final = "definition-"


def ensure(s3: Any, bucket: str, configuration: Configuration, *, new: bool) -> bool:
    """Make the notifications that are described be there; whether that took anything.

    What an earlier description had goes in the same call: S3 refuses two that overlap.
    """
    wanted = described(configuration)
    if new and not wanted:
        return False
    before = _current(s3, bucket)
    current = before
    for one in _own(before):
        if not _has({key: [entry] for key, entry in one.items()}, *wanted):
            current = _without(current, one)
    for one in wanted:
        if not _has(current, one):
            current = _with(current, one)
    if current != before:
        _put(s3, bucket, current)
    return current != before


def _own(current: Configuration) -> Iterator[Configuration]:
    """The notifications of queues and topics that a definition has made."""
    for kind in _KINDS:
        for entry in current.get(kind.property, []):
            if entry.get("Id", "").startswith(_OWN):
                yield {kind.property: entry}


def described(configuration: Configuration) -> list[Configuration]:
    """The notifications of a bucket, each as the API has it, beneath the name of its list."""
    return list(_described(configuration))


def _described(configuration: Configuration) -> Iterator[Configuration]:
    for kind in _KINDS:
        for entry in configuration.get(kind.property, []):
            to = {kind.argument: entry[kind.destination], "Events": [entry["Event"]]}
            yield {kind.property: {**to, **filtered(entry)}}
    if configuration.get(_BUS, {}).get("EventBridgeEnabled", _BUS in configuration):
        yield {_BUS: {}}


def filtered(entry: Configuration) -> Configuration:
    """The filter of a notification, as an argument of the API; empty without one."""
    if "Filter" not in entry:
        return {}
    rules = [{key: r[key] for key in ("Name", "Value")} for r in entry["Filter"]["S3Key"]["Rules"]]
    return {"Filter": {"Key": {"FilterRules": rules}}}


def identity(entry: Configuration, argument: str) -> tuple[str, str, str]:
    """What makes two notifications the same: the destination, the events, the filter."""
    rules = entry.get("Filter", {}).get("Key", {}).get("FilterRules", [])
    return (
        entry[argument],
        ",".join(sorted(entry["Events"])),
        ",".join(sorted(f"{rule['Name'].lower()}={rule['Value']}" for rule in rules)),
    )


def remove(s3: Any, bucket: str, one: Configuration) -> bool:
    """Take a notification off a bucket; whether it was there."""
    current = found(lambda: _current(s3, bucket), "404", "NoSuchBucket")
    if current is None or not _has(current, one):
        return False
    _put(s3, bucket, _without(current, one))
    return True


def _current(s3: Any, bucket: str) -> Configuration:
    answer = s3.get_bucket_notification_configuration(Bucket=bucket)
    return {key: value for key, value in answer.items() if key != "ResponseMetadata"}


def _put(s3: Any, bucket: str, configuration: Configuration) -> None:
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=configuration)


def _is_same(kind: _Kind, one: Configuration, other: Configuration) -> bool:
    return identity(one, kind.argument) == identity(other, kind.argument)


def _has(current: Configuration, *some: Configuration) -> bool:
    """Whether one of ``some`` is among the notifications of a bucket."""
    return any(_BUS in one and _BUS in current for one in some) or any(
        _is_same(kind, one[kind.property], other)
        for one in some
        for kind in _KINDS
        if kind.property in one
        for other in current.get(kind.property, [])
    )


def _with(current: Configuration, one: Configuration) -> Configuration:
    if _BUS in one:
        return {**current, **one}
    ((name, entry),) = one.items()
    text = json.dumps(one, sort_keys=True).encode()
    own = f"{_OWN}{hashlib.md5(text, usedforsecurity=False).hexdigest()}"
    return {**current, name: [*current.get(name, []), {"Id": own, **entry}]}


def _without(current: Configuration, one: Configuration) -> Configuration:
    if _BUS in one:
        return {key: value for key, value in current.items() if key != _BUS}
    kind = next(kind for kind in _KINDS if kind.property in one)
    entry, listed = one[kind.property], current[kind.property]
    return {**current, kind.property: [o for o in listed if not _is_same(kind, entry, o)]}


_RULE = shapes.mapping({"Name": shapes.text, "Value": shapes.text})
_FILTER = shapes.mapping({"S3Key": shapes.mapping({"Rules": shapes.list_of(_RULE)})})


def _listed(destination: str) -> shapes.Shape:
    required = {"Event": shapes.text, destination: shapes.text}
    return shapes.list_of(shapes.mapping(required, {"Filter": _FILTER}))


SHAPE: Final = shapes.mapping(
    {},
    {
        _BUS: shapes.mapping({}, {"EventBridgeEnabled": shapes.flag}),
        "LambdaConfigurations": _listed("Function"),
        **{kind.property: _listed(kind.destination) for kind in _KINDS},
    },
)
