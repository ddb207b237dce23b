"""Messages of queues in the journal.

A message has one row, whichever queue it is in: ``place`` is that queue while the message waits,
is in flight, or is a dead letter there. A redrive makes it pending again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from trigger_stack_engine.invoke.tracing import parent_of, segment_of, trace_of
from trigger_stack_engine.journal.schema import State
from trigger_stack_engine.journal.store import Journal, Value

KIND = "message"

_ACCEPTED = (
    "INSERT INTO event (id, kind, source, function, state, place, accepted_at, changed_at, due_at,"
    " trace, segment, cause, payload) VALUES (?, ?, ?, '', ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (id) DO UPDATE SET state = excluded.state, place = excluded.place,"
    " changed_at = excluded.changed_at, due_at = excluded.due_at"
)
_MOVED = "UPDATE event SET state = ?, place = ?, attempts = ?, changed_at = ? WHERE id = ?"
# A message that was moved meanwhile has another place, and stays what it is.
_ENDED = (
    "UPDATE event SET state = ?, place = ?, attempts = max(attempts, ?), changed_at = ?,"
    " due_at = NULL WHERE id = ? AND place = ?"
)
_EMPTIED = "UPDATE event SET state = ?, place = ?, changed_at = ? WHERE state = ? AND place = ?"
_FAILED = "UPDATE event SET attempts = max(attempts, ?), changed_at = ? WHERE id = ?"
_STEP = "INSERT INTO step (event, at, name, detail) VALUES (?, ?, ?, ?)"

type _Statement = tuple[str, tuple[Value, ...]]


class MessageRecorder:
    """Writes what happens to messages."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def apply(self, changes: Sequence[Sequence[Any]]) -> None:
        """Write changes in their order, and wait until they are in the file.

        Args:
            changes: Each a name and the values of the function of that name below. Times are in
                seconds since 1970, queues are ARNs, ``attempts`` counts receives.

        Raises:
            JournalError: They could not be written.
        """
        steps: list[tuple[Value, ...]] = []
        together: list[tuple[str, list[tuple[Value, ...]]]] = []
        for name, *values in changes:
            for sql, row in _CHANGES[name](*values):
                if sql is _STEP:
                    steps.append(row)
                elif together and together[-1][0] is sql:
                    together[-1][1].append(row)
                else:
                    together.append((sql, [row]))
        await self._journal.commit_all([*together, (_STEP, steps)])


def _accepted(
    at: float, message: str, queue: str, due_at: float | None, trace: str | None, body: str
) -> list[_Statement]:
    """The queue has the message; it can be received at ``due_at``."""
    event = (
        *(message, KIND, queue, State.PENDING, queue, at, at, due_at),
        *(trace_of(trace), segment_of(message), parent_of(trace), body.encode("utf-8", "replace")),
    )
    return [(_ACCEPTED, event), _step(at, message, "accepted", queue)]


def _moved(at: float, message: str, queue: str, attempts: int) -> list[_Statement]:
    """The queue has it as a dead letter."""
    values = (State.DEAD_LETTER, queue, attempts, at, message)
    return [(_MOVED, values), _step(at, message, State.DEAD_LETTER, queue)]


def _deleted(at: float, message: str, queue: str, attempts: int) -> list[_Statement]:
    """Who received it has deleted it."""
    return [(_ENDED, (State.DONE, "", attempts, at, message, queue))]


def _discarded(at: float, message: str, queue: str, attempts: int, reason: str) -> list[_Statement]:
    """A setting has removed it."""
    values = (State.DISCARDED, reason, attempts, at, message, queue)
    return [(_ENDED, values), _step(at, message, State.DISCARDED, reason)]


def _emptied(at: float, queue: str, reason: str) -> list[_Statement]:
    """Every message of the queue is gone."""
    return [
        (_EMPTIED, (State.DISCARDED, reason, at, state, queue))
        for state in (State.PENDING, State.DEAD_LETTER)
    ]


def _failed(at: float, message: str, attempts: int, request_id: str) -> list[_Statement]:
    """An invocation has failed; the message stays in its queue."""
    return [(_FAILED, (attempts, at, message)), _step(at, message, "failed in", request_id)]


def _handled(at: float, message: str, request_id: str) -> list[_Statement]:
    """An invocation has handled it; it is deleted next."""
    return [_step(at, message, "handled by", request_id)]


def _repeated(at: float, message: str, queue: str) -> list[_Statement]:
    """It was sent again with the same deduplication id; the queue has it once."""
    return [_step(at, message, "sent again, not accepted twice", queue)]


def _step(at: float, message: str, name: str, detail: str) -> _Statement:
    return (_STEP, (message, at, name, detail))


_CHANGES: dict[str, Callable[..., list[_Statement]]] = {
    "accepted": _accepted,
    "moved": _moved,
    "deleted": _deleted,
    "discarded": _discarded,
    "emptied": _emptied,
    "failed": _failed,
    "handled": _handled,
    "repeated": _repeated,
}
