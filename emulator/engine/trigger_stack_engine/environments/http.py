"""HTTP/1.1 as far as the Runtime API needs it: an incremental, strict request parser.

Bytes go in, requests come out; no sockets here. Whatever cannot be a request raises
:class:`BadRequestError` with the status code to answer before the connection is closed (RFC 9112).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

MAX_HEAD_BYTES = 2 * 1024 * 1024  # awslambdaric puts an X-Ray cause of up to 1 MB into a header
_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_REQUEST_LINE = re.compile(rb"([A-Z]{1,20}) (/[\x21-\x7e]*) HTTP/1\.([01])")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;[\x20-\x7e\t]*)?")

#: A whole head as ``zygote/runtime_client.py`` writes it; any other one is read line by line.
_OWN_HEAD = re.compile(
    rb"([A-Z]{1,20}) (/[\x21-\x7e]*) HTTP/1\.1\r\nHost: runtime\r\n"
    rb"(?:Content-Type: ([\x21-\x7e]+)\r\nContent-Length: ([0-9]{1,18})\r\n)?\r\n"
)

REASONS = {
    200: "OK",
    202: "Accepted",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Request Entity Too Large",
    417: "Expectation Failed",
    431: "Request Header Fields Too Large",
    501: "Not Implemented",
}


class BadRequestError(Exception):
    """The peer does not speak HTTP/1.1 as it should."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class Request:
    """One parsed request. ``headers`` and ``trailers`` have lower-case names."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes = b""
    trailers: dict[str, str] = field(default_factory=dict)
    keep_alive: bool = True
    too_large: bool = False


def _parse_fields(block: bytes) -> dict[str, str]:
    fields: dict[str, str] = {}
    for line in block.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if not colon or not _TOKEN.fullmatch(name):
            raise BadRequestError(400, "malformed header line")
        if b"\0" in value or b"\n" in value or b"\r" in value:
            raise BadRequestError(400, "control character in a header")
        key = name.decode("ascii").lower()
        text = value.strip(b" \t").decode("latin-1")
        if key == "host" and key in fields:
            raise BadRequestError(400, "more than one Host header")
        if key == "content-length" and fields.get(key, text) != text:
            raise BadRequestError(400, "contradicting Content-Length headers")
        fields[key] = text
    return fields


class Parser:
    """Parses the requests of one connection.

    ``max_body`` is the number of body bytes to keep; of a longer body the rest is read and thrown
    away, so that the peer gets its answer instead of a broken pipe, and ``too_large`` is set.
    ``on_body`` is called with each part of a body as it comes.
    """

    def __init__(
        self, max_body: int, on_body: Callable[[Request, bytes], None] | None = None
    ) -> None:
        self.max_body = max_body
        self._on_body = on_body
        self._buffer = bytearray()
        self._request: Request | None = None
        self._body = bytearray()
        self._seen = 0
        self._remaining = 0
        self._chunked = False
        self._state = "head"
        self.expects_continue = False

    def feed(self, data: bytes) -> None:
        """Append received bytes."""
        self._buffer += data

    @property
    def idle(self) -> bool:
        """Whether no request is half received."""
        return self._state == "head" and not self._buffer

    def next_request(self) -> Request | None:
        """The next whole request, or ``None`` when more bytes are needed.

        Raises:
            BadRequestError: The bytes are not HTTP/1.1; the connection cannot be used any further.
        """
        if self._state == "head":
            if not self._buffer:
                return None
            own = self._next_own()
            if own is not None:
                return own
        while True:
            step = getattr(self, f"_read_{self._state}")
            if not step():
                return None
            if self._state == "done":
                request = self._request
                assert request is not None
                request.body = bytes(self._body)
                self._request = None
                self._body = bytearray()
                self._seen = 0
                self._state = "head"
                return request

    def _next_own(self) -> Request | None:
        """The next request, if it is there as a whole and has the head of our own client."""
        match = _OWN_HEAD.match(self._buffer)
        if match is None:
            return None
        method, path, content_type, length = match.groups()
        headers = {"host": "runtime"}
        end = start = match.end()
        if length is not None:
            end += int(length)
            if end - start > self.max_body or end > len(self._buffer):
                return None
            headers["content-type"] = content_type.decode()
            headers["content-length"] = length.decode()
        request = Request(method.decode(), path.decode(), headers, bytes(self._buffer[start:end]))
        del self._buffer[:end]
        self.expects_continue = False
        return request

    def _line(self, limit: int) -> bytes | None:
        end = self._buffer.find(b"\r\n", 0, limit + 2)
        if end < 0:
            if len(self._buffer) > limit:
                raise BadRequestError(400, "line too long")
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line

    def _read_head(self) -> bool:
        while self._buffer.startswith(b"\r\n"):
            del self._buffer[:2]
        end = self._buffer.find(b"\r\n\r\n", 0, MAX_HEAD_BYTES + 4)
        if end < 0:
            if len(self._buffer) > MAX_HEAD_BYTES:
                raise BadRequestError(431, "header too large")
            first = self._buffer.partition(b"\r\n")[0]
            if len(first) > 20 and not re.match(rb"[A-Z]{1,20} ?", first):
                raise BadRequestError(400, "malformed request line")
            return False
        line, _, block = bytes(self._buffer[:end]).partition(b"\r\n")
        del self._buffer[: end + 4]
        match = _REQUEST_LINE.fullmatch(line)
        if not match:
            raise BadRequestError(400, "malformed request line")
        headers = _parse_fields(block) if block else {}
        if match[3] == b"1" and "host" not in headers:
            raise BadRequestError(400, "no Host header")
        request = Request(match[1].decode(), match[2].decode(), headers)
        connection = headers.get("connection", "").lower()
        request.keep_alive = "close" not in connection and (
            match[3] == b"1" or "keep-alive" in connection
        )
        self._request = request
        self._start_body(headers)
        return True

    def _start_body(self, headers: dict[str, str]) -> None:
        encoding = headers.get("transfer-encoding", "").lower()
        length = headers.get("content-length")
        if encoding and length is not None:
            raise BadRequestError(400, "both Transfer-Encoding and Content-Length")
        if encoding not in ("", "chunked"):
            raise BadRequestError(501, "unknown Transfer-Encoding")
        self._chunked = encoding == "chunked"
        self._remaining = 0
        if length is not None:
            if not re.fullmatch(r"[0-9]{1,18}", length):
                raise BadRequestError(400, "malformed Content-Length")
            self._remaining = int(length)
        expect = headers.get("expect", "").lower()
        if expect not in ("", "100-continue"):
            raise BadRequestError(417, "unknown expectation")
        self.expects_continue = bool(expect)
        if self._chunked:
            self._state = "chunk_size"
        else:
            self._state = "body" if self._remaining else "done"

    def _keep(self, data: bytes | bytearray) -> None:
        assert self._request is not None
        if self._on_body is not None and self._chunked:
            self._on_body(self._request, bytes(data))
        self._seen += len(data)
        if self._seen > self.max_body:
            self._request.too_large = True
            self._body.clear()
        elif not self._request.too_large:
            self._body += data

    def _read_some(self) -> bool:
        part = self._buffer[: self._remaining]
        if not part:
            return False
        del self._buffer[: len(part)]
        self._remaining -= len(part)
        self._keep(part)
        return self._remaining == 0

    def _read_body(self) -> bool:
        if not self._read_some():
            return False
        self._state = "done"
        return True

    def _read_chunk_size(self) -> bool:
        line = self._line(4096)
        if line is None:
            return False
        match = _CHUNK_SIZE.fullmatch(line)
        if not match:
            raise BadRequestError(400, "malformed chunk size")
        self._remaining = int(match[1], 16)
        self._state = "chunk" if self._remaining else "trailer"
        return True

    def _read_chunk(self) -> bool:
        if not self._read_some():
            return False
        self._state = "chunk_end"
        return True

    def _read_chunk_end(self) -> bool:
        if len(self._buffer) < 2:
            return False
        if self._buffer[:2] != b"\r\n":
            raise BadRequestError(400, "malformed chunk")
        del self._buffer[:2]
        self._state = "chunk_size"
        return True

    def _read_trailer(self) -> bool:
        line = self._line(MAX_HEAD_BYTES)
        if line is None:
            return False
        assert self._request is not None
        if line:
            if len(self._request.trailers) > 100:
                raise BadRequestError(431, "too many trailers")
            self._request.trailers.update(_parse_fields(line))
            return True
        self._state = "done"
        return True


def response(
    status: int,
    body: bytes,
    headers: dict[str, str] | None = None,
    *,
    keep_alive: bool = True,
    content_type: str = "application/json",
) -> bytes:
    """A whole response, ready to be sent."""
    lines = [
        f"HTTP/1.1 {status} {REASONS.get(status, 'Unknown')}",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(body)}",
    ]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if not keep_alive:
        lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace") + body
