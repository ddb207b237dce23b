"""The parent of functions forks one process before it is asked for, and only while it is idle."""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.waiting import eventually

SCRIPT = """
import os, socket, sys
from trigger_stack_engine.environments.zygote.parent import Zygote, write_status

class Sandbox:
    users = False
    def make_tmp(self, job): pass

def run_child(job):
    log, status, _ = job["_fds"]
    os.write(log, f"{os.getpid()} {job['say']}".encode())
    os._exit(0)

Zygote(socket.socket(fileno=int(sys.argv[1])), Sandbox(), run_child).run()
"""


class Parent:
    def __init__(self, control: socket.socket, process: psutil.Process) -> None:
        self.control, self.process = control, process

    def ahead(self) -> int:
        """The process that waits."""

        def found() -> int:
            children = [one for one in self.process.children() if one.status() != "zombie"]
            assert len(children) == 1, children
            return int(children[0].pid)

        return eventually(found)

    def spawn(self, say: str) -> tuple[int, str]:
        """Process id as the parent reports it, and what the child wrote."""
        log_r, log_w = os.pipe()
        status_r, status_w = os.pipe()
        data = json.dumps({"spawn": {"say": say}}).encode()
        socket.send_fds(self.control, [struct.pack(">I", len(data))], [log_w, status_w])
        self.control.sendall(data)
        os.close(log_w)
        os.close(status_w)
        with open(log_r) as log, open(status_r) as status:  # noqa: PTH123  descriptors
            return int(json.loads(status.readline())["pid"]), log.read()


@pytest.fixture
def parent() -> Iterator[Parent]:
    ours, theirs = socket.socketpair()
    with (
        ours,
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(theirs.fileno())], pass_fds=[theirs.fileno()]
        ) as process,
    ):
        theirs.close()
        yield Parent(ours, psutil.Process(process.pid))
        ours.close()
        assert process.wait(20) == 0


def test_the_process_that_waits_gets_the_request(parent: Parent) -> None:
    ahead = parent.ahead()

    pid, text = parent.spawn("é" * 200_000)

    assert pid == ahead
    assert text == f"{pid} {'é' * 200_000}"


def test_another_one_follows(parent: Parent) -> None:
    first, _ = parent.spawn("one")
    second = parent.ahead()

    assert parent.spawn("two") == (second, f"{second} two")
    assert first != second


def test_one_that_was_killed_is_replaced(parent: Parent) -> None:
    killed = parent.ahead()
    os.kill(killed, signal.SIGKILL)
    eventually(lambda: not Path(f"/proc/{killed}").exists())

    pid, text = parent.spawn("here")

    assert pid != killed
    assert text == f"{pid} here"


def test_requests_at_once_do_not_wait_for_it(parent: Parent) -> None:
    parent.ahead()

    pids = {parent.spawn(f"{number}")[0] for number in range(5)}

    assert len(pids) == 5


def test_it_ends_with_its_parent(parent: Parent) -> None:
    ahead = parent.ahead()

    parent.control.close()

    eventually(lambda: not Path(f"/proc/{ahead}").exists())
