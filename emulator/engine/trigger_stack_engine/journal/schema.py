"""Tables of the journal, and the views that anyone may read.

The views ``events``, ``steps`` and ``attempts`` are the documented interface; the tables behind
them may change. Synchronous invocations have a table of their own with one row each, without an
index, which would cost three times as much as the row: there are thousands in a second, each with
one attempt and no step. Times in views are ISO 8601, UTC, with milliseconds.
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
CREATE INDEX IF NOT EXISTS step_by_invocation ON step (detail)
    WHERE name IN ('handled by', 'failed in');
CREATE TABLE IF NOT EXISTS attempt (
    event TEXT NOT NULL,
    number INTEGER NOT NULL,
    began_at REAL NOT NULL,
    ended_at REAL,
    outcome TEXT NOT NULL DEFAULT 'running',
    error TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (event, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS call (
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    source TEXT NOT NULL,
    function TEXT NOT NULL,
    began_at REAL NOT NULL,
    ended_at REAL NOT NULL,
    outcome TEXT NOT NULL,
    error TEXT NOT NULL,
    trace TEXT NOT NULL,
    segment TEXT NOT NULL,
    cause TEXT NOT NULL,
    payload BLOB NOT NULL
);
CREATE VIEW IF NOT EXISTS events AS
    SELECT id, kind, source, function, state, place,
           {_times("accepted_at", "changed_at", "due_at")},
           attempts, trace, segment, cause, CAST(payload AS TEXT) AS payload
    FROM event
    UNION ALL
    SELECT id, kind, source, function, 'done',
           CASE outcome WHEN 'success' THEN '' ELSE 'the caller has the error' END,
           {_TIME.format("began_at")}, {_TIME.format("ended_at")}, NULL,
           1, trace, segment, cause, CAST(payload AS TEXT)
    FROM call;
CREATE VIEW IF NOT EXISTS steps AS
    SELECT event, {_times("at")}, name, detail FROM step;
CREATE VIEW IF NOT EXISTS attempts AS
    SELECT event, number, {_times("began_at", "ended_at")},
           round((ended_at - began_at) * 1000, 1) AS duration_ms, outcome, error
    FROM attempt
    UNION ALL
    SELECT id, 1, {_times("began_at", "ended_at")},
           round((ended_at - began_at) * 1000, 1), outcome, error
    FROM call;
"""  # noqa: S608
