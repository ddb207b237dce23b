"""What Amazon SQS refuses of a queue's attributes and of a message."""

from __future__ import annotations

import json
from typing import Any

import pytest

from trigger_stack.services.queue_limits import why_no_attributes, why_no_message

RANGES = [
    ("DelaySeconds", 0, 900),
    ("KmsDataKeyReusePeriodSeconds", 60, 86_400),
    ("MaximumMessageSize", 1024, 1_048_576),
    ("MessageRetentionPeriod", 60, 1_209_600),
    ("ReceiveMessageWaitTimeSeconds", 0, 20),
    ("VisibilityTimeout", 0, 43_200),
]


@pytest.mark.parametrize(("name", "least", "greatest"), RANGES)
def test_an_attribute_within_its_range_is_taken(name: str, least: int, greatest: int) -> None:
    assert why_no_attributes({name: str(least)}) is None
    assert why_no_attributes({name: str(greatest)}) is None


@pytest.mark.parametrize(("name", "least", "greatest"), RANGES)
@pytest.mark.parametrize("text", ["", "x", "1.5", "-1", "1e3", " 60", "٦٠", "9" * 5000])
def test_an_attribute_outside_its_range_is_refused(
    name: str, least: int, greatest: int, text: str
) -> None:
    said = f"Invalid value for the parameter {name}."
    assert why_no_attributes({name: text}) == said
    assert why_no_attributes({name: str(least - 1)}) == said
    assert why_no_attributes({name: str(greatest + 1)}) == said


@pytest.mark.parametrize("text", ["", "{}", '{"redrivePermission": "denyAll"}'])
def test_a_redrive_allow_policy_is_taken(text: str) -> None:
    assert why_no_attributes({"RedriveAllowPolicy": text}) is None


@pytest.mark.parametrize(
    "given",
    [
        [],
        {"redrivePermission": "some"},
        {"redrivePermission": "byQueue"},
        {"redrivePermission": "byQueue", "sourceQueueArns": []},
        {"redrivePermission": "byQueue", "sourceQueueArns": ["arn"] * 11},
        {"redrivePermission": "allowAll", "sourceQueueArns": ["arn"]},
    ],
)
def test_what_is_no_redrive_allow_policy_is_refused(given: Any) -> None:
    text = json.dumps(given)
    said = "Invalid value for the parameter RedriveAllowPolicy."
    assert why_no_attributes({"RedriveAllowPolicy": text}) == said


def test_a_policy_is_json() -> None:
    assert why_no_attributes({"Policy": "{"}) == "Invalid value for the parameter Policy."
    assert why_no_attributes({"Policy": "{}"}) is None
    assert why_no_attributes({"Policy": ""}) is None


@pytest.mark.parametrize("delay_s", [None, 0, 900])
def test_a_delay_is_taken(delay_s: int | None) -> None:
    assert why_no_message(delay_s, None) is None


@pytest.mark.parametrize("delay_s", [-1, 901])
def test_a_longer_delay_is_refused(delay_s: int) -> None:
    said = f"Value {delay_s} for parameter DelaySeconds is invalid. Reason: "
    assert str(why_no_message(delay_s, {})).startswith(said)


def test_a_message_has_ten_attributes() -> None:
    given = {f"a{n}": {"DataType": "String", "StringValue": "x"} for n in range(11)}
    said = "Number of message attributes [11] exceeds the allowed maximum [10]."
    assert why_no_message(None, given) == said
    del given["a0"]
    assert why_no_message(None, given) is None


@pytest.mark.parametrize("text", ["1", "-1.5", ".5", "1e3", "+7."])
def test_a_number_is_one(text: str) -> None:
    assert why_no_message(None, {"n": {"DataType": "Number.int", "StringValue": text}}) is None


@pytest.mark.parametrize("text", ["", "x", "1,5", "NaN", "0x1", "1 "])
def test_a_number_that_is_none_is_refused(text: str) -> None:
    said = "Can't cast the value of message (user) attribute 'n' to a number."
    assert why_no_message(None, {"n": {"DataType": "Number", "StringValue": text}}) == said
