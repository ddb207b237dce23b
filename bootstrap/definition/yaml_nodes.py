"""YAML text as a graph of nodes with marks, by libyaml, and its plain values as YAML 1.2 has them.

PyYAML resolves plain values as YAML 1.1 does (``yes`` is true, ``22:22`` a number); the Serverless
Framework's js-yaml does not. Its C composer ends the process on deep nesting: so its events are put
together here.
"""

from __future__ import annotations

import re
from typing import Any

import yaml
from yaml.error import MarkedYAMLError, YAMLError
from yaml.events import AliasEvent, Event, MappingStartEvent, ScalarEvent, SequenceStartEvent
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.reader import Reader, ReaderError

TAGS = "tag:yaml.org,2002:"
MAX_DEPTH = 64
#: libyaml; where PyYAML was built without it, its own parser says and does the same, slower.
_Parser: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
#: YAML 1.2, "Core schema", with YAML 1.1's binary numbers and underscores; timestamps are text.
_KINDS = [
    (kind, re.compile(pattern))
    for kind, pattern in (
        ("bool", r"true|True|TRUE|false|False|FALSE"),
        ("int", r"[-+]?(0b[01_]+|0o[0-7_]+|0x[0-9a-fA-F_]+|[0-9_]+)"),
        (
            "float",
            r"[-+]?([0-9][0-9_]*\.[0-9_]*([eE][-+]?[0-9]+)?|[0-9][0-9_]*[eE][-+]?[0-9]+"
            r"|\.[0-9_]+([eE][-+][0-9]+)?|\.(inf|Inf|INF))|\.(nan|NaN|NAN)",
        ),
        ("null", r"~|null|Null|NULL|"),
        ("merge", r"<<"),
    )
]
#: Most plain values begin with a letter that no kind begins with: they are text.
_MAY_BE = re.compile(r"[-+0-9.~<tTfFnN]|$")
_BASES = {"0b": 2, "0o": 8, "0x": 16}


class MistakeError(Exception):
    """Text that is no YAML.

    Attributes:
        line: from 1; None when the whole text is meant.
        column: from 1.
    """

    def __init__(self, what: str, line: int | None = None, column: int | None = None) -> None:
        self.what = what
        self.line = line
        self.column = column
        super().__init__(what)


def compose(text: str) -> Node | None:
    """The root of the only document in a text; None when there is none.

    Raises:
        MistakeError: it is no YAML, or nested too deeply.
    """
    try:
        return _Composer(text).document()
    except ReaderError as error:
        raise _character(text, error) from None
    except MarkedYAMLError as error:
        raise _marked(text, error) from None
    except (YAMLError, ValueError) as error:
        raise MistakeError(str(error)) from None


def _character(text: str, error: ReaderError) -> MistakeError:
    found = Reader.NON_PRINTABLE.search(text)
    if found is None:
        return MistakeError(str(error.reason))
    line = text.count("\n", 0, found.start()) + 1
    column = found.start() - text.rfind("\n", 0, found.start())
    return MistakeError(f"the character {ord(found[0])} is not allowed", line, column)


def _marked(text: str, error: MarkedYAMLError) -> MistakeError:
    mark = error.problem_mark or error.context_mark
    what = str(error.problem or error.context).replace("did not find expected", "expected")
    if mark is None:
        return MistakeError(what)
    lines = text.split("\n")
    if what.startswith("found character that") and mark.line < len(lines):
        which = lines[mark.line][mark.column : mark.column + 1]
        what = what.replace("character", f"character {which!r}", 1)
    if "\\t" in what or "tab character" in what:
        what += ". Indent with spaces"
    return MistakeError(what, mark.line + 1, mark.column + 1)


class _Composer:
    """From events to nodes."""

    def __init__(self, text: str) -> None:
        self.parser = _Parser(text)
        self.anchors: dict[str, Node] = {}

    def document(self) -> Node | None:
        self.parser.get_event()  # the stream begins
        if self.parser.check_event(yaml.StreamEndEvent):
            return None
        self.parser.get_event()  # the document begins
        root = self.node(self.parser.get_event(), 0)
        self.parser.get_event()  # and ends
        if not self.parser.check_event(yaml.StreamEndEvent):
            raise _mistake("but found another document", self.parser.get_event())
        return root

    def node(self, event: Event, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise _mistake("it is nested too deeply", event)
        if isinstance(event, AliasEvent):
            if event.anchor not in self.anchors:
                raise _mistake(f"found undefined alias {event.anchor!r}", event)
            return self.anchors[event.anchor]
        marks: tuple[Any, Any] = (event.start_mark, event.end_mark)
        if isinstance(event, ScalarEvent):
            tag = _scalar_tag(event)
            return self.anchored(event, ScalarNode(tag, event.value, *marks))
        if isinstance(event, SequenceStartEvent):
            sequence = SequenceNode(_tag(event, "seq"), [], *marks)
            self.anchored(event, sequence)
            while not self.ended(yaml.SequenceEndEvent):
                sequence.value.append(self.node(self.parser.get_event(), depth + 1))
            return sequence
        assert isinstance(event, MappingStartEvent)
        mapping = MappingNode(_tag(event, "map"), [], *marks)
        self.anchored(event, mapping)
        while not self.ended(yaml.MappingEndEvent):
            key = self.node(self.parser.get_event(), depth + 1)
            mapping.value.append((key, self.node(self.parser.get_event(), depth + 1)))
        return mapping

    def anchored(self, event: Any, node: Node) -> Node:
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        return node

    def ended(self, kind: type[Event]) -> bool:
        if not self.parser.check_event(kind):
            return False
        self.parser.get_event()
        return True


def _mistake(what: str, event: Any) -> MistakeError:
    return MistakeError(what, event.start_mark.line + 1, event.start_mark.column + 1)


def _tag(event: Any, kind: str) -> str:
    return f"{TAGS}{kind}" if event.tag in (None, "!") else str(event.tag)


def _scalar_tag(event: ScalarEvent) -> str:
    plain = event.tag is None and event.implicit[0]
    return f"{TAGS}{kind_of(event.value)}" if plain else _tag(event, "str")


def kind_of(text: str) -> str:
    """What a plain value is: ``str``, ``bool``, ``int``, ``float``, ``null`` or ``merge``."""
    if _MAY_BE.match(text):
        for kind, pattern in _KINDS:
            if pattern.fullmatch(text):
                return kind
    return "str"


def boolean(text: str) -> bool:
    """A truth value.

    Raises:
        KeyError: it is none.
    """
    return {"true": True, "false": False}[text.lower()]


def whole(text: str) -> int:
    """A whole number.

    Raises:
        ValueError: it is none.
    """
    digits = text.replace("_", "").lower()
    sign = -1 if digits.startswith("-") else 1
    digits = digits.lstrip("+-")
    base = _BASES.get(digits[:2])
    return sign * (int(digits[2:], base) if base else int(digits))


def fraction(text: str) -> float:
    """A number with a fraction.

    Raises:
        ValueError: it is none.
    """
    return float(text.replace("_", "").lower().replace(".inf", "inf").replace(".nan", "nan"))
