"""Records of streams: their shape in an event, in a filter, and in a failure's document.

AWS topics: AWS Lambda Developer Guide, "Using Lambda with Kinesis" and "… with DynamoDB": example
events, "Using event filtering …", "Retain records of failed …".
"""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

type Event = dict[str, Any]
type Matches = Callable[[dict[str, Any], dict[str, Any]], bool]


@dataclass(frozen=True, slots=True)
class Record:
    """A record on its way to a function.

    Attributes:
        sequence_number: Its place in the shard.
        key: Records of the same key are handled in their order.
        arrived: Approximate time of arrival, in seconds since 1970.
        event: Its element of ``Records``.
        size: Bytes of ``event`` as JSON.
    """

    sequence_number: str
    key: str
    arrived: float
    event: Event
    size: int


def kinesis_record(shard: str, record: dict[str, Any], source: str, role: str) -> Record:
    """A record of ``GetRecords`` of Kinesis.

    Args:
        shard: Id of the shard.
        record: As the API returns it, ``Data`` in bytes, the time in seconds since 1970.
        source: ARN of the stream.
        role: ARN of the function's role.
    """
    number = record["SequenceNumber"]
    event = {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": record["PartitionKey"],
            "sequenceNumber": number,
            "data": base64.b64encode(record["Data"]).decode(),
            "approximateArrivalTimestamp": record["ApproximateArrivalTimestamp"],
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"{shard}:{number}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": role,
        "awsRegion": source.split(":")[3],
        "eventSourceARN": source,
    }
    arrived = float(record["ApproximateArrivalTimestamp"])
    return Record(number, record["PartitionKey"], arrived, event, len(as_json(event)))


def dynamodb_record(record: dict[str, Any], source: str) -> Record:
    """A record of ``GetRecords`` of DynamoDB Streams, as it is sent."""
    change = dict(record["dynamodb"])
    arrived = float(change.get("ApproximateCreationDateTime") or time.time())
    change["ApproximateCreationDateTime"] = arrived
    event = {
        "eventID": record["eventID"],
        "eventName": record["eventName"],
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": source.split(":")[3],
        "dynamodb": change,
        "eventSourceARN": source,
    }
    if "userIdentity" in record:  # expired by time to live
        event["userIdentity"] = {
            "type": record["userIdentity"]["Type"],
            "principalId": record["userIdentity"]["PrincipalId"],
        }
    key = json.dumps(change.get("Keys"), sort_keys=True)
    return Record(change["SequenceNumber"], key, arrived, event, len(as_json(event)))


def as_json(value: Any) -> bytes:
    """JSON without spaces; bytes as Base64, sets as lists."""
    return json.dumps(value, separators=(",", ":"), default=_plain).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode()
    if isinstance(value, set | frozenset):
        return sorted(value)
    return str(value)


class Filters:
    """The filters of one mapping; without any, every record passes.

    Args:
        patterns: Event patterns as JSON.
        matches: Whether an event pattern (first) matches an event (second).
    """

    def __init__(self, patterns: Iterable[str], matches: Matches) -> None:
        self._patterns: list[dict[str, Any]] = [json.loads(pattern) for pattern in patterns]
        self._matches = matches

    def pass_through(self, record: Record) -> bool:
        """Whether one of the filters matches."""
        if not self._patterns:
            return True
        kinesis = record.event.get("kinesis")
        if kinesis is None:
            return any(self._matches(pattern, record.event) for pattern in self._patterns)
        data = _data(kinesis["data"])
        for pattern in self._patterns:
            wanted = pattern.get("data")
            # An object is for records of JSON, a list for plain text; others do not match.
            if wanted is not None and isinstance(wanted, dict) != isinstance(data, dict):
                continue
            if self._matches(pattern, {**record.event, **kinesis, "data": data}):
                return True
        return False


def _data(encoded: str) -> Any:
    """The data of a record: an object of JSON, else text."""
    text = base64.b64decode(encoded).decode(errors="replace")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):  # no JSON, or nested deeper than anybody reads
        return text
    return found if isinstance(found, dict) else text


@dataclass(frozen=True, slots=True)
class Failure:
    """Why records are given up.

    Attributes:
        condition: ``RetryAttemptsExhausted`` or ``RecordAgeExceeded``.
        attempts: How often the function was invoked with them.
        request_id: Id of the last invocation; ``None`` when there was none.
        version: The version that it ran, for example ``$LATEST``.
        function_error: ``Unhandled`` or ``None``.
    """

    condition: str
    attempts: int
    request_id: str | None = None
    version: str | None = None
    function_error: str | None = None


def failure_document(
    failure: Failure, records: list[Record], *, shard: str, source: str, function: str
) -> dict[str, Any]:
    """The document for an on-failure destination: where the records are, not what is in them."""
    context: dict[str, Any] = {
        "requestContext": {
            "requestId": failure.request_id or str(uuid.uuid4()),
            "functionArn": function,
            "condition": failure.condition,
            "approximateInvokeCount": failure.attempts,
        }
    }
    if failure.request_id:
        context["responseContext"] = {
            "statusCode": 200,
            "executedVersion": failure.version,
            "functionError": failure.function_error,
        }
    return context | batch_info(records, shard=shard, source=source)


def batch_info(records: list[Record], *, shard: str, source: str) -> dict[str, Any]:
    """The part of a failure's document that says where the records are."""
    kinesis = ":kinesis:" in source
    batch = {
        "shardId": shard,
        "startSequenceNumber": records[0].sequence_number,
        "endSequenceNumber": records[-1].sequence_number,
        "approximateArrivalOfFirstRecord": _time(records[0].arrived, milliseconds=kinesis),
        "approximateArrivalOfLastRecord": _time(records[-1].arrived, milliseconds=kinesis),
        "batchSize": len(records),
        "streamArn": source,
    }
    return {
        "version": "1.0",
        "timestamp": _time(datetime.now(UTC).timestamp(), milliseconds=True),
        "KinesisBatchInfo" if kinesis else "DDBStreamBatchInfo": batch,
    }


def _time(timestamp: float, *, milliseconds: bool) -> str:
    precision = "milliseconds" if milliseconds else "seconds"
    text = datetime.fromtimestamp(timestamp, UTC).isoformat(timespec=precision)
    return text.replace("+00:00", "Z")
