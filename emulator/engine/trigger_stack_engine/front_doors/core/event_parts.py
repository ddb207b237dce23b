"""Parts that the events of several front doors have in common."""

from __future__ import annotations

import base64
import functools
import random
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from trigger_stack_engine.front_doors.core.message import HttpRequest

_TEXT_TYPES: Final = frozenset(
    {"application/json", "application/javascript", "application/xml"},
)
#: Hop-by-hop headers (RFC 9110, section 7.6.1) concern one connection, not the request.
HOP_BY_HOP: Final = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_MONTHS: Final = [
    "Jan",
    "Feb",
    "Mar",
    "Apr",
    "May",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "Dec",
]


def is_text(content_type: str | None) -> bool:
    """Whether a body of this type reaches the function as text and not base64-encoded.

    AWS's guide says "binary" without naming types. The service treats ``text/*`` and JSON, XML
    and JavaScript by their exact names as text, and everything else as binary: forms
    (``application/x-www-form-urlencoded``), ``+json`` suffixes and a missing type too.
    """
    media_type = (content_type or "").partition(";")[0].strip().lower()
    return media_type.startswith("text/") or media_type in _TEXT_TYPES


def encode_body(request: HttpRequest) -> tuple[str | None, bool]:
    """The event's ``body`` (``None`` when there is none) and ``isBase64Encoded``."""
    if not request.body:
        return None, False
    if is_text(request.header("content-type")):
        try:
            return request.body.decode("utf-8"), False
        except UnicodeDecodeError:
            # JSON strings cannot carry these bytes: base64 is the only way not to lose any.
            pass
    return base64.b64encode(request.body).decode("ascii"), True


def format_time(time: datetime) -> str:
    """``requestContext.time``, for example ``12/Mar/2020:19:03:58 +0000``; no locale involved."""
    return format_second(int(time.timestamp()))


@functools.lru_cache(maxsize=8)
def format_second(second: int) -> str:
    """The same for seconds since 1970."""
    utc = datetime.fromtimestamp(second, UTC)
    return f"{utc:%d}/{_MONTHS[utc.month - 1]}/{utc:%Y:%H:%M:%S} +0000"


def split_cookies(request: HttpRequest) -> list[str]:
    """Every cookie of every ``cookie`` header, as the ``cookies`` of an event."""
    return [
        part.strip()
        for name, value in request.headers
        if name.lower() == "cookie"
        for part in value.split(";")
        if part.strip()
    ]


def joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Values of the same name together, separated by commas."""
    result: dict[str, str] = {}
    for name, value in pairs:
        result[name] = f"{result[name]},{value}" if name in result else value
    return result


def host_name(request: HttpRequest) -> str:
    """The host that the client asked for, without the port; may be empty."""
    name = (request.header("host") or "").rpartition("@")[2]
    return name.partition("]")[0] + "]" if name.startswith("[") else name.partition(":")[0]


def new_trace_id() -> str:
    """``X-Amzn-Trace-Id`` for a request that brings none."""
    return f"Root=1-{int(time.time()):08x}-{random.getrandbits(96):024x}"
