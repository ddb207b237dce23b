"""The interface of a resource type."""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any

from bootstrap.errors import did_you_mean
from bootstrap.services import aws_schemas, shapes
from bootstrap.services.shapes import Finding, Shape
from bootstrap.settings import Settings
from bootstrap.template import IMPORTED, Physical, UnknownAttributeError

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

type Properties = dict[str, Any]


class Outcome(StrEnum):
    """What :meth:`ResourceType.ensure` had to do."""

    CREATED = "created"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    #: Deleted and made anew, because AWS cannot change a property of it.
    REPLACED = "replaced"


class ReplacementError(Exception):
    """A property differs that AWS cannot change on an existing resource."""


@dataclass
class Context:
    """The settings and clients that every resource uses.

    Attributes:
        run: names the run to the emulator, which counts what others change.
        packages: the hash of each function's and layer's package that was compared or uploaded,
            by logical id.
    """

    settings: Settings
    service: str
    run: str = ""
    packages: dict[str, str] = field(default_factory=dict)
    _clients: dict[str, Any] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def client(self, name: str) -> Any:
        """A client, made once."""
        with self._lock:  # clients may be shared by threads, a session that makes them may not
            if name not in self._clients:
                self._clients[name] = self.settings.client(name, self.run)
            return self._clients[name]

    def warm_up(self, services: Iterable[str] = ()) -> None:
        """Make the clients that every run needs, and others; each takes a tenth of a second."""
        for name in dict.fromkeys(("sts", "logs", *services)):
            self.client(name)

    @cached_property
    def account(self) -> str:
        """Account id of the credentials."""
        return str(self.client("sts").get_caller_identity()["Account"])

    @cached_property
    def pseudo(self) -> dict[str, str]:
        """CloudFormation's pseudo parameters, and what other projects export."""
        return Known(
            {
                "AWS::AccountId": self.account,
                "AWS::Region": self.settings.region,
                "AWS::Partition": "aws",
                "AWS::StackName": self.service,
                "AWS::URLSuffix": "amazonaws.com",
            },
            self,
        )


class Known(dict[str, str]):
    """Values that no resource of the definition has; exports are asked for when one is needed."""

    def __init__(self, values: dict[str, str], context: Context) -> None:
        super().__init__(values)
        self._context = context

    def __missing__(self, key: str) -> str:
        if not key.startswith(IMPORTED):
            raise KeyError(key)
        from bootstrap.services.exports import imported

        name = key.removeprefix(IMPORTED)
        value = imported(self._context, name)
        if value is None:
            raise UnknownAttributeError(
                f"Fn::ImportValue: nothing exports {name}. Bring up the project that does, first:"
                " an output of it has Export: {Name: " + name + "}."
            )
        self[key] = value
        return value


#: What it takes to find one thing of a resource again: the arguments of AWS's operations on it.
type Key = dict[str, Any]


def by_ref(logical_id: str, properties: Properties, physical: Physical) -> list[Key]:
    """The key of a resource that ``Ref`` names."""
    return [{"Ref": physical.ref}]


@dataclass(frozen=True)
class ResourceType:
    """How to create one CloudFormation resource type, and what happens when it is dropped.

    Attributes:
        ensure: called with the context, the logical id and the resolved properties; makes the
            resource be as described and says what that took. Safe to call again at any time.
        required: properties that must be there, with their shapes.
        optional: the other properties that are understood; any other is refused.
        keys: what to remember of a resource, to find it when the definition has it no longer.
        remove: takes away what a resource fires, and says whether there was anything. Only
            triggers and permissions have it: what may hold data is never deleted.
        exists: whether the resource is still there.
        delete_with: the ``awslocal`` command that deletes it, with fields from its key.
        holds_data: whether something is lost with it that the definition cannot bring back. Then it
            is deleted only when the user asks for that. Types that hold nothing say so.
        delete: deletes it, where that takes more than the operation of ``delete_with``.
        lost: what would be lost with it, in words (``3 items``); empty when it is empty.
        name: ``AWS::SQS::Queue``, by which AWS's own schema of it is found.
    """

    ensure: Callable[[Context, str, Properties], tuple[Outcome, Physical]]
    required: dict[str, Shape]
    optional: dict[str, Shape] = field(default_factory=dict)
    keys: Callable[[str, Properties, Physical], list[Key]] = by_ref
    remove: Callable[[Context, Key], bool] | None = None
    exists: Callable[[Context, Key], bool] | None = None
    delete_with: str = ""
    holds_data: bool = True
    delete: Callable[[Context, Key], None] | None = None
    lost: Callable[[Context, Key], str] | None = None
    name: str = ""

    def problem(self, properties: Properties) -> Finding | None:
        """The first problem with the names or shapes of ``properties``, or None."""
        return next(self.problems(properties), None)

    def problems(self, properties: Properties) -> Iterator[Finding]:
        """Every problem with the names or values of ``properties``, each place told of once."""
        schema = aws_schemas.of(self.name)
        yield from self._names(properties, schema)
        found = [
            finding
            for name, shape in {**self.required, **self.optional}.items()
            if name in properties
            for finding in shapes.below(name, shape(properties[name]))
        ]
        # What a shape says of a value, it says better; what is missing in one is another matter.
        wrong = {one.path for one in found if not one.message.startswith("needs ")}
        for finding in schema.problems(properties) if schema else ():
            if not any(finding.path[:length] in wrong for length in range(len(finding.path) + 1)):
                found.append(finding)
        for message, path, meant in dict.fromkeys(found):
            end = "" if message.endswith("?") else "."
            yield Finding(f"{'.'.join(map(str, path))} {message}{end}", path, meant)

    def converted(self, properties: Properties) -> Properties:
        """The properties, with a number or truth value where a text says one and none fits.

        CloudFormation does so, too: ``Enabled: 'true'``, ``TTL: '300'``.
        """
        if not shapes.may_be_meant(properties):
            return properties
        found = [(one.path, one.meant) for one in self.problems(properties)]
        meant = [(path, value) for path, value in found if value is not None]
        if not meant:
            return properties
        properties = copy.deepcopy(properties)
        for (*above, key), value in meant:
            owner: Any = properties
            for part in above:
                owner = owner[part]
            owner[key] = value
        return properties

    def _names(
        self, properties: Properties, schema: aws_schemas.Schema | None
    ) -> Iterator[Finding]:
        supported = {**self.required, **self.optional}
        unknown = sorted(properties.keys() - supported.keys())
        for name in unknown:
            if schema and name in schema.read_only:
                yield Finding(f"{name} is set by AWS and cannot be given. Remove it.", (name,))
                continue
            there_is = schema is None or name in schema.names
            what = f"{name} is not supported here" if there_is else f"{name} is not known to AWS"
            yield Finding(
                f"the property {what}. "
                f"Supported: {', '.join(sorted(supported))}.{did_you_mean(name, supported)}",
                (name,),
            )
        required = self.required.keys() | (schema.required if schema else set())
        for name in sorted(required - properties.keys()):
            if not any(did_you_mean(other, [name]) for other in unknown):  # else it is misspelt
                yield Finding(f"the property {name} is required.")


def outcome_of(created: bool, *changes: bool) -> Outcome:
    """The outcome of several steps."""
    if created:
        return Outcome.CREATED
    return Outcome.CHANGED if any(changes) else Outcome.UNCHANGED


def error_code(error: ClientError) -> str:
    """AWS's error code: ``ResourceNotFoundException``."""
    return str(error.response.get("Error", {}).get("Code", ""))


def found(call: Callable[[], Any], *missing: str) -> Any | None:
    """The result of ``call``, or None when AWS answers with one of the codes ``missing``."""
    from botocore.exceptions import ClientError  # reading a definition needs no SDK

    try:
        return call()
    except ClientError as error:
        if error_code(error) in missing:
            return None
        raise


def gone(call: Callable[[], Any], *missing: str) -> bool:
    """Make a call that deletes something; False when AWS answers that it is not there."""
    return found(lambda: (call(), True)[1], *missing) is not None


def same_json(left: str | None, right: Any) -> bool:
    """Whether a JSON text that AWS returned says the same as ``right``."""
    return left is not None and bool(json.loads(left) == right)


def _empty(value: Any) -> bool:
    return all(map(_empty, value.values())) if isinstance(value, dict) else value in (None, "", [])


def subset(wanted: Any, actual: Any) -> bool:
    """Whether ``actual`` has everything in ``wanted``; AWS adds defaults that were not given.

    What is empty in ``wanted`` may be missing in ``actual``.
    """
    if actual is None:
        return _empty(wanted)
    if isinstance(wanted, dict):
        return isinstance(actual, dict) and all(
            subset(value, actual.get(key)) for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return (
            isinstance(actual, list)
            and len(wanted) == len(actual)
            and all(subset(w, a) for w, a in zip(wanted, actual, strict=True))
        )
    return bool(wanted == actual)
