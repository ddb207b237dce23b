"""What an environment makes of its parent's reports."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from typing import Any

import pytest

from lambda_process_executor.environment import Environment, TimedOutError
from lambda_process_executor.output import LogEvent

PID = 4_000_000  # beyond any that a kernel gives out


class Parent:
    """Reports a process after ``delay_s``, which asks for an event ``init_s`` later."""

    def __init__(self, delay_s: float, init_s: float) -> None:
        self.delay_s, self.init_s = delay_s, init_s
        self.status = -1
        self.ended = threading.Event()
        self.client: socket.socket | None = None

    def spawn(self, job: dict[str, Any], log_fd: int, status_fd: int) -> None:
        self.status = os.dup(status_fd)
        threading.Thread(target=self._work, args=(job["api"],), daemon=True).start()

    def _work(self, api: str) -> None:
        time.sleep(self.delay_s)
        self._report({"pid": PID})
        if self.ended.wait(self.init_s):
            return
        host, port = api.split(":")
        self.client = socket.create_connection((host, int(port)))
        self.client.sendall(
            f"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: {api}\r\n\r\n".encode()
        )

    def kill(self, pid: int) -> None:
        assert pid == PID
        self.ended.set()
        if self.status >= 0:
            self._report({"exit": 9, "peak_kb": 0})
            os.close(self.status)
            self.status = -1

    def _report(self, message: dict[str, int]) -> None:
        os.write(self.status, json.dumps(message).encode() + b"\n")


def environment(parent: Any, written: list[LogEvent]) -> Environment:
    return Environment(lambda api: (parent, {"argv": None, "api": api}), written.append)


def test_the_wait_for_the_parent_is_no_time_of_the_function() -> None:
    """On a busy machine the parent imports for longer than an init may take."""
    tested = environment(Parent(delay_s=3, init_s=0), [])

    tested.start(2)

    assert time.monotonic() - tested.init_started < 3
    tested.close()


def test_the_time_of_the_function_is_limited() -> None:
    tested = environment(Parent(delay_s=0, init_s=60), [])

    with pytest.raises(TimedOutError):
        tested.start(0.2)

    assert tested.exit is not None
    tested.close()
