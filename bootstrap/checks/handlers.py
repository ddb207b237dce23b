"""Each function's handler is there: what Lambda could not import is refused beforehand."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from bootstrap.checks.sources import UNPARSABLE, Sources
from bootstrap.definition.document import Document, KeyPath
from bootstrap.errors import did_you_mean
from bootstrap.packaging import NODE_SUFFIXES, picks
from bootstrap.template import Resource, Template

_SUFFIXES = {"python": (".py",), "nodejs": NODE_SUFFIXES}


def check_function(template: Template, resource: Resource, sources: Sources) -> None:
    """Check the handler of a function below ``functions:``; anything else is fine.

    Raises:
        DefinitionError: see :func:`check_handler`.
    """
    if resource.type == "AWS::Lambda::Function" and resource.path[0] == "functions":
        wanted = resource.properties
        if wanted["Code"].keys() & {"Archive", "TypeScript", "Wsgi"}:  # made elsewhere
            return
        check_handler(
            str(resource.path[1]),
            wanted["Handler"],
            wanted["Runtime"],
            wanted["Code"]["Patterns"],
            template.document,
            sources,
            wanted["Code"].get("Module", ""),
        )


def check_handler(
    key: str,
    handler: str,
    runtime: str,
    patterns: list[str],
    document: Document,
    sources: Sources,
    folder: str = "",
) -> None:
    """Look for the handler of function ``key`` in its file (AWS Lambda, "Define handler").

    Args:
        patterns: the ``package.patterns`` that its deployment package is made with.
        folder: the folder of the project that is at the package's top.

    Raises:
        DefinitionError: no such file, it is not packaged, it is not Python, or nothing in it has
            the handler's name.
    """
    path: KeyPath = ("functions", key, "handler")
    suffixes = next((s for family, s in _SUFFIXES.items() if runtime.startswith(family)), None)
    if suffixes is None:  # provided.al2023 and its like run a program of their own
        return
    module, _, name = handler.rpartition(".")
    if not module or not name:
        document.fail(
            f"functions.{key}: the handler “{handler}” must be "
            f"<path of the file without its ending>.<name of the function>.",
            *path,
        )
    root = sources.root
    module = f"{folder}/{module}" if folder else module
    files = [root / f"{module}{suffix}" for suffix in suffixes]
    found = next((file for file in files if file.is_file()), None)
    if found is None:
        document.fail(
            f"functions.{key}: there is no {' or '.join(f'{module}{s}' for s in suffixes)} "
            f"for the handler “{handler}”.",
            *path,
        )
    place = Path(f"{module}{found.suffix}")
    if place.is_absolute() or ".." in place.parts:
        document.fail(
            f"functions.{key}: {place} is outside the project's folder and cannot be packaged.",
            *path,
        )
    if not picks(place.as_posix(), patterns):
        document.fail(
            f"functions.{key}: package.patterns leave out {place}, the file of its "
            "handler. Add a pattern for it after the others (a function's own patterns count with "
            "package.individually: true).",
            *path,
        )
    if found.suffix != ".py":
        return
    names = _names(key, found, place, document, sources)
    if not names & {name, "*"}:
        document.fail(
            f"functions.{key}: {place} has no function “{name}” at its top level."
            f"{did_you_mean(name, names)}",
            *path,
        )


def _names(key: str, file: Path, place: Path, document: Document, sources: Sources) -> set[str]:
    """Names that a module has once it was imported."""
    try:
        return set(_bound(sources.tree(file)))
    except UNPARSABLE as error:
        line = getattr(error, "lineno", None)
        raise document.error(
            f"functions.{key}: {place}{f':{line}' if line else ''} is not valid Python "
            f"({getattr(error, 'msg', None) or error}).",
            *("functions", key, "handler"),
        ) from None


def _bound(node: ast.AST) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        match child:
            case ast.FunctionDef() | ast.ClassDef():
                yield child.name
            case ast.AsyncFunctionDef():
                # Lambda's Python runtime awaits nothing; a decorator may.
                if child.decorator_list:
                    yield child.name
            case ast.Import() | ast.ImportFrom():
                yield from (alias.asname or alias.name.split(".")[0] for alias in child.names)
            case ast.Name(id=name, ctx=ast.Store()):
                yield name
            case ast.Lambda():
                pass
            case _:
                yield from _bound(child)
