"""Settings of an event source mapping that do not go together.

AWS topics: Lambda API Reference, "CreateEventSourceMapping" (which setting is for which source);
Developer Guide, "Lambda parameters for Amazon SQS event source mappings", "Retain records of
failed …" (destinations) and "Lambda event filtering" (quotas).

The texts are AWS's as others recorded them: the window of a FIFO queue (aws-lambda-dotnet 1758),
the starting position of a queue (the rules of cdk-preflight), the age (terraform-provider-aws
16113), the timestamp (aws-cloudformation-user-guide 334), a parameter for another source
(LocalStack's ``test_lambda_api.snapshot.json``), a destination (aws-cdk 37115). How AWS words that
both limits of a queue are set, and too many filters, is not recorded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

type Settings = Mapping[str, Any]

_OF_STREAMS = (
    "BisectBatchOnFunctionError",
    "MaximumRecordAgeInSeconds",
    "MaximumRetryAttempts",
    "ParallelizationFactor",
    "TumblingWindowInSeconds",
)
_OF_QUEUES = ("ProvisionedPollerConfig", "ScalingConfig")
_DESTINATIONS = ("s3", "sns", "sqs")
_MOST_FILTERS = 10
_SHORTEST_AGE_S, _LONGEST_AGE_S = 60, 604_800


def refusal(settings: Settings) -> str | None:
    """Why AWS refuses a mapping; None when it takes it.

    Args:
        settings: The request, or the mapping as an update would leave it.
    """
    source = settings.get("EventSourceArn") or ""
    if len((settings.get("FilterCriteria") or {}).get("Filters") or []) > _MOST_FILTERS:
        return f"The number of filters exceeds the limit of {_MOST_FILTERS}."
    if ":sqs:" in source:
        return _of_queue(source, settings)
    if ":kinesis:" in source or ":dynamodb:" in source:
        return _of_stream(settings)
    return None


def _of_queue(source: str, settings: Settings) -> str | None:
    if settings.get("StartingPosition"):
        return "StartingPosition is not valid for SQS event sources."
    if settings.get("DestinationConfig"):
        return _unsupported("DestinationConfig")
    for name in _OF_STREAMS:
        if settings.get(name) is not None and settings[name] is not False:
            return f"{name} isn't supported for this event source type"
    if source.endswith(".fifo") and settings.get("MaximumBatchingWindowInSeconds"):
        return "Batching window is not supported for FIFO queues"
    if all(settings.get(name) for name in _OF_QUEUES):
        return (
            "Provisioned mode for SQS ESM does not support maximum concurrency feature. Use"
            " MaximumPollers as the control mechanism and remove maximum concurrency."
        )
    return None


def _of_stream(settings: Settings) -> str | None:
    for name in _OF_QUEUES:
        if settings.get(name):
            return _unsupported(name)
    timestamp = settings.get("StartingPositionTimestamp")
    if settings.get("StartingPosition") == "AT_TIMESTAMP" and timestamp is None:
        return "Need to specify a timestamp"
    age = settings.get("MaximumRecordAgeInSeconds")
    if age not in (None, -1) and not _SHORTEST_AGE_S <= age <= _LONGEST_AGE_S:
        return (
            "MaximumRecordAgeInSeconds must be either -1 (forever) or between"
            f" {_SHORTEST_AGE_S} and {_LONGEST_AGE_S} (inclusive)"
        )
    destination = ((settings.get("DestinationConfig") or {}).get("OnFailure") or {}).get(
        "Destination"
    )
    if destination and not is_destination(destination, _DESTINATIONS):
        return invalid_destinations(None, destination)
    return None


def is_destination(arn: str, services: tuple[str, ...]) -> bool:
    """Whether records can be sent to an ARN: to standard queues and topics, and other services."""
    service = "".join(arn.split(":")[2:3])
    return service in services and not (service in ("sns", "sqs") and arn.endswith(".fifo"))


def invalid_destinations(success: str | None, failure: str | None) -> str:
    """What AWS says about destinations of which one is none."""
    on_success = f"OnSuccess(destination={success})" if success else "null"
    on_failure = f"OnFailure(destination={failure})" if failure else "null"
    return (
        f"The provided destination config DestinationConfig(onSuccess={on_success},"
        f" onFailure={on_failure}) is invalid."
    )


def _unsupported(name: str) -> str:
    return f"Unsupported {name} parameter for given event source mapping type."
