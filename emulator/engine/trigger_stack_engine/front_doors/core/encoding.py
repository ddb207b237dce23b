"""Percent-decoding that refuses what API Gateway's front end refuses."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from trigger_stack_engine.front_doors.core.message import bad_request

_MALFORMED_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


def percent_decode(text: str) -> str:
    """Decode ``%XX`` once.

    Raises:
        HttpError: 400 for a malformed escape, bytes that are no UTF-8, or a NUL.
    """
    if "%" not in text:
        decoded = text
    elif _MALFORMED_ESCAPE.search(text):
        raise bad_request()
    else:
        try:
            decoded = unquote_to_bytes(text).decode("utf-8")
        except UnicodeError:
            raise bad_request() from None
    if "\0" in decoded:
        raise bad_request()
    return decoded


def parse_query(raw_query: str) -> list[tuple[str, str]]:
    """Name and value of every query parameter in order, ``+`` and ``%XX`` decoded once.

    A parameter without ``=`` has the empty value; empty parts (``a=1&&b=2``) are left out.

    Raises:
        HttpError: 400, see :func:`percent_decode`.
    """
    parameters: list[tuple[str, str]] = []
    for part in raw_query.split("&"):
        if part:
            name, _, value = part.replace("+", " ").partition("=")
            parameters.append((percent_decode(name), percent_decode(value)))
    return parameters
