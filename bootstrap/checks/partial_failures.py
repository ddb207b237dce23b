"""Operations that answer 200 although a part of them failed: the code must look."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from bootstrap.checks.findings import Hit, Place, Severity, rule
from bootstrap.checks.sources import Call, Code, Definition, Module
from bootstrap.checks.view import View


def _unread(view: View, methods: tuple[str, ...], *markers: str) -> Iterator[Call]:
    """The calls after which nothing reads what failed, each once."""
    seen: set[Place] = set()
    for function in view.functions:
        code = view.sources.code(function)
        for call in code.calls:
            if call.method not in methods or call.place in seen:
                continue
            seen.add(call.place)
            if not _reads(call, code, markers):
                yield call


def _reads(call: Call, code: Code, markers: tuple[str, ...]) -> bool:
    """Whether something looks at what failed; True when that is not certain."""
    match call.parent:
        case ast.Expr():
            return False  # the answer is dropped where it comes
        case ast.Assign(targets=[ast.Name(id=name)]) if call.inside is not None:
            if not _handed_on(call.inside, name):
                return any(marker in _texts(call.inside) for marker in markers)
    return code.says(*markers)


def _handed_on(definition: Definition, name: str) -> bool:
    """Whether a variable as a whole leaves the function: returned, kept, or given to another."""
    return any(
        isinstance(child, ast.Name) and child.id == name and isinstance(child.ctx, ast.Load)
        for node in ast.walk(definition)
        if not isinstance(node, ast.Subscript | ast.Attribute | ast.FormattedValue)
        for child in ast.iter_child_nodes(node)
    )


def _texts(node: ast.AST) -> set[str]:
    return {
        one.value
        for one in ast.walk(node)
        if isinstance(one, ast.Constant) and isinstance(one.value, str)
    } | {one.attr for one in ast.walk(node) if isinstance(one, ast.Attribute)}


@rule("TS801", Severity.WARNING, mend="Raise when the answer's FailedEntryCount is not 0.")
def put_events(view: View) -> Iterator[Hit]:
    """PutEvents answers 200 with a FailedEntryCount: an entry that the bus did not take is lost."""
    for call in _unread(view, ("put_events",), "FailedEntryCount", "ErrorCode"):
        yield Hit("The code never looks at FailedEntryCount.", call.place)


@rule("TS802", Severity.WARNING, mend="Send again, or raise, what the answer lists under Failed.")
def batches(view: View) -> Iterator[Hit]:
    """A batch answers 200 with Failed: a message that was not taken is lost."""
    for call in _unread(view, ("send_message_batch", "publish_batch", "send_messages"), "Failed"):
        yield Hit("The code never looks at Failed.", call.place)


@rule(
    "TS803",
    Severity.WARNING,
    mend="Put again the records that have an ErrorCode, or raise.",
)
def put_records(view: View) -> Iterator[Hit]:
    """PutRecords answers 200 with a count of failures: a record that was throttled is lost."""
    markers = {"put_records": "FailedRecordCount", "put_record_batch": "FailedPutCount"}
    for method, marker in markers.items():
        for call in _unread(view, (method,), marker, "ErrorCode"):
            yield Hit(f"The code never looks at {marker}.", call.place)


@rule(
    "TS804",
    Severity.WARNING,
    mend="Write again what the answer lists under UnprocessedItems, or use batch_writer().",
)
def batch_write_item(view: View) -> Iterator[Hit]:
    """BatchWriteItem answers 200 with UnprocessedItems: an item that was throttled is lost."""
    for call in _unread(view, ("batch_write_item",), "UnprocessedItems"):
        yield Hit("The code never looks at UnprocessedItems.", call.place)


def modules(view: View) -> list[Module]:
    """Every module of the functions' code."""
    for function in view.functions:
        view.sources.code(function)
    return view.sources.modules
