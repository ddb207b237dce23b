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
from collections.abc import Callable

from trigger_stack_engine.wire import (
    ConnectionLostError,
    Header,
    Message,
    RemoteError,
    ThreadedPeer,
)

LOG = logging.getLogger(__name__)
type Call = Callable[[Header, bytes], Message]
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
    """

    def __init__(
        self,
        handle: Callable[[Header, bytes], Message],
        push_state: Callable[[Call], None],
    ) -> None:
        self._handle = handle
        self._push_state = push_state
        self._lock = threading.Lock()
        self._ready = threading.Event()
        self._peer: ThreadedPeer | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._closing = False

    @property
    def pid(self) -> int | None:
        """Process id of the engine, when it runs."""
        process = self._process
        return process.pid if process and process.poll() is None else None

    def start(self) -> None:
        """Start the engine. Idempotent.

        Raises:
            EngineUnavailableError: It cannot be started.
        """
        with self._lock:
            if self._process is None and not self._closing:
                self._start()
                atexit.register(self.close)

    def _start(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "trigger_stack_engine.engine",
                    "--control",
                    str(theirs.fileno()),
                ],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for LocalStack, which ends the engine in order
            )
        finally:
            theirs.close()
        peer = ThreadedPeer(ours, self._handle, self._lost)
        self._push_state(peer.call)
        self._peer = peer
        self._ready.set()

    def call(self, header: Header, body: bytes = b"") -> Message:
        """Ask the engine; waits while it is being restarted.

        Raises:
            EngineUnavailableError: It ended before it answered.
            RemoteError: It could not do it.
        """
        if not self._ready.wait(_CONNECT_S) or self._peer is None:
            raise EngineUnavailableError("the engine does not run")
        try:
            return self._peer.call(header, body)
        except ConnectionLostError:
            raise EngineUnavailableError("the engine ended before it answered") from None

    def _lost(self) -> None:
        self._ready.clear()
        if self._closing:
            return
        threading.Thread(target=self._restart, name="engine-restart", daemon=True).start()

    def _restart(self) -> None:
        process = self._process
        code = None
        if process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = process.wait(timeout=1)
            process.kill()
            process.wait()
        while not self._closing:
            LOG.warning("The engine of Lambda functions has ended (%s); starting it again.", code)
            try:
                with self._lock:
                    if not self._closing:
                        self._start()
            except (OSError, ConnectionLostError, RemoteError) as error:
                LOG.warning("The engine cannot be started: %s", error)
                time.sleep(_RESTART_PAUSE_S)
            else:
                return

    def close(self) -> None:
        """End the engine in order: environments first, then the queued logs. Idempotent."""
        with self._lock:
            if self._closing:
                return
            self._closing = True
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
