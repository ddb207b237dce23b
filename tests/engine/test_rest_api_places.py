"""Integrations that LocalStack answers: how many at a time, and what does not wait for them."""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.engine.lambda_stack import Stack
from tests.engine.rest_apis import Api, make_api
from tests.support.waiting import eventually
from trigger_stack_engine.front_doors.core.limits import MOST_INTEGRATIONS

MANY = MOST_INTEGRATIONS + 20
FAIL = "def handler(event, context):\n    raise ValueError(event)\n"


class Backend(ThreadingHTTPServer):
    """Answers requests for ``/slow`` when it is let go, and others at once."""

    request_queue_size = 2 * MANY
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.asked: list[str] = []
        self.let_go = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Answer(BaseHTTPRequestHandler):
    server: Backend

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        if self.path == "/slow":
            self.server.let_go.wait(60)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:  # type: ignore[override]  # nothing is logged
        """Be silent."""


@pytest.fixture
def backend() -> Iterator[Backend]:
    server = Backend()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.let_go.set()
    server.shutdown()
    server.server_close()


def api_of(stack: Stack, backend: Backend, *, brief_ms: int = 29_000) -> Api:
    """An API with the routes ``/slow``, ``/fast`` and ``/brief``, whose time is ``brief_ms``."""
    api = make_api(stack)
    for path, limit in (("/slow", 29_000), ("/fast", 29_000), ("/brief", brief_ms)):
        api.method(
            "GET",
            path,
            integration={
                "type": "HTTP_PROXY",
                "integrationHttpMethod": "GET",
                "uri": backend.url + path,
                "timeoutInMillis": limit,
            },
        )
    api.deploy()
    return api


def test_what_waited_until_its_time_was_over_is_not_sent_any_more(
    stack: Stack, backend: Backend
) -> None:
    api = api_of(stack, backend, brief_ms=200)

    with ThreadPoolExecutor(MANY) as pool:
        slow = [pool.submit(api.call, "GET", "/slow") for _ in range(MOST_INTEGRATIONS)]
        try:
            eventually(lambda: backend.asked.count("/slow") == MOST_INTEGRATIONS)
            brief = [pool.submit(api.call, "GET", "/brief") for _ in range(20)]
            assert [call.result().status_code for call in brief] == [504] * 20
        finally:
            backend.let_go.set()
        assert [call.result().status_code for call in slow] == [200] * MOST_INTEGRATIONS
    # It stands behind those that still wait: once it is answered, none of them does.
    assert api.call("GET", "/fast").status_code == 200
    assert "/brief" not in backend.asked


def test_a_failure_reaches_its_destination_while_integrations_take_long(
    stack: Stack, backend: Backend
) -> None:
    api = api_of(stack, backend)
    sqs, client = stack.client("sqs"), stack.client("lambda")
    queue = sqs.create_queue(QueueName=f"failures-{secrets.token_hex(4)}")["QueueUrl"]
    arn = f"arn:aws:sqs:us-east-1:000000000000:{queue.rpartition('/')[2]}"
    function = stack.create(FAIL)
    client.put_function_event_invoke_config(
        FunctionName=function,
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": arn}},
    )

    with ThreadPoolExecutor(MANY) as pool:
        calls = [pool.submit(api.call, "GET", "/slow") for _ in range(MANY)]
        try:
            eventually(lambda: backend.asked.count("/slow") > 1)
            client.invoke(FunctionName=function, InvocationType="Event", Payload=b'"lost?"')
            (message,) = eventually(
                lambda: sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1).get("Messages")
            )
            assert json.loads(message["Body"])["requestPayload"] == "lost?"
        finally:
            backend.let_go.set()
        assert [call.result().status_code for call in calls] == [200] * MANY
