"""What the ``HttpParameters`` of a target add to the request of an API destination.

AWS topics: Amazon EventBridge API Reference, "HttpParameters" (path values fill the wildcards
``*``; the connection's values take precedence); User Guide, "API destinations as targets", "Headers
in requests" (the default ``Content-Type`` is sent if no custom one is specified).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping
from typing import Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

#: Sent if neither the connection nor the target has another one.
DEFAULT_CONTENT_TYPE: Final = "application/json; charset=utf-8"
_WILDCARD: Final = "*"


def fill_path(endpoint: str, values: Iterable[str]) -> str:
    """An endpoint whose wildcards are replaced, each by the next value.

    A wildcard without a value stays; a value without a wildcard is not used.
    """
    url = urlsplit(endpoint)
    path = url.path
    parts = path.split(_WILDCARD)
    filled = parts[0]
    given = iter(values)
    for part in parts[1:]:
        value = next(given, None)
        filled += (_WILDCARD if value is None else quote(value, safe="/$@:+=,;~")) + part
    return urlunsplit(url._replace(path=filled))


def add_query(endpoint: str, parameters: Mapping[str, str]) -> str:
    """An endpoint with more parameters; those that it has already stay as they are."""
    url = urlsplit(endpoint)
    known = {name for name, _ in parse_qsl(url.query, keep_blank_values=True)}
    added = urlencode([one for one in parameters.items() if one[0] not in known])
    return urlunsplit(url._replace(query="&".join(part for part in (url.query, added) if part)))


def replace_query(endpoint: str, parameters: Mapping[str, str]) -> str:
    """An endpoint with parameters that replace those of the same name."""
    url = urlsplit(endpoint)
    kept = [
        (name, value)
        for name, value in parse_qsl(url.query, keep_blank_values=True)
        if name not in parameters
    ]
    return urlunsplit(url._replace(query=urlencode([*kept, *parameters.items()])))


def add_headers(headers: MutableMapping[str, str], more: Mapping[str, str]) -> None:
    """Add a target's headers; what is there stays, but for the default ``Content-Type``.

    Args:
        headers: EventBridge's own and the connection's; changed.
        more: The target's.
    """
    known = {name.lower(): name for name in headers}
    for name, value in more.items():
        there = known.get(name.lower())
        if there is None:
            headers[name] = value
        elif there == "Content-Type" and headers[there] == DEFAULT_CONTENT_TYPE:
            headers[there] = value
