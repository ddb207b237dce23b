"""Serverless Framework variables: ``${self:…}``, ``${env:…}``, ``${opt:…}``, ``${sls:…}``.

Follows the Serverless Framework guide, "Variables". ``${AWS::Region}`` and ``${Resource.Attr}``
belong to CloudFormation's ``Fn::Sub`` and are left alone.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from bootstrap.definition.document import Document, KeyPath

_VARIABLE = re.compile(r"\$\{([a-zA-Z][\w-]*)(\([^)]*\))?:(?!:)([^,}]*)(?:,\s*([^{}]*))?\}")
_SUPPORTED = ("self", "env", "opt", "sls")
_MISSING = object()
_MAX_DEPTH = 16


def resolve_variables(
    document: Document,
    *,
    environment: Mapping[str, str] | None = None,
    options: Mapping[str, str] | None = None,
) -> None:
    """Replace every variable in ``document.data``, in place.

    Args:
        environment: what ``${env:NAME}`` sees; the process environment by default.
        options: what ``${opt:name}`` sees.

    Raises:
        DefinitionError: an unknown source, a variable without value or default, or a cycle.
    """
    resolver = _Resolver(
        document, os.environ if environment is None else environment, options or {}
    )
    document.data = resolver.walk(document.data, ())


class _Resolver:
    def __init__(
        self, document: Document, environment: Mapping[str, str], options: Mapping[str, str]
    ) -> None:
        self.document = document
        self.environment = environment
        self.options = options

    def walk(self, node: Any, path: KeyPath, depth: int = 0) -> Any:
        if isinstance(node, dict):
            return {key: self.walk(value, (*path, key), depth) for key, value in node.items()}
        if isinstance(node, list):
            return [self.walk(value, (*path, index), depth) for index, value in enumerate(node)]
        if isinstance(node, str):
            return self.text(node, path, depth)
        return node

    def text(self, text: str, path: KeyPath, depth: int) -> Any:
        if depth > _MAX_DEPTH:
            self.document.fail(f"{text}: the variable refers to itself.", *path)
        whole = _VARIABLE.fullmatch(text)
        if whole:
            return self.walk(self.value(whole, path), path, depth + 1)

        def replaced(match: re.Match[str]) -> str:
            value = self.walk(self.value(match, path), path, depth + 1)
            if isinstance(value, dict | list):
                self.document.fail(f"{match[0]} is not text, but stands inside text.", *path)
            return str(value)

        return _VARIABLE.sub(replaced, text)

    def value(self, match: re.Match[str], path: KeyPath) -> Any:
        source, parameters, address, default = match.groups()
        if source not in _SUPPORTED or parameters:
            self.document.fail(
                f"{match[0]}: the variable source “{source}” is not supported here. "
                f"Supported: {', '.join(_SUPPORTED)}.",
                *path,
            )
        value = self._lookup(source, address.strip())
        if value is not _MISSING:
            return value
        if default is None:
            self.document.fail(
                f"{match[0]} has no value. Set it, or give a default: "
                f"${{{source}:{address.strip()}, 'default'}}.",
                *path,
            )
        return _literal(default.strip())

    def _lookup(self, source: str, address: str) -> Any:
        if source == "env":
            return self.environment.get(address) or _MISSING
        if source == "opt":
            return self.options.get(address, _MISSING)
        if source == "sls":
            if address != "stage":
                return _MISSING
            return self.options.get("stage") or self._lookup("self", "provider.stage")
        node: Any = self.document.data
        for part in address.split(".") if address else []:
            if not isinstance(node, dict) or part not in node:
                return _MISSING
            node = node[part]
        return node


def _literal(text: str) -> Any:
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1]
    if text in ("true", "false"):
        return text == "true"
    if re.fullmatch(r"-?\d+", text):
        return int(text)
    return None if text == "null" else text
