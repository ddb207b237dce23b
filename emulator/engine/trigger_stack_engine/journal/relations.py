"""What belongs to an event: its trace, and the traces that queues link to it.

An invocation for messages of a queue has a trace of its own, which AWS X-Ray links to the traces of
its messages (X-Ray Developer Guide, "Tracing event-driven applications"). Here a step of the
message is the link. A queue is asked a question at a time: synchronous invocations have no index.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

#: Answers a query with its values.
type Query = Callable[[str, list[Any]], list[dict[str, Any]]]

#: Traces that are followed from queue to queue, and events, at most.
_MOST_HOPS = 20
_MOST_EVENTS = 1000

_LINKS = "name IN ('handled by', 'failed in')"
_START = "SELECT id, trace FROM events WHERE id = ?1 OR trace = ?1"
_IDS = "SELECT value FROM json_each(?1)"
_OF_TRACES = f"SELECT id, trace FROM events WHERE trace IN ({_IDS})"  # noqa: S608  texts of this module
_BY_ID = f"SELECT id, trace FROM events WHERE id IN ({_IDS})"  # noqa: S608  texts of this module
_INVOCATIONS = f"SELECT detail AS id FROM step WHERE event IN ({_IDS}) AND {_LINKS}"  # noqa: S608  texts of this module
_MESSAGES = f"SELECT event AS id FROM step WHERE detail IN ({_IDS}) AND {_LINKS}"  # noqa: S608  texts of this module

EVENTS = f"SELECT * FROM events WHERE id IN ({_IDS}) ORDER BY accepted_at"  # noqa: S608  texts of this module
STEPS = f"SELECT * FROM steps WHERE event IN ({_IDS}) ORDER BY at"  # noqa: S608  texts of this module
ATTEMPTS = f"SELECT * FROM attempts WHERE event IN ({_IDS}) ORDER BY event, number"  # noqa: S608  texts of this module


def related(query: Query, event: str) -> list[str]:
    """Ids of an event, or of the events of a trace, and of all that caused it or was caused by it.

    Through queues, causes are followed up and effects down: not the other messages of a batch.

    Args:
        query: Asks the journal.
        event: Id of an event or of a trace.
    """
    start = query(_START, [event])
    whole = _with_traces(query, start)
    found = dict.fromkeys(whole)
    for link in (_INVOCATIONS, _MESSAGES):
        seen, frontier = set(whole), list(whole)
        for _ in range(_MOST_HOPS):
            linked = _fresh(query(link, [json.dumps(frontier)]), seen)
            if not linked or len(found) >= _MOST_EVENTS:
                break
            frontier = _with_traces(query, query(_BY_ID, [json.dumps(linked)]))
            frontier = [one for one in frontier if one not in seen]
            seen.update(frontier)
            found |= dict.fromkeys(frontier)
    return list(found)[:_MOST_EVENTS]


def _with_traces(query: Query, rows: list[dict[str, Any]]) -> list[str]:
    """Ids of events, and of all of their traces."""
    traces = sorted({row["trace"] for row in rows if row["trace"]})
    more = query(_OF_TRACES, [json.dumps(traces)]) if traces else []
    return list(dict.fromkeys(row["id"] for row in [*rows, *more]))


def _fresh(rows: Iterable[dict[str, Any]], seen: set[str]) -> list[str]:
    return sorted({row["id"] for row in rows} - seen)
