"""Amazon EventBridge Pipes: pipes."""

from __future__ import annotations

import re
from typing import Any

from bootstrap.definition import naming
from bootstrap.services import shapes
from bootstrap.services.base import (
    Context,
    Key,
    Outcome,
    Properties,
    ReplacementError,
    ResourceType,
    found,
    gone,
    outcome_of,
    subset,
)
from bootstrap.services.waiting import until_true
from bootstrap.template import Physical

_GONE = "NotFoundException"
_WAIT_S = 30
#: What ``UpdatePipe`` takes, beside the name.
_UPDATED = (
    "Description",
    "DesiredState",
    "Enrichment",
    "EnrichmentParameters",
    "RoleArn",
    "Target",
    "TargetParameters",
)
_FIXED = ("StartingPosition", "StartingPositionTimestamp")
_NUMBERS = re.compile("BatchSize|Maximum.*|ParallelizationFactor")
#: What AWS fills in, so that a property that is taken away goes back to it.
_DEFAULTS = {
    "MaximumBatchingWindowInSeconds": 0,
    "MaximumRecordAgeInSeconds": -1,
    "MaximumRetryAttempts": -1,
    "ParallelizationFactor": 1,
}


def _pipe(context: Context, logical_id: str, properties: Properties) -> tuple[Outcome, Physical]:
    pipes = context.client("pipes")
    name = properties.get("Name") or naming.generated(context.service, logical_id)
    wanted = {**_with_numbers(properties), "Name": name}
    wanted.setdefault("DesiredState", "RUNNING")
    existing = found(lambda: pipes.describe_pipe(Name=name), _GONE)
    if existing is None:
        pipes.create_pipe(**wanted)
    different = existing is not None and not _same(wanted, existing)
    if existing is not None and different:
        _update(pipes, wanted, existing)
    actual = _steady(pipes, name)
    failed = actual["CurrentState"] != wanted["DesiredState"]
    if failed and existing is not None and not different:  # its source may be there now
        (pipes.start_pipe if wanted["DesiredState"] == "RUNNING" else pipes.stop_pipe)(Name=name)
        actual, different = _steady(pipes, name), True
    if actual["CurrentState"] != wanted["DesiredState"]:
        raise RuntimeError(f"{actual['CurrentState']}: {actual.get('StateReason', '')}")
    tagged = existing is not None and _tags(pipes, actual, wanted.get("Tags") or {})
    arn = actual["Arn"]
    attributes = {"Arn": arn, "CurrentState": actual["CurrentState"]}
    return outcome_of(existing is None, different, tagged), Physical(name, attributes)


@until_true(_WAIT_S)
def _steady(pipes: Any, name: str) -> Any:
    """The pipe when no change is under way (decorated: called until then)."""
    pipe = pipes.describe_pipe(Name=name)
    return None if str(pipe["CurrentState"]).endswith("ING") and not _runs(pipe) else pipe


def _runs(pipe: dict[str, Any]) -> bool:
    return bool(pipe["CurrentState"] == "RUNNING")


def _update(pipes: Any, wanted: Properties, actual: dict[str, Any]) -> None:
    """Change a pipe.

    Raises:
        ReplacementError: Its source is another one, or begins elsewhere.
    """
    if wanted["Source"] != actual["Source"]:
        raise ReplacementError(
            f"a pipe's Source cannot be changed from {actual['Source']}: give the pipe another name"
        )
    request = {key: wanted[key] for key in _UPDATED if key in wanted}
    for key, empty in (("Description", ""), ("Enrichment", "")):
        if actual.get(key) and key not in wanted:
            request[key] = empty
    for key in ("EnrichmentParameters", "TargetParameters"):
        if actual.get(key) and key not in wanted:
            request[key] = {"InputTemplate": ""}
    request["SourceParameters"] = _changed_source(wanted, actual)
    pipes.update_pipe(Name=wanted["Name"], **request)


def _changed_source(wanted: Properties, actual: dict[str, Any]) -> Properties:
    before, after = actual.get("SourceParameters") or {}, wanted.get("SourceParameters") or {}
    changes: Properties = {"FilterCriteria": after.get("FilterCriteria") or {"Filters": []}}
    for key in (before.keys() | after.keys()) - {"FilterCriteria"}:
        old, new = before.get(key) or {}, after.get(key) or {}
        if new and old.get("StartingPosition") != new.get("StartingPosition"):
            raise ReplacementError(
                f"StartingPosition cannot be changed from {old.get('StartingPosition')}: "
                "give the pipe another name"
            )
        change = {name: value for name, value in new.items() if name not in _FIXED}
        for name in old.keys() - new.keys():
            if name in _DEFAULTS:
                change[name] = _DEFAULTS[name]
            elif name == "DeadLetterConfig":
                change[name] = {}
        changes[key] = change
    return changes


def _same(wanted: Properties, actual: dict[str, Any]) -> bool:
    keys = ("Source", *_UPDATED)
    left = {key: wanted.get(key) for key in keys}
    right = {key: actual.get(key) for key in keys}
    if not (subset(left, right) and subset(right, left)):
        return False
    mine, other = _source(wanted), _source(actual)
    other = {
        key: {k: v for k, v in value.items() if k != "BatchSize" or k in mine.get(key, {})}
        for key, value in other.items()
    }
    return subset(mine, other) and subset(other, mine)


def _source(pipe: Properties) -> dict[str, dict[str, Any]]:
    """The parameters of the source without what AWS fills in, and without times."""
    return {
        key: {
            name: value
            for name, value in (parameters or {}).items()
            if _DEFAULTS.get(name, ...) != value and name != "StartingPositionTimestamp"
        }
        for key, parameters in (pipe.get("SourceParameters") or {}).items()
    }


def _with_numbers(value: Any) -> Any:
    """What stands as text where the API wants a number, as a number."""
    if isinstance(value, list):
        return [_with_numbers(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: int(item) if isinstance(item, str) and _NUMBERS.fullmatch(key) else _with_numbers(item)
        for key, item in value.items()
    }


def _tags(pipes: Any, actual: dict[str, Any], wanted: dict[str, str]) -> bool:
    tags = actual.get("Tags") or {}
    if more := {key: value for key, value in wanted.items() if tags.get(key) != value}:
        pipes.tag_resource(resourceArn=actual["Arn"], tags=more)
    if stale := sorted(tags.keys() - wanted.keys()):
        pipes.untag_resource(resourceArn=actual["Arn"], tagKeys=stale)
    return bool(more or stale)


def _remove(context: Context, key: Key) -> bool:
    return gone(lambda: context.client("pipes").delete_pipe(Name=key["Ref"]), _GONE)


_FILTERS = shapes.mapping({}, {"Filters": shapes.list_of(shapes.mapping({"Pattern": shapes.text}))})
_QUEUE = {
    "BatchSize": shapes.number(1, 10_000),
    "MaximumBatchingWindowInSeconds": shapes.number(0, 300),
}


def _any_limit(value: Any) -> shapes.Problems:
    """A limit, or -1 for none."""
    return () if value in (-1, "-1") else shapes.number(0, 604_800)(value)


_STREAM = {
    **_QUEUE,
    "DeadLetterConfig": shapes.mapping({"Arn": shapes.text}),
    "MaximumRecordAgeInSeconds": _any_limit,
    "MaximumRetryAttempts": _any_limit,
    "OnPartialBatchItemFailure": shapes.one_of("AUTOMATIC_BISECT"),
    "ParallelizationFactor": shapes.number(1, 10),
}
_SOURCE = shapes.mapping(
    {},
    {
        "DynamoDBStreamParameters": shapes.mapping(
            {"StartingPosition": shapes.one_of("TRIM_HORIZON", "LATEST")}, _STREAM
        ),
        "FilterCriteria": _FILTERS,
        "KinesisStreamParameters": shapes.mapping(
            {"StartingPosition": shapes.one_of("TRIM_HORIZON", "LATEST", "AT_TIMESTAMP")},
            {**_STREAM, "StartingPositionTimestamp": shapes.text},
        ),
        "SqsQueueParameters": shapes.mapping({}, _QUEUE),
    },
)
_TARGET = shapes.mapping(
    {},
    {
        "EventBridgeEventBusParameters": shapes.mapping(
            {},
            {
                "DetailType": shapes.text,
                "Resources": shapes.list_of(shapes.text),
                "Source": shapes.text,
                "Time": shapes.text,
            },
        ),
        "InputTemplate": shapes.text,
        "KinesisStreamParameters": shapes.mapping({"PartitionKey": shapes.text}),
        "LambdaFunctionParameters": shapes.mapping(
            {}, {"InvocationType": shapes.one_of("REQUEST_RESPONSE", "FIRE_AND_FORGET")}
        ),
        "SqsQueueParameters": shapes.mapping(
            {}, {"MessageDeduplicationId": shapes.text, "MessageGroupId": shapes.text}
        ),
    },
)

RESOURCE_TYPES = {
    "AWS::Pipes::Pipe": ResourceType(
        _pipe,
        {"RoleArn": shapes.text, "Source": shapes.text, "Target": shapes.text},
        {
            "Description": shapes.text,
            "DesiredState": shapes.one_of("RUNNING", "STOPPED"),
            "Enrichment": shapes.text,
            "EnrichmentParameters": shapes.mapping({}, {"InputTemplate": shapes.text}),
            "Name": shapes.text,
            "SourceParameters": _SOURCE,
            "Tags": shapes.mapping_of(shapes.text),
            "TargetParameters": _TARGET,
        },
        remove=_remove,
    ),
}
