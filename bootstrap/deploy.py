"""Creates the resources of a template, in order, and says what each one took."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    WaiterError,
)

from bootstrap.errors import DefinitionError, DeployError
from bootstrap.services import RESOURCE_TYPES
from bootstrap.services.base import Context, Outcome, ReplacementError
from bootstrap.services.lambda_ import FunctionFailedError
from bootstrap.template import Physical, Resource, Template, UnknownAttributeError, resolve

type Progress = Callable[[Resource, Outcome], None]


@dataclass
class Deployment:
    """What a run did.

    Attributes:
        created: what each resource answers to ``Ref`` and ``Fn::GetAtt``, by logical id.
        outcomes: what each resource took, by logical id.
    """

    created: dict[str, Physical] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)

    def count(self, outcome: Outcome) -> int:
        return sum(1 for value in self.outcomes.values() if value is outcome)


def check(template: Template) -> list[Resource]:
    """Find everything that is wrong before anything is created.

    Returns:
        The resources in the order to create them in.

    Raises:
        DefinitionError: an unknown resource type or property, or a reference to nothing.
    """
    for resource in template.resources.values():
        kind = RESOURCE_TYPES.get(resource.type)
        if kind is None:
            template.fail(
                resource,
                f"the resource type is not supported here. Supported: "
                f"{', '.join(sorted(RESOURCE_TYPES))}.",
            )
        elif problem := kind.problem(resource.properties):
            template.fail(resource, problem)
    return template.ordered()


def deploy(template: Template, context: Context, progress: Progress) -> Deployment:
    """Create or change what differs from the template.

    Args:
        progress: called after each resource.

    Raises:
        DefinitionError: before anything was created.
        DeployError: a resource was refused; its sentence says what was created before.
    """
    deployment = Deployment()
    for resource in check(template):
        try:
            properties = resolve(resource.properties, deployment.created, context.pseudo)
            outcome, physical = RESOURCE_TYPES[resource.type].ensure(
                context, resource.logical_id, properties
            )
        except UnknownAttributeError as error:
            template.fail(resource, str(error))
            raise
        except EndpointConnectionError:
            raise DeployError(
                f"Nothing answers at {context.settings.endpoint_url}. "
                f"Start the stack with: make up. {_so_far(deployment)}"
            ) from None
        except ClientError as error:
            answer = error.response.get("Error", {})
            message = f"{error.operation_name}: {answer.get('Code')}: {answer.get('Message')}"
            raise _refused(template, resource, message, deployment) from error
        except (
            BotoCoreError,
            FunctionFailedError,
            ReplacementError,
            RuntimeError,
            WaiterError,
        ) as error:
            raise _refused(template, resource, str(error), deployment) from error
        deployment.created[resource.logical_id] = physical
        deployment.outcomes[resource.logical_id] = outcome
        progress(resource, outcome)
    return deployment


def _refused(
    template: Template, resource: Resource, message: str, deployment: Deployment
) -> DeployError:
    place = DefinitionError(
        f"{resource.logical_id} ({resource.type}): {message.rstrip('.')}.",
        file=template.document.path.name,
        line=template.document.line(resource.path),
    )
    return DeployError(f"{place} {_so_far(deployment)}")


def _so_far(deployment: Deployment) -> str:
    made = [
        name
        for name, outcome in deployment.outcomes.items()
        if outcome in (Outcome.CREATED, Outcome.CHANGED)
    ]
    if not made:
        return "Nothing was created or changed."
    return (
        f"Created or changed before that: {', '.join(made)}. "
        "They stay; the next run continues from there."
    )
