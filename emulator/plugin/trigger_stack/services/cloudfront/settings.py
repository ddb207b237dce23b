"""Settings of distributions, read from environment variables."""

from __future__ import annotations

import os
from dataclasses import dataclass

from trigger_stack.services.apigatewayv2.settings import LOOPBACK
from trigger_stack.services.ports import port_range

DEFAULT_PORTS = "8100-8119"


@dataclass(frozen=True, slots=True)
class Settings:
    """Where distributions are served.

    Attributes:
        listen: ``HTTP_API_LISTEN``, address to bind, as for the HTTP API.
        ports: ``CLOUDFRONT_PORTS``, the ports that distributions get: ``8100-8119``.
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
            ports=port_range("CLOUDFRONT_PORTS", DEFAULT_PORTS),
        )
