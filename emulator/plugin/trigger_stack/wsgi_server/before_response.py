"""What must have ended before a response is sent, and need not be waited for earlier.

A request that has something written by another process goes on with its response meanwhile.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LOG = logging.getLogger(__name__)


class NotDoneError(Exception):
    """What a response would promise was not done; the client gets this error with status 500.

    Attributes:
        code: Name of the error, for example ``ServiceException``.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class _Request(threading.local):
    """The request that a thread answers."""

    def __init__(self) -> None:
        self.path: bytes | None = None
        self.waits: list[Callable[[], object]] = []


_request = _Request()


def answered_path() -> bytes | None:
    """The path of the request that this thread answers, as it was sent; None without one."""
    return _request.path


def wait_before_response(wait: Callable[[], object]) -> None:
    """Have ``wait`` called before the response of this thread's request is sent.

    It is called at once in a thread that answers no request. What it raises becomes the response.
    """
    if _request.path is None:
        wait()
    else:
        _request.waits.append(wait)


def wait_for_all() -> None:
    """Call all that must be waited for, in its order. Raises what the first raises that fails.

    Nothing is left to wait for afterwards: the response that says so is sent by the same way.
    """
    waits, failures = _request.waits, []
    while waits:
        try:
            waits.pop(0)()
        except Exception as error:
            failures.append(error)
    for other in failures[1:]:
        LOG.warning("%r: %s", _request.path, other)
    if failures:
        raise failures[0]


def wait_after_failure() -> None:
    """Call all that must be waited for; the client gets another error already, or is gone."""
    path = _request.path
    try:
        wait_for_all()
    except Exception as error:
        LOG.warning("%r: %s", path, error)


@contextmanager
def answering(path: bytes) -> Iterator[None]:
    """Answer a request in this thread: at its end nothing is left to wait for."""
    _request.path = path
    try:
        yield
    finally:
        wait_after_failure()
        _request.path = None
