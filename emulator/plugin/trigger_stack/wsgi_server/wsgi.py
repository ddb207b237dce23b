"""A request as a WSGI application gets it, and its response as the client gets it (PEP 3333)."""

from __future__ import annotations

import logging
import socket
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from email.utils import formatdate
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from trigger_stack.wsgi_server.before_response import (
    NotDoneError,
    answering,
    wait_after_failure,
    wait_for_all,
)

if TYPE_CHECKING:
    from trigger_stack.wsgi_server.connection import Request

LOG = logging.getLogger(__name__)

#: A larger part is not copied behind the head.
_JOINED_BYTES = 64 * 1024
_FAILED = b'{"message": "Internal Server Error"}'


class ClientGoneError(OSError):
    """A response could not be sent."""


def environ_of(request: Request, client: tuple[str, int], port: int) -> dict[str, Any]:
    """The application's ``environ``.

    Besides PEP 3333: ``rolo.headers``, the headers as they were sent, and ``RAW_URI``.
    """
    raw = request.path.decode("latin-1")
    query = request.query.decode("latin-1")
    uri = f"{raw}?{query}" if query else raw
    variables: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "REMOTE_ADDR": client[0],
        "REMOTE_PORT": str(client[1]),
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(request.path).decode("latin-1"),
        "QUERY_STRING": query,
        "REQUEST_URI": uri,
        "RAW_URI": uri,
        "CONTENT_TYPE": "",
        "CONTENT_LENGTH": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": f"HTTP/{request.version}",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": request.body,
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.run_once": False,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
    }
    raw_headers = variables["rolo.headers"] = []
    for name, value in request.headers:
        raw_headers.append((name.encode("latin-1"), value.encode("latin-1")))
        key = f"HTTP_{name.upper().replace('-', '_')}"
        variables[key] = f"{variables[key]},{value}" if key in variables else value
    variables["CONTENT_TYPE"] = variables.get("HTTP_CONTENT_TYPE", "")
    variables["CONTENT_LENGTH"] = variables.get("HTTP_CONTENT_LENGTH", "")
    if host := variables.get("HTTP_HOST"):
        variables["SERVER_NAME"] = host.rpartition(":")[0] or host
    return variables


def answer(
    application: Any, environ: dict[str, Any], request: Request, connection: socket.socket
) -> bool:
    """Call the application and send its response, each part as it comes.

    Returns:
        Whether the connection can be used for another request.

    Raises:
        ClientGoneError: The client has gone away or reads nothing.
    """
    response = _Response(request, connection)
    with answering(request.path):
        _call(application, environ, request, response)
    return response.keep_alive


def _call(application: Any, environ: dict[str, Any], request: Request, response: _Response) -> None:
    parts: Iterable[bytes] | None = None
    try:
        parts = application(environ, response.start)
        for part in parts:
            response.write(part)
        response.end()
    except ClientGoneError:
        raise
    except NotDoneError as error:
        LOG.warning("%s %r: %s", request.method, request.path, error)
        response.fail(*error.document())
    except Exception:
        LOG.exception("%s %r could not be answered", request.method, request.path)
        response.keep_alive = False
        wait_after_failure()
        if not response.is_begun:  # else the client must see that something is missing
            response.fail(_FAILED, [("content-type", "application/json")])
    finally:
        close: Callable[[], None] | None = getattr(parts, "close", None)
        if close is not None:
            close()


class _Response:
    """A response while it is sent."""

    def __init__(self, request: Request, connection: socket.socket) -> None:
        self.keep_alive = request.keep_alive
        self.is_begun = False
        self._request = request
        self._connection = connection
        self._head = b""
        self._has_body = request.method != "HEAD"
        self._is_chunked = False
        self._missing: int | None = None

    def start(
        self, status: str, headers: list[tuple[str, str]], exc_info: object = None
    ) -> Callable[[bytes], None]:
        """``start_response`` of PEP 3333."""
        self._status, self._headers = status, headers
        return self.write

    def fail(self, body: bytes, headers: Sequence[tuple[str, str]]) -> None:
        """Send a response of status 500 of which nothing has been sent yet."""
        length = ("content-length", str(len(body)))
        self.start("500 Internal Server Error", [length, *headers])
        self.write(body)
        self.end()

    def _begin(self) -> bytes:
        """Status line and headers."""
        wait_for_all()
        self.is_begun = True
        code = self._status[:3]
        without_body = code in ("204", "304") or code.startswith("1")
        self._has_body = self._has_body and not without_body
        lines = [f"HTTP/1.1 {self._status}"]
        has_date = False
        for name, value in self._headers:
            lines.append(f"{name}: {value}")
            key = name.lower()
            if key == "content-length":
                self._missing = int(value)
            elif key == "date":
                has_date = True
            elif key == "connection" and value.lower() == "close":
                self.keep_alive = False
        if not has_date:
            lines.append(_date.line())
        if self._missing is None and not without_body:
            if self._request.version == "1.1":
                self._is_chunked = self._has_body
                lines.append("transfer-encoding: chunked")
            else:
                self.keep_alive = False
        if not self.keep_alive:
            lines.append("connection: close")
        elif self._request.version == "1.0":
            lines.append("connection: keep-alive")
        return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")

    def write(self, part: bytes) -> None:
        """Send a part of the body, and before the first the head."""
        if not part:
            return
        head = b"" if self.is_begun else self._begin()
        if not self._has_body:
            self._send(head)
        elif self._is_chunked:
            self._send(b"%b%x\r\n%b\r\n" % (head, len(part), part))
        elif len(part) < _JOINED_BYTES:
            self._send(head + part)
        else:
            self._send(head)
            self._send(part)
        if self._has_body and self._missing is not None:
            self._missing -= len(part)

    def end(self) -> None:
        """Send what ends the body."""
        head = b"" if self.is_begun else self._begin()
        self._send(head + (b"0\r\n\r\n" if self._is_chunked else b""))
        if self._has_body and self._missing:
            # Fewer or more bytes than were announced: nothing after them could be understood.
            self.keep_alive = False

    def _send(self, data: bytes) -> None:
        if data:
            try:
                self._connection.sendall(data)
            except OSError as error:
                raise ClientGoneError(*error.args) from error


class _Date:
    """The ``date`` header, made once a second."""

    def __init__(self) -> None:
        self._made = (0, "")

    def line(self) -> str:
        second = int(time.time())
        if second != self._made[0]:
            self._made = (second, f"date: {formatdate(second, usegmt=True)}")
        return self._made[1]


_date = _Date()
