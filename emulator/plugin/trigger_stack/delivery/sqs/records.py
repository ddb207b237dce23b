"""The records that a function gets for messages.

AWS topic: AWS Lambda Developer Guide, "Using Lambda with Amazon SQS", example event.
"""

from __future__ import annotations

import base64
import json
from typing import Any

#: A message as the API operation ``ReceiveMessage`` returns it.
type Message = dict[str, Any]
type Record = dict[str, Any]


def make_record(message: Message, source_arn: str, region: str) -> Record:
    """One element of an event's ``Records``."""
    record = {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
        "messageAttributes": {
            name: _with_lower_keys(value)
            for name, value in (message.get("MessageAttributes") or {}).items()
        },
        "md5OfBody": message.get("MD5OfBody"),
        "eventSource": "aws:sqs",
        "eventSourceARN": source_arn,
        "awsRegion": region,
    }
    if "MD5OfMessageAttributes" in message:
        record["md5OfMessageAttributes"] = message["MD5OfMessageAttributes"]
    return record


def _with_lower_keys(attribute: dict[str, Any]) -> dict[str, Any]:
    lower: dict[str, Any] = {"stringListValues": [], "binaryListValues": []}
    for key, value in attribute.items():
        name = key[0].lower() + key[1:]
        lower[name] = base64.b64encode(value).decode() if isinstance(value, bytes) else value
    return lower


def payload_of(records: list[Record]) -> bytes:
    """The event, as bytes of JSON."""
    return json.dumps({"Records": records}, separators=(",", ":"), default=str).encode()
