"""The states of an environment after its parent's reports."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.loop import LoopThread
from tests.support.waiting import eventually
from trigger_stack_engine.environments.environment import (
    Environment,
    ProcessEndedError,
    TimedOutError,
    UnreadEventError,
)
from trigger_stack_engine.environments.runtime_api import MAX_RESPONSE_BYTES, Event
from trigger_stack_engine.logs.output import LogEvent

PID = 4_000_000  # beyond any that a kernel gives out
OWN_NEXT = b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: runtime\r\n\r\n"
OWN_REPORT = (
    b"POST /2018-06-01/runtime/invocation/1-2/response HTTP/1.1\r\nHost: runtime\r\n"
    b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
)
NEXT = b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n"


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
        self.client.sendall(NEXT)

    def kill(self, pid: int) -> None:
        assert pid == PID
        self.ended.set()
        if self.status >= 0:
            self._report({"exit": 9, "peak_kb": 0})
            os.close(self.status)
            self.status = -1

    def close_and_end(self) -> None:
        assert self.client
        self.client.close()
        self.kill(PID)

    def _report(self, message: dict[str, int]) -> None:
        os.write(self.status, json.dumps(message).encode() + b"\n")


@pytest.fixture(scope="module")
def loop() -> Iterator[LoopThread]:
    running = LoopThread()
    yield running
    running.close()


def environment(loop: LoopThread, parent: Any) -> Environment:
    async def make_job(api: str) -> tuple[Any, dict[str, Any]]:
        return parent, {"argv": None, "api": api}

    return loop.call(lambda: Environment(make_job, lambda event: None))


def test_the_wait_for_the_parent_is_no_time_of_the_function(loop: LoopThread) -> None:
    """On a busy machine the parent imports for longer than an init may take."""
    tested = environment(loop, Parent(delay_s=3, init_s=0))

    began = time.monotonic()

    loop.run(tested.start(2))  # raises when the parent's time counts

    assert tested.init_started - began >= 3, "init began when the parent was ready"
    loop.run(tested.close())


def test_the_time_of_the_function_is_limited(loop: LoopThread) -> None:
    tested = environment(loop, Parent(delay_s=0, init_s=60))

    with pytest.raises(TimedOutError):
        loop.run(tested.start(0.2))

    assert tested.exit is not None
    loop.run(tested.close())


def read_request(client: socket.socket) -> None:
    """Read what there is of a request or of an event, as a process would."""
    assert client.recv(1 << 16)


@pytest.mark.parametrize("size", [1, 5_000_000])
def test_an_event_that_an_ending_process_has_not_read_was_not_taken(
    loop: LoopThread, size: int
) -> None:
    """It is one that no function has seen: another process can have it."""
    tested, parent = waiting_environment(loop)
    call = loop.submit(tested.invoke(event(size), 5))
    assert parent.client
    parent.client.recv(1, socket.MSG_PEEK)
    parent.client.close()
    parent.kill(PID)
    with pytest.raises(UnreadEventError):
        call.result()
    loop.run(tested.close())


def test_an_event_sent_to_a_process_that_has_closed_its_connection_was_not_taken(
    loop: LoopThread,
) -> None:
    tested, parent = waiting_environment(loop)
    dispatch = tested.api.dispatch

    def close_then_dispatch(event: Event) -> bytes:
        parent.close_and_end()  # at the worst moment
        return dispatch(event)

    tested.api.dispatch = close_then_dispatch  # type: ignore[method-assign]  # see above
    with pytest.raises(UnreadEventError):
        loop.run(tested.invoke(event(1), 5))
    loop.run(tested.close())


@pytest.mark.parametrize("reported", [True, False])
def test_no_event_for_a_process_that_asked_for_one_and_ended(
    loop: LoopThread, reported: bool
) -> None:
    """Its question and its end arrive together, with or without the parent's report."""
    tested, parent = waiting_environment(loop)
    assert parent.client
    call = loop.submit(tested.invoke(event(1), 5))
    read_request(parent.client)
    parent.client.sendall(
        b"POST /2018-06-01/runtime/invocation/1-2/response HTTP/1.1\r\n"
        b"Host: x\r\nContent-Length: 2\r\n\r\n{}"
    )
    assert call.result().payload == b"{}"
    read_request(parent.client)
    parent.client.sendall(NEXT)
    parent.client.close()
    ending = threading.Timer(0 if reported else 0.3, parent.kill, [PID])
    ending.start()
    if reported:
        ending.join()

    with pytest.raises(UnreadEventError):
        loop.run(tested.invoke(event(1), 5))
    loop.run(tested.close())


@pytest.mark.parametrize("asks_more", [False, True])
def test_an_event_that_a_process_has_read_was_taken(loop: LoopThread, asks_more: bool) -> None:
    """Even when it has asked for something else meanwhile, and ends with that answer unread."""
    tested, parent = waiting_environment(loop)
    call = loop.submit(tested.invoke(event(1), 5))
    assert parent.client
    read_request(parent.client)
    if asks_more:
        parent.client.sendall(b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n")
        parent.client.recv(1, socket.MSG_PEEK)
    parent.client.close()
    parent.kill(PID)
    with pytest.raises(ProcessEndedError) as ended:
        call.result()
    assert not isinstance(ended.value, UnreadEventError)
    loop.run(tested.close())


class Forked:
    """A process that inherits its connection: for each event it writes output, then the result.

    Args:
        outputs: What it writes, one for each event.
    """

    def __init__(self, outputs: list[bytes]) -> None:
        self._outputs = outputs
        self._status = self.log_fd = -1
        self._client: socket.socket | None = None

    def spawn(self, job: dict[str, Any], log_fd: int, status_fd: int, api_fd: int) -> None:
        self._status = os.dup(status_fd)
        self._client = socket.socket(fileno=os.dup(api_fd))
        self.log_fd = os.dup(log_fd)
        threading.Thread(target=self._work, daemon=True).start()

    def _work(self) -> None:
        assert self._client
        os.write(self._status, b'{"pid": %d}\n' % PID)
        self._client.sendall(OWN_NEXT)
        for output in self._outputs:
            read_request(self._client)
            for line in output.splitlines(keepends=True):
                os.write(self.log_fd, line)
            self._client.sendall(OWN_REPORT + OWN_NEXT)

    def close(self) -> None:
        assert self._client
        self._client.close()

    def kill(self, pid: int) -> None:
        if self._status >= 0:
            os.write(self._status, b'{"exit": 9, "peak_kb": 0}\n')
            os.close(self._status)
            os.close(self.log_fd)
            self._status = -1


def forked_environment(
    loop: LoopThread, process: Forked, said: list[str] | None = None
) -> Environment:
    """An environment whose process has asked for its first event."""

    async def make_job(api: str) -> tuple[Any, dict[str, Any]]:
        return process, {"argv": None, "api": api}

    def emit(log_event: LogEvent) -> None:
        if said is not None:
            said.append(log_event.message)

    tested = loop.call(lambda: Environment(make_job, emit, inherits_connection=True))
    loop.run(tested.start(5))
    return tested


def test_the_log_has_what_was_written_before_an_answer_when_the_answer_is_there(
    loop: LoopThread,
) -> None:
    """Whether the process mostly writes nothing, a little or more than a pipe holds."""
    lot = b"".join(b"%6d %s\n" % (number, b"x" * 90) for number in range(5000))
    little = [b"", b"", b"one\n", b"two\nthree\n", b"", b"four\n"]
    outputs = [*little, lot, b"five\n", lot, *little * 20, lot]
    said: list[str] = []
    tested = forked_environment(loop, Forked(outputs), said)

    for output in outputs:
        said.clear()
        answer = loop.run(tested.invoke(event(1), 5))
        assert answer.payload == b"{}"
        assert "".join(said).encode() == output
    loop.run(tested.close())


def test_each_event_has_its_own_time(loop: LoopThread) -> None:
    """The timer of one that was answered stays; a longer or shorter time follows."""
    process = Forked([b"", b""])
    tested = forked_environment(loop, process)
    loop.run(tested.invoke(event(1), 1))
    loop.run(tested.invoke(event(1), 60))
    began = time.monotonic()

    with pytest.raises(TimedOutError):
        loop.run(tested.invoke(event(1), 2))  # nobody answers

    assert 1.9 < time.monotonic() - began < 30
    loop.run(tested.close())


def test_output_of_an_event_under_way_does_not_wait_for_its_answer(loop: LoopThread) -> None:
    said: list[str] = []
    process = Forked([b"one\n"])
    tested = forked_environment(loop, process, said)
    loop.run(tested.invoke(event(1), 5))
    answered = loop.submit(tested.invoke(event(1), 5))  # nobody does
    os.write(process.log_fd, b"two\n")

    eventually(lambda: said == ["one\n", "two\n"])

    assert not answered.done()
    process.kill(PID)
    with pytest.raises(ProcessEndedError):
        answered.result()
    loop.run(tested.close())


def test_no_event_for_a_forked_process_that_has_closed_its_connection(loop: LoopThread) -> None:
    process = Forked([])
    tested = forked_environment(loop, process)

    async def close_and_invoke() -> None:
        process.close()  # the engine cannot have heard of it before it sends the event
        await tested.invoke(event(1), 5)

    with pytest.raises(UnreadEventError):
        loop.run(close_and_invoke())
    loop.run(tested.close())


class TooLong(Forked):
    """A process whose report is too long: it ends when it has read what came until then."""

    def __init__(self) -> None:
        super().__init__([])
        self.ends = threading.Event()
        self.got = b""

    def _work(self) -> None:
        assert self._client
        os.write(self._status, b'{"pid": %d}\n' % PID)
        self._client.sendall(OWN_NEXT)
        read_request(self._client)
        size = MAX_RESPONSE_BYTES + 1
        report = OWN_REPORT.replace(b"Content-Length: 2", b"Content-Length: %d" % size)
        self._client.sendall(report.removesuffix(b"{}") + b"x" * size + OWN_NEXT)
        self.ends.wait(30)
        self.got = self._client.recv(1 << 18)
        self.close()
        self.kill(PID)


def test_no_event_for_a_process_whose_report_was_refused(loop: LoopThread) -> None:
    """It would read one with the refusal, and end."""
    process = TooLong()
    tested = forked_environment(loop, process)
    answer = loop.run(tested.invoke(event(1), 5))
    assert answer.error_type == "Function.ResponseSizeTooLarge"

    call = loop.submit(tested.invoke(event(1), 5))
    loop.call(lambda: None)  # whatever the engine sends at once is sent
    process.ends.set()

    with pytest.raises(UnreadEventError):
        call.result()
    assert b" 413 " in process.got
    assert b"Request-Id" not in process.got
    loop.run(tested.close())


def waiting_environment(loop: LoopThread) -> tuple[Environment, Parent]:
    """An environment whose process waits for an event."""
    parent = Parent(delay_s=0, init_s=0)
    tested = environment(loop, parent)
    loop.run(tested.start(5))
    eventually(lambda: parent.client)
    return tested, parent


def event(size: int) -> Event:
    return Event(request_id="1-2", payload=b"x" * size, invoked_arn="arn", deadline_ms=0)
