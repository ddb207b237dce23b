"""The headers of a request to another server and of its response, each as often as it is there.

``requests`` has a dictionary for them, in which a name is there once; urllib3, which sends them,
has one in which it can be there several times.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from urllib3 import HTTPHeaderDict
from urllib3.util import SKIP_HEADER

from trigger_stack_engine.front_doors.core.message import Headers


def sent_headers(headers: Iterable[tuple[str, str]], of_the_body: Mapping[str, str]) -> Any:
    """What a prepared request of ``requests`` takes as its headers.

    Args:
        headers: Names and values.
        of_the_body: What ``requests`` has added for the body; counts where ``headers`` has none.
    """
    sent = HTTPHeaderDict()
    for name, value in headers:
        sent.add(name, _as_sent(value))
    for name, value in of_the_body.items():
        sent.setdefault(name, value)
    for name in ("User-Agent", "Accept-Encoding"):  # urllib3 sends its own when there is none
        if name not in sent:
            sent[name] = SKIP_HEADER
    return sent


def _as_sent(value: str) -> str:
    """A header's value, which is sent as Latin-1: what came as that goes as it came."""
    try:
        value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode().decode("latin-1")
    return value


def received_headers(headers: Iterable[tuple[str, str]]) -> Headers:
    """The headers of a server's response as text; ``http.client`` takes each byte for a letter."""
    return [(name, _as_text(value)) for name, value in headers]


def _as_text(value: str) -> str:
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        return value
