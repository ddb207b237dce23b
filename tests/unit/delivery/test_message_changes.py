"""Changes of messages reach the journal in their order, also when it is away for a while."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.waiting import eventually
from trigger_stack.delivery.sqs.journal import MessageJournal, Wait


class Engine:
    """Keeps what it is sent when it is waited for; is away as often as it is told.

    Half of the times it is away nothing can be sent, the other half no reply comes.
    """

    def __init__(self, away: int = 0) -> None:
        self.changes: list[list[object]] = []
        self.away = away
        self.lock = threading.Lock()

    def send(self, changes: bytes) -> Wait:
        self._be_away(when=1)

        def wait() -> None:
            self._be_away(when=0)
            with self.lock:
                self.changes += json.loads(changes)

        return wait

    def _be_away(self, when: int) -> None:
        with self.lock:
            if self.away and self.away % 2 == when:
                self.away -= 1
                raise OSError("it is away")


def test_what_is_committed_is_there_with_everything_before_it() -> None:
    engine = Engine()
    journal = MessageJournal(engine.send)
    journal.add("accepted", "1")
    journal.add("accepted", "2")

    journal.commit()

    assert [change[2] for change in engine.changes] == ["1", "2"]


def test_what_nobody_waits_for_is_sent_soon() -> None:
    engine = Engine()
    MessageJournal(engine.send).add("deleted", "1")

    eventually(lambda: engine.changes)


def test_a_commit_whose_engine_ends_is_made_with_the_next_engine() -> None:
    engine, replies = Engine(), []

    def send(changes: bytes) -> Wait:
        wait = engine.send(changes)

        def wait_for_second() -> None:
            replies.append(changes)
            if len(replies) == 1:
                raise OSError("it has ended")
            wait()

        return wait_for_second

    journal = MessageJournal(send)
    journal.add("accepted", 1, is_waited_for=True)

    assert journal.commit()
    assert [change[2] for change in engine.changes] == [1]


def test_a_commit_says_when_nothing_can_be_written() -> None:
    engine = Engine(away=1)
    journal = MessageJournal(engine.send)
    journal.add("accepted", 1, is_waited_for=True)

    assert not journal.commit()

    eventually(lambda: engine.changes)
    assert journal.commit()
    assert [change[2] for change in engine.changes] == [1]


@pytest.mark.parametrize("is_waited_for", [False, True])
def test_a_journal_that_is_away_gets_everything_later_once_and_in_order(
    is_waited_for: bool,
) -> None:
    engine = Engine(away=7)
    journal = MessageJournal(engine.send)
    for number in range(5):
        journal.add("accepted", number, is_waited_for=is_waited_for)
        journal.commit()

    eventually(lambda: len(engine.changes) >= 5)
    assert [change[2] for change in engine.changes] == [0, 1, 2, 3, 4]


def test_many_threads_lose_nothing() -> None:
    engine = Engine()
    journal = MessageJournal(engine.send)

    def send(number: int) -> None:
        journal.add("accepted", number)
        journal.commit()
        assert any(change[2] == number for change in engine.changes)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(send, range(500)))

    assert sorted(change[2] for change in engine.changes) == list(range(500))  # type: ignore[type-var]  # numbers


def test_others_wait_for_what_was_begun_and_its_own_thread_need_not() -> None:
    engine = Engine()
    journal = MessageJournal(engine.send)
    journal.add("accepted", 1, is_waited_for=True)
    first = journal.begin_to_commit()
    journal.add("accepted", 2, is_waited_for=True)
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(journal.commit)
        assert not engine.changes
        journal.add("accepted", 3, is_waited_for=True)
        second = journal.begin_to_commit()  # it has waited for the first

        assert engine.changes[0][2] == 1
        first()
        second()
        other.result(10)

    assert [change[2] for change in engine.changes] == [1, 2, 3]


def test_nothing_is_recorded_when_it_is_not_wanted() -> None:
    engine = Engine()
    journal = MessageJournal(engine.send, enabled=False)
    journal.add("accepted", "1")
    journal.commit()

    assert engine.changes == []
