"""Where the properties of a resource are written: under its own name, or as a trigger has them."""

from __future__ import annotations

from bootstrap.definition.document import Document, KeyPath
from bootstrap.template import Resource

#: How the properties of a trigger's resources are written in the file, longest first.
_WRITTEN: dict[KeyPath, KeyPath] = {
    ("Targets", 0, "InputTransformer", "InputTemplate"): ("inputTransformer", "inputTemplate"),
    ("Targets", 0, "InputTransformer"): ("inputTransformer",),
    ("Targets", 0, "DeadLetterConfig"): ("deadLetterQueueArn",),
    ("Targets", 0, "RetryPolicy", "MaximumRetryAttempts"): ("retryPolicy", "maximumRetryAttempts"),
    ("Targets", 0): (),
    ("DestinationConfig", "OnFailure"): ("destinations", "onFailure"),
    ("DestinationConfig", "OnSuccess"): ("destinations", "onSuccess"),
    ("DeadLetterConfig",): ("onError",),
    ("Environment", "Variables"): ("environment",),
    ("BatchSize",): ("batchSize",),
    ("ScalingConfig",): ("maximumConcurrency",),
    ("Enabled",): ("enabled",),
    ("State",): ("enabled",),
    ("Target",): (),
    ("EventSourceArn",): ("arn",),
    ("FunctionResponseTypes",): ("functionResponseType",),
    ("StartingPosition",): ("startingPosition",),
    ("MaximumBatchingWindowInSeconds",): ("maximumBatchingWindow",),
    ("FilterCriteria",): ("filterPatterns",),
    ("MaximumRetryAttempts",): ("maximumRetryAttempts",),
    ("EventPattern",): ("pattern",),
    ("EventBusName",): ("eventBus",),
    ("ScheduleExpression",): ("schedule",),
    ("ScheduleExpressionTimezone",): ("timezone",),
    ("RedrivePolicy",): ("redrivePolicy",),
    ("Timeout",): ("timeout",),
    ("Handler",): ("handler",),
    ("Layers",): ("layers",),
    ("Description",): ("description",),
    ("EphemeralStorage", "Size"): ("ephemeralStorageSize",),
    ("MemorySize",): ("memorySize",),
    ("FilterPattern",): ("filter",),
    ("LogGroupName",): ("logGroup",),
    ("ReservedConcurrentExecutions",): ("reservedConcurrency",),
}


def written_at(document: Document, resource: Resource, *keys: str | int) -> KeyPath:
    """Where a property of a resource is written; what has no place of its own is its owner."""
    path: KeyPath = (*resource.path, "Properties", *keys)
    if resource.path[:1] != ("resources",):
        rest: KeyPath = keys
        for length in range(len(keys), 0, -1):
            if (written := _WRITTEN.get(keys[:length])) is not None:
                rest = (*written, *keys[length:])
                break
        path = (*resource.path, *rest)
    least = len(resource.path) + (path[: len(resource.path) + 1][-1:] == ("Properties",))
    for length in range(len(path), least, -1):
        if path[:length] in document.lines:
            return path[:length]
    return resource.path
