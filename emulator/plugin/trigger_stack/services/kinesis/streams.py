"""Streams, their shards and their records.

AWS topic: Amazon Kinesis Data Streams Developer Guide, "Amazon Kinesis Data Streams terminology and
concepts". A record belongs to the shard whose range of hash keys has its key; a shard that was
split or merged is closed and keeps its records until they expire.
"""

from __future__ import annotations

import hashlib
import itertools
import threading
import time
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

HASH_KEYS = 2**128
ON_DEMAND_SHARDS = 4
DEFAULT_RETENTION_HOURS = 24
_numbers = itertools.count(1)
_number_lock = threading.Lock()
_last_ms = 0


def next_sequence_number(shard: int) -> str:
    """A number of 56 digits that is higher than every earlier one."""
    global _last_ms  # noqa: PLW0603  one sequence for the process
    with _number_lock:
        _last_ms = max(_last_ms, time.time_ns() // 1_000_000)
        return f"49{_last_ms:013d}{next(_numbers):029d}{shard:012d}"


def hash_key(partition_key: str) -> int:
    """The hash key of a partition key: MD5, as a number (PutRecord, "PartitionKey")."""
    return int.from_bytes(hashlib.md5(partition_key.encode(), usedforsecurity=False).digest())


@dataclass(frozen=True, slots=True)
class Record:
    """A record of a shard.

    Attributes:
        data: The bytes that were put.
        partition_key: Decides on the shard.
        sequence_number: 56 digits; higher than that of every record before it in the shard.
        arrived: Time of arrival, in seconds since 1970.
    """

    data: bytes
    partition_key: str
    sequence_number: str
    arrived: float


@dataclass
class Shard:
    """A shard, with the records that have not expired, oldest first.

    Attributes:
        trimmed: The sequence number of the last record that expired; "" when none did.
    """

    number: int
    first_hash_key: int
    last_hash_key: int
    parents: tuple[str, ...] = ()
    starting_sequence_number: str = ""
    ending_sequence_number: str | None = None
    records: deque[Record] = field(default_factory=deque)
    trimmed: str = ""

    def __post_init__(self) -> None:
        self.starting_sequence_number = next_sequence_number(self.number)

    @property
    def id(self) -> str:
        """``shardId-000000000000`` and so on."""
        return f"shardId-{self.number:012d}"

    @property
    def is_open(self) -> bool:
        """Whether records can be put to it."""
        return self.ending_sequence_number is None

    def close(self) -> None:
        """Take no more records: it was split or merged."""
        self.ending_sequence_number = next_sequence_number(self.number)

    def put(self, data: bytes, partition_key: str) -> Record:
        """Add a record at the end."""
        number = next_sequence_number(self.number)
        record = Record(data, partition_key, number, time.time())
        self.records.append(record)
        return record

    def drop_before(self, oldest: float) -> None:
        """Drop records that arrived before a time."""
        while self.records and self.records[0].arrived < oldest:
            self.trimmed = self.records.popleft().sequence_number

    def after(self, sequence_number: str, count: int) -> list[Record]:
        """Up to ``count`` records with a higher number; "" is before the first."""
        found = bisect_right(self.records, sequence_number, key=lambda one: one.sequence_number)
        return list(itertools.islice(self.records, found, found + count))

    def before_time(self, timestamp: float) -> str:
        """The sequence number of the last record that arrived before a time, "" if none did."""
        found = bisect_left(self.records, timestamp, key=lambda one: one.arrived)
        return self.records[found - 1].sequence_number if found else ""

    def latest(self) -> str:
        """The sequence number of the last record, or a lower one than the next one's."""
        return self.records[-1].sequence_number if self.records else self.starting_sequence_number


class Stream:
    """A stream. Its lock is held while shards or records change or are read.

    Args:
        shard_count: Shards to begin with, each with an equal range of hash keys.
    """

    def __init__(self, name: str, arn: str, shard_count: int, *, on_demand: bool) -> None:
        self.name = name
        self.arn = arn
        self.on_demand = on_demand
        self.created = time.time()
        self.retention_hours = DEFAULT_RETENTION_HOURS
        self.tags: dict[str, str] = {}
        self.metrics: set[str] = set()
        self.key_id: str | None = None
        self.consumers: dict[str, float] = {}
        self.changed = threading.Condition()
        self.deleted = False
        self.shards: dict[str, Shard] = {}
        for first, last in _ranges(shard_count):
            self._add(first, last)

    def _add(self, first: int, last: int, parents: Iterable[Shard] = ()) -> Shard:
        shard = Shard(len(self.shards), first, last, tuple(one.id for one in parents))
        self.shards[shard.id] = shard
        return shard

    @property
    def retention_s(self) -> float:
        """How long a record is kept, in seconds."""
        return self.retention_hours * 3600.0

    @property
    def open_shards(self) -> list[Shard]:
        """The shards that take records, in the order of their ranges."""
        found = (shard for shard in self.shards.values() if shard.is_open)
        return sorted(found, key=lambda shard: shard.first_hash_key)

    def put(self, data: bytes, partition_key: str, explicit: int | None) -> tuple[Shard, Record]:
        """Add a record to the shard of its hash key, and wake who waits."""
        key = hash_key(partition_key) if explicit is None else explicit
        with self.changed:
            shard = next(one for one in self.open_shards if key <= one.last_hash_key)
            record = shard.put(data, partition_key)
            self.changed.notify_all()
        return shard, record

    def read(self, shard: Shard, after: str, count: int) -> tuple[list[Record], float]:
        """Records of a shard after a sequence number.

        Returns:
            The records, and how old the next one is, in seconds; 0 when there is none.
        """
        with self.changed:
            now = time.time()
            shard.drop_before(now - self.retention_s)
            found = shard.after(after, count + 1)
        behind = now - found[count].arrived if len(found) > count else 0
        return found[:count], behind

    def trim_horizon(self, shard: Shard) -> str:
        """The sequence number of the last record of a shard that expired; "" when none did."""
        with self.changed:
            shard.drop_before(time.time() - self.retention_s)
            return shard.trimmed

    def has_more(self, shard: Shard, after: str) -> bool:
        """Whether a reader will ever get more: the shard is open, or has records left."""
        with self.changed:
            return shard.is_open or bool(shard.after(after, 1))

    def wait(self, ready: Callable[[], bool], wait_s: float) -> None:
        """Wait until ``ready``, or for ``wait_s`` seconds; asked again after each change."""
        with self.changed:
            self.changed.wait_for(ready, wait_s)

    def wake(self) -> None:
        """Have those who wait ask again."""
        with self.changed:
            self.changed.notify_all()

    def split(self, shard: Shard, at: int) -> None:
        """Close a shard and make two of its range; the second begins with ``at``."""
        with self.changed:
            shard.close()
            self._add(shard.first_hash_key, at - 1, [shard])
            self._add(at, shard.last_hash_key, [shard])
            self.changed.notify_all()

    def merge(self, shard: Shard, other: Shard) -> None:
        """Close two adjacent shards and make one of their ranges."""
        with self.changed:
            shard.close()
            other.close()
            first = min(shard.first_hash_key, other.first_hash_key)
            last = max(shard.last_hash_key, other.last_hash_key)
            self._add(first, last, [shard, other])
            self.changed.notify_all()

    def reshard(self, count: int) -> None:
        """Split the widest or merge the narrowest shards until there are ``count`` open ones."""
        with self.changed:
            while len(self.open_shards) < count:
                widest = max(
                    self.open_shards, key=lambda one: one.last_hash_key - one.first_hash_key
                )
                middle = (widest.first_hash_key + widest.last_hash_key) // 2 + 1
                self.split(widest, middle)
            while len(self.open_shards) > count:
                pairs = itertools.pairwise(self.open_shards)
                self.merge(
                    *min(pairs, key=lambda pair: pair[1].last_hash_key - pair[0].first_hash_key)
                )


def _width(shard: Shard) -> int:
    return shard.last_hash_key - shard.first_hash_key


def _ranges(count: int) -> list[tuple[int, int]]:
    edges = [HASH_KEYS * index // count for index in range(count + 1)]
    return [(first, last - 1) for first, last in itertools.pairwise(edges)]
