"""The protocol between LocalStack and the engine: multiplexed calls over one stream socket.

A frame is a fixed head (:data:`HEAD`: kind, call id, length of the header, length of the body),
a JSON object and raw bytes. Either side may call the other; a reply has the id of its call.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from types import MappingProxyType
from typing import Any

from trigger_stack_engine.json_text import dump_json, load_json

LOG = logging.getLogger(__name__)
HEAD = struct.Struct(">BIII")
CALL, REPLY, ERROR = 0, 1, 2
_MAX_HEADER = 64 * 1024 * 1024
_MAX_BODY = 64 * 1024 * 1024
_READ_BYTES = 64 * 1024

type Header = dict[str, Any]
type Message = tuple[Header, bytes]


class RemoteError(Exception):
    """The other side could not do what it was asked for.

    Attributes:
        kind: Name of the error, for example ``TooManyRequests``.
        details: More of it.
    """

    def __init__(self, kind: str, message: str, **details: Any) -> None:
        super().__init__(message)
        self.kind = kind
        self.details = details


class ConnectionLostError(Exception):
    """The other side is gone, or went away before it answered."""


class NotSentError(ConnectionLostError):
    """The connection ended before the whole call was sent, so the call had no effect."""


def frame(kind: int, call_id: int, header: Header, body: bytes) -> bytes:
    """One frame, ready to be sent."""
    head = dump_json(header)
    return HEAD.pack(kind, call_id, len(head), len(body)) + head + body


def error_frame(call_id: int, error: RemoteError) -> bytes:
    """The frame that reports ``error`` to the caller."""
    header = {"kind": error.kind, "message": str(error), "details": error.details}
    return frame(ERROR, call_id, header, b"")


def _as_error(header: Header) -> RemoteError:
    return RemoteError(header["kind"], header["message"], **header["details"])


class AsyncPeer(asyncio.Protocol):
    """The engine's end.

    Args:
        handle: Answers a call; what it raises besides RemoteError is logged and reported.
        lost: Called once when the connection ends.
    """

    def __init__(
        self,
        handle: Callable[[Header, bytes], Awaitable[Message]],
        lost: Callable[[], None],
    ) -> None:
        self._handle = handle
        self._lost = lost
        self._buffer = bytearray()
        self._calls: dict[int, asyncio.Future[Message]] = {}
        self._ids = itertools.count(1)
        self._tasks: set[asyncio.Task[None]] = set()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands (asyncio)."""
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")
        self._transport = transport  # type: ignore[assignment]  # uvloop's class is no subclass

    def connection_lost(self, exc: Exception | None) -> None:
        """The other side is gone: every open call fails (asyncio)."""
        self._transport = None
        for call in self._calls.values():
            if not call.done():
                call.set_exception(ConnectionLostError())
        self._calls.clear()
        self._lost()

    def data_received(self, data: bytes) -> None:
        """Take the frames that are complete (asyncio)."""
        buffer = self._buffer
        buffer += data
        at = 0
        while len(buffer) - at >= HEAD.size:
            kind, call_id, header_size, body_size = HEAD.unpack_from(buffer, at)
            end = at + HEAD.size + header_size + body_size
            if len(buffer) < end:
                break
            middle = at + HEAD.size + header_size
            header = load_json(bytes(buffer[at + HEAD.size : middle]))
            body = bytes(buffer[middle:end])
            at = end
            self._received(kind, call_id, header, body)
        del buffer[:at]

    def _received(self, kind: int, call_id: int, header: Header, body: bytes) -> None:
        if kind == CALL:
            # What can be answered without waiting is answered at once.
            answer = self._answer(call_id, header, body)
            task = asyncio.Task(answer, loop=asyncio.get_running_loop(), eager_start=True)
            if not task.done():
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            return
        call = self._calls.pop(call_id, None)
        if call is None or call.done():
            return
        if kind == REPLY:
            call.set_result((header, body))
        else:
            call.set_exception(_as_error(header))

    async def _answer(self, call_id: int, header: Header, body: bytes) -> None:
        try:
            reply = await self._handle(header, body)
            answer = frame(REPLY, call_id, *reply)
        except RemoteError as error:
            answer = error_frame(call_id, error)
        except Exception as error:
            LOG.exception("call %s failed", header.get("op"))
            answer = error_frame(call_id, RemoteError("Internal", f"{error}"))
        if self._transport is not None:
            self._transport.write(answer)

    async def call(self, header: Header, body: bytes = b"") -> Message:
        """Call the other side.

        Raises:
            RemoteError: It could not do it.
            ConnectionLostError: It is gone.
        """
        if self._transport is None:
            raise ConnectionLostError
        call_id = next(self._ids)
        future: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._calls[call_id] = future
        self._transport.write(frame(CALL, call_id, header, body))
        try:
            return await future
        finally:
            self._calls.pop(call_id, None)


class DirectPeer:
    """LocalStack's end of a connection that has one call at a time.

    The thread that calls reads the reply itself: to wake it from another takes longer than most
    calls.

    Args:
        sock: A connected stream socket that blocks.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def send(self, header: Header, body: bytes = b"") -> None:
        """Send a call; ``receive`` must follow before the next.

        Raises:
            NotSentError: The other side is gone. The connection is closed.
        """
        try:
            self._sock.sendall(frame(CALL, 0, header, body))
        except OSError:
            self.close()
            raise NotSentError from None

    def receive(self) -> Message:
        """Wait for the reply to what was sent.

        Raises:
            RemoteError: The other side could not do it.
            ConnectionLostError: It went away; whether the call had an effect is not known. The
                connection is closed.
        """
        try:
            kind, header, body = self._receive()
        except (OSError, ValueError):
            self.close()
            raise ConnectionLostError from None
        if kind == REPLY:
            return header, body
        raise _as_error(header)

    def _receive(self) -> tuple[int, Header, bytes]:
        data = self._more(b"", HEAD.size)
        kind, _, header_size, body_size = HEAD.unpack_from(data)
        middle = HEAD.size + header_size
        end = middle + body_size
        if len(data) < end:
            data = self._more(data, end)
        return kind, load_json(data[HEAD.size : middle]), data[middle:end]

    def _more(self, data: bytes, size: int) -> bytes:
        """``data`` and what comes after it, ``size`` bytes at least."""
        parts, missing = [data], size - len(data)
        while missing > 0:
            part = self._sock.recv(max(missing, _READ_BYTES))
            if not part:
                raise ConnectionError
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    def close(self) -> None:
        """End the connection. Idempotent."""
        self._sock.close()


class ThreadedPeer:
    """LocalStack's end: may be called from any thread.

    Args:
        sock: A connected stream socket.
        handle: Answers a call of the other side, on a thread of its own, one call at a time.
        lost: Called once when the connection ends.
        side_by_side: Operations (``op``) of which several are answered at a time, and how many.
    """

    def __init__(
        self,
        sock: socket.socket,
        handle: Callable[[Header, bytes], Message],
        lost: Callable[[], None],
        side_by_side: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        self._sock = sock
        self._handle = handle
        self._lost = lost
        self._sending = threading.Lock()
        self._lock = threading.Lock()
        self._calls: dict[int, Future[Message]] = {}
        self._ids = itertools.count(1)
        self._being_sent: int | None = None  # the call whose sender decides how it failed
        self._closed = False
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="engine-calls")
        # One for each: none waits for another operation that takes long.
        self._others = {
            op: ThreadPoolExecutor(count, thread_name_prefix=f"engine-calls-{op}")
            for op, count in side_by_side.items()
        }
        self._reader = threading.Thread(target=self._read, name="engine-replies", daemon=True)
        self._reader.start()

    @property
    def closed(self) -> bool:
        """Whether the connection has ended."""
        return self._closed

    def submit(self, header: Header, body: bytes = b"") -> Future[Message]:
        """Call the other side without waiting; the future raises what :meth:`call` raises."""
        future: Future[Message] = Future()
        call_id = next(self._ids)
        data = frame(CALL, call_id, header, body)
        with self._sending:
            with self._lock:
                if self._closed:
                    future.set_exception(NotSentError())
                    return future
                self._calls[call_id] = future
                self._being_sent = call_id
            failed: ConnectionLostError | None = None
            try:
                self._sock.sendall(data)
            except OSError:
                failed = NotSentError()
            with self._lock:
                self._being_sent = None
                if failed is None and self._closed and call_id in self._calls:
                    failed = ConnectionLostError()
                if failed is not None:
                    self._calls.pop(call_id, None)
        if failed is not None:
            future.set_exception(failed)
            self._end()
        return future

    def call(self, header: Header, body: bytes = b"", timeout_s: float | None = None) -> Message:
        """Call the other side and wait.

        Raises:
            RemoteError: It could not do it.
            NotSentError: It was gone before the call was sent.
            ConnectionLostError: It went away; whether the call had an effect is not known.
            TimeoutError: No reply in time.
        """
        return self.submit(header, body).result(timeout_s)

    def close(self) -> None:
        """End the connection; calls under way raise ConnectionLostError. Idempotent."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def join(self, timeout_s: float) -> None:
        """Wait until the other side has closed and its last calls are answered."""
        self._reader.join(timeout_s)
        for pool in (self._pool, *self._others.values()):
            pool.shutdown(wait=True)

    def _read(self) -> None:
        stream = self._sock.makefile("rb", buffering=1 << 16)
        try:
            while head := stream.read(HEAD.size):
                if len(head) < HEAD.size:
                    break
                kind, call_id, header_size, body_size = HEAD.unpack(head)
                if header_size > _MAX_HEADER or body_size > _MAX_BODY:
                    break
                header = load_json(stream.read(header_size))
                body = stream.read(body_size)
                if len(body) < body_size:
                    break
                if kind == CALL:
                    pool = self._others.get(str(header.get("op")), self._pool)
                    pool.submit(self._answer, call_id, header, body)
                    continue
                with self._lock:
                    call = self._calls.pop(call_id, None)
                if call is None:
                    continue
                if kind == REPLY:
                    call.set_result((header, body))
                else:
                    call.set_exception(_as_error(header))
        except (OSError, ValueError):
            pass
        finally:
            self._end()

    def _end(self) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed = True
            calls = [self._calls.pop(one) for one in list(self._calls) if one != self._being_sent]
        for call in calls:
            call.set_exception(ConnectionLostError())
        for pool in (self._pool, *self._others.values()):
            pool.shutdown(wait=False)
        self._lost()

    def _answer(self, call_id: int, header: Header, body: bytes) -> None:
        try:
            answer = frame(REPLY, call_id, *self._handle(header, body))
        except RemoteError as error:
            answer = error_frame(call_id, error)
        except Exception as error:
            LOG.exception("call %s failed", header.get("op"))
            answer = error_frame(call_id, RemoteError("Internal", f"{error}"))
        with contextlib.suppress(OSError), self._sending:
            self._sock.sendall(answer)
