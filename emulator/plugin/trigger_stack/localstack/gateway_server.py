"""LocalStack's Twisted server, bound to the addresses that ``GATEWAY_LISTEN`` names.

What: a server at LocalStack's extension point ``localstack.runtime.server``, chosen with
``GATEWAY_SERVER=interface``.
Why: LocalStack 2026.3 takes the port from ``GATEWAY_LISTEN`` and listens on every interface all the
same, and a port that is taken only shows in the log.
Until: LocalStack binds the addresses of ``GATEWAY_LISTEN``.
Test: ``tests/unit/plugin/test_gateway_server.py``.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from localstack import config
from localstack.aws.serving.twisted import TLSMultiplexerFactory
from localstack.runtime.server.core import RuntimeServerPlugin
from localstack.runtime.server.twisted import TwistedRuntimeServer
from rolo.gateway import Gateway
from rolo.serving.twisted import TwistedGateway
from twisted.internet import reactor, ssl
from twisted.internet.error import CannotListenError


class InterfaceRuntimeServer(TwistedRuntimeServer):
    """Listens where it was told to, or ends the emulator with a sentence."""

    def register(
        self,
        gateway: Gateway,
        listen: list[config.HostAndPort],
        ssl_creds: tuple[str, str] | None = None,
    ) -> None:
        """Listen on each address; a port that is taken ends the emulator."""
        site = TwistedGateway(gateway)
        factory: Any = site
        if ssl_creds:
            certificate, key = ssl_creds
            context = ssl.DefaultOpenSSLContextFactory(key, certificate)
            context.getContext().use_certificate_chain_file(certificate)
            factory = TLSMultiplexerFactory(context, False, site)
        for address in listen:
            try:
                reactor.listenTCP(address.port, factory, interface=address.host)  # type: ignore[attr-defined]  # twisted's reactor is chosen at run time
            except CannotListenError as error:
                sys.stderr.write(
                    f"Port {address.port} on {address.host} cannot be used "
                    f"({error.socketError}). End the program that has it, or choose another with "
                    "GATEWAY_PORT in .env.\n"
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
