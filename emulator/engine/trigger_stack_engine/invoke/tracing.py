"""The X-Ray header by which causes and effects are found together.

AWS topic: AWS X-Ray Developer Guide, "Tracing header". ``Root`` is the same in everything that one
request causes; ``Parent`` is the segment that caused this one. A function's SDK sends the header of
its own invocation with each request.
"""

from __future__ import annotations

import hashlib
import secrets
import time

#: How often functions were invoked in a chain; see ``recursion.py``.
LINEAGE = "Lineage"


def segment_of(request_id: str) -> str:
    """The segment id (16 hexadecimal digits) of an invocation."""
    return hashlib.blake2b(request_id.encode(), digest_size=8).hexdigest()


def parts_of(header: str | None) -> tuple[str, str]:
    """``Root`` and ``Parent`` of a header, each an empty text when it is not there."""
    if header is None:
        return "", ""
    if ";" not in header:  # as the front doors make it
        return (header[5:], "") if header.startswith("Root=") else ("", parent_of(header))
    return trace_of(header), parent_of(header)


def trace_of(header: str | None) -> str:
    """The ``Root`` of a header, or an empty text."""
    return part_of(header, "Root")


def parent_of(header: str | None) -> str:
    """The ``Parent`` of a header: the segment that caused it; or an empty text."""
    return part_of(header, "Parent")


def part_of(header: str | None, wanted: str) -> str:
    """One part of a header, or an empty text."""
    for part in (header or "").split(";"):
        name, _, value = part.partition("=")
        if name == wanted:
            return value
    return ""


def with_parent(header: str | None, segment: str) -> str:
    """The header that an invocation gives on: same root and lineage, itself as the parent."""
    root, _ = parts_of(header)
    if not root:
        root = f"1-{int(time.time()):08x}-{secrets.token_hex(12)}"
    sampled = "0" if header is not None and "Sampled=0" in header else "1"
    given_on = f"Root={root};Parent={segment};Sampled={sampled}"
    if header is not None and LINEAGE in header:
        return f"{given_on};{LINEAGE}={part_of(header, LINEAGE)}"
    return given_on
