"""Work that is done in its order, without one piece waiting for those of another key."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Hashable

LOG = logging.getLogger(__name__)


class InOrder:
    """One thread for each key that has work.

    Args:
        name: Of the threads.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._waiting: dict[Hashable, deque[Callable[[], object]]] = {}

    def submit(self, key: Hashable, work: Callable[[], object]) -> None:
        """Do ``work`` after everything that was submitted for ``key`` before.

        Raises:
            RuntimeError: No thread can be started; the work was not submitted.
        """
        with self._lock:
            if key in self._waiting:
                self._waiting[key].append(work)
                return
            # The lock is held: the thread cannot look for its work before it is there.
            threading.Thread(target=self._run, args=(key,), name=self._name, daemon=True).start()
            self._waiting[key] = deque([work])

    def _run(self, key: Hashable) -> None:
        while True:
            with self._lock:
                if not self._waiting[key]:
                    del self._waiting[key]
                    return
                work = self._waiting[key].popleft()
            try:
                work()
            except Exception:  # what follows must not be lost with it
                LOG.exception("%s: %r", self._name, key)
