"""Each resource has a type that the stack can create, and properties that this type has."""

from __future__ import annotations

from bootstrap.checks.places import written_at
from bootstrap.errors import DefinitionErrors, did_you_mean
from bootstrap.services import RESOURCE_TYPES
from bootstrap.services.base import Properties, ResourceType
from bootstrap.template import Resource, Template


def check_resource(template: Template, resource: Resource) -> None:
    """Check the type of a resource, and the names and shapes of its properties.

    Raises:
        DefinitionError: an unknown resource type or property, or a value of the wrong shape.
    """
    kind = RESOURCE_TYPES.get(resource.type)
    if kind is None:
        template.document.fail(
            f"{resource.logical_id} ({resource.type}): the resource type is not supported here. "
            f"Supported: {_supported(resource.type)}."
            f"{did_you_mean(resource.type, RESOURCE_TYPES)}",
            *(*resource.path, "Type"),
        )
    check_properties(template, resource, kind, resource.properties)


def _supported(kind: str) -> str:
    """The types of the same service; of another one, the services."""
    service = kind.rpartition("::")[0]
    same = [name for name in RESOURCE_TYPES if name.rpartition("::")[0] == service]
    return ", ".join(sorted(same or {f"{name.rpartition('::')[0]}::…" for name in RESOURCE_TYPES}))


def check_properties(
    template: Template, resource: Resource, kind: ResourceType, properties: Properties
) -> None:
    """Check the properties of one resource, its references resolved or not.

    Raises:
        DefinitionErrors: each with the line of the property.
    """
    whole = (*resource.path, "Properties")
    problems = [
        template.document.error(
            f"{resource.logical_id} ({resource.type}): {problem.message}",
            *(written_at(template.document, resource, *problem.path) if problem.path else whole),
        )
        for problem in kind.problems(properties)
    ]
    if problems:
        raise DefinitionErrors(problems)
