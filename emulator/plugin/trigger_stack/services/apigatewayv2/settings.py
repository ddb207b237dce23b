"""Settings of the HTTP API, read from environment variables."""

from __future__ import annotations

import os
from dataclasses import dataclass

LOOPBACK = "127.0.0.1"
EDGE_PORT = 4566


class InvalidSettingError(ValueError):
    """A setting that cannot be used; the text names it and says what it takes."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the extra listener serves which API.

    Attributes:
        listen: ``HTTP_API_LISTEN``, address to bind.
        port: ``HTTP_API_PORT``; 0 turns the listener off. Not set: 8080 beside an emulator on its
            usual port, off beside one on another port, which is a second one for tests.
        api_id: ``HTTP_API_ID``, the API to serve; ``None``: the only one, or the oldest.
    """

    listen: str = LOOPBACK
    port: int = 8080
    api_id: str | None = None

    @classmethod
    def from_environment(cls, edge_port: int) -> Settings:
        """Read the settings.

        Args:
            edge_port: Port of the AWS API.

        Raises:
            InvalidSettingError: A port or a number is none.
        """
        return cls(
            listen=os.environ.get("HTTP_API_LISTEN") or LOOPBACK,
            port=_number("HTTP_API_PORT", 8080 if edge_port == EDGE_PORT else 0, 0, 65_535),
            api_id=os.environ.get("HTTP_API_ID") or None,
        )


def _number(name: str, default: int, least: int, most: int) -> int:
    text = os.environ.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
        raise InvalidSettingError(f"{name}={text} is not a number from {least} to {most}")
    return int(text)
