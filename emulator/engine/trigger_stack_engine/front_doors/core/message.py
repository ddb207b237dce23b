"""The HTTP request and response as the data plane sees them, free of any web server's types."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

Headers = list[tuple[str, str]]
"""Header names and values in the order and with the casing in which they were sent."""


class _ByName:
    """Where a request keeps the first value of each header; no field of it."""

    __slots__ = ("_values",)
    _values: dict[str, str]


@dataclass(slots=True)
class HttpRequest(_ByName):
    """One request, nothing decoded yet.

    Attributes:
        method: As sent, for example ``GET``.
        raw_path: Percent-encoded path, starting with ``/``.
        raw_query: Percent-encoded query string without the ``?``.
        headers: As sent; repeated headers appear repeatedly.
        body: Bytes after transfer decoding (chunks joined), content encoding untouched.
        source_ip: Address of the TCP peer.
        port: Port the request came in on.
        sent_path: The path as it was sent and signed, when ``raw_path`` is only a part of it.
        source_port: Port of the TCP peer; 0: nobody knows.
    """

    method: str
    raw_path: str
    raw_query: str = ""
    headers: Headers = field(default_factory=list)
    body: bytes = b""
    source_ip: str = "127.0.0.1"
    scheme: str = "http"
    port: int = 80
    protocol: str = "HTTP/1.1"
    sent_path: str = ""
    source_port: int = 0

    def knows(self, values: dict[str, str]) -> None:
        """Take over the first value of each header by its name in lower case."""
        self._values = values  # type: ignore[misc]  # the slot is the base's

    def header(self, name: str) -> str | None:
        """The first value of a header, whatever the casing of its name.

        ``headers`` must not change any more.
        """
        try:
            values = self._values
        except AttributeError:  # the first time
            values = self._values = {}  # type: ignore[misc]  # as above
            for key, value in self.headers:
                values.setdefault(key.lower(), value)
        return values.get(name.lower())


@dataclass(slots=True)
class HttpResponse:
    """One response.

    Attributes:
        status: Status code.
        headers: May repeat a name (``set-cookie``); no content length inside.
        body: The body.
        stream: What follows ``body``, sent as it comes. An exception breaks the connection off, so
            that the client sees that something is missing.
        reason: Reason phrase of the status line; ``None``: the standard's.
    """

    status: int
    headers: Headers = field(default_factory=list)
    body: bytes = b""
    stream: AsyncIterator[bytes] | None = None
    reason: str | None = None


class HttpError(Exception):
    """A request that the API answers by itself.

    Attributes:
        response: What the client gets: ``{"message": …}`` as API Gateway words it.
        message: The message in it.
        reason: Why, for the access log and not for the client; may be empty.
    """

    def __init__(self, status: int, message: str, reason: str = "") -> None:
        super().__init__(f"{status} {message}")
        self.response = error_response(status, message)
        self.message = message
        self.reason = reason


def error_response(status: int, message: str) -> HttpResponse:
    """API Gateway's error body for HTTP APIs: ``{"message":"Not Found"}``."""
    body = json.dumps({"message": message}, separators=(",", ":")).encode()
    return HttpResponse(status, [("content-type", "application/json")], body)


def bad_request() -> HttpError:
    """400, for a request that is no valid HTTP request."""
    return HttpError(400, "Bad Request")


def not_found() -> HttpError:
    """404: no route, stage or API matches."""
    return HttpError(404, "Not Found")


def internal_server_error(reason: str = "") -> HttpError:
    """500: the integration failed, may not be called, or answered something malformed.

    Args:
        reason: Why, for the access log.
    """
    return HttpError(500, "Internal Server Error", reason)


def service_unavailable(reason: str = "") -> HttpError:
    """503: the integration took longer than its ``TimeoutInMillis``.

    Args:
        reason: Why, for the access log.
    """
    return HttpError(503, "Service Unavailable", reason)


def too_many_requests() -> HttpError:
    """429: more requests than the stage's throttling lets through."""
    return HttpError(429, "Too Many Requests")


def request_too_large() -> HttpError:
    """413: more than 10 MB of body, or an event larger than Lambda takes."""
    return HttpError(413, "Request Entity Too Large")


def headers_too_large() -> HttpError:
    """431: request line and headers are larger than 10 240 bytes together."""
    return HttpError(431, "Request Header Fields Too Large")
