"""How a request names a REST API, its stage, and the path below it.

AWS's address is ``https://<api id>.execute-api.<region>.amazonaws.com/<stage>/…``. Two path forms
are for clients that do not resolve names below ``localhost``; in ours the API's name may stand for
its id, so that the address stays the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

PATH_PREFIX: Final = "/_rest-api/"
_HOST = re.compile(r"([a-z0-9-]+)\.execute-api\.", re.IGNORECASE)
_PATHS: Final = (
    re.compile(r"/_rest-api/(?P<api>[^/]+)(?:/(?P<stage>[^/]+)(?P<path>/.*)?)?/?", re.DOTALL),
    re.compile(
        r"/_aws/execute-api/(?P<api>[A-Za-z0-9-]+)(?:/(?P<stage>[^/]+)(?P<path>/.*)?)?/?", re.DOTALL
    ),
    re.compile(
        r"/restapis/(?P<api>[A-Za-z0-9-]+)/(?P<stage>[^/]+)/_user_request_(?P<path>/.*)?", re.DOTALL
    ),
)
_PREFIXES: Final = (PATH_PREFIX, "/_aws/execute-api/", "/restapis/")


@dataclass(frozen=True, slots=True)
class Address:
    """What a request asks for.

    Attributes:
        api: Id of the API in lower case, or its name.
        stage: Name of the stage; empty when there is none.
        path: Percent-encoded path below the stage, ``/`` at least.
    """

    api: str
    stage: str
    path: str


def locate(host: str, raw_path: str) -> Address | None:
    """The address that a request names, or ``None`` when it names none.

    Args:
        host: The ``Host`` header.
        raw_path: The path, percent-encoded.
    """
    if match := _HOST.match(host):
        stage, _, path = raw_path[1:].partition("/")
        return Address(match[1].lower(), stage, f"/{path}")
    if not raw_path.startswith(_PREFIXES):  # most requests are for something else
        return None
    for pattern in _PATHS:
        if match := pattern.fullmatch(raw_path):
            api = match["api"] if pattern is _PATHS[0] else match["api"].lower()
            return Address(api, match["stage"] or "", match["path"] or "/")
    return None
