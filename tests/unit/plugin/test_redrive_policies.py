"""What Amazon SQS says of a redrive policy."""

from __future__ import annotations

import json
from typing import Any

import pytest

from trigger_stack.services.redrive_policies import why_refused

HERE = "arn:aws:sqs:us-east-1:000000000000"
SOURCE = f"{HERE}:q"
QUEUES: dict[str, dict[str, str]] = {
    f"{HERE}:dlq": {},
    f"{HERE}:dlq.fifo": {},
    f"{HERE}:nobody": {"RedriveAllowPolicy": '{"redrivePermission": "denyAll"}'},
    f"{HERE}:everybody": {"RedriveAllowPolicy": '{"redrivePermission": "allowAll"}'},
    f"{HERE}:one": {
        "RedriveAllowPolicy": json.dumps(
            {"redrivePermission": "byQueue", "sourceQueueArns": [SOURCE]}
        )
    },
    f"{HERE}:other": {
        "RedriveAllowPolicy": json.dumps(
            {"redrivePermission": "byQueue", "sourceQueueArns": [f"{HERE}:another"]}
        )
    },
    "arn:aws:sqs:eu-west-1:000000000000:far": {},
    "arn:aws:sqs:us-east-1:111111111111:theirs": {},
}


def why(policy: Any, *, is_fifo: bool = False) -> str | None:
    text = policy if isinstance(policy, str) else json.dumps(policy)
    problem = why_refused(text, SOURCE, is_fifo, QUEUES.get)
    if problem is None:
        return None
    head = f"Value {text} for parameter RedrivePolicy is invalid. Reason: "
    assert problem.startswith(head)
    return problem.removeprefix(head)


def to(name: str, count: Any = 3) -> dict[str, Any]:
    arn = name if name.startswith("arn:") else f"{HERE}:{name}"
    return {"deadLetterTargetArn": arn, "maxReceiveCount": count}


@pytest.mark.parametrize("count", [1, 1000, "1", "1000"])
def test_a_queue_that_is_there_is_taken(count: Any) -> None:
    assert why(to("dlq", count)) is None
    assert why(to("dlq.fifo", count), is_fifo=True) is None


def test_an_empty_policy_takes_it_away() -> None:
    assert why("") is None


@pytest.mark.parametrize("name", ["everybody", "one"])
def test_a_queue_that_allows_it_is_taken(name: str) -> None:
    assert why(to(name)) is None


@pytest.mark.parametrize("name", ["nobody", "other"])
def test_a_queue_that_does_not_allow_it_is_refused(name: str) -> None:
    assert why(to(name)) == f"The RedriveAllowPolicy of {HERE}:{name} does not allow {SOURCE}."


@pytest.mark.parametrize(
    "name",
    [
        "gone",
        "arn:aws:sqs:eu-west-1:000000000000:far",
        "arn:aws:sqs:us-east-1:111111111111:theirs",
        "arn:aws:sns:us-east-1:000000000000:dlq",
        "arn:",
    ],
)
def test_a_queue_that_is_not_there_is_refused(name: str) -> None:
    assert why(to(name)) == "Dead letter target does not exist."


def test_a_queue_of_the_other_type_is_refused() -> None:
    other = "Dead-letter queue must be same type of queue as the source.."
    assert why(to("dlq.fifo")) == other
    assert why(to("dlq"), is_fifo=True) == other


@pytest.mark.parametrize("text", ["{", "[]", "1", "null", '"dlq"'])
def test_what_is_no_object_is_refused(text: str) -> None:
    assert why(text) == "Redrive policy is not a valid JSON map."


@pytest.mark.parametrize("missing", ["deadLetterTargetArn", "maxReceiveCount"])
def test_both_values_are_needed(missing: str) -> None:
    given = {name: value for name, value in to("dlq").items() if name != missing}
    assert why(given) == f"Redrive policy does not contain mandatory attribute: {missing}."


@pytest.mark.parametrize("count", [0, 1001, -1, "x", [1]])
def test_a_count_outside_its_range_is_refused(count: Any) -> None:
    assert str(why(to("dlq", count))).endswith("valid values are from 1 to 1000 both inclusive.")
