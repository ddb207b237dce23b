"""Tries to deliver a notification of a topic or a bucket, as often as SNS does.

S3 does not document how often it tries; it gives up no earlier here.

AWS topic: Amazon SNS Developer Guide, "Amazon SNS message delivery retries", AWS managed endpoints,
and "Amazon SNS dead-letter queues": errors of the client (the endpoint is gone, or refuses) are not
tried again; others are, for 23 days.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from botocore.exceptions import ClientError

from trigger_stack.delivery.core.delivery_policy import Pauses
from trigger_stack.delivery.core.outcome import Outcome, Record
from trigger_stack.delivery.core.placement import Placement, begun
from trigger_stack.delivery.core.retry_queue import RetryQueue

LOG = logging.getLogger(__name__)

_IMMEDIATE, _PRE_BACKOFF, _BACKOFF, _POST_BACKOFF = 3, 2, 10, 100_000
_LONGEST_PAUSE_S = 20.0
_THROTTLED = frozenset({"TooManyRequestsException", "ThrottlingException", "Throttling"})


def pause_after(attempts: int) -> float | None:
    """Seconds until the next try after so many; None when there is none."""
    retry = attempts  # the first try is no retry
    if retry <= _IMMEDIATE:
        return 0.0
    retry -= _IMMEDIATE
    if retry <= _PRE_BACKOFF:
        return 1.0
    retry -= _PRE_BACKOFF
    if retry <= _BACKOFF:
        return min(_LONGEST_PAUSE_S, 2.0 ** (retry - 1))
    retry -= _BACKOFF
    return _LONGEST_PAUSE_S if retry <= _POST_BACKOFF else None


def pause_after_customer_managed(attempts: int) -> float | None:
    """As ``pause_after``, for mail, SMS and mobile push: 50 retries in six hours."""
    retry = attempts
    if retry <= 2:
        return 10.0
    if retry <= 12:
        return min(600.0, 10.0 * 2.0 ** (retry - 3))
    return 600.0 if retry <= 50 else None


class EndpointRefusesError(Exception):
    """The endpoint is not there, or does not let the sender in: another try cannot help."""


def may_help(error: Exception) -> bool:
    """Whether another try may succeed."""
    if isinstance(error, EndpointRefusesError):
        return False
    if isinstance(error, ClientError):
        if error.response.get("Error", {}).get("Code") in _THROTTLED:
            return True
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
        return not 400 <= int(status) < 500
    return True


@dataclass
class Notification:
    """One message on its way to one endpoint.

    Attributes:
        kind: For the journal, for example ``notification of a topic``.
        source_arn: ARN of the topic or bucket.
        endpoint: ARN of the function, queue, topic or bus.
        body: What a dead-letter queue gets: the notification as JSON, or the raw message.
        send: One try. Raises what the endpoint answers.
        dead_letter: Brings the body to a dead-letter queue, with an error's text; None without
            one. Raises what the queue answers.
        dead_letter_arn: ARN of that queue; without one, how to get one.
        ended: Called with whether it was delivered.
        trace_id: ``X-Amzn-Trace-Id`` of what caused it.
        in_order: Whether the next message must wait for this one.
        pauses: Seconds until the next try after so many; None when there is none.
        attempts: How often it was tried.
        id: In the journal.
        placement: Whether it has a place.
    """

    kind: str
    source_arn: str
    endpoint: str
    body: str
    send: Callable[[], None]
    dead_letter: Callable[[str], None] | None
    dead_letter_arn: str
    ended: Callable[[bool], None] = lambda delivered: None
    trace_id: str | None = None
    in_order: bool = False
    pauses: Pauses = pause_after
    attempts: int = field(default=0, init=False)
    id: str = field(default_factory=lambda: str(uuid.uuid4()), init=False)
    placement: Placement = field(default_factory=Placement, init=False)


class Deliverer:
    """Tries, retries and dead-letters notifications.

    Args:
        record: Records where a notification is that could not be delivered at once.
        sleep: For messages that keep their order.
    """

    def __init__(self, record: Record, sleep: Callable[[float], None] = time.sleep) -> None:
        self._record = record
        self._sleep = sleep
        self.retries = RetryQueue[Notification](self.attempt)

    def deliver(self, notification: Notification) -> None:
        """Deliver one message. Never raises: each has an end somewhere."""
        self.attempt(notification)

    def begin(
        self, notification: Notification, begin: Callable[[], Callable[[], object]]
    ) -> Callable[[], None]:
        """Begin the first try of a message; it is tried again when that fails.

        Args:
            notification: The message.
            begin: Begins the try, and returns what waits for its end. Both raise why it failed.

        Returns:
            What waits until the message has a place, and must be called. It raises NotPlacedError.
        """
        notification.attempts += 1
        end = begun(begin)

        def wait() -> None:
            try:
                end()
            except Exception:  # whatever it was, the message must not be lost
                self.attempt(notification)
                self.ensure_placed(notification)
            else:
                notification.ended(True)

        return wait

    def ensure_placed(self, notification: Notification) -> None:
        """Wait until a message that another thread delivers has a place.

        Raises:
            NotPlacedError: Neither its endpoint nor the journal has it.
        """

        def tell() -> bool:
            place = "being delivered" if notification.attempts else "waits for its delivery"
            return self._record(_outcome(notification, "pending", place, time.time()))

        notification.placement.ensure(tell)

    def attempt(self, notification: Notification) -> None:
        """Try until it is delivered, given up, or has to wait."""
        while True:
            notification.attempts += 1
            try:
                notification.send()
            except Exception as error:  # whatever an endpoint answers must not be lost
                pause_s = notification.pauses(notification.attempts) if may_help(error) else None
                if pause_s is None:
                    self._give_up(notification, error)
                    return
                if pause_s and not notification.in_order:
                    self._wait(notification, error, pause_s)
                    return
                if pause_s:
                    self._is(notification, "pending", str(error), time.time() + pause_s)
                    self._sleep(pause_s)
            else:
                notification.ended(True)
                notification.placement.delivered(
                    lambda: self._record(_outcome(notification, "done", ""))
                )
                return

    def _wait(self, notification: Notification, error: Exception, pause_s: float) -> None:
        LOG.warning(
            "%s → %s: %s; try %d in %.0f s",
            *(notification.source_arn, notification.endpoint, error),
            *(notification.attempts + 1, pause_s),
        )
        self._is(notification, "pending", str(error), time.time() + pause_s)
        self.retries.add(notification, pause_s)

    def _give_up(self, notification: Notification, error: Exception) -> None:
        notification.ended(False)
        state, place = "dead-letter", notification.dead_letter_arn
        if notification.dead_letter is None:
            state, place = "lost", f"{error}; {notification.dead_letter_arn}"
        else:
            try:
                notification.dead_letter(str(error))
            except Exception as failure:  # the message must be found again
                state = "lost"
                place = f"{error}; its dead-letter queue {notification.dead_letter_arn}: {failure}"
        self._is(notification, state, place)

    def _is(
        self, notification: Notification, state: str, place: str, due_at: float | None = None
    ) -> None:
        outcome = _outcome(notification, state, place, due_at)
        notification.placement.record(partial(self._record, outcome))


def _outcome(
    notification: Notification, state: str, place: str, due_at: float | None = None
) -> Outcome:
    return Outcome(
        notification.kind,
        notification.source_arn,
        notification.endpoint,
        state,
        place,
        notification.attempts,
        notification.body.encode("utf-8", "replace"),
        notification.trace_id,
        due_at,
        notification.id,
    )
