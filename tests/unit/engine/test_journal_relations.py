"""What belongs to an event: its trace, and through queues its causes and its effects."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest

from trigger_stack_engine.journal.relations import related
from trigger_stack_engine.journal.schema import SCHEMA


class Journal:
    """The tables of a journal in memory."""

    def __init__(self) -> None:
        self._connection = sqlite3.connect(":memory:")
        self._connection.row_factory = sqlite3.Row
        self._connection.executescript(SCHEMA)

    def event(self, name: str, trace: str) -> None:
        self._connection.execute(
            "INSERT INTO event (id, kind, source, function, state, accepted_at, changed_at, trace,"
            " payload) VALUES (?, '', '', '', 'done', 0, 0, ?, '')",
            (name, trace),
        )

    def call(self, name: str, trace: str) -> None:
        self._connection.execute(
            "INSERT INTO call VALUES (?, '', '', '', 0, 0, 'success', '', ?, '', '', '')",
            (name, trace),
        )

    def handled(self, message: str, invocation: str, name: str = "handled by") -> None:
        self._connection.execute(
            "INSERT INTO step (event, at, name, detail) VALUES (?, 0, ?, ?)",
            (message, name, invocation),
        )

    def query(self, sql: str, values: list[Any]) -> list[dict[str, Any]]:
        return [dict(row) for row in self._connection.execute(sql, values)]

    def related(self, event: str) -> set[str]:
        return set(related(self.query, event))


@pytest.fixture
def journal() -> Journal:
    """A request → m1, m2; both in one invocation, which sends m3; and another sender of m2's batch.

    ``request`` (trace 1) sends ``m1``; ``other`` (trace 2) sends ``m2``; ``first`` (trace 3)
    handles both and sends ``m3`` and publishes ``event``; ``second`` (trace 4) handles ``m3``.
    """
    made = Journal()
    made.event("request", "1")
    made.event("m1", "1")
    made.event("other", "2")
    made.event("m2", "2")
    made.call("first", "3")
    made.event("m3", "3")
    made.event("event", "3")
    made.call("second", "4")
    made.event("unrelated", "5")
    for message in ("m1", "m2"):
        made.handled(message, "first")
    made.handled("m3", "second")
    return made


def test_effects_are_followed_down_from_queue_to_queue(journal: Journal) -> None:
    everything = {"request", "m1", "first", "m3", "event", "second"}

    assert journal.related("request") == everything
    assert journal.related("m1") == everything, "not the other message of the batch"
    assert journal.related("1") == everything, "a trace"


def test_causes_are_followed_up_from_queue_to_queue(journal: Journal) -> None:
    everything = {"request", "m1", "other", "m2", "first", "m3", "event", "second"}

    assert journal.related("second") == everything
    assert journal.related("event") == everything


def test_an_invocation_that_failed_is_an_effect(journal: Journal) -> None:
    journal.call("failed", "6")
    journal.event("caused", "6")
    journal.handled("m1", "failed", "failed in")

    assert {"failed", "caused"} <= journal.related("request")


def test_a_message_that_comes_round_ends_the_search(journal: Journal) -> None:
    """A function that sends to its own queue."""
    journal.event("m4", "4")
    journal.handled("m4", "second")

    assert "m4" in journal.related("m3")


def test_an_event_without_a_trace_stands_alone(journal: Journal) -> None:
    journal.event("a", "")
    journal.event("b", "")

    assert journal.related("a") == {"a"}
    assert journal.related("no such event") == set()
