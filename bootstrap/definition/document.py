"""A YAML document that remembers where each key stands."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from bootstrap.definition import scalars
from bootstrap.definition.yaml_nodes import (
    MAX_DEPTH,
    TAGS,
    MistakeError,
    boolean,
    compose,
    fraction,
    whole,
)
from bootstrap.errors import DefinitionError, DefinitionErrors, did_you_mean

type KeyPath = tuple[str | int, ...]

#: CloudFormation's short forms (AWS CloudFormation, "Intrinsic function reference").
INTRINSIC_TAGS = {
    "!Ref": "Ref",
    "!GetAtt": "Fn::GetAtt",
    "!Sub": "Fn::Sub",
    "!Join": "Fn::Join",
    "!Select": "Fn::Select",
    "!Split": "Fn::Split",
    "!Base64": "Fn::Base64",
    "!GetAZs": "Fn::GetAZs",
    "!FindInMap": "Fn::FindInMap",
    "!If": "Fn::If",
    "!Equals": "Fn::Equals",
    "!And": "Fn::And",
    "!Or": "Fn::Or",
    "!Not": "Fn::Not",
    "!Condition": "Condition",
    "!ImportValue": "Fn::ImportValue",
    "!Cidr": "Fn::Cidr",
    "!Transform": "Fn::Transform",
}

#: A few aliases of aliases can ask for more values than memory holds.
_MAX_VALUES = 200_000
#: Python cannot write very long numbers as text, which a sentence about one needs.
_MAX_BITS = 1024


@dataclass(frozen=True)
class Note:
    """Something that is read otherwise than it is written, or not at all.

    Attributes:
        path: where it stands.
        text: what is done with it; its key is the subject.
    """

    path: KeyPath
    text: str


@dataclass(eq=False)
class Document:
    """A definition file as plain data.

    Attributes:
        path: where it was read from.
        data: the content, CloudFormation's short forms written out (``{"Ref": …}``).
        lines: 1-based line of every key and list item, by its path from the root.
        notes: what was left out of ``data``, or read otherwise, and why.
        columns: 1-based column of the same.
        text: the content as it was read, comments included.
        plugins: the framework's plugins that it names.
        problems: what is wrong so far: see :meth:`collecting`.
        unknown: where a value stands that could not be worked out, which is a problem already.
    """

    path: Path
    data: dict[str, Any]
    lines: dict[KeyPath, int] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    columns: dict[KeyPath, int] = field(default_factory=dict)
    text: str = ""
    plugins: list[str] = field(default_factory=list)
    problems: list[DefinitionError] = field(default_factory=list)
    unknown: set[KeyPath] = field(default_factory=set)

    @property
    def root(self) -> Path:
        """Folder that the paths in the file are relative to."""
        return self.path.parent

    def line(self, path: Sequence[str | int]) -> int | None:
        """Line of the key at ``path``, or of the nearest key above it that has one."""
        return self.lines.get(self.nearest(path))

    def nearest(self, path: Sequence[str | int]) -> KeyPath:
        """``path``, or the nearest path above it that stands in the file; () for none."""
        for length in range(len(path), 0, -1):
            if (found := tuple(path[:length])) in self.lines:
                return found
        return ()

    def note(self, text: str, *path: str | int) -> None:
        """Remember what is done with the key at ``path``."""
        self.notes.append(Note(path, text))

    def notes_as_text(self) -> list[str]:
        """One line for each note, in the order of the file."""
        ordered = sorted(self.notes, key=lambda note: self.line(note.path) or 0)
        return [
            f"{self.path.name}:{self.line(note.path) or 1}: {'.'.join(map(str, note.path))}:"
            f" {note.text}"
            for note in ordered
        ]

    @contextmanager
    def collecting(self) -> Iterator[None]:
        """Take what is refused inside as one problem of the file, and go on behind it."""
        try:
            yield
        except DefinitionError as error:
            self.problems += [one for one in error.errors if not self._follows(one)]

    def _follows(self, error: DefinitionError) -> bool:
        """Whether an error is about a value that is wrong for a reason that is known already."""
        places = (error.path[:length] for length in range(1, len(error.path) + 1))
        return any(place in self.unknown for place in places)

    def refuse(self, template: Any = None) -> None:
        """Refuse the file when there are problems.

        Args:
            template: what could be compiled in spite of them.

        Raises:
            DefinitionErrors: with all of them.
        """
        if self.problems:
            raise DefinitionErrors(self.problems, template)

    def fail(self, message: str, *path: str | int) -> NoReturn:
        """Refuse what stands at ``path``.

        Raises:
            DefinitionError: always.
        """
        raise self.error(message, *path)

    def error(self, message: str, *path: str | int) -> DefinitionError:
        """What :meth:`fail` raises."""
        place = self.nearest(path)
        return DefinitionError(
            message,
            file=self.path.name,
            line=self.lines.get(place),
            column=self.columns.get(place),
            path=place,
        )


def load_document(path: Path) -> Document:
    """Read ``path``.

    Raises:
        DefinitionError: no such file, not UTF-8, not YAML, or not a mapping at the top.
    """
    document = Document(path=path, data={})
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise DefinitionError(
            f"not found in {path.parent.resolve()}. Run the command in the project's folder, "
            "or name the file with --file.",
            file=path.name,
        ) from None
    except OSError as error:
        document.fail(f"cannot be read: {error.strerror}.")
    except UnicodeDecodeError as error:
        document.fail(f"is not UTF-8 text ({error.reason} at byte {error.start}).")
    document.text = text
    root = _compose(document, text)
    if not isinstance(root, MappingNode) or root.tag != f"{TAGS}map":
        document.fail("must be a mapping with the keys service, provider, functions, resources.")
    document.data = _Values(document).mapping(root, (), 0)
    return document


def load_value(path: Path, text: str) -> Any:
    """Read a YAML file that a definition takes values from: it may hold any value.

    Raises:
        DefinitionError: not YAML.
    """
    document = Document(path=path, data={})
    root = _compose(document, text)
    return None if root is None else _Values(document).value(root, (), 0)


def _compose(document: Document, text: str) -> Node | None:
    try:
        return compose(text)
    except MistakeError as mistake:
        line, column = mistake.line, mistake.column
        shown = _excerpt(text, line, column) if line and column else ""
        raise DefinitionError(
            f"is not valid YAML: {mistake.what}.{shown}",
            file=document.path.name,
            line=line,
            column=column,
        ) from None


def _excerpt(text: str, line: int, column: int) -> str:
    """The source line of a mistake, with a mark below its place."""
    lines = text.split("\n")
    if line > len(lines) or not lines[line - 1].strip():
        return ""
    start = max(0, column - 60)
    shown = "".join(c if c.isprintable() else " " for c in lines[line - 1][start : start + 90])
    number = f"{line} | "
    return f"\n    {number}{shown}\n    {' ' * (len(number) + column - 1 - start)}^"


class _Values:
    """From YAML's node graph to plain data, remembering lines on the way."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.count = 0
        self.open: set[int] = set()

    def value(self, node: Node, path: KeyPath, depth: int) -> Any:
        self.count += 1
        if depth > MAX_DEPTH:
            self.document.fail("is nested too deeply.", *path)
        if self.count > _MAX_VALUES:
            self.document.fail(f"the aliases expand to over {_MAX_VALUES} values.", *path)
        if id(node) in self.open:
            self.document.fail("is an alias that contains itself.", *path)
        self.open.add(id(node))
        try:
            if node.tag.startswith("!"):
                return self.intrinsic(node, path, depth)
            return self.plain(node, path, depth)
        finally:
            self.open.discard(id(node))

    def plain(self, node: Node, path: KeyPath, depth: int) -> Any:
        if isinstance(node, MappingNode):
            return self.mapping(node, path, depth)
        if isinstance(node, SequenceNode):
            for index, item in enumerate(node.value):
                self.remember(item, (*path, index))
            return [self.value(v, (*path, i), depth + 1) for i, v in enumerate(node.value)]
        assert isinstance(node, ScalarNode)
        return self.scalar(node, path)

    def remember(self, node: Node, path: KeyPath) -> None:
        """Where a key or an item stands."""
        self.document.lines[path] = node.start_mark.line + 1
        self.document.columns[path] = node.start_mark.column + 1

    def mapping(self, node: MappingNode, path: KeyPath, depth: int) -> dict[str, Any]:
        items = dict(self.items(node, path, depth))
        for name, (key, _) in items.items():
            self.remember(key, (*path, name))
        return {k: self.value(v, (*path, k), depth + 1) for k, (_, v) in items.items()}

    def items(
        self, node: MappingNode, path: KeyPath, depth: int
    ) -> Iterator[tuple[str, tuple[Node, Node]]]:
        """Every key with its node and value; merged keys (``<<``) first, so that own keys win."""
        merged = [v for key, v in node.value if key.tag == f"{TAGS}merge"]
        own = [(key, v) for key, v in node.value if key.tag != f"{TAGS}merge"]
        if depth > MAX_DEPTH:
            self.document.fail("is nested too deeply (a merge of itself?).", *path)
        for source in reversed(merged):  # of several, the first counts, as in a list of them
            sources = source.value if isinstance(source, SequenceNode) else [source]
            for mapping in reversed(sources):
                if not isinstance(mapping, MappingNode):
                    self.remember(source, (*path, "<<"))
                    self.document.fail("“<<” takes a mapping, or a list of them.", *path, "<<")
                yield from self.items(mapping, path, depth + 1)
        seen: dict[str, int] = {}
        for key, value in own:
            line = key.start_mark.line + 1
            if not isinstance(key, ScalarNode) or key.tag.startswith("!"):
                self.remember(key, (*path, "?"))
                self.document.fail("a key must be plain text.", *path, "?")
            name = str(key.value)
            if name in seen:
                self.remember(key, (*path, name))
                self.document.fail(
                    f"the key “{name}” stands here twice; the first is on line {seen[name]}."
                    " Remove one.",
                    *path,
                    name,
                )
            seen[name] = line
            yield name, (key, value)

    def scalar(self, node: ScalarNode, path: KeyPath) -> Any:
        kind = node.tag.removeprefix(TAGS)
        if kind in ("str", "timestamp"):  # CloudFormation's versions look like dates, and are text
            return str(node.value)
        if kind == "null":
            return None
        try:
            if kind == "bool":
                return boolean(node.value)
            if kind == "int":
                number = whole(node.value)
                if number.bit_length() <= _MAX_BITS:
                    return self.number(node, number, path)
            if kind == "float":
                decimal = fraction(node.value)
                if math.isfinite(decimal):
                    return scalars.number(decimal)
        except (ValueError, OverflowError, KeyError):
            pass
        self.document.fail(
            f"{_short(node.value)} cannot be read as {kind}. Write text in quotes.", *path
        )
        return None

    def number(self, node: ScalarNode, written: int, path: KeyPath) -> int | float:
        """A whole number; one that JavaScript cannot have is read as the framework reads it."""
        read = scalars.number(written)
        if read != written:
            text = scalars.as_text(read)
            said = f"{_short(node.value)} is read as {text}, as the framework does: write quotes"
            self.document.note(said, *path)
        return read

    def intrinsic(self, node: Node, path: KeyPath, depth: int) -> Any:
        tag = node.tag
        if tag not in INTRINSIC_TAGS:
            self.document.fail(
                f"{tag} is not supported here. Supported: {', '.join(INTRINSIC_TAGS)}."
                f"{did_you_mean(tag, INTRINSIC_TAGS)}",
                *path,
            )
        value = str(node.value) if isinstance(node, ScalarNode) else self.plain(node, path, depth)
        if tag == "!GetAtt" and isinstance(value, str):
            value = value.split(".", 1)
        return {INTRINSIC_TAGS[tag]: value}


def _short(text: str, limit: int = 60) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
