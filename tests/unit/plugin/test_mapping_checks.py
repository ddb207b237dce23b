"""Settings of event source mappings that AWS refuses."""

from __future__ import annotations

from typing import Any

import pytest

from trigger_stack.localstack.sqs.mappings import as_updated
from trigger_stack.services.mapping_checks import is_destination, refusal

QUEUE = "arn:aws:sqs:us-east-1:000000000000:letters"
STREAM = "arn:aws:kinesis:us-east-1:000000000000:stream/clicks"
TABLE = "arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/2026-01-01T00:00:00.000"
BUCKET = "arn:aws:s3:::failures"


def onto(destination: str) -> dict[str, Any]:
    return {"DestinationConfig": {"OnFailure": {"Destination": destination}}}


@pytest.mark.parametrize(
    ("source", "settings"),
    [
        (QUEUE, {}),
        (QUEUE, {"BatchSize": 100, "MaximumBatchingWindowInSeconds": 5}),
        (QUEUE, {"ScalingConfig": {"MaximumConcurrency": 2}}),
        (QUEUE, {"ProvisionedPollerConfig": {"MaximumPollers": 2}, "ScalingConfig": {}}),
        (QUEUE, {"BisectBatchOnFunctionError": False}),
        (f"{QUEUE}.fifo", {"MaximumBatchingWindowInSeconds": 0}),
        (STREAM, {"MaximumRecordAgeInSeconds": -1, "DestinationConfig": {"OnFailure": {}}}),
        (STREAM, {"MaximumRecordAgeInSeconds": 60, "ScalingConfig": {}, **onto(QUEUE)}),
        (TABLE, {"MaximumRecordAgeInSeconds": 604_800, **onto(BUCKET)}),
        (STREAM, {"StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": 0}),
        (STREAM, {"FilterCriteria": {"Filters": [{"Pattern": "{}"}] * 10}}),
        ("", {"SelfManagedEventSource": {}}),
    ],
)
def test_what_aws_takes_is_taken(source: str, settings: dict[str, Any]) -> None:
    assert refusal({"EventSourceArn": source, **settings}) is None


@pytest.mark.parametrize(
    ("source", "settings", "text"),
    [
        (
            f"{QUEUE}.fifo",
            {"BatchSize": 100, "MaximumBatchingWindowInSeconds": 5},
            "Batching window is not supported for FIFO queues",
        ),
        (
            QUEUE,
            {"StartingPosition": "LATEST"},
            "StartingPosition is not valid for SQS event sources.",
        ),
        (
            QUEUE,
            {"MaximumRetryAttempts": 0},
            "MaximumRetryAttempts isn't supported for this event source type",
        ),
        (
            QUEUE,
            onto(QUEUE),
            "Unsupported DestinationConfig parameter for given event source mapping type.",
        ),
        (
            STREAM,
            {"ScalingConfig": {"MaximumConcurrency": 2}},
            "Unsupported ScalingConfig parameter for given event source mapping type.",
        ),
        (STREAM, {"StartingPosition": "AT_TIMESTAMP"}, "Need to specify a timestamp"),
        (
            TABLE,
            {"MaximumRecordAgeInSeconds": 59},
            "MaximumRecordAgeInSeconds must be either -1 (forever) or between 60 and 604800"
            " (inclusive)",
        ),
        (
            TABLE,
            onto(f"{QUEUE}.fifo"),
            "The provided destination config DestinationConfig(onSuccess=null,"
            f" onFailure=OnFailure(destination={QUEUE}.fifo)) is invalid.",
        ),
    ],
)
def test_what_aws_refuses_is_refused(source: str, settings: dict[str, Any], text: str) -> None:
    assert refusal({"EventSourceArn": source, **settings}) == text


@pytest.mark.parametrize(
    ("source", "settings"),
    [
        (QUEUE, {"ParallelizationFactor": 2}),
        (QUEUE, {"MaximumRecordAgeInSeconds": 0}),
        (QUEUE, {"ScalingConfig": {"MaximumConcurrency": 2}, "ProvisionedPollerConfig": {"a": 2}}),
        (STREAM, {"ProvisionedPollerConfig": {"MinimumPollers": 2}}),
        (STREAM, {"FilterCriteria": {"Filters": [{"Pattern": "{}"}] * 11}}),
        (STREAM, onto("arn:aws:lambda:us-east-1:000000000000:function:f")),
        (STREAM, onto("arn:aws:events:us-east-1:000000000000:event-bus/default")),
    ],
)
def test_what_aws_refuses_in_words_that_are_not_recorded(
    source: str, settings: dict[str, Any]
) -> None:
    assert refusal({"EventSourceArn": source, **settings})


def test_a_bucket_may_have_any_name() -> None:
    assert is_destination("arn:aws:s3:::a.fifo", ("s3",))
    assert not is_destination("arn:aws:sns:us-east-1:000000000000:t.fifo", ("sns",))
    assert not is_destination("nothing", ("s3", "sqs"))


def test_an_update_to_nothing_unsets() -> None:
    stored = {"State": "Enabled", "FilterCriteria": {"Filters": []}, "ScalingConfig": {}}
    request = {"FilterCriteria": {"Filters": []}, "ScalingConfig": {}}

    answer = as_updated(request, dict(stored), stored)

    assert answer == {"State": "Updating"}
    assert stored == {"State": "Enabled"}


def test_an_update_of_something_else_leaves_them() -> None:
    stored = {"State": "Disabling", "FilterCriteria": {"Filters": [{"Pattern": "{}"}]}}

    assert as_updated({"Enabled": False}, dict(stored), stored) == stored
