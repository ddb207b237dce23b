"""One event source mapping of a stream: a reader for each shard, each with its lanes.

A record wakes the mapping. A shard that came from others is read when they are finished (AWS Lambda
Developer Guide, "Process Amazon Kinesis Data Streams records with Lambda", "Polling and batching
streams"). Where each shard was finished is kept by the caller: a mapping that is disabled, updated
and enabled goes on there, when the invocations that were under way have ended.
"""

from __future__ import annotations

import logging
import threading
import zlib
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Protocol

from trigger_stack.delivery.streams.lane import Lane, Target
from trigger_stack.delivery.streams.records import Filters, Record
from trigger_stack.delivery.streams.settings import StreamSettings
from trigger_stack.delivery.streams.windows import TumblingLane, Window

LOG = logging.getLogger(__name__)

_READ_AT_ONCE = 10_000
#: Records that were read and have no end yet, at most, in batches of each lane.
_BATCHES_AHEAD = 4
_ASK_AGAIN_S = 5.0
#: A record may be readable a moment after its writer was answered.
_SOON_S = (0.02, 0.1, 0.5)
_NEW_SHARDS_S = 10.0
_STOP_S = 10.0
#: How long to wait for an earlier run before it is asked whether this one was stopped.
_TURN_S = 0.1
_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 30.0


@dataclass(frozen=True, slots=True)
class ShardInfo:
    """A shard, and the shards that it came from.

    Attributes:
        id: Its id.
        parents: Theirs.
        made: Another text for another shard of that id: of a stream that was deleted and made
            again.
    """

    id: str
    parents: tuple[str, ...] = ()
    made: str = ""


@dataclass(frozen=True, slots=True)
class Read:
    """What a read gave.

    Attributes:
        records: In their order.
        position: Where to read on.
        ended: Whether the shard is closed and read to its end.
        trimmed: When the stream's retention has removed records that were not read: the sequence
            numbers of the last one that was read, "" when none was, and of the last one that is
            gone, "" when it is not known.
    """

    records: list[Record]
    position: Any
    ended: bool = False
    trimmed: tuple[str, str] | None = None


class Stream(Protocol):
    """The stream of a mapping. Positions are the stream's own business."""

    def shards(self) -> list[ShardInfo]:
        """All shards, open or closed."""
        ...

    def start(self, shard: str, kind: str, timestamp: float | None) -> Any:
        """The position that a starting position stands for."""
        ...

    def after(self, sequence_number: str) -> Any:
        """The position behind a record."""
        ...

    def begin(self, shard: str, position: Any, limit: int) -> Any:
        """Begin a read, so that the thread that reads need only take what came. Never raises.

        Returns:
            For ``read``; ``None`` when nothing was begun.
        """
        ...

    def read(self, shard: str, position: Any, limit: int, begun: Any = None) -> Read:
        """Up to ``limit`` records from a position on, by what ``begin`` has begun there."""
        ...

    def retention_s(self) -> float:
        """How long a record is kept, in seconds. Never raises."""
        ...


@dataclass
class Progress:
    """How far a mapping has come; it outlives the mapping's runs.

    Attributes:
        positions: By shard, the position behind the last record before which all have an end.
        ended: Shards that are finished.
        windows: By shard, the tumbling window that is open.
        made: By shard, ``ShardInfo.made``.
        running: Held by the run that handles records: a record is never handled by two.
    """

    positions: dict[str, Any] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    windows: dict[str, Window] = field(default_factory=dict)
    made: dict[str, str] = field(default_factory=dict)
    running: threading.Lock = field(default_factory=threading.Lock, compare=False, repr=False)


class StreamMapping:
    """A mapping while it is enabled.

    Args:
        settings: What is configured.
        stream: Where records come from.
        target: The function and the on-failure destination.
        filters: Which records the function gets.
        progress: Where to go on, and where progress is kept.
    """

    def __init__(
        self,
        settings: StreamSettings,
        stream: Stream,
        target: Target,
        filters: Filters,
        progress: Progress,
    ) -> None:
        self._settings = settings
        self._stream = stream
        self._target = target
        self._filters = filters
        self._progress = progress
        self._readers: dict[str, ShardReader] = {}
        self._changed = threading.Event()
        self._stopped = threading.Event()
        self._finished = threading.Event()
        self._prepared = False

    def prepare(self) -> None:
        """Fix where each shard begins. A record that is put after this is handled."""
        kind, timestamp = self._settings.starting_position, self._settings.starting_timestamp
        for shard in self._stream.shards():
            if shard.id not in self._progress.positions:
                start = self._stream.start(shard.id, kind, timestamp)
                self._progress.positions[shard.id] = start
        self._prepared = True

    def run(self) -> None:
        """Handle records until ``stop`` is called.

        An earlier run with the same progress may still wait for the end of an invocation: its
        records are this run's only when that has failed.
        """
        running = self._progress.running
        while not running.acquire(timeout=_TURN_S):
            if self._stopped.is_set():
                self._finished.set()
                return
        try:
            self._run()
        finally:
            running.release()

    def _run(self) -> None:
        pause_s = _FIRST_PAUSE_S
        try:
            while not self._stopped.is_set():
                self._changed.clear()
                try:
                    if not self._prepared:
                        self.prepare()
                    self._start_readers()
                    pause_s = _FIRST_PAUSE_S
                except Exception as error:  # the stream may come back
                    LOG.warning("%s cannot be read: %s", self._settings.source_arn, error)
                    self._stopped.wait(pause_s)
                    pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                    continue
                self._changed.wait(_NEW_SHARDS_S)
        finally:
            for reader in self._readers.values():
                reader.stop()
            for reader in self._readers.values():
                reader.join()
            self._finished.set()

    def stop(self) -> None:
        """Take no more records; returns when none can be taken, after ten seconds at most."""
        self._stopped.set()
        self._changed.set()
        for reader in list(self._readers.values()):
            reader.stop()
        self._finished.wait(_STOP_S)

    def wake(self) -> None:
        """There may be records."""
        readers = list(self._readers.values())
        for reader in readers:
            reader.wake()
        if not readers:  # nor was there a shard yet
            self._changed.set()

    def _start_readers(self) -> None:
        shards = self._stream.shards()
        known = {shard.id for shard in shards}
        for shard in shards:
            if self._progress.made.setdefault(shard.id, shard.made) != shard.made:
                self._begin_anew(shard)
        for shard in shards:
            waits = any(one in known - self._progress.ended for one in shard.parents)
            if shard.id in self._readers or shard.id in self._progress.ended or waits:
                continue
            if shard.id not in self._progress.positions:
                # It is new: all that is in it was put after the mapping had begun.
                start = self._stream.start(shard.id, "TRIM_HORIZON", None)
                self._progress.positions[shard.id] = start
            if self._stopped.is_set():
                return
            reader = ShardReader(self, shard.id)
            self._readers[shard.id] = reader
            reader.start()

    def _begin_anew(self, shard: ShardInfo) -> None:
        """The stream was made again: a shard that was finished is another one now.

        One that is read is read on: its new records have higher numbers than those before.
        """
        self._progress.made[shard.id] = shard.made
        if shard.id in self._progress.ended:
            self._progress.ended.remove(shard.id)
            self._progress.positions.pop(shard.id, None)
            self._readers.pop(shard.id, None)


class ShardReader:
    """Reads a shard, and hands its records to lanes."""

    def __init__(self, mapping: StreamMapping, shard: str) -> None:
        self._mapping = mapping
        self._shard = shard
        self._settings = mapping._settings
        self._stream = mapping._stream
        self._progress = mapping._progress
        self._woken = threading.Event()
        self._asking = threading.Lock()
        self._place: tuple[Any, int] | None = None  # while it waits: where it goes on, how many
        self._begun: tuple[Any, int] | None = None  # the read there, and how many it asks for
        self._woken_again = False
        self._stopped = threading.Event()
        self._outstanding: deque[list[Any]] = deque()  # [sequence number, whether it has an end]
        self._places: dict[str, list[Any]] = {}
        self._room = threading.Condition()
        self._lanes = [self._lane() for _ in range(self._lane_count())]
        name = f"stream-{mapping._settings.source_arn.rpartition('/')[2]}-{shard[-12:]}"
        self._threads = [
            threading.Thread(target=lane.run, name=f"{name}-{index}", daemon=True)
            for index, lane in enumerate(self._lanes)
        ]
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def _lane_count(self) -> int:
        return 1 if self._settings.tumbling_window_s else self._settings.lanes

    def _lane(self) -> Lane:
        arguments = (self._settings, self._shard, self._mapping._target, self._done)
        if self._settings.tumbling_window_s:
            return TumblingLane(
                *arguments,
                open_windows=self._progress.windows,
                retention_s=self._stream.retention_s,
            )
        return Lane(*arguments, retention_s=self._stream.retention_s)

    def start(self) -> None:
        """Begin."""
        for thread in (*self._threads, self._thread):
            thread.start()

    def stop(self) -> None:
        """End soon."""
        self._stopped.set()
        self._woken.set()
        with self._room:
            self._room.notify_all()
        for lane in self._lanes:
            lane.stop()

    def join(self) -> None:
        """Wait for the end of the invocations that are under way."""
        for thread in (self._thread, *self._threads):
            thread.join()

    def wake(self) -> None:
        """There may be records: ask for them at once, while the reader's thread wakes."""
        with self._asking:
            self._woken_again = self._begun is not None
            if self._place is not None:
                place, self._place = self._place, None
                begun = self._stream.begin(self._shard, *place)
                self._begun = begun and (begun, place[1])
        self._woken.set()

    def _wait(self, place: tuple[Any, int], seconds: float) -> bool:
        """Wait for records; whether there may be some."""
        with self._asking:
            if not self._woken.is_set() and place[1] > 0:
                self._place = place
        woken = self._woken.wait(seconds)
        with self._asking:
            self._place = None
        return woken

    def _take_begun(self) -> tuple[Any, int] | None:
        """The read that was begun. What has woken the reader later may not be in it."""
        with self._asking:
            begun, self._begun = self._begun, None
            self._woken.clear()
            if self._woken_again:
                self._woken.set()
                self._woken_again = False
        return begun

    def _run(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while not self._stopped.is_set():
            try:
                ended = self._read_on()
                pause_s = _FIRST_PAUSE_S
            except Exception as error:  # the stream may come back
                LOG.warning("%s, %s: %s", self._settings.source_arn, self._shard, error)
                self._stopped.wait(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                continue
            if ended:
                self._finish()
                return

    def _read_on(self) -> bool:
        """Read until the end of the shard, or of the mapping; whether it is the shard's."""
        with self._room:
            position = self._progress.positions[self._shard]
            if self._outstanding:  # after an error: on behind what was read already
                position = self._stream.after(self._outstanding[-1][0])
        empty = 0
        while not self._stopped.is_set():
            begun = self._take_begun()
            limit = self._wait_for_room()
            if self._stopped.is_set():
                break
            asked, limit = begun or (None, limit)
            read = self._stream.read(self._shard, position, limit, asked)
            position = read.position
            if read.trimmed is not None:
                self._mapping._target.trimmed(self._shard, *read.trimmed)
            if read.records:
                empty = 0
                self._hand_out(read.records)
            elif not read.ended:
                self._keep(position)
            if read.ended:
                return True
            if len(read.records) < limit:  # else there are more
                seconds = _SOON_S[empty] if empty < len(_SOON_S) else _ASK_AGAIN_S
                woken = self._wait((position, limit - len(read.records)), seconds)
                empty = 0 if woken else empty + 1
        return False

    def _wait_for_room(self) -> int:
        """Wait until so many records have an end that more may be read; how many."""
        most = min(_READ_AT_ONCE, _BATCHES_AHEAD * self._settings.batch_size * len(self._lanes))
        with self._room:
            self._room.wait_for(lambda: len(self._outstanding) < most or self._stopped.is_set())
            return most - len(self._outstanding)

    def _hand_out(self, records: list[Record]) -> None:
        passed: list[list[Record]] = [[] for _ in self._lanes]
        filtered = []
        for record in records:
            if self._mapping._filters.pass_through(record):
                passed[zlib.crc32(record.key.encode()) % len(passed)].append(record)
            else:
                filtered.append(record)
        # Only now: what is outstanding is not read again.
        with self._room:
            for record in records:
                place = [record.sequence_number, False]
                self._outstanding.append(place)
                self._places[record.sequence_number] = place
        if filtered:
            self._done(filtered)
        for lane, mine in zip(self._lanes, passed, strict=True):
            if mine:
                lane.add(mine)

    def _done(self, records: list[Record]) -> None:
        """Records have an end: progress is behind those before which all have one."""
        with self._room:
            for record in records:
                place = self._places.pop(record.sequence_number, None)
                if place is not None:
                    place[1] = True
            last = None
            while self._outstanding and self._outstanding[0][1]:
                last = self._outstanding.popleft()[0]
            if last is not None:
                self._progress.positions[self._shard] = self._stream.after(last)
            self._room.notify_all()

    def _keep(self, position: Any) -> None:
        with self._room:
            if not self._outstanding:
                self._progress.positions[self._shard] = position

    def _finish(self) -> None:
        """The shard is read to its end: wait for the last records, then let others begin."""
        for lane in self._lanes:
            lane.end()
        for thread in self._threads:
            thread.join()
        with self._room:
            if self._outstanding:  # stopped before
                return
        self._progress.ended.add(self._shard)
        self._mapping._changed.set()
