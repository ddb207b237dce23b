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
