"""The journal of a running stack, for tests: wait for an event's end, and see its way."""

from __future__ import annotations

from typing import Any

import requests

from tests.support.waiting import eventually


class Journal:
    """Reads a stack's journal.

    Args:
        endpoint: URL of the stack, for example ``http://127.0.0.1:4566``.
    """

    def __init__(self, endpoint: str) -> None:
        self._url = f"{endpoint}/_trigger_stack/events"

    def trace(self, event: str) -> dict[str, Any]:
        """``events``, ``steps`` and ``attempts`` of an event and of everything of its trace."""
        answer = requests.get(f"{self._url}/{event}", timeout=60)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def event(self, event: str) -> dict[str, Any]:
        """The row of an event; that of a synchronous invocation is written a moment later."""

        def there() -> dict[str, Any]:
            rows = [one for one in self.trace(event)["events"] if one["id"] == event]
            assert len(rows) == 1, self.way(event)
            found: dict[str, Any] = rows[0]
            return found

        return eventually(there)

    def steps(self, event: str) -> list[tuple[str, str]]:
        """Names and details of an event's steps, in their order."""
        steps = self.trace(event)["steps"]
        return [(step["name"], step["detail"]) for step in steps if step["event"] == event]

    def way(self, event: str) -> str:
        """An event, everything of its trace, their steps and attempts, one line each."""
        found = self.trace(event)
        lines = [
            (one.get("at") or one.get("began_at") or one["accepted_at"], kind, one)
            for kind, rows in found.items()
            for one in rows
        ]
        shown = [f"{at} {kind} {one}" for at, kind, one in sorted(lines, key=lambda line: line[0])]
        return "\n".join(["", *shown])

    def find(self, **filters: str) -> list[dict[str, Any]]:
        """Events, the newest first; filters as in ``GET /_trigger_stack/events``."""
        answer = requests.get(self._url, params=filters, timeout=60)
        assert answer.status_code == 200, answer.text
        events: list[dict[str, Any]] = answer.json()["events"]
        return events

    def ends(self, event: str, state: str = "done", *, seconds: float = 30) -> dict[str, Any]:
        """The row of an event when it has an end.

        Raises:
            AssertionError: It has another end, or none in time; the text shows its way.
        """

        def at_rest() -> dict[str, Any]:
            row = self.event(event)
            assert row["state"] != "pending", self.way(event)
            return row

        row = eventually(at_rest, seconds=seconds)
        assert row["state"] == state, self.way(event)
        return row
