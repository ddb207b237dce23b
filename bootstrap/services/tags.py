"""Tags of a resource, made to be as described."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

type Tags = Iterable[Mapping[str, str]]


def named(tags: Tags) -> dict[str, str]:
    """Tags as a mapping, for a list of ``{Key, Value}``."""
    return {one["Key"]: one["Value"] for one in tags}


def listed(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as a list of ``{Key, Value}``."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def ensure(
    wanted: Mapping[str, str],
    current: Mapping[str, str],
    tag: Callable[[dict[str, str]], Any],
    untag: Callable[[list[str]], Any],
) -> bool:
    """Make the tags be ``wanted``; whether that took anything.

    Args:
        wanted: as described.
        current: as they are.
        tag: called with those that are new or other.
        untag: called with the keys of those that are not described.
    """
    stale = sorted(current.keys() - wanted.keys())
    new = {key: value for key, value in wanted.items() if current.get(key) != value}
    if stale:
        untag(stale)
    if new:
        tag(new)
    return bool(stale or new)
