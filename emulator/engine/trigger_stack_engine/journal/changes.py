"""What has changed in the journal since a reader looked last."""

from __future__ import annotations

import time
from typing import Any

from trigger_stack_engine.journal.queries import CHANGED_EVENTS, LAST_CALL, NEXT_CALLS
from trigger_stack_engine.journal.store import Journal

#: A change may be written so much later than the moment that it has.
_OVERLAP_S = 2.0


async def changes(
    journal: Journal, cursor: dict[str, Any] | None, wait_s: float
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Events that changed after ``cursor``; waits for one, at most ``wait_s`` seconds.

    Args:
        journal: The journal.
        cursor: What the last call returned; ``None`` begins now.
        wait_s: Seconds.

    Returns:
        Rows as a list of events has them, and the cursor for the next call.
    """
    if cursor is None:
        (last,) = await journal.query(LAST_CALL)
        return [], {"since": time.time(), "call": last["position"] or 0, "seen": []}
    rows, cursor = await _read(journal, cursor)
    if not rows:
        await journal.written(wait_s)
        rows, cursor = await _read(journal, cursor)
    return rows, cursor


async def _read(
    journal: Journal, cursor: dict[str, Any]
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    since, seen = cursor["since"], {(one[0], one[1]) for one in cursor["seen"]}
    events = await journal.query(CHANGED_EVENTS, since - _OVERLAP_S)
    moments = [(one["id"], one.pop("moment")) for one in events]
    begun = cursor.get("begun", since)
    rows = [
        event
        for event, key in zip(events, moments, strict=True)
        if key not in seen and key[1] >= begun
    ]
    calls = await journal.query(NEXT_CALLS, cursor["call"])
    position = max([cursor["call"], *(one.pop("position") for one in calls)])
    latest = max([since, *(moment for _, moment in moments)])
    return rows + calls, {
        "since": latest,
        "begun": begun,
        "call": position,
        "seen": [key for key in moments if key[1] >= latest - _OVERLAP_S],
    }
