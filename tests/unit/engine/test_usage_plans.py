"""What the keys of a usage plan have used, by day."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from trigger_stack_engine.front_doors.core.throttles import Throttles
from trigger_stack_engine.front_doors.rest_api.gateway_responses import GatewayError
from trigger_stack_engine.front_doors.rest_api.usage_plans import UsagePlans

FRIDAY = datetime(2026, 1, 30, 12, tzinfo=UTC)
KEY = {"id": "k", "value": "secret", "enabled": True}


class Clock:
    """The time, which a test sets."""

    def __init__(self) -> None:
        self.time = FRIDAY

    def now(self) -> datetime:
        return self.time


def plan(**changed: Any) -> dict[str, Any]:
    return {
        "id": "p",
        "apiStages": [{"apiId": "a", "stage": "s"}],
        "keys": [KEY],
        "quota": {"limit": 3, "period": "WEEK"},
        **changed,
    }


def test_what_is_left_is_counted_from_the_beginning_of_the_period() -> None:
    clock = Clock()
    plans = UsagePlans(Throttles(), clock.now)
    plans.replace([plan()])
    for day, count in ((30, 2), (31, 1)):
        clock.time = datetime(2026, 1, day, 12, tzinfo=UTC)
        for _ in range(count):
            plans.admit("secret", "a", "s", "/GET")
    with pytest.raises(GatewayError):
        plans.admit("secret", "a", "s", "/GET")
    clock.time = datetime(2026, 2, 2, tzinfo=UTC)  # a Monday: the quota begins anew
    plans.admit("secret", "a", "s", "/GET")

    found = plans.usage("p", date(2026, 1, 29), date(2026, 2, 2))

    assert found == {"k": [[0, 3], [2, 1], [1, 0], [0, 0], [1, 2]]}


def test_a_plan_without_a_quota_has_no_usage() -> None:
    plans = UsagePlans(Throttles(), Clock().now)
    plans.replace([plan(quota=None)])
    plans.admit("secret", "a", "s", "/GET")
    day = date(2026, 1, 30)
    assert plans.usage("p", day, day) == {}
    assert plans.usage("other", day, day) == {}


def test_a_key_may_make_as_many_more_requests_as_are_left_to_it() -> None:
    clock = Clock()
    plans = UsagePlans(Throttles(), clock.now)
    plans.replace([plan(quota={"limit": 2, "period": "DAY"})])
    for _ in range(2):
        plans.admit("secret", "a", "s", "/GET")

    day = plans.leave("p", "k", 1)

    assert day == date(2026, 1, 30)
    assert plans.usage("p", day, day) == {"k": [[2, 1]]}
    plans.admit("secret", "a", "s", "/GET")
    with pytest.raises(GatewayError):
        plans.admit("secret", "a", "s", "/GET")
    clock.time = datetime(2026, 1, 31, tzinfo=UTC)  # the quota begins anew, as the plan has it
    for _ in range(2):
        plans.admit("secret", "a", "s", "/GET")
    with pytest.raises(GatewayError):
        plans.admit("secret", "a", "s", "/GET")


def test_fewer_requests_may_be_left_to_a_key() -> None:
    plans = UsagePlans(Throttles(), Clock().now)
    plans.replace([plan()])

    plans.leave("p", "k", 0)

    with pytest.raises(GatewayError):
        plans.admit("secret", "a", "s", "/GET")


def test_nothing_is_left_to_a_key_that_is_not_there() -> None:
    plans = UsagePlans(Throttles(), Clock().now)
    plans.replace([plan(), plan(id="free", quota=None)])

    assert plans.leave("p", "other", 1) is None
    assert plans.leave("other", "k", 1) is None
    assert plans.leave("free", "k", 1) is None
