"""One engine at a time, whatever happens while it is started."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from tests.support.waiting import eventually
from trigger_stack.engine import supervisor as supervisor_module
from trigger_stack.engine.supervisor import (
    Call,
    EngineUnavailableError,
    Supervisor,
)
from trigger_stack_engine.wire import RemoteError

#: Answers each call with its process id, and notes that it was started.
ENGINE = """
import asyncio, os, socket, sys
from trigger_stack_engine.wire import AsyncPeer, RemoteError

together = 0

async def handle(header, body):
    global together
    if header["op"] == "together":
        together += 1
        while together < header["of"]:
            await asyncio.sleep(0.01)
        return {"number": header["number"]}, body
    if header["op"] == "refuse":
        raise RemoteError("Refused", "no")
    if header["op"] == "die":
        os._exit(3)
    return {"pid": os.getpid()}, b""

async def main():
    ended = asyncio.get_running_loop().create_future()
    descriptors = [int(one) for one in sys.argv[2:] if not one.startswith("--")]
    with open(sys.argv[1], "a") as started:
        print(os.getpid(), file=started)
    for descriptor in descriptors:
        sock = socket.socket(fileno=descriptor)
        sock.setblocking(False)
        await asyncio.get_running_loop().create_connection(
            lambda: AsyncPeer(handle, lambda: ended.done() or ended.set_result(None)), sock=sock
        )
    await ended

asyncio.run(main())
"""


def alive(pids: list[int]) -> list[int]:
    """Those of ``pids`` that run; a zombie does not."""
    return [pid for pid in pids if _runs(pid)]


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class Watched:
    """A supervisor of test engines, and the process ids of all that it started."""

    def __init__(self, folder: Path, push: Callable[[Call], None] = lambda call: None) -> None:
        self._started = folder / "started"
        command = [sys.executable, "-c", ENGINE, str(self._started)]
        self.supervisor = Supervisor(lambda header, body: ({}, b""), push, command)

    def started(self) -> list[int]:
        return [int(line) for line in self._started.read_text().split()]

    def pid(self) -> int:
        header, _ = self.supervisor.call({"op": "pid"})
        return int(header["pid"])


def test_a_killed_engine_is_replaced_by_one(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.supervisor.start()
    first = watched.pid()

    os.kill(first, signal.SIGKILL)
    eventually(lambda: len(watched.started()) == 2)

    assert alive(watched.started()) == [watched.pid()]
    watched.supervisor.close()
    assert alive(watched.started()) == []


def test_a_call_to_an_engine_that_is_gone_goes_to_the_next(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.supervisor.start()
    seen = {watched.pid()}

    for _ in range(5):
        killed = psutil.Process(max(seen, key=watched.started().index))
        killed.kill()
        eventually(lambda one=killed: not alive([one.pid]))
        seen.add(watched.pid())

    assert len(seen) == 6
    watched.supervisor.close()


@pytest.mark.parametrize("trouble", ["refuse", "die"])
def test_an_engine_that_cannot_be_told_everything_is_ended(tmp_path: Path, trouble: str) -> None:
    """Its state was refused, or it ended meanwhile: the next attempt is the only one that stays."""
    pushes = 0
    told = threading.Event()

    def push(call: Call) -> None:
        nonlocal pushes
        pushes += 1
        if pushes in (2, 3):
            call({"op": trouble}, b"")
        if pushes == 4:
            told.set()

    watched = Watched(tmp_path, push)
    watched.supervisor.start()

    os.kill(watched.pid(), signal.SIGKILL)
    assert told.wait(20)

    answering = watched.pid()
    assert watched.started()[-1] == answering
    assert alive(watched.started()) == [answering]
    assert pushes == 4
    watched.supervisor.close()


def test_an_engine_that_ends_at_once_is_a_sentence(tmp_path: Path) -> None:
    watched = Watched(tmp_path, lambda call: [call({"op": "die"}, b"")].clear())

    with pytest.raises(EngineUnavailableError, match="ended at once"):
        watched.supervisor.start()

    assert alive(watched.started()) == []


def test_any_number_of_calls_at_a_time_get_their_own_replies(tmp_path: Path) -> None:
    """More than there are connections for one call at a time, and large ones."""
    watched = Watched(tmp_path)
    watched.supervisor.start()

    def ask(number: int) -> None:
        sent = bytes([number]) * (number * 100_000)
        header = {"op": "together", "number": number, "of": 40}
        reply, body = watched.supervisor.call(header, sent)
        assert (reply["number"], body) == (number, sent)

    with ThreadPoolExecutor(40) as pool:
        list(pool.map(ask, range(40)))
    for _ in range(40):  # a refusal gives its connection back
        with pytest.raises(RemoteError, match="no"):
            watched.supervisor.call({"op": "refuse"})
    assert watched.pid()
    watched.supervisor.close()


def test_a_call_that_was_sent_when_the_engine_ended_is_not_repeated(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.supervisor.start()

    with pytest.raises(EngineUnavailableError, match="before it answered"):
        watched.supervisor.call({"op": "die"})
    eventually(lambda: len(watched.started()) == 2)

    assert watched.pid() == watched.started()[-1]
    watched.supervisor.close()


def test_after_one_call_has_waited_in_vain_the_next_do_not_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until there is an engine again."""
    is_broken = threading.Event()

    def push(call: Call) -> None:
        if is_broken.is_set():
            call({"op": "die"}, b"")

    watched = Watched(tmp_path, push)
    watched.supervisor.start()
    is_broken.set()
    os.kill(watched.pid(), signal.SIGKILL)
    eventually(lambda: len(watched.started()) >= 2)

    monkeypatch.setattr(supervisor_module, "_CONNECT_S", 0.5)
    with pytest.raises(EngineUnavailableError, match="does not run"):
        watched.pid()
    monkeypatch.setattr(supervisor_module, "_CONNECT_S", 3600)
    with pytest.raises(EngineUnavailableError, match="does not run"):
        watched.pid()
    is_broken.clear()

    eventually(lambda: _answers(watched))
    watched.supervisor.close()


def _answers(watched: Watched) -> bool:
    try:
        return watched.pid() == watched.started()[-1]
    except EngineUnavailableError:
        return False
