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
    if isinstance(call.parent, ast.Expr | ast.Await) and _discarded(call):
        return False
    if call.inside is not None and not _handed_on(call.inside, call):
        return any(marker in _texts(call.inside) for marker in markers)
    return code.says(*markers)


def _discarded(call: Call) -> bool:
    """Whether the answer is dropped where it comes."""
    return isinstance(call.parent, ast.Expr)


def _handed_on(definition: Definition, call: Call) -> bool:
    """Whether the answer leaves the function: returned, or given to another."""
    names = set()
    for node in ast.walk(definition):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if value is call.node:
                names.add(name)
    for node in ast.walk(definition):
        match node:
            case ast.Return(value=ast.expr() as value) if value is call.node:
                return True
            case ast.Return(value=ast.Name(id=name)) | ast.Yield(value=ast.Name(id=name)) if (
                name in names
            ):
                return True
            case ast.Call(args=args) if any(
                one is call.node or (isinstance(one, ast.Name) and one.id in names) for one in args
            ):
                return True
            case ast.keyword(value=value) if value is call.node or (
                isinstance(value, ast.Name) and value.id in names
            ):
                return True
    return False


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
