"""Messages in the journal: one row each, whatever happens to them, in whichever order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.loop import LoopThread
from trigger_stack_engine.journal.messages import MessageRecorder
from trigger_stack_engine.journal.store import Journal, read

QUEUE, DLQ = "arn:aws:sqs:us-east-1:0:q", "arn:aws:sqs:us-east-1:0:dlq"


class Messages:
    """A journal that a test writes to and reads."""

    def __init__(self, loop: LoopThread, path: Path) -> None:
        self.loop = loop
        self.path = path

        async def make() -> Journal:
            return Journal(path, "run", 3600, 10**9)

        self.journal = loop.run(make())
        self.recorder = MessageRecorder(self.journal)

    def apply(self, *changes: tuple[Any, ...]) -> None:
        self.loop.run(self.recorder.apply(changes))

    def row(self, message: str) -> tuple[str, str, int]:
        (row,) = read(self.path, "SELECT * FROM events WHERE id = ?", [message])
        return row["state"], row["place"], row["attempts"]


@pytest.fixture
def messages(tmp_path: Path) -> Iterator[Messages]:
    loop = LoopThread()
    made = Messages(loop, tmp_path / "j.sqlite")
    yield made
    loop.call(made.journal.close)
    loop.close()


def accepted(message: str, queue: str = QUEUE) -> tuple[Any, ...]:
    return ("accepted", 1.0, message, queue, None, None, "body")


def test_a_deletion_from_the_queue_that_a_message_has_left_does_not_end_it(
    messages: Messages,
) -> None:
    """A redrive puts a message into its queue and then removes it from the dead-letter queue."""
    messages.apply(accepted("m"), ("moved", 2.0, "m", DLQ, 3))
    assert messages.row("m") == ("dead-letter", DLQ, 3)

    messages.apply(accepted("m"), ("deleted", 4.0, "m", DLQ, 1))

    assert messages.row("m") == ("pending", QUEUE, 3)


def test_a_filtered_message_stays_discarded_when_it_is_deleted(messages: Messages) -> None:
    messages.apply(
        accepted("m"),
        ("discarded", 2.0, "m", QUEUE, 1, "FilterCriteria"),
        ("deleted", 3.0, "m", QUEUE, 1),
    )

    assert messages.row("m") == ("discarded", "FilterCriteria", 1)


def test_only_what_is_in_an_emptied_queue_is_discarded(messages: Messages) -> None:
    messages.apply(
        *map(accepted, ("waits", "done", "dead")),
        accepted("other", DLQ),
        ("deleted", 2.0, "done", QUEUE, 1),
        ("moved", 2.0, "dead", DLQ, 1),
        ("emptied", 3.0, QUEUE, "PurgeQueue"),
    )

    states = {name: messages.row(name)[0] for name in ("waits", "done", "dead", "other")}
    assert states == {
        "waits": "discarded", "done": "done", "dead": "dead-letter", "other": "pending",
    }  # fmt: skip


def test_the_cause_of_a_message_is_in_its_trace_header(messages: Messages) -> None:
    trace = "Root=1-2-3;Parent=abc;Sampled=1"
    messages.apply(("accepted", 1.0, "m", QUEUE, 5.0, trace, "body"))

    (row,) = read(messages.path, "SELECT * FROM events")
    assert (row["trace"], row["cause"]) == ("1-2-3", "abc")
    assert row["due_at"] == "1970-01-01T00:00:05.000Z"


_NAMES = st.sampled_from(["m1", "m2"])
_CHANGES = st.one_of(
    st.tuples(st.just("accepted"), _NAMES),
    st.tuples(st.just("moved"), _NAMES),
    st.tuples(st.just("deleted"), _NAMES, st.sampled_from([QUEUE, DLQ])),
    st.tuples(st.just("failed"), _NAMES),
    st.tuples(st.just("emptied"), st.sampled_from([QUEUE, DLQ])),
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_CHANGES, max_size=12), st.integers(1, 12))
def test_a_message_is_in_exactly_one_place(
    messages: Messages, changes: list[tuple[str, ...]], together: int
) -> None:
    """The same as a model that applies one change after the other, in transactions of any size."""
    messages.loop.run(messages.journal.commit("DELETE FROM event"))
    model: dict[str, tuple[str, str]] = {}
    written: list[tuple[Any, ...]] = []
    for name, *values in changes:
        match name, values:
            case "accepted", [message]:
                model[message] = ("pending", QUEUE)
                written.append(accepted(message))
            case "moved", [message]:
                if message in model:
                    model[message] = ("dead-letter", DLQ)
                written.append(("moved", 1.0, message, DLQ, 1))
            case "deleted", [message, queue]:
                if model.get(message, ("", ""))[1] == queue:
                    model[message] = ("done", "")
                written.append(("deleted", 1.0, message, queue, 1))
            case "failed", [message]:
                written.append(("failed", 1.0, message, 1, "request"))
            case "emptied", [queue]:
                for message, (_, place) in model.items():
                    if place == queue:
                        model[message] = ("discarded", "PurgeQueue")
                written.append(("emptied", 1.0, queue, "PurgeQueue"))
    for start in range(0, len(written), together):
        messages.apply(*written[start : start + together])

    rows = read(messages.path, "SELECT id, state, place FROM events")
    assert {row["id"]: (row["state"], row["place"]) for row in rows} == model
