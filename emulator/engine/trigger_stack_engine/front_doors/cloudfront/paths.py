"""Path patterns of cache behaviours, and paths of invalidations.

AWS topics: CloudFront Developer Guide, "Path pattern" and "What you need to know when invalidating
files".
"""

from __future__ import annotations

import fnmatch
import functools
import re
from typing import Final
from urllib.parse import unquote_to_bytes

_UNRESERVED: Final = re.compile(
    r"%(2[dDeE]|3[0-9]|4[1-9a-fA-F]|5[0-9aAfF]|6[1-9a-fA-F]|7[0-9aAeE])"
)


@functools.lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    # fnmatch's expressions take linear time, however many wildcards there are.
    return re.compile(fnmatch.translate(pattern.replace("[", "[[]")))


def wildcard(pattern: str, text: str) -> bool:
    """Whether a text fits: ``*`` is any text, ``?`` any one character."""
    return _compiled(pattern).match(text) is not None


class PathPattern:
    """The path pattern of a cache behaviour; upper and lower case differ.

    Args:
        text: As it is written; ``images/*`` and ``/images/*`` are the same.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        plain = text.replace("&amp;", "&")
        self._pattern = plain if plain.startswith(("/", "*")) else f"/{plain}"

    def matches(self, path: str) -> bool:
        """Whether a path, percent-encoded and without the query, fits."""
        return wildcard(self._pattern, normalized(path))


def normalized(path: str) -> str:
    """A path as patterns see it (RFC 3986, section 6.2.2): no dot segments, no needless escapes."""
    decoded = _UNRESERVED.sub(lambda match: chr(int(match[1], 16)), path)
    if "/." not in decoded:
        return decoded
    kept: list[str] = []
    segments = decoded.split("/")
    for segment in segments:
        if segment == "..":
            if len(kept) > 1:
                kept.pop()
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/".join(kept) or "/"


class Invalidation:
    """What an invalidation covers.

    Args:
        paths: As ``CreateInvalidation`` takes them. Only a ``*`` at the end is a wildcard.
    """

    def __init__(self, paths: list[str]) -> None:
        written = [path if path.startswith("/") else f"/{path}" for path in paths]
        self._exact = {_plain(path) for path in written if not path.endswith("*")}
        self._beginnings = tuple(_plain(path[:-1]) for path in written if path.endswith("*"))

    def covers(self, target: str) -> bool:
        """Whether an object is covered.

        Args:
            target: Its path, and ``?`` with the query strings of its cache key if it has any.
        """
        plain = _plain(target)
        return plain in self._exact or plain.startswith(self._beginnings)


def _plain(path: str) -> bytes:
    return unquote_to_bytes(path)
