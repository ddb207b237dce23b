"""A sender is answered when its event has a place.

What: no patch.
Why: LocalStack answers and delivers afterwards, in a thread: what ends the process in that moment
ends an accepted event without a trace. On AWS too a sender that has an answer can rely on it.
Until: as long as the journal exists.
Test: ``tests/delivery/test_placed.py``.
"""

from __future__ import annotations

from collections.abc import Callable

from trigger_stack.delivery.core.placement import NotPlacedError
from trigger_stack.wsgi_server.before_response import Form, NotDoneError, wait_before_response


def answer_when_placed(ensure: Callable[[], None], code: str, form: Form = Form.JSON) -> None:
    """Have this thread's request answered when its event has a place, or with an error.

    In a thread that answers no request the place is waited for at once.

    Args:
        ensure: Waits until the event has a place. Raises NotPlacedError.
        code: The service's name for a failure of its own.
        form: How the service writes errors.
    """

    def wait() -> None:
        try:
            ensure()
        except NotPlacedError as error:
            raise NotDoneError(code, f"Not delivered: {error}.", form) from None

    wait_before_response(wait)
