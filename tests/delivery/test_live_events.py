"""The live stream of the journal: each event whenever it changes."""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests

from tests.delivery.conftest import arn_of
from tests.engine.lambda_stack import Stack
from tests.support.waiting import eventually


@contextmanager
def live(stack: Stack, **filters: str) -> Iterator[list[dict[str, Any]]]:
    """What the stream has sent so far; it is open when this begins."""
    url = f"http://127.0.0.1:{stack.port}/_trigger_stack/events/live"
    answer = requests.get(url, params=filters, stream=True, timeout=60)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    lines = answer.iter_lines(chunk_size=1)
    assert next(lines).startswith(b":")
    received: list[dict[str, Any]] = []

    def read() -> None:
        try:
            for line in lines:
                if line.startswith(b"data: "):
                    received.append(json.loads(line.removeprefix(b"data: ")))
        except (requests.RequestException, AttributeError, ValueError, OSError):
            return  # the test has ended

    threading.Thread(target=read, daemon=True).start()
    try:
        yield received
    finally:
        answer.close()


def test_a_message_is_seen_at_each_change_once(stack: Stack) -> None:
    sqs = stack.client("sqs")
    url = sqs.create_queue(QueueName=f"q-{secrets.token_hex(6)}")["QueueUrl"]
    earlier = sqs.send_message(QueueUrl=url, MessageBody="before")["MessageId"]

    with live(stack, source=arn_of(sqs, url)) as received:
        sent = sqs.send_message(QueueUrl=url, MessageBody="one")["MessageId"]
        eventually(lambda: [row for row in received if row["id"] == sent])
        while (
            sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"][
                "ApproximateNumberOfMessages"
            ]
            != "0"
        ):
            for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

        def done() -> bool:
            seen = [(row["id"], row["state"]) for row in received]
            assert (sent, "done") in seen and (earlier, "done") in seen, seen
            return True

        eventually(done)
        seen = [(row["id"], row["state"]) for row in received]
        assert seen.count((sent, "pending")) == seen.count((sent, "done")) == 1
        assert (earlier, "pending") not in seen, "that was before"


def test_invocations_are_seen(stack: Stack) -> None:
    name = stack.create("def handler(event, context): return 1")

    with live(stack, function=name) as received:
        stack.client("lambda").invoke(FunctionName=name, Payload=b"{}")
        stack.client("lambda").invoke(FunctionName=name, InvocationType="Event", Payload=b"{}")

        def both() -> bool:
            seen = {(row["kind"], row["state"]) for row in received}
            assert {("invocation", "done"), ("asynchronous invocation", "done")} <= seen, seen
            return True

        eventually(both)


@pytest.mark.parametrize("name", ["text", "since", "colour"])
def test_an_unknown_filter_is_named(stack: Stack, name: str) -> None:
    url = f"http://127.0.0.1:{stack.port}/_trigger_stack/events/live"

    answer = requests.get(url, params={name: "x"}, timeout=60)

    assert answer.status_code == 400
    assert answer.json()["message"].startswith(f"{name} is no filter; filters: function, source")
