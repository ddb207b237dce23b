"""A target's ``RetryPolicy`` and ``DeadLetterConfig``.

What is patched: ``TargetSender.process_event``, through which every rule and schedule delivers.
Why: LocalStack tries once, writes an INFO line when that fails, and the event is gone. Until:
LocalStack retries and dead-letters by itself; ``tests/unit/plugin/test_event_delivery.py`` fails
when it does.

Follows Amazon EventBridge, "How EventBridge retries delivering events" and "Using dead-letter
queues to process undelivered events": errors that a retry cannot mend go to the dead-letter queue
at once; others are tried again with exponential back-off, by default 185 times over 24 hours.
"""

from __future__ import annotations

import copy
import heapq
import itertools
import json
import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError
from localstack.aws.connect import connect_to
from localstack.services.events.target import (
    TargetSender,
    transform_event_with_target_input_path,
)
from localstack.services.events.utils import to_json_str
from localstack.utils.aws.arns import (
    extract_account_id_from_arn,
    extract_region_from_arn,
    sqs_queue_url_for_arn,
)

LOG = logging.getLogger(__name__)

DEFAULT_RETRY_ATTEMPTS = 185
DEFAULT_EVENT_AGE_SECONDS = 86400
_FIRST_DELAY_SECONDS = 1.0
_LONGEST_DELAY_SECONDS = 300.0

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


class EventNotDeliverableError(Exception):
    """The event could not be brought into the form that the target asks for."""


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
    """

    sender: Any
    event: dict[str, Any]
    trace_header: Any
    started: float
    attempts: int = 0

    @property
    def policy(self) -> tuple[int, float]:
        """Retries allowed, and age in seconds after which it is given up."""
        policy = self.sender.target.get("RetryPolicy") or {}
        retries = policy.get("MaximumRetryAttempts", DEFAULT_RETRY_ATTEMPTS)
        age = policy.get("MaximumEventAgeInSeconds", DEFAULT_EVENT_AGE_SECONDS)
        return int(retries), float(age)


class RetryQueue:
    """Deliveries that wait for their next try, and the one thread that makes them."""

    def __init__(
        self,
        attempt: Callable[[Delivery], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._attempt = attempt
        self._clock = clock
        self._waiting: list[tuple[float, int, Delivery]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def add(self, delivery: Delivery, delay: float) -> None:
        """Try ``delivery`` again in ``delay`` seconds."""
        with self._changed:
            heapq.heappush(self._waiting, (self._clock() + delay, next(self._order), delivery))
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="events-target-retry", daemon=True
                )
                self._thread.start()
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting or self._waiting[0][0] > self._clock():
                    pause = self._waiting[0][0] - self._clock() if self._waiting else None
                    self._changed.wait(pause)
                _, _, delivery = heapq.heappop(self._waiting)
            try:
                self._attempt(delivery)
            except Exception:  # one delivery must not end the retries of all others
                LOG.exception("EVENT LOST, rule %s: %s", delivery.sender.rule_arn, delivery.event)


def retry_delay(attempts: int, jitter: float) -> float:
    """Seconds before try number ``attempts + 1``: doubling, capped, ``jitter`` from 0 to 1."""
    doublings = min(attempts - 1, 30)  # the cap is reached long before
    longest = min(_LONGEST_DELAY_SECONDS, _FIRST_DELAY_SECONDS * 2.0**doublings)
    return longest * (0.5 + jitter / 2)


class Deliverer:
    """Tries, retries and dead-letters deliveries."""

    def __init__(
        self,
        send: Callable[[Any, dict[str, Any], Any], None],
        dead_letter: Callable[[Delivery, str, str, str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._send = send
        self._dead_letter = dead_letter
        self._clock = clock
        self.retries = RetryQueue(self.attempt, clock)

    def deliver(self, sender: Any, event: dict[str, Any], trace_header: Any) -> None:
        """Deliver one event; a failure ends in a retry or in the dead-letter queue."""
        self.attempt(Delivery(sender, event, trace_header, self._clock()))

    def attempt(self, delivery: Delivery) -> None:
        """One try. Never raises: every outcome is recorded somewhere."""
        delivery.attempts += 1
        try:
            self._send(delivery.sender, copy.deepcopy(delivery.event), delivery.trace_header)
        except Exception as error:  # whatever a target answers must not be lost
            self._failed(delivery, error)

    def _failed(self, delivery: Delivery, error: Exception) -> None:
        code, may_help = error_code(error)
        retries, age = delivery.policy
        # A CSPRNG buys nothing for jitter.
        delay = retry_delay(delivery.attempts, random.random())  # noqa: S311
        expires = delivery.started + age
        if not may_help:
            condition = ""
        elif delivery.attempts > retries:
            condition = "MaximumRetryAttempts"
        elif self._clock() + delay > expires:
            condition = "MaximumEventAgeInSeconds"
        else:
            LOG.warning(
                "rule %s → %s: %s (%s); try %d of %d in %.1f s",
                delivery.sender.rule_name,
                delivery.sender.arn,
                code,
                error,
                delivery.attempts + 1,
                retries + 1,
                delay,
            )
            self.retries.add(delivery, delay)
            return
        self._dead_letter(delivery, code, str(error), condition)


def send_to_dead_letter_queue(delivery: Delivery, code: str, message: str, condition: str) -> None:
    """Send the untransformed event to the target's dead-letter queue, with AWS's attributes."""
    sender = delivery.sender
    body = to_json_str({k: v for k, v in delivery.event.items() if k != "event-bus-name"})
    arn = (sender.target.get("DeadLetterConfig") or {}).get("Arn")
    what = f"rule {sender.rule_name} → {sender.arn}: {code}: {message}"
    if not arn:
        LOG.error(
            "EVENT LOST, %s. The target has no dead-letter queue: set deadLetterQueueArn. %s",
            what,
            body,
        )
        return
    attributes = {
        "RULE_ARN": sender.rule_arn,
        "TARGET_ARN": sender.arn,
        "ERROR_CODE": code,
        "ERROR_MESSAGE": message or code,
        "RETRY_ATTEMPTS": str(delivery.attempts - 1),
    }
    if condition:
        attributes["EXHAUSTED_RETRY_CONDITION"] = condition
    try:
        region, account = extract_region_from_arn(arn), extract_account_id_from_arn(arn)
        connect_to(aws_access_key_id=account, region_name=region).sqs.send_message(
            QueueUrl=sqs_queue_url_for_arn(arn),
            MessageBody=body,
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value[:1024]}
                for name, value in attributes.items()
            },
        )
    except Exception as error:  # whatever it was, the event must be found again
        LOG.error("EVENT LOST, %s. Its dead-letter queue %s: %s. %s", what, arn, error, body)  # noqa: TRY400  # a line to act on, no traceback
        return
    LOG.warning("%s: sent to dead-letter queue %s", what, arn)


def transformed(sender: Any, event: dict[str, Any]) -> Any:
    """The event as the target asks for it: ``Input``, ``InputPath`` or ``InputTransformer``.

    Raises:
        EventNotDeliverableError: nothing is left of it.
    """
    if fixed := sender.target.get("Input"):
        return json.loads(fixed)
    result: Any = {key: value for key, value in event.items() if key != "event-bus-name"}
    if path := sender.target.get("InputPath"):
        result = transform_event_with_target_input_path(path, result)
    if transformer := sender.target.get("InputTransformer"):
        result = sender.transform_event_with_target_input_transformer(transformer, result)
    if not result:
        raise EventNotDeliverableError(
            "the target's input path or input template gives nothing for this event"
        )
    return result


def send(sender: Any, event: dict[str, Any], trace_header: Any) -> None:
    """Hand one event to its target, once.

    Raises:
        Exception: whatever the target's service answers.
    """
    sender.send_event(transformed(sender, event), trace_header)


deliverer = Deliverer(send, send_to_dead_letter_queue)


def install() -> None:
    """Patch LocalStack's target senders."""

    def process_event(sender: Any, event: dict[str, Any], trace_header: Any) -> None:
        deliverer.deliver(sender, event, trace_header)

    TargetSender.process_event = process_event  # type: ignore[method-assign, assignment]  # the patch
