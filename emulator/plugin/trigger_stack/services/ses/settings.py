"""Settings of mail that is received, read from environment variables."""

from __future__ import annotations

import os
from dataclasses import dataclass

from trigger_stack.delivery.mail.delivery import GIVES_UP_AFTER_S
from trigger_stack.services.apigatewayv2.settings import LOOPBACK, InvalidSettingError


@dataclass(frozen=True, slots=True)
class Settings:
    """Where mails are received.

    Attributes:
        listen: ``HTTP_API_LISTEN``, address to bind, as for the HTTP API.
        port: ``SMTP_PORT``; None when it is empty: then no mail is received.
        gives_up_after_s: ``SES_RETRY_SECONDS``, after which a failing action is given up.
    """

    listen: str
    port: int | None
    gives_up_after_s: float

    @classmethod
    def from_environment(cls) -> Settings:
        """Read the settings.

        Raises:
            InvalidSettingError: One is no number, or out of its range.
        """
        return cls(
            listen=os.environ.get("HTTP_API_LISTEN") or LOOPBACK,
            port=_number("SMTP_PORT", 0, 65_535) if os.environ.get("SMTP_PORT") else None,
            gives_up_after_s=float(_number("SES_RETRY_SECONDS", int(GIVES_UP_AFTER_S), 10**7)),
        )


def _number(name: str, default: int, most: int) -> int:
    text = os.environ.get(name) or str(default)
    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text[:9]) <= most:
        raise InvalidSettingError(f"{name}={text} is no whole number from 1 to {most}")
    return int(text)
