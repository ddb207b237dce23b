"""Each resource has a type that the stack can create, and properties that this type has."""

from __future__ import annotations

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
        template.fail(
            resource,
            f"the resource type is not supported here. Supported: "
            f"{', '.join(sorted(RESOURCE_TYPES))}.",
        )
    check_properties(template, resource, kind, resource.properties)


def check_properties(
    template: Template, resource: Resource, kind: ResourceType, properties: Properties
) -> None:
    """Check the properties of one resource, its references resolved or not.

    Raises:
        DefinitionError: with the line of the property.
    """
    if problem := kind.problem(properties):
        path = (*resource.path, "Properties", *problem.path)
        template.document.fail(f"{resource.logical_id} ({resource.type}): {problem.message}", *path)
