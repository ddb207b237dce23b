"""A message for an HTTP endpoint is posted by the delivery policy, and has an end."""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests

from tests.delivery.conftest import arn_of
from tests.engine.lambda_stack import Stack
from tests.support.journal import Journal
from tests.support.permissions import permit
from tests.support.waiting import eventually

QUICK = {"numRetries": 2, "minDelayTarget": 1, "maxDelayTarget": 1}


class Endpoint:
    """An HTTP endpoint that confirms its subscription and answers as told, then with 200."""

    def __init__(self, stack: Stack) -> None:
        self.statuses: list[int] = []
        self.posted: list[tuple[dict[str, str], Any]] = []
        self._sns = stack.client("sns")
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                self.send_response(endpoint.take(dict(self.headers), body))
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def take(self, headers: dict[str, str], body: str) -> int:
        if headers["x-amz-sns-message-type"] == "SubscriptionConfirmation":
            given = json.loads(body)
            self._sns.confirm_subscription(TopicArn=given["TopicArn"], Token=given["Token"])
            return 200
        self.posted.append((headers, body))
        return self.statuses.pop(0) if self.statuses else 200

    def subscribe(self, topic: str, **attributes: str) -> str:
        arn = self._sns.subscribe(
            TopicArn=topic,
            Protocol="http",
            Endpoint=self.url,
            Attributes={"DeliveryPolicy": json.dumps({"healthyRetryPolicy": QUICK}), **attributes},
            ReturnSubscriptionArn=True,
        )["SubscriptionArn"]

        def confirmed() -> bool:
            found = self._sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
            return bool(found["PendingConfirmation"] == "false")

        eventually(confirmed)
        return str(arn)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def endpoint(stack: Stack) -> Iterator[Endpoint]:
    one = Endpoint(stack)
    yield one
    one.close()


@pytest.fixture
def topic(stack: Stack) -> str:
    return str(stack.client("sns").create_topic(Name=f"t-{secrets.token_hex(6)}")["TopicArn"])


def end(journal: Journal, topic: str) -> dict[str, Any]:
    def at_rest() -> dict[str, Any]:
        rows = journal.find(source=topic)
        assert len(rows) == 1, rows
        assert rows[0]["state"] != "pending", rows
        return rows[0]

    return eventually(at_rest)


def test_an_endpoint_gets_a_message_once(
    stack: Stack, endpoint: Endpoint, topic: str, journal: Journal
) -> None:
    arn = endpoint.subscribe(topic)

    message = stack.client("sns").publish(TopicArn=topic, Message="é", Subject="s")["MessageId"]

    [(headers, body)] = eventually(lambda: endpoint.posted)
    assert (headers["x-amz-sns-subscription-arn"], headers["x-amz-sns-message-id"]) == (
        arn,
        message,
    )
    assert "x-amz-sns-rawdelivery" not in headers
    notification = json.loads(body)
    assert (notification["Message"], notification["Subject"]) == ("é", "s")
    assert journal.find(source=topic) == [], "it was delivered at once"


def test_raw_delivery_posts_the_message_alone(stack: Stack, endpoint: Endpoint, topic: str) -> None:
    endpoint.subscribe(topic, RawMessageDelivery="true")

    stack.client("sns").publish(TopicArn=topic, Message="raw")

    [(headers, body)] = eventually(lambda: endpoint.posted)
    assert (headers["x-amz-sns-rawdelivery"], body) == ("true", "raw")


@pytest.mark.parametrize("status", [500, 503, 429])
def test_an_endpoint_that_cannot_take_it_is_asked_again(
    stack: Stack, endpoint: Endpoint, topic: str, journal: Journal, status: int
) -> None:
    endpoint.subscribe(topic)
    endpoint.statuses = [status, status]

    stack.client("sns").publish(TopicArn=topic, Message="m")

    row = end(journal, topic)
    assert (row["state"], row["attempts"], len(endpoint.posted)) == ("done", 3, 3)


def test_without_a_dead_letter_queue_a_message_is_lost_and_said_so(
    stack: Stack, endpoint: Endpoint, topic: str, journal: Journal
) -> None:
    endpoint.subscribe(topic)
    endpoint.statuses = [500] * 3

    stack.client("sns").publish(TopicArn=topic, Message="m")

    row = end(journal, topic)
    assert (row["state"], row["attempts"], len(endpoint.posted)) == ("lost", 3, 3)
    assert "answered 500" in row["place"]
    assert "RedrivePolicy" in row["place"]


def test_an_endpoint_that_refuses_is_not_asked_again(
    stack: Stack, endpoint: Endpoint, topic: str, journal: Journal
) -> None:
    """Its letter can be delivered again."""
    sqs = stack.client("sqs")
    url = sqs.create_queue(QueueName=f"q-{secrets.token_hex(6)}")["QueueUrl"]
    permit(stack.client, arn_of(sqs, url))
    dead_letter = json.dumps({"deadLetterTargetArn": arn_of(sqs, url)})
    endpoint.subscribe(topic, RedrivePolicy=dead_letter)
    endpoint.statuses = [404]

    stack.client("sns").publish(TopicArn=topic, Message="m")

    row = end(journal, topic)
    assert (row["state"], row["attempts"], len(endpoint.posted)) == ("dead-letter", 1, 1)
    [letter] = sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"])["Messages"]
    assert json.loads(letter["Body"])["Message"] == "m"

    answer = requests.post(
        f"http://127.0.0.1:{stack.port}/_trigger_stack/topics/deliver", json=letter, timeout=30
    )

    assert answer.json() == {"delivered": endpoint.url}
    assert json.loads(endpoint.posted[-1][1])["Message"] == "m"


def test_a_slow_endpoint_does_not_hold_the_publisher(
    stack: Stack, endpoint: Endpoint, topic: str, journal: Journal
) -> None:
    """The message is pending in the journal when the publisher is answered."""
    goes_on = threading.Event()
    endpoint.subscribe(topic)
    take = endpoint.take
    endpoint.take = lambda *given: (goes_on.wait(30), take(*given))[1]  # type: ignore[method-assign]  # slow

    stack.client("sns").publish(TopicArn=topic, Message="m")

    [row] = journal.find(source=topic)
    assert (row["state"], row["place"]) == ("pending", "being delivered")
    goes_on.set()
    assert end(journal, topic)["state"] == "done"
