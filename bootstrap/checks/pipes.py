"""Pipes: where what they take can be lost.

EventBridge User Guide, "Amazon EventBridge Pipes error handling and troubleshooting".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bootstrap.checks.findings import Hit, Severity, rule
from bootstrap.checks.view import PIPE, QUEUE, View, arn_type, own_name, whole, within
from bootstrap.template import Resource

_STREAMS = ("KinesisStreamParameters", "DynamoDBStreamParameters")


def _stream(view: View, pipe: Resource) -> tuple[str, dict[str, Any]] | None:
    """The key of the parameters of a stream as the source, and they; None for another source."""
    source = view.target(pipe.properties["Source"])
    kind = source.type if source else arn_type(view.text(pipe.properties["Source"]) or "")
    given = pipe.properties.get("SourceParameters")
    for key in _STREAMS:
        own = within(given, key)
        if isinstance(own, dict):
            return key, own
    streams = {"AWS::Kinesis::Stream": _STREAMS[0], "AWS::DynamoDB::Table": _STREAMS[1]}
    return (streams[kind], {}) if kind in streams else None


def _queue(view: View, pipe: Resource) -> Resource | None:
    source = view.target(pipe.properties["Source"])
    return source if source is not None and source.type == QUEUE else None


@rule(
    "TS721",
    Severity.WARNING,
    mend="Set MaximumRetryAttempts or MaximumRecordAgeInSeconds, and a DeadLetterConfig.",
)
def blocked_shard(view: View) -> Iterator[Hit]:
    """A record that always fails blocks its shard until it expires, and those behind it with it."""
    for pipe in view.of(PIPE):
        if (found := _stream(view, pipe)) is None:
            continue
        key, own = found
        limits = [own.get(name) for name in ("MaximumRetryAttempts", "MaximumRecordAgeInSeconds")]
        if all(limit in (None, -1, "-1") for limit in limits):
            yield Hit(
                f"{pipe.logical_id} reads a stream without a limit of retries.",
                view.at(pipe, "SourceParameters", key),
            )


@rule("TS722", Severity.WARNING, mend="Set DeadLetterConfig of the source with a queue or topic.")
def discarded_records(view: View) -> Iterator[Hit]:
    """Records that failed as often as allowed are skipped, and nothing says which they were."""
    for pipe in view.of(PIPE):
        if (found := _stream(view, pipe)) is None:
            continue
        key, own = found
        if not within(own, "DeadLetterConfig", "Arn"):
            yield Hit(
                f"{pipe.logical_id} reads a stream without a place for failures.",
                view.at(pipe, "SourceParameters", key),
            )


@rule(
    "TS723",
    Severity.WARNING,
    mend="Give the queue a RedrivePolicy with a dead-letter queue.",
)
def no_redrive_policy(view: View) -> Iterator[Hit]:
    """A message that the target never takes is tried until it expires, and is lost then."""
    for pipe in view.of(PIPE):
        queue = _queue(view, pipe)
        if queue is not None and "RedrivePolicy" not in queue.properties:
            what = f"{pipe.logical_id} reads {queue.logical_id}, which has no RedrivePolicy."
            yield Hit(what, view.at(pipe, "Source"))


@rule(
    "TS724",
    Severity.WARNING,
    mend="Give each reader a queue of its own, both subscribed to one topic.",
)
def shared_queue(view: View) -> Iterator[Hit]:
    """Each message reaches only one of the readers, and nobody can say which."""
    readers = {
        mapping.source.logical_id: own_name(mapping.function)
        for mapping in view.queue_mappings
        if mapping.source and mapping.function and mapping.enabled
    }
    for pipe in view.of(PIPE):
        queue = _queue(view, pipe)
        if queue is None or pipe.properties.get("DesiredState") == "STOPPED":
            continue
        before = readers.setdefault(queue.logical_id, pipe.logical_id)
        if before != pipe.logical_id:
            what = f"{pipe.logical_id} and {before} both read {queue.logical_id}."
            yield Hit(what, view.at(pipe, "Source"))


@rule(
    "TS725",
    Severity.WARNING,
    mend="Make sure that nobody else needs those messages, and say so in a suppression.",
)
def filter_deletes(view: View) -> Iterator[Hit]:
    """A pipe deletes the messages of a queue that match no filter; they reach no target."""
    for pipe in view.of(PIPE):
        filters = within(pipe.properties, "SourceParameters", "FilterCriteria", "Filters")
        if filters and _queue(view, pipe) is not None:
            yield Hit(
                f"{pipe.logical_id} deletes messages that its filters do not match.",
                view.at(pipe, "SourceParameters", "FilterCriteria"),
            )


@rule("TS726", Severity.ERROR, mend="Set BatchSize of the source to what the target takes or less.")
def batch_too_large(view: View) -> Iterator[Hit]:
    """AWS refuses a pipe whose source gives larger batches than its target takes."""
    for pipe in view.of(PIPE):
        target = view.target(pipe.properties["Target"])
        kind = target.type if target else arn_type(view.text(pipe.properties["Target"]) or "")
        most = _MOST.get(kind or "")
        for key in (*_STREAMS, "SqsQueueParameters"):
            size = whole(within(pipe.properties, "SourceParameters", key, "BatchSize"))
            if most is not None and size is not None and size > most:
                yield Hit(
                    f"The target of {pipe.logical_id} takes {most} events at a time, not {size}.",
                    view.at(pipe, "SourceParameters", key, "BatchSize"),
                )


_MOST = {
    "AWS::Events::EventBus": 10,
    "AWS::Kinesis::Stream": 500,
    "AWS::SNS::Topic": 10,
    QUEUE: 10,
}
