"""Universal targets: ``arn:aws:scheduler:::aws-sdk:service:apiAction``.

AWS topic: EventBridge Scheduler User Guide, "Using universal targets".
"""

from __future__ import annotations

import functools
import re
from typing import Any

import botocore.loaders

PREFIX = "arn:aws:scheduler:::aws-sdk:"
#: Services that the SDK for Java, whose names count here, calls otherwise than botocore.
_BOTOCORE_NAMES = {
    "cloudwatchlogs": "logs",
    "cognitoidentityprovider": "cognito-idp",
    "elasticloadbalancingv2": "elbv2",
    "eventbridge": "events",
    "resourcegroupstaggingapi": "resourcegroupstaggingapi",
    "sfn": "stepfunctions",
}
#: Operations that begin so only read, and cannot be targets.
_READ_ONLY = re.compile(
    "(get|describe|list|poll|receive|search|scan|query|select|read|lookup|discover|validate|"
    "batchGet|batchDescribe|batchRead|transactGet|adminGet|adminList|testMigration|retrieve|"
    "testConnection|translateDocument|isAuthorized|invokeModel)"
)


#: Actions of IAM that are not called as the operation is (Service Authorization Reference).
_ACTIONS = {
    "lambda:Invoke": "lambda:InvokeFunction",
    "lambda:InvokeAsync": "lambda:InvokeFunction",
    "s3:CopyObject": "s3:PutObject",
    "s3:CreateMultipartUpload": "s3:PutObject",
    "s3:DeleteObjects": "s3:DeleteObject",
    "sns:PublishBatch": "sns:Publish",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:SendMessageBatch": "sqs:SendMessage",
}


class UnknownOperationError(ValueError):
    """There is no such service or operation, or it cannot be a target."""


def operation(arn: str) -> tuple[str, str]:
    """The service and operation of a universal target, as botocore names them.

    Returns:
        For example ``sqs`` and ``SendMessage``.

    Raises:
        UnknownOperationError: With what is wrong as its text.
    """
    service, colon, action = arn.removeprefix(PREFIX).partition(":")
    if not arn.startswith(PREFIX) or not colon or not action:
        raise UnknownOperationError("Provided Arn is not in correct format.")
    if _READ_ONLY.match(action):
        raise UnknownOperationError(f"The API action {action} only reads and cannot be a target.")
    name = _BOTOCORE_NAMES.get(service, service)
    found = _operations(name).get(action)
    if found is None:
        raise UnknownOperationError(f"There is no API action {action} of the service {service}.")
    return name, found


def action(arn: str) -> str:
    """The action of IAM that a universal target needs, for example ``sqs:SendMessage``.

    Raises:
        UnknownOperationError: With what is wrong as its text.
    """
    service, name = operation(arn)
    metadata = _model(service)["metadata"]
    prefix = metadata.get("signingName") or metadata["endpointPrefix"]
    found = f"{prefix}:{name}"
    return _ACTIONS.get(found, found)


@functools.lru_cache(maxsize=16)
def _model(service: str) -> dict[str, Any]:
    """Botocore's description of a service; empty when there is no such service."""
    loader = botocore.loaders.Loader()
    if service not in loader.list_available_services("service-2"):
        return {}
    found: dict[str, Any] = loader.load_service_model(service, "service-2")
    return found


@functools.lru_cache(maxsize=16)
def _operations(service: str) -> dict[str, str]:
    """The operations of a service, by their name with a small first letter."""
    names = _model(service).get("operations", {})
    return {name[:1].lower() + name[1:]: name for name in names}
