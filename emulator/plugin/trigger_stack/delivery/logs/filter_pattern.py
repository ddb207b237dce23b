"""Filter patterns of CloudWatch Logs: which log events match, and the values of their fields.

AWS topics: CloudWatch Logs User Guide, "Filter pattern syntax", for unstructured, JSON and
space-delimited log events, "Supported regular expression syntax", and "Filter pattern syntax for
metric filters" for the references to fields (``$.a.b[0]``, ``$name``, ``$7``).

``make check`` reads patterns with it, too: it imports the standard library alone.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

MOST_CHARACTERS = 1024
_MOST_REGEXES = 2
_TERM = re.compile(r"[A-Za-z0-9_]+")
_REGEX_CHARACTERS = re.compile(r"[A-Za-z0-9:_#=@/;,\-^$?\[\]{}|\\*+. ]*")

type Matches = Callable[[str], bool]
#: The value of a field by its reference; None when the event does not have it.
type Values = Callable[[str], Any]


class PatternError(ValueError):
    """CloudWatch Logs refuses the pattern; the text says why."""


def compiled(pattern: str) -> Matches:
    """What says whether a message matches.

    Raises:
        PatternError: It is no filter pattern.
    """
    return _parsed(pattern).matches


def read(pattern: str, message: str) -> Values | None:
    """The values of a message's fields; None when the message does not match.

    Raises:
        PatternError: It is no filter pattern.
    """
    return _parsed(pattern).read(message)


def has_fields(pattern: str) -> bool:
    """Whether a pattern is for JSON or space-delimited events: others have no fields.

    Raises:
        PatternError: It is no filter pattern.
    """
    return not isinstance(_parsed(pattern), _Terms)


def refers(pattern: str, reference: str) -> bool:
    """Whether a reference can lead to a field of the events of a pattern.

    Raises:
        PatternError: It is no filter pattern.
    """
    return _parsed(pattern).refers(reference)


def extracted(pattern: str, message: str) -> dict[str, str] | None:
    """All fields of a message by their references; None when the message does not match.

    As on AWS, a message has none when its pattern is not a space-delimited one.

    Raises:
        PatternError: It is no filter pattern.
    """
    parsed = _parsed(pattern)
    if isinstance(parsed, _SpaceDelimited):
        fields = parsed.fields(message)
        return None if fields is None else parsed.named(fields)
    return {} if parsed.matches(message) else None


@functools.lru_cache(maxsize=512)
def _parsed(pattern: str) -> _Terms | _Json | _SpaceDelimited:
    if len(pattern) > MOST_CHARACTERS:
        raise PatternError(f"a filter pattern has {MOST_CHARACTERS} characters at most")
    text = pattern.strip()
    try:
        if text.startswith("{"):
            return _Json(text)
        if text.startswith("["):
            return _SpaceDelimited(text)
        return _Terms(text)
    except RecursionError:
        raise PatternError("the parentheses are nested too deeply") from None


# -- values ------------------------------------------------------------------------------------


def _regex(source: str) -> re.Pattern[str]:
    if not _REGEX_CHARACTERS.fullmatch(source):
        raise PatternError(f"%{source}% has a character that regular expressions here do not have")
    try:
        return re.compile(source)
    except (re.error, OverflowError, RecursionError) as error:
        raise PatternError(f"%{source}% is no regular expression: {error}") from None


def _wildcards(text: str) -> re.Pattern[str]:
    """Text in which ``*`` is any text."""
    return re.compile(".*".join(map(re.escape, text.split("*"))), re.DOTALL)


def number_of(value: Any) -> float | None:
    """The number that a field is, also one that stands as text; None when it is no number."""
    if isinstance(value, str):
        return _number(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:  # an integer of hundreds of digits
        return None


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    is_written_so = text[-1:].isdigit() or text.endswith(".")  # not "inf", and not Python's "1_0"
    return value if is_written_so and "_" not in text else None


@dataclass(frozen=True)
class _Comparison:
    """A value that a field is compared with.

    Attributes:
        operator: ``=``, ``!=``, ``<``, ``<=``, ``>`` or ``>=``.
        number: The value, when it is one and was not quoted.
        pattern: What the text of the field must be.
        whole: Whether that is the whole text: a regular expression may be a part.
    """

    operator: str
    number: float | None
    pattern: re.Pattern[str]
    whole: bool

    def holds(self, text: str, number: float | None) -> bool:
        """Whether a field compares so."""
        if self.operator not in ("=", "!="):
            return (
                number is not None
                and self.number is not None
                and _ORDER[self.operator](number, self.number)
            )
        if self.number is not None and number is not None:
            equal = self.number == number
        else:
            find = self.pattern.fullmatch if self.whole else self.pattern.search
            equal = find(text) is not None
        return equal == (self.operator == "=")


_ORDER: dict[str, Callable[[float, float], bool]] = {
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}
_OPERATOR = re.compile(r"!=|<=|>=|=|<|>")


class _Reader:
    """Reads a pattern from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.regexes = 0

    def skip(self) -> None:
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1

    def take(self, literal: str) -> bool:
        """Take a literal after spaces, if it is there."""
        self.skip()
        if self.text.startswith(literal, self.at):
            self.at += len(literal)
            return True
        return False

    def take_match(self, pattern: re.Pattern[str]) -> str | None:
        self.skip()
        match = pattern.match(self.text, self.at)
        if match is None:
            return None
        self.at = match.end()
        return match[0]

    def fail(self, wanted: str) -> PatternError:
        rest = self.text[self.at : self.at + 20]
        return PatternError(f"{wanted} is missing at “{rest}”, character {self.at + 1}")

    def quoted(self) -> str | None:
        """A text in double quotes, if there is one."""
        self.skip()
        if self.text[self.at : self.at + 1] != '"':
            return None
        result, at = "", self.at + 1
        while at < len(self.text):
            character = self.text[at]
            if character == "\\" and at + 1 < len(self.text):
                result += self.text[at + 1]
                at += 2
                continue
            if character == '"':
                self.at = at + 1
                return result
            result += character
            at += 1
        raise PatternError("a double quote is not closed")

    def regex(self) -> re.Pattern[str] | None:
        """A regular expression in percent signs, if there is one."""
        self.skip()
        if self.text[self.at : self.at + 1] != "%":
            return None
        end = self.text.find("%", self.at + 1)
        if end < 0:
            raise PatternError("a percent sign of a regular expression is not closed")
        source = self.text[self.at + 1 : end]
        self.at = end + 1
        self.regexes += 1
        if self.regexes > _MOST_REGEXES:
            raise PatternError(f"a filter pattern has {_MOST_REGEXES} regular expressions at most")
        return _regex(source)

    def comparison(self, bare: re.Pattern[str]) -> _Comparison | None:
        """An operator and a value, if there is an operator.

        Args:
            bare: What a value without quotes may be.
        """
        operator = self.take_match(_OPERATOR)
        if operator is None:
            return None
        if (regex := self.regex()) is not None:
            if operator not in ("=", "!="):
                raise PatternError(f"a regular expression cannot be compared with {operator}")
            return _Comparison(operator, None, regex, whole=False)
        text, number = self.quoted(), None
        if text is None:
            text = self.take_match(bare)
            if not text:
                raise self.fail("a value")
            number = _number(text)
        if operator not in ("=", "!=") and number is None:
            raise PatternError(f"{operator} compares numbers, and “{text}” is none")
        return _Comparison(operator, number, _wildcards(text), whole=True)


# -- unstructured ------------------------------------------------------------------------------


class _Terms:
    """``ERROR -DEBUG "a phrase" ?one ?other %regex%``.

    Each ``?`` begins an alternative, to which the terms behind it belong; terms in front of the
    first are required in any case, as ``-`` excludes in any case.
    """

    def __init__(self, text: str) -> None:
        reader = _Reader(text)
        self._excluded: list[Matches] = []
        self._required: list[Matches] = []
        self._alternatives: list[list[Matches]] = []
        while reader.at < len(text):
            reader.skip()
            sign = text[reader.at : reader.at + 1]
            if sign in ("-", "?"):
                reader.at += 1
            term = self._term(reader)
            if sign == "-":
                self._excluded.append(term)
            elif sign == "?":
                self._alternatives.append([term])
            else:
                (self._alternatives[-1] if self._alternatives else self._required).append(term)

    @staticmethod
    def _term(reader: _Reader) -> Matches:
        at = reader.at
        if reader.text[at : at + 1].isspace() or at >= len(reader.text):
            raise reader.fail("a term")
        if (regex := reader.regex()) is not None:
            return lambda message: regex.search(message) is not None
        text = reader.quoted()
        if text is None:
            text = reader.take_match(_TERM)
        if not text:
            raise reader.fail("a term of letters, digits and _ (others stand in double quotes)")
        after = reader.text[reader.at : reader.at + 1]
        if after and not after.isspace():
            word = reader.text[at:].split()[0]
            raise PatternError(
                f"the term “{word}” has characters beside letters, digits and _: quote it"
            )
        return lambda message: text in message

    def matches(self, message: str) -> bool:
        """Whether the terms are in a message."""
        if any(term(message) for term in self._excluded):
            return False
        if not all(term(message) for term in self._required):
            return False
        return not self._alternatives or any(
            all(term(message) for term in terms) for terms in self._alternatives
        )

    def read(self, message: str) -> Values | None:
        """No values: such events have no fields."""
        return (lambda reference: None) if self.matches(message) else None

    @staticmethod
    def refers(reference: str) -> bool:
        """Never: such events have no fields."""
        return False


# -- JSON --------------------------------------------------------------------------------------

_STEP = re.compile(
    r"\.(?P<name>[A-Za-z0-9_\-@]+)|\.?\[(?:(?P<index>\d+|\*)|(?P<q>['\"])(?P<quoted>.+?)(?P=q))\]"
)
_BARE_JSON = re.compile(r"[^\s&|(){}\"%]+")
_WORDS = re.compile(r"(IS\s+(?:NULL|TRUE|FALSE)|NOT\s+EXISTS|EXISTS)\b", re.IGNORECASE)

type Condition = Callable[[Any], bool]


class _Json:
    """``{ ($.level = "ERROR" || $.code >= 500) && $.user NOT EXISTS }``."""

    def __init__(self, text: str) -> None:
        self._reader = _Reader(text)
        self._reader.take("{")
        self._condition = self._alternatives()
        if not self._reader.take("}"):
            raise self._reader.fail("} or an operator")
        self._reader.skip()
        if self._reader.at != len(text):
            raise PatternError("there is text behind the closing }")

    def matches(self, message: str) -> bool:
        """Whether a message is JSON that the condition holds for."""
        return self.read(message) is not None

    def read(self, message: str) -> Values | None:
        """The values of a message that is JSON that the condition holds for."""
        if not message.lstrip().startswith(("{", "[")):
            return None
        try:
            event = json.loads(message)
            holds = self._condition(event)
        except (ValueError, RecursionError):
            return None
        return functools.partial(_value, event) if holds else None

    @staticmethod
    def refers(reference: str) -> bool:
        """Whether a reference is a property selector."""
        return _steps(reference) is not None

    def _alternatives(self) -> Condition:
        parts = [self._conjunction()]
        while self._reader.take("||"):
            parts.append(self._conjunction())
        return parts[0] if len(parts) == 1 else lambda event: any(part(event) for part in parts)

    def _conjunction(self) -> Condition:
        parts = [self._simple()]
        while self._reader.take("&&"):
            parts.append(self._simple())
        return parts[0] if len(parts) == 1 else lambda event: all(part(event) for part in parts)

    def _simple(self) -> Condition:
        reader = self._reader
        if reader.take("("):
            inner = self._alternatives()
            if not reader.take(")"):
                raise reader.fail(")")
            return inner
        select = self._selector()
        word = reader.take_match(_WORDS)
        if word is not None:
            return _WORD_CONDITIONS[" ".join(word.upper().split())](select)
        comparison = reader.comparison(_BARE_JSON)
        if comparison is None:
            raise reader.fail("an operator")
        return lambda event: any(_compares(value, comparison) for value in select(event))

    def _selector(self) -> Callable[[Any], list[Any]]:
        reader = self._reader
        if not reader.take("$"):
            raise reader.fail("a property selector, which begins with $.")
        steps = _take_steps(reader)
        if not steps:
            raise reader.fail("the name of a property")
        return lambda event: _select(event, steps)


def _take_steps(reader: _Reader) -> list[str | int]:
    """What stands behind the ``$`` of a selector; -1 is ``[*]``."""
    steps: list[str | int] = []
    while match := _STEP.match(reader.text, reader.at):
        index = match["index"]
        if index is None:
            steps.append(match["name"] or match["quoted"])
        else:
            steps.append(-1 if index == "*" else int(index))
        reader.at = match.end()
    return steps


@functools.lru_cache(maxsize=512)
def _steps(reference: str) -> list[str | int] | None:
    """The steps of a reference to a property; None when it is none."""
    reader = _Reader(reference)
    if not reference.startswith("$"):
        return None
    reader.at = 1
    steps = _take_steps(reader)
    return steps if steps and reader.at == len(reference) else None


def _value(event: Any, reference: str) -> Any:
    """The value that a reference leads to; of several, the first."""
    steps = _steps(reference)
    found = _select(event, steps) if steps else []
    return found[0] if found else None


def _select(event: Any, steps: Sequence[str | int]) -> list[Any]:
    """The values that a selector leads to: none, one, or with ``[*]`` several."""
    found = [event]
    for step in steps:
        following: list[Any] = []
        for value in found:
            if step == -1:
                following += value if isinstance(value, list) else []
            elif isinstance(step, int):
                following += value[step : step + 1] if isinstance(value, list) else []
            elif isinstance(value, dict) and step in value:
                following.append(value[step])
        found = following
    return found


def _compares(value: Any, comparison: _Comparison) -> bool:
    if isinstance(value, bool):
        return comparison.holds("true" if value else "false", None)
    if isinstance(value, int | float):
        return comparison.holds(json.dumps(value), number_of(value))
    if isinstance(value, str):
        # A number that stands as text is compared as a number, too.
        number = None if comparison.number is None else _number(value)
        return comparison.holds(value, number)
    return False


_WORD_CONDITIONS: dict[str, Callable[[Callable[[Any], list[Any]]], Condition]] = {
    "IS NULL": lambda select: lambda event: any(value is None for value in select(event)),
    "IS TRUE": lambda select: lambda event: any(value is True for value in select(event)),
    "IS FALSE": lambda select: lambda event: any(value is False for value in select(event)),
    "NOT EXISTS": lambda select: lambda event: not select(event),
    "EXISTS": lambda select: lambda event: bool(select(event)),
}


# -- space-delimited ---------------------------------------------------------------------------

_FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_\-]*")
_BARE_FIELD = re.compile(r"[^\s,&|()\[\]\"%]+")
_PLACE = re.compile(r"[1-9][0-9]{0,3}")
#: A word, or what stands in brackets or double quotes.
_FIELD = re.compile(r'\[[^\]]*\]|"[^"]*"|\S+')


class _SpaceDelimited:
    """``[ip, user, ..., status = 5* && status != 503, bytes > 1000]``."""

    def __init__(self, text: str) -> None:
        self._reader = _Reader(text)
        self._reader.take("[")
        self._front: list[Matches] = []
        self._back: list[Matches] | None = None
        self._names: list[str | None] = []
        if self._reader.take("]"):  # AWS: any event, "without specifying any fields"
            self._back = []
        else:
            self._take_fields()
        self._reader.skip()
        if self._reader.at != len(text):
            raise PatternError("there is text behind the closing ]")

    def _take_fields(self) -> None:
        while True:
            if self._reader.take("..."):
                if self._back is not None:
                    raise PatternError("an ellipsis stands once in a pattern")
                self._back = []
            else:
                (self._front if self._back is None else self._back).append(self._field())
            if self._reader.take("]"):
                break
            if not self._reader.take(","):
                raise self._reader.fail(", or ]")

    def _field(self) -> Matches:
        name = self._reader.take_match(_FIELD_NAME)
        self._names.append(name)
        if name is None:
            self._reader.skip()
            if self._reader.text[self._reader.at : self._reader.at + 1] not in (",", "]"):
                raise self._reader.fail("the name of a field")
            return lambda field: True  # AWS shows ``[..., status_code=4*,]``
        comparison = self._reader.comparison(_BARE_FIELD)
        if comparison is None:
            return lambda field: True
        return self._more(name, _field_condition(comparison))

    def _more(self, name: str, condition: Matches) -> Matches:
        """``w != A && w != B`` and ``w = A || w = B``."""
        alternatives = [[condition]]
        while True:
            if self._reader.take("&&"):
                alternatives[-1].append(self._condition(name))
            elif self._reader.take("||"):
                alternatives.append([self._condition(name)])
            else:
                break
        return lambda field: any(all(one(field) for one in part) for part in alternatives)

    def _condition(self, name: str) -> Matches:
        if self._reader.take_match(_FIELD_NAME) != name:
            raise PatternError(f"the conditions of the field {name} must be about {name}")
        comparison = self._reader.comparison(_BARE_FIELD)
        if comparison is None:
            raise self._reader.fail("an operator")
        return _field_condition(comparison)

    def matches(self, message: str) -> bool:
        """Whether a message has these fields."""
        return self.fields(message) is not None

    def fields(self, message: str) -> list[str] | None:
        """The fields of a message; None when the message does not match."""
        fields = [_plain(field) for field in _FIELD.findall(message)]
        back = self._back or []
        if self._back is None:
            if len(fields) != len(self._front):
                return None
        elif len(fields) < len(self._front) + len(back):
            return None
        matches = all(
            condition(field) for condition, field in zip(self._front, fields, strict=False)
        ) and all(
            condition(field)
            for condition, field in zip(back, fields[len(fields) - len(back) :], strict=True)
        )
        return fields if matches else None

    def named(self, fields: list[str]) -> dict[str, str]:
        """Fields by their names; those without one by their places, from ``$1``."""
        front = len(self._front)
        more = len(fields) - len(self._names)  # those that the ellipsis stands for
        names = [*self._names[:front], *[None] * more, *self._names[front:]]
        return {
            f"${name or place}": field
            for place, (name, field) in enumerate(zip(names, fields, strict=True), 1)
        }

    def read(self, message: str) -> Values | None:
        """The values of a message's fields, each by its name and by its place."""
        fields = self.fields(message)
        if fields is None:
            return None
        by_place = {f"${place}": field for place, field in enumerate(fields, 1)}
        return (by_place | self.named(fields)).get

    def refers(self, reference: str) -> bool:
        """Whether a reference is a name of the pattern, or a place that an event may have."""
        name = reference.removeprefix("$")
        if name == reference:
            return False
        if _PLACE.fullmatch(name):
            return self._back is not None or int(name) <= len(self._names)
        return name in self._names


def _field_condition(comparison: _Comparison) -> Matches:
    return lambda field: comparison.holds(field, _number(field) if field else None)


def _plain(field: str) -> str:
    return field[1:-1] if len(field) > 1 and field[0] + field[-1] in ("[]", '""') else field
