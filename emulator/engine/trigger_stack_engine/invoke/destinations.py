"""The documents that destinations and dead-letter queues get of an asynchronous invocation.

AWS topics: AWS Lambda Developer Guide, "Capturing records of Lambda asynchronous invocations";
Lambda API Reference, "OnFailure": a topic takes 256 KB, and a document that is larger is sent
without the payloads. How it says so is not documented: they are left out here.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

_LONGEST_MESSAGE_BYTES = 1024
_LARGEST_OF_TOPIC_BYTES = 256 * 1024
_PAYLOADS = ("requestPayload", "responsePayload")


class Condition(StrEnum):
    """Why an invocation came to its end (``requestContext.condition``)."""

    SUCCESS = "Success"
    RETRIES_EXHAUSTED = "RetriesExhausted"
    EVENT_AGE_EXCEEDED = "EventAgeExceeded"
    ZERO_RESERVED_CONCURRENCY = "ZeroReservedConcurrency"
    #: AWS does not document its text.
    RECURSIVE_INVOCATION = "RecursiveInvocation"


def destination_document(
    *,
    request_id: str,
    function_arn: str,
    condition: Condition,
    invocations: int,
    payload: bytes,
    response: bytes | None,
    version: str,
) -> dict[str, Any]:
    """The record for a destination.

    Args:
        request_id: Request id of the invocation.
        function_arn: ARN with the qualifier.
        condition: How it ended.
        invocations: How often the function was invoked for the event.
        payload: The event, as JSON.
        response: What the function returned last, as JSON; ``None`` when it was not invoked.
        version: Version that was executed.
    """
    document = {
        "version": "1.0",
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "requestContext": {
            "requestId": request_id,
            "functionArn": function_arn,
            "condition": condition.value,
            "approximateInvokeCount": invocations,
        },
        "requestPayload": _parsed(payload),
    }
    if response is not None:
        context: dict[str, Any] = {"statusCode": 200, "executedVersion": version}
        if condition is not Condition.SUCCESS:
            context["functionError"] = "Unhandled"
        document["responseContext"] = context
        document["responsePayload"] = _parsed(response)
    return document


def fitting(arn: str, document: dict[str, Any]) -> bytes:
    """The text of a document for a destination, without the payloads when it takes no more.

    Args:
        arn: The destination's.
        document: What it is to get.
    """
    text = json.dumps(document, separators=(",", ":")).encode()
    if ":sns:" not in arn or len(text) <= _LARGEST_OF_TOPIC_BYTES:
        return text
    rest = {name: value for name, value in document.items() if name not in _PAYLOADS}
    return json.dumps(rest, separators=(",", ":")).encode()


def dead_letter_attributes(request_id: str, response: bytes | None) -> dict[str, dict[str, str]]:
    """The message attributes of a dead letter: request id, status, and the error's first KB."""
    message = "The function was not invoked."
    if response is not None:
        answer = _parsed(response)
        message = str(answer.get("errorMessage", "")) if isinstance(answer, dict) else ""
    message = message.encode()[:_LONGEST_MESSAGE_BYTES].decode(errors="ignore")
    return {
        "RequestID": {"DataType": "String", "StringValue": request_id},
        "ErrorCode": {"DataType": "Number", "StringValue": "200"},
        # A message attribute must not be empty.
        "ErrorMessage": {"DataType": "String", "StringValue": message or "null"},
    }


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content) if content else None
    except ValueError:
        return content.decode(errors="replace")
