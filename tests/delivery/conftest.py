"""One LocalStack for all tests of a worker, with its queues."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.delivery.sources import Mapped
from tests.engine.lambda_stack import Stack
from tests.support.emulator import no_traceback
from tests.support.journal import Journal

__all__ = ["no_traceback"]


@pytest.fixture
def journal(stack: Stack) -> Journal:
    return Journal(f"http://127.0.0.1:{stack.port}")


@pytest.fixture
def mapped(stack: Stack) -> Iterator[Callable[..., Mapped]]:
    """Makes a queue with a dead-letter queue, a function, and the mapping between them."""
    made: list[Mapped] = []

    def make(
        code: str,
        *,
        fifo: bool = False,
        visibility_s: int = 15,
        receives: int = 2,
        function: dict[str, Any] | None = None,
        **mapping: Any,
    ) -> Mapped:
        sqs = stack.client("sqs")
        kind = {"FifoQueue": "true", "ContentBasedDeduplication": "true"} if fifo else {}
        ending = ".fifo" if fifo else ""
        name = f"q-{secrets.token_hex(6)}"
        urls = {}
        for role, attributes in (
            ("-dlq", {}),
            ("", {"VisibilityTimeout": str(visibility_s)}),
        ):
            if role == "":
                arn = arn_of(sqs, urls["-dlq"])
                policy = {"deadLetterTargetArn": arn, "maxReceiveCount": receives}
                attributes["RedrivePolicy"] = json.dumps(policy)
            urls[role] = sqs.create_queue(
                QueueName=f"{name}{role}{ending}", Attributes=attributes | kind
            )["QueueUrl"]
        function_name = stack.create(code, **{"Timeout": 5, **(function or {})})
        uuid = stack.client("lambda").create_event_source_mapping(
            EventSourceArn=arn_of(sqs, urls[""]), FunctionName=function_name, **mapping
        )["UUID"]
        one = Mapped(stack, function_name, uuid, urls[""], urls["-dlq"])
        made.append(one)
        one.wait_for_state("Enabled")
        return one

    yield make
    for one in made:
        one.delete()


def arn_of(sqs: Any, url: str) -> str:
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return str(attributes["Attributes"]["QueueArn"])
