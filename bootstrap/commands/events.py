"""``bootstrap events``, ``trace`` and ``lost``: where every accepted event is."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import requests
from rich.text import Text

from bootstrap.console import out
from bootstrap.errors import WrongUseError
from bootstrap.settings import Settings

STATES = ("pending", "done", "dead-letter", "destination", "discarded", "lost")
#: Steps of a message that name an invocation.
_LINKS = ("handled by", "failed in")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_STYLES = {"pending": "yellow", "done": "green", "lost": "bold red", "discarded": "dim"}


def show(filters: Mapping[str, str], *, sql: str = "", as_json: bool = False) -> None:
    """List events, the newest last; or the rows of a query over the journal's views.

    Raises:
        WrongUseError: A filter or the query cannot be used.
    """
    if sql:
        rows = _ask("POST", "/query", json={"sql": sql})["rows"]
    else:
        chosen = {name: value for name, value in filters.items() if value}
        if "since" in chosen:
            chosen["since"] = _since(chosen["since"])
        if chosen.get("state", STATES[0]) not in STATES:
            raise WrongUseError(f"STATE={chosen['state']}: must be one of {', '.join(STATES)}.")
        rows = _ask("GET", "", params=chosen)["events"][::-1]
    if as_json:
        out.print_json(json.dumps(rows))
    elif sql:
        _print_rows(rows)
    else:
        _print_events(rows)


def trace(event: str, *, as_json: bool = False) -> None:
    """Show an event's whole way: what caused it, its attempts and steps, what it caused.

    Raises:
        WrongUseError: There is no such event.
    """
    found = _ask("GET", f"/{event}")
    if as_json:
        out.print_json(json.dumps(found))
        return
    children = tree_of(found["events"], found["steps"])
    for root in children.get("", []):
        _print_tree(root, children, found, 0)


def tree_of(
    events: list[dict[str, Any]], steps: list[dict[str, Any]]
) -> dict[str, list[dict[str, Any]]]:
    """Events below what caused them.

    An invocation for messages of a queue has a trace of its own: it is below the first of its
    messages.

    Returns:
        By the segment of the cause, or "" for those without one, the events in their order.
    """
    segments = {row["id"]: row["segment"] for row in events}
    messages: dict[str, str] = {}
    for step in steps:
        if step["name"] in _LINKS and segments.get(step["event"]):
            messages.setdefault(step["detail"], segments[step["event"]])
    known = set(segments.values()) - {""}
    children: dict[str, list[dict[str, Any]]] = {}
    for row in events:
        cause = row["cause"] if row["cause"] in known else messages.get(row["id"], "")
        children.setdefault(cause, []).append(row)
    return children


def lost() -> int:
    """List the events that are lost; the exit code: 1 when there is one."""
    rows = _ask("GET", "", params={"state": "lost", "limit": "1000"})["events"]
    _print_events(rows[::-1])
    if not rows:
        out.print("no event was lost")
    return 1 if rows else 0


def _ask(method: str, path: str, **request: Any) -> Any:
    url = f"{Settings.from_environment().endpoint_url}/_trigger_stack/events{path}"
    answer = requests.request(method, url, timeout=30, **request)
    if answer.status_code in (400, 404):
        raise WrongUseError(answer.json()["message"])
    answer.raise_for_status()
    return answer.json()


def _since(text: str) -> str:
    """An ISO 8601 time in UTC, from one or from a duration such as ``10m``."""
    if match := re.fullmatch(r"(\d{1,6})([smhd])", text):
        moment = datetime.now(UTC) - timedelta(**{_UNITS[match[2]]: int(match[1])})
    else:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise WrongUseError(
                f"SINCE={text}: write a duration (90s, 10m, 2h, 1d) or a time (2026-01-31T12:00Z)."
            ) from None
    if moment.tzinfo is None:
        moment = moment.astimezone()
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _name(arn: str) -> str:
    """The last part of an ARN that says something."""
    head, _, rest = arn.partition(":function:")
    return rest or head.rpartition(":")[2]


def _state(row: Mapping[str, Any]) -> str:
    style = _STYLES.get(row["state"], "cyan")
    return f"[{style}]{row['state']}[/]"


def _print_events(rows: list[dict[str, Any]]) -> None:
    table = [
        {
            "accepted": row["accepted_at"][:23].replace("T", " "),
            "kind": row["kind"],
            "for": _name(row["function"] or row["source"]),
            "state": row["state"],
            "attempts": row["attempts"],
            "id": row["id"],
            "place": row["place"] or (f"due {row['due_at'][11:23]}" if row["due_at"] else ""),
        }
        for row in rows
    ]
    if table:
        _print_rows(table)


def _print_rows(rows: list[dict[str, Any]]) -> None:
    """Print rows in columns, as wide as they need: a line is a row, also in a pipe."""
    if not rows:
        out.print("no rows")
        return
    lines = [list(rows[0])]
    lines += [["" if value is None else str(value) for value in row.values()] for row in rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    for number, line in enumerate(lines):
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        text = Text("  ".join(padded).rstrip(), style="dim" if number == 0 else "")
        for state, style in _STYLES.items():
            text.highlight_words([f" {state} "], style)
        out.print(text)


def _print_tree(
    row: dict[str, Any],
    children: Mapping[str, list[dict[str, Any]]],
    found: Mapping[str, list[dict[str, Any]]],
    depth: int,
) -> None:
    indent = "  " * depth
    place = f" {row['place']}" if row["place"] else ""
    target = _name(row["function"] or row["source"])
    out.print(
        f"{indent}{row['accepted_at'][11:23]}  {row['kind']} → {target}  {_state(row)}{place}"
    )
    out.print(f"{indent}  id {row['id']}, from {row['source']}", style="dim", markup=False)
    lines = [
        (
            one["began_at"],
            f"attempt {one['number']}: {one['outcome']}"
            + (f", {one['duration_ms']} ms" if one["duration_ms"] is not None else "")
            + (f": {one['error'][:200]}" if one["error"] else ""),
        )
        for one in found["attempts"]
        if one["event"] == row["id"]
    ]
    lines += [
        (one["at"], f"{one['name']}{': ' + one['detail'] if one['detail'] else ''}")
        for one in found["steps"]
        if one["event"] == row["id"]
    ]
    for at, text in sorted(lines, key=lambda line: line[0]):
        out.print(f"{indent}  {at[11:23]}  {text}", markup=False)
    for child in children.get(row["segment"], []):
        if child is not row:
            _print_tree(child, children, found, depth + 2)
