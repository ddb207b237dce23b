"""What a run would do, before it does it: create, change, replace, delete, or nothing.

The account is asked by the types' own code, with clients that only read: see
:mod:`bootstrap.looking`. What was changed by hand shows as a change. docs/plan.md says more.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError

from bootstrap import looking
from bootstrap.errors import DefinitionError, DeployError
from bootstrap.looking import Answers, AnyAttributes, Looking, StopLookingError, knows_all
from bootstrap.record import Made
from bootstrap.removal import can_delete, lost_with
from bootstrap.services import RESOURCE_TYPES
from bootstrap.services.base import Context, Outcome, ReplacementError, error_code
from bootstrap.template import (
    Physical,
    Resource,
    Template,
    UnknownAttributeError,
    needs,
    resolve,
)

_MOST_DETAILS = 6
_LONGEST = 70


class Action(StrEnum):
    """What a run would do with a resource."""

    CREATE = "create"
    CHANGE = "change"
    REPLACE = "replace"
    DELETE = "delete"
    KEEP = "keep"
    NONE = "no change"


_ACTIONS = {
    Outcome.CREATED: Action.CREATE,
    Outcome.CHANGED: Action.CHANGE,
    Outcome.UNCHANGED: Action.NONE,
    Outcome.REPLACED: Action.REPLACE,
}


@dataclass(frozen=True)
class Step:
    """One line of a plan.

    Attributes:
        name: what AWS calls the resource, as far as it is known.
        details: what differs, a line each.
        lost: what is lost by it: ``3 items``.
        refused: why a run would refuse it.
        line: where it is described; None for what is no longer.
    """

    action: Action
    logical_id: str
    type: str
    name: str = ""
    details: tuple[str, ...] = ()
    lost: str = ""
    refused: str = ""
    line: int | None = None


@dataclass
class Plan:
    """What a run would do.

    Attributes:
        steps: every resource of the template, in its order.
        leftovers: what the template has no longer.
        physical: the values of what is there already, by logical id.
        made: the entries for the record of what is there already, by logical id.
    """

    steps: dict[str, Step] = field(default_factory=dict)
    leftovers: list[Step] = field(default_factory=list)
    physical: dict[str, Physical] = field(default_factory=dict)
    made: dict[str, list[Made]] = field(default_factory=dict)

    @property
    def everything(self) -> list[Step]:
        """All steps, what is deleted last."""
        return [*self.steps.values(), *self.leftovers]

    def count(self, action: Action) -> int:
        """How many resources this happens to."""
        return sum(1 for step in self.everything if step.action is action)

    @property
    def changes_nothing(self) -> bool:
        """Whether a run would do nothing at all."""
        return all(step.action in (Action.NONE, Action.KEEP) for step in self.everything)

    def summary(self) -> str:
        """``3 to create, 1 to change, 150 without a change``."""
        words = {
            Action.CREATE: "to create",
            Action.CHANGE: "to change",
            Action.REPLACE: "to replace",
            Action.DELETE: "to delete",
            Action.NONE: "without a change",
            Action.KEEP: "kept, though no longer described",
        }
        counts = [(self.count(action), text) for action, text in words.items()]
        return ", ".join(f"{count} {text}" for count, text in counts if count) or "nothing"

    def as_json(self, template: Template) -> str:
        """The plan as one object."""
        return json.dumps(
            {
                "service": template.service,
                "stage": template.stage,
                **{action.name.lower(): self.count(action) for action in Action},
                "steps": [
                    {
                        "action": step.action.value,
                        "logicalId": step.logical_id,
                        "type": step.type,
                        "name": step.name,
                        "details": list(step.details),
                        "lost": step.lost,
                        "refused": step.refused,
                        "line": step.line,
                    }
                    for step in self.everything
                ],
            },
            indent=2,
            ensure_ascii=False,
        )


@dataclass(frozen=True)
class Looked:
    """What was found out about one resource."""

    step: Step
    physical: Physical
    made: list[Made]


class Planner:
    """Looks at one resource after the other, each after those that it needs.

    Args:
        before: the record of the last run.
        prune: whether data may be lost.
    """

    def __init__(
        self, template: Template, context: Context, before: list[Made], *, prune: bool
    ) -> None:
        self.template = template
        self.context = context
        self.before = before
        self.prune = prune
        self.plan = Plan()
        self._answers = Answers()
        self._assumed: set[str] = set()
        self._recorded: dict[tuple[str, str], list[Made]] = {}
        for made in before:
            self._recorded.setdefault((made.type, made.logical_id), []).append(made)

    def look(self, resource: Resource, created: dict[str, Physical]) -> Looked:
        """Find out what a run would do with ``resource``.

        Raises:
            DeployError: AWS cannot say.
            DefinitionError: the definition refers to an attribute that there is not.
        """
        kind, name = RESOURCE_TYPES[resource.type], resource.logical_id
        recorded = self._recorded.get((resource.type, name), [])
        made_anew = [
            need
            for need in needs(resource)
            if need not in self._assumed
            and self.plan.steps[need].action in (Action.CREATE, Action.REPLACE)
        ]
        view = Looking.like(self.context, self._answers)
        try:
            found = resolve(resource.properties, created, self.context.pseudo)
            properties = kind.converted(found)
        except UnknownAttributeError as error:
            if made_anew:
                return self._depends(resource, recorded, made_anew)
            self.template.fail(resource, str(error))
        if not knows_all(properties):
            return self._depends(resource, recorded, made_anew)
        lost = refused = ""
        details: tuple[str, ...] = ()
        physical: Physical | None = None
        try:
            outcome, physical = self._ensure(resource, properties, view, anew=bool(made_anew))
        except ReplacementError as error:
            outcome, (lost, refused) = Outcome.REPLACED, self._replacing(resource, recorded)
            details = (str(error).split(". ")[0],)
        if outcome is Outcome.CREATED:
            return self._created(resource, recorded)
        if outcome is Outcome.CHANGED:
            details = differences(view)
        if physical is None:
            physical = _recorded_values(recorded, anew=outcome is Outcome.REPLACED)
        step = Step(
            _ACTIONS[outcome],
            name,
            resource.type,
            _shown_name(physical),
            details,
            lost,
            refused,
            self.template.document.line(resource.path),
        )
        made = (
            []
            if outcome is Outcome.REPLACED
            else [
                Made(resource.type, name, key, physical.ref, dict(physical.attributes))
                for key in kind.keys(name, properties, physical)
            ]
        )
        return Looked(step, physical, made)

    def _ensure(
        self, resource: Resource, properties: dict[str, Any], view: Looking, *, anew: bool
    ) -> tuple[Outcome, Physical | None]:
        """What the type's own code says, and the values as far as they are known.

        Args:
            anew: whether something that the resource needs is made anew.
        """
        try:
            return RESOURCE_TYPES[resource.type].ensure(view, resource.logical_id, properties)
        except StopLookingError:
            return (Outcome.CREATED if view.creates else Outcome.CHANGED), None
        except ReplacementError:
            raise
        except EndpointConnectionError:
            raise DeployError(
                f"Nothing answers at {self.context.settings.endpoint_url}. Start the stack with: "
                "make up."
            ) from None
        except Exception as error:  # what a type does with a value that is not known yet
            if view.writes or anew:
                return (Outcome.CREATED if view.creates or anew else Outcome.CHANGED), None
            if isinstance(error, BotoCoreError | ClientError | RuntimeError):
                raise self._cannot_say(resource, error) from error
            raise

    def _depends(self, resource: Resource, recorded: list[Made], made_anew: list[str]) -> Looked:
        """A resource that refers to what is known only when it is made."""
        kind = RESOURCE_TYPES[resource.type]
        gone = kind.exists and recorded and not _exists(self.context, kind.exists, recorded[0])
        if not recorded or gone:
            return self._new(resource, recorded)
        step = Step(
            Action.CHANGE,
            resource.logical_id,
            resource.type,
            _short(recorded[0].ref),
            (f"refers to what is made anew: {', '.join(made_anew)}",),
            line=self.template.document.line(resource.path),
        )
        return Looked(step, _recorded_values(recorded), [])

    def _new(self, resource: Resource, recorded: list[Made]) -> Looked:
        """A resource that is not there; with the values of the last run more can be said."""
        line = self.template.document.line(resource.path)
        step = Step(
            Action.CREATE, resource.logical_id, resource.type, _given_name(resource), line=line
        )
        return Looked(step, _recorded_values(recorded), [])

    def _created(self, resource: Resource, recorded: list[Made]) -> Looked:
        """A resource that is not there; perhaps one of another name is, from the last run."""
        kind = RESOURCE_TYPES[resource.type]
        whole = (one for one in recorded if "Ref" in one.key and "Endpoint" not in one.key)
        old = next(whole, None)
        if not (old and kind.exists and _exists(self.context, kind.exists, old)):
            return self._new(resource, recorded)
        stays = kind.holds_data and not self.prune
        lost = "" if stays else lost_with(self.context, kind, old.key)
        what = "stays; make up PRUNE=all deletes it" if stays else "is deleted"
        step = Step(
            Action.REPLACE,
            resource.logical_id,
            resource.type,
            _given_name(resource),
            (f"the one with the old name, {_short(old.ref or old.key['Ref'])}, {what}",),
            lost,
            line=self.template.document.line(resource.path),
        )
        return Looked(step, Physical(looking.MARK, AnyAttributes()), [])

    def _replacing(self, resource: Resource, recorded: list[Made]) -> tuple[str, str]:
        """What is lost by replacing a resource, and why a run would not do it."""
        kind = RESOURCE_TYPES[resource.type]
        if not recorded or not can_delete(kind):
            return "", "make up does not replace it: it did not make it"
        try:
            lost = lost_with(self.context, kind, recorded[0].key)
        except (BotoCoreError, ClientError):
            lost = "what it holds"
        return lost, "make up replaces it only with PRUNE=all" if lost and not self.prune else ""

    def _cannot_say(self, resource: Resource, error: Exception) -> DeployError:
        message = str(error)
        if isinstance(error, ClientError):
            answer = error.response.get("Error", {})
            message = f"{error.operation_name}: {error_code(error)}: {answer.get('Message')}"
        return DeployError(
            str(
                DefinitionError(
                    f"{resource.logical_id} ({resource.type}): {message.rstrip('.')}.",
                    file=self.template.document.path.name,
                    line=self.template.document.line(resource.path),
                )
            )
        )

    def assume(self, name: str) -> None:
        """Take it that what ``name`` is is known already."""
        self._assumed.add(name)

    def all_new(self) -> Plan:
        """The plan when there is nothing yet; reads nothing."""
        for resource in self.template.resources.values():
            self.add(resource, self._new(resource, []))
        return self.finish()

    def add(self, resource: Resource, looked: Looked) -> None:
        """Take what was found out into the plan."""
        self.plan.steps[resource.logical_id] = looked.step
        self.plan.physical[resource.logical_id] = looked.physical
        self.plan.made[resource.logical_id] = looked.made

    def finish(self) -> Plan:
        """The whole plan, with what the template has no longer."""
        made = [one for several in self.plan.made.values() for one in several]
        for old in self.before:
            if (step := self._leftover(old, made)) is not None:
                self.plan.leftovers.append(step)
        order = {name: number for number, name in enumerate(self.template.resources)}
        self.plan.steps = dict(sorted(self.plan.steps.items(), key=lambda item: order[item[0]]))
        return self.plan

    def _leftover(self, old: Made, made: list[Made]) -> Step | None:
        """What happens to something of the last run; None: nothing, or the template has it."""
        kind = RESOURCE_TYPES.get(old.type)
        described = self.template.resources.get(old.logical_id)
        if kind is None or any(old.same_thing(one) for one in made):
            return None
        if described is not None and described.type == old.type:
            step = self.plan.steps[old.logical_id]
            if step.action is not Action.NONE or kind.exists:
                return None  # its own line says it
        elif kind.exists and not _exists(self.context, kind.exists, old):
            return None
        name = _short(old.ref or next(iter(map(str, old.key.values())), ""))
        if kind.exists and kind.holds_data and not self.prune:
            return Step(Action.KEEP, old.logical_id, old.type, name)
        lost = lost_with(self.context, kind, old.key) if kind.exists else ""
        return Step(Action.DELETE, old.logical_id, old.type, name, lost=lost)


def _exists(context: Context, exists: Any, made: Made) -> bool:
    try:
        return bool(exists(context, made.key))
    except (BotoCoreError, ClientError):
        return False


def _recorded_values(recorded: list[Made], *, anew: bool = False) -> Physical:
    """The values of the last run.

    Args:
        anew: only those that follow from the name are sure.
    """
    if recorded and recorded[0].ref:
        ref, attributes = recorded[0].ref, recorded[0].attributes
        if anew:
            attributes = AnyAttributes({k: v for k, v in attributes.items() if k == "Arn"})
        return Physical(ref, attributes)
    return Physical(looking.MARK, AnyAttributes())


def _shown_name(physical: Physical) -> str:
    return _short(physical.ref) if knows_all(physical.ref) else ""


#: Properties that name a resource.
_NAMES = ("Name", "FunctionName", "RouteKey", "StageName", "Path")


def _given_name(resource: Resource) -> str:
    kind = resource.type.rsplit("::", 1)[-1]
    for name in (f"{kind}Name", *_NAMES, f"{kind.removeprefix('Log')}Name", "LogGroupName"):
        if isinstance(value := resource.properties.get(name), str):
            return _short(value)
    return ""


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    text = " ".join(text.replace(looking.MARK, "(known after make up)").split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def differences(view: Looking) -> tuple[str, ...]:
    """What would be written that AWS does not have, a line each: ``Timeout: 3 → 6``."""
    lines: list[str] = []
    for call in view.writes:
        found: list[str] = []
        for name, value in call.content.items():
            found += _differences(name, value, [read.content for read in view.reads])
        verb = call.operation.split("_", 1)[0]
        lines += found or ([call.operation] if verb in ("delete", "remove", "detach") else [])
    lines = lines or [call.operation for call in view.writes]
    lines = list(dict.fromkeys(lines))
    if len(lines) > _MOST_DETAILS:
        lines = [*lines[: _MOST_DETAILS - 1], f"and {len(lines) - _MOST_DETAILS + 1} more"]
    return tuple(lines)


_MISSING = object()


def _differences(name: str, wanted: Any, reads: list[Any]) -> list[str]:
    if isinstance(wanted, bytes):
        return ["the code differs"]
    found = (v for read in reversed(reads) if (v := _find(name, read)) is not _MISSING)
    actual = next(found, _MISSING)
    if actual is _MISSING and name.endswith(_IDENTITIES):
        return []
    return _compared(name, wanted, None if actual is _MISSING else actual)


#: The ends of arguments that say which resource is meant.
_IDENTITIES = ("Name", "Rule", "Arn", "Id", "Url", "UUID", "Bucket")


def _compared(name: str, wanted: Any, actual: Any) -> list[str]:
    if (isinstance(wanted, str) and isinstance(actual, dict | list)) or _is_json(wanted, actual):
        wanted, actual = _parsed(wanted), _parsed(actual)
    if wanted == actual or (_empty(wanted) and _empty(actual)):
        return []
    if isinstance(wanted, dict) and isinstance(actual, dict):
        names = [*wanted, *(key for key in actual if key not in wanted and _is_whole(name))]
        return [
            line
            for key in names
            for line in _compared(f"{name}.{key}", wanted.get(key), actual.get(key))
        ]
    if isinstance(wanted, list) and isinstance(actual, list):
        arns = [one.get("Arn") if isinstance(one, dict) else one for one in actual]
        if wanted == arns:
            return []
    return [f"{name}: {_short(actual)} → {_short(wanted)}"]


def _is_whole(name: str) -> bool:
    """Whether what is not in a mapping is taken away."""
    return name.endswith(("Variables", "Tags"))


def _empty(value: Any) -> bool:
    return value in (None, "", [], {})


def _is_json(wanted: Any, actual: Any) -> bool:
    return all(isinstance(one, str) and one[:1] in "{[" and one for one in (wanted, actual))


def _parsed(value: Any) -> Any:
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _find(name: str, node: Any) -> Any:
    """The value under the key ``name``, anywhere in what AWS said."""
    if isinstance(node, dict):
        if name in node:
            return node[name]
        node = list(node.values())
    if isinstance(node, list):
        for one in node:
            if (value := _find(name, one)) is not _MISSING:
                return value
    return _MISSING
