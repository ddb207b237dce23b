"""The objects that are kept, within a bound of memory."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from trigger_stack_engine.front_doors.cloudfront.caching import CacheKey
from trigger_stack_engine.front_doors.cloudfront.paths import Invalidation
from trigger_stack_engine.front_doors.core.message import Headers

#: What an object takes besides its body, about.
_OVERHEAD = 1000


@dataclass(slots=True)
class Entry:
    """One object.

    Attributes:
        stored_at: Seconds since 1970, by the clock of the stack.
        fresh_s: Seconds that it stays fresh.
        body: As the origin sent it, or compressed when ``headers`` says so.
    """

    status: int
    headers: Headers
    body: bytes
    stored_at: float
    fresh_s: float

    def is_fresh(self, now: float) -> bool:
        """Whether it may be used without asking the origin; a clock that was set back ends it."""
        return self.stored_at <= now < self.stored_at + self.fresh_s

    @property
    def size(self) -> int:
        """Bytes that it takes, about."""
        return _OVERHEAD + len(self.body) + sum(len(k) + len(v) for k, v in self.headers)


@dataclass(slots=True, eq=False)
class Fetch:
    """A request to an origin that is under way.

    Attributes:
        outdated: Whether an invalidation has covered it since it began: what comes of it is not
            kept, and nobody else waits for it.
    """

    key: CacheKey
    done: asyncio.Event = field(default_factory=asyncio.Event)
    outdated: bool = False


class Store:
    """The cache of all distributions; what was used longest ago goes first.

    Args:
        most_bytes: The bound.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._entries: OrderedDict[CacheKey, Entry] = OrderedDict()
        self._size = 0
        self._fetches: dict[CacheKey, Fetch] = {}
        self._alone: set[Fetch] = set()

    @property
    def size(self) -> int:
        """Bytes that all objects take, about."""
        return self._size

    def get(self, key: CacheKey) -> Entry | None:
        """The object of a key, fresh or not."""
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
        return entry

    def put(self, fetch: Fetch, entry: Entry) -> None:
        """Keep what a fetch brought, unless it was invalidated meanwhile or is too large."""
        self._drop(fetch.key)
        if fetch.outdated or entry.size > self._most_bytes // 2:
            return
        self._entries[fetch.key] = entry
        self._size += entry.size
        while self._size > self._most_bytes:
            self._drop(next(iter(self._entries)))

    def running(self, key: CacheKey) -> Fetch | None:
        """The fetch of this key that others may wait for."""
        return self._fetches.get(key)

    def begin(self, key: CacheKey) -> Fetch:
        """A fetch begins. The first of several is the one that others wait for."""
        fetch = Fetch(key)
        if key in self._fetches:
            self._alone.add(fetch)
        else:
            self._fetches[key] = fetch
        return fetch

    def end(self, fetch: Fetch) -> None:
        """A fetch has ended, with or without an object."""
        self._alone.discard(fetch)
        if self._fetches.get(fetch.key) is fetch:
            del self._fetches[fetch.key]
        fetch.done.set()

    def invalidate(self, distribution_id: str, paths: list[str]) -> int:
        """Drop objects; what is being fetched will not be kept.

        Returns:
            How many were dropped.
        """
        invalidation = Invalidation(paths)
        return self._remove(
            lambda key: key.distribution == distribution_id and invalidation.covers(key.target)
        )

    def keep(self, distributions: set[str]) -> None:
        """These are all distributions that there are."""
        self._remove(lambda key: key.distribution not in distributions)

    def _remove(self, covered: Callable[[CacheKey], bool]) -> int:
        found = [key for key in self._entries if covered(key)]
        for key in found:
            self._drop(key)
        for fetch in [*self._fetches.values(), *self._alone]:
            if covered(fetch.key):
                fetch.outdated = True
        for key in [key for key, fetch in self._fetches.items() if fetch.outdated]:
            self._alone.add(self._fetches.pop(key))
        return len(found)

    def _drop(self, key: CacheKey) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._size -= entry.size
