"""A bounded pool of daemon threads for calls that block: invocations and HTTP proxying."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future

from trigger_stack.apigatewayv2.message import HttpResponse

_Job = tuple[Callable[[], HttpResponse], "Future[HttpResponse]"]


class WorkerPool:
    """Runs calls on at most ``size`` threads; threads start on demand and are reused.

    ``concurrent.futures.ThreadPoolExecutor`` joins its threads when the interpreter ends, so one
    function that still sleeps would keep the emulator from stopping. These threads are daemons.

    :param size: most calls at a time; further ones wait in order
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._idle = 0

    def submit(self, call: Callable[[], HttpResponse]) -> Future[HttpResponse]:
        """Run ``call`` as soon as a thread is free."""
        future: Future[HttpResponse] = Future()
        with self._lock:
            if self._idle > 0:
                self._idle -= 1
            elif self._threads < self._size:
                self._threads += 1
                threading.Thread(
                    target=self._work, name=f"http-api-{self._threads}", daemon=True
                ).start()
        self._jobs.put((call, future))
        return future

    def _work(self) -> None:
        while True:
            call, future = self._jobs.get()
            result: HttpResponse | None = None
            error: BaseException | None = None
            if future.set_running_or_notify_cancel():
                try:
                    result = call()
                except BaseException as raised:  # the caller gets it, this thread lives on
                    error = raised
            # Free before the caller hears of it: its next call shall find this thread and not
            # start another one.
            with self._lock:
                self._idle += 1
            if error is not None:
                future.set_exception(error)
            elif result is not None:
                future.set_result(result)
            del call, future, result, error
