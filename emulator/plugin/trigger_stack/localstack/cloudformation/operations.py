"""A CloudFormation resource type as the operations of its service that make, change and delete it.

What: a resource provider of LocalStack (a public extension point) that is described and not written
out: the properties of a template are the parameters of an operation, as they are for most types.
Why: LocalStack's open release has 102 types, but none of HTTP APIs, load
balancers, user pools or pipes.
Until: LocalStack has them.
Test: ``tests/delivery/test_cloudformation.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from localstack.services.cloudformation.provider_utils import generate_default_name
from localstack.services.cloudformation.resource_provider import (
    OperationStatus,
    ProgressEvent,
    ResourceProvider,
    ResourceRequest,
)

type Model = dict[str, Any]
#: Called with the service's client and the model of a resource, which it may add to.
type Step = Callable[[Any, Model], None]


@dataclass(frozen=True)
class ResourceType:
    """How resources of one type are made.

    Attributes:
        name: Of the type, such as ``AWS::ApiGatewayV2::Api``.
        service: boto3's name of the service.
        create: The operation that makes one, by boto3's name; or what chooses it by the model.
        delete: The operation that deletes one.
        update: The same of the operation that changes one; None: only ``after`` changes it.
        reference: The property that ``Ref`` returns.
        identity: Parameters of ``update`` and ``delete``, each with the property it has.
        results: Properties that the answer of ``create`` has, each with its path there.
        create_only: Properties whose change replaces the resource.
        ignored: Properties that are no parameters, because one of the steps takes them.
        named: The property that gets a generated name when the template has none.
        longest_name: Of such a name.
        prepare: Changes a copy of the properties to parameters.
        prepare_update: The same for ``update``, where that takes less.
        after: Runs after ``create`` and after ``update``.
        added: Properties that ``after`` adds to the model.
        before_delete: Runs before ``delete``.
    """

    name: str
    service: str
    create: str | Callable[[Model], str]
    delete: str
    update: str | Callable[[Model], str] | None
    reference: str
    identity: Mapping[str, str]
    results: Mapping[str, str] = field(default_factory=dict)
    create_only: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    named: str = ""
    longest_name: int = 64
    prepare: Callable[[Model], Model] = dict
    prepare_update: Callable[[Model], Model] | None = None
    after: Step | None = None
    added: tuple[str, ...] = ()
    before_delete: Step | None = None


class OperationsProvider(ResourceProvider[Model]):
    """Makes, changes and deletes resources of one type.

    AWS topic: CloudFormation CLI User Guide, "Resource type handler contract".
    """

    def __init__(self, kind: ResourceType) -> None:
        self.kind = kind
        self.SCHEMA = {
            "typeName": kind.name,
            "primaryIdentifier": [f"/properties/{kind.reference}"],
            "createOnlyProperties": [f"/properties/{name}" for name in kind.create_only],
        }

    def create(self, request: ResourceRequest[Model]) -> ProgressEvent[Model]:
        """Make one."""
        kind, model = self.kind, dict(request.desired_state)
        if kind.named and not model.get(kind.named):
            model[kind.named] = _name(request, kind.longest_name)
        client = self._client(request)
        operation = _choose(kind.create, model)
        parameters, unknown = self._parameters(client, operation, model, kind.prepare)
        _refuse(kind, unknown)
        answer = getattr(client, operation)(**parameters)
        for name, path in kind.results.items():
            model[name] = _at(answer, path)
        if kind.after is not None:
            kind.after(client, model)
        return _done(model)

    def update(self, request: ResourceRequest[Model]) -> ProgressEvent[Model]:
        """Change one; LocalStack replaces it when a create-only property changes.

        Raises:
            ValueError: A property changed that no operation changes.
        """
        kind, before = self.kind, dict(request.previous_state or {})
        kept = {name: before[name] for name in _kept(kind) if name in before}
        model = kept | dict(request.desired_state)
        client = self._client(request)
        changed = {name for name in {*before, *model} if before.get(name) != model.get(name)} - set(
            kind.ignored
        )
        if kind.update is None:
            _refuse(kind, changed)
        else:
            operation = _choose(kind.update, model)
            prepare = kind.prepare_update or kind.prepare
            parameters, unknown = self._parameters(client, operation, model, prepare)
            _refuse(kind, changed & unknown)
            getattr(client, operation)(**parameters | self._identity(model))
        if kind.after is not None:
            kind.after(client, model)
        return _done(model)

    def delete(self, request: ResourceRequest[Model]) -> ProgressEvent[Model]:
        """Delete one."""
        model, client = dict(request.desired_state), self._client(request)
        if not all(property_ in model for property_ in self.kind.identity.values()):
            return _done({})  # it was never made
        if self.kind.before_delete is not None:
            self.kind.before_delete(client, model)
        getattr(client, self.kind.delete)(**self._identity(model))
        return _done({})

    def _client(self, request: ResourceRequest[Model]) -> Any:
        return getattr(request.aws_client_factory, self.kind.service)

    def _identity(self, model: Model) -> Model:
        return {parameter: model[property_] for parameter, property_ in self.kind.identity.items()}

    def _parameters(
        self, client: Any, operation: str, model: Model, prepare: Callable[[Model], Model]
    ) -> tuple[Model, set[str]]:
        """The properties as parameters, and the names of those that are none."""
        prepared = prepare(
            {name: value for name, value in model.items() if name not in self.kind.ignored}
        )
        api_name = client.meta.method_to_api_mapping[operation]
        members = client.meta.service_model.operation_model(api_name).input_shape.members
        known = {name.lower(): name for name in members}
        parameters = {
            known[name.lower()]: typed(value, members[known[name.lower()]])
            for name, value in prepared.items()
            if name.lower() in known
        }
        return parameters, {name for name in prepared if name.lower() not in known}


def typed(value: Any, shape: Any) -> Any:
    """A value as the API takes it: in a template, numbers and booleans may be texts, and reversed.

    Args:
        value: Of a property.
        shape: botocore's shape of the parameter.
    """
    kind = shape.type_name
    if kind == "structure" and isinstance(value, dict):
        members = shape.members
        return {
            name: typed(part, members[name]) if name in members else part
            for name, part in value.items()
        }
    if kind == "map" and isinstance(value, dict):
        return {name: typed(part, shape.value) for name, part in value.items()}
    if kind == "list" and isinstance(value, list):
        return [typed(part, shape.member) for part in value]
    if kind in {"integer", "long"} and isinstance(value, str) and value.lstrip("-").isdigit():
        return int(value)
    if kind == "boolean" and value in ("true", "false"):
        return value == "true"
    if kind == "string" and isinstance(value, bool | int | float):
        return str(value).lower() if isinstance(value, bool) else str(value)
    return value


def _choose(operation: str | Callable[[Model], str], model: Model) -> str:
    return operation if isinstance(operation, str) else operation(model)


def _refuse(kind: ResourceType, properties: Collection[str]) -> None:
    """What no operation takes is not left out without a word.

    Raises:
        ValueError: There are such properties.
    """
    if properties:
        raise ValueError(f"{kind.name}: {', '.join(sorted(properties))} cannot be set here")


def _kept(kind: ResourceType) -> set[str]:
    """Properties that a template need not have, and that stay when the resource is changed."""
    return {*kind.results, *kind.identity.values(), kind.reference, kind.named, *kind.added}


def _at(answer: Any, path: str) -> Any:
    for part in path.split("."):
        answer = answer[int(part)] if part.isdigit() else answer.get(part)
    return answer


def _name(request: ResourceRequest[Model], longest: int) -> str:
    """As CloudFormation makes one: of the stack's name, the logical id and something random."""
    name: str = generate_default_name(request.stack_name, request.logical_resource_id)
    return name if len(name) <= longest else name[: longest - 9] + name[-9:]


def _done(model: Model) -> ProgressEvent[Model]:
    return ProgressEvent(status=OperationStatus.SUCCESS, resource_model=model)
