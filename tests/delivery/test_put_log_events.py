"""Batches of log events that CloudWatch Logs refuses, through a running stack."""

from __future__ import annotations

import secrets
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.engine.lambda_stack import Stack

DAY = 86_400_000


@pytest.fixture
def group(stack: Stack) -> str:
    name, logs = f"g-{secrets.token_hex(6)}", stack.client("logs")
    logs.create_log_group(logGroupName=name)
    logs.create_log_stream(logGroupName=name, logStreamName="s")
    return name


def put(stack: Stack, group: str, *events: tuple[int, str], stream: str = "s") -> Any:
    return stack.client("logs").put_log_events(
        logGroupName=group,
        logStreamName=stream,
        logEvents=[{"timestamp": at, "message": message} for at, message in events],
    )


def stored(stack: Stack, group: str) -> list[str]:
    events = stack.client("logs").filter_log_events(logGroupName=group)["events"]
    return [event["message"] for event in events]


def now() -> int:
    return int(time.time() * 1000)


def refused(stack: Stack, group: str, *events: tuple[int, str]) -> tuple[str, str]:
    with pytest.raises(ClientError) as error:
        put(stack, group, *events)
    assert stored(stack, group) == []
    found = error.value.response["Error"]
    return found["Code"], found["Message"]


def test_a_batch_that_spans_more_than_a_day_is_refused(stack: Stack, group: str) -> None:
    assert refused(stack, group, (now() - 2 * DAY, "a"), (now(), "b")) == (
        "InvalidParameterException",
        "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.",
    )


def test_a_batch_without_order_is_refused(stack: Stack, group: str) -> None:
    assert refused(stack, group, (now(), "a"), (now() - 1000, "b")) == (
        "InvalidParameterException",
        "Log events in a single PutLogEvents request must be in chronological order.",
    )


def test_a_batch_without_events_or_message_is_refused(stack: Stack, group: str) -> None:
    assert refused(stack, group)[0] == "InvalidParameterException"
    assert "logEvents.1.member.message" in refused(stack, group, (now(), ""))[1]


def test_a_batch_of_more_than_a_megabyte_is_refused(stack: Stack, group: str) -> None:
    code, said = refused(stack, group, (now(), "m" * 600_000), (now(), "m" * 600_000))

    assert (code, said.split(":")[0]) == ("InvalidParameterException", "Upload too large")


def test_events_that_are_too_old_or_too_new_are_named(stack: Stack, group: str) -> None:
    answer = put(stack, group, (now() - 15 * DAY, "old"), (now(), "now"), (now() + DAY, "new"))

    assert answer["rejectedLogEventsInfo"] == {
        "tooOldLogEventEndIndex": 1,
        "tooNewLogEventStartIndex": 2,
    }
    assert answer["nextSequenceToken"]
    assert stored(stack, group) == ["now"]


def test_events_that_the_group_no_longer_keeps_are_named(stack: Stack, group: str) -> None:
    stack.client("logs").put_retention_policy(logGroupName=group, retentionInDays=1)

    answer = put(stack, group, (now() - DAY - 60_000, "gone"), (now(), "now"))

    assert answer["rejectedLogEventsInfo"] == {"expiredLogEventEndIndex": 1}
    assert stored(stack, group) == ["now"]


def test_what_is_not_there_is_said(stack: Stack, group: str) -> None:
    for where, stream, what in ((group, "other", "stream"), (f"{group}x", "s", "group")):
        with pytest.raises(ClientError) as error:
            put(stack, where, (now(), "a"), stream=stream)
        assert error.value.response["Error"] == {
            "Code": "ResourceNotFoundException",
            "Message": f"The specified log {what} does not exist.",
        }
