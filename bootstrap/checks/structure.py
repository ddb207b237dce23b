"""What no definition can be created without: handlers, types, references, and runtimes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bootstrap.checks import handlers, resources, runtimes
from bootstrap.checks.findings import Hit, Rule, Severity
from bootstrap.checks.sources import Sources
from bootstrap.definition.document import KeyPath
from bootstrap.errors import DefinitionError
from bootstrap.template import Resource, Template

DEFINITION = Rule(
    "TS001",
    Severity.ERROR,
    "The definition cannot be read, or says something that cannot be done.",
    "Correct what the sentence names.",
)
HANDLER = Rule(
    "TS002",
    Severity.ERROR,
    "Lambda cannot import the handler.",
    "Name a file and a function in it that the package has.",
)
RESOURCE = Rule(
    "TS003",
    Severity.ERROR,
    "The stack cannot create a resource of this type, or with this property.",
    "Use a type, property and shape that AWS CloudFormation documents and the stack supports.",
)
REFERENCE = Rule(
    "TS004",
    Severity.ERROR,
    "A resource refers to nothing, or to itself.",
    "Refer to the logical id of another resource.",
)
OTHERWISE = Rule(
    "TS005",
    Severity.NOTE,
    "A key that only matters elsewhere has no effect here, or an old spelling is read as today's.",
    "Nothing, unless you counted on it.",
)
RUNTIME = Rule(
    "TS006",
    Severity.ERROR,
    "This machine cannot run the runtime of a function.",
    "Install what the sentence names, or set a runtime that is here.",
)
RULES = (DEFINITION, HANDLER, RESOURCE, REFERENCE, OTHERWISE, RUNTIME)


def examine(template: Template, sources: Sources) -> Iterator[tuple[Rule, Hit, Resource | None]]:
    """Everything that is wrong, each with its rule, and the resource that cannot be looked at."""
    asked: dict[str, str] = {}
    for resource in template.resources.values():
        if problems := _problems(resources.check_resource, template, resource):
            for problem in problems:
                yield RESOURCE, problem, resource
        else:
            for problem in _problems(handlers.check_function, template, resource, sources):
                yield HANDLER, problem, None
            for problem in _problems(runtimes.check_runtime, template, resource, asked):
                yield RUNTIME, problem, None
    for note in template.document.notes:
        name = ".".join(str(part) for part in note.path)
        yield OTHERWISE, Hit(f"{name}: {note.text}.", note.path), None
    missing = False
    for resource, need in template.missing():
        missing = True
        yield REFERENCE, _hit(template.unknown_reference(resource, need), resource.path), None
    if not missing:
        try:
            template.ordered()
        except DefinitionError as error:
            yield REFERENCE, _hit(error, error.path), None


def _problems[**P](check: Callable[P, None], *given: P.args, **named: P.kwargs) -> list[Hit]:
    try:
        check(*given, **named)
    except DefinitionError as error:
        return [_hit(one, one.path) for one in error.errors]
    return []


def _hit(error: DefinitionError, path: KeyPath) -> Hit:
    return Hit(error.message, path)
