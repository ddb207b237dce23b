"""The entries of a target's batch operation.

AWS topics: EventBridge Pipes API Reference, "PipeTargetParameters" and its members; User Guide,
"Dynamic path parameters": they see the event, not what the input template makes of it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from trigger_stack.delivery.core.json_paths import PathError, resolved
from trigger_stack.delivery.pipes.settings import PipeSettings, service_of

_DETAIL_TYPES = {"sqs": "aws:sqs", "kinesis": "aws:kinesis", "dynamodb": "aws:dynamodb"}


def entry(settings: PipeSettings, number: int, event: Any, body: str) -> dict[str, Any]:
    """The entry of one event.

    Args:
        settings: The pipe.
        number: Place of the entry in the request.
        event: For paths, the encoded field of a source parsed.
        body: What the target gets.

    Raises:
        PathError: A parameter leads to nothing in this event.
    """
    return _ENTRIES[settings.target_service](settings, number, event, body)


def _for_queue(settings: PipeSettings, number: int, event: Any, body: str) -> dict[str, Any]:
    own = settings.own_target_parameters
    made: dict[str, Any] = {"Id": str(number), "MessageBody": body}
    for name in ("MessageGroupId", "MessageDeduplicationId"):
        if own.get(name):
            made[name] = resolved(own[name], event)
    return made


def _for_topic(settings: PipeSettings, number: int, event: Any, body: str) -> dict[str, Any]:
    return {"Id": str(number), "Message": body}


def _for_stream(settings: PipeSettings, number: int, event: Any, body: str) -> dict[str, Any]:
    key = resolved(settings.own_target_parameters["PartitionKey"], event)
    return {"Data": body.encode(), "PartitionKey": key}


def _for_bus(settings: PipeSettings, number: int, event: Any, body: str) -> dict[str, Any]:
    own = settings.own_target_parameters
    source_type = _DETAIL_TYPES[service_of(settings.source)]
    made: dict[str, Any] = {
        "EventBusName": settings.target,
        "Source": resolved(own.get("Source") or f"Pipe {settings.name}", event),
        "DetailType": resolved(own.get("DetailType") or f"Event from {source_type}", event),
        "Detail": body,
        "Resources": [resolved(one, event) for one in own.get("Resources") or []],
    }
    if own.get("Time"):
        moment = resolved(own["Time"], event)
        try:
            made["Time"] = datetime.fromisoformat(moment)
        except ValueError:
            raise PathError(f"{own['Time']}: “{moment}” is no time") from None
    return made


_ENTRIES = {
    "events": _for_bus,
    "kinesis": _for_stream,
    "sns": _for_topic,
    "sqs": _for_queue,
}
