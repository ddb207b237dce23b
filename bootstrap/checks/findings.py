"""What a rule is, and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from bootstrap.definition.document import KeyPath

if TYPE_CHECKING:
    from bootstrap.checks.view import View


class Severity(StrEnum):
    """How much a finding counts; the values are SARIF's levels.

    ``ERROR``: AWS refuses it, or it can never work. ``WARNING``: an event can vanish. ``NOTE``:
    worth knowing.
    """

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Place(NamedTuple):
    """A place in a file of functions, from 1."""

    file: str
    line: int
    column: int


class Hit(NamedTuple):
    """What a rule found.

    Attributes:
        what: one sentence that names the thing.
        at: the path of the key in the definition, or a place in the code of a function.
    """

    what: str
    at: KeyPath | Place


type Find = Callable[[View], Iterator[Hit]]


@dataclass(frozen=True)
class Rule:
    """A rule.

    Attributes:
        id: ``TS101``; the first digit is the theme.
        why: one sentence: what goes wrong.
        mend: one sentence: what to write instead.
        find: yields what breaks the rule. The engine itself finds what rules without it are about.
    """

    id: str
    severity: Severity
    why: str
    mend: str
    find: Find | None = None

    @property
    def suppressible(self) -> bool:
        """Whether a comment can silence it: not what keeps a definition from being created."""
        return not self.id.startswith("TS0")


def rule(identity: str, severity: Severity, *, mend: str) -> Callable[[Find], Rule]:
    """Make a function a rule; its docstring is the sentence that says why.

    Args:
        identity: ``TS101``.
        mend: how to mend it, one sentence.
    """

    def decorate(find: Find) -> Rule:
        why = " ".join((find.__doc__ or "").split())
        return Rule(identity, severity, why, mend, find)

    return decorate


@dataclass(frozen=True)
class Finding:
    """One thing that a rule found, at its place.

    Attributes:
        in_code: whether it is in a function's file; those come after the definition.
        line: from 1; 0 when the whole file is meant.
        column: from 1; 0 as with ``line``.
        reason: why it is suppressed, or None when it counts.
    """

    in_code: bool
    file: str
    line: int
    column: int
    rule_id: str
    what: str
    severity: Severity
    why: str
    mend: str
    reason: str | None = None

    @property
    def place(self) -> str:
        """``serverless.yml:3:5``."""
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file
