"""Who asked for an invocation, for the journal.

What: a handler in ``preprocess_request``, LocalStack's own list, keeps the source that LocalStack's
services put into their requests to each other, for the thread that handles the request.
Why: ``LambdaService.invoke`` is not told.
Until: LocalStack passes the source on.
Test: ``tests/engine/test_asynchronous.py::test_the_source_of_an_event_is_known``.
"""

from __future__ import annotations

import threading
from typing import Any

from localstack.aws.handlers import preprocess_request

_current = threading.local()


def current_source() -> str:
    """ARN of what asked for the invocation, or ``Invoke`` for a caller from outside."""
    return getattr(_current, "arn", None) or "Invoke"


def _remember(chain: Any, context: Any, response: Any) -> None:
    del chain, response
    parameters = context.internal_request_params
    _current.arn = parameters.get("source_arn") if parameters else None


def install() -> None:
    """Put the handler in place."""
    preprocess_request.append(_remember)
