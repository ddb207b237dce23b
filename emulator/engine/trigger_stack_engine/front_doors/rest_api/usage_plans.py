"""API keys and usage plans: who may call how often.

AWS topic: API Gateway Developer Guide, "Usage plans and API keys for REST APIs". A key counts when
it is enabled and in a usage plan of the stage. Plans have a rate with a burst (a token bucket for
each key) and a quota for each day, week or month in UTC.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from trigger_stack_engine.front_doors.core.throttles import Throttles
from trigger_stack_engine.front_doors.rest_api.gateway_responses import GatewayError

Resource = dict[str, Any]


class UsagePlans:
    """All usage plans, and what their keys have used.

    Args:
        throttles: Token buckets.
        now: The time in UTC.
    """

    def __init__(
        self,
        throttles: Throttles,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._throttles = throttles
        self._now = now
        self._plans: list[Resource] = []
        self._used: dict[tuple[str, str], tuple[str, int]] = {}
        self._days: dict[tuple[str, str], dict[date, int]] = {}
        #: By how much a key's quota is larger in a period, which ``UpdateUsage`` decides.
        self._more: dict[tuple[str, str], tuple[str, int]] = {}

    def replace(self, plans: list[Resource]) -> None:
        """Know these plans: ``UsagePlan`` shapes with ``keys``, a list of ``ApiKey`` shapes."""
        self._plans = plans

    def admit(
        self, value: str | None, api_id: str, stage: str, method_key: str
    ) -> tuple[str, str] | None:
        """Let a request with an API key pass, and count it.

        Args:
            value: The key.
            api_id: Id of the API.
            stage: Name of the stage.
            method_key: ``/brand/{brandId}/GET``, for which a plan may have a limit of its own.

        Returns:
            Id and value of the key.

        Raises:
            GatewayError: 403 without a key that counts, 429 when it is used up.
        """
        for plan in self._plans:
            for served in plan.get("apiStages") or []:
                if (served.get("apiId"), served.get("stage")) != (api_id, stage):
                    continue
                for key in plan["keys"]:
                    if key["value"] == value and key["enabled"]:
                        self._count(plan, served, key, method_key)
                        return key["id"], key["value"]
        raise GatewayError("INVALID_API_KEY")

    def _count(self, plan: Resource, served: Resource, key: Resource, method_key: str) -> None:
        name = (plan["id"], key["id"])
        own = (served.get("throttle") or {}).get(method_key)
        if not self._throttles.take((*name, method_key if own else ""), _limits(own or plan)):
            raise GatewayError("THROTTLED")
        quota = plan.get("quota") or {}
        if quota.get("limit") is None:
            return
        period = self._period(quota)
        known, used = self._used.get(name, (period, 0))
        used = used + 1 if known == period else 1
        if used > int(quota["limit"]) + self._more_in(name, period):
            raise GatewayError("QUOTA_EXCEEDED")
        self._used[name] = (period, used)
        days, today = self._days.setdefault(name, {}), self._now().date()
        days[today] = days.get(today, 0) + 1

    def _period(self, quota: Resource) -> str:
        return _period(quota, self._now().date())

    def _more_in(self, name: tuple[str, str], period: str) -> int:
        known, more = self._more.get(name, (period, 0))
        return more if known == period else 0

    def leave(self, plan_id: str, key_id: str, remaining: int) -> date | None:
        """Let a key make so many more requests until its quota begins anew (``UpdateUsage``).

        Args:
            plan_id: The plan.
            key_id: The key.
            remaining: How many.

        Returns:
            The day; None when there is no such key of a plan with a quota.
        """
        plan = next((one for one in self._plans if one["id"] == plan_id), None)
        quota = (plan or {}).get("quota") or {}
        if plan is None or quota.get("limit") is None:
            return None
        if all(key["id"] != key_id for key in plan["keys"]):
            return None
        name, period = (plan_id, key_id), self._period(quota)
        known, used = self._used.get(name, (period, 0))
        so_far = used if known == period else 0
        self._more[name] = (period, remaining + so_far - int(quota["limit"]))
        return self._now().date()

    def usage(self, plan_id: str, first: date, last: date) -> dict[str, list[list[int]]]:
        """What the keys of a plan with a quota have used.

        Args:
            plan_id: The plan.
            first: The first day.
            last: The last day.

        Returns:
            By id of a key, for each day: how many requests it made, and how many were left.
        """
        plan = next((one for one in self._plans if one["id"] == plan_id), None)
        quota = (plan or {}).get("quota") or {}
        if plan is None or quota.get("limit") is None:
            return {}
        days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
        return {
            key["id"]: [self._on_day((plan_id, key["id"]), quota, day) for day in days]
            for key in plan["keys"]
        }

    def _on_day(self, name: tuple[str, str], quota: Resource, day: date) -> list[int]:
        used, begin = self._days.get(name, {}), _begin(quota, day)
        in_period = sum(count for one, count in used.items() if begin <= one <= day)
        limit = int(quota["limit"]) + self._more_in(name, _period(quota, day))
        return [used.get(day, 0), max(0, limit - in_period)]


def _period(quota: Resource, day: date) -> str:
    return f"{quota.get('period')} {_begin(quota, day)}"


def _begin(quota: Resource, day: date) -> date:
    """The first day of the period that a day is in."""
    match quota.get("period"):
        case "WEEK":
            return day - timedelta(days=day.weekday())
        case "MONTH":
            return day.replace(day=1)
    return day


def _limits(settings: Resource) -> tuple[float, int] | None:
    throttle = settings.get("throttle", settings)
    rate, burst = throttle.get("rateLimit"), throttle.get("burstLimit")
    return (float(rate), int(burst)) if rate and burst else None
