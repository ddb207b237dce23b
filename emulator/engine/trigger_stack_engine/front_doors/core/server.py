"""An HTTP/1.1 server for front doors: one protocol object for each connection.

``parsing.py`` reads the requests; what it refuses is answered, and the connection is closed.
Requests of a connection are answered one after the other.
"""

from __future__ import annotations

import asyncio
import collections
import http
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from email.utils import formatdate
from typing import Any, Final

from trigger_stack_engine.front_doors.core.limits import MAX_BODY_BYTES
from trigger_stack_engine.front_doors.core.message import Headers, HttpRequest, HttpResponse
from trigger_stack_engine.front_doors.core.parsing import RequestParser
from trigger_stack_engine.wakeup import Wakeup

LOG = logging.getLogger(__name__)

IDLE_SECONDS: Final = 60
"""A connection is closed after this time without a request under way, or when its client has read
nothing of the response for so long."""

LINGER_SECONDS: Final = 2
"""How long a refused client may take to read the answer."""

_MAX_PIPELINED: Final = 16
_REASONS: Final = {status.value: status.phrase.encode() for status in http.HTTPStatus}
_STATUS_LINES: Final = {
    status: b"HTTP/1.1 %d %s\r\n" % (status, reason) for status, reason in _REASONS.items()
}

type Answer = Callable[[HttpRequest], Awaitable[HttpResponse]]
type Refuse = Callable[[int, str], HttpResponse]


class _Date:
    """The ``date`` header, made once a second."""

    def __init__(self) -> None:
        self._second = 0
        self._line = b""

    def line(self) -> bytes:
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._line = f"date: {formatdate(second, usegmt=True)}\r\n".encode()
        return self._line


_date = _Date()


class ListenError(Exception):
    """The port cannot be used; the text is a sentence for the user."""


class HttpServer:
    """Serves one port.

    Args:
        answer: Answers a request.
        refuse: Makes the answer to a malformed request.
    """

    def __init__(self, answer: Answer, refuse: Refuse) -> None:
        self.answer = answer
        self.refuse = refuse
        self.connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None
        self._sweeper: asyncio.Task[None] | None = None

    async def start(self, host: str, port: int) -> None:
        """Listen. Raises OSError."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Connection(self), host, port, reuse_address=True, backlog=1024
        )
        self._sweeper = asyncio.create_task(self._close_idle())

    @property
    def port(self) -> int:
        """The port that is listened on."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    def close(self) -> None:
        """Take no further requests and drop all connections."""
        if self._server is not None:
            self._server.close()
        if self._sweeper is not None:
            self._sweeper.cancel()
        for connection in list(self.connections):
            connection.abort()

    async def _close_idle(self) -> None:
        while True:
            await asyncio.sleep(IDLE_SECONDS / 12)
            limit = time.monotonic() - IDLE_SECONDS
            for connection in list(self.connections):
                connection.close_if_idle(limit)


class _Connection(RequestParser, asyncio.Protocol):
    """One connection."""

    def __init__(self, server: HttpServer) -> None:
        super().__init__(MAX_BODY_BYTES)
        self._server = server
        self._loop = asyncio.get_running_loop()
        self._transport: Any = None
        self._body = bytearray()
        self._peer = "127.0.0.1"
        self._peer_port = 0
        self._port = 0
        self._requests: collections.deque[tuple[HttpRequest, bool]] = collections.deque()
        self._task: asyncio.Task[None] | None = None  # from the first request on
        self._next: Wakeup[None] | None = None  # while it waits for a request
        self._closed = False
        self._is_full = False  # too many requests wait: nothing is read
        self._active = time.monotonic()
        self._unsent = 0
        self._can_write = asyncio.Event()
        self._can_write.set()

    # -- asyncio --------------------------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._server.connections.add(self)
        peer = transport.get_extra_info("peername")
        own = transport.get_extra_info("sockname")
        if peer:
            self._peer, self._peer_port = peer[:2]
        if own:
            self._port = own[1]

    def connection_lost(self, exc: Exception | None) -> None:
        # The invocation goes on when its client disconnects, as on AWS; the answer is dropped.
        self._closed = True
        self._requests.clear()
        self._can_write.set()
        if self._next is not None:
            self._next.set_soon(None)
        self._server.connections.discard(self)

    def pause_writing(self) -> None:
        self._can_write.clear()

    def resume_writing(self) -> None:
        self._can_write.set()

    def data_received(self, data: bytes) -> None:
        self._active = time.monotonic()
        self.feed(data)

    # -- the parser -----------------------------------------------------------------------------

    def body_received(self, part: bytes) -> None:
        self._body += part

    def continue_expected(self) -> None:
        if self._is_idle:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def request_received(
        self, method: str, path: bytes, query: bytes, headers: Headers, version: str
    ) -> None:
        request = HttpRequest(
            method=method,
            raw_path=path.decode("latin-1"),
            raw_query=query.decode("latin-1"),
            headers=headers,
            body=bytes(self._body),
            source_ip=self._peer,
            port=self._port,
            protocol=f"HTTP/{version}",
            source_port=self._peer_port,
        )
        request.knows(self.values)
        self._body.clear()
        if self.is_refused:  # the answer before this request said that it is the last one
            return
        self._requests.append((request, self.should_keep_alive()))
        # The task begins, or goes on, at once: mostly the event is with its environment when this
        # returns. A task for each request would cost more.
        if self._next is not None:
            waits, self._next = self._next, None
            waits.set_result(None)
        elif self._task is None:
            self._task = asyncio.Task(self._answer_all(), loop=self._loop, eager_start=True)
        elif len(self._requests) > _MAX_PIPELINED:
            self._is_full = True
            self._transport.pause_reading()

    # -- answering ------------------------------------------------------------------------------

    async def _answer_all(self) -> None:
        try:
            while not self._closed:
                if not self._requests:
                    if self.is_refused:
                        break
                    self._active = time.monotonic()
                    self._next = Wakeup(self._loop)
                    await self._next
                    continue
                request, keep_alive = self._requests.popleft()
                try:
                    response = await self._server.answer(request)
                except Exception:
                    LOG.exception("a request could not be answered")
                    response = self._server.refuse(500, "Internal Server Error")
                if self._closed:
                    break
                if response.stream is None:
                    self._send(request, response, keep_alive=keep_alive)
                elif not await self._send_streamed(request, response, keep_alive=keep_alive):
                    self.abort()
                    break
                if not keep_alive:
                    self.is_refused = True
                    self._transport.close()
                    break
                if not self._can_write.is_set():
                    await self._can_write.wait()
                if self._is_full and len(self._requests) <= _MAX_PIPELINED:
                    self._is_full = False
                    self._transport.resume_reading()
        except Exception:
            LOG.exception("a response could not be sent")
            self.abort()
        self._active = time.monotonic()

    async def _send_streamed(
        self, request: HttpRequest, response: HttpResponse, *, keep_alive: bool
    ) -> bool:
        """Send a response whose body comes bit by bit; whether it came to its end."""
        assert response.stream is not None
        if request.protocol == "HTTP/1.0" or request.method == "HEAD":
            if not await _collect(response, response.stream):
                return False
            self._send(request, response, keep_alive=keep_alive)
            return True
        return await self._send_stream(response, response.stream, keep_alive=keep_alive)

    async def _send_stream(
        self, response: HttpResponse, stream: AsyncIterator[bytes], *, keep_alive: bool
    ) -> bool:
        """Send a body in chunks while it comes; whether it came to its end."""
        parts = [*_head(response), b"transfer-encoding: chunked\r\n"]
        if not keep_alive:
            parts.append(b"connection: close\r\n")
        parts.append(b"\r\n")
        if response.body:
            parts.append(_chunk(response.body))
        self._transport.write(b"".join(parts))
        try:
            async for part in stream:
                if self._closed:
                    return False
                if part:
                    self._transport.write(_chunk(part))
                if not self._can_write.is_set():
                    await self._can_write.wait()
        except Exception as error:
            LOG.warning("a streamed response ended before its end: %s", error)
            return False
        if not self._closed:
            self._transport.write(b"0\r\n\r\n")
        return True

    def _send(self, request: HttpRequest, response: HttpResponse, *, keep_alive: bool) -> None:
        status = response.status
        parts = _head(response)
        has_body = status not in (204, 304)
        if has_body:
            parts.append(b"content-length: %d\r\n" % len(response.body))
        if not keep_alive:
            parts.append(b"connection: close\r\n")
        elif request.protocol == "HTTP/1.0":
            parts.append(b"connection: keep-alive\r\n")
        parts.append(b"\r\n")
        if has_body and request.method != "HEAD":
            parts.append(response.body)
        self._transport.write(b"".join(parts))

    def refuse(self, status: int, message: str) -> None:
        """Answer what cannot be read to its end, and close the connection.

        Only the sending side is closed at first (RFC 9112, section 9.6): to close both while the
        client still sends would reset the connection before the client has read the answer.
        """
        if self._closed:
            return
        response = self._server.refuse(status, message)
        head = [f"HTTP/1.1 {status} {message}", "connection: close"]
        head += [f"{name}: {value}" for name, value in response.headers]
        head += [f"content-length: {len(response.body)}", "", ""]
        data = "\r\n".join(head).encode("latin-1", "replace") + response.body
        self._loop.create_task(self._send_last(data))

    async def _send_last(self, data: bytes) -> None:
        if self._task is not None and self._next is None:
            await asyncio.wait({self._task})
        if self._closed or self._transport.is_closing():
            return
        self._transport.write(data)
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._loop.call_later(LINGER_SECONDS, self.abort)

    def close_if_idle(self, limit: float) -> None:
        """Close the connection when nothing has happened since ``limit``.

        Nothing: no request is under way, or its client does not read the response.
        """
        unsent = self._transport.get_write_buffer_size()
        if unsent != self._unsent:
            self._unsent = unsent
            self._active = time.monotonic()
        if self._active >= limit:
            return
        if unsent:
            self.abort()
        elif self._is_idle:
            self._transport.close()

    @property
    def _is_idle(self) -> bool:
        """Whether no request is under way."""
        return self._task is None or self._task.done() or self._next is not None

    def abort(self) -> None:
        """Drop the connection."""
        if not self._closed:
            self._transport.abort()


async def _collect(response: HttpResponse, stream: AsyncIterator[bytes]) -> bool:
    """Put all of a streamed body into the response; whether it came to its end."""
    try:
        response.body += b"".join([part async for part in stream])
    except Exception as error:
        LOG.warning("a streamed response ended before its end: %s", error)
        return False
    return True


def _head(response: HttpResponse) -> list[bytes]:
    """Status line and headers, without what frames the body."""
    status = response.status
    line = _STATUS_LINES.get(status) if response.reason is None else None
    if line is None:
        reason = "Unknown Status" if response.reason is None else response.reason
        line = b"HTTP/1.1 %d %s\r\n" % (status, reason.encode("latin-1", "replace"))
    text = "".join([f"{name}: {value}\r\n" for name, value in response.headers])
    if text.isascii():
        return [line, _date.line(), text.encode()]
    return [
        line,
        _date.line(),
        *(
            name.encode("latin-1", "replace") + b": " + value.encode("utf-8") + b"\r\n"
            for name, value in response.headers
        ),
    ]


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)
