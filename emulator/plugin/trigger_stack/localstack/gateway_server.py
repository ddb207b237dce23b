"""The server of port 4566: on the addresses of ``GATEWAY_LISTEN``, strict about HTTP, and fast.

What: a server at LocalStack's extension point ``localstack.runtime.server``, chosen with
``GATEWAY_SERVER=interface``. HTTP/1.1 is served by ``wsgi_server``; connections that begin with
TLS, HTTP/2 or a WebSocket are given to Twisted (``gateway_twisted.py``), as all are where there is
no ``epoll`` (macOS). ``LocalstackRuntime._init_gateway_server`` makes no certificate; it is made
when Twisted is needed.
Why: LocalStack 2026.3 takes the port from ``GATEWAY_LISTEN`` and listens on every interface all the
same, and a port that is taken only shows in the log. Twisted took four fifths of the time of a
request. To make the key of a certificate takes as long as fifty requests.
Until: LocalStack binds the addresses of ``GATEWAY_LISTEN``, with a server that takes less than the
request's own work.
Test: ``tests/unit/plugin/test_gateway_server.py``, ``tests/engine/test_gateway_protocols.py``.
"""

from __future__ import annotations

import os
import select
import socket
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from localstack import config
from localstack.runtime.runtime import LocalstackRuntime
from localstack.runtime.server.core import RuntimeServer, RuntimeServerPlugin
from rolo.gateway import Gateway
from rolo.gateway.wsgi import WsgiGateway

if TYPE_CHECKING:
    from trigger_stack.localstack.gateway_twisted import TwistedServer

#: As long as the requests that are being answered are waited for.
_CLOSE_SECONDS = 10
_LOOK_SECONDS = 1.0


type Files = tuple[str, str]


class InterfaceRuntimeServer(RuntimeServer):
    """Listens on the addresses of GATEWAY_LISTEN, or ends the emulator with a message.

    Args:
        make_certificate: Makes the files of a certificate and of its key, if ``register`` gets
            none; without it there is no TLS.
    """

    def __init__(self, make_certificate: Callable[[], Files | None] = lambda: None) -> None:
        self._make_certificate = make_certificate
        self._server: Any = None  # a WsgiServer, where there is epoll
        self._twisted: TwistedServer | None = None  # where there is none; else when it is needed
        self._lock = threading.Lock()
        self._ended = threading.Event()

    def register(
        self,
        gateway: Gateway,
        listen: list[config.HostAndPort],
        ssl_creds: Files | None = None,
    ) -> None:
        """Listen on each address; a port that is taken ends the emulator."""

        def twisted() -> TwistedServer:
            from trigger_stack.localstack.gateway_twisted import TwistedServer

            return TwistedServer(gateway, ssl_creds or self._make_certificate())

        if hasattr(select, "epoll"):
            self._serve_plain(gateway, listen, twisted)
        else:
            self._twisted = twisted()
            _listen(listen, self._twisted.listen)

    def _serve_plain(
        self,
        gateway: Gateway,
        listen: list[config.HostAndPort],
        twisted: Callable[[], TwistedServer],
    ) -> None:
        """Serve HTTP/1.1, and give Twisted what is something else."""
        from trigger_stack.wsgi_server.server import WsgiServer

        def take_over(connection: socket.socket) -> None:
            with self._lock:
                if self._twisted is None:
                    self._twisted = twisted()
                    self._twisted.start()
            self._twisted.adopt(connection)

        self._server = server = WsgiServer(WsgiGateway(gateway), take_over)
        _listen(listen, lambda address: server.listen(address.host, address.port))
        server.start()

    def run(self) -> None:
        """Serve until :meth:`shutdown`; blocks."""
        if self._server is None and self._twisted is not None:
            self._twisted.run()
        else:
            # Another thread may get the signal that ends us; Python handles it in this one only.
            while not self._ended.wait(_LOOK_SECONDS):
                pass

    def shutdown(self) -> None:
        """End, when the requests that are being answered have ended."""
        if self._server is not None:
            self._server.close(_CLOSE_SECONDS)
        with self._lock:
            if self._twisted is not None:
                self._twisted.stop(_CLOSE_SECONDS)
        self._ended.set()


def _listen(
    addresses: list[config.HostAndPort], listen: Callable[[config.HostAndPort], object]
) -> None:
    for address in addresses:
        try:
            listen(address)
        except OSError as error:
            _end(address, error)


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
        return InterfaceRuntimeServer(_certificate)


def make_no_certificate() -> None:
    """Patch LocalStack's runtime, if this is its server. Idempotent."""
    if InterfaceRuntimeServerPlugin.name == config.GATEWAY_SERVER:
        LocalstackRuntime._init_gateway_server = _register  # type: ignore[method-assign]  # a patch


def _register(runtime: LocalstackRuntime) -> None:
    components = runtime.components
    components.runtime_server.register(components.gateway, config.GATEWAY_LISTEN)


def _certificate() -> Files:
    """As ``LocalstackRuntime._init_gateway_server``."""
    from localstack.utils.ssl import create_ssl_cert, install_predefined_cert_if_available

    install_predefined_cert_if_available()
    _, certificate, key = create_ssl_cert(serial_number=config.GATEWAY_LISTEN[0].port)
    return certificate, key
