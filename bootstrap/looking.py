"""A context whose clients read and never write: what a run would do, found out by its own code.

A resource type has one function that makes a resource be as described. Called with this context, it
asks AWS as ever; what it would write is noted, and answered with :class:`Unknown`. So a plan cannot
say anything else than what a run does, and a new type needs nothing for it.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from bootstrap.services import shapes
from bootstrap.services.base import Context

MARK = shapes.UNKNOWN
_READS = (
    "admin_get_",
    "admin_list_",
    "batch_get_",
    "describe_",
    "get_",
    "head_",
    "list_",
    "lookup_",
    "search_",
)
_PLAIN = ("can_paginate", "exceptions", "get_waiter", "meta")
#: A type that still asks after so many answers waits for something that is not going to happen.
_MOST_READS_AFTER_A_WRITE = 100


class Unknown(str):
    """A value that AWS gives only when the resource is made; parts of it are unknown, too."""

    __slots__ = ()

    def __new__(cls) -> Unknown:
        """The one unknown value."""
        return super().__new__(cls, MARK)

    def __getitem__(self, key: Any) -> Unknown:
        return self

    def get(self, key: Any, default: Any = None) -> Unknown:
        """As of a mapping."""
        return self

    def items(self) -> tuple[tuple[str, Any], ...]:
        """As of a mapping: nothing is known."""
        return ()

    def keys(self) -> tuple[str, ...]:
        """As of a mapping: nothing is known."""
        return ()

    def partition(self, sep: str, /) -> tuple[str, str, str]:
        """Unknown, all of it."""
        return self, self, self

    rpartition = partition

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __bool__(self) -> bool:
        return False

    def __int__(self) -> int:
        return 0

    __hash__ = str.__hash__


class StopLookingError(Exception):
    """Nothing more can be learnt: the resource would have to be there."""


@dataclass
class Call:
    """An operation that was called: its name as boto3 has it, and its arguments or answer."""

    operation: str
    content: Any


class Answers:
    """What AWS said while one plan was made: resources ask the same of each other's."""

    def __init__(self) -> None:
        self._known: dict[str, Any] = {}

    def get(self, question: str, ask: Callable[[], Any]) -> Any:
        """The answer to ``question``: a copy that may be changed."""
        if question not in self._known:
            self._known[question] = ask()
        return copy.deepcopy(self._known[question])


@dataclass
class Looking(Context):
    """A context to look with; one for each resource.

    Attributes:
        reads: what AWS said.
        writes: what would be written, in order.
        answers: what AWS said to all that look.
    """

    reads: list[Call] = field(default_factory=list)
    writes: list[Call] = field(default_factory=list)
    answers: Answers = field(default_factory=Answers)
    _created: bool = False
    _after: int = 0

    @classmethod
    def like(cls, context: Context, answers: Answers) -> Looking:
        """One that shares the clients and the account of ``context``."""
        made = cls(context.settings, context.service, packages=context.packages, answers=answers)
        made.__dict__["original"] = context
        made.__dict__["account"] = context.account
        return made

    def client(self, name: str) -> Any:
        """A client that reads."""
        return _Client(self.__dict__["original"].client(name), self)

    @property
    def creates(self) -> bool:
        """Whether the first thing that would be written is the resource itself."""
        return bool(self.writes) and self.writes[0].operation.startswith("create_")

    def read(
        self, service: str, operation: str, call: Callable[..., Any], *args: Any, **named: Any
    ) -> Any:
        """Ask AWS, unless the answer would be about something that is not there."""
        self._after += bool(self.writes)
        if self._created or self._after > _MOST_READS_AFTER_A_WRITE:
            raise StopLookingError
        question = json.dumps([service, operation, args, named], sort_keys=True, default=repr)
        answer = self.answers.get(question, lambda: call(*args, **named))
        self.reads.append(Call(operation, answer))
        return answer

    def write(self, operation: str, arguments: dict[str, Any]) -> Unknown:
        """Note what would be written."""
        self.writes.append(Call(operation, arguments))
        self._created = self._created or operation.startswith("create_")
        return Unknown()


class _Client:
    """A boto3 client that reads."""

    def __init__(self, client: Any, looking: Looking) -> None:
        self._client = client
        self._looking = looking

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._client, name)
        if name in _PLAIN:
            return value
        service = self._client.meta.service_model.service_name
        if name == "get_paginator":
            return lambda operation: _Paginator(value(operation), service, operation, self._looking)
        if name.startswith(_READS):
            return lambda *args, **named: self._looking.read(service, name, value, *args, **named)
        return lambda **named: self._looking.write(name, named)


class _Paginator:
    """A paginator whose pages are noted."""

    def __init__(self, paginator: Any, service: str, operation: str, looking: Looking) -> None:
        self._paginator = paginator
        self._service = service
        self._operation = operation
        self._looking = looking

    def paginate(self, **named: Any) -> list[Any]:
        """All pages."""
        answer: list[Any] = self._looking.read(
            self._service,
            self._operation,
            lambda **asked: list(self._paginator.paginate(**asked)),
            **named,
        )
        return answer


class AnyAttributes(dict[str, str]):
    """The attributes of a resource that is not there yet: every one is unknown."""

    def __contains__(self, key: object) -> bool:
        return True

    def __missing__(self, key: str) -> str:
        return MARK


def knows_all(value: Any) -> bool:
    """Whether nothing in a resolved value is unknown."""
    if isinstance(value, str):
        return not shapes.is_unknown(value)
    if isinstance(value, dict):
        return all(map(knows_all, value.values()))
    return not isinstance(value, list) or all(map(knows_all, value))
