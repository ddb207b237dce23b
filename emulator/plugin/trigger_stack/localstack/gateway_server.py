"""The server of port 4566: on the addresses of ``GATEWAY_LISTEN``, strict about HTTP, and fast.

What: a server at LocalStack's extension point ``localstack.runtime.server``, chosen with
``GATEWAY_SERVER=interface``. HTTP/1.1 is served by ``wsgi_server``; connections that begin with
TLS, HTTP/2 or a WebSocket are given to Twisted, as all are where there is no ``epoll`` (macOS).
There, each connection is Twisted's with further checks of headers.
Why: LocalStack 2026.3 takes the port from ``GATEWAY_LISTEN`` and listens on every interface all the
same, and a port that is taken only shows in the log. Twisted took four fifths of the time of a
request. It accepts a bare CR or LF in a header, ``Transfer-Encoding: identity``, and no or two
``Host`` headers; a ``Content-Length`` of 5000 digits ends in a traceback. It parses each POST for a
form that nobody reads.
Until: LocalStack binds the addresses of ``GATEWAY_LISTEN``, with a server that takes less than the
request's own work and refuses these requests.
Test: ``tests/unit/plugin/test_gateway_server.py``.
"""

from __future__ import annotations

import os
import select
import socket
import sys
from typing import Any, NoReturn

from localstack import config
from localstack.aws.serving.twisted import TLSMultiplexerFactory
from localstack.runtime.server.core import RuntimeServerPlugin
from localstack.runtime.server.twisted import TwistedRuntimeServer
from rolo.gateway import Gateway
from rolo.gateway.wsgi import WsgiGateway
from rolo.serving.twisted import (
    HeaderPreservingHTTPChannel,
    PriorKnowledgeHTTPChannelProtocol,
    TwistedGateway,
)
from twisted.internet import reactor, ssl
from twisted.internet.error import CannotListenError

_MAX_LENGTH_DIGITS = 19
#: As long as Twisted's threads are waited for.
_CLOSE_SECONDS = 10


class StrictHTTPChannel(HeaderPreservingHTTPChannel):
    """A connection that refuses what two servers could read differently (RFC 9112)."""

    _refused = False

    @staticmethod
    def protocol_factory() -> PriorKnowledgeHTTPChannelProtocol:
        """A connection that speaks HTTP/1.1 or HTTP/2."""
        return PriorKnowledgeHTTPChannelProtocol(StrictHTTPChannel())

    def headerReceived(self, line: bytes) -> bool:
        """Take one header line; ``False`` when the request was refused."""
        name, _, value = line.partition(b":")
        value = value.strip(b" \t")
        match name.lower():
            case b"content-length":
                refused = not value.isdigit() or len(value) > _MAX_LENGTH_DIGITS
            case b"transfer-encoding":
                refused = value.lower() != b"chunked"
            case _:
                refused = False
        if refused or b"\r" in line or b"\n" in line:
            self._respondToBadRequestAndDisconnect()
            return False
        return bool(super().headerReceived(line))

    def allHeadersReceived(self) -> None:
        """Take the headers, unless ``Host`` is missing or repeated."""
        hosts = self.requests[-1].requestHeaders.getRawHeaders(b"Host") or []
        if len(hosts) > 1 or (not hosts and self._version != b"HTTP/1.0"):
            self._refused = True
            self._respondToBadRequestAndDisconnect()
        else:
            super().allHeadersReceived()

    def allContentReceived(self) -> None:
        """Handle the request; Twisted comes here after a refusal, too."""
        if not self._refused:
            super().allContentReceived()


class InterfaceRuntimeServer(TwistedRuntimeServer):
    """Listens on the addresses of GATEWAY_LISTEN, or ends the emulator with a message."""

    def __init__(self) -> None:
        super().__init__()
        self._server: Any = None  # a WsgiServer, where there is epoll

    def register(
        self,
        gateway: Gateway,
        listen: list[config.HostAndPort],
        ssl_creds: tuple[str, str] | None = None,
    ) -> None:
        """Listen on each address; a port that is taken ends the emulator."""
        site = TwistedGateway(gateway)
        site.protocol = StrictHTTPChannel.protocol_factory  # type: ignore[method-assign]  # as rolo does
        # Nobody reads what Twisted finds in a form, and AWS's clients send everything by POST.
        site._parsePOSTFormSubmission = False  # a setting of Site's that TwistedGateway cannot pass
        factory: Any = site
        if ssl_creds:
            certificate, key = ssl_creds
            context = ssl.DefaultOpenSSLContextFactory(key, certificate)
            context.getContext().use_certificate_chain_file(certificate)
            factory = TLSMultiplexerFactory(context, False, site)
        if hasattr(select, "epoll"):
            self._serve_plain(gateway, listen, factory)
        else:
            self._serve_all(listen, factory)

    def _serve_plain(
        self, gateway: Gateway, listen: list[config.HostAndPort], factory: Any
    ) -> None:
        """Serve HTTP/1.1, and give the factory what is something else."""
        from trigger_stack.wsgi_server.server import WsgiServer

        def take_over(connection: socket.socket) -> None:
            def adopt() -> None:
                with connection:  # Twisted has a descriptor of its own afterwards
                    reactor.adoptStreamConnection(  # type: ignore[attr-defined]  # as below
                        connection.fileno(), connection.family, factory
                    )

            connection.setblocking(False)
            reactor.callFromThread(adopt)  # type: ignore[attr-defined]  # as below

        self._server = WsgiServer(WsgiGateway(gateway), take_over)
        for address in listen:
            try:
                self._server.listen(address.host, address.port)
            except OSError as error:
                _end(address, error)
        self._server.start()

    def _serve_all(self, listen: list[config.HostAndPort], factory: Any) -> None:
        for address in listen:
            try:
                reactor.listenTCP(address.port, factory, interface=address.host)  # type: ignore[attr-defined]  # twisted's reactor is chosen at run time
            except CannotListenError as error:
                _end(address, error.socketError)

    def shutdown(self) -> None:
        """End, when the requests that are being answered have ended."""
        if self._server is not None:
            self._server.close(_CLOSE_SECONDS)
        if self.thread_pool:
            self.thread_pool.stop(timeout=_CLOSE_SECONDS)
        # Called in its thread: a reactor without connections sees nothing else that would wake it.
        reactor.callFromThread(reactor.stop)  # type: ignore[attr-defined]  # as above


def _end(address: config.HostAndPort, error: object) -> NoReturn:
    """End the emulator with a sentence."""
    sys.stderr.write(
        f"Port {address.port} on {address.host} cannot be used ({error}). End the program that has "
        "it, or choose another with GATEWAY_PORT in .env.\n"
    )
    sys.stderr.flush()
    # LocalStack is half started here: its own way out would wait for what never began.
    os._exit(1)


class InterfaceRuntimeServerPlugin(RuntimeServerPlugin):
    """Entry point ``interface`` in group ``localstack.runtime.server``."""

    name = "interface"

    def load(self, *args: object, **kwargs: object) -> InterfaceRuntimeServer:
        """The server."""
        return InterfaceRuntimeServer()
