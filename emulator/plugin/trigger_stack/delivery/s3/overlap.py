"""Whether notifications of one bucket can stand beside each other.

AWS topic: Amazon S3 User Guide, "Configuring event notifications using object key name filtering":
examples that are valid, and examples with invalid overlapping. The rule TS401 of
``bootstrap/checks/buckets.py`` decides the same for a definition.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

_AMBIGUOUS = (
    "Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules if the "
    "prefixes are overlapping for the same event type."
)
_UNFILTERED = (
    "Configurations overlap. Configurations on the same bucket cannot share a common event type."
)


@dataclass(frozen=True, slots=True)
class Notified:
    """Which events of which keys one notification is for.

    Attributes:
        events: For example ``s3:ObjectCreated:*``.
        prefix: Empty when each key fits.
        suffix: Empty when each key fits.
    """

    events: tuple[str, ...]
    prefix: str = ""
    suffix: str = ""

    @classmethod
    def of(cls, configuration: Mapping[str, Any]) -> Notified:
        """Of one configuration of ``PutBucketNotificationConfiguration``."""
        given = {"prefix": "", "suffix": ""}
        rules = ((configuration.get("Filter") or {}).get("Key") or {}).get("FilterRules")
        for rule in rules or []:
            given[str(rule.get("Name")).lower()] = rule.get("Value") or ""
        return cls(tuple(configuration.get("Events") or ()), given["prefix"], given["suffix"])


def refusal(notifications: Iterable[Notified]) -> str | None:
    """S3's message when two could fire for one change of one object; else ``None``."""
    for left, right in combinations(notifications, 2):
        if _overlap(left, right):
            filtered = left.prefix or left.suffix or right.prefix or right.suffix
            return _AMBIGUOUS if filtered else _UNFILTERED
    return None


def _overlap(left: Notified, right: Notified) -> bool:
    short_prefix, prefix = sorted((left.prefix, right.prefix), key=len)
    short_suffix, suffix = sorted((left.suffix, right.suffix), key=len)
    return (
        any(_share(*pair) for pair in product(left.events, right.events))
        and prefix.startswith(short_prefix)
        and suffix.endswith(short_suffix)
    )


def _share(left: str, right: str) -> bool:
    """Whether there are events of both types."""
    return left == right or any(
        one.endswith("*") and other.startswith(one[:-1])
        for one, other in ((left, right), (right, left))
    )
