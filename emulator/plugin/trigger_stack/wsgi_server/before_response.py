"""What must have ended before a response is sent, and need not be waited for earlier.

A request that has something written by another process goes on with its response meanwhile.
"""

from __future__ import annotations

import enum
import json
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from xml.sax.saxutils import escape

LOG = logging.getLogger(__name__)


class Form(enum.Enum):
    """How a protocol of AWS writes an error: as JSON, or as one of two kinds of XML."""

    JSON = "json"
    QUERY = "query"
    REST_XML = "rest-xml"


class NotDoneError(Exception):
    """What a response would promise was not done; the client gets this error with status 500.

    Args:
        code: Name of the error, for example ``ServiceException``.
        message: What was not done, and why.
        form: How the client reads errors.
    """

    def __init__(self, code: str, message: str, form: Form = Form.JSON) -> None:
        super().__init__(message)
        self._code = code
        self._form = form

    def document(self) -> tuple[bytes, list[tuple[str, str]]]:
        """The body of the response, and its headers."""
        code, message = escape(self._code), escape(str(self))
        if self._form is Form.JSON:
            text = json.dumps({"__type": self._code, "Type": "Service", "Message": str(self)})
            headers = [("content-type", "application/json"), ("x-amzn-errortype", self._code)]
            return text.encode(), headers
        text = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
        if self._form is Form.QUERY:
            text = f"<ErrorResponse>{text}</ErrorResponse>"
        return text.encode(), [("content-type", "text/xml")]


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
