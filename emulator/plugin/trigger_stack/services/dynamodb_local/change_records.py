"""A change of a table, as DynamoDB writes it to a Kinesis data stream.

AWS topics: Amazon DynamoDB Developer Guide, "Using Kinesis Data Streams to capture changes to
DynamoDB", and of "DynamoDB metrics and dimensions" ``FailedToReplicateRecordCount``: a record of
more than 1 MB is not written.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

#: The most that a record of a Kinesis stream holds for DynamoDB.
MOST_BYTES: Final = 1024 * 1024


def change_record(event: dict[str, Any], table: str) -> bytes:
    """The data of a record.

    Args:
        event: The change, as a function gets it from the table's own stream.
        table: Its name.
    """
    change = {
        key: value
        for key, value in event["dynamodb"].items()
        if key not in ("SequenceNumber", "StreamViewType")
    }
    # Milliseconds, where the table's stream has seconds.
    change["ApproximateCreationDateTime"] = int(1000 * change["ApproximateCreationDateTime"])
    record = {
        "awsRegion": event["awsRegion"],
        "eventID": event["eventID"],
        "eventName": event["eventName"],
        "userIdentity": event.get("userIdentity"),
        "recordFormat": "application/json",
        "tableName": table,
        "dynamodb": change,
        "eventSource": "aws:dynamodb",
    }
    return json.dumps(record, separators=(",", ":")).encode()


def partition_key(event: dict[str, Any], table: str) -> str:
    """What the changes of one item have in common: 32 hexadecimal digits, as on AWS."""
    keys = json.dumps([table, event["dynamodb"]["Keys"]], sort_keys=True)
    return hashlib.md5(keys.encode(), usedforsecurity=False).hexdigest().upper()
