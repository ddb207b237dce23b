"""How often an endpoint is tried that answers with an error, and when."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from trigger_stack.delivery.core.deliverer import pause_after_customer_managed
from trigger_stack.delivery.rules.delivery import (
    Deliverer,
    Delivery,
    EndpointAnsweredError,
    error_code,
)


class World:
    """A target whose endpoint answers with an error, and what became of the event."""

    def __init__(self, error: EndpointAnsweredError) -> None:
        self.error = error
        self.dead: list[str] = []
        self.delays: list[float] = []
        self.deliverer = Deliverer(self.send, self.dead_letter, lambda _: True, lambda: 0.0)
        self.deliverer.retries = self  # type: ignore[assignment]  # retries wait here, no thread

    def send(self, delivery: Delivery) -> None:
        raise self.error

    def dead_letter(self, _: Delivery, code: str, message: str, condition: str) -> None:
        self.dead.append(code)

    def add(self, _: Delivery, delay: float) -> None:
        self.delays.append(delay)

    def deliver(self) -> None:
        sender: Any = SimpleNamespace(target={}, rule_arn="r", rule_name="r", arn="t")
        self.deliverer.deliver(sender, {"id": "1"}, None)


@pytest.mark.parametrize("status", [401, 407, 409, 429, 500, 503])
def test_it_is_tried_again_not_before_it_wants(status: int) -> None:
    world = World(EndpointAnsweredError("later", status, 90.0))
    world.deliver()
    assert (world.delays, world.dead) == ([90.0], [])


@pytest.mark.parametrize(
    ("status", "retry_after_s"), [(302, 0.0), (400, 0.0), (404, 5.0), (503, -1.0)]
)
def test_it_is_not_tried_again(status: int, retry_after_s: float) -> None:
    world = World(EndpointAnsweredError("no", status, retry_after_s))
    world.deliver()
    assert (world.delays, world.dead) == ([], ["SDK_CLIENT_ERROR"])


def test_a_retry_that_would_be_too_late_is_none() -> None:
    world = World(EndpointAnsweredError("tomorrow", 503, 90_000.0))
    world.deliver()
    assert world.dead == ["SDK_CLIENT_ERROR"]


def test_its_code_is_that_of_a_client() -> None:
    assert error_code(EndpointAnsweredError("no", 500)) == ("SDK_CLIENT_ERROR", True)


def test_mail_and_apps_are_tried_fifty_times_in_six_hours() -> None:
    pauses = [pause_after_customer_managed(attempts) for attempts in range(1, 52)]
    assert pauses[:5] == [10.0, 10.0, 10.0, 20.0, 40.0]
    assert pauses[49:] == [600.0, None]
    assert 6 * 3600 < sum(one for one in pauses if one) < 8 * 3600
