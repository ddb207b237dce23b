"""Calls of boto3 in the functions' code: which service, which operation, which IAM actions."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

from bootstrap.checks.sources import Call, Code, Module, Sources, parameters
from bootstrap.services.actions import ACTIONS


class AwsCall(NamedTuple):
    """A call of an operation of a service of AWS."""

    call: Call
    service: str

    @property
    def action(self) -> str | None:
        """The IAM action that it needs, when that is certain."""
        return ACTIONS.get(self.service, {}).get(self.call.method)


def aws_calls(sources: Sources, code: Code, *methods: str) -> Iterator[AwsCall]:
    """The calls whose receiver is certainly a client or resource of boto3.

    Args:
        methods: only these, when any are given.
    """
    for call in code.calls:
        if methods and call.method not in methods:
            continue
        if service := _service(sources, call.module, call, call.receiver):
            yield AwsCall(call, service)


def _service(sources: Sources, module: Module, call: Call, node: ast.expr, depth: int = 0) -> str:
    """The service of boto3 that an expression is a client or resource of; empty if unknown."""
    if depth > 8:
        return ""
    match node:
        case ast.Name(id=name):
            annotation, _ = parameters(call.inside).get(name, (None, None))
            if annotation is not None or name in parameters(call.inside):
                return _annotated(module, annotation)
            if module is call.module and name in module.variables and name not in module.values:
                return _service(sources, module, call, module.variables[name], depth + 1)
            other, value = sources.follow(module, node)
            if value is node:
                return ""
            return _service(sources, other, call, value, depth + 1)
        case ast.Call(
            func=ast.Attribute(attr="client" | "resource", value=ast.Name(id="boto3")),
            args=[ast.Constant(value=str(service)), *_],
        ):
            return service
        case ast.Call(func=ast.Attribute(attr="Table" | "Queue" | "Topic" | "Bucket", value=owner)):
            return _service(sources, module, call, owner, depth + 1)
        case ast.Attribute(value=ast.Name(id="self"), attr=name):
            return _of_self(sources, module, call, name, depth)
    return ""


def _annotated(module: Module, annotation: ast.expr | None) -> str:
    """The service of a type of boto3-stubs: ``mypy_boto3_events.EventBridgeClient``."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        name = annotation.value
    elif isinstance(annotation, ast.Name):
        name = annotation.id
    else:
        return ""
    base, _ = module.typing_imports.get(name) or module.imports.get(name) or ("", None)
    first, *_ = base.split(".")
    return first.removeprefix("mypy_boto3_") if first.startswith("mypy_boto3_") else ""


def _of_self(sources: Sources, module: Module, call: Call, name: str, depth: int) -> str:
    """The service of ``self.<name>``, when every assignment to it says the same."""
    values = module.attributes.get(name, ())
    found = {_service(sources, module, call, value, depth + 1) for value in values}
    return found.pop() if len(found) == 1 else ""
