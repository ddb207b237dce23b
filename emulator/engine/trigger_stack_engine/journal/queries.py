"""The most frequent queries of the journal, as SQL over its views."""

from __future__ import annotations

from collections.abc import Mapping

#: Columns of a list: everything but the payload.
COLUMNS = (
    "id, kind, source, function, state, place,"
    " accepted_at, changed_at, due_at, attempts, trace, cause"
)
DEFAULT_LIMIT = 50
MOST_ROWS = 1000


class FilterError(ValueError):
    """A filter cannot be used; the text says why."""


def list_events(filters: Mapping[str, str]) -> tuple[str, list[str | int]]:
    """A query for events, the newest first, and its values.

    Args:
        filters: ``function`` (a part of its ARN), ``source``, ``kind``, ``state``, ``since`` and
            ``before`` (ISO 8601, UTC), ``text`` (in the payload), ``limit``.

    Raises:
        FilterError: A filter is unknown, or ``limit`` is no number from 1 to 1000.
    """
    conditions: list[str] = []
    values: list[str | int] = []
    for name, value in filters.items():
        if name == "limit":
            continue
        condition = _CONDITIONS.get(name)
        if condition is None:
            known = ", ".join([*_CONDITIONS, "limit"])
            raise FilterError(f"{name} is no filter; filters: {known}")
        conditions.append(condition)
        values.append(value)
    limit = filters.get("limit", str(DEFAULT_LIMIT))
    if not (limit.isascii() and limit.isdigit() and 1 <= int(limit) <= MOST_ROWS):
        raise FilterError(f"limit={limit}: write a number from 1 to {MOST_ROWS}")
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    sql = f"SELECT {COLUMNS} FROM events{where} ORDER BY accepted_at DESC LIMIT ?"  # noqa: S608  texts of this module
    return sql, [*values, int(limit)]


_CONDITIONS = {
    "function": "instr(function, ?)",
    "source": "instr(source, ?)",
    "kind": "kind = ?",
    "state": "state = ?",
    "since": "accepted_at >= ?",
    "before": "accepted_at < ?",
    "text": "instr(payload, ?)",
}

_RELATED = (
    "SELECT id FROM events WHERE id = ?1 OR (trace <> '' AND trace ="
    " (SELECT trace FROM events WHERE id = ?1))"
    " UNION SELECT detail FROM step WHERE event = ?1 AND name IN ('handled by', 'failed in')"
    " UNION SELECT event FROM step WHERE detail = ?1 AND name IN ('handled by', 'failed in')"
)
#: The event with an id, everything of the same trace, a message's invocations and an invocation's
#: messages; steps and attempts of these.
RELATED_EVENTS = f"SELECT * FROM events WHERE id IN ({_RELATED}) ORDER BY accepted_at"  # noqa: S608  texts of this module
RELATED_STEPS = f"SELECT * FROM steps WHERE event IN ({_RELATED}) ORDER BY at"  # noqa: S608  texts of this module
RELATED_ATTEMPTS = f"SELECT * FROM attempts WHERE event IN ({_RELATED}) ORDER BY event, number"  # noqa: S608  texts of this module
