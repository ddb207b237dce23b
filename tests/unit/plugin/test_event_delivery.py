"""Delivery to EventBridge targets: retries, age, back-off, codes, and where a lost cause ends."""

from __future__ import annotations

import inspect
import json
import threading
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from hypothesis import given
from hypothesis import strategies as st
from localstack.services.events.target import TargetSender

from trigger_stack.delivery.core.outcome import Outcome
from trigger_stack.delivery.core.retry_queue import RetryQueue, retry_delay
from trigger_stack.delivery.rules.delivery import (
    DEFAULT_EVENT_AGE_SECONDS,
    DEFAULT_RETRY_ATTEMPTS,
    Deliverer,
    Delivery,
    EventNotDeliverableError,
    dead_letter,
    error_code,
)
from trigger_stack.localstack.events import target_sender as module
from trigger_stack.localstack.events.target_sender import send_message, transformed

RULE = "arn:aws:events:us-east-1:000000000000:rule/bus/hourly"
TARGET = "arn:aws:lambda:us-east-1:000000000000:function:greet"
DLQ = "arn:aws:sqs:eu-west-1:111111111111:dlq"
EVENT = {"id": "1", "detail-type": "Updated", "detail": {"brandId": "acme"}, "event-bus-name": "b"}


@dataclass
class Sender:
    """LocalStack's sender of one target, as far as delivery needs it."""

    target: dict[str, Any] = field(default_factory=dict)
    rule_arn: str = RULE
    rule_name: str = "hourly"
    arn: str = TARGET

    def transform_event_with_target_input_transformer(self, transformer: Any, event: Any) -> Any:
        return transformer.get("result")


@dataclass
class World:
    """A target that fails as told, a clock that moves by hand, and the dead letters."""

    failures: list[Exception]
    now: float = 1000.0
    seen: list[dict[str, Any]] = field(default_factory=list)
    dead: list[tuple[str, str, str]] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    requests: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.journal_is_there = True
        self.deliverer = Deliverer(self.send, self.dead_letter, self.record, lambda: self.now)
        self.waiting: list[Delivery] = []
        self.deliverer.retries = self  # type: ignore[assignment]  # retries wait here, no thread

    def add(self, delivery: Delivery, delay: float) -> None:
        self.delays.append(delay)
        self.waiting.append(delivery)

    def record(self, outcome: Outcome) -> bool:
        if self.journal_is_there:
            self.outcomes.append(outcome)
        return self.journal_is_there

    def send(self, delivery: Delivery) -> None:
        event = delivery.content()
        self.seen.append(event)
        self.requests.add(delivery.request_id)
        event["changed"] = True  # what a target does to its copy must not reach the next try
        if self.failures:
            raise self.failures.pop(0)

    def dead_letter(self, delivery: Delivery, code: str, message: str, condition: str) -> None:
        self.dead.append((code, condition, message))

    def deliver(self, **policy: int) -> None:
        sender = Sender({"RetryPolicy": policy} if policy else {})
        self.deliverer.deliver(sender, EVENT, None)
        while self.waiting:
            delivery = self.waiting.pop(0)
            self.now += self.delays[-1]
            self.deliverer.attempt(delivery)


def refused(code: str, status: int = 400) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[arg-type]  # what delivery reads of it
        "Invoke",
    )


BROKEN = refused("InternalError", 500)


def test_a_delivery_that_succeeds_is_one_call() -> None:
    world = World([])
    world.deliver()

    assert (len(world.seen), world.dead, world.delays) == (1, [], [])


def test_a_failure_that_a_retry_mends() -> None:
    world = World([BROKEN, BROKEN])
    world.deliver()

    assert (len(world.seen), world.dead) == (3, [])
    assert all(event["detail"] == {"brandId": "acme"} for event in world.seen)
    assert "changed" not in EVENT
    assert [(one.state, one.attempts) for one in world.outcomes] == [
        ("pending", 1), ("pending", 2), ("done", 3),
    ]  # fmt: skip
    assert len({one.id for one in world.outcomes}) == 1, "one event"


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_retries_are_counted_after_the_first_try(retries: int) -> None:
    world = World([BROKEN] * 9)
    world.deliver(MaximumRetryAttempts=retries)

    assert len(world.seen) == retries + 1
    assert [(code, condition) for code, condition, _ in world.dead] == [
        ("SDK_CLIENT_ERROR", "MaximumRetryAttempts")
    ]


def test_an_event_that_grows_too_old() -> None:
    world = World([BROKEN] * 500)
    world.deliver(MaximumEventAgeInSeconds=60)

    assert world.now - 1000 <= 60
    assert [condition for _, condition, _ in world.dead] == ["MaximumEventAgeInSeconds"]
    assert len(world.seen) > 3


def test_eventbridges_defaults_end_within_a_day_and_185_retries() -> None:
    world = World([BROKEN] * 500)
    world.deliver()

    assert len(world.seen) == DEFAULT_RETRY_ATTEMPTS + 1
    assert world.now - 1000 < DEFAULT_EVENT_AGE_SECONDS
    assert len(world.dead) == 1


@pytest.mark.parametrize(
    "error",
    [
        refused("AccessDeniedException", 403),
        refused("ResourceNotFoundException", 404),
        refused("AWS.SimpleQueueService.NonExistentQueue"),
        refused("ValidationException"),
        EventNotDeliverableError("nothing is left"),
    ],
)
def test_what_a_retry_cannot_mend_is_tried_once(error: Exception) -> None:
    world = World([error] * 9)
    world.deliver(MaximumRetryAttempts=5)

    assert len(world.seen) == 1
    assert [condition for _, condition, _ in world.dead] == [""]


@pytest.mark.parametrize(
    ("error", "code", "may_help"),
    [
        (refused("AccessDenied", 403), "NO_PERMISSIONS", False),
        (refused("ResourceNotFoundException", 404), "NO_RESOURCE", False),
        (refused("QueueDoesNotExist"), "NO_RESOURCE", False),
        (refused("TooManyRequestsException", 429), "THROTTLING", True),
        (refused("ThrottlingException"), "THROTTLING", True),
        (refused("InvalidParameterValue"), "INVALID_REQUEST", False),
        (refused("ServiceUnavailable", 503), "SDK_CLIENT_ERROR", True),
        (ClientError({}, "Invoke"), "SDK_CLIENT_ERROR", True),
        (EndpointConnectionError(endpoint_url="http://x"), "INTERNAL_ERROR", True),
        (TimeoutError(), "INTERNAL_ERROR", True),
        (json.JSONDecodeError("x", "y", 0), "INVALID_JSON", False),
    ],
)
def test_error_codes(error: Exception, code: str, may_help: bool) -> None:
    assert error_code(error) == (code, may_help)


@given(st.integers(1, 5000), st.floats(0, 1))
def test_back_off_doubles_from_a_second_to_five_minutes(attempts: int, jitter: float) -> None:
    delay = retry_delay(attempts, jitter)

    longest = min(300.0, 2.0 ** min(attempts - 1, 20))
    assert longest / 2 <= delay <= longest


def test_retries_come_from_a_queue_in_the_order_they_are_due() -> None:
    done = threading.Event()
    order: list[str] = []

    def attempt(delivery: Delivery) -> None:
        order.append(delivery.event["id"])
        if len(order) == 3:
            done.set()

    queue = RetryQueue(attempt)
    for name, delay in (("late", 0.03), ("soon", 0.0), ("later", 0.06)):
        queue.add(Delivery(Sender(), {"id": name}, None, 0), delay)

    assert done.wait(10), order
    assert order == ["soon", "late", "later"]


def test_one_delivery_that_breaks_does_not_end_the_retries_of_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    done = threading.Event()

    def attempt(delivery: Delivery) -> None:
        if delivery.event["id"] == "bad":
            raise RuntimeError("a bug")
        done.set()

    queue = RetryQueue(attempt)
    queue.add(Delivery(Sender(), {"id": "bad"}, None, 0), 0)
    queue.add(Delivery(Sender(), {"id": "good"}, None, 0), 0.01)

    assert done.wait(10)
    assert "EVENT LOST" in caplog.text


# --- The form of the event


@pytest.mark.parametrize(
    ("target", "result"),
    [
        ({}, {"id": "1", "detail-type": "Updated", "detail": {"brandId": "acme"}}),
        ({"Input": '{"fixed": true}'}, {"fixed": True}),
        ({"Input": "{}"}, {}),
        ({"InputPath": "$.detail"}, {"brandId": "acme"}),
        ({"InputTransformer": {"result": {"made": 1}}}, {"made": 1}),
    ],
)
def test_transformation(target: dict[str, Any], result: Any) -> None:
    assert transformed(Sender(target), EVENT) == result


@pytest.mark.parametrize(
    "target", [{"InputPath": "$.detail.nothing"}, {"InputTransformer": {"result": None}}]
)
def test_a_transformation_to_nothing_is_no_silent_success(target: dict[str, Any]) -> None:
    with pytest.raises(EventNotDeliverableError, match="gives nothing for this event"):
        transformed(Sender(target), EVENT)


# --- Dead letters


class Sqs:
    def __init__(self, error: Exception | None = None) -> None:
        self.sent: list[dict[str, Any]] = []
        self.connected: dict[str, Any] = {}
        self.error = error

    def __call__(self, **connection: Any) -> Sqs:
        self.connected = connection
        return self

    @property
    def sqs(self) -> Sqs:
        return self

    def send_message(self, **request: Any) -> None:
        if self.error:
            raise self.error
        self.sent.append(request)


@pytest.fixture
def sqs(monkeypatch: pytest.MonkeyPatch) -> Sqs:
    fake = Sqs()
    monkeypatch.setattr(module, "connect_to", fake)
    monkeypatch.setattr(module, "sqs_queue_url_for_arn", lambda arn: f"http://sqs/{arn}")
    return fake


def delivery(target: dict[str, Any], attempts: int = 1) -> Delivery:
    return Delivery(Sender(target), EVENT, None, 0, attempts)


def test_a_dead_letter_has_the_event_and_why(sqs: Sqs) -> None:
    """Amazon EventBridge, "Using dead-letter queues": message attributes."""
    outcomes: list[Outcome] = []
    dead_letter(
        send_message,
        outcomes.append,
        delivery({"DeadLetterConfig": {"Arn": DLQ}}, attempts=3),
        "SDK_CLIENT_ERROR",
        "it broke",
        "MaximumRetryAttempts",
    )

    (letter,) = sqs.sent
    assert letter["QueueUrl"] == f"http://sqs/{DLQ}"
    assert json.loads(letter["MessageBody"]) == {
        k: v for k, v in EVENT.items() if k != "event-bus-name"
    }
    assert {k: v["StringValue"] for k, v in letter["MessageAttributes"].items()} == {
        "RULE_ARN": RULE,
        "TARGET_ARN": TARGET,
        "ERROR_CODE": "SDK_CLIENT_ERROR",
        "ERROR_MESSAGE": "it broke",
        "RETRY_ATTEMPTS": "2",
        "EXHAUSTED_RETRY_CONDITION": "MaximumRetryAttempts",
    }
    assert sqs.connected == {"aws_access_key_id": "111111111111", "region_name": "eu-west-1"}
    (outcome,) = outcomes
    assert (outcome.state, outcome.place, outcome.attempts) == ("dead-letter", DLQ, 3)
    assert (outcome.source, outcome.target) == (RULE, TARGET)


def test_without_exhausted_retries_there_is_no_condition(sqs: Sqs) -> None:
    dead_letter(
        send_message,
        lambda outcome: None,
        delivery({"DeadLetterConfig": {"Arn": DLQ}}),
        "NO_RESOURCE",
        "x" * 5000,
        "",
    )

    attributes = sqs.sent[0]["MessageAttributes"]
    assert "EXHAUSTED_RETRY_CONDITION" not in attributes
    assert attributes["RETRY_ATTEMPTS"]["StringValue"] == "0"
    assert len(attributes["ERROR_MESSAGE"]["StringValue"]) == 1024


@pytest.mark.parametrize("target", [{}, {"DeadLetterConfig": {}}])
def test_without_a_dead_letter_queue_the_event_is_lost(sqs: Sqs, target: dict[str, Any]) -> None:
    outcomes: list[Outcome] = []

    dead_letter(send_message, outcomes.append, delivery(target), "NO_RESOURCE", "gone", "")

    (outcome,) = outcomes
    assert outcome.state == "lost"
    assert outcome.place.startswith("NO_RESOURCE: gone; ")
    assert "deadLetterQueueArn" in outcome.place
    assert json.loads(outcome.payload) == {k: v for k, v in EVENT.items() if k != "event-bus-name"}
    assert not sqs.sent


@pytest.mark.parametrize(
    "error", [refused("NonExistentQueue"), EndpointConnectionError(endpoint_url="x")]
)
def test_an_event_whose_dead_letter_queue_is_not_there_is_lost(sqs: Sqs, error: Exception) -> None:
    sqs.error = error
    outcomes: list[Outcome] = []
    target = delivery({"DeadLetterConfig": {"Arn": DLQ}})

    dead_letter(send_message, outcomes.append, target, "X", "gone", "")

    (outcome,) = outcomes
    assert outcome.state == "lost"
    assert DLQ in outcome.place
    assert b"acme" in outcome.payload


# --- Until when the patch is needed


def test_localstack_still_drops_failed_events() -> None:
    """When this fails, LocalStack has retries or dead letters: see what the patch still adds."""
    source = inspect.getsource(inspect.getmodule(TargetSender))  # type: ignore[arg-type]  # it has one

    assert "DeadLetterConfig" not in source
    assert "RetryPolicy" not in source
    assert "MaximumRetryAttempts" not in source


def test_localstack_still_drops_an_event_that_became_nothing() -> None:
    calls: list[Any] = []

    class Unpatched(TargetSender):
        def send_event(self, event: Any, trace_header: Any) -> None:
            calls.append(event)

    original = inspect.unwrap(TargetSender.process_event)
    if original.__module__ != TargetSender.__module__:
        pytest.fail("the patch is installed in this process: LocalStack's own is hidden")
    sender = Unpatched(
        {"Id": "1", "Arn": TARGET, "InputPath": "$.x"}, RULE, "r", "lambda", "us-east-1", "0"
    )
    sender.process_event({"id": "1"}, None)  # type: ignore[arg-type, typeddict-item]  # a small event

    assert not calls, "LocalStack now reports it: the patch may go"
