"""Requests to DynamoDB Local, over connections that stay.

After a pause, a request by ``urllib3`` takes 0.65 ms of its caller's time, one by ``http.client``
0.4 and one by this 0.16. Nothing is sent twice: a write may have been done without its answer.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

import httptools

_CONNECT_SECONDS = 5
_IDLE_CONNECTIONS = 128
_READ_BYTES = 256 * 1024


class NoAnswerError(OSError):
    """The connection ended, or the time, before there was an answer."""


@dataclass(slots=True)
class Answer:
    """An answer.

    Attributes:
        status: For example 200.
        headers: By lower-case name.
        body: JSON.
    """

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class Client:
    """The connections to one server. Threads may share it.

    Args:
        host: The server's address.
        port: Its port.
        timeout_s: How long to wait for more of an answer, in seconds; ``None``: without end.
    """

    def __init__(self, host: str, port: int, timeout_s: float | None = None) -> None:
        self._address = (host, port)
        self._host = f"{host}:{port}"
        self._timeout_s = timeout_s
        self._idle: deque[socket.socket] = deque()

    def send(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send a request, and wait for the answer.

        Raises:
            OSError: There is none.
        """
        return self.begin(body, headers).answer()

    def begin(self, body: bytes, headers: Mapping[str, str]) -> Exchange:
        """Send a request, whose answer another thread may take.

        Args:
            body: JSON.
            headers: Those of AWS's protocol, with credentials that name account and region.

        Raises:
            OSError: It could not be sent.
        """
        lines = ["POST / HTTP/1.1", f"Host: {self._host}", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        connection = self._connection()
        try:
            connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        except BaseException:
            connection.close()
            raise
        return Exchange(self, connection)

    def keep(self, connection: socket.socket) -> None:
        """Use a connection again, whose last answer is read."""
        if len(self._idle) < _IDLE_CONNECTIONS:
            self._idle.append(connection)
        else:
            connection.close()

    def _connection(self) -> socket.socket:
        with contextlib.suppress(IndexError):
            while True:
                connection = self._idle.pop()
                try:  # it has ended, or something came unasked
                    connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
                except BlockingIOError:
                    return connection
                except OSError:
                    pass
                connection.close()
        connection = socket.create_connection(self._address, _CONNECT_SECONDS)
        connection.setblocking(True)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._timeout_s is not None:
            timeout = struct.pack("ll", int(self._timeout_s), int(self._timeout_s % 1 * 1e6))
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeout)
        return connection


class Exchange:
    """A request that was sent. Its connection is not used again before the answer is taken."""

    def __init__(self, client: Client, connection: socket.socket) -> None:
        self._client = client
        self._connection = connection
        self._answer = Answer()
        self._parts: list[bytes] = []
        self._is_complete = False
        self._stays = False
        self._parser: httptools.HttpResponseParser | None = None  # while it is at work

    def answer(self) -> Answer:
        """Wait for the answer.

        Raises:
            NoAnswerError: There is none.
        """
        parser = self._parser = httptools.HttpResponseParser(self)
        try:
            while not self._is_complete:
                data = self._connection.recv(_READ_BYTES)
                if not data:
                    raise NoAnswerError("DynamoDB Local closed the connection")
                parser.feed_data(data)
        except (OSError, httptools.HttpParserError) as error:
            self._connection.close()
            raise NoAnswerError(f"there is no answer from DynamoDB Local: {error!r}") from error
        finally:
            self._parser = None  # else only the garbage collector would free both
        if self._stays:
            self._client.keep(self._connection)
        else:
            self._connection.close()
        self._answer.status = parser.get_status_code()
        self._answer.body = b"".join(self._parts)
        return self._answer

    # -- what the parser calls ----------------------------------------------------------------

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header."""
        self._answer.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, part: bytes) -> None:
        """A part of the body."""
        self._parts.append(part)

    def on_message_complete(self) -> None:
        """The end of the answer: only here the parser knows whether the connection stays."""
        self._is_complete = True
        assert self._parser is not None  # it calls this
        self._stays = self._parser.should_keep_alive()
