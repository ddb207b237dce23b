"""Parts of a function's result that several front doors read.

What is not understood is an error, never sent as it is.
"""

from __future__ import annotations

import re

from trigger_stack_engine.front_doors.core.message import Headers, internal_server_error

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2: token
_FORBIDDEN_IN_VALUE = re.compile("[\0\r\n\ud800-\udfff]")  # half a character cannot be encoded
# The server frames the message by itself: these would contradict it.
FRAMING = frozenset({"connection", "content-length", "keep-alive", "transfer-encoding"})


def parse_status(value: object) -> int:
    """A ``statusCode``.

    Raises:
        HttpError: 500: it is none that a response can have.
    """
    if type(value) is int and 200 <= value <= 599:
        return value
    if isinstance(value, str) and re.fullmatch(r"[0-9]{3}", value, re.ASCII):
        value = int(value)
    # 1xx is interim and would leave the client waiting for the real answer.
    if isinstance(value, int) and not isinstance(value, bool) and 200 <= value <= 599:
        return value
    raise internal_server_error()


def parse_headers(value: object) -> Headers:
    """``headers``: names and values.

    Raises:
        HttpError: 500: they are malformed.
    """
    if value is None:
        return []
    if not isinstance(value, dict):
        raise internal_server_error()
    return [parse_header(name, item) for name, item in value.items() if item is not None]


def parse_header(name: str, value: object) -> tuple[str, str]:
    """One header.

    Raises:
        HttpError: 500: it is malformed.
    """
    if isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, str | int | float):
        text = str(value)
    else:
        raise internal_server_error()
    if not _HEADER_NAME.fullmatch(name) or _FORBIDDEN_IN_VALUE.search(text):
        raise internal_server_error()
    return name, text


def parse_cookies(value: object) -> list[str]:
    """``cookies``: values of ``set-cookie``.

    Raises:
        HttpError: 500: they are malformed.
    """
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise internal_server_error()
    if any(_FORBIDDEN_IN_VALUE.search(item) for item in value):
        raise internal_server_error()
    return value
