"""Makes the account be as a template describes, in order, and says what each resource took."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from graphlib import TopologicalSorter
from heapq import heappop, heappush
from itertools import count

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    ParamValidationError,
)

from bootstrap import removal
from bootstrap.checks import check
from bootstrap.checks.resources import check_properties
from bootstrap.errors import DefinitionError, DeployError, TriggerStackError
from bootstrap.nothing_there import NothingThere
from bootstrap.plan import Action, Looked, Plan, Planner
from bootstrap.record import Begun, Made, Record
from bootstrap.removal import Leftover, can_delete, delete, lost_with
from bootstrap.services import RESOURCE_TYPES
from bootstrap.services.base import (
    Context,
    Outcome,
    Properties,
    ReplacementError,
)
from bootstrap.services.lambda_ import FunctionFailedError
from bootstrap.template import Physical, Resource, Template, UnknownAttributeError, needs, resolve

#: Some of them wait until a function can be invoked, which is to hold up nothing else.
_WORKERS = 12

#: What takes longer than others: a package is unpacked, an environment prepared, a table made.
_TAKES = {
    "AWS::Lambda::LayerVersion": 5,
    "AWS::Lambda::Function": 3,
    "AWS::DynamoDB::Table": 2,
}

type Progress = Callable[[Resource, Outcome], None]


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


def plan(template: Template, context: Context, *, prune: bool = False) -> Plan:
    """What :func:`apply` would do; reads the account and changes nothing.

    Args:
        prune: also what may hold data is to go when it is no longer described.

    Raises:
        DefinitionError: the template cannot be created.
        DeployError: the account cannot be read.
    """
    ordered = check(template)
    before = _before(template, context, _record(template, context))
    return _plan(template, ordered, context, before, prune=prune)


def _record(template: Template, context: Context) -> Record:
    return Record(context.client("logs"), template.service, template.stage)


def _plan(
    template: Template,
    ordered: list[Resource],
    context: Context,
    before: list[Made],
    *,
    prune: bool,
) -> Plan:
    planner = Planner(template, context, before, prune=prune)

    def done(resource: Resource, looked: Looked) -> Physical:
        planner.add(resource, looked)
        return looked.physical

    in_order(ordered, planner.look, done, {})
    return planner.finish()


def apply(
    template: Template,
    context: Context,
    progress: Progress,
    *,
    prune: bool = False,
    announce: Callable[[Plan], None] = lambda plan: None,
    empty: bool = False,
    checked: bool = False,
) -> Deployment:
    """Create or change what differs, then take away what is no longer described.

    Args:
        progress: called after each resource that the template has.
        prune: delete what is no longer described though it may hold data, and replace it.
        announce: called with the plan before anything is changed.
        empty: nothing was ever made in this account: it need not be read to know that everything
            is to be created.
        checked: :func:`bootstrap.checks.examine` has found no error in the template.

    Raises:
        DefinitionError: before anything was created.
        DeployError: a resource was refused; its sentence says what was created before.
    """
    ordered = template.ordered() if checked else check(template)
    _ = context.account  # asked once, before many ask for it at once
    record = _record(template, context)
    before = [] if empty else _before(template, context, record)
    if empty:
        planned = Planner(template, context, before, prune=prune).all_new()
    else:
        planned = _plan(template, ordered, context, before, prune=prune)
    announce(planned)
    new = [
        r for r in ordered if planned.steps[r.logical_id].action in (Action.CREATE, Action.REPLACE)
    ]
    if new:  # a run that is killed leaves behind what it was about to make
        record.write(before)  # with what was found of another that was killed
        record.begin([_as_begun(resource) for resource in new])
    deployment = Deployment()
    known = _Known(planned, before, prune, empty)
    try:
        _deploy(template, ordered, context, progress, deployment, known)
        _drop_leftovers(before, template, deployment, context, prune=prune)
    except TriggerStackError:
        # What both runs made stays known to the next one.
        with suppress(BotoCoreError, ClientError):  # the failure itself is what the user must see
            record.write([*before, *_without(deployment.made, before)])
        raise
    kept = [leftover.made for leftover in reversed(deployment.leftovers) if leftover.stays]
    record.write([*kept, *deployment.made])
    if record.begun():
        record.end()
    return deployment


def _drop_leftovers(
    before: list[Made],
    template: Template,
    deployment: Deployment,
    context: Context,
    *,
    prune: bool,
) -> None:
    for made in removal.in_order(_without(before, deployment.made)):
        try:
            leftover = removal.drop(made, context, prune=prune)
        except (BotoCoreError, ClientError) as error:
            raise DeployError(
                f"{made.logical_id} ({made.type}) is no longer described and cannot be removed: "
                f"{error}"
            ) from error
        if leftover.removed or leftover.stays:
            described = template.resources.get(made.logical_id)
            old = described is not None and described.type == made.type
            deployment.leftovers.append(replace(leftover, old=old))


def _without(made: list[Made], others: list[Made]) -> list[Made]:
    return [one for one in made if not any(one.same_thing(other) for other in others)]


# -- a run that was killed ------------------------------------------------------------------------


def _as_begun(resource: Resource) -> Begun:
    return {
        **asdict(resource),
        "path": list(resource.path),
        "depends_on": list(resource.depends_on),
    }


def _before(template: Template, context: Context, record: Record) -> list[Made]:
    """What the last run made, and what a run that was killed had made by then."""
    before = record.read()
    begun = [
        Resource(
            one["logical_id"],
            one["type"],
            one["properties"],
            tuple(one["path"]),
            tuple(one["depends_on"]),
        )
        for one in record.begun()
    ]
    begun = [one for one in begun if one.type in RESOURCE_TYPES]
    if not begun:
        return before
    return [*before, *_without(_made_of(begun, template, context, before), before)]


def _made_of(
    begun: list[Resource], template: Template, context: Context, before: list[Made]
) -> list[Made]:
    """What there is of ``begun``, found as a plan finds it."""
    known = {one.logical_id: Physical(one.ref, one.attributes) for one in before if one.ref}
    names = {one.logical_id for one in begun}
    lost = Template(template.service, template.region, template.stage, template.document)
    lost.resources = {one.logical_id: one for one in begun}
    planner = Planner(lost, context, [], prune=False)
    graph = {one.logical_id: needs(one) & names for one in begun}
    found: list[Made] = []
    for name in TopologicalSorter(graph).static_order():
        resource = lost.resources[name]
        elsewhere = needs(resource) - names
        if not elsewhere <= known.keys():  # what it needs is not there, so it was not made either
            continue
        for need in elsewhere:
            planner.assume(need)
        try:
            looked = planner.look(resource, known)
        except (TriggerStackError, KeyError):
            planner.assume(name)
            continue
        planner.add(resource, looked)
        known[name] = looked.physical
        found += looked.made
    return found


# -- the engine -----------------------------------------------------------------------------------


def in_order[R](
    ordered: list[Resource],
    work: Callable[[Resource, dict[str, Physical]], R],
    done: Callable[[Resource, R], Physical],
    created: dict[str, Physical],
) -> None:
    """Do something with each resource once it is done with those that it needs, many at a time.

    Of those that could be next the one comes first that the longest chain of others waits for.

    Args:
        work: called in a thread, with the values of what is done.
        done: called in this thread; returns the values of the resource.
        created: filled with the values.

    Raises:
        TriggerStackError: the first that ``work`` raised, once what was under way has ended.
    """
    resources = {resource.logical_id: resource for resource in ordered}
    needed = {name: needs(resource) for name, resource in resources.items()}
    graph = TopologicalSorter(needed)
    graph.prepare()
    urgency = _urgency(needed, {name: one.type for name, one in resources.items()})
    ready: list[tuple[int, int, str]] = []  # a heap
    turn = count()
    # Most of the time goes into waiting for the emulator: independent resources wait together.
    pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="deploy")
    try:
        running: dict[Future[R], Resource] = {}
        failure: TriggerStackError | None = None
        while True:
            for name in graph.get_ready():
                heappush(ready, (-urgency[name], next(turn), name))
            while ready and len(running) < _WORKERS and failure is None:
                *_, name = heappop(ready)
                future = pool.submit(work, resources[name], dict(created))
                running[future] = resources[name]
            if not running:
                break
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                resource = running.pop(future)
                try:
                    result = future.result()
                except TriggerStackError as error:
                    # Nothing new is begun; what is under way ends, so that the report is whole.
                    failure = failure or error
                    continue
                created[resource.logical_id] = done(resource, result)
                graph.done(resource.logical_id)
    finally:
        pool.shutdown(cancel_futures=True)  # after Ctrl-C, nothing new is begun either
    if failure is not None:
        raise failure


def _urgency(needed: dict[str, set[str]], types: dict[str, str]) -> dict[str, int]:
    """How long each takes with the longest chain of others that waits for it, by name."""
    own = {name: _TAKES.get(types[name], 1) for name in needed}
    urgency = dict(own)
    for name in reversed([*TopologicalSorter(needed).static_order()]):
        for need in needed[name]:
            urgency[need] = max(urgency[need], own[need] + urgency[name])
    return urgency


@dataclass
class _Known:
    """What a plan knows, so that not everything is asked twice."""

    plan: Plan
    before: list[Made]
    prune: bool
    empty: bool


type _Done = tuple[Outcome, Physical, list[Made]]


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
    _deploy(template, check(template), context, progress, deployment, None)
    return deployment


def _deploy(
    template: Template,
    ordered: list[Resource],
    context: Context,
    progress: Progress,
    deployment: Deployment,
    known: _Known | None,
) -> None:
    def work(resource: Resource, created: dict[str, Physical]) -> _Done:
        name = resource.logical_id
        if known and known.plan.steps[name].action is Action.NONE:
            around = {deployment.outcomes[need] for need in needs(resource)}
            if around <= {Outcome.UNCHANGED}:
                return Outcome.UNCHANGED, known.plan.physical[name], known.plan.made[name]
        return _ensure(template, resource, created, context, known)

    def done(resource: Resource, result: _Done) -> Physical:
        outcome, physical, made = result
        deployment.outcomes[resource.logical_id] = outcome
        deployment.made += made
        progress(resource, outcome)
        return physical

    try:
        in_order(ordered, work, done, deployment.created)
    except DeployError as failure:
        raise DeployError(f"{failure} {_so_far(deployment)}") from failure.__cause__
    except DefinitionError as failure:
        raise DefinitionError(
            f"{failure.message} {_so_far(deployment)}", file=failure.file, line=failure.line
        ) from failure.__cause__


def _ensure(
    template: Template,
    resource: Resource,
    created: dict[str, Physical],
    context: Context,
    known: _Known | None = None,
) -> _Done:
    kind, name = RESOURCE_TYPES[resource.type], resource.logical_id
    try:
        # A reference resolves to text, also where the property needs a number.
        properties = kind.converted(resolve(resource.properties, created, context.pseudo))
        check_properties(template, resource, kind, properties)
        ensure = partial(_made, resource.type, name, properties, context)
        try:
            outcome, physical = ensure(empty=known is not None and known.empty)
        except ReplacementError as error:
            _make_room(resource, context, known, error)
            _, physical = ensure()
            outcome = Outcome.REPLACED
        keys = kind.keys(name, properties, physical)
        values = dict(physical.attributes)
        return outcome, physical, [Made(resource.type, name, k, physical.ref, values) for k in keys]
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


def _made(
    kind: str, name: str, properties: Properties, context: Context, *, empty: bool = False
) -> tuple[Outcome, Physical]:
    """Make a resource be as described; in an empty account without looking for it."""
    ensure = RESOURCE_TYPES[kind].ensure
    if empty:
        # Else somebody has made it meanwhile, which its own questions find out.
        with suppress(ClientError):
            return ensure(NothingThere.like(context, kind), name, properties)
    return ensure(context, name, properties)


def _make_room(
    resource: Resource, context: Context, known: _Known | None, error: ReplacementError
) -> None:
    """Delete what is to be replaced, unless that would lose data that nobody gave up.

    Raises:
        ReplacementError: it stays.
    """
    kind = RESOURCE_TYPES[resource.type]
    recorded = [
        made
        for made in (known.before if known else ())
        if made.type == resource.type and made.logical_id == resource.logical_id
    ]
    if known is None or not recorded or not can_delete(kind):
        raise error
    lost = lost_with(context, kind, recorded[0].key)
    if lost and not known.prune:
        raise ReplacementError(
            f"{str(error).rstrip('.')}, or have it replaced, which loses {lost}: make up PRUNE=all"
        )
    delete(context, kind, recorded[0].key)


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
        name for name, outcome in deployment.outcomes.items() if outcome is not Outcome.UNCHANGED
    ]
    if not made:
        return "Nothing was created or changed."
    return (
        f"Created or changed before that: {', '.join(made)}. "
        "They stay; the next run continues from there."
    )
