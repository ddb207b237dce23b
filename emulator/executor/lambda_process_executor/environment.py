"""One execution environment: a process, its Runtime API server and its output.

The thread that starts or invokes the environment drives its sockets and pipes itself, so that a
warm invoke costs no hand-over between threads. Between invokes :mod:`idle` looks after them.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import selectors
import signal
import socket
import sys
import termios
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lambda_process_executor.http import BadRequestError, Parser, Request, response
from lambda_process_executor.output import LogEvent, OutputParser
from lambda_process_executor.runtime_api import (
    MAX_RESPONSE_BYTES,
    Answer,
    Event,
    RuntimeApi,
    State,
)
from lambda_process_executor.spawner import Spawner, SpawnError

LOG = logging.getLogger(__name__)
RUNTIME_BASE_KB = 32 * 1024  # what AWS's own runtime process takes of a function's memory
_KILL_GRACE_S = 5.0
_SPAWN_TIMEOUT_S = 60.0
_CLOSE_WAIT_S = 0.5  # for the connections of a process that has ended; a child may hold one
_MAX_CONNECTIONS = 64
_WATCH_MEMORY_EVERY_S = 0.05


@dataclass(frozen=True)
class Exit:
    """How a process ended. ``status`` is a wait status, ``None`` when nobody could tell."""

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


class StoppedError(Exception):
    """The environment was stopped by the Lambda service while it was busy."""


class _Connection:
    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.parser = Parser(MAX_RESPONSE_BYTES)
        self.outgoing = bytearray()
        self.closing = False
        self.silent = False  # nothing has come in since an event was sent
        self.refused = False  # the peer closed it with unread data, or before the data came


class Environment:
    """Runs one runtime process at a time; after its end the next invoke starts another.

    Parameters
    ----------
    make_job:
        Given the ``host:port`` of the Runtime API: who starts the process, and the spawn request.
    emit:
        Called with every log event, in order.
    memory_limit_kb:
        The function's memory; a process that takes more is killed. 0 = no limit.
    """

    def __init__(
        self,
        make_job: Callable[[str], tuple[Spawner, dict[str, Any]]],
        emit: Callable[[LogEvent], None],
        memory_limit_kb: int = 0,
    ) -> None:
        self.spawner: Spawner | None = None
        self.make_job = make_job
        self.emit = emit
        self.memory_limit_kb = memory_limit_kb
        self.lock = threading.Lock()
        self.stopping = False
        self.pid: int | None = None
        self.exit: Exit | None = None
        self.setup_error: str | None = None
        self.init_started = 0.0
        self.api = RuntimeApi()
        self._selector = selectors.DefaultSelector()
        self._listener: socket.socket | None = None
        self._waiting: _Connection | None = None
        self._connections: set[_Connection] = set()
        self._forked = True
        self._log_fd = -1
        self._status_fd = -1
        self._status = b""
        self._output = OutputParser()
        self._base_kb = 0
        self._own_kb = 0
        self._peak_kb = 0
        self._oom = False
        self._pages = os.sysconf("SC_PAGE_SIZE") // 1024

    # -- life ---------------------------------------------------------------------------------

    @property
    def alive(self) -> bool:
        """Whether there is a process that has not ended."""
        return self._listener is not None and self.exit is None

    def start(self, timeout_s: float) -> None:
        """Start a process and wait for the end of its init phase.

        Returns when the runtime asks for an event, has reported an init error
        (``api.init_error``), or has ended (``exit``).

        Raises
        ------
        TimedOutError
            The init phase took longer than ``timeout_s`` seconds; the process is killed.
        SpawnError
            No process could be started.

        The limit counts from :attr:`init_started` (``time.monotonic()``), when the process began.
        """
        self._open()
        try:
            # The parent may still be importing, which is no time of the function's.
            self._drive(time.monotonic() + _SPAWN_TIMEOUT_S, lambda: self.pid is not None)
        except TimedOutError:
            raise SpawnError("the parent of functions does not answer") from None
        self.init_started = time.monotonic()
        self._drive(self.init_started + timeout_s, lambda: self.api.state is not State.INIT)

    def _open(self) -> None:
        self.close()
        self.api = RuntimeApi()
        self._output = OutputParser()
        self.exit = self.setup_error = None
        self.init_started = time.monotonic()
        self._status = b""
        self._base_kb = self._peak_kb = 0
        self._oom = False
        self._selector = selectors.DefaultSelector()
        listener = self._listener = socket.socket()
        listener.setblocking(False)
        listener.bind(("127.0.0.1", 0))
        listener.listen(16)
        self._log_fd, log_w = os.pipe()
        self._status_fd, status_w = os.pipe()
        os.set_blocking(self._log_fd, False)
        os.set_blocking(self._status_fd, False)
        try:
            host, port = listener.getsockname()
            self.spawner, job = self.make_job(f"{host}:{port}")
            self._forked = job["argv"] is None
            self._own_kb = RUNTIME_BASE_KB if self._forked else 0
            self.spawner.spawn(job, log_w, status_w)
        except SpawnError:
            self.exit = Exit(None)  # there is nothing to end
            self.close()
            raise
        finally:
            os.close(log_w)
            os.close(status_w)
        self._selector.register(listener, selectors.EVENT_READ, self._accept)
        self._selector.register(self._log_fd, selectors.EVENT_READ, self._read_log)
        self._selector.register(self._status_fd, selectors.EVENT_READ, self._read_status)

    def close(self) -> None:
        """Kill what is alive and give every descriptor back. Idempotent."""
        if self._listener is None:
            return
        if self.exit is None:
            self._kill_and_wait()
        self._drain_log(final=True)
        for connection in list(self._connections):
            self._drop(connection)
        self._listener.close()
        self._listener = None
        self._selector.close()
        for fd in (self._log_fd, self._status_fd):
            if fd >= 0:
                os.close(fd)
        self._log_fd = self._status_fd = -1
        self.pid = None

    def kill(self) -> None:
        """End the process and its group without waiting; safe to call from any thread."""
        pid = self.pid
        if pid is not None and self.exit is None and self.spawner is not None:
            self.spawner.kill(pid)

    def _kill_and_wait(self) -> None:
        self.kill()
        deadline = time.monotonic() + _KILL_GRACE_S
        # Its connections, which are readable as soon as it has closed them, are of no interest.
        with selectors.DefaultSelector() as ending:
            for key in self._selector.get_map().values():
                if key.data in (self._read_status, self._read_log):
                    ending.register(key.fileobj, selectors.EVENT_READ, key.data)
            while self.exit is None and time.monotonic() < deadline:
                known = self.pid
                ready = ending.select(0.05)
                for key, _ in ready:
                    key.data()
                    if key.fileobj not in self._selector.get_map():  # that was its end
                        ending.unregister(key.fileobj)
                if self.exit is None and (not ready or self.pid != known):
                    self.kill()
        if self.exit is None:
            LOG.warning("process %s of a function did not end when killed", self.pid)
            self.exit = Exit(None)

    # -- invoking -----------------------------------------------------------------------------

    def invoke(self, event: Event, timeout_s: float) -> Answer:
        """Hand ``event`` to the runtime and wait for its answer.

        Raises
        ------
        TimedOutError
            No answer within ``timeout_s`` seconds; the process is killed.
        StoppedError
            The environment was stopped meanwhile.
        ProcessEndedError
            The process ended without an answer; see :attr:`exit`.
        EndedBeforehandError
            It had ended, or ended by itself, before it had read the event.
        """
        deadline = time.monotonic() + timeout_s
        api = self.api
        # A process that ended a moment ago has closed its connection: an event written to it now
        # would be lost on it.
        self.pump()
        # After an answer the runtime comes back for the next event; mostly it is waiting already.
        self._drive(deadline, lambda: self._waiting is not None)
        waiting = self._waiting
        if waiting is None or self.exit is not None:
            raise EndedBeforehandError
        self._waiting = None
        waiting.silent = True
        self._send(waiting, api.dispatch(event))
        self._drive(deadline, lambda: api.answer is not None)
        answer = api.answer
        self._drain_log(final=False)
        if answer is not None:
            return answer
        if self._left_unread(waiting):
            raise EndedBeforehandError
        raise ProcessEndedError

    def _left_unread(self, connection: _Connection) -> bool:
        """Whether the process ended without having read the event that was sent to it.

        An event can meet a process that is just ending, and that nobody knows of yet. The kernel
        tells the two apart: it resets a connection that is closed with data unread (RFC 2525,
        2.17), or that data comes to after it was closed.
        """
        deadline = time.monotonic() + _CLOSE_WAIT_S
        while connection in self._connections and (wait := deadline - time.monotonic()) > 0:
            for key, _ in self._selector.select(wait):
                key.data()
        return connection.silent and connection.refused

    def _drive(self, deadline: float, done: Callable[[], bool]) -> None:
        """Serve the process until ``done()``, its end, or the deadline."""
        watch = self.memory_limit_kb > 0 and sys.platform == "linux"
        next_watch = time.monotonic() + _WATCH_MEMORY_EVERY_S
        while not done() and self.exit is None:
            now = time.monotonic()
            remaining = deadline - now
            if remaining <= 0:
                self._kill_and_wait()
                raise TimedOutError
            if watch and now >= next_watch:
                self._check_memory()
                next_watch = now + _WATCH_MEMORY_EVERY_S
            if watch:
                remaining = min(remaining, next_watch - now)
            for key, _ in self._selector.select(max(remaining, 0)):
                key.data()
        if self.exit is not None:
            # What it sent with its last breath counts.
            while not done() and (ready := self._selector.select(0)):
                for key, _ in ready:
                    key.data()
        if self.stopping and self.exit is not None and not done():
            raise StoppedError

    def pump(self) -> None:
        """Serve what is pending without waiting."""
        if self._listener is None:
            return
        for key, _ in self._selector.select(0):
            key.data()

    def fileno(self) -> int:
        """A descriptor that is readable when :meth:`pump` has something to do."""
        return self._selector.fileno()

    # -- the process --------------------------------------------------------------------------

    def _read_status(self) -> None:
        try:
            data = os.read(self._status_fd, 65536)
        except BlockingIOError:
            return
        if not data:
            self._selector.unregister(self._status_fd)
            self.exit = self.exit or Exit(None, self._peak_kb)
            return
        self._status += data
        *lines, self._status = self._status.split(b"\n")
        for line in lines:
            message = json.loads(line)
            if "pid" in message:
                self.pid = message["pid"]
                self._base_kb = (self._resident_kb(self.pid) or 0) if self._forked else 0
            elif "error" in message:
                self.setup_error = message["error"]
            elif "exit" in message:
                peak = max(message["peak_kb"] - self._base_kb, 0) + self._own_kb
                self._peak_kb = max(self._peak_kb, peak)
                self.exit = Exit(message["exit"], self._peak_kb, self._oom)
                self._drain_log(final=True)

    def _resident_kb(self, pid: int | None) -> int | None:
        try:
            with open(f"/proc/{pid}/statm", "rb", buffering=0) as file:  # noqa: PTH123  often
                return int(file.read(100).split()[1]) * self._pages
        except (OSError, IndexError):
            return None

    def used_memory_kb(self) -> int:
        """Most memory the process has had so far, in kB, as ``Max Memory Used`` counts it.

        What a child shares with the parent it was forked from is not its own; what AWS's runtime
        process takes before the first import is.
        """
        if self.exit is None and self.pid is not None:
            try:
                with open(f"/proc/{self.pid}/status", "rb", buffering=0) as file:  # noqa: PTH123  often
                    text = file.read(4096)
                high = int(text.partition(b"VmHWM:")[2].split(None, 1)[0])
                self._peak_kb = max(self._peak_kb, high - self._base_kb + self._own_kb)
            except (OSError, ValueError, IndexError):
                pass
        return max(self._peak_kb, self._own_kb)

    def _check_memory(self) -> None:
        """Kill the environment when its processes together take more than its memory."""
        resident = self._resident_kb(self.pid)
        if resident is None:
            return
        used = resident - self._base_kb + self._own_kb + self._descendants_kb()
        if used > self.memory_limit_kb:
            self._oom = True
            self._peak_kb = self.memory_limit_kb
            self.kill()

    def _descendants_kb(self) -> int:
        total = 0
        todo = [self.pid]
        while todo:
            pid = todo.pop()
            try:
                with open(f"/proc/{pid}/task/{pid}/children", "rb") as file:  # noqa: PTH123  often
                    children = [int(child) for child in file.read().split()]
            except OSError:
                continue
            for child in children:
                # A child that was forked shares what it has not written to.
                total += max((self._resident_kb(child) or 0) - self._base_kb, 0)
            todo += children
        return total

    # -- its output ---------------------------------------------------------------------------

    def _read_log(self) -> None:
        try:
            data = os.read(self._log_fd, 1 << 20)
        except BlockingIOError:
            return
        if not data:
            self._selector.unregister(self._log_fd)
            return
        for event in self._output.feed(data):
            self.emit(event)

    def _drain_log(self, *, final: bool) -> None:
        """Read what has been written up to now; after the end also a line without newline."""
        while True:
            try:
                data = os.read(self._log_fd, 1 << 20)
            except (BlockingIOError, OSError):
                break
            if not data:
                break
            for event in self._output.feed(data):
                self.emit(event)
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
        if len(self._connections) >= _MAX_CONNECTIONS:
            sock.close()
            return
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = _Connection(sock)
        self._connections.add(connection)
        self._selector.register(sock, selectors.EVENT_READ, lambda: self._serve(connection))

    def _drop(self, connection: _Connection) -> None:
        if self._waiting is connection:
            self._waiting = None
        self._connections.discard(connection)
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(connection.sock)
        connection.sock.close()

    def _serve(self, connection: _Connection) -> None:
        if connection.outgoing:
            self._flush(connection)
        try:
            data = connection.sock.recv(1 << 20)
        except BlockingIOError:
            return
        except OSError:
            connection.refused = True
            self._drop(connection)
            return
        if not data:
            connection.refused = bool(connection.outgoing) or _is_unread(connection.sock)
            self._drop(connection)
            return
        connection.silent = False
        parser = connection.parser
        parser.feed(data)
        try:
            while connection in self._connections:
                request = parser.next_request()
                if parser.expects_continue:
                    parser.expects_continue = False
                    self._send(connection, b"HTTP/1.1 100 Continue\r\n\r\n")
                if request is None:
                    return
                self._answer(connection, request)
        except BadRequestError as error:
            body = json.dumps({"errorMessage": str(error), "errorType": "BadRequest"}).encode()
            connection.closing = True
            self._send(connection, response(error.status, body, keep_alive=False))

    def _answer(self, connection: _Connection, request: Request) -> None:
        if self._waiting is connection:
            self._waiting = None  # it gave up waiting and asks for something else
        reply = self.api.handle(request)
        if reply is None:
            self._waiting = connection
            return
        connection.closing = not request.keep_alive
        self._send(connection, reply)

    def _send(self, connection: _Connection, data: bytes) -> None:
        connection.outgoing += data
        self._flush(connection)

    def _flush(self, connection: _Connection) -> None:
        try:
            while connection.outgoing:
                sent = connection.sock.send(connection.outgoing)
                del connection.outgoing[:sent]
        except BlockingIOError:
            pass
        except OSError:
            connection.refused = True
            self._drop(connection)
            return
        if connection.closing and not connection.outgoing:
            self._drop(connection)
            return
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if connection.outgoing else 0)
        if connection in self._connections:
            key = self._selector.get_key(connection.sock)
            if key.events != wanted:
                self._selector.modify(connection.sock, wanted, key.data)


class ProcessEndedError(Exception):
    """The process ended before it answered."""


class EndedBeforehandError(ProcessEndedError):
    """The process ended before it had read the event: nothing of it has been handled."""
