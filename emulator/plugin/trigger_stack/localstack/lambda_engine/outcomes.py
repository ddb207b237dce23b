"""Writes where events are that the engine does not deliver into its journal.

What: no patch.
Why: ``make lost`` answers for the whole stack, and the engine keeps the journal.
Until: as long as the journal exists.
Test: ``tests/delivery/test_outcomes.py``.
"""

from __future__ import annotations

import logging
from typing import Any

from trigger_stack.delivery.core.outcome import Outcome
from trigger_stack.delivery.core.placement import NotPlacedError
from trigger_stack.engine.supervisor import EngineUnavailableError
from trigger_stack_engine.wire import RemoteError

LOG = logging.getLogger(__name__)
_TRIES = 3


def record(outcome: Outcome) -> bool:
    """Record where an event is; an event that is lost is in the log, too. Never raises.

    An engine that ends meanwhile is asked again: an event that has an end keeps it.

    Returns:
        Whether the journal has it.
    """
    if outcome.state == "lost":
        LOG.error(
            "EVENT LOST, %s from %s for %s: %s. %s",
            *(outcome.kind, outcome.source, outcome.target, outcome.place),
            outcome.payload.decode(errors="replace"),
        )
    try:
        accept_outcome(outcome)
    except (EngineUnavailableError, RemoteError) as error:
        LOG.error("%s is not in the journal: %s. %s", outcome.id, error, _header(outcome))  # noqa: TRY400  a line to act on
        return False
    return True


def ensure_recorded(outcome: Outcome) -> None:
    """Record where an event is, or have its sender get an error.

    Raises:
        NotPlacedError: The journal cannot have it.
    """
    if not record(outcome):
        raise NotPlacedError("the event could not be recorded: there is no engine")


def accept_outcome(outcome: Outcome) -> None:
    """Record an event before its caller is told that it was accepted.

    Raises:
        EngineUnavailableError: The engine ended before it answered, several times.
        RemoteError: The event could not be recorded.
    """
    from trigger_stack.localstack.lambda_engine.control_plane import control_plane

    header = _header(outcome)
    for attempt in range(1, _TRIES + 1):
        try:
            control_plane().call(header, outcome.payload)
        except (EngineUnavailableError, RemoteError):
            if attempt == _TRIES:
                raise
        else:
            return


def _header(outcome: Outcome) -> dict[str, Any]:
    return {
        "op": "record",
        "id": outcome.id,
        "kind": outcome.kind,
        "source": outcome.source,
        "function": outcome.target,
        "state": outcome.state,
        "place": outcome.place,
        "attempts": outcome.attempts,
        "trace_id": outcome.trace_id,
        "due_at": outcome.due_at,
        "steps": outcome.steps,
    }
