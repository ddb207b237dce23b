"""Tables of the journal, and the views that anyone may read.

The views ``events``, ``steps`` and ``attempts`` are the documented interface; the tables behind
them may change. Times in views are ISO 8601, UTC, with milliseconds.
"""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Where an event is. It is in exactly one of these."""

    PENDING = "pending"
    DONE = "done"
    DEAD_LETTER = "dead-letter"
    DESTINATION = "destination"
    DISCARDED = "discarded"
    LOST = "lost"


_TIME = "strftime('%Y-%m-%dT%H:%M:%fZ', {0}, 'unixepoch') AS {0}"


def _times(*names: str) -> str:
    return ", ".join(_TIME.format(name) for name in names)


SCHEMA = f"""
CREATE TABLE IF NOT EXISTS event (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    source TEXT NOT NULL,
    function TEXT NOT NULL,
    state TEXT NOT NULL,
    place TEXT NOT NULL DEFAULT '',
    accepted_at REAL NOT NULL,
    changed_at REAL NOT NULL,
    due_at REAL,
    attempts INTEGER NOT NULL DEFAULT 0,
    retries INTEGER NOT NULL DEFAULT 0,
    trace TEXT NOT NULL DEFAULT '',
    segment TEXT NOT NULL DEFAULT '',
    cause TEXT NOT NULL DEFAULT '',
    request TEXT NOT NULL DEFAULT '{{}}',
    payload BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS run (id TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS event_by_time ON event (accepted_at);
CREATE INDEX IF NOT EXISTS event_by_state ON event (state, changed_at);
CREATE INDEX IF NOT EXISTS event_by_trace ON event (trace);
CREATE TABLE IF NOT EXISTS step (
    event TEXT NOT NULL,
    at REAL NOT NULL,
    name TEXT NOT NULL,
    detail TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS step_by_event ON step (event);
CREATE TABLE IF NOT EXISTS attempt (
    event TEXT NOT NULL,
    number INTEGER NOT NULL,
    began_at REAL NOT NULL,
    ended_at REAL,
    outcome TEXT NOT NULL DEFAULT 'running',
    error TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (event, number)
) WITHOUT ROWID;
CREATE VIEW IF NOT EXISTS events AS
    SELECT id, kind, source, function, state, place,
           {_times("accepted_at", "changed_at", "due_at")},
           attempts, trace, segment, cause, CAST(payload AS TEXT) AS payload
    FROM event;
CREATE VIEW IF NOT EXISTS steps AS
    SELECT event, {_times("at")}, name, detail FROM step;
CREATE VIEW IF NOT EXISTS attempts AS
    SELECT event, number, {_times("began_at", "ended_at")},
           round((ended_at - began_at) * 1000, 1) AS duration_ms, outcome, error
    FROM attempt;
"""  # noqa: S608
