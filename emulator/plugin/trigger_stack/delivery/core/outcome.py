"""Where an event is that is not delivered by the engine, for the journal."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

#: Records where an event is; returns whether the journal has it. Never raises.
type Record = Callable[["Outcome"], bool]


@dataclass(frozen=True, slots=True)
class Outcome:
    """An event, and where it is.

    Attributes:
        kind: For example ``stream records``.
        source: ARN of what it comes from: a stream, a rule.
        target: ARN of what it was for: a function, a queue.
        state: As in the journal: ``pending``, ``done``, ``dead-letter``, ``destination``,
            ``discarded`` or ``lost``.
        place: ARN of the queue or destination, or why it waits or is lost and what to set.
        attempts: How often it was tried.
        payload: The event.
        trace_id: ``X-Amzn-Trace-Id``.
        due_at: When a pending event is tried again, in seconds since 1970.
        id: Of the event. A later outcome of the same id replaces one that is pending.
        steps: Names and details of what happened to it since; without any, the state is the step.
    """

    kind: str
    source: str
    target: str
    state: str
    place: str
    attempts: int
    payload: bytes
    trace_id: str | None = None
    due_at: float | None = None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    steps: tuple[tuple[str, str], ...] = ()
