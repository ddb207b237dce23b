"""``python -m trigger_stack_engine.commands.logs``: follows the functions' logs, all or some."""

from __future__ import annotations

import argparse
import os
import re
import signal
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from trigger_stack_engine.commands.cli import check_function, client, load_lambda, name, parser

_EVERY_S = 0.5
_OVERLAP_MS = 5_000
_AT_MOST_MINUTES = 366 * 24 * 60
_PREFIX = "/aws/lambda/"
_COLOURS = (36, 33, 35, 34, 32, 96, 93, 95, 94, 92)
_PLATFORM = re.compile(
    r"(START|END|REPORT|INIT_REPORT|INIT_START) |\{\"time\":\"[^\"]+\",\"type\":\"platform"
)
_BAD = re.compile(
    r"\[ERROR\]|Task timed out|Status: (error|timeout)|\"level\": ?\"(ERROR|CRITICAL)\""
)


class Follower:
    """Asks for what is new, again and again."""

    def __init__(self, logs: Any, function: str | None, request_id: str | None, start: int) -> None:
        self.logs = logs
        self.function = function
        self.request_id = request_id
        self.start = start
        self._seen: dict[str, int] = {}
        self._streams: dict[str, str] = {}

    def poll(self) -> Iterator[tuple[int, str, str]]:
        """New events in the order of time: milliseconds, function, message."""
        found = []
        newest = self.start
        for group in self._groups():
            pages = self.logs.get_paginator("filter_log_events").paginate(
                logGroupName=group, startTime=max(self.start - _OVERLAP_MS, 0)
            )
            for event in (event for page in pages for event in page["events"]):
                newest = max(newest, event["timestamp"])
                if event["eventId"] in self._seen:
                    continue
                self._seen[event["eventId"]] = event["timestamp"]
                if self._wanted(event):
                    found.append(
                        (event["timestamp"], group.removeprefix(_PREFIX), event["message"])
                    )
        self.start = newest
        forget = newest - 2 * _OVERLAP_MS
        self._seen = {key: at for key, at in self._seen.items() if at >= forget}
        yield from sorted(found, key=lambda entry: entry[0])

    def has_group(self) -> bool:
        """Whether there is a log of the function."""
        return bool(self._groups())

    def _groups(self) -> list[str]:
        if self.function:
            names = [f"{_PREFIX}{self.function}"]
        else:
            pages = self.logs.get_paginator("describe_log_groups").paginate(
                logGroupNamePrefix=_PREFIX
            )
            return [group["logGroupName"] for page in pages for group in page["logGroups"]]
        known = self.logs.describe_log_groups(logGroupNamePrefix=names[0])["logGroups"]
        return [group["logGroupName"] for group in known if group["logGroupName"] in names]

    def _wanted(self, event: dict[str, Any]) -> bool:
        """With a request id: every line between its START and its END, in its stream."""
        if not self.request_id:
            return True
        stream, message = event["logStreamName"], event["message"]
        started = re.match(r"START RequestId: (\S+)", message) or re.search(
            r'"type":"platform\.start","record":\{"requestId":"([^"]+)"', message
        )
        if started:
            self._streams[stream] = started[1]
        return self._streams.get(stream) == self.request_id or self.request_id in message


def colour(text: str, code: int, *, on: bool) -> str:
    """``text`` in a terminal colour, if colours are wanted."""
    return f"\033[{code}m{text}\033[0m" if on else text


def line(moment: int, function: str, message: str, *, colours: bool) -> str:
    """One event as it is printed; further lines of it are indented."""
    at = datetime.fromtimestamp(moment / 1000, UTC).astimezone()
    clock = at.strftime("%H:%M:%S.") + f"{moment % 1000:03d}"
    # Not hash(): a function keeps its colour from run to run.
    name = colour(function, _COLOURS[zlib.crc32(function.encode()) % len(_COLOURS)], on=colours)
    text = message.rstrip("\n").replace("\r", "\n").replace("\n", "\n    ")
    # Control sequences that a function prints must not reach the terminal.
    text = "".join(sign if sign.isprintable() or sign in "\n\t" else "\ufffd" for sign in text)
    if _BAD.search(message):
        text = colour(text, 31, on=colours)
    elif _PLATFORM.match(message):
        text = colour(text, 90, on=colours)
    return f"{clock} {name} {text}"


def _minutes(text: str) -> float:
    """A time to look back; for argparse."""
    try:
        minutes = float(text)
    except ValueError:
        minutes = -1
    if not 0 <= minutes <= _AT_MOST_MINUTES:
        raise argparse.ArgumentTypeError(
            f"{text!r}: write minutes, from 0 to {_AT_MOST_MINUTES} (a year)"
        )
    return minutes


def main() -> None:
    """Print logs until Ctrl-C."""
    options = parser("Follow the logs of Lambda functions.")
    options.add_argument("--function", type=name, help="only this function")
    options.add_argument("--request-id", type=name, help="only this invoke")
    options.add_argument("--since", type=_minutes, default=60, help="minutes to look back (60)")
    options.add_argument("--no-follow", action="store_true", help="print what there is and end")
    arguments = options.parse_args()
    colours = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    start = int((time.time() - arguments.since * 60) * 1000)
    follower = Follower(
        client("logs", arguments.endpoint), arguments.function, arguments.request_id, start
    )
    if arguments.function:
        functions = load_lambda(arguments.endpoint)
        # Of a function that has been deleted the log is still there.
        if arguments.function not in functions and not follower.has_group():
            check_function(arguments.function, functions)
    interrupted = _interrupted()
    try:
        while True:
            try:
                for moment, function, message in follower.poll():
                    print(line(moment, function, message, colours=colours), flush=True)
            except Exception as error:
                sys.exit(f"LocalStack does not answer at {arguments.endpoint}: {error}")
            if arguments.no_follow or interrupted.wait(_EVERY_S):
                return
    except KeyboardInterrupt:
        return


def _interrupted() -> threading.Event:
    """Is set by the first Ctrl-C; a second one does not wait for LocalStack's answer.

    Python drops a ``KeyboardInterrupt`` that is raised while an object is being finalized.
    """
    event = threading.Event()

    def interrupt(number: int, frame: Any) -> None:
        if event.is_set():
            raise KeyboardInterrupt
        event.set()

    signal.signal(signal.SIGINT, interrupt)
    return event


if __name__ == "__main__":
    main()
