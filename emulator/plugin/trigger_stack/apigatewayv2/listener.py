"""The local HTTP API on its own port, at the root of the host as on a custom domain.

Served by the reactor that serves LocalStack's edge port, without WSGI and without a thread per
request: a request is routed in the reactor, its function is called on the worker pool, and the
reactor waits for many of them at once.
"""

# ruff: noqa: N802, N815 - twisted's names

from __future__ import annotations

import errno
import logging
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol, cast

from rolo.serving.twisted import TwistedRequestHeaderAdapter
from twisted.internet import reactor as _reactor
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IDelayedCall, IListeningPort
from twisted.web.http import HTTPChannel, HTTPFactory, Request, datetimeToString

from trigger_stack.apigatewayv2.execute import MAX_BODY_BYTES, DataPlane, Pending, refuse
from trigger_stack.apigatewayv2.message import HttpRequest, HttpResponse
from trigger_stack.apigatewayv2.models import Api, list_apis
from trigger_stack.apigatewayv2.settings import Settings

LOG = logging.getLogger(__name__)


class _Reactor(Protocol):
    """The part of twisted's reactor that is used here; its module object has no types."""

    def listenTCP(
        self, port: int, factory: HTTPFactory, backlog: int, interface: str
    ) -> IListeningPort: ...

    def callFromThread(self, call: Callable[..., object], *args: object) -> None: ...

    def callLater(self, delay: float, call: Callable[[], object]) -> IDelayedCall: ...


reactor = cast(_Reactor, _reactor)

LOCAL_PORT_TAG: Final = "trigger-stack:local-port"
"""Tag (value ``true``) of the API that the extra port serves."""

IDLE_SECONDS: Final = 60
"""An idle connection is closed after this time."""

LINGER_SECONDS: Final = 2
"""How long a refused client may take to read the answer."""


class ListenError(Exception):
    """The listener could not be bound; the text is a sentence for the user."""


def select_api(apis: Sequence[Api], api_id: str | None) -> Api | None:
    """The API of the extra port: the one with ``api_id``, else the tagged one, else the oldest.

    :param apis: all APIs, the oldest first
    """
    if api_id is not None:
        return next((api for api in apis if api.api_id == api_id.lower()), None)
    tagged = (api for api in apis if api.tags.get(LOCAL_PORT_TAG) == "true")
    return next(tagged, apis[0] if apis else None)


class HttpApiListener:
    """The extra port. One instance may be started and stopped once."""

    def __init__(self, settings: Settings, data_plane: DataPlane) -> None:
        self._settings = settings
        self._data_plane = data_plane
        self._port: Any = None  # twisted's interfaces are zope's: no type has their methods

    def start(self) -> None:
        """Bind the port; called in the reactor's thread, or before the reactor runs.

        :raises ListenError: when the port is taken or may not be bound
        """
        settings = self._settings
        factory = _Factory(self._data_plane, settings.api_id)
        try:
            self._port = reactor.listenTCP(settings.port, factory, 128, settings.listen)
        except CannotListenError as error:
            taken = getattr(error.socketError, "errno", None) == errno.EADDRINUSE
            reason = "is taken by another program" if taken else f"is refused: {error.socketError}"
            raise ListenError(
                f"Port {settings.port} on {settings.listen} (local HTTP API) {reason}. "
                "Free it, or choose another one with HTTP_API_PORT."
            ) from None
        LOG.info("HTTP API listens on http://%s:%d", settings.listen, settings.port)

    def stop(self) -> None:
        """Close the port; harmless when it is not open."""
        port, self._port = self._port, None
        if port is not None:
            reactor.callFromThread(port.stopListening)


class _Request(Request):
    """One request of the extra port."""

    channel: _Channel
    content: Any
    requestHeaders: TwistedRequestHeaderAdapter
    _too_large = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.requestHeaders = TwistedRequestHeaderAdapter()

    def gotLength(self, length: int | None) -> None:
        """Headers are complete: refuse a body that announces itself as too large."""
        if length is not None and length > MAX_BODY_BYTES:
            self._too_large = True
            self.channel.refuse(413, "Request Entity Too Large")
            return
        super().gotLength(length)

    def handleContentChunk(self, data: bytes) -> None:
        """A part of the body: keep it unless the body has grown too large."""
        if self._too_large:
            return
        if self.content.tell() + len(data) > MAX_BODY_BYTES:
            self._too_large = True
            self.channel.refuse(413, "Request Entity Too Large")
            return
        super().handleContentChunk(data)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """The request is complete: route it. Forms are not parsed, unlike in twisted's own."""
        if self._too_large:
            return
        self.method, self.uri, self.clientproto = command, path, version
        factory = self.channel.factory
        try:
            started = factory.answer(self._to_http_request())
        except Exception:
            LOG.exception("HTTP API: a request could not be answered")
            started = refuse(500, "Internal Server Error")
        if isinstance(started, HttpResponse):
            self._send(started)
        else:
            _Exchange(self, started)

    def _to_http_request(self) -> HttpRequest:
        path, _, query = self.uri.partition(b"?")
        if b"://" in path and not path.startswith(b"/"):  # absolute form, RFC 9112 section 3.2.2
            path = b"/" + path.split(b"://", 1)[1].partition(b"/")[2]
        self.content.seek(0)
        return HttpRequest(
            method=self.method.decode("latin-1"),
            raw_path=path.decode("latin-1"),
            raw_query=query.decode("latin-1"),
            headers=[
                (name.decode("latin-1"), value.decode("latin-1"))
                for name, values in self.requestHeaders.getAllRawHeaders()
                for value in values
            ],
            body=self.content.read(),
            source_ip=self.getClientAddress().host,
            port=self.getHost().port,
            protocol=self.clientproto.decode("latin-1"),
        )

    def _send(self, response: HttpResponse) -> None:
        self.setResponseCode(response.status)
        headers = self.responseHeaders
        date: bytes = datetimeToString()
        headers.setRawHeaders(b"date", [date])
        for name, value in response.headers:
            headers.addRawHeader(name.encode("latin-1", "replace"), value.encode("utf-8"))
        if response.status not in (204, 304):
            headers.setRawHeaders(b"content-length", [b"%d" % len(response.body)])
            if response.body:
                self.write(response.body)
        self.finish()


class _Exchange:
    """Waits for an integration without a thread: whatever comes first answers the request."""

    def __init__(self, request: _Request, pending: Pending) -> None:
        self._request: _Request | None = request
        self._pending = pending
        self._timer: Any = reactor.callLater(pending.timeout, self._timed_out)
        request.notifyFinish().addErrback(self._disconnected)
        pending.future.add_done_callback(lambda _: reactor.callFromThread(self._done))

    def _done(self) -> None:
        if self._request is not None:
            self._timer.cancel()
            self._answer(self._pending.outcome())

    def _timed_out(self) -> None:
        self._answer(self._pending.timed_out())

    def _answer(self, response: HttpResponse) -> None:
        request, self._request = self._request, None
        if request is not None:
            request._send(response)

    def _disconnected(self, _reason: object) -> None:
        if self._request is not None:
            self._request = None
            self._timer.cancel()


class _Channel(HTTPChannel):
    """One connection of the extra port."""

    factory: _Factory
    requestFactory = _Request
    requests: list[_Request]
    transport: Any
    _refused = False

    def refuse(self, status: int, message: str) -> None:
        """Answer what cannot be read to its end, and close the connection.

        Only the sending side is closed at first (RFC 9112, section 9.6): to close both while the
        client still sends would reset the connection before the client has read the answer.
        """
        self._refused = True
        response = refuse(status, message)
        head = [f"HTTP/1.1 {status} {message}", "connection: close"]
        head += [f"{name}: {value}" for name, value in response.headers]
        head += [f"content-length: {len(response.body)}", "", ""]
        self.transport.write("\r\n".join(head).encode("ascii") + response.body)
        self.transport.loseWriteConnection()
        reactor.callLater(LINGER_SECONDS, self.transport.abortConnection)

    def dataReceived(self, data: bytes) -> None:
        """Bytes from the client; those after a refusal are thrown away."""
        if not self._refused:
            super().dataReceived(data)

    def lineReceived(self, line: bytes) -> None:
        """Request line or header line."""
        if not self._refused:
            super().lineReceived(line)

    def rawDataReceived(self, data: bytes) -> None:
        """Part of a body."""
        if not self._refused:
            super().rawDataReceived(data)

    def lineLengthExceeded(self, line: bytes) -> None:
        """A line that is longer than twisted takes: by far longer than API Gateway takes."""
        self.refuse(431, "Request Header Fields Too Large")

    def headerReceived(self, line: bytes) -> bool:
        """One header line, parsed by twisted, which would forget how its name was spelled."""
        accepted: bool = super().headerReceived(line)
        if accepted:
            self.requests[-1].requestHeaders.rememberHeaderCasing(line.split(b":", 1)[0])
        return accepted

    def _respondToBadRequestAndDisconnect(self) -> None:
        # Twisted's name for "this is no HTTP"; its own answer has no body and resets.
        self.refuse(400, "Bad Request")


class _Factory(HTTPFactory):
    """Makes the connections and knows what they serve."""

    protocol = _Channel

    def __init__(self, data_plane: DataPlane, api_id: str | None) -> None:
        super().__init__(timeout=IDLE_SECONDS)
        self._data_plane = data_plane
        self._api_id = api_id

    def log(self, request: Request) -> None:
        """No access log: the functions' logs tell what ran."""

    def answer(self, request: HttpRequest) -> HttpResponse | Pending:
        """Start answering a request for the API this port serves."""
        api = select_api(list_apis(), self._api_id)
        if api is None:
            wanted = f"no HTTP API with id {self._api_id}" if self._api_id else "no HTTP API yet"
            return refuse(404, f"There is {wanted}: create one and this port will serve it")
        return self._data_plane.start(request, api)
