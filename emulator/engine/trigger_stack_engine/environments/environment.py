"""One execution environment's process: its Runtime API server, its output and its memory.

Everything here runs in the engine's event loop. A warm invocation costs no hand-over between
threads: the loop writes the event to the process' connection and reads its answer from there.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import logging
import os
import signal
import socket
import sys
import termios
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trigger_stack_engine.environments.http import BadRequestError, Parser, Request, response
from trigger_stack_engine.environments.memory import MemoryGauge
from trigger_stack_engine.environments.runtime_api import (
    ACCEPTED,
    MAX_RESPONSE_BYTES,
    Answer,
    Event,
    RuntimeApi,
    State,
)
from trigger_stack_engine.environments.spawner import Spawner, SpawnError
from trigger_stack_engine.logs.output import LogEvent, OutputParser
from trigger_stack_engine.wakeup import Wakeup

LOG = logging.getLogger(__name__)
_KILL_GRACE_S = 5.0
_KILL_AGAIN_S = 0.05
_SPAWN_TIMEOUT_S = 60.0
_CLOSE_WAIT_S = 0.5  # for the connections of a process that has ended; a child may hold one
_MAX_CONNECTIONS = 64
#: What a process writes is read when its event is answered, or after this time if that is earlier.
#: A line has the time at which it was read: what a function causes takes longer than this, so that
#: its lines are never dated before those of the cause.
_LOG_WAITS_S = 0.002
#: So long after the last event began it is read as it comes.
_LOG_WAITS_NO_LONGER_S = 0.01
#: After an event with so much output, that of the next one is read as it comes: a pipe has 64 kB.
#: After one with none it is, too: then there is mostly nothing to read.
_LITTLE_OUTPUT_BYTES = 4096
#: ``AWS_LAMBDA_RUNTIME_API`` of a process that has its connection already: nothing listens there.
_NO_ADDRESS = "127.0.0.1:9001"
_NO_BYTES = bytes(4)  # a C int


@dataclass(frozen=True)
class Exit:
    """How a process ended. ``status`` is a wait status, ``None`` when it is not known."""

    status: int | None
    peak_kb: int = 0
    out_of_memory: bool = False

    def __str__(self) -> str:
        """The reason as Lambda words it."""
        if self.status is None or os.WIFSIGNALED(self.status):
            number = signal.SIGKILL if self.status is None else os.WTERMSIG(self.status)
            return f"Runtime exited with error: signal: {_signal_text(number)}"
        code = os.WEXITSTATUS(self.status)
        if code == 0:
            return "Runtime exited without providing a reason"
        return f"Runtime exited with error: exit status {code}"


_SIGNAL_TEXTS = {
    signal.SIGKILL: "killed",
    signal.SIGSEGV: "segmentation fault",
    signal.SIGABRT: "aborted",
    signal.SIGTERM: "terminated",
    signal.SIGBUS: "bus error",
    signal.SIGFPE: "floating point exception",
    signal.SIGILL: "illegal instruction",
    signal.SIGINT: "interrupt",
    signal.SIGPIPE: "broken pipe",
    signal.SIGXCPU: "CPU time limit exceeded",
    signal.SIGXFSZ: "file size limit exceeded",
}


def _signal_text(number: int) -> str:
    return _SIGNAL_TEXTS.get(signal.Signals(number), f"signal {number}")


def _is_unread(closed: socket.socket) -> bool:
    """Whether a peer that closed its side in an orderly way did so before the last data came."""
    # The reset that answers such data shows as nothing but the socket's error.
    if closed.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        return True
    if sys.platform != "linux":
        return False
    # It may still be on its way; what the peer did receive, its closing has acknowledged.
    unacknowledged = fcntl.ioctl(closed, termios.TIOCOUTQ, bytes(4))  # tcp(7), SIOCOUTQ
    return any(unacknowledged)


class TimedOutError(Exception):
    """The deadline of a phase passed."""


class _Connection:
    def __init__(self, sock: socket.socket, on_body: Callable[[Request, bytes], None]) -> None:
        self.sock = sock
        self.parser = Parser(MAX_RESPONSE_BYTES, on_body)
        self.outgoing = bytearray()
        self.held = b""
        self.closing = False
        self.inherited = False  # the process has no other, and reads it only for the next event
        self.given_up = False  # the process ends: a report of its was refused
        self.silent = False  # nothing has come in since an event was sent
        self.refused = False  # the peer closed it with unread data, or before the data came


class Environment:
    """Runs one runtime process at a time; after its end the next invocation starts another.

    Args:
        make_job: Given the ``host:port`` of the Runtime API, returns who starts the process and
            the spawn request. Raises SpawnError.
        emit: Called with every log event, in order.
        memory_limit_kb: The function's memory; a process that takes more is killed. 0: no limit.
        inherits_connection: Whether the process gets one end of a socket pair; any other one gets
            a port on loopback, where connections of other users are refused.
    """

    def __init__(
        self,
        make_job: Callable[[str], Awaitable[tuple[Spawner, dict[str, Any]]]],
        emit: Callable[[LogEvent], None],
        memory_limit_kb: int = 0,
        *,
        inherits_connection: bool = False,
    ) -> None:
        self.spawner: Spawner | None = None
        self.make_job = make_job
        self.emit = emit
        self.memory_limit_kb = memory_limit_kb
        self.pid: int | None = None
        self.exit: Exit | None = None
        self.setup_error: str | None = None
        self.init_started = 0.0
        self.api = RuntimeApi()
        self.gauge = MemoryGauge()
        self._loop = asyncio.get_running_loop()
        self._open = False
        self._inherits_connection = inherits_connection
        self._user: int | None = None
        self._listener: socket.socket | None = None
        self._waiting: _Connection | None = None
        self._connections: set[_Connection] = set()
        self._log_fd = -1
        self._status_fd = -1
        self._status = b""
        self._output = OutputParser()
        self._output_bytes = _LITTLE_OUTPUT_BYTES  # of the last event; of none yet
        self._log_timer: asyncio.TimerHandle | None = None  # while the log waits
        self._event_at = 0.0
        self._drained_at = 0.0
        self._out_of_memory = False
        self._done: Callable[[], bool] | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._answered: Wakeup[None] | None = None  # while an event is being handled
        self._deadline = 0.0  # of the last event
        self._timer: asyncio.TimerHandle | None = None  # for it, or for one before
        self._timer_at = 0.0  # when that fires

    # -- life ---------------------------------------------------------------------------------

    @property
    def alive(self) -> bool:
        """Whether there is a process that has not ended."""
        return self._open and self.exit is None

    async def start(self, timeout_s: float) -> None:
        """Start a process and wait for the end of its init phase.

        Returns when the runtime asks for an event, has reported an init error
        (``api.init_error``), or has ended (``exit``). The limit counts from :attr:`init_started`
        (``time.monotonic()``), when the process began.

        Args:
            timeout_s: Seconds that the init phase may take.

        Raises:
            TimedOutError: The init phase took longer; the process has been killed.
            SpawnError: No process could be started.
        """
        await self._start_process()
        try:
            # The parent may still be importing, which is no time of the function's.
            await self._wait(time.monotonic() + _SPAWN_TIMEOUT_S, lambda: self.pid is not None)
        except TimedOutError:
            raise SpawnError("the parent of functions does not answer") from None
        self.init_started = time.monotonic()
        await self._wait(self.init_started + timeout_s, lambda: self.api.state is not State.INIT)

    async def _start_process(self) -> None:
        await self.close()
        self.api = RuntimeApi()
        self._output = OutputParser()
        self._output_bytes = _LITTLE_OUTPUT_BYTES
        self.exit = self.setup_error = None
        self.machine_failed = False
        self.init_started = time.monotonic()
        self._status = b""
        self._out_of_memory = False
        self._log_fd, log_w = os.pipe()
        self._status_fd, status_w = os.pipe()
        os.set_blocking(self._log_fd, False)
        os.set_blocking(self._status_fd, False)
        passed = [log_w, status_w]
        self._open = True
        try:
            address = _NO_ADDRESS
            if self._inherits_connection:
                ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
                passed.append(theirs.detach())
                self._add_connection(ours).inherited = True
            else:
                address = self._listen()
            self.spawner, job = await self.make_job(address)
            self._user = job.get("peer_uid")
            self.gauge = MemoryGauge(forked=job["argv"] is None)
            self.spawner.spawn(job, *passed)
        except SpawnError:
            self.exit = Exit(None)  # there is nothing to end
            await self.close()
            raise
        finally:
            for fd in passed:
                os.close(fd)
        self._loop.add_reader(self._log_fd, self._read_log)
        self._loop.add_reader(self._status_fd, self._read_status)

    def _listen(self) -> str:
        listener = self._listener = socket.socket()
        listener.setblocking(False)
        listener.bind(("127.0.0.1", 0))
        listener.listen(16)
        self._loop.add_reader(listener, self._accept)
        host, port = listener.getsockname()
        return f"{host}:{port}"

    async def close(self) -> None:
        """Kill the process and close every descriptor. Idempotent."""
        if not self._open:
            return
        if self.exit is None:
            await self._kill_and_wait()
        if not self._open:  # closed by somebody else meanwhile
            return
        self._open = False
        self._drain_log(final=True)
        for connection in list(self._connections):
            self._drop(connection)
        if self._listener is not None:
            self._loop.remove_reader(self._listener)
            self._listener.close()
            self._listener = None
        for timer in (self._log_timer, self._timer):
            if timer is not None:
                timer.cancel()
        self._log_timer = self._timer = None
        for fd in (self._log_fd, self._status_fd):
            if fd >= 0:
                self._loop.remove_reader(fd)
                os.close(fd)
        self._log_fd = self._status_fd = -1
        self.pid = None

    def kill(self) -> None:
        """End the process and its group without waiting."""
        if self.pid is not None and self.exit is None and self.spawner is not None:
            self.spawner.kill(self.pid)

    async def _kill_and_wait(self) -> None:
        deadline = time.monotonic() + _KILL_GRACE_S
        while self.exit is None and time.monotonic() < deadline:
            self.kill()
            # Again when the process was not known yet, or when the parent has been replaced.
            with contextlib.suppress(TimedOutError):
                await self._wait(
                    min(deadline, time.monotonic() + _KILL_AGAIN_S), lambda: False, kill=False
                )
        if self.exit is None:
            LOG.warning("process %s of a function did not end when killed", self.pid)
            self.exit = Exit(None)

    # -- invoking -----------------------------------------------------------------------------

    async def invoke(self, event: Event, timeout_s: float) -> Answer:
        """Hand ``event`` to the runtime and wait for its answer.

        Args:
            event: The event.
            timeout_s: Seconds until the process is killed.

        Raises:
            TimedOutError: No answer in time; the process has been killed.
            ProcessEndedError: The process ended without an answer; see :attr:`exit`.
            UnreadEventError: It had ended, or ended by itself, before it had read the event.
        """
        self._event_at = time.monotonic()
        deadline = self._event_at + timeout_s
        api = self.api
        # After an answer the runtime comes back for the next event; mostly it is waiting already.
        if self._waiting is None:
            await self._wait(deadline, lambda: self._waiting is not None)
        elif not self._waiting.inherited:
            # A process that ended a moment ago has closed its connection: an event written to it
            # now would be lost on it. Writing to a socket pair's closed end fails instead.
            self._serve(self._waiting)
        waiting = self._waiting
        if waiting is None or self.exit is not None:
            raise UnreadEventError
        self._waiting = None
        if 0 < self._output_bytes < _LITTLE_OUTPUT_BYTES and self._log_timer is None:
            self._let_log_wait()
        self._output_bytes = 0
        waiting.silent = True
        self._send(waiting, waiting.held + api.dispatch(event))
        waiting.held = b""
        if waiting.refused:
            raise UnreadEventError
        if api.answer is None:
            await self._wait_for_answer(deadline)
        # What was written before the answer was is there to be read now.
        if self._log_timer is not None or _has_data(self._log_fd):
            self._drain_log(final=False)
        answer = api.answer
        if answer is not None:
            return answer
        if await self._was_left_unread(waiting):
            raise UnreadEventError
        raise ProcessEndedError

    async def _was_left_unread(self, connection: _Connection) -> bool:
        """Whether the process ended without having read the event that was sent to it.

        An event can be written to a process that is just ending, before that is known. The kernel
        tells the two apart: it resets a connection that is closed with data unread (RFC 2525,
        2.17), or that data comes to after it was closed.
        """
        deadline = time.monotonic() + _CLOSE_WAIT_S
        while connection in self._connections and time.monotonic() < deadline:
            await asyncio.sleep(0.002)
        return connection.silent and connection.refused

    async def _wait_for_answer(self, deadline: float) -> None:
        """Wait until the event is answered, the end of the process, or the deadline.

        Raises:
            TimedOutError: The deadline passed; the process has been ended.
        """
        self._deadline = deadline
        # The timer of an event that is answered stays, and starts again if need be when it fires:
        # nearly all events are answered before.
        if self._timer is None or self._timer_at > deadline:
            if self._timer is not None:
                self._timer.cancel()
            self._start_timer()
        waiter = self._answered = Wakeup(self._loop)
        try:
            await waiter
        except TimedOutError:
            if self.api.answer is None and self.exit is None:
                await self._kill_and_wait()
                raise
        finally:
            self._answered = None

    def _start_timer(self) -> None:
        left = max(self._deadline - time.monotonic(), 0)
        self._timer_at = self._deadline
        self._timer = self._loop.call_later(left, self._look_at_time)

    def _look_at_time(self) -> None:
        self._timer = None
        if self._answered is None or self._answered.is_over:
            return
        if self._deadline > time.monotonic():
            self._start_timer()
        else:
            self._answered.set_exception(TimedOutError())

    async def _wait(self, deadline: float, done: Callable[[], bool], *, kill: bool = True) -> None:
        """Wait until ``done()``, the end of the process, or the deadline.

        Raises:
            TimedOutError: The deadline passed; with ``kill`` the process has been ended.
        """
        while not done() and self.exit is None:
            waiter = self._loop.create_future()
            self._done, self._waiter = done, waiter
            timer = self._loop.call_later(max(deadline - time.monotonic(), 0), _expire, waiter)
            try:
                await waiter
            except TimedOutError:
                if done() or self.exit is not None:
                    break
                if kill:
                    await self._kill_and_wait()
                raise
            finally:
                timer.cancel()
                if self._waiter is waiter:
                    self._done = self._waiter = None

    def _wake(self) -> None:
        answered = self._answered
        if answered is not None and not answered.is_over:
            if self.exit is not None or self.api.answer is not None:
                answered.set_soon(None)
            return
        waiter, done = self._waiter, self._done
        if waiter is None or done is None or waiter.done():
            return
        if self.exit is not None or done():
            waiter.set_result(None)

    # -- the process --------------------------------------------------------------------------

    def _read_status(self) -> None:
        try:
            data = os.read(self._status_fd, 65536)
        except BlockingIOError:
            return
        if not data:
            self._loop.remove_reader(self._status_fd)
            if self.pid is None and self.setup_error is None:
                self.setup_error = "cannot start a process: its parent has ended"
                self.machine_failed = True
            self._ended(Exit(None, self.gauge.peak_kb))
            return
        self._status += data
        *lines, self._status = self._status.split(b"\n")
        for line in lines:
            message = json.loads(line)
            if "pid" in message:
                self.pid = message["pid"]
                self.gauge.started(message["pid"])
            elif "error" in message:
                self.setup_error = message["error"]
                self.machine_failed = message.get("machine", False)
            elif "exit" in message:
                peak = self.gauge.ended(message["peak_kb"])
                self._ended(Exit(message["exit"], peak, self._out_of_memory))
        self._wake()

    def _ended(self, how: Exit) -> None:
        if self.exit is not None:
            return
        # Read what it sent before it ended.
        for connection in list(self._connections):
            while connection in self._connections and self._serve(connection):
                pass
        self.exit = how
        self._drain_log(final=True)
        self._wake()

    def used_memory_kb(self) -> int:
        """Most memory the process has had so far, in kB, as ``Max Memory Used`` counts it."""
        return self.gauge.peak() if self.exit is None else self.gauge.peak_kb

    def check_memory(self) -> None:
        """Kill the environment when its processes together take more than its memory."""
        if not self.memory_limit_kb or self.exit is not None or self.pid is None:
            return
        if self.gauge.used_kb() > self.memory_limit_kb:
            self._out_of_memory = True
            self.gauge.peak_kb = self.memory_limit_kb
            self.kill()

    # -- its output ---------------------------------------------------------------------------

    def _let_log_wait(self) -> None:
        """Do not wake for each line that the process writes: ``print`` writes two times."""
        self._loop.remove_reader(self._log_fd)
        self._log_timer = self._loop.call_later(_LOG_WAITS_S, self._look_at_log)

    def _look_at_log(self) -> None:
        """Read what is there; wait on, unless it is much or events come seldom."""
        now = time.monotonic()
        left = self._drained_at + _LOG_WAITS_S - now
        if left > 0.0005:  # the loop's timers count milliseconds
            self._log_timer = self._loop.call_later(left, self._look_at_log)
            return
        before = self._output_bytes
        self._drain_log(final=False)
        is_little = self._output_bytes - before < _LITTLE_OUTPUT_BYTES
        if is_little and now - self._event_at < _LOG_WAITS_NO_LONGER_S:
            self._log_timer = self._loop.call_later(_LOG_WAITS_S, self._look_at_log)
        else:
            self._log_timer = None
            self._loop.add_reader(self._log_fd, self._read_log)

    def _read_log(self) -> None:
        try:
            data = os.read(self._log_fd, 1 << 20)
        except BlockingIOError:
            return
        if not data:
            self._loop.remove_reader(self._log_fd)
            return
        self._take_output(data)

    def _take_output(self, data: bytes) -> None:
        self._output_bytes += len(data)
        for event in self._output.feed(data):
            self.emit(event)

    def _drain_log(self, *, final: bool) -> None:
        """Read what has been written up to now; after the end also a line without newline."""
        self._drained_at = time.monotonic()
        while True:
            try:
                data = os.read(self._log_fd, 1 << 20)
            except (BlockingIOError, OSError):
                break
            if not data:
                break
            self._take_output(data)
            if len(data) < 1 << 20:
                break
        if final:
            for event in self._output.flush():
                self.emit(event)

    # -- its Runtime API ----------------------------------------------------------------------

    def _accept(self) -> None:
        assert self._listener is not None
        try:
            sock, _ = self._listener.accept()
        except OSError:
            return
        if len(self._connections) >= _MAX_CONNECTIONS or not self._may_connect(sock):
            sock.close()
            return
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._add_connection(sock)

    def _may_connect(self, sock: socket.socket) -> bool:
        """Whether a connection comes from the environment's own user."""
        if self._user is None or sys.platform != "linux":
            return True
        peer = user_of_connection(sock)
        if peer != self._user:
            LOG.warning("user %s tried to reach the Runtime API of an environment", peer)
        return peer == self._user

    def _add_connection(self, sock: socket.socket) -> _Connection:
        sock.setblocking(False)
        connection = _Connection(sock, self.api.stream)
        self._connections.add(connection)
        self._loop.add_reader(sock, self._serve, connection)
        return connection

    def _drop(self, connection: _Connection) -> None:
        if self._waiting is connection:
            self._waiting = None
        if connection not in self._connections:
            return
        self._connections.discard(connection)
        self._loop.remove_reader(connection.sock)
        self._loop.remove_writer(connection.sock)
        connection.sock.close()

    def _serve(self, connection: _Connection) -> bool:
        """Read what has come in on a connection; says whether there was anything."""
        try:
            data = connection.sock.recv(1 << 20)
        except BlockingIOError:
            return False
        except OSError:
            connection.refused = True
            self._drop(connection)
            self._wake()
            return False
        if not data:
            connection.refused = bool(connection.outgoing) or _is_unread(connection.sock)
            self._drop(connection)
            self._wake()
            return False
        connection.silent = False
        parser = connection.parser
        if connection.inherited and parser.idle and self.api.take_answer(data):
            connection.held = ACCEPTED
            self._waiting = connection
            if self._answered is not None and not self._answered.is_over:
                self._answered.set_result(None)
            return True
        parser.feed(data)
        try:
            while connection in self._connections:
                request = parser.next_request()
                if parser.expects_continue:
                    parser.expects_continue = False
                    self._send(connection, b"HTTP/1.1 100 Continue\r\n\r\n")
                if request is None:
                    break
                self._answer(connection, request)
        except BadRequestError as error:
            body = json.dumps({"errorMessage": str(error), "errorType": "BadRequest"}).encode()
            connection.closing = True
            self._send(connection, response(error.status, body, keep_alive=False))
        self._wake()
        return True

    def _answer(self, connection: _Connection, request: Request) -> None:
        if self._waiting is connection:
            self._waiting = None  # it gave up waiting and asks for something else
        reply = self.api.handle(request)
        if reply is None:
            # The client that sends a report and a question together ends when the report is
            # refused; it would take an event with it that comes right after the refusal.
            if not connection.given_up:
                self._waiting = connection
            return
        if reply is ACCEPTED and connection.inherited and self.api.state is State.ANSWERED:
            # Goes with the next event: its process waits for both with one read.
            connection.held = reply
            return
        connection.given_up = connection.inherited and request.method == "POST"
        reply = connection.held + reply
        connection.held = b""
        connection.closing = not request.keep_alive
        self._send(connection, reply)

    def _send(self, connection: _Connection, data: bytes) -> None:
        if not connection.outgoing:
            try:
                sent = connection.sock.send(data)
            except BlockingIOError:
                sent = 0
            except OSError:
                connection.refused = True
                self._drop(connection)
                return
            if sent < len(data):
                connection.outgoing += data[sent:]
                self._loop.add_writer(connection.sock, self._flush, connection)
        else:
            connection.outgoing += data
        if connection.closing and not connection.outgoing:
            self._drop(connection)

    def _flush(self, connection: _Connection) -> None:
        try:
            while connection.outgoing:
                sent = connection.sock.send(connection.outgoing)
                del connection.outgoing[:sent]
        except BlockingIOError:
            return
        except OSError:
            connection.refused = True
            self._drop(connection)
            return
        self._loop.remove_writer(connection.sock)
        if connection.closing:
            self._drop(connection)


def _has_data(fd: int) -> bool:
    """Whether there is something to read; to ask costs less than to read in vain."""
    return fd >= 0 and fcntl.ioctl(fd, termios.FIONREAD, _NO_BYTES) != _NO_BYTES


def user_of_connection(sock: socket.socket) -> int | None:
    """The user at the other end of a connection over loopback, as the kernel knows it."""
    host, port = sock.getpeername()
    own_port = sock.getsockname()[1]
    packed = int.from_bytes(socket.inet_aton(host), sys.byteorder)
    try:
        lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    except OSError:
        return None
    for line in lines:
        _, local, remote, *rest = line.split()  # proc(5): rest[4] is the user
        if local == f"{packed:08X}:{port:04X}" and remote.endswith(f":{own_port:04X}"):
            return int(rest[4])
    return None


def _expire(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_exception(TimedOutError())


class ProcessEndedError(Exception):
    """The process ended before it answered."""


class UnreadEventError(ProcessEndedError):
    """The process ended before it had read the event: nothing of it has been handled."""
