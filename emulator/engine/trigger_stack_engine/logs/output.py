"""Splits what a function writes into log events.

A function's standard output and error and the frames of its runtime client share one pipe, so
that the order is the order of writing. A frame (the runtime client's telemetry protocol: type,
length, time stamp in microseconds, message) is one event however many lines it has; anything else
is one event a line.
"""

from __future__ import annotations

import struct
import time
from typing import NamedTuple

MAX_EVENT_BYTES = 1024 * 1024 - 26  # CloudWatch Logs counts 26 bytes of overhead for an event
_FRAME_START = b"\xa5\x5a\x00"  # not the start of any UTF-8 text
_FRAME_HEAD = struct.Struct(">IIQ")
_FRAME_TYPES = frozenset(
    {0xA55A0001, 0xA55A0002, 0xA55A0003}
    # JSON and text, each with a level: TRACE (Node.js only), DEBUG, INFO, WARN, ERROR, FATAL.
    | {0xA55A0000 + kind + level for kind in (2, 3) for level in (4, 8, 12, 16, 20, 24)}
)
_MAX_FRAME = 64 * 1024 * 1024
_CLOCK_SLACK_US = 24 * 3600 * 1_000_000


class LogEvent(NamedTuple):
    """One event for CloudWatch Logs. ``timestamp`` is Unix time in milliseconds."""

    timestamp: int
    message: str


def now_ms() -> int:
    """Unix time in milliseconds."""
    return time.time_ns() // 1_000_000


def split_message(timestamp: int, message: bytes) -> list[LogEvent]:
    """One event, or several when ``message`` is longer than CloudWatch Logs takes.

    No character is cut in two: the size is counted in UTF-8 bytes, as CloudWatch Logs counts.
    """
    events = []
    while len(message) > MAX_EVENT_BYTES:
        cut = MAX_EVENT_BYTES
        while cut > MAX_EVENT_BYTES - 4 and message[cut] & 0xC0 == 0x80:
            cut -= 1
        events.append(LogEvent(timestamp, message[:cut].decode("utf-8", "replace")))
        message = message[cut:]
    if message:
        events.append(LogEvent(timestamp, message.decode("utf-8", "replace")))
    return events


class OutputParser:
    """Turns the bytes of the pipe into events."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._scanned = 0

    def feed(self, data: bytes) -> list[LogEvent]:
        """Add bytes; returns the events that are complete now."""
        self._buffer += data
        return self._parse(final=False)

    def flush(self) -> list[LogEvent]:
        """The events that are left when no more bytes come, an unfinished line included."""
        return self._parse(final=True)

    def _parse(self, *, final: bool) -> list[LogEvent]:
        events: list[LogEvent] = []
        now = now_ms()
        while self._buffer:
            if self._buffer.startswith(_FRAME_START):
                size = self._frame_size()
                if size is None and not final:
                    break
                if size:
                    head = _FRAME_HEAD.unpack_from(self._buffer)
                    message = bytes(self._buffer[_FRAME_HEAD.size : size]).rstrip(b"\n") + b"\n"
                    self._take(size)
                    # Made before it arrived, whatever the function takes for the time.
                    events += split_message(min(head[2] // 1000, now), message)
                    continue
            line = self._line_end(final=final)
            if line is None:
                break
            message = bytes(self._buffer[:line])
            self._take(line)
            events += split_message(now, message)
        return [event for event in events if event.message.strip("\n\r")]

    def _take(self, size: int) -> None:
        del self._buffer[:size]
        self._scanned = 0

    def _frame_size(self) -> int | None:
        """Bytes of the frame at the start; 0 when it is none, ``None`` when it is unfinished."""
        if len(self._buffer) < _FRAME_HEAD.size:
            return None
        kind, length, stamp = _FRAME_HEAD.unpack_from(self._buffer)
        plausible = abs(stamp - time.time_ns() // 1000) < _CLOCK_SLACK_US
        if kind not in _FRAME_TYPES or length > _MAX_FRAME or not plausible:
            return 0
        size = _FRAME_HEAD.size + int(length)
        return size if len(self._buffer) >= size else None

    def _line_end(self, *, final: bool) -> int | None:
        """Where the line at the start ends: after its newline, or where a frame begins."""
        start = max(self._scanned, 1)
        newline = self._buffer.find(b"\n", self._scanned)
        frame = self._buffer.find(_FRAME_START, start, newline if newline >= 0 else None)
        if frame > 0:
            return frame
        if newline >= 0:
            return newline + 1
        if final or len(self._buffer) >= 2 * MAX_EVENT_BYTES:
            return len(self._buffer)
        self._scanned = max(len(self._buffer) - len(_FRAME_START) + 1, 0)
        return None
