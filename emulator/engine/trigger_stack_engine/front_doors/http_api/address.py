"""How a request names an HTTP API, and the path below its address."""

from __future__ import annotations

import re

_HOST = re.compile(r"([a-z0-9-]+)\.execute-api\.", re.IGNORECASE)
_PREFIX = "/_aws/execute-api/"
_PATH = re.compile(r"/_aws/execute-api/([A-Za-z0-9-]+)(/.*)?", re.DOTALL)


def locate(host: str, raw_path: str) -> tuple[str, str] | None:
    """The id of the API that a request names, and the path below its address."""
    if match := _HOST.match(host):
        return match[1].lower(), raw_path
    if raw_path.startswith(_PREFIX) and (match := _PATH.fullmatch(raw_path)):
        return match[1].lower(), match[2] or "/"
    return None
