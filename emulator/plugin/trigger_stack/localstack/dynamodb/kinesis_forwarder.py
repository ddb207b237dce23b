"""The changes of a table on their way to a Kinesis data stream.

What: no patch. The table's stream is read as a mapping reads it, with a Kinesis stream in the place
of a function.
Why: LocalStack's provider ``v2`` forwards none.
Until: it does.
Test: ``tests/delivery/test_table_to_kinesis.py``.

AWS topics: Amazon DynamoDB Developer Guide, "Using Kinesis Data Streams to capture changes to
DynamoDB": records may come twice. What a stream does not take is tried again for as long as the
table's stream has it.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any, Final, override

from localstack.aws.connect import connect_to

from trigger_stack.delivery.core.event_pattern import matches
from trigger_stack.delivery.core.invocation import Reply
from trigger_stack.delivery.core.outcome import Outcome
from trigger_stack.delivery.streams.mapping import Progress, StreamMapping
from trigger_stack.delivery.streams.records import Filters
from trigger_stack.delivery.streams.settings import StreamSettings
from trigger_stack.localstack.lambda_engine.outcomes import record
from trigger_stack.localstack.streams import wakeups
from trigger_stack.localstack.streams.dynamodb_stream import RETENTION_S, DynamoDBStream
from trigger_stack.localstack.streams.mappings import FunctionTarget, discard_waiting
from trigger_stack.services.dynamodb_local.change_records import (
    MOST_BYTES,
    change_record,
    partition_key,
)

#: The most of a ``PutRecords`` request (Kinesis API Reference).
_MOST_RECORDS: Final = 500
#: How long the end of a destination waits for the changes before it.
_CATCH_UP_S: Final = 5.0
_CATCH_UP_EVERY_S: Final = 0.02
_KIND: Final = "change of a table"


class KinesisTarget(FunctionTarget):
    """A Kinesis stream in the place of a function.

    Args:
        settings: ``function_arn`` is the ARN of the Kinesis stream.
        table: The name of the table.
    """

    away = "the Kinesis stream takes no records"
    remedy = "the Kinesis stream took no records for 24 hours"

    def __init__(self, settings: StreamSettings, table: str) -> None:
        super().__init__(settings)
        self._table = table

    @override
    def invoke(self, payload: bytes) -> Reply:
        """Put a batch of changes into the stream.

        Raises:
            Exception: The stream cannot be reached, or takes no records.
        """
        fitting: list[dict[str, Any]] = []
        entries: list[Any] = []
        for event in json.loads(payload)["Records"]:
            data, key = change_record(event, self._table), partition_key(event, self._table)
            if len(data) + len(key) > MOST_BYTES:
                self._too_large(event, len(data))
                continue
            fitting.append(event)
            entries.append({"Data": data, "PartitionKey": key})
        failed = self._put(entries) if entries else []
        numbers = [fitting[place]["dynamodb"]["SequenceNumber"] for place in failed]
        items = [{"itemIdentifier": number} for number in numbers]
        answer = json.dumps({"batchItemFailures": items}).encode()
        return Reply(False, answer, str(uuid.uuid4()))

    def _put(self, entries: list[Any]) -> list[int]:
        """Put records; the places of those that were not taken."""
        arn = self._settings.function_arn
        _, _, _, region, account, _ = arn.split(":", 5)
        kinesis = connect_to(aws_access_key_id=account, region_name=region).kinesis
        try:
            answer = kinesis.put_records(StreamARN=arn, Records=entries)
        except Exception as error:
            self.away = f"the Kinesis stream takes no records: {error}"
            raise
        return [place for place, one in enumerate(answer["Records"]) if one.get("ErrorCode")]

    def _too_large(self, event: dict[str, Any], size: int) -> None:
        """Record what is never put, on AWS either: once, however often its batch is tried."""
        settings = self._settings
        place = f"the record has {size} bytes, and a Kinesis stream takes {MOST_BYTES}"
        name = f"{settings.uuid}/{event['eventID']}"
        what = (_KIND, settings.source_arn, settings.function_arn, "lost", place, 0)
        body = json.dumps({"Records": [event]}).encode()
        record(Outcome(*what, body, id=str(uuid.uuid5(uuid.NAMESPACE_URL, name))))


class Forwarder:
    """Puts the changes of a table into a Kinesis stream.

    Args:
        table: The table's name.
        source: ARN of its stream.
        arn: ARN of the Kinesis stream.
        stream: The table's stream; by default that of DynamoDB Local.
        target_of: Makes what takes the changes.
    """

    def __init__(
        self,
        table: str,
        source: str,
        arn: str,
        stream: Any = None,
        target_of: Callable[[StreamSettings, str], Any] = KinesisTarget,
    ) -> None:
        self._settings = StreamSettings(
            uuid=str(uuid.uuid4()),
            source_arn=source,
            function_arn=arn,
            starting_position="LATEST",
            batch_size=_MOST_RECORDS,
            max_age_s=RETENTION_S,
            report_failures=True,
        )
        self._table = table
        self._stream = stream or DynamoDBStream(source)
        self._progress = Progress()
        self._mapping = StreamMapping(
            self._settings,
            self._stream,
            target_of(self._settings, table),
            Filters((), matches),
            self._progress,
        )

    def start(self) -> None:
        """Forward what is written from now on.

        Raises:
            Exception: The table's stream cannot be read.
        """
        self._mapping.prepare()

        def run() -> None:
            with wakeups.reading(self._settings.source_arn, self._mapping.wake):
                self._mapping.run()

        threading.Thread(target=run, name=f"to-kinesis-{self._table}", daemon=True).start()

    def catch_up(self, seconds: float = _CATCH_UP_S) -> dict[str, tuple[str, str]]:
        """Wait until what was written is forwarded, for some seconds.

        Returns:
            By shard, what is not: behind which sequence number, and up to which.
        """
        shards = [shard.id for shard in self._stream.shards()]
        last = {shard: self._stream.start(shard, "LATEST", None)[0] for shard in shards}
        deadline = time.monotonic() + seconds
        while True:
            at = {shard: self._progress.positions.get(shard, ("", None))[0] for shard in last}
            left = {
                shard: (at[shard], number)
                for shard, number in last.items()
                if int(at[shard] or 0) < int(number or 0)
            }
            if not left or time.monotonic() > deadline:
                return left
            time.sleep(_CATCH_UP_EVERY_S)

    def stop(self, operation: str, left: dict[str, tuple[str, str]]) -> None:
        """Forward no more.

        Args:
            operation: What has ended it.
            left: What ``catch_up`` has returned.
        """
        self._mapping.stop()
        discard_waiting(self._settings.uuid, operation)
        for shard, (after, until) in left.items():
            where = {"shardId": shard, "afterSequenceNumber": after, "untilSequenceNumber": until}
            source = f"{self._settings.source_arn} {shard}"
            place = f"{operation}: these changes had not come to the Kinesis stream yet"
            what = (_KIND, source, self._settings.function_arn, "lost", place, 0)
            record(Outcome(*what, json.dumps(where).encode()))
