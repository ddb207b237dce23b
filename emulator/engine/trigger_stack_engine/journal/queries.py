"""The most frequent queries of the journal, as SQL over its views."""

from __future__ import annotations

from collections.abc import Callable, Mapping

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


_TIMES = ", ".join(
    f"strftime('%Y-%m-%dT%H:%M:%fZ', {name}, 'unixepoch') AS {name}"
    for name in ("accepted_at", "changed_at", "due_at")
)
#: Events that changed since a moment (seconds since 1970), the oldest change first.
CHANGED_EVENTS = (
    f"SELECT id, kind, source, function, state, place, {_TIMES}, attempts, trace, cause,"  # noqa: S608  texts of this module
    " changed_at AS moment FROM event WHERE state IN"
    " ('pending', 'done', 'dead-letter', 'destination', 'discarded', 'lost')"
    " AND changed_at >= ? ORDER BY moment LIMIT 1000"
)
#: Synchronous invocations after a position, and the position of each.
NEXT_CALLS = (
    "SELECT rowid AS position, id, kind, source, function, 'done' AS state,"
    " CASE outcome WHEN 'success' THEN '' ELSE 'the caller has the error' END AS place,"
    " strftime('%Y-%m-%dT%H:%M:%fZ', began_at, 'unixepoch') AS accepted_at,"
    " strftime('%Y-%m-%dT%H:%M:%fZ', ended_at, 'unixepoch') AS changed_at,"
    " NULL AS due_at, 1 AS attempts, trace, cause"
    " FROM call WHERE rowid > ? ORDER BY rowid LIMIT 1000"
)
LAST_CALL = "SELECT max(rowid) AS position FROM call"

_CONDITIONS = {
    "function": "instr(function, ?)",
    "source": "instr(source, ?)",
    "kind": "kind = ?",
    "state": "state = ?",
    "since": "accepted_at >= ?",
    "before": "accepted_at < ?",
    "text": "instr(payload, ?)",
}


def matcher(filters: Mapping[str, str]) -> Callable[[Mapping[str, str]], bool]:
    """Whether a row passes filters: ``function``, ``source``, ``kind`` and ``state``.

    Raises:
        FilterError: A filter is another one.
    """
    for name in filters:
        if name not in _ROW_FILTERS:
            raise FilterError(f"{name} is no filter; filters: {', '.join(_ROW_FILTERS)}")
    return lambda row: all(_ROW_FILTERS[name](row[name], value) for name, value in filters.items())


_ROW_FILTERS: dict[str, Callable[[str, str], bool]] = {
    "function": lambda actual, wanted: wanted in actual,
    "source": lambda actual, wanted: wanted in actual,
    "kind": lambda actual, wanted: actual == wanted,
    "state": lambda actual, wanted: actual == wanted,
}
