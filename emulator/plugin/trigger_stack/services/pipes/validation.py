"""What a pipe may ask for: refused when it is made, with a sentence.

AWS topics: EventBridge Pipes API Reference, "CreatePipe", "PipeSourceParameters",
"PipeTargetParameters"; User Guide, "Pipes batching and concurrency".
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from trigger_stack.delivery.core import json_paths
from trigger_stack.delivery.pipes import templates
from trigger_stack.delivery.pipes.settings import (
    MOST_ENTRIES,
    SOURCES,
    TARGETS,
    PipeSettings,
    service_of,
)
from trigger_stack.services.errors import ServiceError

_NAME = re.compile(r"[.\-_A-Za-z0-9]{1,64}")
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/?[a-zA-Z0-9+=,.@\-_/]+")
_MOST_FILTERS = 5
_MOST_TEMPLATE = 8192
_RANGES = {
    "BatchSize": (1, 10_000),
    "MaximumBatchingWindowInSeconds": (0, 300),
    "MaximumRecordAgeInSeconds": (-1, 604_800),
    "MaximumRetryAttempts": (-1, 10_000),
    "ParallelizationFactor": (1, 10),
}


def refusal(message: str) -> ServiceError:
    """The error for a request that cannot be."""
    return ServiceError("ValidationException", message)


def check_name(value: Any) -> None:
    """Check the name of a pipe.

    Raises:
        ServiceError: It is none.
    """
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise refusal(
            f"1 validation error detected: Value '{value}' at 'name' failed to satisfy constraint:"
            r" Member must satisfy regular expression pattern: [\.\-_A-Za-z0-9]+"
        )


def check_pipe(request: Mapping[str, Any], is_pattern: Callable[[Any], bool]) -> None:
    """Check the whole of a pipe, as it is to be.

    Args:
        request: ``CreatePipe``, or what a pipe is after ``UpdatePipe``.
        is_pattern: Whether an object is an event pattern that filters can have.

    Raises:
        ServiceError: AWS would refuse it, or what it names is not part of this stack.
    """
    check_name(request.get("Name"))
    for member in ("Source", "Target", "RoleArn"):
        if not request.get(member):
            raise refusal(f"1 validation error detected: Value at '{member}' must not be null")
        if not isinstance(request[member], str):
            raise refusal(f"{member} must be text.")
    if not _ROLE.fullmatch(request["RoleArn"]):
        raise refusal(f"RoleArn {request['RoleArn']} is not the ARN of a role.")
    if request.get("DesiredState", "RUNNING") not in ("RUNNING", "STOPPED"):
        raise refusal("DesiredState must be RUNNING or STOPPED.")
    _check_source(request, is_pattern)
    _check_enrichment(request)
    _check_target(request)
    for unsupported in ("LogConfiguration", "KmsKeyIdentifier"):
        if request.get(unsupported):
            raise refusal(f"{unsupported} of a pipe is not part of this stack.")


def _kinds(known: Mapping[str, Any]) -> str:
    return ", ".join(sorted(known))


def _check_source(request: Mapping[str, Any], is_pattern: Callable[[Any], bool]) -> None:
    source = request["Source"]
    service = service_of(source)
    if service not in SOURCES:
        raise refusal(
            f"Sources of {service or source} are not part of this stack. Sources here:"
            f" {_kinds(SOURCES)}."
        )
    if service == "dynamodb" and "/stream/" not in source:
        raise refusal(f"{source} is not the ARN of a stream of a table.")
    given = request.get("SourceParameters") or {}
    key, _ = SOURCES[service]
    for other in given:
        if other not in (key, "FilterCriteria"):
            raise refusal(f"{other} does not fit the source {source}: it takes {key}.")
    own = given.get(key) or {}
    for name, value in own.items():
        low, high = _RANGES.get(name, (None, None))
        if low is None or high is None:
            continue
        if not isinstance(value, int) or not low <= value <= high:
            raise refusal(f"{name} must be from {low} to {high}, not {value}.")
    if service == "sqs":
        _check_queue(source, own)
    else:
        _check_stream(own, key)
    _check_filters((given.get("FilterCriteria") or {}).get("Filters") or [], is_pattern)


def _check_queue(source: str, own: Mapping[str, Any]) -> None:
    size, window = own.get("BatchSize") or 10, own.get("MaximumBatchingWindowInSeconds") or 0
    if source.endswith(".fifo"):
        if size > 10:
            raise refusal("BatchSize of a FIFO queue must be from 1 to 10.")
        if window:
            raise refusal("MaximumBatchingWindowInSeconds must not be set for a FIFO queue.")
    elif size > 10 and not window:
        raise refusal("MaximumBatchingWindowInSeconds must be 1 or more for a BatchSize over 10.")


def _check_stream(own: Mapping[str, Any], key: str) -> None:
    position = own.get("StartingPosition")
    allowed = ["TRIM_HORIZON", "LATEST"]
    if key == "KinesisStreamParameters":
        allowed.append("AT_TIMESTAMP")
    if position not in allowed:
        raise refusal(f"{key}.StartingPosition must be {' or '.join(allowed)}, not {position}.")
    if (position == "AT_TIMESTAMP") != (own.get("StartingPositionTimestamp") is not None):
        raise refusal("StartingPositionTimestamp must be set for AT_TIMESTAMP, and only for it.")
    letters = (own.get("DeadLetterConfig") or {}).get("Arn")
    if letters is not None and (service_of(letters) not in ("sqs", "sns")):
        raise refusal(f"DeadLetterConfig.Arn must be a queue or a topic, not {letters}.")
    if letters is not None and letters.endswith(".fifo"):
        raise refusal(f"DeadLetterConfig.Arn must be no FIFO queue or topic: {letters}.")
    if own.get("OnPartialBatchItemFailure") not in (None, "AUTOMATIC_BISECT"):
        raise refusal("OnPartialBatchItemFailure must be AUTOMATIC_BISECT.")


def _check_filters(filters: list[Any], is_pattern: Callable[[Any], bool]) -> None:
    if len(filters) > _MOST_FILTERS:
        raise refusal(f"A pipe has at most {_MOST_FILTERS} filters, not {len(filters)}.")
    for one in filters:
        try:
            pattern = json.loads(one.get("Pattern") or "")
        except (ValueError, TypeError, RecursionError):
            pattern = None
        if not isinstance(pattern, dict) or not pattern:
            raise refusal(f"Invalid filter pattern: {one.get('Pattern')}")
        for problem in _pattern_problems(pattern):
            raise refusal(f"Invalid filter pattern: {problem}")
        if not is_pattern(pattern):
            raise refusal(f"Invalid filter pattern: {one['Pattern']}")


def _pattern_problems(pattern: Mapping[str, Any]) -> Iterator[str]:
    for key, value in pattern.items():
        if isinstance(value, dict):
            yield from _pattern_problems(value)
        elif not isinstance(value, list):
            yield f"“{key}” must be an object or an array"
        elif not value:
            yield f"Empty arrays are not allowed: {key}"
        elif key == "$or":
            for one in value:
                if isinstance(one, dict):
                    yield from _pattern_problems(one)


def _check_template(template: Any, place: str) -> None:
    if not template:
        return
    if not isinstance(template, str):
        raise refusal(f"{place}.InputTemplate must be text.")
    if len(template) > _MOST_TEMPLATE:
        raise refusal(f"{place}.InputTemplate must have {_MOST_TEMPLATE} characters or fewer.")
    if problem := templates.problem(template):
        raise refusal(f"{place}.InputTemplate: {problem}")


def _check_enrichment(request: Mapping[str, Any]) -> None:
    enrichment = request.get("Enrichment")
    given = request.get("EnrichmentParameters") or {}
    if enrichment is not None and not isinstance(enrichment, str):
        raise refusal("Enrichment must be text.")
    if not enrichment:
        if given.get("InputTemplate") or given.get("HttpParameters"):
            raise refusal("EnrichmentParameters need an Enrichment.")
        return
    if service_of(enrichment) != "lambda":
        raise refusal(
            f"Enrichments of {service_of(enrichment) or enrichment} are not part of this stack."
            " Enrichments here: lambda."
        )
    if given.get("HttpParameters"):
        raise refusal("EnrichmentParameters.HttpParameters do not fit a Lambda function.")
    _check_template(given.get("InputTemplate"), "EnrichmentParameters")


def _check_target(request: Mapping[str, Any]) -> None:
    target = request["Target"]
    service = service_of(target)
    if service not in TARGETS:
        raise refusal(
            f"Targets of {service or target} are not part of this stack. Targets here:"
            f" {_kinds(TARGETS)}."
        )
    given = request.get("TargetParameters") or {}
    key = TARGETS[service]
    for other in given:
        if other not in (key, "InputTemplate"):
            raise refusal(f"{other} does not fit the target {target}.")
    _check_template(given.get("InputTemplate"), "TargetParameters")
    own = given.get(key) or {}
    _check_own_parameters(target, service, own)
    for value in own.values():
        for text in value if isinstance(value, list) else [value]:
            _check_path(text)
    most = MOST_ENTRIES.get(service)
    settings = PipeSettings(
        "", "", request["Source"], target, source_parameters=request.get("SourceParameters") or {}
    )
    if most is not None and settings.batch_size > most:
        raise refusal(
            f"BatchSize {settings.batch_size} of the source is larger than the most that a target"
            f" of {service} takes: {most}."
        )


def _check_own_parameters(target: str, service: str, own: Mapping[str, Any]) -> None:
    if service == "sqs" and target.endswith(".fifo") != bool(own.get("MessageGroupId")):
        raise refusal("MessageGroupId must be set for a FIFO queue, and for no other target.")
    if service == "sqs" and own.get("MessageDeduplicationId") and not target.endswith(".fifo"):
        raise refusal("MessageDeduplicationId must be set for FIFO queues only.")
    if service == "sns" and target.endswith(".fifo"):
        raise refusal("A FIFO topic cannot be the target of a pipe.")
    if service == "kinesis" and not own.get("PartitionKey"):
        raise refusal("KinesisStreamParameters.PartitionKey must be set.")
    if service == "events" and own.get("EndpointId"):
        raise refusal("EndpointId (a global endpoint) is not part of this stack.")
    if service == "events" and ":event-bus/" not in target:
        raise refusal(f"{target} is not the ARN of an event bus.")
    if own.get("InvocationType") not in (None, "REQUEST_RESPONSE", "FIRE_AND_FORGET"):
        raise refusal("InvocationType must be REQUEST_RESPONSE or FIRE_AND_FORGET.")


def _check_path(text: Any) -> None:
    if isinstance(text, str) and json_paths.is_path(text):
        try:
            json_paths.steps(text)
        except json_paths.PathError as error:
            raise refusal(str(error)) from None
