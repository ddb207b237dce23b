"""Ranges of ports, read from environment variables."""

from __future__ import annotations

import os
import re

from trigger_stack.services.apigatewayv2.settings import InvalidSettingError


def port_range(variable: str, default: str) -> range:
    """The ports that a variable names.

    Args:
        variable: Its name.
        default: What counts when it is not set or empty, such as ``8081-8099``.

    Raises:
        InvalidSettingError: It is no range.
    """
    text = os.environ.get(variable) or default
    match = re.fullmatch(r"\s*(\d{1,5})\s*-\s*(\d{1,5})\s*", text, re.ASCII)
    if not match or not 1 <= int(match[1]) <= int(match[2]) <= 65_535:
        raise InvalidSettingError(f"{variable}={text} is no range of ports such as {default}")
    return range(int(match[1]), int(match[2]) + 1)
