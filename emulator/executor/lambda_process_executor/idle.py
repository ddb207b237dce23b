"""Looks after environments between invokes: reads what they write, notices when they end.

A busy environment is driven by the thread that invokes it. Registering every idle moment of a busy
environment would wake this thread twice an invoke, so environments are picked up with a small
delay: one that is invoked again meanwhile never gets here.
"""

from __future__ import annotations

import contextlib
import logging
import os
import selectors
import threading

from lambda_process_executor.environment import Environment

LOG = logging.getLogger(__name__)
_PICK_UP_AFTER_S = 0.05


class IdleWatcher:
    """One thread for all idle environments."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._lock = threading.Lock()
        self._new: set[Environment] = set()
        self._watched: dict[Environment, int] = {}
        self._wake_r, self._wake_w = os.pipe()
        os.set_blocking(self._wake_r, False)
        self._selector.register(self._wake_r, selectors.EVENT_READ)
        self._asleep = False
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="lambda-process-idle", daemon=True)
        self._thread.start()

    def add(self, environment: Environment) -> None:
        """The environment has become idle."""
        with self._lock:
            self._new.add(environment)
            wake, self._asleep = self._asleep, False
        if wake:
            os.write(self._wake_w, b"x")

    def remove(self, environment: Environment) -> None:
        """The environment is about to be invoked or closed; call it before, not after."""
        with self._lock:
            self._new.discard(environment)
            fd = self._watched.pop(environment, None)
            if fd is not None:
                with contextlib.suppress(KeyError, ValueError, OSError):
                    self._selector.unregister(fd)

    def close(self) -> None:
        """End the thread."""
        self._closed = True
        os.write(self._wake_w, b"x")
        self._thread.join(timeout=2)

    def _run(self) -> None:
        while not self._closed:
            with self._lock:
                for environment in self._new:
                    if environment.alive and environment not in self._watched:
                        fd = self._watched[environment] = environment.fileno()
                        self._selector.register(fd, selectors.EVENT_READ, environment)
                self._asleep = not self._new
                self._new.clear()
                timeout = None if self._asleep else _PICK_UP_AFTER_S
            for key, _ in self._selector.select(timeout):
                if key.data is None:
                    with contextlib.suppress(BlockingIOError):
                        os.read(self._wake_r, 4096)
                    # Give an environment that is invoked again at once the time to leave.
                    threading.Event().wait(_PICK_UP_AFTER_S)
                else:
                    self._pump(key.data)

    def _pump(self, environment: Environment) -> None:
        if not environment.lock.acquire(blocking=False):
            return  # being invoked: its own thread looks after it
        try:
            environment.pump()
            if not environment.alive:
                self.remove(environment)
        except Exception:
            LOG.warning("while looking after an idle environment", exc_info=True)
            self.remove(environment)
        finally:
            environment.lock.release()
