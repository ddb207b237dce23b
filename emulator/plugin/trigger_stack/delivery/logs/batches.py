"""What CloudWatch Logs refuses of a batch of log events, and which events of it it leaves out.

AWS topic: Amazon CloudWatch Logs API Reference, "PutLogEvents" (10 000 events and 1 048 576 bytes
a batch, 26 bytes beside each message; chronological order; 24 hours for the events that are valid)
and "RejectedLogEventsInfo" (the end of the old ones is exclusive, the start of the new ones is
not).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

type Event = Mapping[str, Any]

MOST_EVENTS: Final = 10_000
MOST_BYTES: Final = 1_048_576
_BESIDE_MESSAGE: Final = 26
_HOUR_MS: Final = 3_600_000
_DAY_MS: Final = 24 * _HOUR_MS
_OLDEST_DAYS: Final = 14
_NEWEST_HOURS: Final = 2
_AT_LEAST: Final = "Member must have length greater than or equal to 1"


@dataclass(frozen=True)
class Sorted:
    """A batch, event by event.

    Attributes:
        valid: What is stored.
        rejected: ``RejectedLogEventsInfo``; empty when all are stored.
    """

    valid: list[Event]
    rejected: dict[str, int] = field(default_factory=dict)


def why_malformed(events: Sequence[Event]) -> str | None:
    """Why the shape of a batch is refused; None when it is not."""
    if not events:
        return _violation("[]", "logEvents", _AT_LEAST)
    if len(events) > MOST_EVENTS:
        most = f"Member must have length less than or equal to {MOST_EVENTS}"
        return _violation("[...]", "logEvents", most)
    for number, event in enumerate(events, 1):
        place = f"logEvents.{number}.member"
        for name in ("timestamp", "message"):
            if event.get(name) is None:
                return (
                    f"1 validation error detected: Value null at '{place}.{name}' failed to satisfy"
                    " constraint: Member must not be null"
                )
        if event["timestamp"] < 0:
            least = "Member must have value greater than or equal to 0"
            return _violation(event["timestamp"], f"{place}.timestamp", least)
        if not event["message"]:
            return _violation("", f"{place}.message", _AT_LEAST)
    return None


def why_refused(events: Sequence[Event]) -> str | None:
    """Why a batch is refused as a whole; None when it is not."""
    size = sum(len(event["message"].encode()) + _BESIDE_MESSAGE for event in events)
    if size > MOST_BYTES:
        return f"Upload too large: {size} bytes exceeds limit of {MOST_BYTES}"
    times = [event["timestamp"] for event in events]
    if any(later < earlier for earlier, later in pairwise(times)):
        return "Log events in a single PutLogEvents request must be in chronological order."
    return None


def spans_too_long(events: Sequence[Event]) -> str | None:
    """Why events that are valid, in their order, are refused; None when they are not."""
    if events and events[-1]["timestamp"] - events[0]["timestamp"] > _DAY_MS:
        return (
            "The batch of log events in a single PutLogEvents request cannot span more than 24"
            " hours."
        )
    return None


def sort_out(events: Sequence[Event], now_ms: int, retention_days: int | None) -> Sorted:
    """Which events of a batch, in their order, are stored.

    Args:
        events: Of the request.
        now_ms: Unix time in milliseconds.
        retention_days: Of the log group; None: it keeps them for ever.
    """
    rejected: dict[str, int] = {}
    old, oldest = 0, now_ms - _OLDEST_DAYS * _DAY_MS
    if count := sum(event["timestamp"] < oldest for event in events):
        rejected["tooOldLogEventEndIndex"] = old = count
    if retention_days is not None and retention_days < _OLDEST_DAYS:
        kept_since = now_ms - retention_days * _DAY_MS
        expired = sum(event["timestamp"] < kept_since for event in events)
        if expired > old:
            rejected["expiredLogEventEndIndex"] = old = expired
    newest = now_ms + _NEWEST_HOURS * _HOUR_MS
    end = len(events)
    if count := sum(event["timestamp"] > newest for event in events):
        end -= count
        rejected["tooNewLogEventStartIndex"] = end
    return Sorted(list(events[old:end]), rejected)


def _violation(value: object, place: str, constraint: str) -> str:
    return (
        f"1 validation error detected: Value '{value}' at '{place}' failed to satisfy constraint:"
        f" {constraint}"
    )
