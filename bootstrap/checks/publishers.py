"""What functions and pipes publish to EventBridge, as far as it is said plainly."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from bootstrap.checks.sources import Call, parameters
from bootstrap.checks.view import BUS, PIPE, View, within
from bootstrap.template import Resource


@dataclass(frozen=True)
class Published:
    """One entry of a ``PutEvents``.

    Attributes:
        function: the function, or the pipe.
        call: in the function's code; None for a pipe.
        bus: as :meth:`View.bus` names it; None when unknown.
        source: None when unknown.
        detail_type: None when unknown.
        certain: whether ``detail_type`` is all that there can be (a parameter's default is not).
    """

    function: Resource
    call: Call | None
    bus: str | None
    source: str | None
    detail_type: str | None
    certain: bool


def published(view: View) -> Iterator[Published]:
    """Every entry that a function's code writes out in ``put_events``, and what pipes send."""
    for function in view.functions:
        for call in view.sources.code(function).calls:
            if call.method == "put_events":
                entries = call.argument("Entries")
                found = _entries(view, call, entries)
                for entry in found:
                    yield _published(view, function, call, entry)
                if not found:
                    yield Published(function, call, None, None, None, certain=False)
    for pipe in view.of(PIPE):
        bus = view.target(pipe.properties["Target"])
        if bus is not None and bus.type == BUS:
            own = within(pipe.properties, "TargetParameters", "EventBridgeEventBusParameters")
            source, kind = within(own, "Source"), within(own, "DetailType")
            known = source if isinstance(source, str) and not source.startswith("$") else None
            fixed = isinstance(kind, str) and not kind.startswith("$")
            detail_type = kind if fixed else None
            yield Published(pipe, None, bus.logical_id, known, detail_type, certain=fixed)


def _entries(view: View, call: Call, node: ast.expr | None) -> list[dict[str, ast.expr]]:
    if isinstance(node, ast.Name) and node.id in call.module.variables:
        node = call.module.variables[node.id]
    if not isinstance(node, ast.List):
        return []
    return [
        {
            key.value: value
            for key, value in zip(item.keys, item.values, strict=True)
            if isinstance(key, ast.Constant) and isinstance(key.value, str)
        }
        for item in node.elts
        if isinstance(item, ast.Dict)
    ]


def _published(view: View, function: Resource, call: Call, entry: dict[str, ast.expr]) -> Published:
    kind, certain = _text(view, call, entry.get("DetailType"))
    source, _ = _text(view, call, entry.get("Source"))
    bus: str | None = "default"
    if (given := entry.get("EventBusName")) is not None:
        bus = _bus(view, function, call, given)
    return Published(function, call, bus, source, kind, certain)


def _text(view: View, call: Call, node: ast.expr | None) -> tuple[str | None, bool]:
    """A text, and whether it can be no other: of a parameter, the default."""
    if isinstance(node, ast.Name) and node.id in parameters(call.inside):
        _, default = parameters(call.inside)[node.id]
        return view.sources.constant(call.module, default), False
    text = view.sources.constant(call.module, node)
    return text, text is not None


def _bus(view: View, function: Resource, call: Call, node: ast.expr) -> str | None:
    """The bus of an entry: a literal, or what the function's environment names."""
    value = view.value(function, call, node)
    return None if value is None else view.bus(value)
