"""The interface of an event type: the parts that make up one kind of trigger.

A type is one module with a subclass of :class:`EventType`, and one line in the registry of
:mod:`bootstrap.definition.events`. Nothing outside this package names a type.
"""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from bootstrap.definition import naming
from bootstrap.definition.document import Document, KeyPath
from bootstrap.definition.events.failures import FailurePath
from bootstrap.definition.parsing import Model
from bootstrap.settings import Settings
from bootstrap.template import Resource

if TYPE_CHECKING:  # the model of the service has a part of each event type in it
    from bootstrap.definition.model import Function, Service


@dataclass(frozen=True)
class Trigger[E: Model]:
    """One event of one function, checked.

    Attributes:
        type: its event type.
        key: the function's key in the file.
        function: the function's name on AWS.
        index: place of the event among the function's, from 0; 0 when it stands beside them.
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
        key: its name in the file.
        beside_events: whether it stands beside ``events:``, as a key of the function (``url:``
            in the framework), instead of among them.
        model: the shape of one event, in the long form.
        provider_settings: what may be set for all triggers of this type: keys of ``provider:``,
            each with its shape and default.
        function_settings: what a function may set for its triggers of this type, under the type's
            key beside its events; None when it may set nothing.
        failures: where events end that could not be processed, first the place that is asked
            first. Empty when whoever sends an event gets the error as the answer.
    """

    key: ClassVar[str]
    beside_events: ClassVar[bool] = False
    model: ClassVar[type[Model]]
    provider_settings: ClassVar[Mapping[str, tuple[Any, Any]]] = {}
    function_settings: ClassVar[type[Model] | None] = None
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
        """The resources that make the events come; one that several triggers share comes once.

        Args:
            triggers: all of this type, checked, in the order of the file; there may be none.

        Raises:
            DefinitionError: a setting of the provider that AWS would refuse.
        """

    @abstractmethod
    def role_statements(self, triggers: Sequence[Trigger[E]]) -> Iterator[dict[str, Any]]:
        """The IAM statements that the execution role needs for these triggers.

        Args:
            triggers: those of this type of one function, in the order of the file.
        """

    def shared_role_statements(self, triggers: Sequence[Trigger[E]]) -> Iterator[dict[str, Any]]:
        """The IAM statements that the execution role needs once, however many triggers there are.

        Args:
            triggers: those of this type of all functions.
        """
        yield from ()

    def function_properties(
        self, triggers: Sequence[Trigger[E]], function: Function, properties: dict[str, Any]
    ) -> dict[str, Any]:
        """The properties of a function, as its triggers of this type want them.

        Args:
            triggers: those of this type of the function; at least one.
            function: the function as the file has it.
            properties: of ``AWS::Lambda::Function`` so far.
        """
        return properties

    def role_principals(self, triggers: Sequence[Trigger[E]]) -> Iterator[str]:
        """The AWS services, beside Lambda, that must be able to assume the execution role.

        Args:
            triggers: those of this type of all functions.
        """
        yield from ()

    @abstractmethod
    def example(self, trigger: Trigger[E], service: Service, settings: Settings) -> Example:
        """How ``status`` shows a trigger, and how to try it."""

    def endpoints(self, settings: Settings) -> list[Endpoint]:
        """The addresses that triggers of this type are reached at."""
        return []

    def resource_problem(self, kind: str, properties: dict[str, Any]) -> tuple[str, str] | None:
        """The problem of a resource of the file that this type's triggers may use, or None.

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
