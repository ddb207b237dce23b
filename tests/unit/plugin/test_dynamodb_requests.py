"""Requests to DynamoDB Local, with a server that notes what it gets."""

from __future__ import annotations

import inspect
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from localstack.aws.api import ServiceException
from localstack.aws.forwarder import create_aws_request_context
from rolo.client import SimpleRequestsClient

from trigger_stack.localstack.dynamodb.forwarder import Forwarder
from trigger_stack.localstack.streams import wakeups

ARN = "arn:aws:dynamodb:us-east-1:000000000000:table/brands/stream/1"
REFUSAL = {"__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"}


class Server(ThreadingHTTPServer):
    """Answers each request with ``answer``."""

    answer: tuple[int, Any] = (200, {})

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], Any]] = []
        self.clients: set[Any] = set()
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((dict(self.headers.items()), json.loads(body)))
        self.server.clients.add(self.client_address)
        status, content = self.server.answer
        answer = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(answer)))
        self.send_header("x-amz-crc32", "7")
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


@pytest.fixture
def forwarder(server: Server) -> Forwarder:
    return Forwarder("127.0.0.1", server.server_address[1])


def request(action: str, **parameters: Any) -> Any:
    context = create_aws_request_context("dynamodb", action, "json", parameters, "us-east-1")
    context.account_id, context.service_request = "000000000000", parameters
    return context


def test_a_request_is_sent_as_it_is(server: Server, forwarder: Forwarder) -> None:
    server.answer = (200, {"Item": {"id": {"B": "YWJj"}}})
    key = {"id": {"S": "ä"}}
    asked = request("GetItem", TableName="brands", Key=key)
    asked.request.headers["X-Other"] = "1"

    answers = [forwarder(asked) for _ in range(3)]

    assert answers[0] == {"Item": {"id": {"B": b"abc"}}}, "as LocalStack's providers expect it"
    headers, body = server.requests[0]
    assert body == {"TableName": "brands", "Key": key}
    assert headers["X-Amz-Target"] == "DynamoDB_20120810.GetItem"
    assert "Authorization" in headers
    assert "X-Other" not in headers
    assert len(server.clients) == 1, "the connection stays"


def test_the_answer_to_a_write_is_sent_on_as_it_came(server: Server, forwarder: Forwarder) -> None:
    server.answer = (200, {"Attributes": {"n": {"N": "1"}}})
    asked = request("UpdateItem", TableName="brands", Key={"id": {"S": "1"}})
    asked.request_id = "r"

    answer = forwarder(asked)

    assert (answer.status_code, answer.data) == (200, json.dumps(server.answer[1]).encode())
    assert answer.headers["Content-Type"] == "application/x-amz-json-1.0"
    assert answer.headers["x-amzn-RequestId"] == "r"
    assert "Server" not in answer.headers
    assert asked.service_response, "else LocalStack parses it"


def test_an_answer_in_another_form_is_made_anew(server: Server, forwarder: Forwarder) -> None:
    asked = request("PutItem", TableName="brands", Item={"id": {"S": "1"}})
    asked.request.headers["Accept"] = "application/cbor"

    assert forwarder(asked) == {}


def test_another_request_is_sent_in_place_of_the_one_that_came(
    server: Server, forwarder: Forwarder
) -> None:
    forwarder(request("DeleteTable", TableName="one"), {"TableName": "other"})

    assert server.requests[0][1] == {"TableName": "other"}


def test_an_error_is_raised_and_wakes_nobody(server: Server, forwarder: Forwarder) -> None:
    server.answer = (400, {**REFUSAL, "message": "The conditional request failed"})
    woken: list[str] = []

    with (
        wakeups.reading(ARN, lambda: woken.append("brands")),
        pytest.raises(ServiceException, match="The conditional request failed") as raised,
    ):
        forwarder(request("PutItem", TableName="brands", Item={"id": {"S": "1"}}))

    assert raised.value.code == "ConditionalCheckFailedException"
    assert raised.value.status_code == 400
    assert woken == []


def test_a_write_wakes_the_readers_of_its_table(forwarder: Forwarder) -> None:
    woken: list[str] = []
    item = {"id": {"S": "1"}}

    with wakeups.reading(ARN, lambda: woken.append("brands")):
        forwarder(request("GetItem", TableName="brands", Key=item))
        forwarder(request("PutItem", TableName="others", Item=item))
        assert woken == []
        forwarder(request("PutItem", TableName="brands", Item=item))

    assert woken == ["brands"]


def test_localstack_still_sends_by_requests() -> None:
    """When this fails, see whether LocalStack's own way of forwarding is as fast."""
    assert "self.session.request" in inspect.getsource(SimpleRequestsClient.request)
