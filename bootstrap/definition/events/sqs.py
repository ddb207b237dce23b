"""``sqs``: an event source mapping on a queue (AWS Lambda, "Using Lambda with Amazon SQS")."""

from __future__ import annotations

import json
from typing import Any

from bootstrap.definition import naming
from bootstrap.definition.document import KeyPath
from bootstrap.definition.model import Reference, Service, SqsEvent, parse
from bootstrap.template import Resource, Template

_MAX_BATCH_WITHOUT_WINDOW = 10


def compile_event(
    key: str, index: int, body: Any, path: KeyPath, service: Service, template: Template
) -> None:
    """Add the event source mapping.

    Raises:
        DefinitionError: a batch that Lambda would refuse.
    """
    data = {"arn": body} if isinstance(body, str) else body
    event = parse(SqsEvent, data, template.document, path)
    if event.batchSize > _MAX_BATCH_WITHOUT_WINDOW and not event.maximumBatchingWindow:
        template.document.fail(
            f"functions.{key}: a batchSize over {_MAX_BATCH_WITHOUT_WINDOW} needs a "
            "maximumBatchingWindow of at least 1 second.",
            *path,
            "batchSize",
        )
    properties: dict[str, Any] = {
        "BatchSize": event.batchSize,
        "EventSourceArn": event.arn,
        "FunctionName": {"Fn::GetAtt": [naming.function_id(key), "Arn"]},
        "Enabled": event.enabled,
    }
    if event.maximumBatchingWindow is not None:
        properties["MaximumBatchingWindowInSeconds"] = event.maximumBatchingWindow
    if event.functionResponseType:
        properties["FunctionResponseTypes"] = [event.functionResponseType]
    if event.filterPatterns:
        properties["FilterCriteria"] = {
            "Filters": [
                {"Pattern": json.dumps(p, separators=(",", ":"))} for p in event.filterPatterns
            ]
        }
    if event.maximumConcurrency:
        properties["ScalingConfig"] = {"MaximumConcurrency": event.maximumConcurrency}
    template.add(
        Resource(
            f"{naming.normalized(key)}EventSourceMappingSQS"
            f"{naming.alphanumeric(_queue_name(event.arn))}",
            "AWS::Lambda::EventSourceMapping",
            properties,
            path,
            ("IamRoleLambdaExecution",),
        )
    )


def event_source(body: Any) -> Any:
    """The queue's ARN as written in an ``sqs`` event, which may be unchecked; None without."""
    return body.get("arn") if isinstance(body, dict) else body


def _queue_name(arn: Reference) -> str:
    if isinstance(arn, str):
        return arn.rsplit(":", 1)[-1]
    attribute = arn.get("Fn::GetAtt")
    return str(attribute[0]) if isinstance(attribute, list) and attribute else "Queue"
