"""Event source mappings of streams are driven by records.

What: ``EsmWorkerFactory.get_esm_worker`` makes a worker of ours for Kinesis and for DynamoDB.
Why: LocalStack asks a stream once a second, one shard after the other, starts again at the starting
position after each update, and knows neither halves of a batch, nor parallelization, nor tumbling
windows, nor the age of a table's records.
Until: LocalStack's pollers have these, keep their positions, and wait for records.
Test: ``tests/unit/plugin/test_stream_patches.py::test_localstack_still_never_bisects``.
"""

from __future__ import annotations

import json
import logging
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, override

from localstack import config
from localstack.aws.connect import connect_to
from localstack.services.lambda_.event_source_mapping.esm_worker import EsmStateReason, EsmWorker
from localstack.services.lambda_.event_source_mapping.esm_worker_factory import EsmWorkerFactory

from trigger_stack.delivery.core.event_pattern import matches
from trigger_stack.delivery.core.invocation import Reply
from trigger_stack.delivery.core.outcome import Outcome
from trigger_stack.delivery.streams.lane import Batch
from trigger_stack.delivery.streams.mapping import Progress, StreamMapping
from trigger_stack.delivery.streams.records import (
    Event,
    Failure,
    Filters,
    Record,
    as_json,
    failure_document,
)
from trigger_stack.delivery.streams.settings import StreamSettings
from trigger_stack.delivery.streams.windows import window_event
from trigger_stack.localstack.lambda_engine.destinations import send
from trigger_stack.localstack.lambda_engine.outcomes import record
from trigger_stack.localstack.mapping_worker import MappingWorker, invoke
from trigger_stack.localstack.streams import wakeups

LOG = logging.getLogger(__name__)

_PREPARE_AGAIN_S = 1.0
#: By mapping: where it goes on after it was disabled or updated.
_progress: dict[str, Progress] = {}
#: By mapping and id: batches that failed and have no end yet.
_waiting: dict[str, dict[str, Outcome]] = {}
_RETENTION = "the retention period of the stream"
_RECORDS = "stream records"
_WINDOW = "state of a tumbling window"
#: Of ``LastProcessingResult``.
_OK, _FAILED = "OK", "PROBLEM: Function call failed"
_NAMESPACE = uuid.UUID("5d0a6b52-6c5c-4d5e-9a4c-1f6d7c1f2b7a")


class StreamWorker(MappingWorker):
    """The worker of a mapping of a stream."""

    _mapping: StreamMapping

    def __init__(self, configuration: Any, enabled: bool, role: str) -> None:
        settings = StreamSettings.from_configuration(configuration)
        self._target = _MappingTarget(settings, self._processed)
        mapping = StreamMapping(
            settings,
            stream_of(settings.source_arn, role),
            self._target,
            Filters(settings.patterns, matches),
            _progress.setdefault(settings.uuid, Progress()),
        )
        super().__init__(configuration, enabled, EsmStateReason.USER_ACTION, mapping)

    def prepare(self) -> None:
        """Fix where each shard begins: only then is the mapping enabled."""
        while not self._shutdown_event.is_set():
            try:
                self._mapping.prepare()
            except Exception as error:  # the stream may come back
                LOG.warning("%s cannot be read yet: %s", self.esm_config["EventSourceArn"], error)
                self._shutdown_event.wait(_PREPARE_AGAIN_S)
            else:
                return

    def poller_loop(self, *args: Any, **kwargs: Any) -> None:
        """Run the mapping until it is disabled or deleted; records wake it."""
        with wakeups.reading(self._target.stream_arn, self._mapping.wake):
            super().poller_loop(*args, **kwargs)
        if self._is_deleted():  # what was under way then may have failed since
            self._forget()

    def delete(self) -> None:
        """Delete the mapping and its progress."""
        super().delete()
        self._forget()

    def _processed(self, result: str) -> None:
        """Keep the result of an invocation, which ``GetEventSourceMapping`` tells."""
        mapping = self._state.event_source_mappings.get(self.uuid)
        if mapping is not None and mapping.get("LastProcessingResult") != result:
            mapping["LastProcessingResult"] = result

    def _forget(self) -> None:
        progress = _progress.pop(self.uuid, Progress())
        for shard, window in progress.windows.items():
            event = window_event(window, shard, self.esm_config["EventSourceArn"] or "")
            self._target.window(event, window.attempts, "discarded", "DeleteEventSourceMapping")
        discard_waiting(self.uuid, "DeleteEventSourceMapping")


def discard_waiting(uuid: str, operation: str) -> None:
    """End the batches of a mapping or pipe that waits no longer, because it was deleted."""
    for outcome in _waiting.pop(uuid, {}).values():
        record(replace(outcome, state="discarded", place=operation, due_at=None))


class FunctionTarget:
    """The function of a mapping, and its on-failure destination."""

    #: Why a batch waits that was not tried; how to get a place for what is given up.
    away = "the function is throttled, or cannot be invoked"
    remedy = "the mapping has no on-failure destination: set destinations.onFailure"

    def __init__(self, settings: StreamSettings) -> None:
        self._settings = settings
        self._owner = settings.function_arn  # in whose account and region failures are sent

    @property
    def stream_arn(self) -> str:
        """ARN of the stream that the mapping reads, also by a consumer."""
        return self._settings.stream_arn

    def invoke(self, payload: bytes) -> Reply:
        """Have the function handle an event, and wait for its end."""
        return invoke(self._settings.function_arn, payload, self._settings.source_arn)

    def discard(self, failure: Failure, records: list[Record], shard: str) -> None:
        """Bring records that are given up to the on-failure destination.

        Without one they are lost, and recorded in full.
        """
        settings = self._settings
        document = self._document(failure, records, shard)
        if settings.on_failure is None:
            place = f"{failure.condition}; {self.remedy}"
            self._is("lost", place, failure.attempts, shard, records)
            return
        if settings.on_failure.startswith("arn:aws:s3:"):
            self._to_bucket(document | {"payload": _event(records)}, shard)
        else:
            header = {"arn": settings.on_failure, "function": self._owner}
            send({**header, "attributes": {}}, as_json(document))
        self._is("destination", settings.on_failure, failure.attempts, shard, records)

    def _document(self, failure: Failure, records: list[Record], shard: str) -> dict[str, Any]:
        settings = self._settings
        return failure_document(
            failure,
            records,
            shard=shard,
            source=self.stream_arn,
            function=settings.function_arn,
        )

    def waits(self, batch: Batch, shard: str, pause_s: float) -> None:
        """A batch that failed is tried again in ``pause_s`` seconds. Never raises."""
        last = batch.last
        if batch.problem and last is not None:
            reason = f"{batch.problem} in {last.request_id}"
        elif last is None:
            reason = self.away
        else:
            reason = f"{'failed' if last.is_error else 'partly failed'} in {last.request_id}"
        due_at = time.time() + pause_s
        self._is("pending", reason, batch.invocations, shard, batch.records, due_at)

    def handled(self, batch: Batch, shard: str) -> None:
        """A batch has been handled, which may have failed before. Never raises."""
        self._end_waiting(shard, batch.records, "done", "")

    def expired(self, batch: Batch, records: list[Record], shard: str) -> None:
        """The stream's retention has removed records of a batch. Never raises."""
        self._is("discarded", _RETENTION, batch.invocations, shard, records)

    def trimmed(self, shard: str, after: str, until: str) -> None:
        """The stream's retention has removed records that were not read. Never raises."""
        where = {"shardId": shard, "afterSequenceNumber": after, "untilSequenceNumber": until}
        place = f"{_RETENTION}, before they were read"
        name = f"trimmed/{self._settings.uuid}/{shard}/{after}"
        gone = self._outcome(_RECORDS, name, shard, "discarded", place, 0, where)
        record(gone)
        # What had failed before a mapping was disabled, and is not read again.
        waiting = _waiting.get(self._settings.uuid, {})
        for outcome in list(waiting.values()):
            mine = outcome.kind == _RECORDS and outcome.source == gone.source
            if mine and (not until or _first_number(outcome) <= until):
                del waiting[outcome.id]
                record(replace(outcome, state="discarded", place=_RETENTION, due_at=None))

    def window(
        self, event: Event, attempts: int, state: str, place: str, due_at: float | None = None
    ) -> None:
        """Where the state of a tumbling window is whose last invocation failed. Never raises."""
        shard = event["shardId"]
        name = f"window/{self._settings.uuid}/{shard}/{event['window']['start']}"
        outcome = self._outcome(_WINDOW, name, shard, state, place, attempts, event, due_at)
        self._remember(outcome)
        record(outcome)

    def _outcome(
        self,
        kind: str,
        name: str,
        shard: str,
        state: str,
        place: str,
        attempts: int,
        event: Event,
        due_at: float | None = None,
    ) -> Outcome:
        settings = self._settings
        return Outcome(
            kind,
            f"{settings.source_arn} {shard}",
            settings.function_arn,
            state,
            place,
            attempts,
            as_json(event),
            due_at=due_at,
            id=_id(name),
        )

    def _remember(self, outcome: Outcome) -> None:
        """Keep what waits, so that the deletion of its mapping ends it."""
        waiting = _waiting.setdefault(self._settings.uuid, {})
        if outcome.state == "pending":
            waiting[outcome.id] = outcome
        else:
            waiting.pop(outcome.id, None)

    def _end_waiting(self, shard: str, records: list[Record], state: str, place: str) -> None:
        """End each batch that waits and begins with one of the records.

        A mapping that was disabled reads them again, in batches of any other size.
        """
        waiting = _waiting.get(self._settings.uuid)
        for one in records if waiting else ():
            outcome = waiting.pop(_id(self._name(shard, one)), None) if waiting else None
            if outcome is not None:
                record(replace(outcome, state=state, place=place, due_at=None))

    def _name(self, shard: str, first: Record) -> str:
        """Of a batch, by its first record: the same after a mapping was disabled."""
        return f"{self._settings.uuid}/{shard}/{first.sequence_number}"

    def _is(
        self,
        state: str,
        place: str,
        attempts: int,
        shard: str,
        records: list[Record],
        due_at: float | None = None,
    ) -> None:
        name = self._name(shard, records[0])
        event = _event(records)
        outcome = self._outcome(_RECORDS, name, shard, state, place, attempts, event, due_at)
        self._remember(outcome)
        if state != "pending":
            self._end_waiting(shard, records[1:], state, place)
        record(outcome)

    def _to_bucket(self, document: dict[str, Any], shard: str) -> None:
        """AWS topic: "Retain records of failed …", "S3 destination": the name of the object."""
        now, function = datetime.now(UTC), self._settings.function_arn.split(":")
        name = f"{now:%Y/%m/%d/%Y-%m-%dT%H.%M.%S}-{uuid.uuid4()}"
        client = connect_to(aws_access_key_id=function[4], region_name=function[3]).s3
        client.put_object(
            Bucket=str(self._settings.on_failure).rpartition(":")[2],
            Key=f"aws/lambda/{self._settings.uuid}/{shard}/{name}",
            Body=as_json(document),
        )


class _MappingTarget(FunctionTarget):
    """The function of a mapping, which says how its last invocation ended.

    AWS topic: Lambda API Reference, "UpdateEventSourceMapping", its example.

    Args:
        settings: The mapping's.
        processed: Called with a ``LastProcessingResult``.
    """

    def __init__(self, settings: StreamSettings, processed: Callable[[str], None]) -> None:
        super().__init__(settings)
        self._processed = processed

    @override
    def invoke(self, payload: bytes) -> Reply:
        """Have the function handle an event, and wait for its end."""
        reply = super().invoke(payload)
        self._processed(_FAILED if reply.is_error else _OK)
        return reply


def _id(name: str) -> str:
    """Of an event in the journal."""
    return str(uuid.uuid5(_NAMESPACE, name))


def _first_number(outcome: Outcome) -> str:
    """The sequence number of the first record of a batch that waits."""
    first = json.loads(outcome.payload)["Records"][0]
    number = first["kinesis"]["sequenceNumber"] if "kinesis" in first else ""
    return str(number or first["dynamodb"]["SequenceNumber"])


def _event(records: list[Record]) -> dict[str, Any]:
    return {"Records": [record.event for record in records]}


def stream_of(arn: str, role: str) -> Any:
    """The stream with an ARN, as a mapping reads it."""
    # Imported here: neither is loaded in a stack without such a mapping.
    if ":kinesis:" in arn:
        from trigger_stack.localstack.streams.kinesis_stream import KinesisStream

        return KinesisStream(arn, role)
    from trigger_stack.localstack.streams.dynamodb_stream import DynamoDBStream

    return DynamoDBStream(arn)


def _is_ours(arn: str) -> bool:
    """Whether the stream is one that the mappings can read; a setting may name other providers."""
    if ":kinesis:" in arn:
        return config.SERVICE_PROVIDER_CONFIG.get_provider("kinesis") == "in_process"
    if ":dynamodb:" in arn:
        return config.SERVICE_PROVIDER_CONFIG.get_provider("dynamodbstreams") == "v2"
    return False


def install() -> None:
    """Have LocalStack make these workers. Idempotent."""
    original = EsmWorkerFactory.get_esm_worker
    if getattr(original, "_trigger_stack_streams", False):
        return

    def get_esm_worker(factory: EsmWorkerFactory) -> EsmWorker:
        if _is_ours(factory.esm_config.get("EventSourceArn") or ""):
            return StreamWorker(factory.esm_config, factory.enabled, factory.function_role_arn)
        return original(factory)

    get_esm_worker._trigger_stack_streams = True  # type: ignore[attr-defined]  # a mark
    EsmWorkerFactory.get_esm_worker = get_esm_worker  # type: ignore[method-assign, assignment]  # the patch
