"""The configuration of a mapping of a stream."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class StreamSettings:
    """An ``EventSourceMappingConfiguration`` of the Lambda API.

    Attributes:
        uuid: Id of the mapping.
        source_arn: ARN of the stream, or of a consumer of it.
        function_arn: ARN of the function, version or alias.
        starting_position: ``TRIM_HORIZON``, ``LATEST`` or ``AT_TIMESTAMP``.
        starting_timestamp: For the last one, in seconds since 1970.
        batch_size: Most records of an event.
        window_s: ``MaximumBatchingWindowInSeconds``.
        max_retries: ``None``: until the record expires.
        max_age_s: ``None``: until the record expires.
        bisect: Whether a failed batch is tried again in halves.
        lanes: ``ParallelizationFactor``.
        tumbling_window_s: 0 without tumbling windows.
        report_failures: Whether the function may return ``batchItemFailures``.
        patterns: Filters, as JSON.
        on_failure: ARN of the on-failure destination.
    """

    uuid: str
    source_arn: str
    function_arn: str
    starting_position: str = "TRIM_HORIZON"
    starting_timestamp: float | None = None
    batch_size: int = 100
    window_s: float = 0
    max_retries: int | None = None
    max_age_s: float | None = None
    bisect: bool = False
    lanes: int = 1
    tumbling_window_s: int = 0
    report_failures: bool = False
    patterns: tuple[str, ...] = ()
    on_failure: str | None = None

    @property
    def stream_arn(self) -> str:
        """ARN of the stream."""
        return self.source_arn.partition("/consumer/")[0]

    @classmethod
    def from_configuration(cls, configuration: dict[str, Any]) -> StreamSettings:
        """Read the configuration as the API stores it; -1 means without limit."""
        filters = (configuration.get("FilterCriteria") or {}).get("Filters") or []
        timestamp = configuration.get("StartingPositionTimestamp")
        if isinstance(timestamp, datetime):
            timestamp = timestamp.timestamp()
        destination = (configuration.get("DestinationConfig") or {}).get("OnFailure") or {}
        types = configuration.get("FunctionResponseTypes") or []
        return cls(
            uuid=configuration["UUID"],
            source_arn=configuration["EventSourceArn"],
            function_arn=configuration["FunctionArn"],
            starting_position=configuration.get("StartingPosition") or "TRIM_HORIZON",
            starting_timestamp=timestamp,
            batch_size=configuration.get("BatchSize") or 100,
            window_s=configuration.get("MaximumBatchingWindowInSeconds") or 0,
            max_retries=_limit(configuration.get("MaximumRetryAttempts")),
            max_age_s=_limit(configuration.get("MaximumRecordAgeInSeconds")),
            bisect=bool(configuration.get("BisectBatchOnFunctionError")),
            lanes=configuration.get("ParallelizationFactor") or 1,
            tumbling_window_s=configuration.get("TumblingWindowInSeconds") or 0,
            report_failures="ReportBatchItemFailures" in types,
            patterns=tuple(one["Pattern"] for one in filters),
            on_failure=destination.get("Destination"),
        )


def _limit(value: int | None) -> int | None:
    return None if value is None or value < 0 else value
