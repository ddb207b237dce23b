"""What every event type has: the parts that make up one kind of trigger.

A type is one module with a subclass of :class:`EventType`, and one line in the registry of
:mod:`bootstrap.definition.events`. Nothing outside this package names a type.
"""

from __future__ import annotations

import json
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from bootstrap.definition import naming
from bootstrap.definition.document import Document, KeyPath
from bootstrap.definition.parsing import Model
from bootstrap.services.base import found
from bootstrap.settings import Settings
from bootstrap.template import Resource

if TYPE_CHECKING:  # the model of the service has a part of each event type in it
    from bootstrap.definition.model import Service

#: The message body that is sent when nobody knows what the function expects.
ANY_BODY = "{}"


@dataclass(frozen=True)
class Trigger[E: Model]:
    """One event of one function, checked.

    Attributes:
        type: its event type.
        key: the function's key in the file.
        function: the function's name on AWS.
        index: place of the event among the function's, from 0.
        path: where the event stands in the file, its type included.
        event: what the file says, in the long form.
    """

    type: EventType[E]
    key: str
    function: str
    index: int
    path: KeyPath
    event: E

    @property
    def function_arn(self) -> dict[str, Any]:
        """The function's ARN, as a reference."""
        return {"Fn::GetAtt": [naming.function_id(self.key), "Arn"]}


class Example(NamedTuple):
    """A trigger for people.

    Attributes:
        trigger: what fires, in words: ``SQS orders``.
        command: a command that fires it, or in brackets why there is none.
    """

    trigger: str
    command: str


class Endpoint(NamedTuple):
    """An address that triggers of one type are reached at.

    Attributes:
        name: how AWS calls it: ``HTTP API``.
        url: the address.
    """

    name: str
    url: str


class EventType[E: Model](ABC):
    """One kind of trigger.

    Attributes:
        key: its name under ``events:`` in the file, and of its settings under ``provider:``.
        model: the shape of one event, in the long form.
        provider_settings: shape and default of ``provider.<key>``; None without such settings.
        failures: where events end that could not be processed, first the place that is asked
            first. Empty when whoever sends an event gets the error as the answer.
    """

    key: ClassVar[str]
    model: ClassVar[type[Model]]
    provider_settings: ClassVar[tuple[Any, Any] | None] = None
    failures: ClassVar[tuple[FailurePath, ...]]

    @abstractmethod
    def long_form(self, body: Any) -> Any:
        """Write out the short form.

        Args:
            body: what stands under the key in the file, unchecked.

        Returns:
            What ``model`` checks; ``body`` itself when it is no short form.
        """

    @abstractmethod
    def check(self, trigger: Trigger[E], service: Service, document: Document) -> None:
        """Refuse what AWS would refuse, beyond the shape.

        Raises:
            DefinitionError: with the line.
        """

    @abstractmethod
    def permissions(self, triggers: Sequence[Trigger[E]], service: Service) -> Iterator[Resource]:
        """The resource policies that let events through: who may invoke which function.

        Args:
            triggers: all of this type, checked, in the order of the file.
        """

    @abstractmethod
    def resources(
        self, triggers: Sequence[Trigger[E]], service: Service, document: Document
    ) -> Iterator[Resource]:
        """What makes the events come; what several triggers share, once.

        Args:
            triggers: all of this type, checked, in the order of the file; there may be none.

        Raises:
            DefinitionError: a setting of the provider that AWS would refuse.
        """

    @abstractmethod
    def role_statements(self, triggers: Sequence[Trigger[E]]) -> Iterator[dict[str, Any]]:
        """What the execution role must allow for these triggers.

        Args:
            triggers: those of this type of one function, in the order of the file.
        """

    @abstractmethod
    def example(self, trigger: Trigger[E], service: Service, settings: Settings) -> Example:
        """How ``status`` shows a trigger, and how to try it."""

    def endpoint(self, settings: Settings) -> Endpoint | None:
        """The address that all triggers of this type share, or None."""
        return None

    def resource_problem(self, kind: str, properties: dict[str, Any]) -> tuple[str, str] | None:
        """What is wrong with a resource of the file that this type's triggers may stand on.

        Args:
            kind: CloudFormation resource type.

        Returns:
            The property and a sentence, or None.
        """
        return None


def invoke_permission(
    logical_id: str, trigger: Trigger[Any], principal: str, source_arn: Any, **more: Any
) -> Resource:
    """The permission for an AWS service to invoke the trigger's function.

    Args:
        principal: ``s3.amazonaws.com``.
        source_arn: ARN of what sends the events.
        more: other properties of ``AWS::Lambda::Permission``.
    """
    properties = {
        "FunctionName": trigger.function_arn,
        "Action": "lambda:InvokeFunction",
        "Principal": principal,
        "SourceArn": source_arn,
        **more,
    }
    return Resource(logical_id, "AWS::Lambda::Permission", properties, trigger.path)


def awslocal(settings: Settings) -> str:
    """How to call ``awslocal`` from this folder, whatever PATH and port are."""
    program = "awslocal" if shutil.which("awslocal") else ".venv/bin/awslocal"
    default = settings.endpoint_url == "http://localhost:4566"
    return program if default else f"AWS_ENDPOINT_URL={settings.endpoint_url} {program}"


# --- Where failures land


@dataclass(frozen=True)
class DeadLetter:
    """One message in a dead-letter queue.

    Attributes:
        origin: what failed, in words: ``hourly_metrics``, ``queue brand-notifications``.
        reason: why it is here, as far as the message says.
        payload: the original event or message body.
        message: the SQS message as received.
    """

    origin: str
    reason: str
    payload: str
    message: dict[str, Any]


def text_attributes(message: dict[str, Any]) -> dict[str, str]:
    """The message attributes of an SQS message, as text by name."""
    given = message.get("MessageAttributes", {})
    return {name: value.get("StringValue", "") for name, value in given.items()}


class FailurePath(ABC):
    """One way for an event to end in a dead-letter queue, and to come back from there."""

    @abstractmethod
    def queues(self, settings: Settings, queues: Mapping[str, dict[str, Any]]) -> Iterator[str]:
        """ARN of every queue that failures of this kind land in, however it was made.

        Args:
            queues: attributes of every queue there is, by ARN.
        """

    @abstractmethod
    def read(self, message: dict[str, Any]) -> DeadLetter | None:
        """What a message says that came this way; None when it came another way."""

    @abstractmethod
    def send_back(self, settings: Settings, letter: DeadLetter) -> None:
        """Give the event once more to what it failed at.

        Raises:
            Exception: what came back, when it was not accepted: ``ClientError``, ``KeyError``,
                ``OSError``, ``RuntimeError`` or ``ValueError``.
        """


class _AsynchronousInvocation(FailurePath):
    """An asynchronous invocation that failed as often as it was to be tried.

    AWS Lambda, "Adding a destination" (the invocation record) and "Dead-letter queues" (the event
    itself, with the reason as attributes).
    """

    def queues(self, settings: Settings, queues: Mapping[str, dict[str, Any]]) -> Iterator[str]:
        functions = settings.client("lambda")
        for page in functions.get_paginator("list_functions").paginate():
            for function in page["Functions"]:
                if target := function.get("DeadLetterConfig", {}).get("TargetArn"):
                    yield target
                name = function["FunctionName"]
                configs = found(
                    partial(functions.list_function_event_invoke_configs, FunctionName=name),
                    "ResourceNotFoundException",
                )
                for config in (configs or {}).get("FunctionEventInvokeConfigs", []):
                    target = config.get("DestinationConfig", {}).get("OnFailure", {})
                    if "Destination" in target:
                        yield target["Destination"]

    def read(self, message: dict[str, Any]) -> DeadLetter | None:
        body, text = message["Body"], text_attributes(message)
        if "ErrorMessage" in text:
            return DeadLetter("function", text["ErrorMessage"], body, message)
        record = _json(body)
        context = record.get("requestContext") if isinstance(record, dict) else None
        if not isinstance(context, dict) or "requestPayload" not in record:
            return None
        answer = record.get("responsePayload") or {}
        error = answer.get("errorMessage") if isinstance(answer, dict) else None
        kind = answer.get("errorType") if isinstance(answer, dict) else None
        tries = context.get("approximateInvokeCount", "?")
        reason = f"{context.get('condition')} after {tries} tries: {kind or ''} {error or ''}"
        name = str(context.get("functionArn", "")).split(":function:")[-1].split(":")[0]
        return DeadLetter(
            f"function {name}", reason.strip(), json.dumps(record["requestPayload"]), message
        )

    def send_back(self, settings: Settings, letter: DeadLetter) -> None:
        if letter.origin == "function":
            raise RuntimeError("it does not say where it came from")
        record = json.loads(letter.message["Body"])
        settings.client("lambda").invoke(
            FunctionName=record["requestContext"]["functionArn"].removesuffix(":$LATEST"),
            InvocationType="Event",
            Payload=letter.payload.encode(),
        )


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


#: The failure path of every event type that invokes functions asynchronously.
ASYNCHRONOUS_INVOCATION = _AsynchronousInvocation()


def failure_paths(event_types: Iterable[EventType[Any]]) -> list[FailurePath]:
    """Every failure path of these types, once, in the order to ask them in."""
    return list(dict.fromkeys(path for one in event_types for path in one.failures))
