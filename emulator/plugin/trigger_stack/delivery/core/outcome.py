"""The end of an event that did not come to rest in the engine, for the journal."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

#: Records an outcome. Never raises.
type Record = Callable[["Outcome"], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """An event, and where it came to rest.

    Attributes:
        kind: For example ``stream records``.
        source: ARN of what it comes from: a stream, a rule.
        target: ARN of what it was for: a function, a queue.
        state: ``dead-letter``, ``destination``, ``discarded`` or ``lost``, as in the journal.
        place: ARN of the queue or destination, or why it is lost and what to set.
        attempts: How often it was tried.
        payload: The event.
        trace_id: ``X-Amzn-Trace-Id``.
        id: Of the event.
    """

    kind: str
    source: str
    target: str
    state: str
    place: str
    attempts: int
    payload: bytes
    trace_id: str | None = None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
