"""Records as pipes show them, and how a target names those that failed.

AWS topics: EventBridge User Guide, "Amazon Kinesis stream as a source", "Amazon SQS queue as a
source", "Partial batch failure": what Lambda has below ``kinesis`` stands beside the rest here, and
``itemIdentifier`` is the ``messageId`` of a message and the ``eventID`` of a stream's record.
"""

from __future__ import annotations

import json
from typing import Any

type Event = dict[str, Any]


def events_of(payload: bytes) -> list[Event]:
    """The records of a poller's event, as pipes show them."""
    return [flat(record) for record in json.loads(payload)["Records"]]


def flat(record: Event) -> Event:
    """A record without the level ``kinesis``."""
    kinesis = record.get("kinesis")
    if not isinstance(kinesis, dict):
        return record
    return {**kinesis, **{key: value for key, value in record.items() if key != "kinesis"}}


def identifier(event: Any) -> str | None:
    """What an event is called in ``batchItemFailures``; None for what came from nowhere known."""
    if not isinstance(event, dict):
        return None
    found = event.get("messageId", event.get("eventID"))
    return found if isinstance(found, str) else None


def poller_identifier(event: Event) -> str:
    """What the poller calls a record: ``messageId``, or the sequence number."""
    if "messageId" in event:
        return str(event["messageId"])
    if "dynamodb" in event:
        return str(event["dynamodb"]["SequenceNumber"])
    return str(event["sequenceNumber"])
