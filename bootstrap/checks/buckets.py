"""Notifications of buckets (Amazon S3, "Event notification types and destinations")."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterator
from itertools import combinations
from typing import Any, NamedTuple

from bootstrap.checks.findings import Hit, Severity, rule
from bootstrap.checks.sources import Call, environment_name, parameters
from bootstrap.checks.view import (
    BUCKET,
    QUEUE,
    QUEUE_POLICY,
    TOPIC,
    TOPIC_POLICY,
    View,
    entries,
    mappings_in,
    notifications,
    own_name,
    within,
)
from bootstrap.definition.document import KeyPath
from bootstrap.template import Resource, needs

#: User Guide, "Supported event types for SQS, SNS, and Lambda".
_EVENTS = frozenset(
    (
        "s3:TestEvent",
        *(f"s3:ObjectCreated:{name}" for name in ("*", "Put", "Post", "Copy")),
        "s3:ObjectCreated:CompleteMultipartUpload",
        *(f"s3:ObjectRemoved:{name}" for name in ("*", "Delete", "DeleteMarkerCreated")),
        *(f"s3:ObjectRestore:{name}" for name in ("*", "Post", "Completed", "Delete")),
        "s3:ReducedRedundancyLostObject",
        *("s3:Replication:*", "s3:Replication:OperationFailedReplication"),
        *("s3:Replication:OperationMissedThreshold", "s3:Replication:OperationNotTracked"),
        "s3:Replication:OperationReplicatedAfterThreshold",
        *(f"s3:LifecycleExpiration:{name}" for name in ("*", "Delete", "DeleteMarkerCreated")),
        *("s3:LifecycleTransition", "s3:IntelligentTiering", "s3:ObjectAcl:Put"),
        *(f"s3:ObjectTagging:{name}" for name in ("*", "Put", "Delete")),
    )
)
_WRITES = ("put_object", "upload_file", "upload_fileobj", "copy_object")


class _Notification(NamedTuple):
    """A notification of a bucket to a function, a queue or a topic."""

    bucket: Resource
    body: dict[str, Any]
    at: KeyPath

    def filter(self, name: str) -> str:
        """The prefix or suffix; empty when every key fits."""
        for one in mappings_in(within(self.body, "Filter", "S3Key", "Rules")):
            if str(one.get("Name")).lower() == name and isinstance(one.get("Value"), str):
                return str(one["Value"])
        return ""

    @property
    def event(self) -> str:
        return str(self.body.get("Event"))

    def place(self, view: View, name: str) -> KeyPath:
        """Where the prefix or suffix is written."""
        if self.bucket.path[:1] == ("resources",):
            return self.at
        given = within(view.written(self.at), "rules")
        for index, one in enumerate(given if isinstance(given, list) else []):
            if isinstance(one, dict) and name in one:
                return (*self.at, "rules", index, name)
        return self.at


def _notifications(view: View) -> Iterator[_Notification]:
    for bucket in view.of(BUCKET):
        for index, body in enumerate(notifications(bucket)):
            yield _Notification(bucket, body, view.notification_at(bucket, index))
        for one in view.told(bucket):
            yield _Notification(bucket, one.body, one.at)


@rule("TS401", Severity.ERROR, mend="Give them prefixes or suffixes that no key can have both of.")
def overlapping(view: View) -> Iterator[Hit]:
    """S3 refuses two notifications of one bucket for the same event and key."""
    for left, right in combinations(_notifications(view), 2):
        if left.bucket is not right.bucket or not _same_events(left.event, right.event):
            continue
        prefixes, suffixes = (
            [one.filter(name) for one in (left, right)] for name in ("prefix", "suffix")
        )
        if (prefixes[0].startswith(prefixes[1]) or prefixes[1].startswith(prefixes[0])) and (
            suffixes[0].endswith(suffixes[1]) or suffixes[1].endswith(suffixes[0])
        ):
            line = view.document.line(left.at)
            yield Hit(f"The notification overlaps with the one on line {line}.", right.at)


def _same_events(left: str, right: str) -> bool:
    def covers(one: str, other: str) -> bool:
        return one == other or (one.endswith("*") and other.startswith(one[:-1]))

    return covers(left, right) or covers(right, left)


@rule("TS402", Severity.WARNING, mend="Write the beginning or end of the key, without wildcards.")
def wildcard(view: View) -> Iterator[Hit]:
    """S3 takes `*` and `?` in a prefix or suffix for themselves, so no object fires it."""
    for one in _notifications(view):
        for name in ("prefix", "suffix"):
            if any(mark in one.filter(name) for mark in "*?"):
                yield Hit(f"The {name} “{one.filter(name)}” has a wildcard.", one.place(view, name))


@rule("TS403", Severity.WARNING, mend="Leave the leading slash out.")
def leading_slash(view: View) -> Iterator[Hit]:
    """Keys of objects begin without a slash, so no object fires it."""
    for one in _notifications(view):
        if one.filter("prefix").startswith("/"):
            what = f"The prefix “{one.filter('prefix')}” begins with a slash."
            yield Hit(what, one.place(view, "prefix"))


@rule(
    "TS404",
    Severity.WARNING,
    mend="Write to another bucket, or under a prefix that fires nothing.",
)
def loop(view: View) -> Iterator[Hit]:
    """The function's own object fires it again, without end."""
    for one in _notifications(view):
        function = view.function(one.body.get("Function"))
        if function is None or not _same_events(one.event, "s3:ObjectCreated:*"):
            continue
        for call in view.sources.code(function).calls:
            if call.method not in _WRITES or not _writes_to(view, function, call, one.bucket):
                continue
            start, whole = _key(view, call)
            prefix = one.filter("prefix")
            if not (start.startswith(prefix) or (not whole and prefix.startswith(start))):
                continue
            if whole and not start.endswith(one.filter("suffix")):
                continue
            what = f"{own_name(function)} writes to {view.name(one.bucket)}/{start or prefix}"
            yield Hit(f"{what}…, which fires it ({call.place.file}:{call.place.line}).", one.at)
            break


@rule("TS405", Severity.WARNING, mend="Give the bucket a VersioningConfiguration, or take Delete.")
def no_delete_markers(view: View) -> Iterator[Hit]:
    """Only a bucket with versions has delete markers, so no deletion fires it."""
    for one in _notifications(view):
        versions = one.bucket.properties.get("VersioningConfiguration")
        if one.event == "s3:ObjectRemoved:DeleteMarkerCreated" and not versions:
            yield Hit(f"The bucket {view.name(one.bucket)} has no versions.", one.at)


@rule(
    "TS406", Severity.ERROR, mend="Take a standard queue or topic, and let that fill the FIFO one."
)
def told_in_order(view: View) -> Iterator[Hit]:
    """S3 refuses a notification to a FIFO queue or a FIFO topic."""
    for bucket in view.of(BUCKET):
        for one in view.told(bucket):
            to = one.to
            if to is not None and any(
                to.properties.get(key) in (True, "true") for key in ("FifoQueue", "FifoTopic")
            ):
                yield Hit(f"{to.logical_id} is FIFO.", one.at)


@rule("TS407", Severity.WARNING, mend="Name the policy in DependsOn of the bucket.")
def told_too_early(view: View) -> Iterator[Hit]:
    """S3 tries out where a notification goes: before the policy is there, the deploy fails."""
    kinds = {QUEUE: (QUEUE_POLICY, "Queues"), TOPIC: (TOPIC_POLICY, "Topics")}
    for bucket in view.of(BUCKET):
        first = needs(bucket)
        for one in view.told(bucket):
            kind, key = kinds.get(one.to.type if one.to is not None else "", ("", ""))
            policies = [
                policy
                for policy in view.of(kind)
                if any(view.target(value) is one.to for value in entries(policy.properties[key]))
            ]
            if policies and not any(policy.logical_id in first for policy in policies):
                what = f"{bucket.logical_id} may be made before {policies[0].logical_id}."
                yield Hit(what, one.at)


@rule("TS408", Severity.ERROR, mend="Write an event type of S3, such as s3:ObjectCreated:*.")
def unknown_event(view: View) -> Iterator[Hit]:
    """S3 refuses a notification of an event that it does not have."""
    for one in _notifications(view):
        event = one.body.get("Event")
        if isinstance(event, str) and "${" not in event and event not in _EVENTS:
            similar = difflib.get_close_matches(event, sorted(_EVENTS), 1)
            hint = f" Did you mean {similar[0]}?" if similar else ""
            yield Hit(f"There is no event {event}.{hint}", one.at)


def _writes_to(view: View, function: Resource, call: Call, bucket: Resource) -> bool:
    """Whether the call certainly writes to the bucket: by name, or to the one of its event."""
    node = call.argument("Bucket")
    positional = {"upload_file": 1, "upload_fileobj": 1}.get(call.method)
    if node is None and positional and len(call.node.args) > positional:
        node = call.node.args[positional]
    if node is None:
        return False
    if isinstance(node, ast.Name):
        if node.id in parameters(call.inside):
            return False
        if node.id in call.module.variables and node.id not in call.module.values:
            node = call.module.variables[node.id]
    if _of_event(node):
        return True
    name = view.sources.constant(call.module, node)
    if name is None:
        _, value = view.sources.follow(call.module, node)
        variable = environment_name(value)
        given = variable and within(function.properties, "Environment", "Variables", variable)
        if given is None:
            return False
        return view.target(given) is bucket or given == view.name(bucket)
    return name == view.name(bucket)


def _of_event(node: ast.expr) -> bool:
    """Whether an expression is ``record["s3"]["bucket"]["name"]``, or ``record.s3.bucket.name``."""
    keys = []
    while isinstance(node, ast.Subscript | ast.Attribute):
        if isinstance(node, ast.Attribute):
            keys.append(node.attr)
        elif isinstance(node.slice, ast.Constant):
            keys.append(str(node.slice.value))
        node = node.value
    return keys[:3] == ["name", "bucket", "s" + "3"]


def _key(view: View, call: Call) -> tuple[str, bool]:
    """What the key certainly begins with, and whether that is all of it."""
    node = call.argument("Key")
    positional = {"upload_file": 2, "upload_fileobj": 2}.get(call.method)
    if node is None and positional and len(call.node.args) > positional:
        node = call.node.args[positional]
    if isinstance(node, ast.Name) and node.id not in parameters(call.inside):
        node = call.module.variables.get(node.id, node)
    match node:
        case ast.JoinedStr(values=[ast.Constant(value=str(start)), *_]):
            return start, False
        case ast.BinOp(left=left, op=ast.Add()):
            return view.sources.constant(call.module, left) or "", False
    text = view.sources.constant(call.module, node)
    return (text, True) if text is not None else ("", False)
