"""A Kinesis stream of this process, as a mapping reads it.

What: no patch: the service of ours is asked, without a request.
Why: a request to LocalStack costs milliseconds.
Until: as long as Kinesis is a service of ours.
Test: ``tests/delivery/test_kinesis.py``.
"""

from __future__ import annotations

import contextlib
from typing import Any

from trigger_stack.delivery.streams.mapping import Read, ShardInfo
from trigger_stack.delivery.streams.records import kinesis_record
from trigger_stack.localstack.kinesis import SERVICE
from trigger_stack.services.errors import ServiceError
from trigger_stack.services.kinesis.streams import DEFAULT_RETENTION_HOURS
from trigger_stack.services.operations import Caller


class KinesisStream:
    """Positions are sequence numbers; "" is before the first record.

    Args:
        arn: ARN of the stream, or of a consumer with enhanced fan-out: it is only read while that
            is registered.
        role: ARN of the function's execution role, for events.
    """

    def __init__(self, arn: str, role: str) -> None:
        self._arn = arn
        self._role = role
        parts = arn.split(":")
        self._caller = Caller(parts[4], parts[3])
        self._retention_s = DEFAULT_RETENTION_HOURS * 3600.0

    def shards(self) -> list[ShardInfo]:
        """All shards, open or closed."""
        stream = SERVICE.stream(self._caller, {"StreamARN": self._arn})
        return [
            ShardInfo(shard.id, shard.parents, shard.starting_sequence_number)
            for shard in list(stream.shards.values())
        ]

    def start(self, shard: str, kind: str, timestamp: float | None) -> str:
        """The position that a starting position stands for."""
        stream = SERVICE.stream(self._caller, {"StreamARN": self._arn})
        found = stream.shards[shard]
        if kind == "LATEST":
            return found.latest()
        if kind == "AT_TIMESTAMP" and timestamp is not None:
            return found.before_time(timestamp)
        return stream.trim_horizon(found)

    def after(self, sequence_number: str) -> str:
        """The position behind a record."""
        return sequence_number

    def begin(self, shard: str, position: Any, limit: int) -> Any:
        """Nothing: a read takes no time."""
        return None

    def read(self, shard: str, position: Any, limit: int, begun: Any = None) -> Read:
        """Up to ``limit`` records from a position on."""
        stream = SERVICE.stream(self._caller, {"StreamARN": self._arn})
        found = stream.shards[shard]
        raw, _ = stream.read(found, position, limit)
        trimmed = (position, found.trimmed) if found.trimmed > position else None
        records = [
            kinesis_record(
                shard,
                {
                    "SequenceNumber": one.sequence_number,
                    "PartitionKey": one.partition_key,
                    "Data": one.data,
                    "ApproximateArrivalTimestamp": round(one.arrived, 3),
                },
                self._arn,
                self._role,
            )
            for one in raw
        ]
        after = raw[-1].sequence_number if raw else position
        return Read(records, after, ended=not stream.has_more(found, after), trimmed=trimmed)

    def retention_s(self) -> float:
        """How long a record is kept, in seconds; as it was last when the stream is gone."""
        with contextlib.suppress(ServiceError):
            self._retention_s = SERVICE.stream(self._caller, {"StreamARN": self._arn}).retention_s
        return self._retention_s
