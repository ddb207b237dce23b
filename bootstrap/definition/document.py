"""A YAML document that remembers on which line each key stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq, TaggedScalar
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from bootstrap.errors import DefinitionError

type KeyPath = tuple[str | int, ...]

#: CloudFormation's short forms (AWS CloudFormation, "Intrinsic function reference").
INTRINSIC_TAGS = {
    "!Ref": "Ref",
    "!GetAtt": "Fn::GetAtt",
    "!Sub": "Fn::Sub",
    "!Join": "Fn::Join",
}


@dataclass
class Document:
    """A definition file as plain data.

    Attributes:
        path: where it was read from.
        data: the content, CloudFormation's short forms written out (``{"Ref": …}``).
        lines: 1-based line of every key and list item, by its path from the root.
    """

    path: Path
    data: dict[str, Any]
    lines: dict[KeyPath, int] = field(default_factory=dict)

    @property
    def root(self) -> Path:
        """Folder that the paths in the file are relative to."""
        return self.path.parent

    def line(self, path: Sequence[str | int]) -> int | None:
        """Line of the key at ``path``, or of the nearest key above it that has one."""
        for length in range(len(path), 0, -1):
            if found := self.lines.get(tuple(path[:length])):
                return found
        return None

    def fail(self, message: str, *path: str | int) -> NoReturn:
        """Refuse what stands at ``path``.

        Raises:
            DefinitionError: always.
        """
        raise self.error(message, *path)

    def error(self, message: str, *path: str | int) -> DefinitionError:
        """What :meth:`fail` raises."""
        return DefinitionError(message, file=self.path.name, line=self.line(path))


def load_document(path: Path) -> Document:
    """Read ``path``.

    Raises:
        DefinitionError: no such file, not UTF-8, not YAML, or not a mapping at the top.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise DefinitionError(
            f"not found in {path.parent.resolve()}. Run the command in the project's folder, "
            "or name the file with --file.",
            file=path.name,
        ) from None
    except UnicodeDecodeError as error:
        raise DefinitionError(f"is not UTF-8 text ({error.reason}).", file=path.name) from None
    try:
        tree = YAML(typ="rt").load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise DefinitionError(
            f"is not valid YAML: {error.problem or error.context}.",
            file=path.name,
            line=mark.line + 1 if mark else None,
        ) from None
    except (YAMLError, ValueError, RecursionError) as error:
        raise DefinitionError(f"is not valid YAML: {error}", file=path.name) from None
    document = Document(path=path, data={})
    if not isinstance(tree, CommentedMap):
        document.fail("must be a mapping with the keys service, provider, functions, resources.")
    plain = _plain(tree, (), document)
    assert isinstance(plain, dict)
    document.data = plain
    return document


def _plain(node: Any, path: KeyPath, document: Document, depth: int = 0) -> Any:
    if depth > 64:
        document.fail("is nested too deeply (an alias that contains itself?).", *path)
    tag = getattr(getattr(node, "tag", None), "value", None)
    if isinstance(tag, str) and tag.startswith("!") and not tag.startswith("!!"):
        return _intrinsic(tag, node, path, document, depth)
    return _plain_value(node, path, document, depth)


def _plain_value(node: Any, path: KeyPath, document: Document, depth: int) -> Any:
    if isinstance(node, CommentedMap):
        for key in node:
            document.lines[(*path, str(key))] = node.lc.key(key)[0] + 1
        return {str(k): _plain(v, (*path, str(k)), document, depth + 1) for k, v in node.items()}
    if isinstance(node, CommentedSeq):
        for index in range(len(node)):
            document.lines[(*path, index)] = node.lc.item(index)[0] + 1
        return [_plain(v, (*path, i), document, depth + 1) for i, v in enumerate(node)]
    if isinstance(node, TaggedScalar):
        return str(node.value)
    if isinstance(node, bool) or node is None:
        return node
    for plain_type in (int, float, str):
        if isinstance(node, plain_type):
            return plain_type(node)
    return str(node)


def _intrinsic(tag: str, node: Any, path: KeyPath, document: Document, depth: int) -> Any:
    if tag not in INTRINSIC_TAGS:
        document.fail(
            f"{tag} is not supported here. Supported: {', '.join(INTRINSIC_TAGS)}.", *path
        )
    value = _plain_value(node, path, document, depth)
    if tag == "!GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {INTRINSIC_TAGS[tag]: value}
