"""The requests of one HTTP/1.1 connection, read strictly (RFC 9110 and 9112); no input or output.

llhttp (the parser of Node.js, through ``httptools``) parses. What it refuses, and what it would let
pass though two servers could read it differently, is refused, and nothing further is read.
"""

from __future__ import annotations

import functools
import re
from typing import Final

import httptools

from trigger_stack_engine.front_doors.core.message import Headers

MAX_HEAD_BYTES: Final = 64 * 1024
"""Request line and headers together; a front door may have a smaller limit."""

#: Absolute form (RFC 9112, section 3.2.2): authority, and path with query.
_ABSOLUTE: Final = re.compile(rb"(?i:https?)://([^/?]*)(.*)", re.DOTALL)
#: RFC 9110, section 7.2, and RFC 3986, section 3.2.2; without user information.
_HOST: Final = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]*)(?::[0-9]*)?")


#: Headers that say how a request is to be read.
_FRAMING: Final = frozenset({"content-length", "transfer-encoding", "host", "expect"})


class RequestParser:
    """Base of a connection: it is fed with bytes, and calls what a subclass defines.

    Args:
        max_body_bytes: A larger body is refused; ``None``: no body is.

    Attributes:
        is_refused: A request was refused: what is fed is dropped.
        values: In ``request_received``: the first value of each header by its name in lower case.
    """

    def __init__(self, max_body_bytes: int | None) -> None:
        self.is_refused = False
        self._max_body_bytes = max_body_bytes
        self._parser = httptools.HttpRequestParser(self)
        self._plain_headers: Headers | None = None
        self._reset()

    # -- what a subclass defines ----------------------------------------------------------------

    def body_received(self, part: bytes) -> None:
        """Take a part of the body of the request that is being read."""
        raise NotImplementedError

    def request_received(
        self, method: str, path: bytes, query: bytes, headers: Headers, version: str
    ) -> None:
        """Take a request whose body has come to its end.

        Args:
            method: As sent.
            path: As sent, percent-encoded; begins with ``/``.
            query: What follows ``?``.
            headers: As sent, in their order.
            version: ``1.0`` or ``1.1``.
        """
        raise NotImplementedError

    def continue_expected(self) -> None:
        """The client sends the body after ``100 Continue`` (RFC 9110, section 10.1.1)."""
        raise NotImplementedError

    def refuse(self, status: int, message: str) -> None:
        """Answer what cannot be read to its end."""
        raise NotImplementedError

    # -- what a subclass calls ------------------------------------------------------------------

    def feed(self, data: bytes) -> None:
        """Read what was received."""
        if self.is_refused:
            return
        if self._in_head:
            self._head_size += len(data)
        try:
            self._parse(data)
        except (httptools.HttpParserError, httptools.HttpParserCallbackError) as error:
            if not isinstance(error.__context__, _RefusedError):
                self._refuse(400, "Bad Request")
            return
        except _RefusedError:
            return
        if self._in_head and self._head_size > MAX_HEAD_BYTES:
            self._refuse(431, "Request Header Fields Too Large")

    def should_keep_alive(self) -> bool:
        """In ``request_received``: whether the client wants to send another request."""
        return bool(self._parser.should_keep_alive())

    # -- parsing --------------------------------------------------------------------------------

    def _refuse(self, status: int, message: str) -> None:
        if not self.is_refused:
            self.is_refused = True
            self.refuse(status, message)

    def _reset(self) -> None:
        self._url = b""
        self._path = self._query = b""
        self._headers: Headers = []
        self.values: dict[str, str] = {}
        self._header_bytes = 0
        self._body_bytes = 0
        self._head_size = 0
        self._in_head = True

    def _parse(self, data: bytes) -> None:
        """Parse, and read a request for another protocol as an ordinary one (RFC 9110, 7.8).

        httptools takes all that follows such a request's head as the other protocol, also its
        body: so the head is parsed once more, without ``Upgrade``.
        """
        while data:
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                if self.is_refused:  # CONNECT
                    return
                data = data[upgrade.args[0] :]
            else:
                return
            self._plain_headers = self._headers
            lines = [b"%b %b HTTP/1.1" % (self._parser.get_method(), self._url)]
            lines += [
                f"{name}: {value}".encode("latin-1")
                for name, value in self._headers
                if name.lower() != "upgrade"
            ]
            self._parser = httptools.HttpRequestParser(self)
            self._parser.feed_data(b"\r\n".join([*lines, b"", b""]))

    # -- callbacks of httptools -----------------------------------------------------------------

    def on_message_begin(self) -> None:
        """A request begins."""
        head_size = self._head_size
        self._reset()
        self._head_size = head_size

    def on_url(self, url: bytes) -> None:
        """Take a part of the request's target."""
        self._url += url
        self._count_head(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        self._count_head(len(name) + len(value))
        if self._in_head:  # a trailer (RFC 9110, section 6.5) must not pass for a header
            self._headers.append((name.decode("latin-1"), value.decode("latin-1")))

    def _count_head(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > MAX_HEAD_BYTES:
            self._refuse(431, "Request Header Fields Too Large")
            raise _RefusedError

    def on_headers_complete(self) -> None:
        """Refuse what the head alone forbids."""
        is_connect = self._parser.get_method() == b"CONNECT"
        if self._parser.should_upgrade() and not is_connect:
            return  # see _parse
        if self._plain_headers is not None:
            self._headers, self._plain_headers = self._plain_headers, None
        self._in_head = False
        self._head_size = 0
        version = self._parser.get_http_version()
        if is_connect or version not in ("1.0", "1.1"):
            self._refuse(400, "Bad Request")
            raise _RefusedError
        expects = False
        hosts = []
        values = self.values
        for name, value in self._headers:
            key = name.lower()
            values.setdefault(key, value)
            if key not in _FRAMING:
                continue
            if key == "content-length" and value.isdigit():
                self._check_size(int(value))
            if key == "transfer-encoding" and (
                value.strip(" \t").lower() != "chunked" or version == "1.0"
            ):
                self._refuse(400, "Bad Request")
                raise _RefusedError
            if key == "host":
                hosts.append(value.strip(" \t"))
            if key == "expect" and value.lower() == "100-continue":
                expects = True
        if len(hosts) > 1 or (not hosts and version == "1.1") or not self._read_target(hosts):
            self._refuse(400, "Bad Request")
            raise _RefusedError
        if expects:
            self.continue_expected()

    def _read_target(self, hosts: list[str]) -> bool:
        """Take path and query of the request's target; whether it is one for a server.

        A fragment, an authority (``CONNECT``), ``*``, and an absolute form that names another host
        than ``Host`` does are none.
        """
        if hosts and not _is_host(hosts[0]):
            return False
        target = self._url
        if not target.startswith(b"/") and (absolute := _ABSOLUTE.fullmatch(target)):
            if hosts and absolute[1].lower() != hosts[0].lower().encode("latin-1"):
                return False
            target = absolute[2] if absolute[2].startswith(b"/") else b"/" + absolute[2]
        self._path, _, self._query = target.partition(b"?")
        return self._path.startswith(b"/") and b"#" not in target

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self._body_bytes += len(body)
        self._check_size(self._body_bytes)
        self.body_received(body)

    def _check_size(self, size: int) -> None:
        if self._max_body_bytes is not None and size > self._max_body_bytes:
            self._refuse(413, "Request Entity Too Large")
            raise _RefusedError

    def on_message_complete(self) -> None:
        """Hand the request on."""
        if self._in_head:
            return  # see _parse
        self._in_head = True
        self._head_size = 0
        self.request_received(
            self._parser.get_method().decode("latin-1"),
            self._path,
            self._query,
            self._headers,
            self._parser.get_http_version(),
        )


@functools.lru_cache(maxsize=256)
def _is_host(value: str) -> bool:
    """Whether a ``Host`` is one."""
    return _HOST.fullmatch(value) is not None


class _RefusedError(Exception):
    """The message that is being parsed has been answered already."""
