"""Events and attempts of the journal as spans of OpenTelemetry.

An event is a span, from when it was accepted until it came to rest, and each of its attempts a
span below it. Ids are those of the X-Ray header, so that an event is below what caused it. An
invocation for messages of a queue has a trace of its own, with a link to each message, as AWS X-Ray
links them.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from trigger_stack_engine.invoke.tracing import segment_of
from trigger_stack_engine.journal.schema import State

_ROOT = re.compile(r"1-([0-9a-f]{8})-([0-9a-f]{24})")
_SEGMENT = re.compile(r"[0-9a-f]{16}")
_IDS = "SELECT value FROM json_each(?1)"
STEPS = f"SELECT event, at, name, detail FROM step WHERE event IN ({_IDS}) ORDER BY at"  # noqa: S608  texts of this module
ATTEMPTS = (
    "SELECT event, number, began_at, ended_at, outcome, error FROM attempt"  # noqa: S608  texts of this module
    f" WHERE event IN ({_IDS}) AND ended_at IS NOT NULL ORDER BY event, number"
)
MESSAGES = (
    "SELECT DISTINCT step.detail AS invocation, event.id, event.trace FROM step"  # noqa: S608  texts of this module
    " JOIN event ON event.id = step.event"
    f" WHERE step.detail IN ({_IDS}) AND step.name IN ('handled by', 'failed in')"
)
#: An end that is no success.
_FAILED = frozenset({State.LOST, State.DEAD_LETTER, State.DESTINATION})
_CALLER_HAS_ERROR = "the caller has the error"
_LONGEST_TEXT = 1000


@dataclass(frozen=True, slots=True)
class Span:
    """A span, with ids as hexadecimal digits and times in seconds since 1970.

    Attributes:
        name: What happened, to what.
        trace: 32 digits.
        id: 16 digits.
        parent: 16 digits, or an empty text.
        began: Its begin.
        ended: Its end.
        service: Name of the function, or of the queue, topic, bus or stream.
        error: Why it failed; None when it did not.
        attributes: By name.
        notes: What happened meanwhile: times, names and details.
        links: Traces and ids of other spans that it belongs to.
    """

    name: str
    trace: str
    id: str
    parent: str
    began: float
    ended: float
    service: str
    error: str | None = None
    attributes: Mapping[str, str | int] = field(default_factory=dict)
    notes: Sequence[tuple[float, str, str]] = ()
    links: Sequence[tuple[str, str]] = ()


def spans_of(
    events: Iterable[Mapping[str, Any]],
    steps: Iterable[Mapping[str, Any]],
    attempts: Iterable[Mapping[str, Any]],
    messages: Iterable[Mapping[str, Any]],
) -> list[Span]:
    """The spans of events that came to rest.

    Args:
        events: As ``changes`` gives them.
        steps: Rows of ``STEPS``.
        attempts: Rows of ``ATTEMPTS``.
        messages: Rows of ``MESSAGES``.
    """
    notes = _by(steps, "event", lambda row: (row["at"], row["name"], row["detail"]))
    tries = _by(attempts, "event", lambda row: row)
    links = _by(
        messages, "invocation", lambda row: (_trace(row["trace"], row["id"]), segment_of(row["id"]))
    )
    found = []
    for row in events:
        if row["state"] == State.PENDING:
            continue
        event = row["id"]
        whole = _event_span(row, notes.get(event, ()), links.get(event, ()))
        found.append(whole)
        found += [_attempt_span(whole, event, one) for one in tries.get(event, ())]
    return found


def _by[Value](
    rows: Iterable[Mapping[str, Any]], key: str, make: Callable[[Mapping[str, Any]], Value]
) -> dict[str, list[Value]]:
    found: dict[str, list[Value]] = {}
    for row in rows:
        found.setdefault(row[key], []).append(make(row))
    return found


def _event_span(
    row: Mapping[str, Any],
    notes: Sequence[tuple[float, str, str]],
    links: Sequence[tuple[str, str]],
) -> Span:
    service = _name(row["function"] or row["source"])
    failed = row["state"] in _FAILED or row["place"] == _CALLER_HAS_ERROR
    attributes: dict[str, str | int] = {
        "trigger_stack.event": row["id"],
        "trigger_stack.kind": row["kind"],
        "trigger_stack.source": row["source"],
        "trigger_stack.state": row["state"],
        "trigger_stack.attempts": row["attempts"],
        **({"trigger_stack.place": row["place"]} if row["place"] else {}),
        **({"faas.invoked_name": service, "cloud.resource_id": row["function"]}
           if ":function:" in row["function"] else {}),
    }  # fmt: skip
    return Span(
        f"{row['kind']} {service}",
        _trace(row["trace"], row["id"]),
        segment_of(row["id"]),
        row["cause"] if _SEGMENT.fullmatch(row["cause"] or "") else "",
        _seconds(row["accepted_at"]),
        _seconds(row["changed_at"]),
        service,
        f"{row['state']}: {row['place']}"[:_LONGEST_TEXT] if failed else None,
        attributes,
        notes,
        links,
    )


def _attempt_span(whole: Span, event: str, row: Mapping[str, Any]) -> Span:
    failed = row["outcome"] != "success"
    return Span(
        f"attempt {row['number']}",
        whole.trace,
        segment_of(f"{event}/{row['number']}"),
        whole.id,
        row["began_at"],
        row["ended_at"],
        whole.service,
        f"{row['outcome']}: {row['error']}"[:_LONGEST_TEXT] if failed else None,
        {"trigger_stack.event": event, "trigger_stack.outcome": row["outcome"]},
    )


def _trace(root: str, event: str) -> str:
    """The trace of an event; one without the header has its own."""
    if match := _ROOT.fullmatch(root):
        return match[1] + match[2]
    return hashlib.blake2b(event.encode(), digest_size=16).hexdigest()


def _name(arn: str) -> str:
    """The last part of an ARN that says something."""
    head, _, function = arn.partition(":function:")
    return function.partition(":")[0] or head.partition(" ")[0].rpartition(":")[2] or "events"


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def ids_of(events: Iterable[Mapping[str, Any]]) -> str:
    """The value of the queries above."""
    return json.dumps([row["id"] for row in events])
