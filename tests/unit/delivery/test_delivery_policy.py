"""How often SNS tries an HTTP endpoint."""

from __future__ import annotations

import json
from typing import Any

import pytest

from trigger_stack.delivery.core.delivery_policy import DeliveryPolicy, policy_of


def pauses(policy: DeliveryPolicy) -> list[float]:
    found: list[float] = []
    while (pause := policy.pause_after(len(found) + 1)) is not None:
        found.append(pause)
    return found


def own(**policy: Any) -> str:
    return json.dumps({"healthyRetryPolicy": policy})


def test_without_a_policy_it_is_three_times_after_20_seconds() -> None:
    assert pauses(policy_of(None, None)) == [20, 20, 20]


def test_the_phases_come_one_after_the_other() -> None:
    policy = policy_of(
        own(
            numRetries=10,
            numNoDelayRetries=2,
            numMinDelayRetries=2,
            numMaxDelayRetries=2,
            minDelayTarget=1,
            maxDelayTarget=10,
        ),
        None,
    )

    assert pauses(policy) == [0, 0, 1, 1, 1, 4, 7, 10, 10, 10]


@pytest.mark.parametrize("function", ["linear", "arithmetic", "geometric", "exponential"])
def test_a_back_off_goes_from_the_shortest_to_the_longest_pause(function: str) -> None:
    policy = policy_of(
        own(numRetries=5, minDelayTarget=1, maxDelayTarget=16, backoffFunction=function), None
    )

    found = pauses(policy)

    assert (found[0], found[-1]) == (1, 16)
    assert found == sorted(found)


@pytest.mark.parametrize(
    ("subscription", "topic", "retries"),
    [
        (own(numRetries=1), None, 1),
        (None, {"defaultHealthyRetryPolicy": {"numRetries": 2}}, 2),
        (own(numRetries=1), {"defaultHealthyRetryPolicy": {"numRetries": 2}}, 1),
        (
            own(numRetries=1),
            {"defaultHealthyRetryPolicy": {"numRetries": 2}, "disableSubscriptionOverrides": True},
            2,
        ),
        (own(numRetries="x"), None, 3),
        ("[]", None, 3),
        ("{", None, 3),
    ],
)
def test_which_policy_counts(
    subscription: str | None, topic: dict[str, Any] | None, retries: int
) -> None:
    document = json.dumps({"http": topic}) if topic else None

    assert len(pauses(policy_of(subscription, document))) == retries
