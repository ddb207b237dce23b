"""A bucket's notification is accepted for its function, whatever happens in between."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.engine.lambda_stack import Stack, engine, kill, start_stack
from tests.support.waiting import eventually

CODE = "def handler(event, context): print(event['Records'][0]['s3']['object']['key'])"


@pytest.fixture
def own_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack whose engine a test may kill."""
    stack = start_stack(tmp_path_factory.mktemp("own") / "state")
    yield stack
    stack.stop()


def handled(stack: Stack, name: str) -> list[dict[str, Any]]:
    """The function's events that are done."""
    answer = requests.get(
        f"http://127.0.0.1:{stack.port}/_trigger_stack/events",
        params={"function": name, "state": "done", "limit": "1000"},
        timeout=20,
    )
    return list(answer.json().get("events", []))


def test_notifications_survive_the_engine(own_stack: Stack) -> None:
    """It is killed while objects are uploaded; each upload is one event."""
    bucket, name = f"b-{secrets.token_hex(6)}", own_stack.create(CODE)
    s3 = own_stack.client("s3")
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_notification_configuration(
        Bucket=bucket,
        NotificationConfiguration={
            "LambdaFunctionConfigurations": [
                {
                    "LambdaFunctionArn": f"arn:aws:lambda:us-east-1:000000000000:function:{name}",
                    "Events": ["s3:ObjectCreated:*"],
                }
            ]
        },
    )

    for number in range(60):
        s3.put_object(Bucket=bucket, Key=str(number), Body=b"x")
        if number == 30:
            kill(engine(own_stack))

    def all_handled() -> bool:
        assert (count := len(handled(own_stack, name))) == 60, count
        return True

    eventually(all_handled, seconds=60)
