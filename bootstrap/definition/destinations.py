"""Where the results of asynchronous invocations go (AWS Lambda, "Adding a destination").

The types of destinations are AWS's, and have nothing to do with the event types of the triggers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, PrivateAttr

from bootstrap.definition import naming
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


#: The type of a destination, by what its ARN has in it.
_IN_ARN = {":function:": "function", ":sqs:": "sqs", ":sns:": "sns", ":event-bus/": "eventBus"}


class Destination(Model):
    """Where a result goes: a type and the ARN of a resource of that type."""

    type: Literal["sqs", "sns", "eventBus", "function"]
    arn: Reference
    _key: str | None = PrivateAttr(None)

    def granted(self, name_of: Callable[[str], str]) -> Reference:
        """What the execution role may send to.

        A function of the file is named, not referred to: it needs the role itself.
        """
        if self._key is None:
            return self.arn
        start = "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:"
        return {"Fn::Sub": start + name_of(self._key)}


def _long_form(value: Any) -> Any:
    """``onFailure: <ARN, or the key of a function>``, written out."""
    if not isinstance(value, str):
        return value
    if not value.startswith("arn:"):
        named = Destination(type="function", arn={"Fn::GetAtt": [naming.function_id(value), "Arn"]})
        named._key = value
        return named
    kind = next((kind for part, kind in _IN_ARN.items() if part in value), None)
    return value if kind is None else {"type": kind, "arn": value}


class Destinations(Model):
    """``destinations`` of a function: for successful and failed asynchronous invocations."""

    onSuccess: Annotated[Destination | None, BeforeValidator(_long_form)] = None
    onFailure: Annotated[Destination | None, BeforeValidator(_long_form)] = None

    def config(self) -> dict[str, Any]:
        """The ``DestinationConfig`` of a function's asynchronous invocation."""
        given = {"OnSuccess": self.onSuccess, "OnFailure": self.onFailure}
        return {key: {"Destination": target.arn} for key, target in given.items() if target}

    def role_statements(self, name_of: Callable[[str], str]) -> Iterator[dict[str, Any]]:
        """The IAM statements that let the execution role send to the destination.

        Args:
            name_of: the name of the function under a key of the file.
        """
        for target in filter(None, (self.onSuccess, self.onFailure)):
            resource = target.granted(name_of)
            yield {"Effect": "Allow", "Action": _ACTIONS[target.type], "Resource": resource}
