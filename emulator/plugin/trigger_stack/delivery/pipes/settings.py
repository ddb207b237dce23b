"""The configuration of a pipe, and the pollers' settings that come of it.

AWS topic: EventBridge Pipes API Reference, "CreatePipe", "PipeSourceParameters".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from trigger_stack.delivery.sqs.mapping import MappingSettings
from trigger_stack.delivery.streams.settings import StreamSettings

#: Key of ``SourceParameters`` by the service of the source, and its batch size by default.
SOURCES = {
    "sqs": ("SqsQueueParameters", 10),
    "kinesis": ("KinesisStreamParameters", 100),
    "dynamodb": ("DynamoDBStreamParameters", 100),
}
#: Key of ``TargetParameters`` by the service of the target; a topic has none.
TARGETS = {
    "events": "EventBridgeEventBusParameters",
    "kinesis": "KinesisStreamParameters",
    "lambda": "LambdaFunctionParameters",
    "sns": "",
    "sqs": "SqsQueueParameters",
}
#: Most entries of a target's batch operation (User Guide, "Pipes batching and concurrency").
MOST_ENTRIES = {"events": 10, "kinesis": 500, "sns": 10, "sqs": 10}
FILTERED_BY = "FilterCriteria of the pipe"


def service_of(arn: str) -> str:
    """The service of an ARN, for example ``sqs``; an empty text for what is no ARN."""
    parts = arn.split(":")
    return parts[2] if len(parts) > 5 else ""


@dataclass(frozen=True)
class PipeSettings:
    """What is configured.

    Attributes:
        arn: ARN of the pipe.
        id: Of this pipe, and of no later one of the same name.
        source: ARN of a queue or stream.
        target: ARN of a function, queue, topic, bus or stream.
        enrichment: ARN of a function, or an empty text.
        source_parameters: As the API has it.
        target_parameters: As the API has it.
        enrichment_template: ``InputTemplate`` of the enrichment, or an empty text.
        role: ARN of the execution role.
    """

    arn: str
    id: str
    source: str
    target: str
    enrichment: str = ""
    source_parameters: dict[str, Any] = field(default_factory=dict)
    target_parameters: dict[str, Any] = field(default_factory=dict)
    enrichment_template: str = ""
    role: str = ""

    @property
    def name(self) -> str:
        """Name of the pipe."""
        return self.arn.rpartition("/")[2]

    @property
    def target_template(self) -> str:
        """``InputTemplate`` of the target, or an empty text."""
        return self.target_parameters.get("InputTemplate") or ""

    @property
    def target_service(self) -> str:
        """For example ``sqs``."""
        return service_of(self.target)

    @property
    def own_target_parameters(self) -> dict[str, Any]:
        """The parameters for the target's service."""
        return self.target_parameters.get(TARGETS[self.target_service]) or {}

    @property
    def asynchronous(self) -> bool:
        """Whether the target is a function that nobody waits for."""
        return self.own_target_parameters.get("InvocationType") == "FIRE_AND_FORGET"

    @property
    def is_ordered(self) -> bool:
        """Whether the source keeps an order: a stream, or a FIFO queue."""
        return service_of(self.source) != "sqs" or self.source.endswith(".fifo")

    @property
    def batch_size(self) -> int:
        """Most records of a batch."""
        name, default = SOURCES[service_of(self.source)]
        own = self.source_parameters.get(name) or {}
        return int(own.get("BatchSize") or default)

    @property
    def patterns(self) -> tuple[str, ...]:
        """Filters, as JSON."""
        filters = (self.source_parameters.get("FilterCriteria") or {}).get("Filters") or []
        return tuple(one["Pattern"] for one in filters if one.get("Pattern"))

    def of_queue(self) -> MappingSettings:
        """For the poller of queues."""
        own = self.source_parameters.get("SqsQueueParameters") or {}
        return MappingSettings(
            source_arn=self.source,
            region=self.source.split(":")[3],
            batch_size=self.batch_size,
            window_s=own.get("MaximumBatchingWindowInSeconds") or 0,
            report_failures=True,
            patterns=self.patterns,
            filtered_by=FILTERED_BY,
        )

    def of_stream(self) -> StreamSettings:
        """For the poller of streams."""
        own = self.source_parameters.get(SOURCES[service_of(self.source)][0]) or {}
        timestamp = own.get("StartingPositionTimestamp")
        return StreamSettings(
            uuid=self.id,
            source_arn=self.source,
            function_arn=self.target,
            starting_position=own["StartingPosition"],
            starting_timestamp=timestamp.timestamp()
            if isinstance(timestamp, datetime)
            else timestamp,
            batch_size=self.batch_size,
            window_s=own.get("MaximumBatchingWindowInSeconds") or 0,
            max_retries=_limit(own.get("MaximumRetryAttempts")),
            max_age_s=_limit(own.get("MaximumRecordAgeInSeconds")),
            bisect=own.get("OnPartialBatchItemFailure") == "AUTOMATIC_BISECT",
            lanes=own.get("ParallelizationFactor") or 1,
            report_failures=True,
            patterns=self.patterns,
            on_failure=(own.get("DeadLetterConfig") or {}).get("Arn"),
        )


def _limit(value: int | None) -> int | None:
    return None if value is None or value < 0 else value
