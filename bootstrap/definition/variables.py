"""Serverless Framework variables: ``${self:…}``, ``${env:…}``, ``${file(…):…}`` and others.

Follows the Serverless Framework guide, "Variables". ``${AWS::Region}`` and ``${Resource.Attr}``
belong to CloudFormation's ``Fn::Sub`` and are left alone.
"""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bootstrap.definition.constructs import output
from bootstrap.definition.document import Document, KeyPath
from bootstrap.definition.scalars import as_text, number
from bootstrap.definition.variable_sources import (
    MISSING,
    SourceError,
    parameter,
    read_file,
    stack_output,
)
from bootstrap.errors import DefinitionError, did_you_mean

_OPEN = re.compile(r"(\\*)\$\{")
_TYPE = re.compile(r"[a-z][a-zA-Z0-9.-]*(?=\(|:(?!:))")
_LITERAL = re.compile(r"""\s*('[^']*'|"(?:[^"\\]|\\.)*")\s*""")
_SOURCE = re.compile(r"([a-z][a-zA-Z0-9.-]*)(\(.*\))?(?::(.*))?", re.DOTALL)
_SUPPORTED = (
    *("self", "env", "opt", "sls", "param", "file", "aws", "ssm", "cf", "strToBool"),
    "construct",
)
_MISSING = MISSING
#: What the framework takes when nothing says otherwise.
_FALLBACKS = {
    "opt:stage": "dev",
    "self:provider.stage": "dev",
    "opt:region": "us-east-1",
    "self:provider.region": "us-east-1",
}
#: Of LocalStack.
_ACCOUNT = "000000000000"
#: Deeper than anyone writes, and shallow enough for Python's stack.
_MAX_DEPTH = 80
#: A short file can ask for more values than memory holds, by naming values that name values.
_MAX_VALUES = 200_000
_MAX_TEXT = 1_000_000


def resolve_variables(
    document: Document,
    *,
    environment: Mapping[str, str] | None = None,
    options: Mapping[str, str] | None = None,
    collect: bool = False,
) -> None:
    """Replace every variable in ``document.data``, in place.

    Args:
        environment: what ``${env:NAME}`` sees; the process environment by default.
        options: what ``${opt:name}`` sees.
        collect: leave what is wrong among the document's problems, for others to be found, too.

    Raises:
        DefinitionError: an unknown source, a variable without value or default, a cycle, or
            values that grow without bounds.
    """
    resolver = _Resolver(
        document, os.environ if environment is None else environment, options or {}
    )
    _drop_other_stages(document, resolver)
    document.data = resolver.walk(document.data, (), collect=True)
    if not collect:
        document.refuse()


def stage_of(document: Document, environment: Mapping[str, str], options: Mapping[str, str]) -> str:
    """The stage, as far as it can be told before ``.env`` of the stage is read."""
    try:
        return _Resolver(document, environment, options).stage(("provider", "stage"), 0)
    except DefinitionError:  # which resolve_variables says
        return "dev"


def _drop_other_stages(document: Document, resolver: _Resolver) -> None:
    """Take out the parameters of other stages: what they refer to need not be there."""
    try:
        stage = resolver.stage(("provider", "stage"), 0)
    except DefinitionError:  # which the walk will say
        resolver.under_way.clear()
        return
    for name in ("params", "stages"):
        given = document.data.get(name)
        if isinstance(given, dict):
            document.data[name] = {k: v for k, v in given.items() if k in (stage, "default")}


@dataclass(frozen=True)
class _Variable:
    """``${env:NAME, self:custom.name, 'default'}``: sources, each as written, and the text."""

    text: str
    sources: list[str]


class _Resolver:
    def __init__(
        self, document: Document, environment: Mapping[str, str], options: Mapping[str, str]
    ) -> None:
        self.document = document
        self.environment = environment
        self.options = options
        self.values = 0
        self.under_way: list[tuple[str, str]] = []
        self.files: dict[str, Any] = {}
        self.instance_id = uuid.uuid4().hex

    def walk(self, node: Any, path: KeyPath, depth: int = 0, *, collect: bool = False) -> Any:
        """A value with its variables resolved.

        Args:
            collect: a variable without a value is noted, and the walk goes on.
        """
        self.values += 1
        if depth > _MAX_DEPTH:
            self.document.fail("is nested too deeply.", *path)
        if self.values > _MAX_VALUES:
            self.document.fail(f"the variables expand to over {_MAX_VALUES} values.", *path)
        if isinstance(node, dict):
            return {
                key: self.walk(value, (*path, key), depth + 1, collect=collect)
                for key, value in node.items()
            }
        if isinstance(node, list):
            return [
                self.walk(value, (*path, i), depth + 1, collect=collect)
                for i, value in enumerate(node)
            ]
        if isinstance(node, str) and "${" in node:
            if not collect:
                return self.text(node, path, depth)
            with self.document.collecting():
                return self.text(node, path, depth)
            self.under_way.clear()
            self.document.unknown.add(path)
        return node

    def text(self, text: str, path: KeyPath, depth: int) -> Any:
        pieces: list[str] = []
        position = 0
        while opening := _OPEN.search(text, position):
            slashes = len(opening[1])
            pieces += text[position : opening.start()], "\\" * (slashes // 2)
            start = opening.end() - 2
            if slashes % 2:  # an escaped variable is text
                pieces.append("${")
                position = opening.end()
                continue
            variable = self.variable(text, start, path)
            if variable is None:
                pieces.append("${")
                position = opening.end()
                continue
            value = self.value(variable, path, depth + 1)
            if variable.text == text:
                return value
            if value is None or isinstance(value, dict | list):
                self.document.fail(f"{variable.text} is not text, but stands inside text.", *path)
            pieces.append(as_text(value))
            position = start + len(variable.text)
            if sum(map(len, pieces)) > _MAX_TEXT:
                self.document.fail(f"the text grows beyond {_MAX_TEXT} characters.", *path)
        return "".join(pieces) + text[position:]

    def variable(self, text: str, start: int, path: KeyPath) -> _Variable | None:
        """The variable that begins at ``start``; None when it is one of CloudFormation's."""
        if not _TYPE.match(text, start + 2):
            return None
        sources: list[str] = []
        position = begin = start + 2
        nested = brackets = 0
        while position < len(text):
            quoted = _LITERAL.match(text, position) if position == begin else None
            if quoted:
                position = quoted.end()
                continue
            if text.startswith("${", position):
                nested += 1
                position += 2
                continue
            character = text[position]
            if character == "}" and nested:
                nested -= 1
            elif not nested and character in "()":
                brackets += 1 if character == "(" else -1
            elif not nested and character == "}":
                sources.append(text[begin:position].strip())
                return _Variable(text[start : position + 1], sources)
            elif not nested and not brackets and character == ",":
                sources.append(text[begin:position].strip())
                begin = position + 1
            position += 1
        raise self.document.error(
            f"{_short(text[start:])}: the closing bracket “}}” is missing.", *path
        )

    def value(self, variable: _Variable, path: KeyPath, depth: int) -> Any:
        for source in variable.sources:
            if not _TYPE.match(source):
                return self.literal(source, variable, path)
            match = _SOURCE.fullmatch(source)
            kind, argument, address = match.groups() if match else (source, None, None)
            if kind not in _SUPPORTED:
                self.document.fail(
                    f"{_short(variable.text)}: the variable source “{kind}” is not supported here. "
                    f"Supported: {', '.join(_SUPPORTED)}.{did_you_mean(kind, _SUPPORTED)}",
                    *path,
                )
            argument = str(self.walk(argument[1:-1].strip(), path, depth)) if argument else ""
            address = str(self.walk((address or "").strip(), path, depth))
            value = self.found(kind, argument, address, variable, path, depth)
            if value is not _MISSING and value is not None:
                return value
        for source in variable.sources:
            if source in _FALLBACKS:
                return _FALLBACKS[source]
        raise self.document.error(
            f"{_short(variable.text)} has no value. Set it, or give a default: "
            f"{_short(variable.text[:-1])}, 'default'}}.",
            *path,
        )

    def found(
        self,
        kind: str,
        argument: str,
        address: str,
        variable: _Variable,
        path: KeyPath,
        depth: int,
    ) -> Any:
        """The value that a source has at ``address``, with its own variables resolved."""
        here = (f"{kind}({argument})", address)
        if here in self.under_way:
            self.document.fail(f"{_short(variable.text)}: the variable refers to itself.", *path)
        self.under_way.append(here)
        try:
            value = self.lookup(kind, argument, address, path, depth)
        except SourceError as error:
            self.document.fail(f"{_short(variable.text)}: {error}.", *path)
        if value is not _MISSING:
            value = self.walk(value, path, depth)
        self.under_way.pop()
        return value

    def lookup(self, kind: str, argument: str, address: str, path: KeyPath, depth: int) -> Any:
        match kind:
            case "env" | "opt":
                given = self.environment if kind == "env" else self.options
                return given.get(address, _MISSING)
            case "sls":
                if address == "instanceId":
                    return self.instance_id
                if address != "stage":
                    self.document.fail(
                        f"sls:{address} is not supported here. Supported: stage, instanceId.", *path
                    )
                return self.stage(path, depth)
            case "param":
                return self.parameter(address, path, depth)
            case "aws":
                if address not in ("region", "accountId"):
                    self.document.fail(
                        f"aws:{address} is not supported here. Supported: region, accountId.", *path
                    )
                return self.region(path, depth) if address == "region" else _ACCOUNT
            case "file":
                return self.descend(self.file(argument), address, path, depth)
            case "ssm":
                return parameter(self.region(path, depth), address)
            case "cf":
                stack, _, output = address.partition(".")
                return stack_output(argument or self.region(path, depth), stack, output)
            case "strToBool":
                return self.to_bool(argument, path)
            case "construct":
                return self.construct(address)
        return self.descend(self.document.data, address, path, depth)

    def construct(self, address: str) -> Any:
        """An output of a construct of serverless-lift."""
        found = output(self.document, address)
        return _MISSING if found is None else found

    def descend(self, node: Any, address: str, path: KeyPath, depth: int) -> Any:
        """The value at ``a.b.0`` below a node; variables on the way are resolved."""
        for part in address.split(".") if address else []:
            if isinstance(node, str):  # a variable that stands for a mapping
                node = self.walk(node, path, depth + 1)
            if isinstance(node, list) and part.isdecimal() and int(part) < len(node):
                node = node[int(part)]
            elif isinstance(node, dict) and part in node:
                node = node[part]
            else:
                return _MISSING
        return node

    def of_provider(self, name: str, path: KeyPath, depth: int) -> Any:
        """An option, or what the provider says."""
        given = self.options.get(name)
        if given is not None:
            return given
        value = self.descend(self.document.data, f"provider.{name}", path, depth)
        here = ("self", f"provider.{name}")
        if isinstance(value, str) and "${" in value:
            if here in self.under_way:
                return _MISSING
            self.under_way.append(here)
            value = self.walk(value, path, depth + 1)
            self.under_way.pop()
        return _MISSING if value is None else value

    def stage(self, path: KeyPath, depth: int) -> str:
        value = self.of_provider("stage", path, depth)
        return "dev" if value is _MISSING else str(value)

    def region(self, path: KeyPath, depth: int) -> str:
        value = self.of_provider("region", path, depth)
        return "us-east-1" if value is _MISSING else str(value)

    def parameter(self, name: str, path: KeyPath, depth: int) -> Any:
        """A stage parameter: of the stage, else of ``default`` (guide, "Parameters")."""
        stage = self.stage(path, depth)
        for address in (
            *(f"stages.{stage}.params", f"params.{stage}"),
            *("stages.default.params", "params.default"),
        ):
            value = self.descend(self.document.data, address, path, depth)
            if isinstance(value, dict) and value.get(name) is not None:
                return value[name]
        return _MISSING

    def file(self, name: str) -> Any:
        """The content of another file, read once."""
        if name not in self.files:
            self.files[name] = read_file(self.document.root, name.strip("'\""))
        return self.files[name]

    def to_bool(self, text: str, path: KeyPath) -> bool:
        if text.strip("'\"").lower() in ("true", "1"):
            return True
        if text.strip("'\"").lower() in ("false", "0"):
            return False
        raise self.document.error(f"strToBool: “{_short(text)}” is neither true nor false.", *path)

    def literal(self, text: str, variable: _Variable, path: KeyPath) -> Any:
        """A static default: quoted text, a number, true, false or null."""
        if quoted := _LITERAL.fullmatch(text):
            inner = quoted[1][1:-1]
            return inner if quoted[1][0] == "'" else re.sub(r"\\(.)", r"\1", inner)
        if text in ("true", "false", "null"):
            return {"true": True, "false": False, "null": None}[text]
        if re.fullmatch(r"-?\d{1,300}", text):
            return int(text)
        if re.fullmatch(r"-?\d{1,300}\.\d{1,300}", text):
            return number(float(text))
        raise self.document.error(
            f"{_short(variable.text)}: the default “{_short(text)}” is neither a number nor text "
            f"in quotes. Write '{_short(text)}', or a source such as self:custom.name.",
            *path,
        )


def _short(text: str, limit: int = 120) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
