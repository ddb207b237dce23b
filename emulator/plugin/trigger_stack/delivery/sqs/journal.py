"""What happens to messages, on its way to the engine's journal."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable

LOG = logging.getLogger(__name__)

_GATHER_S = 0.02
_MOST_OF_A_CALL = 5000
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0

type Change = tuple[str | int | float | None, ...]


class MessageJournal:
    """Gathers changes, and sends them in their order.

    What nobody waits for is sent soon; what somebody waits for is sent at once, together with
    everything before it.

    Args:
        send: Has changes (as JSON) written, and waits for that. Raises what goes wrong.
        enabled: Whether anything is recorded.
    """

    def __init__(self, send: Callable[[bytes], None], *, enabled: bool = True) -> None:
        self._send = send
        self._enabled = enabled
        self._changes: list[Change] = []
        self._sending = threading.Lock()
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

    def commit(self) -> None:
        """Return when every change so far is in the journal, or cannot be written at present.

        What cannot be written is tried again later.
        """
        with self._sending:
            sent = self._try_to_send()
        if not sent:
            self._send_soon()

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
                self._send(json.dumps(changes).encode())
            except Exception as error:
                LOG.warning(
                    "%d changes of messages are not in the journal: %s", len(changes), error
                )
                return False
            del self._changes[: len(changes)]  # others only append
        return True
