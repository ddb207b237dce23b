"""Firing a schedule and delivering a dead letter again: who gets the event, and what is refused."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from localstack.http import Request, Response

from trigger_stack.localstack.events import routes
from trigger_stack.localstack.events.routes import EventRoutes

RULE = "arn:aws:events:us-east-1:000000000000:rule/hourly"
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:metrics"


class Sender:
    """Keeps what it is sent; fails when it is told to."""

    def __init__(self, error: Exception | None = None) -> None:
        self.rule_arn, self.arn = RULE, FUNCTION
        self.error = error
        self.sent: list[Any] = []

    def process_event(self, event: Any, trace_header: Any) -> None:
        assert trace_header.root
        self.sent.append(event)


@pytest.fixture
def sender(monkeypatch: pytest.MonkeyPatch) -> Sender:
    """The one target's sender of a provider, and of the rule ``hourly``."""
    target = Sender()

    def send(delivery: Any) -> None:
        if delivery.sender.error:
            raise delivery.sender.error
        delivery.sender.sent.append(delivery.content())

    rules = {
        "hourly": SimpleNamespace(
            arn=RULE,
            schedule_expression="rate(1 hour)",
            targets={"one": {"Id": "one", "Arn": FUNCTION}},
        ),
        "idle": SimpleNamespace(arn=RULE + "2", schedule_expression="rate(1 hour)", targets={}),
        "on-event": SimpleNamespace(arn=RULE + "3", schedule_expression=None, targets={}),
    }
    stores = {
        "000000000000": {
            "us-east-1": SimpleNamespace(event_buses={"default": SimpleNamespace(rules=rules)}),
            "eu-west-1": SimpleNamespace(event_buses={}),
        }
    }
    provider = SimpleNamespace(_target_sender_store={f"{RULE}-one": target})
    monkeypatch.setattr(routes, "events_stores", stores)
    monkeypatch.setattr(routes, "_provider", lambda: provider)
    monkeypatch.setattr(routes, "send", send)
    return target


def said(response: Response) -> Any:
    return json.loads(response.get_data())


def fire(rule: str, query: str = "") -> Response:
    return EventRoutes().fire(Request("POST", "/", query_string=query), rule)


def deliver(body: str) -> Response:
    return EventRoutes().deliver(Request("POST", "/", body=body))


def test_firing_sends_the_event_of_a_schedule_to_each_target(sender: Sender) -> None:
    response = fire("hourly")

    assert response.status_code == 200
    (event,) = sender.sent
    assert said(response) == {"eventId": event["id"], "targets": [FUNCTION]}
    assert event["detail-type"] == "Scheduled Event"
    assert event["source"] == "aws.events"
    assert event["resources"] == [RULE]
    assert event["detail"] == {}


@pytest.mark.parametrize(
    ("rule", "query", "status", "reason"),
    [
        ("nothing", "", 404, "no rule nothing"),
        ("on-event", "", 404, "no rule on-event with a schedule"),
        ("hourly", "region=eu-west-1", 404, "no rule hourly"),
        ("idle", "", 409, "has no target"),
    ],
)
def test_what_cannot_be_fired(
    sender: Sender, rule: str, query: str, status: int, reason: str
) -> None:
    response = fire(rule, query)

    assert response.status_code == status
    assert reason in said(response)
    assert sender.sent == []


def test_a_dead_letter_is_delivered_to_its_own_target(sender: Sender) -> None:
    body = {"ruleArn": RULE, "targetArn": FUNCTION, "event": {"id": "1"}}

    assert said(deliver(json.dumps(body))) == {"delivered": True}
    assert sender.sent == [{"id": "1"}]


def test_a_target_that_fails_again_says_why(sender: Sender) -> None:
    sender.error = RuntimeError("no such queue")
    body = {"ruleArn": RULE, "targetArn": FUNCTION, "event": {}}

    response = deliver(json.dumps(body))

    assert response.status_code == 502
    assert said(response) == "RuntimeError: no such queue"


def test_a_target_that_is_gone_keeps_the_letter_where_it_is(sender: Sender) -> None:
    body = {"ruleArn": RULE, "targetArn": FUNCTION + "-old", "event": {}}

    response = deliver(json.dumps(body))

    assert response.status_code == 404
    assert "no longer has the target" in said(response)
    assert sender.sent == []


@pytest.mark.parametrize("body", ["", "{", "[]", '"x"', "1", '{"ruleArn": "a"}', "\udcff"])
def test_a_body_that_is_no_delivery(sender: Sender, body: str) -> None:
    assert deliver(body.encode(errors="surrogateescape").decode("latin-1")).status_code == 400
    assert sender.sent == []
