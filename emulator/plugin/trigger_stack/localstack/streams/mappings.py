"""Event source mappings of streams are driven by records.

What: ``EsmWorkerFactory.get_esm_worker`` makes a worker of ours for Kinesis and for DynamoDB.
Why: LocalStack asks a stream once a second, one shard after the other, starts again at the starting
position after each update, and knows neither halves of a batch, nor parallelization, nor tumbling
windows, nor the age of a table's records.
Until: LocalStack's pollers have these, keep their positions, and wait for records.
Test: ``tests/unit/plugin/test_stream_patches.py::test_localstack_still_never_bisects``.
"""

from __future__ import annotations

import logging
import uuid
from datetime import UTC, datetime
from typing import Any

from localstack import config
from localstack.aws.connect import connect_to
from localstack.aws.handlers import run_custom_response_handlers
from localstack.services.lambda_.event_source_mapping.esm_worker import EsmStateReason, EsmWorker
from localstack.services.lambda_.event_source_mapping.esm_worker_factory import EsmWorkerFactory
from localstack.utils.event_matcher import matches_event

from trigger_stack.delivery.core.invocation import Reply
from trigger_stack.delivery.core.outcome import Outcome
from trigger_stack.delivery.streams.mapping import Progress, StreamMapping
from trigger_stack.delivery.streams.records import (
    Failure,
    Filters,
    Record,
    as_json,
    failure_document,
)
from trigger_stack.delivery.streams.settings import StreamSettings
from trigger_stack.localstack.lambda_engine.destinations import send
from trigger_stack.localstack.lambda_engine.outcomes import record
from trigger_stack.localstack.mapping_worker import MappingWorker, invoke
from trigger_stack.localstack.streams import wakeups

LOG = logging.getLogger(__name__)

_PREPARE_AGAIN_S = 1.0
#: By mapping: where it goes on after it was disabled or updated.
_progress: dict[str, Progress] = {}


class StreamWorker(MappingWorker):
    """The worker of a mapping of a stream."""

    _mapping: StreamMapping

    def __init__(self, configuration: Any, enabled: bool, role: str) -> None:
        settings = StreamSettings.from_configuration(configuration)
        mapping = StreamMapping(
            settings,
            _stream(settings.source_arn, role),
            FunctionTarget(settings),
            Filters(settings.patterns, matches_event),
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
        source = self.esm_config["EventSourceArn"] or ""
        with wakeups.reading(source, self._mapping.wake):
            super().poller_loop(*args, **kwargs)

    def delete(self) -> None:
        """Delete the mapping and its progress."""
        super().delete()
        _progress.pop(self.uuid, None)


class FunctionTarget:
    """The function of a mapping, and its on-failure destination."""

    def __init__(self, settings: StreamSettings) -> None:
        self._settings = settings

    def invoke(self, payload: bytes) -> Reply:
        """Have the function handle an event, and wait for its end."""
        return invoke(self._settings.function_arn, payload, self._settings.source_arn)

    def discard(self, failure: Failure, records: list[Record], shard: str) -> None:
        """Bring records that are given up to the on-failure destination.

        Without one they are lost, and recorded in full.
        """
        settings = self._settings
        document = failure_document(
            failure,
            records,
            shard=shard,
            source=settings.source_arn,
            function=settings.function_arn,
        )
        events = {"Records": [record.event for record in records]}
        if settings.on_failure is None:
            reason = "the mapping has no on-failure destination: set destinations.onFailure"
            self._came_to("lost", f"{failure.condition}; {reason}", failure, shard, events)
            return
        if settings.on_failure.startswith("arn:aws:s3:"):
            self._to_bucket(document | {"payload": events}, shard)
        else:
            header = {"arn": settings.on_failure, "function": settings.function_arn}
            send({**header, "attributes": {}}, as_json(document))
        self._came_to("destination", settings.on_failure, failure, shard, events)

    def _came_to(
        self, state: str, place: str, failure: Failure, shard: str, events: dict[str, Any]
    ) -> None:
        record(
            Outcome(
                "stream records",
                f"{self._settings.source_arn} {shard}",
                self._settings.function_arn,
                state,
                place,
                failure.attempts,
                as_json(events),
            )
        )

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


def _stream(arn: str, role: str) -> Any:
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
    run_custom_response_handlers.append(wakeups.after_write)
