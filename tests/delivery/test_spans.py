"""OpenTelemetry: the events of a stack reach a collector as spans."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from tests.delivery.conftest import arn_of
from tests.engine.lambda_stack import Stack, start_stack
from tests.support.collector import Collector, collector
from tests.support.waiting import eventually

#: Sends a message with each event, and fails for some.
SENDER = """
import boto3

def handler(event, context):
    boto3.client("sqs").send_message(QueueUrl=event["queue"], MessageBody="from the function")
    if event["fail"]:
        raise ValueError("poison")
"""


@pytest.fixture
def exported(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Stack, Collector]]:
    with collector() as received:
        folder = tmp_path_factory.mktemp("otel") / "state"
        stack = start_stack(folder, OTEL_EXPORTER_OTLP_ENDPOINT=received.url)
        try:
            yield stack, received
            assert "Traceback (most recent call last)" not in stack.log, stack.log
        finally:
            stack.stop()


def test_events_are_spans_below_what_caused_them(exported: tuple[Stack, Collector]) -> None:
    stack, received = exported
    sqs, functions = stack.client("sqs"), stack.client("lambda")
    queue = sqs.create_queue(QueueName=f"q-{secrets.token_hex(6)}")["QueueUrl"]
    sender, consumer = stack.create(SENDER), stack.create("def handler(event, context): pass")
    functions.create_event_source_mapping(EventSourceArn=arn_of(sqs, queue), FunctionName=consumer)
    payload = json.dumps({"queue": queue, "fail": False})
    functions.invoke(FunctionName=sender, InvocationType="Event", Payload=payload)

    def whole() -> dict[str, dict[str, Any]]:
        found = {one["name"].rpartition(" ")[0]: one for one in received.spans.values()}
        wanted = {"asynchronous invocation", "attempt", "message", "batch of messages"}
        assert found.keys() == wanted, received.spans
        return found

    spans = eventually(whole)
    ids = {one["name"]: key for key, one in received.spans.items()}
    invocation, message = spans["asynchronous invocation"], spans["message"]
    assert (invocation["service"], spans["batch of messages"]["service"]) == (sender, consumer)
    for below in (spans["attempt"], message):
        assert below["trace"] == invocation["trace"]
        assert below["parent"] == ids[invocation["name"]]
    batch = spans["batch of messages"]
    assert batch["links"] == [(message["trace"], ids[message["name"]])]
    assert batch["trace"] != message["trace"]
    assert not any(one["failed"] for one in spans.values())

    payload = json.dumps({"queue": queue, "fail": True})
    functions.invoke(FunctionName=sender, Payload=payload)

    def failed() -> list[dict[str, Any]]:
        return [one for one in received.spans.values() if one["failed"]]

    (error,) = eventually(failed)
    assert (error["service"], error["message"]) == (sender, "done: the caller has the error")
