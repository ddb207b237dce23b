"""Loops of functions that cause themselves are stopped.

The ``Lineage`` of the tracing header says how often each function was invoked in a chain of
requests: ``Lineage=<function>:<count>|<function>:<count>``. A function's SDK sends the header of
its invocation with each request; queues, topics and buckets hand it on.

AWS topic: AWS Lambda Developer Guide, "Use Lambda recursive loop detection to prevent infinite
loops": after about 16 invocations in one chain, through Lambda, SQS, SNS and S3. The form of
``Lineage`` is not documented.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable

from trigger_stack_engine.invoke.tracing import LINEAGE, part_of

#: So often a function is invoked in one chain.
MOST = 16


@functools.lru_cache(4096)
def mark_of(arn: str) -> str:
    """What stands for a function in a lineage."""
    return hashlib.blake2b(arn.encode(), digest_size=4).hexdigest()


def count_of(header: str | None, arn: str) -> int:
    """How often a function was invoked in the chain that a header belongs to."""
    return _counts(part_of(header, LINEAGE)).get(mark_of(arn), 0)


def counted(header: str, arn: str) -> str:
    """The header that an invocation of a function gives on: the lineage has one more of it."""
    lineage, mark = part_of(header, LINEAGE), mark_of(arn)
    if not lineage:
        return f"{header};{LINEAGE}={mark}:1"
    counts = _counts(lineage)
    counts[mark] = counts.get(mark, 0) + 1
    return header.replace(f"{LINEAGE}={lineage}", f"{LINEAGE}={_text(counts)}")


def merged(headers: Iterable[str | None]) -> str | None:
    """A header with the lineage of all messages of a batch; None when none has one."""
    counts: dict[str, int] = {}
    for header in headers:
        for mark, count in _counts(part_of(header, LINEAGE)).items():
            counts[mark] = max(count, counts.get(mark, 0))
    return f"{LINEAGE}={_text(counts)}" if counts else None


def _counts(lineage: str) -> dict[str, int]:
    counts: dict[str, int] = {}
    for one in lineage.split("|"):
        mark, _, count = one.partition(":")
        if mark and count.isdecimal():
            counts[mark] = int(count[:9])
    return counts


def _text(counts: dict[str, int]) -> str:
    return "|".join(f"{mark}:{count}" for mark, count in counts.items())
