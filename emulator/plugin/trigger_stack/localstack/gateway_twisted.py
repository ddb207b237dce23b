"""Twisted, for those connections of port 4566 that ``wsgi_server`` does not serve.

What: LocalStack's server as a part of ours, with further checks of headers; it is imported and runs
only when a connection needs it.
Why: it speaks TLS and HTTP/2. To import and to start it takes a tenth of the emulator's start, and
hardly anybody calls the emulator by TLS. It accepts a bare CR or LF in a header,
``Transfer-Encoding: identity``, and no or two ``Host`` headers; a ``Content-Length`` of 5000 digits
ends in a traceback. It parses each POST for a form that nobody reads.
Until: ``wsgi_server`` speaks TLS and HTTP/2, or Twisted refuses these requests.
Test: ``tests/unit/plugin/test_gateway_server.py``.
"""

from __future__ import annotations

import socket
import threading
from typing import Any

from localstack import config
from localstack.aws.serving.twisted import TLSMultiplexerFactory
from localstack.runtime.server.twisted import TwistedRuntimeServer
from rolo.gateway import Gateway
from rolo.serving.twisted import (
    HeaderPreservingHTTPChannel,
    PriorKnowledgeHTTPChannelProtocol,
    TwistedGateway,
)
from twisted.internet import reactor as chosen_reactor
from twisted.internet import ssl
from twisted.internet.error import CannotListenError

#: Chosen at run time.
_reactor: Any = chosen_reactor
_MAX_LENGTH_DIGITS = 19


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


class TwistedServer:
    """Twisted's reactor, with LocalStack's gateway behind it.

    Args:
        gateway: Answers the requests.
        ssl_creds: Files of a certificate and of its key; without them there is no TLS.
    """

    def __init__(self, gateway: Gateway, ssl_creds: tuple[str, str] | None) -> None:
        site = TwistedGateway(gateway)
        site.protocol = StrictHTTPChannel.protocol_factory  # type: ignore[method-assign]  # as rolo does
        # Nobody reads what Twisted finds in a form, and AWS's clients send everything by POST.
        site._parsePOSTFormSubmission = False  # a setting of Site's that TwistedGateway cannot pass
        self._factory: Any = site
        if ssl_creds:
            certificate, key = ssl_creds
            context = ssl.DefaultOpenSSLContextFactory(key, certificate)
            context.getContext().use_certificate_chain_file(certificate)
            self._factory = TLSMultiplexerFactory(context, False, site)
        self._localstacks = TwistedRuntimeServer()

    def listen(self, address: config.HostAndPort) -> None:
        """Accept connections.

        Raises:
            OSError: The address cannot be used.
        """
        try:
            _reactor.listenTCP(address.port, self._factory, interface=address.host)
        except CannotListenError as error:
            raise OSError(str(error.socketError)) from error

    def adopt(self, connection: socket.socket) -> None:
        """Serve a connection of which nothing has been read. From any thread."""

        def adopt() -> None:
            with connection:  # Twisted has a descriptor of its own afterwards
                _reactor.adoptStreamConnection(
                    connection.fileno(), connection.family, self._factory
                )

        connection.setblocking(False)
        _reactor.callFromThread(adopt)

    def start(self) -> None:
        """Run in a thread of its own."""
        threading.Thread(target=self.run, name="twisted", daemon=True).start()

    def run(self) -> None:
        """Run until :meth:`stop`; blocks."""
        self._localstacks.run()

    def stop(self, seconds: float) -> None:
        """End, when the requests that are being answered have ended, or after some seconds."""
        if self._localstacks.thread_pool:
            self._localstacks.thread_pool.stop(timeout=seconds)
        # Called in its thread: a reactor without connections sees nothing else that would wake it.
        _reactor.callFromThread(_reactor.stop)
