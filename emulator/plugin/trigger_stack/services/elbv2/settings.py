"""Settings of load balancers, read from environment variables."""

from __future__ import annotations

import os
from dataclasses import dataclass

from trigger_stack.services.apigatewayv2.settings import LOOPBACK
from trigger_stack.services.ports import port_range

DEFAULT_PORTS = "8081-8099"


@dataclass(frozen=True, slots=True)
class Settings:
    """Where listeners are served.

    Attributes:
        listen: ``HTTP_API_LISTEN``, address to bind, as for the HTTP API.
        ports: ``LOAD_BALANCER_PORTS``, the ports that listeners get: ``8081-8099``.
    """

    listen: str
    ports: range

    @classmethod
    def from_environment(cls) -> Settings:
        """Read the settings.

        Raises:
            InvalidSettingError: The ports are no range.
        """
        return cls(
            listen=os.environ.get("HTTP_API_LISTEN") or LOOPBACK,
            ports=port_range("LOAD_BALANCER_PORTS", DEFAULT_PORTS),
        )
