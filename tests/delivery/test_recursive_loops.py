"""A function that causes itself is stopped after 16 invocations, and the event has its end."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from typing import Any

import pytest

from tests.delivery.conftest import arn_of
from tests.delivery.sources import Mapped
from tests.engine.lambda_stack import Stack
from tests.support.journal import Journal
from tests.support.waiting import eventually

MOST = 16
AGAIN = """
import boto3

def handler(event, context):
    client = boto3.client("lambda")
    client.invoke(FunctionName=context.function_name, InvocationType="Event", Payload=b"{}")
"""
DEEPER = """
import boto3, json

def handler(event, context):
    client = boto3.client("lambda")
    try:
        answer = client.invoke(FunctionName=context.function_name, Payload=b"{}")
    except client.exceptions.RecursiveInvocationException as error:
        return {"depth": 1, "status": error.response["ResponseMetadata"]["HTTPStatusCode"]}
    found = json.load(answer["Payload"])
    return found | {"depth": found["depth"] + 1}
"""
BACK = """
import boto3, json

def handler(event, context):
    sqs = boto3.client("sqs")
    for record in event["Records"]:
        name = record["eventSourceARN"].split(":")[-1]
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody=record["body"])
"""


def dead_letters(stack: Stack) -> tuple[str, dict[str, Any]]:
    sqs = stack.client("sqs")
    url = sqs.create_queue(QueueName=f"dlq-{secrets.token_hex(6)}")["QueueUrl"]
    return url, {"DeadLetterConfig": {"TargetArn": arn_of(sqs, url)}}


def at_rest(journal: Journal, function: str, count: int) -> list[dict[str, Any]]:
    def found() -> list[dict[str, Any]]:
        rows = journal.find(function=function, limit="1000")
        assert len(rows) == count, len(rows)
        assert not [row for row in rows if row["state"] == "pending"], rows
        return rows

    return eventually(found)


def test_an_asynchronous_loop_ends_in_the_dead_letter_queue(stack: Stack, journal: Journal) -> None:
    url, config = dead_letters(stack)
    name = stack.create(AGAIN, **config)

    stack.client("lambda").invoke(FunctionName=name, InvocationType="Event", Payload=b"{}")

    rows = at_rest(journal, name, MOST + 1)
    assert [row["state"] for row in rows].count("done") == MOST
    [stopped] = [row for row in rows if row["state"] == "dead-letter"]
    steps = [step["name"] for step in journal.trace(stopped["id"])["steps"]]
    assert "sent to dead letter" in steps
    [letter] = stack.client("sqs").receive_message(QueueUrl=url)["Messages"]
    assert letter["Body"] == "{}"


def test_a_function_may_be_allowed_to_cause_itself(stack: Stack, journal: Journal) -> None:
    code = """
import boto3, json

def handler(event, context):
    if event["left"]:
        payload = json.dumps({"left": event["left"] - 1})
        boto3.client("lambda").invoke(
            FunctionName=context.function_name, InvocationType="Event", Payload=payload
        )
"""
    name, client = stack.create(code), stack.client("lambda")
    client.put_function_recursion_config(FunctionName=name, RecursiveLoop="Allow")

    client.invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps({"left": 20}))

    rows = at_rest(journal, name, 21)
    assert {row["state"] for row in rows} == {"done"}


def test_a_synchronous_loop_gets_an_error(stack: Stack) -> None:
    name = stack.create(DEEPER, Timeout=60)

    assert stack.invoke(name).value == {"depth": MOST, "status": 400}


def test_a_loop_through_a_queue_ends_in_its_dead_letter_queue(
    mapped: Callable[..., Mapped], stack: Stack
) -> None:
    queue = mapped(BACK, visibility_s=5, receives=1)

    queue.send("round")

    queue.wait_for(dlq=1)
    assert queue.dead_letters() == ["round"]


@pytest.mark.parametrize("count", [40])
def test_messages_that_are_not_caused_by_each_other_are_no_loop(
    mapped: Callable[..., Mapped], count: int
) -> None:
    queue = mapped("def handler(event, context): pass")
    for number in range(count // 10):
        queue.send(*[f"{number}-{one}" for one in range(10)])

    queue.wait_for()
