"""How often SNS tries an HTTP endpoint, by the delivery policy of a subscription or topic.

AWS topic: Amazon SNS Developer Guide, "Creating an HTTP/S delivery policy" and "Amazon SNS message
delivery retries". AWS shows the back-off functions as curves without formulas: here linear rises
evenly, arithmetic with the square of the retry's number, geometric and exponential by a factor.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

#: Seconds for an answer.
ANSWER_WITHIN_S = 15.0


@dataclass(frozen=True)
class DeliveryPolicy:
    """``healthyRetryPolicy`` of a delivery policy; pauses are in seconds."""

    num_retries: int = 3
    num_no_delay_retries: int = 0
    num_min_delay_retries: int = 0
    num_max_delay_retries: int = 0
    min_delay_target: float = 20
    max_delay_target: float = 20
    backoff_function: str = "linear"

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Self:
        """The policy that a ``healthyRetryPolicy`` gives; what it leaves out is SNS's default.

        Raises:
            ValueError, TypeError: A value is no number.
        """
        default = cls()
        return cls(
            int(given.get("numRetries", default.num_retries)),
            int(given.get("numNoDelayRetries", 0)),
            int(given.get("numMinDelayRetries", 0)),
            int(given.get("numMaxDelayRetries", 0)),
            float(given.get("minDelayTarget", default.min_delay_target)),
            float(given.get("maxDelayTarget", default.max_delay_target)),
            str(given.get("backoffFunction", default.backoff_function)),
        )

    def pause_after(self, attempts: int) -> float | None:
        """Seconds until the next try after so many; None when there is none."""
        retry = attempts
        if retry > self.num_retries:
            return None
        if retry <= self.num_no_delay_retries:
            return 0.0
        retry -= self.num_no_delay_retries
        if retry <= self.num_min_delay_retries:
            return self.min_delay_target
        retry -= self.num_min_delay_retries
        fixed = self.num_no_delay_retries + self.num_min_delay_retries + self.num_max_delay_retries
        backing_off = max(0, self.num_retries - fixed)
        if retry > backing_off:
            return self.max_delay_target
        return self._backoff((retry - 1) / (backing_off - 1) if backing_off > 1 else 0.0)

    def _backoff(self, part: float) -> float:
        shortest, longest = self.min_delay_target, self.max_delay_target
        if self.backoff_function in ("geometric", "exponential") and shortest > 0:
            return float(shortest * (longest / shortest) ** part)
        if self.backoff_function == "arithmetic":
            part *= part
        return shortest + (longest - shortest) * part


def policy_of(subscription: str | None, topic: str | None) -> DeliveryPolicy:
    """The policy that counts for a subscription.

    Args:
        subscription: Its attribute ``DeliveryPolicy`` (JSON).
        topic: The attribute of its topic, which may forbid the subscription to have its own.
    """
    of_topic = _section(topic, "http")
    is_forbidden = of_topic.get("disableSubscriptionOverrides") in (True, "true")
    own = {} if is_forbidden else _section(subscription, "healthyRetryPolicy")
    try:
        return DeliveryPolicy.of(own or of_topic.get("defaultHealthyRetryPolicy") or {})
    except (ValueError, TypeError):
        return DeliveryPolicy()


def _section(document: str | None, name: str) -> dict[str, Any]:
    try:
        found = json.loads(document or "{}").get(name)
    except (ValueError, AttributeError):
        return {}
    return found if isinstance(found, dict) else {}


#: Seconds until the next try after so many, or None.
type Pauses = Callable[[int], float | None]
