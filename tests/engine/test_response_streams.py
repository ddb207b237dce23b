"""``InvokeWithResponseStream``: a client reads the response while the function writes it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.engine.lambda_stack import Stack
from tests.support.waiting import eventually

STREAM = """
exports.handler = awslambda.streamifyResponse(async (event, stream) => {
  if (event.early) throw new TypeError('early')
  stream.write('one')
  if (event.bucket) {
    const { S3Client, HeadObjectCommand } = require('@aws-sdk/client-s3')
    const client = new S3Client({ forcePathStyle: true })
    for (let seen = false; !seen;) {
      await new Promise(resolve => setTimeout(resolve, 50))
      seen = await client.send(new HeadObjectCommand({ Bucket: event.bucket, Key: 'go' }))
        .then(() => true, () => false)
    }
  }
  if (event.fail) throw new TypeError('middle')
  stream.write('two')
  stream.end()
})
"""
WHOLE = """
def handler(event, context):
    if event.get("fail"):
        raise ValueError("no")
    return {"answer": "é", "size": "x" * event.get("size", 0)}
"""


@pytest.fixture(scope="module")
def streaming(stack: Stack) -> str:
    return stack.create({"app.js": STREAM}, runtime="nodejs20.x")


@pytest.fixture(scope="module")
def whole(stack: Stack) -> str:
    return stack.create(WHOLE)


def invoke(stack: Stack, name: str, event: Any = None, **named: Any) -> Any:
    return stack.client("lambda").invoke_with_response_stream(
        FunctionName=name, Payload=json.dumps(event or {}), **named
    )


def read(events: Iterator[dict[str, Any]]) -> tuple[bytes, dict[str, Any]]:
    """The payload and what completes it."""
    *parts, last = events
    assert all(set(part) == {"PayloadChunk"} for part in parts), parts
    return b"".join(part["PayloadChunk"]["Payload"] for part in parts), last["InvokeComplete"]


def test_a_streamed_response(stack: Stack, streaming: str) -> None:
    answer = invoke(stack, streaming, LogType="Tail")
    payload, end = read(answer["EventStream"])
    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "$LATEST")
    assert payload == b"onetwo"
    assert "REPORT RequestId" in base64.b64decode(end.pop("LogResult")).decode()
    assert end == {}


def test_a_part_comes_before_the_function_has_ended(stack: Stack, streaming: str) -> None:
    """GIVEN a function that goes on when an object is there THEN its first part comes before."""
    s3 = stack.client("s3")
    bucket = f"go-{streaming}"
    s3.create_bucket(Bucket=bucket)
    events = iter(invoke(stack, streaming, {"bucket": bucket})["EventStream"])
    first = next(events)
    s3.put_object(Bucket=bucket, Key="go", Body=b"")
    payload, end = read(events)
    assert (first, payload, end) == ({"PayloadChunk": {"Payload": b"one"}}, b"two", {})


def test_the_response_of_a_function_that_does_not_stream(stack: Stack, whole: str) -> None:
    size = 5 * 1024 * 1024
    payload, end = read(invoke(stack, whole, {"size": size})["EventStream"])
    assert json.loads(payload) == {"answer": "é", "size": "x" * size}
    assert end == {}


@pytest.mark.parametrize(
    ("event", "payload", "error"),
    [({"early": True}, b"", "early"), ({"fail": True}, b"one", "middle")],
)
def test_a_function_that_fails_completes_with_its_error(
    stack: Stack, streaming: str, event: dict[str, bool], payload: bytes, error: str
) -> None:
    got, end = read(invoke(stack, streaming, event)["EventStream"])
    assert (got, end["ErrorCode"]) == (payload, "Unhandled")
    details = json.loads(end["ErrorDetails"])
    assert (details["errorType"], details["errorMessage"]) == ("TypeError", error)


def test_an_error_of_a_function_that_does_not_stream(stack: Stack, whole: str) -> None:
    got, end = read(invoke(stack, whole, {"fail": True})["EventStream"])
    assert (got, end["ErrorCode"]) == (b"", "Unhandled")
    assert json.loads(end["ErrorDetails"])["errorMessage"] == "no"


def test_a_dry_run_invokes_nothing(stack: Stack, whole: str) -> None:
    answer = invoke(stack, whole, InvocationType="DryRun")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204


def test_what_cannot_be_invoked_is_refused_before_the_stream(stack: Stack, whole: str) -> None:
    with pytest.raises(ClientError, match="Function not found"):
        invoke(stack, "no-such-function")
    with pytest.raises(ClientError, match="failed to satisfy constraint"):
        invoke(stack, whole, InvocationType="Event")
    stack.client("lambda").put_function_concurrency(
        FunctionName=whole, ReservedConcurrentExecutions=0
    )
    try:
        with pytest.raises(ClientError, match="Rate Exceeded"):
            invoke(stack, whole)
    finally:
        stack.client("lambda").delete_function_concurrency(FunctionName=whole)


def test_a_client_that_goes_away_leaves_the_function_running(stack: Stack, streaming: str) -> None:
    s3 = stack.client("s3")
    bucket = f"left-{streaming}"
    s3.create_bucket(Bucket=bucket)
    answer = invoke(stack, streaming, {"bucket": bucket})
    request_id = answer["ResponseMetadata"]["RequestId"]
    next(iter(answer["EventStream"]))
    answer["EventStream"].close()
    s3.put_object(Bucket=bucket, Key="go", Body=b"")

    def ended() -> bool:
        texts = [event["message"] for event in stack.log_events(streaming)]
        assert any(text.startswith(f"REPORT RequestId: {request_id}") for text in texts), texts
        return True

    eventually(ended)
