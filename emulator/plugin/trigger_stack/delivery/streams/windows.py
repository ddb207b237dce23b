"""Tumbling windows: the function aggregates records of equal stretches of time.

AWS topic: AWS Lambda Developer Guide, "Implementing stateful stream processing": each event has the
window, and the state that the function returned for the event before; the last invocation of a
window says so, and has no records here. A state over 1 MB ends its window early.
"""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from trigger_stack.delivery.core.invocation import Reply
from trigger_stack.delivery.streams.lane import Batch, Lane, StoppedError
from trigger_stack.delivery.streams.records import Event, Record

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
    """

    start: float
    end: float
    state: Any = field(default_factory=dict)
    too_large: bool = False


class TumblingLane(Lane):
    """A lane whose events belong to windows.

    Args:
        open_windows: By shard, the window that is open: it outlives the lane, so that a mapping
            that is disabled in the middle of a window goes on with its state.
    """

    def __init__(self, *args: Any, open_windows: MutableMapping[str, Window]) -> None:
        super().__init__(*args)
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
            "window": {"start": _time(window.start), "end": _time(window.end)},
            "state": window.state,
            "shardId": self._shard,
            "eventSourceARN": self._settings.source_arn,
            "isFinalInvokeForWindow": self._final,
            "isWindowTerminatedEarly": window.too_large,
        }

    def answered(self, reply: Reply) -> None:
        """Keep the state that the function returned."""
        window = self._window
        assert window is not None  # the event was its own
        try:
            answer = json.loads(reply.payload) if reply.payload.strip() else None
        except ValueError:
            answer = None
        state = answer.get("state") if isinstance(answer, dict) else None
        window.state = {} if state is None else state
        window.too_large = len(json.dumps(window.state)) > MAX_STATE_BYTES

    def _finish(self, window: Window) -> None:
        """Invoke the function for the last time with this window."""
        self._final = True
        try:
            self.handle([])
        finally:
            self._final = False
        if self._open.get(self._shard) is window:
            del self._open[self._shard]

    def _give_up(self, batch: Batch, records: list[Record], condition: str) -> None:
        if records:
            super()._give_up(batch, records, condition)
            return
        LOG.error(
            "STATE LOST, %s, %s: the last invocation of the window %s failed. %s",
            *(self._settings.source_arn, self._shard, _time(self._open[self._shard].start)),
            json.dumps(self._open[self._shard].state),
        )


def _time(timestamp: float) -> str:
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
