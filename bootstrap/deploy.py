"""Creates the resources of a template, in order, and says what each one took."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from graphlib import TopologicalSorter

from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError

from bootstrap.errors import DefinitionError, DeployError, TriggerStackError
from bootstrap.services import RESOURCE_TYPES
from bootstrap.services.base import Context, Outcome, ReplacementError
from bootstrap.services.lambda_ import FunctionFailedError
from bootstrap.template import Physical, Resource, Template, UnknownAttributeError, needs, resolve

_WORKERS = 6

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
    ordered = {resource.logical_id: resource for resource in check(template)}
    graph = TopologicalSorter({name: needs(resource) for name, resource in ordered.items()})
    graph.prepare()
    # Most of the time goes into waiting for the emulator: independent resources wait together.
    with ThreadPoolExecutor(_WORKERS, thread_name_prefix="deploy") as pool:
        running: dict[Future[tuple[Outcome, Physical]], Resource] = {}
        failure: TriggerStackError | None = None
        while True:
            for name in graph.get_ready() if failure is None else ():
                resource = ordered[name]
                created = dict(deployment.created)
                running[pool.submit(_ensure, template, resource, created, context)] = resource
            if not running:
                break
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                resource = running.pop(future)
                try:
                    outcome, physical = future.result()
                except TriggerStackError as error:
                    # Nothing new is begun; what is under way ends, so that the report is whole.
                    failure = failure or error
                    continue
                deployment.created[resource.logical_id] = physical
                deployment.outcomes[resource.logical_id] = outcome
                progress(resource, outcome)
                graph.done(resource.logical_id)
    if isinstance(failure, DeployError):
        raise DeployError(f"{failure} {_so_far(deployment)}") from failure.__cause__
    if isinstance(failure, DefinitionError):
        raise DefinitionError(
            f"{failure.message} {_so_far(deployment)}", file=failure.file, line=failure.line
        ) from failure.__cause__
    if failure is not None:
        raise failure
    return deployment


def _ensure(
    template: Template, resource: Resource, created: dict[str, Physical], context: Context
) -> tuple[Outcome, Physical]:
    try:
        properties = resolve(resource.properties, created, context.pseudo)
        return RESOURCE_TYPES[resource.type].ensure(context, resource.logical_id, properties)
    except UnknownAttributeError as error:
        template.fail(resource, str(error))
    except EndpointConnectionError:
        raise DeployError(
            f"Nothing answers at {context.settings.endpoint_url}. Start the stack with: make up."
        ) from None
    except ClientError as error:
        answer = error.response.get("Error", {})
        message = f"{error.operation_name}: {answer.get('Code')}: {answer.get('Message')}"
        raise _refused(template, resource, message) from error
    except (BotoCoreError, FunctionFailedError, ReplacementError, RuntimeError) as error:
        raise _refused(template, resource, str(error)) from error


def _refused(template: Template, resource: Resource, message: str) -> DeployError:
    return DeployError(
        str(
            DefinitionError(
                f"{resource.logical_id} ({resource.type}): {message.rstrip('.')}.",
                file=template.document.path.name,
                line=template.document.line(resource.path),
            )
        )
    )


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
