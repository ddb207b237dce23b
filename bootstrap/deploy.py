"""Makes the account be as a template describes, in order, and says what each resource took."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from graphlib import TopologicalSorter

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    ParamValidationError,
)

from bootstrap.checks import check
from bootstrap.checks.resources import check_properties
from bootstrap.errors import DefinitionError, DeployError, TriggerStackError
from bootstrap.record import Made, Record
from bootstrap.services import RESOURCE_TYPES
from bootstrap.services.base import (
    Context,
    Outcome,
    ReplacementError,
)
from bootstrap.services.lambda_ import FunctionFailedError
from bootstrap.template import Physical, Resource, Template, UnknownAttributeError, needs, resolve

_WORKERS = 6

type Progress = Callable[[Resource, Outcome], None]


@dataclass(frozen=True)
class Leftover:
    """Something of an earlier run that the template has no longer.

    Attributes:
        removed: whether a trigger or permission was taken away.
        stays: whether the resource is still there, because it may hold data.
    """

    made: Made
    removed: bool
    stays: bool

    def __str__(self) -> str:
        name = f"{self.made.logical_id} ({self.made.type})"
        if not self.stays:
            return f"removed {name}: it is no longer described"
        command = RESOURCE_TYPES[self.made.type].delete_with.format(**self.made.key)
        triggers = "its triggers are removed; " if self.removed else ""
        return f"kept {name}: no longer described; {triggers}delete it with: awslocal {command}"


@dataclass
class Deployment:
    """The result of a run.

    Attributes:
        created: the values of each resource for ``Ref`` and ``Fn::GetAtt``, by logical id.
        outcomes: created, changed or unchanged, by logical id.
        made: the entries for the record, in the order of creation, which varies.
        leftovers: resources of an earlier run that the template no longer has.
    """

    created: dict[str, Physical] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    made: list[Made] = field(default_factory=list)
    leftovers: list[Leftover] = field(default_factory=list)

    def count(self, outcome: Outcome) -> int:
        """How many resources had this outcome."""
        return sum(1 for value in self.outcomes.values() if value is outcome)


def apply(template: Template, context: Context, progress: Progress) -> Deployment:
    """Create or change what differs, then take away triggers that are no longer described.

    Args:
        progress: called after each resource that the template has.

    Raises:
        DefinitionError: before anything was created.
        DeployError: a resource was refused; its sentence says what was created before.
    """
    check(template)
    record = Record(context.client("logs"), template.service, template.stage)
    before = record.read()
    deployment = Deployment()
    try:
        deploy(template, context, progress, deployment)
    except TriggerStackError:
        # Nothing is taken away, and what both runs made stays known to the next one.
        with suppress(BotoCoreError, ClientError):  # the failure itself is what the user must see
            record.write([*before, *_without(deployment.made, before)])
        raise
    for made in reversed(_without(before, deployment.made)):  # routes before the API they belong to
        leftover = _drop(made, context)
        if leftover.removed or leftover.stays:
            deployment.leftovers.append(leftover)
    kept = [leftover.made for leftover in reversed(deployment.leftovers) if leftover.stays]
    record.write([*kept, *deployment.made])
    return deployment


def _without(made: list[Made], others: list[Made]) -> list[Made]:
    return [one for one in made if not any(one.same_thing(other) for other in others)]


def _drop(made: Made, context: Context) -> Leftover:
    kind = RESOURCE_TYPES.get(made.type)
    if kind is None:  # an earlier version of the bootstrap knew it
        return Leftover(made, removed=False, stays=False)
    try:
        return Leftover(
            made,
            removed=kind.remove(context, made.key) if kind.remove else False,
            stays=kind.exists(context, made.key) if kind.exists else False,
        )
    except (BotoCoreError, ClientError) as error:
        raise DeployError(
            f"{made.logical_id} ({made.type}) is no longer described and cannot be removed: {error}"
        ) from error


def deploy(
    template: Template,
    context: Context,
    progress: Progress,
    deployment: Deployment | None = None,
) -> Deployment:
    """Create or change what differs from the template.

    Args:
        progress: called after each resource.
        deployment: filled on the way, so that it tells what was done when this raises.

    Raises:
        DefinitionError: before anything was created.
        DeployError: a resource was refused; its sentence says what was created before.
    """
    deployment = deployment or Deployment()
    ordered = {resource.logical_id: resource for resource in check(template)}
    graph = TopologicalSorter({name: needs(resource) for name, resource in ordered.items()})
    graph.prepare()
    # Most of the time goes into waiting for the emulator: independent resources wait together.
    with ThreadPoolExecutor(_WORKERS, thread_name_prefix="deploy") as pool:
        running: dict[Future[tuple[Outcome, Physical, list[Made]]], Resource] = {}
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
                    outcome, physical, made = future.result()
                except TriggerStackError as error:
                    # Nothing new is begun; what is under way ends, so that the report is whole.
                    failure = failure or error
                    continue
                deployment.created[resource.logical_id] = physical
                deployment.outcomes[resource.logical_id] = outcome
                deployment.made += made
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
) -> tuple[Outcome, Physical, list[Made]]:
    kind, name = RESOURCE_TYPES[resource.type], resource.logical_id
    try:
        properties = resolve(resource.properties, created, context.pseudo)
        # A reference resolves to text, also where the property needs a number.
        check_properties(template, resource, kind, properties)
        outcome, physical = kind.ensure(context, name, properties)
        keys = kind.keys(name, properties, physical)
        return outcome, physical, [Made(resource.type, name, key) for key in keys]
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
    except ParamValidationError as error:
        _, *problems = str(error).splitlines()
        template.fail(resource, f"{'; '.join(problems)}.")
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
