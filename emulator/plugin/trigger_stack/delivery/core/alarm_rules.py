"""The rule of a composite alarm: whether it holds, by the states of other alarms.

AWS topic: Amazon CloudWatch API Reference, "PutCompositeAlarm", ``AlarmRule``; ``AT_LEAST`` as the
CDK writes it (``AlarmRule.atLeast``). What they leave open: ``NOT`` binds closer than ``AND``, and
that closer than ``OR``; a name in the list of ``AT_LEAST`` that has a comma needs quotes.
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
        | (?P<some>AT_LEAST)\s*\(\s*(?P<count>\d{1,4})(?P<percent>%)?\s*,\s*(?P<not>NOT\s+)?
            (?P<of>ALARM|OK|INSUFFICIENT_DATA)\s*,\s*\((?P<alarms>(?:"[^"]+"|[^"()])+)\)\s*\)
        | (?P<word>AND|OR|NOT|TRUE|FALSE)\b
        | (?P<bracket>[()])
    )\s*""",
    re.VERBOSE,
)

#: One of a list of alarms, and what stands behind it.
_LISTED: Final = re.compile(r'(?:\s*"(?P<quoted>[^"]+)"\s*|(?P<bare>[^",]+))(?:,|$)')


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
    names = tuple(dict.fromkeys(name for token in tokens for name in token.alarms))
    reader = _Reader(tokens)
    try:
        condition = reader.either()
    except RecursionError:
        raise AlarmRuleError("it has too many brackets") from None
    if reader.next is not None:
        raise AlarmRuleError(f"unexpected {reader.next}")
    return AlarmRule(names, condition)


@dataclass(frozen=True, slots=True)
class _Token:
    """A word or bracket, or a condition on alarms.

    Attributes:
        kind: What it begins with.
        alarms: Those that a condition is about.
        holds: Of a condition.
    """

    kind: str
    alarms: tuple[str, ...] = ()
    holds: _Condition | None = None


def _tokens(text: str) -> list[_Token]:
    """Words and brackets, and conditions on alarms."""
    found, position = [], 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None or match.end() == position:
            raise AlarmRuleError(f"{text[position : position + 40]!r} cannot be read")
        if match["state"]:
            found.append(_of_one(match["state"], match["quoted"] or match["bare"]))
        elif match["some"]:
            found.append(_at_least(match))
        else:
            found.append(_Token(match["word"] or match["bracket"]))
        position = match.end()
    return found


def _of_one(state: str, name: str) -> _Token:
    return _Token(state, (name,), lambda state_of: state_of(name) == state)


def _at_least(match: re.Match[str]) -> _Token:
    """A number, or a share, of alarms that are in a state, or are not."""
    names = _listed(match["alarms"])
    count, state, wanted = int(match["count"]), match["of"], not match["not"]
    most = 100 if match["percent"] else len(names)
    if not 1 <= count <= most:
        raise AlarmRuleError(f"AT_LEAST needs a number from 1 to {most}, not {count}")
    of = 100 if match["percent"] else 1
    each = len(names) if match["percent"] else 1

    def holds(state_of: StateOf) -> bool:
        there = sum((state_of(name) == state) is wanted for name in names)
        return of * there >= each * count

    return _Token("AT_LEAST", names, holds)


def _listed(text: str) -> tuple[str, ...]:
    """The names in a list."""
    names, position = [], 0
    while position < len(text):
        match = _LISTED.match(text, position)
        name = match and (match["quoted"] or match["bare"].strip())
        if match is None or not name:
            raise AlarmRuleError(f"{text[position : position + 40]!r} is no list of alarms")
        names.append(name)
        position = match.end()
    return tuple(names)


class _Reader:
    """Reads tokens one after the other."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._position = 0

    @property
    def next(self) -> str | None:
        """The kind of the next token; None at the end."""
        at = self._position
        return self._tokens[at].kind if at < len(self._tokens) else None

    def _take(self) -> _Token:
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
        token = self._take()
        kind = token.kind
        if token.holds is not None:
            return token.holds
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
        raise AlarmRuleError(f"unexpected {kind}")
