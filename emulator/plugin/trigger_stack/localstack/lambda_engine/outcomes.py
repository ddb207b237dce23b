"""Writes where events are that the engine does not deliver into its journal.

What: no patch.
Why: ``make lost`` answers for the whole stack, and the engine keeps the journal.
Until: as long as the journal exists.
Test: ``tests/delivery/test_outcomes.py``.
"""

from __future__ import annotations

import logging

from trigger_stack.delivery.core.outcome import Outcome
from trigger_stack.engine.supervisor import EngineUnavailableError
from trigger_stack_engine.wire import RemoteError

LOG = logging.getLogger(__name__)
_TRIES = 3


def record(outcome: Outcome) -> None:
    """Record where an event is; an event that is lost is in the log, too. Never raises.

    An engine that ends meanwhile is asked again: an event that has an end keeps it.
    """
    from trigger_stack.localstack.lambda_engine.control_plane import control_plane

    if outcome.state == "lost":
        LOG.error(
            "EVENT LOST, %s from %s for %s: %s. %s",
            *(outcome.kind, outcome.source, outcome.target, outcome.place),
            outcome.payload.decode(errors="replace"),
        )
    header = {
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
    }
    for attempt in range(1, _TRIES + 1):
        try:
            control_plane().call(header, outcome.payload)
        except (EngineUnavailableError, RemoteError) as error:
            if attempt == _TRIES:
                LOG.error("%s is not in the journal: %s. %s", outcome.id, error, header)  # noqa: TRY400  a line to act on
        else:
            return
