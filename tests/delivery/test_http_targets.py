"""What the endpoint of an API destination, a REST API or another bus answers is heeded."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from tests.delivery.conftest import arn_of
from tests.engine.lambda_stack import Stack
from tests.support.journal import Journal
from tests.support.permissions import permit
from tests.support.waiting import eventually

ACCOUNT = "us-east-1:000000000000"


class Partner:
    """An HTTP server that answers with the statuses of a list, and then with 200."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.got: list[Any] = []
        self.asked: list[tuple[str, dict[str, str]]] = []
        partner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                partner.got.append(json.loads(body))
                partner.asked.append((self.path, dict(self.headers.items())))
                self.send_response(partner.answers.pop(0) if partner.answers else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments: Any) -> None:
                """Nothing: the test says what it saw when it fails."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def partner() -> Iterator[Partner]:
    one = Partner()
    thread = Thread(target=one.server.serve_forever, daemon=True)
    thread.start()
    yield one
    one.server.shutdown()
    one.server.server_close()
    thread.join()


class Sender:
    """A rule, and the dead-letter queue of its target."""

    def __init__(self, stack: Stack, allowed: str = "*") -> None:
        self.events, self.sqs = stack.client("events"), stack.client("sqs")
        self.name = f"r-{secrets.token_hex(6)}"
        role = f"arn:aws:iam::000000000000:role/{self.name}"
        self.role = stack.role(role, "events.amazonaws.com", allowed=allowed)
        pattern = json.dumps({"source": [self.name]})
        self.arn = str(self.events.put_rule(Name=self.name, EventPattern=pattern)["RuleArn"])
        self.letters = self.sqs.create_queue(QueueName=self.name)["QueueUrl"]
        self.queue = arn_of(self.sqs, self.letters)
        permit(stack.client, self.queue)

    def target(self, arn: str, **settings: Any) -> None:
        target = {
            "Id": "t",
            "Arn": arn,
            "RoleArn": self.role,
            "DeadLetterConfig": {"Arn": self.queue},
        }
        answer = self.events.put_targets(Rule=self.name, Targets=[target | settings])
        assert answer["FailedEntryCount"] == 0, answer

    def destination(self, url: str, path: str = "/orders", **invocation: Any) -> str:
        """An API destination; its ARN."""
        key = {"ApiKeyName": "x-key", "ApiKeyValue": "k"}
        connection = self.events.create_connection(
            Name=self.name,
            AuthorizationType="API_KEY",
            AuthParameters={"ApiKeyAuthParameters": key, **invocation},
        )["ConnectionArn"]
        return str(
            self.events.create_api_destination(
                Name=self.name,
                ConnectionArn=connection,
                InvocationEndpoint=f"{url}{path}",
                HttpMethod="POST",
            )["ApiDestinationArn"]
        )

    def put(self) -> str:
        entry = {"Source": self.name, "DetailType": "t", "Detail": '{"a": 1}'}
        return str(self.events.put_events(Entries=[entry])["Entries"][0]["EventId"])

    def letter(self) -> dict[str, Any]:
        """The message of the dead-letter queue, when it is there."""

        def there() -> dict[str, Any]:
            answer = self.sqs.receive_message(
                QueueUrl=self.letters, MessageAttributeNames=["All"], VisibilityTimeout=0
            )
            found: list[dict[str, Any]] = answer.get("Messages", [])
            assert len(found) == 1, found
            return found[0]

        return eventually(there)


@pytest.fixture
def sender(stack: Stack) -> Sender:
    return Sender(stack)


def code_of(letter: dict[str, Any]) -> str:
    return str(letter["MessageAttributes"]["ERROR_CODE"]["StringValue"])


@pytest.mark.parametrize("status", [401, 409, 429, 500])
def test_a_partner_that_cannot_take_it_is_asked_again(
    sender: Sender, partner: Partner, journal: Journal, status: int
) -> None:
    """EventBridge, "API destination error codes"."""
    partner.answers = [status]
    sender.target(sender.destination(partner.url))

    event = sender.put()

    def delivered() -> bool:
        rows = journal.find(source=sender.arn)
        assert [(one["state"], one["attempts"]) for one in rows] == [("done", 2)], rows
        return True

    eventually(delivered)
    assert [one["id"] for one in partner.got] == [event, event]


@pytest.mark.parametrize("status", [400, 404, 302])
def test_a_partner_that_refuses_is_not_asked_again(
    sender: Sender, partner: Partner, status: int
) -> None:
    partner.answers = [status] * 3
    sender.target(sender.destination(partner.url))

    event = sender.put()

    letter = sender.letter()
    assert (json.loads(letter["Body"])["id"], code_of(letter)) == (event, "SDK_CLIENT_ERROR")
    message = letter["MessageAttributes"]["ERROR_MESSAGE"]["StringValue"]
    assert message.startswith("Unable to invoke ApiDestination endpoint: ")
    assert len(partner.got) == 1


def test_an_event_for_an_api_that_is_gone_is_in_the_dead_letter_queue(sender: Sender) -> None:
    sender.target(f"arn:aws:execute-api:{ACCOUNT}:{secrets.token_hex(5)}/dev/POST/orders")

    event = sender.put()

    assert json.loads(sender.letter()["Body"])["id"] == event


def test_an_event_that_another_bus_refuses_is_in_the_dead_letter_queue(sender: Sender) -> None:
    bus = sender.events.create_event_bus(Name=sender.name)["EventBusArn"]
    sender.target(bus, Input='{"no": "detail-type"}')

    event = sender.put()

    letter = sender.letter()
    assert json.loads(letter["Body"])["id"] == event
    assert "DetailType" in letter["MessageAttributes"]["ERROR_MESSAGE"]["StringValue"]


def test_another_bus_gets_the_event(sender: Sender, stack: Stack) -> None:
    bus = sender.events.create_event_bus(Name=sender.name)["EventBusArn"]
    sender.target(bus)
    on = {"EventBusName": sender.name}
    sender.events.put_rule(Name="all", EventPattern='{"source": [{"exists": true}]}', **on)
    sender.events.put_targets(Rule="all", Targets=[{"Id": "q", "Arn": sender.queue}], **on)

    sender.put()

    assert json.loads(sender.letter()["Body"])["detail"] == {"a": 1}


@pytest.mark.parametrize("kind", ["bus", "destination"])
def test_a_role_must_allow_it(stack: Stack, partner: Partner, kind: str) -> None:
    sender = Sender(stack, allowed="sqs:SendMessage")
    if kind == "bus":
        sender.target(sender.events.create_event_bus(Name=sender.name)["EventBusArn"])
    else:
        sender.target(sender.destination(partner.url))

    sender.put()

    letter = sender.letter()
    action = {"bus": "events:PutEvents", "destination": "events:InvokeApiDestination"}[kind]
    assert code_of(letter) == "NO_PERMISSIONS"
    message = letter["MessageAttributes"]["ERROR_MESSAGE"]["StringValue"]
    assert f"is not authorized to perform: {action}" in message
    assert partner.got == []


def test_the_parameters_of_a_target_are_in_the_request(sender: Sender, partner: Partner) -> None:
    """The connection's values take precedence ("HttpParameters")."""
    of_connection = {
        "HeaderParameters": [{"Key": "X-Tenant", "Value": "connection"}],
        "QueryStringParameters": [{"Key": "q", "Value": "connection"}],
    }
    arn = sender.destination(
        partner.url,
        "/shops/*/orders/*?fixed=1&fixed=2",
        InvocationHttpParameters=of_connection,
    )
    of_target = {
        "PathParameterValues": ["a b", "7"],
        "HeaderParameters": {
            "x-tenant": "target",
            "X-KEY": "target",
            "X-Own": "target",
            "content-type": "application/vnd.shop+json",
        },
        "QueryStringParameters": {"q": "target", "own": "t&t"},
    }
    sender.target(arn, HttpParameters=of_target)

    sender.put()

    eventually(lambda: len(partner.asked) == 1)
    path, headers = partner.asked[0]
    assert path == "/shops/a%20b/orders/7?fixed=1&fixed=2&q=connection&own=t%26t"
    found = {name.lower(): value for name, value in headers.items()}
    assert (found["x-tenant"], found["x-key"], found["x-own"]) == ("connection", "k", "target")
    assert found["content-type"] == "application/vnd.shop+json"
    (target,) = sender.events.list_targets_by_rule(Rule=sender.name)["Targets"]
    assert target["HttpParameters"] == of_target
