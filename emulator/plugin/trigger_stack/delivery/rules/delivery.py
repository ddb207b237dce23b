"""A target's ``RetryPolicy`` and ``DeadLetterConfig``.

Follows Amazon EventBridge, "How EventBridge retries delivering events" and "Using dead-letter
queues to process undelivered events": errors that a retry cannot mend go to the dead-letter queue
at once; others are tried again with exponential back-off, by default 185 times over 24 hours.
"""

from __future__ import annotations

import copy
import json
import logging
import random
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from botocore.exceptions import ClientError

from trigger_stack.delivery.core.outcome import Outcome, Record
from trigger_stack.delivery.core.placement import Placement, begun
from trigger_stack.delivery.core.retry_queue import RetryQueue, retry_delay

LOG = logging.getLogger(__name__)

DEFAULT_RETRY_ATTEMPTS = 185
DEFAULT_EVENT_AGE_SECONDS = 86400

#: Codes after which a retry cannot succeed: the target is not there, or refuses the request.
#: EventBridge's documentation names missing permissions and deleted targets.
_NOT_RETRIED = {
    "AccessDenied": "NO_PERMISSIONS",
    "AccessDeniedException": "NO_PERMISSIONS",
    "ResourceNotFoundException": "NO_RESOURCE",
    "NotFound": "NO_RESOURCE",
    "NotFoundException": "NO_RESOURCE",
    "QueueDoesNotExist": "NO_RESOURCE",
    "AWS.SimpleQueueService.NonExistentQueue": "NO_RESOURCE",
}
_THROTTLED = frozenset({"TooManyRequestsException", "ThrottlingException", "Throttling"})


#: EventBridge, "API destination error codes"; beside 5xx.
_RETRIED_ANSWERS = frozenset((401, 407, 409, 429))


class EventNotDeliverableError(Exception):
    """The event could not be brought into the form that the target asks for."""


class EndpointAnsweredError(Exception):
    """The HTTP endpoint of a target answered that it did not take the event.

    AWS topic: Amazon EventBridge User Guide, "API destination error codes".

    Args:
        message: For the dead letter.
        status: HTTP status.
        retry_after_s: What its ``Retry-After`` says; a negative number ends the retries.
    """

    def __init__(self, message: str, status: int, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.may_help = (status in _RETRIED_ANSWERS or status >= 500) and retry_after_s >= 0


def error_code(error: Exception) -> tuple[str, bool]:
    """EventBridge's ``ERROR_CODE`` for a failed delivery, and whether a retry may help."""
    if isinstance(error, ClientError):
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in _NOT_RETRIED:
            return _NOT_RETRIED[code], False
        if code in _THROTTLED:
            return "THROTTLING", True
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
        return ("INVALID_REQUEST", False) if 400 <= status < 500 else ("SDK_CLIENT_ERROR", True)
    if isinstance(error, EndpointAnsweredError):
        return "SDK_CLIENT_ERROR", error.may_help
    if isinstance(error, EventNotDeliverableError | ValueError | TypeError | KeyError):
        return "INVALID_JSON", False
    return "INTERNAL_ERROR", True


@dataclass
class Delivery:
    """One event on its way to one target.

    Attributes:
        sender: LocalStack's sender for the target.
        event: the event as it was put on the bus, before any transformation.
        started: monotonic time of the first try, in seconds.
        attempts: how often it was tried.
        id: of the event for this target, in the journal.
        request_id: of the function's invocation; the engine accepts it once, so all tries have it.
        placement: whether it has a place.
    """

    sender: Any
    event: dict[str, Any]
    trace_header: Any
    started: float
    attempts: int = 0
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    placement: Placement = field(default_factory=Placement)

    #: For the journal.
    kind: ClassVar[str] = "event of a rule"
    #: How to get a dead-letter queue.
    remedy: ClassVar[str] = "set deadLetterQueueArn"

    def __str__(self) -> str:
        return f"{self.name}: {self.event}"

    @property
    def name(self) -> str:
        """What it comes from, for the log."""
        return f"rule {self.sender.rule_name}"

    def content(self) -> dict[str, Any]:
        """What one try may do with as it likes."""
        return copy.deepcopy(self.event)

    def cause(self, error: Exception) -> tuple[str, bool]:
        """``ERROR_CODE`` for a failed try, and whether a retry may help."""
        return error_code(error)

    def attributes(self) -> dict[str, str]:
        """The attributes of a dead letter that say where it comes from."""
        return {"RULE_ARN": self.sender.rule_arn, "TARGET_ARN": self.sender.arn}

    @property
    def policy(self) -> tuple[int, float]:
        """Retries allowed, and age in seconds after which it is given up."""
        policy = self.sender.target.get("RetryPolicy") or {}
        retries = policy.get("MaximumRetryAttempts", DEFAULT_RETRY_ATTEMPTS)
        age = policy.get("MaximumEventAgeInSeconds", DEFAULT_EVENT_AGE_SECONDS)
        return int(retries), float(age)

    @property
    def body(self) -> str:
        """The event as a dead-letter queue gets it."""
        event = {k: v for k, v in self.event.items() if k != "event-bus-name"}
        return json.dumps(event, default=str)

    def outcome(self, state: str, place: str, due_at: float | None = None) -> Outcome:
        """What the journal gets; see :class:`Outcome`."""
        trace = self.trace_header
        return Outcome(
            self.kind,
            self.sender.rule_arn,
            self.sender.arn,
            state,
            place,
            self.attempts,
            self.body.encode(),
            trace.to_header_str() if hasattr(trace, "to_header_str") else None,
            due_at,
            self.id,
        )


class Deliverer:
    """Tries, retries and dead-letters deliveries.

    Args:
        send: Makes one try. Raises what the target answers.
        dead_letter: Brings a delivery that is given up to where it rests, with ``ERROR_CODE``,
            the target's answer and ``EXHAUSTED_RETRY_CONDITION``. Never raises.
        record: Records where a delivery is that did not succeed at once.
        clock: Monotonic time in seconds.
    """

    def __init__(
        self,
        send: Callable[[Delivery], object],
        dead_letter: Callable[[Delivery, str, str, str], None],
        record: Record,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._send = send
        self._dead_letter = dead_letter
        self._record = record
        self._clock = clock
        self.retries = RetryQueue[Delivery](self.attempt, clock)

    def new(self, sender: Any, event: dict[str, Any], trace_header: Any) -> Delivery:
        """One event for one target, whose first try is about to begin."""
        return Delivery(sender, event, trace_header, self._clock())

    def deliver(self, sender: Any, event: dict[str, Any], trace_header: Any) -> None:
        """Deliver one event; a failure ends in a retry or in the dead-letter queue."""
        self.attempt(self.new(sender, event, trace_header))

    def deliver_recorded(self, delivery: Delivery) -> None:
        """Deliver what has a journal entry from before its first try."""
        delivery.placement.record(
            lambda: self._record(delivery.outcome("pending", "", time.time()))
        )
        self.attempt(delivery)

    def begin(
        self, delivery: Delivery, begin: Callable[[Delivery], Callable[[], object]]
    ) -> Callable[[], None]:
        """Begin the first try; a failure ends in a retry or in the dead-letter queue.

        Args:
            delivery: The event for a target.
            begin: Begins the try, and returns what waits for its end. Both raise why it failed.

        Returns:
            What waits until the event has a place, and must be called. It raises NotPlacedError.
        """
        delivery.attempts += 1
        end = begun(lambda: begin(delivery))

        def wait() -> None:
            try:
                end()
            except Exception as error:  # whatever a target answers must not be lost
                self._failed(delivery, error)
                self.ensure_placed(delivery)

        return wait

    def ensure_placed(self, delivery: Delivery) -> None:
        """Wait until an event that another thread delivers has a place.

        Raises:
            NotPlacedError: Neither its target nor the journal has it.
        """
        delivery.placement.ensure(
            lambda: self._record(delivery.outcome("pending", "being delivered", time.time()))
        )

    def attempt(self, delivery: Delivery) -> None:
        """One try. Never raises: every outcome is recorded somewhere."""
        delivery.attempts += 1
        try:
            self._send(delivery)
        except Exception as error:  # whatever a target answers must not be lost
            self._failed(delivery, error)
        else:
            delivery.placement.delivered(lambda: self._record(delivery.outcome("done", "")))

    def _failed(self, delivery: Delivery, error: Exception) -> None:
        code, may_help = delivery.cause(error)
        retries, age = delivery.policy
        # A CSPRNG buys nothing for jitter.
        delay = retry_delay(delivery.attempts, random.random())  # noqa: S311
        if isinstance(error, EndpointAnsweredError):
            delay = max(delay, error.retry_after_s)
        expires = delivery.started + age
        if not may_help:
            condition = ""
        elif delivery.attempts > retries:
            condition = "MaximumRetryAttempts"
        elif self._clock() + delay > expires:
            condition = "MaximumEventAgeInSeconds"
        else:
            LOG.warning(
                "%s → %s: %s (%s); try %d of %d in %.1f s",
                delivery.name,
                delivery.sender.arn,
                code,
                error,
                delivery.attempts + 1,
                retries + 1,
                delay,
            )
            pending = delivery.outcome("pending", f"{code}: {error}", time.time() + delay)
            delivery.placement.record(lambda: self._record(pending))
            self.retries.add(delivery, delay)
            return
        self._dead_letter(delivery, code, str(error), condition)


def dead_letter(
    send_message: Callable[[str, str, dict[str, Any]], None],
    record: Record,
    delivery: Delivery,
    code: str,
    message: str,
    condition: str,
) -> None:
    """Send the event, as it was accepted, to the target's dead-letter queue, with AWS's attributes.

    Never raises: an event that no queue takes is recorded as lost, in full.

    Args:
        send_message: Sends a body with message attributes to the queue with an ARN.
        record: Records where the event came to rest.
        delivery: What could not be delivered.
        code: EventBridge's ``ERROR_CODE``.
        message: What the target answered.
        condition: ``EXHAUSTED_RETRY_CONDITION``, or an empty text.
    """
    sender = delivery.sender
    arn = (sender.target.get("DeadLetterConfig") or {}).get("Arn")

    def came_to(state: str, place: str) -> None:
        delivery.placement.record(lambda: record(delivery.outcome(state, place)))

    if not arn:
        reason = f"the target has no dead-letter queue: {delivery.remedy}"
        came_to("lost", f"{code}: {message}; {reason}")
        return
    attributes = {
        **delivery.attributes(),
        "ERROR_CODE": code,
        "ERROR_MESSAGE": message or code,
        "RETRY_ATTEMPTS": str(delivery.attempts - 1),
    }
    if condition:
        attributes["EXHAUSTED_RETRY_CONDITION"] = condition
    try:
        send_message(
            arn,
            delivery.body,
            {
                name: {"DataType": "String", "StringValue": value[:1024]}
                for name, value in attributes.items()
            },
        )
    except Exception as error:  # whatever it was, the event must be found again
        came_to("lost", f"{code}: {message}; its dead-letter queue {arn}: {error}")
        return
    came_to("dead-letter", arn)
    LOG.warning(
        "%s → %s: %s: %s: sent to dead-letter queue %s",
        *(delivery.name, sender.arn, code, message, arn),
    )
