"""Where the stack is, from the environment (see ``.env.example``)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from bootstrap.errors import WrongUseError


def port(name: str, default: int) -> int:
    """A port number from the environment variable ``name``.

    Raises:
        WrongUseError: not a number from 1 to 65535.
    """
    text = os.environ.get(name) or str(default)
    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text) <= 65535:
        raise WrongUseError(f"{name}={text}: must be a port number from 1 to 65535.")
    return int(text)


@dataclass(frozen=True)
class Settings:
    """Addresses of a running stack."""

    gateway_port: int
    http_api_port: int
    region: str
    smtp_port: int = 2525

    @classmethod
    def from_environment(cls, region: str = "us-east-1") -> Settings:
        """Read ``GATEWAY_PORT``, ``HTTP_API_PORT``, ``SMTP_PORT`` and ``AWS_DEFAULT_REGION``."""
        return cls(
            gateway_port=port("GATEWAY_PORT", 4566),
            http_api_port=port("HTTP_API_PORT", 8080),
            region=os.environ.get("AWS_DEFAULT_REGION") or region,
            smtp_port=port("SMTP_PORT", 2525),
        )

    @property
    def endpoint_url(self) -> str:
        """AWS API. ``AWS_ENDPOINT_URL`` names another host, as inside containers."""
        return os.environ.get("AWS_ENDPOINT_URL") or f"http://localhost:{self.gateway_port}"

    @property
    def http_api_url(self) -> str:
        """Address of the local HTTP API."""
        return os.environ.get("HTTP_API_URL") or f"http://localhost:{self.http_api_port}"

    def client(self, service: str, run: str = "") -> Any:
        """A client for the stack, as boto3 has them. The emulator takes any credentials.

        Args:
            run: which run of the bootstrap it belongs to, for the emulator.
        """
        from bootstrap.sdk import session

        make = session().create_client
        from botocore.config import Config  # after it: see there

        return make(
            service,
            endpoint_url=self.endpoint_url,
            region_name=self.region,
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106  # the emulator checks none
            config=Config(
                retries={"max_attempts": 3, "mode": "standard"},
                connect_timeout=5,
                read_timeout=60,
                s3={"addressing_style": "path"},
                max_pool_connections=32,  # as many as there are threads
                # botocore's own takes a seventh of the time of a call.
                user_agent=f"trigger-stack-run/{run}" if run else "trigger-stack",
            ),
        )
