"""Where the results of asynchronous invocations go (AWS Lambda, "Adding a destination").

The types of destinations are AWS's, and have nothing to do with the event types of the triggers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from bootstrap.definition.parsing import Model, Reference

_ACTIONS = {
    "sqs": "sqs:SendMessage",
    "sns": "sns:Publish",
    "eventBus": "events:PutEvents",
    "function": "lambda:InvokeFunction",
}

#: CloudFormation resource types, by the type of a destination.
DESTINATION_TYPES = {
    "sqs": "AWS::SQS::Queue",
    "sns": "AWS::SNS::Topic",
    "eventBus": "AWS::Events::EventBus",
    "function": "AWS::Lambda::Function",
}


class Destination(Model):
    """Where a result goes: a type and the ARN of a resource of that type."""

    type: Literal["sqs", "sns", "eventBus", "function"]
    arn: Reference


class Destinations(Model):
    """``destinations`` of a function: for successful and failed asynchronous invocations."""

    onSuccess: Destination | None = None
    onFailure: Destination | None = None

    def config(self) -> dict[str, Any]:
        """The ``DestinationConfig`` of a function's asynchronous invocation."""
        given = {"OnSuccess": self.onSuccess, "OnFailure": self.onFailure}
        return {key: {"Destination": target.arn} for key, target in given.items() if target}

    def role_statements(self) -> Iterator[dict[str, Any]]:
        """The IAM statements that let the execution role send to the destination."""
        for target in filter(None, (self.onSuccess, self.onFailure)):
            yield {"Effect": "Allow", "Action": _ACTIONS[target.type], "Resource": target.arn}
