"""What happens to messages, on its way to the engine's journal."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from trigger_stack_engine.json_text import dump_json

LOG = logging.getLogger(__name__)

_GATHER_S = 0.02
_MOST_OF_A_CALL = 5000
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0

type Change = tuple[str | int | float | None, ...]
type Wait = Callable[[], object]
#: Waits for the end of a commit; returns whether every change is in the journal.
type Commit = Callable[[], bool]


class MessageJournal:
    """Gathers changes, and sends them in their order.

    What nobody waits for is sent soon; what somebody waits for is sent at once, together with
    everything before it.

    Args:
        send: Begins to have changes (as JSON) written; what it returns waits for that, and is
            called once. Both raise what goes wrong.
        enabled: Whether anything is recorded.
    """

    def __init__(self, send: Callable[[bytes], Wait], *, enabled: bool = True) -> None:
        self._send = send
        self._enabled = enabled
        self._changes: list[Change] = []
        self._sending = threading.Lock()
        self._own = _Own()
        self._added = threading.Event()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def add(
        self, name: str, *values: str | int | float | None, is_waited_for: bool = False
    ) -> None:
        """A change, as ``MessageRecorder.apply`` of the engine takes it, without its time.

        Args:
            name: Of the change.
            values: What it takes.
            is_waited_for: ``commit`` follows: nobody is woken to send it soon.
        """
        if not self._enabled:
            return
        self._changes.append((name, time.time(), *values))
        if not is_waited_for:
            self._send_soon()

    def _send_soon(self) -> None:
        if not self._added.is_set():
            self._added.set()
            if self._thread is None:
                self._start()

    def commit(self) -> bool:
        """Return when every change so far is in the journal, or cannot be written at present.

        What cannot be written is tried again later. Returns whether it was written.
        """
        return self.begin_to_commit()()

    def begin_to_commit(self) -> Commit:
        """Begin what ``commit`` does.

        Returns:
            What waits for the end, and must be called soon: others wait for it, to keep the order
            of changes. It returns what ``commit`` returns. A thread that begins again waits first.
        """
        self._own.wait()
        self._sending.acquire()
        begun: list[Wait] = []
        try:
            if changes := self._changes[:_MOST_OF_A_CALL]:
                begun.append(self._send(dump_json(changes)))
        except Exception as error:
            self._sending.release()
            self._warn(len(changes), error)
            self._send_soon()
            return lambda: False
        if not begun:
            self._sending.release()
            return _nothing

        def wait() -> bool:
            if not begun:
                return True
            self._own.wait = _nothing
            try:
                self._has_ended(begun.pop(), len(changes))  # else it is sent once more, with more
                sent = self._try_to_send()
            finally:
                self._sending.release()
            if not sent:
                self._send_soon()
            return sent

        self._own.wait = wait
        return wait

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="message-journal", daemon=True
                )
                self._thread.start()

    def _run(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while True:
            self._added.wait()
            time.sleep(_GATHER_S)
            self._added.clear()
            with self._sending:
                sent = self._try_to_send()
            if sent:
                pause_s = _FIRST_PAUSE_S
            else:
                self._added.set()
                time.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _try_to_send(self) -> bool:
        """Send what there is; whether it is in the journal. ``_sending`` is held."""
        while changes := self._changes[:_MOST_OF_A_CALL]:
            try:
                wait = self._send(dump_json(changes))
            except Exception as error:
                self._warn(len(changes), error)
                return False
            if not self._has_ended(wait, len(changes)):
                return False
        return True

    def _has_ended(self, wait: Wait, changes: int) -> bool:
        """Wait for what was sent; whether it is in the journal."""
        try:
            wait()
        except Exception as error:
            self._warn(changes, error)
            return False
        del self._changes[:changes]  # others only append
        return True

    @staticmethod
    def _warn(changes: int, error: Exception) -> None:
        LOG.warning("%d changes of messages are not in the journal: %s", changes, error)


def _nothing() -> bool:
    """Nothing is waited for."""
    return True


class _Own(threading.local):
    """What a thread has begun and not waited for."""

    wait: Commit = staticmethod(_nothing)
