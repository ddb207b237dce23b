"""The journal's file: transactions, failures, what is removed and what stays."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.loop import LoopThread
from tests.support.waiting import eventually
from trigger_stack_engine.journal import store
from trigger_stack_engine.journal.store import Journal, JournalError, read

INSERT = (
    "INSERT INTO event (id, kind, source, function, state, accepted_at, changed_at, payload)"
    " VALUES (?, 'k', 's', 'f', ?, ?, ?, ?)"
)


@pytest.fixture
def loop() -> Iterator[LoopThread]:
    running = LoopThread()
    yield running
    running.close()


def journal(
    loop: LoopThread, path: Path, run: str = "one", age_s: float = 3600, size: int = 1 << 30
) -> Journal:
    return loop.call(lambda: Journal(path, run, age_s, size))


def put(loop: LoopThread, made: Journal, name: str, state: str = "done", at: float = 0) -> None:
    moment = at or time.time()
    loop.run(made.commit(INSERT, name, state, moment, moment, b"x"))


def ids(path: Path) -> list[str]:
    return [row["id"] for row in read(path, "SELECT id FROM events ORDER BY id")]


def test_what_was_committed_is_in_the_file(loop: LoopThread, tmp_path: Path) -> None:
    """Read by another connection while the journal is open, as a process that ended leaves it."""
    path = tmp_path / "with ? and %.sqlite"
    made = journal(loop, path)

    put(loop, made, "a")

    assert ids(path) == ["a"]
    assert path.stat().st_mode & 0o777 == 0o600
    loop.call(made.close)


def test_what_comes_after_a_pause_is_written_at_once_and_behind_what_waits(
    loop: LoopThread, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = journal(loop, tmp_path / "j.sqlite")
    written_by: list[str] = []
    write = store._write

    def noting_write(*arguments: Any) -> None:
        written_by.append(threading.current_thread().name)
        write(*arguments)

    async def commit(*before: str) -> None:
        made._committed_at = 0.0
        for name in before:
            made.record(INSERT, name, "done", 1, 1, b"")
            made.record("UPDATE event SET source = 'seen' WHERE id = ?", name)
        await made.commit(INSERT, f"{before}", "done", 1, 1, b"")

    monkeypatch.setattr(store, "_write", noting_write)
    loop.run(commit())
    assert written_by and "journal" not in written_by
    written_by.clear()
    loop.run(commit("a"))
    assert set(written_by) == {"journal"}
    assert eventually(lambda: made._given == made._taken)

    assert ids(made.path) == ["('a',)", "()", "a"]
    assert read(made.path, "SELECT source FROM events WHERE id = 'a'")[0]["source"] == "seen"
    loop.call(made.close)


def test_an_entry_that_cannot_be_written_does_not_stop_the_others(
    loop: LoopThread, tmp_path: Path
) -> None:
    made = journal(loop, tmp_path / "j.sqlite")
    loop.call(lambda: made.step("a", "lone surrogate", "\ud800"))
    loop.call(lambda: made.record("INSERT INTO step VALUES (NULL, NULL, NULL, NULL)"))
    loop.call(lambda: made.record("INSERT INTO nowhere VALUES (1)"))
    put(loop, made, "b")

    with pytest.raises(JournalError):
        loop.run(made.commit("INSERT INTO step VALUES (NULL, NULL, NULL, NULL)"))
    put(loop, made, "c")

    assert ids(made.path) == ["b", "c"]
    loop.call(made.close)


def test_while_the_file_cannot_be_written_nothing_is_accepted_and_steps_wait(
    loop: LoopThread, tmp_path: Path
) -> None:
    made = journal(loop, tmp_path / "j.sqlite")
    put(loop, made, "a")
    other = sqlite3.connect(made.path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")  # longer than the writer waits for a lock
    loop.call(lambda: made.step("a", "waiting"))

    with pytest.raises(JournalError, match="cannot be written: database is locked"):
        put(loop, made, "b")

    other.execute("ROLLBACK")
    other.close()
    eventually(lambda: read(made.path, "SELECT * FROM steps"))
    put(loop, made, "c")
    assert ids(made.path) == ["a", "c"]
    loop.call(made.close)


def call(number: int, ended_at: float) -> tuple[str | float | bytes, ...]:
    """A row of ``call``."""
    texts = ["HTTP request", "source", "function"]
    return (f"{number:04d}", *texts, ended_at, ended_at, "success", "", "", "", "", b"x")


@pytest.mark.parametrize("count", [1, 15, 16, 17, 100])
def test_calls_are_written_in_their_order(loop: LoopThread, tmp_path: Path, count: int) -> None:
    """Several by one statement, and those that are left over."""
    made = journal(loop, tmp_path / "j.sqlite")

    def record() -> None:
        for number in range(count):
            made.record_call(*call(number, time.time()))

    loop.call(record)
    loop.call(made.close)

    rows = read(made.path, "SELECT id, kind, payload FROM call ORDER BY rowid")
    assert [row["id"] for row in rows] == [f"{number:04d}" for number in range(count)]
    assert {(row["kind"], row["payload"]) for row in rows} == {("HTTP request", b"x")}


def test_old_calls_are_removed(loop: LoopThread, tmp_path: Path) -> None:
    made = journal(loop, tmp_path / "j.sqlite", age_s=60)
    assert not made._prune()
    for number, age_s in enumerate((100, 90, 10, 0)):
        loop.run(
            made.commit(
                f"INSERT INTO call VALUES ({', '.join('?' * 12)})",
                *call(number, time.time() - age_s),
            )
        )

    assert made._prune()
    assert not made._prune()
    assert ids(made.path) == ["0002", "0003"]
    loop.call(made.close)


def test_old_events_are_removed_and_pending_ones_stay(loop: LoopThread, tmp_path: Path) -> None:
    made = journal(loop, tmp_path / "j.sqlite", age_s=60)
    put(loop, made, "new")
    put(loop, made, "old", at=time.time() - 100)
    put(loop, made, "old and pending", "pending", time.time() - 100)

    made._prune()

    assert ids(made.path) == ["new", "old and pending"]
    loop.call(made.close)


def test_a_file_that_is_too_large_loses_its_oldest_events(loop: LoopThread, tmp_path: Path) -> None:
    made = journal(loop, tmp_path / "j.sqlite", size=1)
    put(loop, made, "done")
    put(loop, made, "pending", "pending")

    made._prune()

    assert ids(made.path) == ["pending"]
    loop.call(made.close)


def test_the_next_engine_of_a_run_goes_on_with_the_file(loop: LoopThread, tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    first = journal(loop, path)
    put(loop, first, "a", "pending")
    put(loop, first, "message", "pending")
    loop.run(first.commit("UPDATE event SET request = ? WHERE id = 'a'", '{"arn": "f"}'))
    loop.call(first.close)

    second = journal(loop, path)

    assert [row["id"] for row in loop.run(second.pending())] == ["a"], "others go on elsewhere"
    assert loop.run(second.payload("a")) == b"x"
    loop.call(second.close)


def test_the_file_of_another_run_is_put_aside(
    loop: LoopThread, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "j.sqlite"
    first = journal(loop, path)
    put(loop, first, "a", "pending")
    loop.call(first.close)

    second = journal(loop, path, run="two")

    assert ids(path) == []
    assert ids(tmp_path / "j.previous.sqlite") == ["a"]
    assert "1 accepted events of the last run were not handled" in caplog.text
    loop.call(second.close)


def test_a_damaged_file_is_put_aside(loop: LoopThread, tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    path.write_bytes(b"no database" * 1000)

    made = journal(loop, path)
    put(loop, made, "a")

    assert ids(path) == ["a"]
    assert (tmp_path / "j.previous.sqlite").read_bytes().startswith(b"no database")
    loop.call(made.close)
