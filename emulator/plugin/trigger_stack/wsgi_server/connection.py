"""One connection: its requests are read strictly, and answered one after the other."""

from __future__ import annotations

import collections
import contextlib
import enum
import io
import json
import logging
import shutil
import socket
import struct
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Any, Final

from trigger_stack.wsgi_server import wsgi
from trigger_stack_engine.front_doors.core.message import Headers
from trigger_stack_engine.front_doors.core.parsing import RequestParser

LOG = logging.getLogger(__name__)

WRITE_SECONDS: Final = 60
"""A connection is dropped when its client has read nothing of a response for so long."""

_READ_BYTES: Final = 256 * 1024
#: A larger body is put into a file: AWS takes objects of 5 GB.
_MEMORY_BYTES: Final = 1024 * 1024
_PREFACE: Final = b"PRI * HTTP/2.0"
_TLS_HANDSHAKE: Final = 22


class State(enum.Enum):
    """What is to be done with a connection."""

    OPEN = enum.auto()
    """Wait for what comes."""
    ANSWERING = enum.auto()
    """A thread is at it."""
    REFUSED = enum.auto()
    """The last answer is sent: wait until the client has read it."""
    FOREIGN = enum.auto()
    """It speaks another protocol; nothing has been read."""
    ENDED = enum.auto()
    """Close it."""


@dataclass(slots=True)
class Request:
    """One request, as it was sent.

    Attributes:
        method: As sent, for example ``GET``.
        path: Percent-encoded, begins with ``/``.
        query: Percent-encoded, without ``?``.
        headers: As sent, in their order.
        version: ``1.0`` or ``1.1``.
        body: Positioned at its begin; of known length, whether it was sent in chunks or not.
        keep_alive: The client wants to send another request.
    """

    method: str
    path: bytes
    query: bytes
    headers: Headers
    version: str
    body: IO[bytes]
    keep_alive: bool


class Connection(RequestParser):
    """A connection that was accepted.

    Args:
        accepted: Its socket.
        address: The client's, as ``accept`` has it.
        application: A WSGI application.

    Attributes:
        socket: Its socket.
        state: What is to be done with it.
        active: When something was received or sent last, of the monotonic clock.
        is_waited_for: The server has been told to say when there is something to read.
    """

    def __init__(self, accepted: socket.socket, address: Sequence[Any], application: Any) -> None:
        super().__init__(max_body_bytes=None)
        self.socket = accepted
        self.state = State.OPEN
        self.active = time.monotonic()
        self.is_waited_for = False
        self._client = (str(address[0]), int(address[1]))
        self._port = int(accepted.getsockname()[1])
        self._application = application
        self._body: IO[bytes] = io.BytesIO()
        self._requests: collections.deque[Request] = collections.deque()
        self._last_words = b""
        self._begins = True
        accepted.setblocking(True)
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        seconds = struct.pack("ll", WRITE_SECONDS, 0)
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, seconds)

    def is_idle(self, seconds: float) -> bool:
        """Whether no request has come for so long, and none is waiting to be read."""
        if self.state is State.ANSWERING or time.monotonic() - self.active <= seconds:
            return False
        try:
            return not self.socket.recv(1, socket.MSG_DONTWAIT | socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False

    def shut(self) -> None:
        """Have it closed by the thread that waits for it."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)

    def read(self) -> None:
        """Read what was received, and answer what has come to its end."""
        refused = self.state is State.REFUSED
        self.state = State.ANSWERING
        try:
            if self._begins and self._is_foreign():
                self.state = State.FOREIGN
                return
            data = self.socket.recv(_READ_BYTES, socket.MSG_DONTWAIT)
        except BlockingIOError:
            self.state = State.REFUSED if refused else State.OPEN
            return
        except OSError:
            data = b""
        if not data:
            self.state = State.ENDED
            return
        if refused:  # what is not read would reset the connection when it is closed
            self.state = State.REFUSED
            return
        self._begins = False
        self.active = time.monotonic()
        try:
            self.feed(data)
            self.state = self._answer_all()
        except OSError as error:
            LOG.debug("a client went away: %s", error)
            self.state = State.ENDED
        except BaseException:
            self.state = State.ENDED
            raise
        finally:
            self.active = time.monotonic()

    def _is_foreign(self) -> bool:
        """Whether the first bytes are not HTTP/1.1's, or those of a WebSocket."""
        head = self.socket.recv(_READ_BYTES, socket.MSG_DONTWAIT | socket.MSG_PEEK)
        if head[:1] == bytes([_TLS_HANDSHAKE]) or head.startswith(_PREFACE):
            return True
        return b"\nupgrade: websocket" in head.partition(b"\r\n\r\n")[0].lower()

    # -- the parser -----------------------------------------------------------------------------

    def body_received(self, part: bytes) -> None:
        """Keep a part of the body, in a file when it is large."""
        size = self._body.tell()
        if size <= _MEMORY_BYTES < size + len(part):
            file = tempfile.TemporaryFile()  # noqa: SIM115  # closed after the answer
            self._body.seek(0)
            shutil.copyfileobj(self._body, file)
            self._body = file
        self._body.write(part)

    def continue_expected(self) -> None:
        """Tell the client to send the body."""
        if not self._requests:
            self.socket.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")

    def request_received(
        self, method: str, path: bytes, query: bytes, headers: Headers, version: str
    ) -> None:
        """Keep a request until those before it are answered."""
        body, self._body = self._body, io.BytesIO()
        body.seek(0)
        keep_alive = self.should_keep_alive()
        self._requests.append(Request(method, path, query, headers, version, body, keep_alive))

    def refuse(self, status: int, message: str) -> None:
        """Keep the answer until the requests before are answered."""
        body = json.dumps({"message": message}).encode()
        head = f"HTTP/1.1 {status} {message}\r\nconnection: close\r\ncontent-type: application/json"
        self._last_words = f"{head}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body

    # -- answering ------------------------------------------------------------------------------

    def _answer_all(self) -> State:
        while self._requests:
            request = self._requests.popleft()
            environ = wsgi.environ_of(request, self._client, self._port)
            try:
                keep_alive = wsgi.answer(self._application, environ, request, self.socket)
            finally:
                request.body.close()
            if not keep_alive:
                self.is_refused = True
                return self._say_no_more()
        if self._last_words:
            self.socket.sendall(self._last_words)
            return self._say_no_more()
        return State.OPEN

    def _say_no_more(self) -> State:
        """Close the sending side only: the client may still send (RFC 9112, section 9.6)."""
        self.socket.shutdown(socket.SHUT_WR)
        return State.REFUSED
