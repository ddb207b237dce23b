"""Settings of distributions, read from environment variables."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from trigger_stack.services.apigatewayv2.settings import LOOPBACK, InvalidSettingError

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
        text = os.environ.get("CLOUDFRONT_PORTS") or DEFAULT_PORTS
        match = re.fullmatch(r"\s*(\d{1,5})\s*-\s*(\d{1,5})\s*", text, re.ASCII)
        if not match or not 1 <= int(match[1]) <= int(match[2]) <= 65_535:
            raise InvalidSettingError(
                f"CLOUDFRONT_PORTS={text} is no range of ports such as {DEFAULT_PORTS}"
            )
        return cls(
            listen=os.environ.get("HTTP_API_LISTEN") or LOOPBACK,
            ports=range(int(match[1]), int(match[2]) + 1),
        )
