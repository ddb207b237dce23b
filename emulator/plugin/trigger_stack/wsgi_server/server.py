"""Threads that wait together, on one ``epoll``, for connections that have something to read.

The thread that the kernel wakes reads, calls the application and writes: a request is never handed
from one thread to another, which would cost more than to parse it. A request whose rest has not
come yet occupies no thread, and neither does an idle connection.
"""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from trigger_stack.wsgi_server.connection import Connection, State

LOG = logging.getLogger(__name__)

IDLE_SECONDS: Final = 60
"""A connection is closed after this time without a request."""

LINGER_SECONDS: Final = 2
"""How long a refused client may take to read the answer."""

_SPARE_THREADS: Final = 8
_SPARE_SECONDS: Final = 30
#: More requests at a time wait; LocalStack's ``GATEWAY_WORKER_COUNT``.
_MAX_THREADS: Final = 1000
_SWEEP_SECONDS: Final = 1
_READABLE: Final = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLONESHOT


class WsgiServer:
    """Serves any number of addresses.

    Args:
        application: A WSGI application.
        take_over: Gets a connection that does not begin with HTTP/1.1 (TLS, HTTP/2, a WebSocket),
            of which nothing has been read.
    """

    def __init__(self, application: Any, take_over: Callable[[socket.socket], None]) -> None:
        self._application = application
        self._take_over = take_over
        self._epoll = select.epoll()
        self._listeners: dict[int, socket.socket] = {}
        self._paused: list[int] = []
        self._connections: dict[int, Connection] = {}
        self._lock = threading.Lock()
        self._waiting = 0
        self._threads = 0
        self._is_closed = False

    def listen(self, host: str, port: int) -> None:
        """Listen on an address. Raises OSError."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=1024)
        listener.setblocking(False)
        self._listeners[listener.fileno()] = listener

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Host and port of each address that is listened on."""
        return [listener.getsockname()[:2] for listener in self._listeners.values()]

    def start(self) -> None:
        """Begin to answer; returns at once."""
        for descriptor in self._listeners:
            self._epoll.register(descriptor, select.EPOLLIN | select.EPOLLONESHOT)
        with self._lock:
            for _ in range(_SPARE_THREADS):
                self._start_thread()
        threading.Thread(target=self._sweep, name="gateway-sweep", daemon=True).start()

    def close(self, seconds: float) -> None:
        """Accept nothing further, and give requests that are being answered time to end.

        Args:
            seconds: How long at most.
        """
        self._is_closed = True
        for descriptor, listener in self._listeners.items():
            with contextlib.suppress(OSError):
                self._epoll.unregister(descriptor)
            listener.close()
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not any(one.state is State.ANSWERING for one in list(self._connections.values())):
                break
            time.sleep(0.05)
        for connection in list(self._connections.values()):
            connection.shut()

    # -- threads --------------------------------------------------------------------------------

    def _start_thread(self) -> None:
        """Add a thread; the lock is held."""
        name = f"gateway-{self._threads + 1}"
        try:
            threading.Thread(target=self._work, name=name, daemon=True).start()
        except RuntimeError as error:  # the system has none left: what comes waits for a free one
            LOG.warning("a thread could not be started: %s", error)
            return
        self._threads += 1
        self._waiting += 1

    def _work(self) -> None:
        while True:
            ready = self._epoll.poll(_SPARE_SECONDS, 1)
            with self._lock:
                if not ready:
                    if self._waiting <= _SPARE_THREADS:
                        continue
                    self._waiting -= 1
                    self._threads -= 1
                    return
                self._waiting -= 1
                # Somebody must wait for what comes while this thread is busy.
                if not self._waiting and self._threads < _MAX_THREADS:
                    self._start_thread()
            try:
                self._serve(ready[0][0])
            except BaseException:  # the thread goes on, whatever a request has raised
                LOG.exception("a connection could not be served")
            finally:
                with self._lock:
                    self._waiting += 1

    def _serve(self, descriptor: int) -> None:
        if listener := self._listeners.get(descriptor):
            self._accept(descriptor, listener)
        elif connection := self._connections.get(descriptor):
            self._read(connection)

    def _accept(self, descriptor: int, listener: socket.socket) -> None:
        try:
            accepted, address = listener.accept()
        except (BlockingIOError, ConnectionError):
            accepted = None
        except OSError as error:
            if self._is_closed:
                return
            # No descriptors are left: some will be when connections have ended.
            LOG.warning("a connection could not be accepted: %s", error)
            self._paused.append(descriptor)
            return
        with contextlib.suppress(OSError):  # closed meanwhile
            self._epoll.modify(descriptor, select.EPOLLIN | select.EPOLLONESHOT)
        if accepted is None:
            return
        connection = Connection(accepted, address, self._application)
        self._connections[accepted.fileno()] = connection
        self._read(connection)

    def _read(self, connection: Connection) -> None:
        """Read and answer, and wait for what comes next."""
        descriptor = connection.socket.fileno()
        try:
            connection.read()
        finally:
            if connection.state is State.OPEN or connection.state is State.REFUSED:
                if connection.is_waited_for:
                    self._epoll.modify(descriptor, _READABLE)
                else:
                    connection.is_waited_for = True
                    self._epoll.register(descriptor, _READABLE)
            else:
                # In this order: the number is given to a new connection once it is closed.
                self._connections.pop(descriptor, None)
                if connection.is_waited_for:
                    self._epoll.unregister(descriptor)
                if connection.state is State.FOREIGN:
                    self._take_over(connection.socket)
                else:
                    connection.socket.close()

    def _sweep(self) -> None:
        """End what is idle for too long; accept again after there were no descriptors left."""
        while not self._is_closed:
            time.sleep(_SWEEP_SECONDS)
            for connection in list(self._connections.values()):
                if connection.state is State.REFUSED:
                    is_over = time.monotonic() - connection.active > LINGER_SECONDS
                else:
                    is_over = connection.is_idle(IDLE_SECONDS)
                if is_over:
                    connection.shut()
            while self._paused:
                with contextlib.suppress(OSError):
                    self._epoll.modify(self._paused.pop(), select.EPOLLIN | select.EPOLLONESHOT)
