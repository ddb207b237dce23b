"""A list of AWS resources in CloudFormation's terms, and the order to create them in."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any, NoReturn

from bootstrap.definition.document import Document, KeyPath
from bootstrap.errors import DefinitionError, did_you_mean

_SUB = re.compile(r"\$\{([^}!]+)\}")
PSEUDO_PARAMETERS = (
    "AWS::AccountId",
    "AWS::Partition",
    "AWS::Region",
    "AWS::StackName",
    "AWS::URLSuffix",
)


@dataclass(frozen=True)
class Resource:
    """One resource.

    Attributes:
        logical_id: its name in the template.
        type: CloudFormation resource type, ``AWS::SQS::Queue``.
        properties: CloudFormation properties; may hold ``Ref``, ``Fn::GetAtt``, ``Fn::Sub``,
            ``Fn::Join``.
        path: where in the definition file it comes from.
        depends_on: logical ids to create before it, besides those it refers to.
    """

    logical_id: str
    type: str
    properties: dict[str, Any]
    path: KeyPath
    depends_on: tuple[str, ...] = ()


@dataclass
class Template:
    """All resources of a service, by logical id."""

    service: str
    region: str
    stage: str
    document: Document
    resources: dict[str, Resource] = field(default_factory=dict)

    def add(self, resource: Resource) -> None:
        """Add one resource.

        Raises:
            DefinitionError: the logical id is taken, or a CloudFormation function is written
                wrongly.
        """
        if other := self.resources.get(resource.logical_id):
            self._refuse_second(resource, other)
        if problem := function_problem(resource.properties):
            self.fail(resource, problem)
        self.resources[resource.logical_id] = resource

    def _refuse_second(self, resource: Resource, other: Resource) -> NoReturn:
        path = resource.path
        if len(path) > 2 and path[:3] == other.path[:3] and path[0] == "functions":
            self.document.fail(
                f"functions.{path[1]}: the trigger on line {self.document.line(other.path)} has the"
                f" same source, and both would make {resource.logical_id}: one would take the"
                " other's place. Remove one of them, or give it another function.",
                *path,
            )
        self.document.fail(f"{resource.logical_id} is defined twice: rename one.", *path)

    def fail(self, resource: Resource, message: str) -> NoReturn:
        """Refuse a resource.

        Raises:
            DefinitionError: always.
        """
        raise self.error(resource, message)

    def error(self, resource: Resource, message: str) -> DefinitionError:
        """What :meth:`fail` raises."""
        sentence = f"{resource.logical_id} ({resource.type}): {message}"
        return self.document.error(sentence, *resource.path)

    def missing(self) -> Iterator[tuple[Resource, str]]:
        """Every resource with a logical id that it refers to and that is not defined."""
        for resource in self.resources.values():
            for need in sorted(needs(resource) - self.resources.keys()):
                yield resource, need

    def unknown_reference(self, resource: Resource, need: str) -> DefinitionError:
        """The error about a reference to ``need``, which is not defined."""
        return self.error(
            resource,
            f"refers to {need}, which is not defined. Defined: "
            f"{', '.join(sorted(self.resources))}.{did_you_mean(need, self.resources)}",
        )

    def ordered(self) -> list[Resource]:
        """The resources, each after everything it refers to.

        Raises:
            DefinitionError: a reference to nothing, or a cycle.
        """
        for resource, need in self.missing():
            raise self.unknown_reference(resource, need)
        graph = {name: needs(resource) for name, resource in self.resources.items()}
        try:
            return [self.resources[name] for name in TopologicalSorter(graph).static_order()]
        except CycleError as error:
            cycle = error.args[1]
            self.fail(self.resources[cycle[0]], f"refers to itself: {' → '.join(cycle)}.")
            raise


def needs(resource: Resource) -> set[str]:
    """Logical ids that must exist before ``resource``."""
    return set(resource.depends_on) | set(references(resource.properties))


#: How the functions that are understood here are written.
_FORMS = {
    "Ref": "the logical id of a resource, or a pseudo parameter",
    "Fn::GetAtt": "[<logical id>, <attribute>]",
    "Fn::Sub": "text, or [<text>, {<name>: <value>}]",
    "Fn::Join": "[<separator>, [<value>, …]]",
    "Fn::Select": "[<index>, <list>]",
    "Fn::Split": "[<separator>, <text>]",
    "Fn::Base64": "text",
    "Fn::GetAZs": "a region, or nothing",
    "Fn::ImportValue": "the name of another project's export",
}
#: What stands before the name of an export among known values.
IMPORTED = "Fn::ImportValue:"


def function_problem(node: Any) -> str | None:
    """The problem with the CloudFormation functions in a property value, or None."""
    if isinstance(node, list):
        return next((p for p in map(function_problem, node) if p), None)
    if not isinstance(node, dict):
        return None
    for key, value in node.items():
        if key == "Ref" or key.startswith("Fn::"):
            if key not in _FORMS:
                return f"{key} is not supported here. Supported: {', '.join(_FORMS)}."
            if len(node) > 1:
                return f"{key} must be the only key of its mapping."
            if not _well_formed(key, value):
                return f"{key} takes {_FORMS[key]}."
    return next((p for p in map(function_problem, node.values()) if p), None)


def _well_formed(function: str, value: Any) -> bool:
    match function, value:
        case "Ref", str():
            return True
        case "Fn::GetAtt", [str(), str()]:
            return True
        case "Fn::Sub", str() | [str(), dict()]:
            return True
        case "Fn::Join", [str(), list()] | [str(), dict()]:
            return True
        case "Fn::Select", [int() | str(), list() | dict()]:
            return str(value[0]).isdecimal()
        case "Fn::Split", [str(), str() | dict()]:
            return True
        case (("Fn::Base64" | "Fn::GetAZs" | "Fn::ImportValue"), str() | dict()):
            return True
    return False


def references(node: Any) -> Iterator[str]:
    """Logical ids that a property value refers to."""
    if isinstance(node, list):
        for item in node:
            yield from references(item)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key == "Ref":
                if value not in PSEUDO_PARAMETERS:
                    yield value
            elif key == "Fn::GetAtt":
                yield value[0]
            elif key == "Fn::Sub":
                text, extra = value if isinstance(value, list) else (value, {})
                yield from references(extra)
                for name in _SUB.findall(text):
                    if name not in PSEUDO_PARAMETERS and name not in extra:
                        yield name.split(".", 1)[0]
            else:
                yield from references(value)


@dataclass(frozen=True)
class Physical:
    """The values of a created resource for ``Ref`` and ``Fn::GetAtt``."""

    ref: str
    attributes: dict[str, str] = field(default_factory=dict)


class UnknownAttributeError(LookupError):
    """``Fn::GetAtt`` of an attribute that the resource type does not have."""


def resolve(node: Any, created: dict[str, Physical], pseudo: dict[str, str]) -> Any:
    """Replace CloudFormation functions by the values of created resources.

    Raises:
        UnknownAttributeError: an attribute that the resource does not have.
    """
    if isinstance(node, list):
        return [resolve(item, created, pseudo) for item in node]
    if not isinstance(node, dict):
        return node
    if len(node) == 1:
        (key, value), *_ = node.items()
        if key == "Ref":
            return _attribute(value, created, pseudo)
        if key == "Fn::GetAtt":
            return _attribute(f"{value[0]}.{value[1]}", created, pseudo)
        if key == "Fn::Join":
            return str(value[0]).join(str(part) for part in resolve(value[1], created, pseudo))
        if key == "Fn::Select":
            return _selected(int(value[0]), resolve(value[1], created, pseudo))
        if key == "Fn::Split":
            return str(resolve(value[1], created, pseudo)).split(value[0])
        if key == "Fn::Base64":
            text = str(resolve(value, created, pseudo))
            return base64.b64encode(text.encode()).decode("ascii")
        if key == "Fn::ImportValue":
            return pseudo[f"{IMPORTED}{resolve(value, created, pseudo)}"]
        if key == "Fn::GetAZs":
            region = resolve(value, created, pseudo) or pseudo["AWS::Region"]
            return [f"{region}{letter}" for letter in "abc"]
        if key == "Fn::Sub":
            text, extra = value if isinstance(value, list) else (value, {})
            own = {name: str(resolve(v, created, pseudo)) for name, v in extra.items()}
            return _SUB.sub(
                lambda m: own[m[1]] if m[1] in own else _attribute(m[1], created, pseudo), text
            ).replace("${!", "${")
    return {key: resolve(value, created, pseudo) for key, value in node.items()}


def _selected(index: int, items: list[Any]) -> Any:
    if index >= len(items):
        raise UnknownAttributeError(f"Fn::Select: there is no item {index} in {items}.")
    return items[index]


def _attribute(name: str, created: dict[str, Physical], pseudo: dict[str, str]) -> str:
    if name in pseudo:
        return pseudo[name]
    logical_id, _, attribute = name.partition(".")
    physical = created[logical_id]
    if not attribute:
        return physical.ref
    if attribute not in physical.attributes:
        raise UnknownAttributeError(
            f"{logical_id} has no attribute {attribute}. It has: "
            f"{', '.join(sorted(physical.attributes)) or 'none'}."
        )
    return physical.attributes[attribute]
