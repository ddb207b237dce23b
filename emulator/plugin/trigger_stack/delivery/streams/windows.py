"""Tumbling windows: the function aggregates records of equal stretches of time.

AWS topic: AWS Lambda Developer Guide, "Implementing stateful stream processing": each event has the
window, and the state that the function returned for the event before; the last invocation of a
window says so, and has no records here. A state over 1 MB ends its window early. An answer without
``state`` counts as a failed invocation; when the last invocation fails, the shard waits until it
succeeds, whatever ``MaximumRetryAttempts`` says: here for as long as the stream keeps the window's
records.
"""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from trigger_stack.delivery.core.invocation import Reply, ThrottledError
from trigger_stack.delivery.streams.lane import (
    FIRST_PAUSE_S,
    LONGEST_PAUSE_S,
    Lane,
    StoppedError,
)
from trigger_stack.delivery.streams.records import Event, Record, as_json

LOG = logging.getLogger(__name__)

MAX_STATE_BYTES = 1024 * 1024
#: How long after its end a record of the window may still be on its way.
_LATE_S = 1.0


@dataclass
class Window:
    """A window that records were handled in.

    Attributes:
        start: Its begin, in seconds since 1970.
        end: Its end.
        state: The function's, from event to event.
        too_large: Whether its state is over 1 MB.
        attempts: How often its last invocation failed.
        waits: Whether its last invocation is to be tried again.
    """

    start: float
    end: float
    state: Any = field(default_factory=dict)
    too_large: bool = False
    attempts: int = 0
    waits: bool = False


class TumblingLane(Lane):
    """A lane whose events belong to windows.

    Args:
        open_windows: By shard, the window that is open: it outlives the lane, so that a mapping
            that is disabled in the middle of a window goes on with its state.
    """

    def __init__(
        self, *args: Any, open_windows: MutableMapping[str, Window], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._open = open_windows
        self._final = False

    @property
    def _window(self) -> Window | None:
        return self._open.get(self._shard)

    def run(self) -> None:
        """Handle batches and ends of windows until ``stop``, or the last one after ``end``."""
        with contextlib.suppress(StoppedError):
            while True:
                records = self.next_batch()
                window = self._window
                if window is not None and (not records or window.too_large):
                    self._finish(window)
                elif not records:
                    return
                if records:
                    self._open.setdefault(self._shard, self._window_of(records[0]))
                    self.handle(records)

    def next_batch(self) -> list[Record]:
        """The next records of the open window.

        Returns:
            Nothing when the window is over, or when no more records come.
        """
        with self._changed:
            while not (self._waiting or self._stopped or self._no_more):
                window = self._window
                left = None if window is None else window.end + _LATE_S - self._now()
                if left is not None and left <= 0:
                    return []
                self._changed.wait(left)
            window = self._window
            if self._waiting and window and self._waiting[0].arrived >= window.end:
                return []
            if self._no_more and not self._waiting:
                return []
        return super().next_batch()

    def _take(self) -> list[Record]:
        taken = super()._take()
        if not taken:
            return taken
        end = self._window_of(taken[0]).end
        mine = next((i for i, one in enumerate(taken) if one.arrived >= end), len(taken))
        self._waiting.extendleft(reversed(taken[mine:]))
        return taken[:mine]

    def _window_of(self, record: Record) -> Window:
        length = self._settings.tumbling_window_s
        start = record.arrived // length * length
        return Window(start, start + length)

    def event(self, records: list[Record]) -> Event:
        """The event for records, with the window and its state."""
        window = self._window
        assert window is not None  # opened before its first event
        return {
            **super().event(records),
            **window_event(window, self._shard, self._settings.source_arn),
            "isFinalInvokeForWindow": self._final,
            "isWindowTerminatedEarly": window.too_large,
        }

    def answered(self, reply: Reply) -> str:
        """Keep the state that the function returned; one that it did not return is a failure."""
        window = self._window
        assert window is not None  # the event was its own
        try:
            answer = json.loads(reply.payload) if reply.payload.strip() else None
        except (ValueError, RecursionError):  # no JSON, or nested deeper than anybody reads
            answer = None
        if not isinstance(answer, dict) or "state" not in answer:
            return "the function returned no state"
        window.state = {} if answer["state"] is None else answer["state"]
        window.too_large = len(json.dumps(window.state)) > MAX_STATE_BYTES
        return ""

    def _finish(self, window: Window) -> None:
        """Invoke the function for the last time with this window, until it succeeds.

        Raises:
            StoppedError: The mapping ends before; the window stays open.
        """
        self._final = True
        try:
            event = self.event([])
            state, place = self._last_invocation(window, event)
            if window.waits or state != "done":
                self._target.window(event, window.attempts, state, place)
        finally:
            self._final = False
        if self._open.get(self._shard) is window:
            del self._open[self._shard]

    def _last_invocation(self, window: Window, event: Event) -> tuple[str, str]:
        """The end of the window's state, as in the journal, and what has discarded it."""
        pause_s, expires = FIRST_PAUSE_S, window.end + self._retention_s()
        while self._now() < expires:
            reason = "the function is throttled, or cannot be invoked"
            try:
                reply = self._target.invoke(as_json(event))
            except ThrottledError:
                pass
            except Exception as error:
                LOG.warning("%s: %s", self._settings.source_arn, error)
            else:
                if not reply.is_error:
                    return "done", ""
                reason = f"failed in {reply.request_id}"
                window.attempts += 1
            window.waits = True
            pause_s = min(pause_s, max(0.0, expires - self._now()))
            self._target.window(event, window.attempts, "pending", reason, self._now() + pause_s)
            self._wait(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        return "discarded", "the retention period of the stream"


def window_event(window: Window, shard: str, source: str) -> Event:
    """The part of an event that says which window it belongs to, and the window's state."""
    return {
        "window": {"start": _time(window.start), "end": _time(window.end)},
        "state": window.state,
        "shardId": shard,
        "eventSourceARN": source,
    }


def _time(timestamp: float) -> str:
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
