"""The journal's file: one thread writes, in transactions of what has come together.

Of what comes after a pause it would write one alone: that is written by whoever waits for it.

SQLite in WAL mode: what was committed survives the end of the process, and readers do not wait.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import math
import queue
import sqlite3
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trigger_stack_engine.journal.schema import SCHEMA, State

LOG = logging.getLogger(__name__)

_MOST_OF_A_TRANSACTION = 2000
_TRY_AGAIN_S = 1.0
_PRUNE_EVERY_S = 5.0
#: In one go, while writers wait.
_MOST_CALLS_REMOVED = 5000
_MOST_EVENTS_REMOVED = 1000
_QUERY_SECONDS = 10.0
_MOST_ROWS = 1000
#: What nobody waits for is written after this time, together. Before it, the writer would take
#: the interpreter's lock from an event loop that is about to have the event handled.
_GATHER_S = 0.003
_GATHER_CALLS_S = 0.05
#: What comes later than this after the last commit is written by the event loop itself.
_QUIET_S = 0.01
_CALL = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_INSERT_CALL = f"INSERT INTO call VALUES {_CALL}"  # noqa: S608  fixed texts
#: So many rows by one statement: for each statement the writer gives the interpreter's lock away
#: and takes it back from the event loop.
_CALLS_AT_ONCE = 16
_INSERT_CALLS = f"INSERT INTO call VALUES {', '.join([_CALL] * _CALLS_AT_ONCE)}"  # noqa: S608  as above

type Value = str | int | float | bytes | None


class JournalError(Exception):
    """The journal could not be written or read; the text says why."""


@dataclass(slots=True)
class _Write:
    """Statements in their order, and the future of a caller that waits for their transaction.

    Attributes:
        statements: Each with the rows to write.
        done: The future.
    """

    statements: Sequence[tuple[str, Sequence[Sequence[Value]]]]
    done: asyncio.Future[None] | None = None


class Journal:
    """Writes and reads the file.

    Args:
        path: The file; it is made when it is not there.
        run: Identifies the run of the emulator. The file of an earlier run is renamed to
            ``….previous.sqlite``: the functions of that run are gone.
        max_age_s: Events that came to rest longer ago are removed.
        max_bytes: The oldest events that came to rest are removed while the file is larger.
    """

    def __init__(self, path: Path, run: str, max_age_s: float, max_bytes: int) -> None:
        self.path = path
        self._max_age_s = max_age_s
        self._max_bytes = max_bytes
        path.parent.mkdir(parents=True, exist_ok=True)
        _put_aside_other_runs(path, run)
        self._connection = _connect(path)
        self._connection.executescript(SCHEMA)
        self._connection.execute(
            "INSERT INTO run SELECT ? WHERE NOT EXISTS (SELECT * FROM run)", (run,)
        )
        path.chmod(0o600)
        self._at_once = _connect(path)
        # What takes long is the writer's: to wait for a lock, or for the disk.
        self._at_once.execute("PRAGMA busy_timeout = 0")
        self._at_once.execute("PRAGMA wal_autocheckpoint = 0")
        self._gathered: list[_Write] = []
        self._calls: list[Sequence[Value]] = []
        self._watchers: list[asyncio.Future[None]] = []
        self._loop: asyncio.AbstractEventLoop | None = None  # while somebody has watched
        self._writes: queue.SimpleQueue[_Write | None] = queue.SimpleQueue()
        self._given = self._taken = 0  # writes that were put there, and that have an end
        self._committed_at = 0.0
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    # -- writing ------------------------------------------------------------------------------

    def record(self, sql: str, *values: Value) -> None:
        """Write within some milliseconds; statements are written in their order."""
        self._gathered.append(_Write([(sql, [values])]))
        if len(self._gathered) == 1:
            asyncio.get_running_loop().call_later(_GATHER_S, self._put_gathered)

    def _put_gathered(self) -> None:
        gathered, self._gathered = self._gathered, []
        for write in gathered:
            self._put(write)

    def _put(self, write: _Write) -> None:
        self._given += 1
        self._writes.put(write)

    def record_call(self, *row: Value) -> None:
        """Write one row of ``call`` without waiting, together with those of the next moment."""
        self._calls.append(row)
        if len(self._calls) == 1:
            asyncio.get_running_loop().call_later(_GATHER_CALLS_S, self._put_calls)

    def _put_calls(self) -> None:
        calls, self._calls = self._calls, []
        if calls:
            self._put(_Write(_insert(calls)))

    async def commit(self, sql: str, *values: Value) -> None:
        """Write, and wait until it is in the file.

        Raises:
            JournalError: It could not be written; nothing of it is kept.
        """
        await self.commit_all([(sql, [values])])

    async def commit_all(self, statements: Sequence[tuple[str, Sequence[Sequence[Value]]]]) -> None:
        """Write statements in their order, each with its rows; wait until they are in the file.

        Raises:
            JournalError: They could not be written; nothing of them is kept.
        """
        now = time.monotonic()
        is_quiet, self._committed_at = now - self._committed_at > _QUIET_S, now
        if is_quiet and self._write_at_once(_Write(statements)):
            return
        done = asyncio.get_running_loop().create_future()
        self._put_gathered()
        self._put(_Write(statements, done))
        await done

    def _write_at_once(self, write: _Write) -> bool:
        """Write in the caller's thread, when nothing is before it; whether it is in the file.

        To wake the writer and to be woken takes longer than to write; of what comes thick and fast
        the writer makes one transaction.
        """
        if self._gathered or self._given != self._taken:
            return False
        try:
            _write([write], self._at_once)
        except Exception:  # the writer will find the same, and say so
            return False
        self._tell_watchers()
        return True

    def step(self, event: str, name: str, detail: str = "") -> None:
        """One step of an event on its way."""
        self.record(
            "INSERT INTO step (event, at, name, detail) VALUES (?, ?, ?, ?)",
            event,
            time.time(),
            name,
            detail,
        )

    async def written(self, wait_s: float) -> None:
        """Wait until something is written, at most ``wait_s`` seconds."""
        self._loop = asyncio.get_running_loop()
        watcher = self._loop.create_future()
        self._watchers.append(watcher)
        await asyncio.wait({watcher}, timeout=wait_s)

    def _wake_watchers(self) -> None:
        watchers, self._watchers = self._watchers, []
        for watcher in watchers:
            if not watcher.done():
                watcher.set_result(None)

    def close(self) -> None:
        """Write what is waiting, and close the file. Idempotent."""
        self._put_gathered()
        self._put_calls()
        self._writes.put(None)
        self._thread.join(10)
        self._at_once.close()

    def _run(self) -> None:
        kept: list[_Write] = []
        prune_at = time.monotonic() + _PRUNE_EVERY_S
        closing = False
        while not closing:
            batch, closing = self._next_batch(kept)
            kept = self._write_or_keep(batch)
            self._taken += len(batch) - len(kept)
            if kept and not closing:
                time.sleep(_TRY_AGAIN_S)
            if time.monotonic() >= prune_at:
                more = self._prune()
                prune_at = time.monotonic() + (0 if more else _PRUNE_EVERY_S)
        self._connection.close()

    def _write_or_keep(self, batch: list[_Write]) -> list[_Write]:
        """Write; what is to be tried again."""
        try:
            self._write(batch)
        except Exception as error:
            if _may_pass(error):
                return self._failed(batch, error)
            # One entry that can never be written must not stop the others.
            return [one for write in batch for one in self._write_alone(write)]
        return []

    def _next_batch(self, batch: list[_Write]) -> tuple[list[_Write], bool]:
        """The entries to write after ``batch``, and whether they are the last."""
        batch = list(batch)
        block = not batch
        while len(batch) < _MOST_OF_A_TRANSACTION:
            try:
                write = self._writes.get(block, _PRUNE_EVERY_S)
            except queue.Empty:
                break
            if write is None:
                return batch, True
            batch.append(write)
            block = False
        return batch, False

    def _write(self, batch: list[_Write]) -> None:
        _write(batch, self._connection)
        _resolve([write.done for write in batch if write.done is not None], None)
        self._tell_watchers()

    def _tell_watchers(self) -> None:
        if self._watchers and self._loop is not None:
            self._loop.call_soon_threadsafe(self._wake_watchers)

    def _write_alone(self, write: _Write) -> list[_Write]:
        """Write one entry, or drop it when it can never be written; what is to be tried again."""
        try:
            self._write([write])
        except Exception as error:
            if _may_pass(error):
                return self._failed([write], error)
            problem = JournalError(f"an entry cannot be written: {error!r}")
            LOG.error("%s: %s", problem, [sql for sql, _ in write.statements])  # noqa: TRY400  the error is in the text
            if write.done is not None:
                _resolve([write.done], problem)
        return []

    def _failed(self, batch: list[_Write], error: Exception) -> list[_Write]:
        """Refuse what a caller waits for; the rest is tried again."""
        problem = JournalError(f"the journal {self.path} cannot be written: {error}")
        LOG.error("%s", problem)
        _resolve([write.done for write in batch if write.done is not None], problem)
        return [write for write in batch if write.done is None]

    def _prune(self) -> bool:
        """Remove some old events that came to rest; what is pending stays.

        Returns:
            Whether there may be more to remove. Only a part at a time: what is to be written
            waits meanwhile.
        """
        oldest = time.time() - self._max_age_s
        try:
            removed = self._remove_events("accepted_at < ?1 AND changed_at < ?1", oldest)
            if self._oldest_call() < oldest:
                removed += self._remove_calls("ended_at < ?", oldest)
            if self._size() > self._max_bytes:
                removed += self._remove_calls("?", 1)
                removed += self._remove_events("?1", 1)
        except sqlite3.Error as error:
            if self._connection.in_transaction:  # else the next events would be refused
                self._connection.execute("ROLLBACK")
            LOG.warning("old events of the journal could not be removed: %s", error)
            return False
        return removed > 0

    def _size(self) -> int:
        (pages,) = self._connection.execute("PRAGMA page_count").fetchone()
        (free,) = self._connection.execute("PRAGMA freelist_count").fetchone()
        (size,) = self._connection.execute("PRAGMA page_size").fetchone()
        return int((pages - free) * size)

    def _oldest_call(self) -> float:
        """When the first call of the file ended; they are written in that order, nearly."""
        found = self._connection.execute("SELECT ended_at FROM call ORDER BY rowid LIMIT 1")
        (ended_at,) = found.fetchone() or (math.inf,)
        return float(ended_at)

    def _remove_calls(self, condition: str, value: Value) -> int:
        """Remove those of the oldest calls for which ``condition`` is true; how many."""
        return self._connection.execute(
            "DELETE FROM call WHERE rowid IN (SELECT rowid FROM call ORDER BY rowid LIMIT ?)"  # noqa: S608  fixed texts
            f" AND {condition}",
            (_MOST_CALLS_REMOVED, value),
        ).rowcount

    def _remove_events(self, condition: str, value: Value) -> int:
        """Remove those of the oldest events at rest for which ``condition`` is true; how many."""
        chosen = (
            f"SELECT id FROM event WHERE state <> 'pending' AND {condition}"  # noqa: S608  fixed texts
            " ORDER BY accepted_at LIMIT ?2"
        )
        values = (value, _MOST_EVENTS_REMOVED)
        self._connection.execute("BEGIN IMMEDIATE")
        for table in ("step", "attempt"):
            self._connection.execute(
                f"DELETE FROM {table} WHERE event IN ({chosen})",  # noqa: S608  fixed texts
                values,
            )
        removed = self._connection.execute(
            f"DELETE FROM event WHERE id IN ({chosen})",  # noqa: S608  fixed texts
            values,
        ).rowcount
        self._connection.execute("COMMIT")
        return removed

    # -- reading ------------------------------------------------------------------------------

    async def pending(self) -> list[dict[str, Any]]:
        """Invocations that are not at rest, the oldest first, without their payload."""
        return await self.query(
            "SELECT id, request, accepted_at, due_at, attempts, retries FROM event"
            " WHERE state = ? AND request <> '{}' ORDER BY accepted_at",
            State.PENDING,
            most=1_000_000,
        )

    async def payload(self, event: str) -> bytes:
        """The payload of an event."""
        rows = await self.query("SELECT payload FROM event WHERE id = ?", event)
        payload: bytes = rows[0]["payload"]
        return payload

    async def query(self, sql: str, *values: Value, most: int = _MOST_ROWS) -> list[dict[str, Any]]:
        """The rows of a query that only reads.

        Raises:
            JournalError: It is no such query, or took longer than 10 seconds.
        """
        return await asyncio.to_thread(read, self.path, sql, values, most)


def read(path: Path, sql: str, values: Sequence[Value] = (), most: int = _MOST_ROWS) -> list[Any]:
    """The first rows of a query that only reads, each as a mapping.

    Raises:
        JournalError: It is no such query, or took longer than 10 seconds.
    """
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)
    except sqlite3.Error as error:
        raise JournalError(str(error)) from None
    try:
        connection.execute("PRAGMA query_only = ON")
        ends = time.monotonic() + _QUERY_SECONDS
        connection.set_progress_handler(lambda: time.monotonic() > ends, 10_000)
        cursor = connection.execute(sql, values)
        names = [column[0] for column in cursor.description or []]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchmany(most)]
    except (sqlite3.Error, sqlite3.Warning) as error:
        raise JournalError(str(error)) from None
    finally:
        connection.close()


def _insert(calls: list[Sequence[Value]]) -> list[tuple[str, list[Sequence[Value]]]]:
    """Statements that write rows of ``call`` in their order."""
    whole = len(calls) - len(calls) % _CALLS_AT_ONCE
    together: list[Sequence[Value]] = [
        list(itertools.chain.from_iterable(calls[at : at + _CALLS_AT_ONCE]))
        for at in range(0, whole, _CALLS_AT_ONCE)
    ]
    return [(_INSERT_CALLS, together), (_INSERT_CALL, calls[whole:])]


def _may_pass(error: Exception) -> bool:
    """Whether the file is the reason (a full disk, a lock), and not the statement."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    return isinstance(error, sqlite3.OperationalError) and code != sqlite3.SQLITE_ERROR


def _put_aside_other_runs(path: Path, run: str) -> None:
    if not path.exists():
        return
    try:
        rows = read(path, "SELECT id FROM run")
        waiting = read(path, "SELECT count(*) AS events FROM event WHERE state = 'pending'")
    except JournalError:
        rows, waiting = [], [{"events": 0}]  # no journal, or a damaged one
    if rows and rows[0]["id"] == run:
        return
    previous = path.with_suffix(".previous.sqlite")
    for ending in ("", "-wal", "-shm"):
        old = Path(f"{path}{ending}")
        if old.exists():
            old.replace(f"{previous}{ending}")
        else:
            Path(f"{previous}{ending}").unlink(missing_ok=True)
    if waiting[0]["events"]:
        LOG.warning(
            "%d accepted events of the last run were not handled; %s has them",
            waiting[0]["events"],
            previous,
        )


def _write(batch: list[_Write], connection: sqlite3.Connection) -> None:
    """Write in one transaction: all of it or nothing."""
    try:
        connection.execute("BEGIN IMMEDIATE")
        for write in batch:
            for sql, rows in write.statements:
                connection.executemany(sql, rows)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA busy_timeout = 5000")
    return connection


def _resolve(futures: list[asyncio.Future[None]], error: Exception | None) -> None:
    """End the wait of callers, on their own event loop."""
    if not futures:
        return

    def resolve() -> None:
        for future in futures:
            if future.done():
                continue
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)

    futures[0].get_loop().call_soon_threadsafe(resolve)
