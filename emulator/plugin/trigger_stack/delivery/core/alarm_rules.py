"""The rule of a composite alarm: whether it holds, by the states of other alarms.

AWS topic: Amazon CloudWatch API Reference, "PutCompositeAlarm", ``AlarmRule``. What it leaves open:
``NOT`` binds closer than ``AND``, and that closer than ``OR``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

#: The state of an alarm with a name or ARN; None: there is no such alarm.
type StateOf = Callable[[str], str | None]
type _Condition = Callable[[StateOf], bool]

_TOKEN: Final = re.compile(
    r"""\s*(?:
        (?P<state>ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*(?:"(?P<quoted>[^"]+)"|(?P<bare>[^"()]+?))\s*\)
        | (?P<word>AND|OR|NOT|TRUE|FALSE)\b
        | (?P<bracket>[()])
    )\s*""",
    re.VERBOSE,
)


class AlarmRuleError(ValueError):
    """It is no rule."""


@dataclass(frozen=True)
class AlarmRule:
    """A rule that was read.

    Attributes:
        alarms: Names and ARNs of the alarms that it is about.
        holds: Whether it is true.
    """

    alarms: tuple[str, ...]
    holds: _Condition


def parse(text: str) -> AlarmRule:
    """Read a rule.

    Raises:
        AlarmRuleError: It cannot be read; says where.
    """
    tokens = _tokens(text)
    names = tuple(dict.fromkeys(name for kind, name in tokens if kind not in _WORDS))
    reader = _Reader(tokens)
    try:
        condition = reader.either()
    except RecursionError:
        raise AlarmRuleError("it has too many brackets") from None
    if reader.next is not None:
        raise AlarmRuleError(f"unexpected {reader.next}")
    return AlarmRule(names, condition)


_WORDS: Final = frozenset(("AND", "OR", "NOT", "TRUE", "FALSE", "(", ")"))


def _tokens(text: str) -> list[tuple[str, str]]:
    """Words and brackets, and states with the alarm that has them."""
    found, position = [], 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None or match.end() == position:
            raise AlarmRuleError(f"{text[position : position + 40]!r} cannot be read")
        if match["state"]:
            found.append((match["state"], match["quoted"] or match["bare"]))
        else:
            found.append((match["word"] or match["bracket"], ""))
        position = match.end()
    return found


class _Reader:
    """Reads tokens one after the other."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens = tokens
        self._position = 0

    @property
    def next(self) -> str | None:
        """The kind of the next token; None at the end."""
        at = self._position
        return self._tokens[at][0] if at < len(self._tokens) else None

    def _take(self) -> tuple[str, str]:
        if self.next is None:
            raise AlarmRuleError("it ends too early")
        self._position += 1
        return self._tokens[self._position - 1]

    def either(self) -> _Condition:
        """Conditions of which one must hold."""
        found = [self._both()]
        while self.next == "OR":
            self._take()
            found.append(self._both())
        return lambda state_of: any(one(state_of) for one in found)

    def _both(self) -> _Condition:
        found = [self._one()]
        while self.next == "AND":
            self._take()
            found.append(self._one())
        return lambda state_of: all(one(state_of) for one in found)

    def _one(self) -> _Condition:
        kind, name = self._take()
        if kind == "NOT":
            inner = self._one()
            return lambda state_of: not inner(state_of)
        if kind == "(":
            inner = self.either()
            if self.next != ")":
                raise AlarmRuleError("a bracket is not closed")
            self._take()
            return inner
        if kind in ("TRUE", "FALSE"):
            return lambda _: kind == "TRUE"
        if kind in _WORDS:
            raise AlarmRuleError(f"unexpected {kind}")
        return lambda state_of: state_of(name) == kind
