"""Starts the engine, restarts it when it ends, and tells it what it must know."""

from __future__ import annotations

import atexit
import contextlib
import logging
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType

from trigger_stack_engine.wire import (
    ConnectionLostError,
    DirectPeer,
    Header,
    Message,
    NotSentError,
    RemoteError,
    ThreadedPeer,
)

LOG = logging.getLogger(__name__)
type Call = Callable[[Header, bytes], Message]
#: Waits for the reply to a call; to be called once.
type Reply = Callable[[], Message]
#: The engine's command line; ``--control`` and ``--calls`` with their descriptors follow.
ENGINE = (sys.executable, "-m", "trigger_stack_engine.engine")
#: So many calls at a time are read by those who wait for them, further ones by one thread for all.
_DIRECT_CALLS = 16
_RESTART_PAUSE_S = 0.2
_SHUTDOWN_S = 10.0
_CONNECT_S = 15.0


class EngineUnavailableError(Exception):
    """The engine ended before it answered; what it was asked for may have happened."""


class Supervisor:
    """The engine process and the connection to it.

    Args:
        handle: Answers the engine's own calls (logs, metrics).
        push_state: Called with every new engine before anything else is asked of it.
        command: What to start; ``--control`` and ``--calls`` are appended, with the descriptors of
            its ends of the connections.
        side_by_side: Operations of the engine of which several are answered at a time: how many.
    """

    def __init__(
        self,
        handle: Callable[[Header, bytes], Message],
        push_state: Callable[[Call], None],
        command: Sequence[str] = ENGINE,
        side_by_side: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        self._side_by_side = side_by_side
        self._command = command
        self._handle = handle
        self._push_state = push_state
        self._lock = threading.Lock()  # held while an engine is started or ended for good
        self._current = threading.Condition()  # held while it is decided which engine counts
        self._peer: ThreadedPeer | None = None
        self._direct: deque[DirectPeer] = deque()  # those that have no call
        self._process: subprocess.Popen[bytes] | None = None
        self._given_up = False  # no engine came in time
        self._closing = False
        self._started = False

    def start(self) -> None:
        """Start the engine. Idempotent.

        Raises:
            EngineUnavailableError: It cannot be started.
        """
        with self._lock:
            if self._started or self._closing:
                return
            try:
                self._start()
            except ConnectionLostError:
                raise EngineUnavailableError(
                    "The engine of Lambda functions ended at once; its reason is in the log above."
                ) from None
            self._started = True
            atexit.register(self.close)

    def _start(self) -> None:
        """Start an engine and push the state to it; end it when that fails."""
        pairs = [
            socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM) for _ in range(1 + _DIRECT_CALLS)
        ]
        (ours, *direct), theirs = zip(*pairs, strict=True)
        descriptors = [one.fileno() for one in theirs]
        control, *calls = [str(one) for one in descriptors]
        try:
            process = subprocess.Popen(
                [*self._command, "--control", control, "--calls", *calls],
                pass_fds=descriptors,
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for LocalStack, which ends the engine in order
            )
        except OSError:
            for one in (ours, *direct):
                one.close()
            raise
        finally:
            for one in theirs:
                one.close()
        peer = ThreadedPeer(ours, self._handle, lambda: self._lost(process), self._side_by_side)
        try:
            self._push_state(peer.call)
            self._adopt(process, peer, deque(DirectPeer(one) for one in direct))
        except BaseException:
            peer.close()
            process.kill()
            process.wait()
            raise

    def _adopt(
        self, process: subprocess.Popen[bytes], peer: ThreadedPeer, direct: deque[DirectPeer]
    ) -> None:
        """From now on this engine counts. Raises ConnectionLostError when it has ended already."""
        with self._current:
            if peer.closed:
                raise ConnectionLostError
            self._process, self._peer, self._direct = process, peer, direct
            self._given_up = False
            self._current.notify_all()

    def call(self, header: Header, body: bytes = b"") -> Message:
        """Ask the engine; waits while it is being restarted.

        A call that could not be sent any more had no effect: the next engine is asked.

        Raises:
            EngineUnavailableError: It ended before it answered, or does not run.
            RemoteError: It could not do it.
        """
        return self.begin(header, body)()

    def begin(self, header: Header, body: bytes = b"") -> Reply:
        """Ask the engine as ``call`` does, and have the caller say when it waits for the reply.

        Raises:
            EngineUnavailableError: It does not run.
        """
        deadline = time.monotonic() + _CONNECT_S
        while True:
            peer = self._running(deadline - time.monotonic())
            try:
                return self._send(peer, header, body)
            except NotSentError:
                if self._closing:
                    raise EngineUnavailableError("the engine is being ended") from None

    def _send(self, peer: ThreadedPeer, header: Header, body: bytes) -> Reply:
        """Send a call. Raises NotSentError."""
        idle = self._direct
        try:
            direct = idle.pop()
        except IndexError:
            future = peer.submit(header, body)
            if future.done() and isinstance(failed := future.exception(), NotSentError):
                raise failed from None
            return partial(_wait, future.result)
        direct.send(header, body)

        def receive() -> Message:
            try:
                reply = direct.receive()
            except RemoteError:
                idle.append(direct)
                raise
            idle.append(direct)
            return reply

        return partial(_wait, receive)

    def _running(self, timeout_s: float) -> ThreadedPeer:
        """The connection to the engine that counts; waits for one.

        Where one call has waited in vain, the next do not: a request may have a thousand.
        """
        peer = self._peer
        if peer is not None and not peer.closed:
            return peer
        with self._current:
            if not self._given_up:
                self._current.wait_for(
                    lambda: self._closing or (self._peer is not None and not self._peer.closed),
                    max(0.0, timeout_s),
                )
            if self._peer is None or self._peer.closed:
                self._given_up = True
                raise EngineUnavailableError("the engine does not run")
            return self._peer

    def _lost(self, process: subprocess.Popen[bytes]) -> None:
        with self._current:
            if process is not self._process or self._closing:
                return  # it never counted, or its end is wanted
        threading.Thread(
            target=self._restart, args=(process,), name="engine-restart", daemon=True
        ).start()

    def _restart(self, process: subprocess.Popen[bytes]) -> None:
        code = None
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = process.wait(timeout=1)
        process.kill()
        process.wait()
        while True:
            with self._lock:
                if self._closing:
                    return
                LOG.warning(
                    "The engine of Lambda functions has ended (%s); starting it again.", code
                )
                try:
                    self._start()
                except (OSError, ConnectionLostError, RemoteError) as error:
                    LOG.warning("The engine cannot be started: %r", error)
                else:
                    return
            time.sleep(_RESTART_PAUSE_S)

    def close(self) -> None:
        """End the engine in order: environments first, then the queued logs. Idempotent."""
        with self._lock:
            if self._closing:
                return
            self._closing = True
        with self._current:
            self._current.notify_all()
        peer, process = self._peer, self._process
        if peer is not None:
            with contextlib.suppress(ConnectionLostError, RemoteError, TimeoutError):
                peer.call({"op": "shutdown"}, timeout_s=_SHUTDOWN_S)
            peer.close()
        if process is not None:
            try:
                process.wait(timeout=3)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(receive: Callable[[], Message]) -> Message:
    try:
        return receive()
    except ConnectionLostError:
        raise EngineUnavailableError("the engine ended before it answered") from None
