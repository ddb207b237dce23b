"""What targets of rules get, and the partition keys and names of executions that go with it."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from botocore.exceptions import ClientError
from localstack.services.events.target import (
    KinesisTargetSender,
    SqsTargetSender,
    StatesTargetSender,
    replace_template_placeholders,
)

from trigger_stack.delivery.rules.delivery import Delivery, EventNotDeliverableError
from trigger_stack.delivery.rules.templates import Lines
from trigger_stack.localstack.events import target_sender
from trigger_stack.localstack.events.targets import as_text, partition_key, send

RULE = "arn:aws:events:us-east-1:000000000000:rule/bus/hourly"
EVENT = {"id": "e-1", "time": "now", "detail": {"n": 5, "o": {"k": 1}, "no": None, "empty": ""}}


class Client:
    """Takes requests; answers ``StartExecution`` with an error as told."""

    def __init__(self, code: str = "") -> None:
        self.requests: list[dict[str, Any]] = []
        self._code = code

    def put_record(self, **request: Any) -> None:
        self.requests.append(request)

    def start_execution(self, **request: Any) -> None:
        self.requests.append(request)
        if self._code:
            raise ClientError({"Error": {"Code": self._code, "Message": ""}}, "StartExecution")


def delivery(kind: type, arn: str, client: Any, **target: Any) -> Delivery:
    whole = {"Id": "1", "Arn": arn, **target}
    sender = kind(whole, RULE, "hourly", "x", "us-east-1", "000000000000")
    sender._client = client
    return Delivery(sender, EVENT, None, 0)


def stream(**target: Any) -> tuple[Delivery, Client]:
    client = Client()
    arn = "arn:aws:kinesis:us-east-1:000000000000:stream/events"
    return delivery(KinesisTargetSender, arn, client, **target), client


@pytest.mark.parametrize(
    ("path", "key"),
    [
        (None, "e-1"),
        ("$.id", "e-1"),
        ("$.detail.n", "5"),
        ("$.detail.o", '{"k":1}'),
        ("$.detail.gone", "e-1"),
        ("$.detail.no", "e-1"),
        ("$.detail.empty", "e-1"),
    ],
)
@pytest.mark.parametrize("target", [{}, {"Input": "[1]"}, {"InputPath": "$.detail.n"}])
def test_the_partition_key_comes_from_the_original_event(
    target: dict[str, Any], path: str | None, key: str
) -> None:
    parameters = {"KinesisParameters": {"PartitionKeyPath": path}} if path else {}
    one, client = stream(**target, **parameters)

    target_sender.send(one)

    [request] = client.requests
    assert (request["StreamName"], request["PartitionKey"]) == ("events", key)
    assert request["Data"] == as_text(target_sender.transformed(one.sender, EVENT)).encode()


def test_a_partition_key_path_that_cannot_be_read_says_so() -> None:
    one, _ = stream(KinesisParameters={"PartitionKeyPath": "$..n"})

    with pytest.raises(EventNotDeliverableError, match="is no JSON path"):
        partition_key(one)


def machine(code: str = "", **target: Any) -> tuple[Delivery, Client]:
    client = Client(code)
    arn = "arn:aws:states:us-east-1:000000000000:stateMachine:m"
    return delivery(StatesTargetSender, arn, client, **target), client


def test_each_delivery_is_an_execution_of_its_own_whatever_its_input_is() -> None:
    names = []
    for target in ({}, {"InputPath": "$.detail.n"}, {"Input": '"x"'}):
        one, client = machine(**target)
        target_sender.send(one)
        target_sender.send(one)
        first, second = client.requests
        assert first == second, "a try again must not start another execution"
        names.append(first["name"])

    assert len(set(names)) == 3
    assert all(name.startswith("e-1_") for name in names)


def test_an_execution_that_an_earlier_try_started_is_a_success() -> None:
    one, _ = machine("ExecutionAlreadyExists")
    send(one, {})

    one, _ = machine("StateMachineDoesNotExist")
    with pytest.raises(ClientError):
        send(one, {})


def test_another_target_gets_its_input_from_localstacks_sender() -> None:
    got: list[Any] = []

    class Sender(SqsTargetSender):
        def send_event(self, event: Any, trace_header: Any) -> None:
            got.append(event)

    send(delivery(Sender, "arn:aws:sqs:us-east-1:000000000000:q", None), 0)

    assert got == [0]


def test_lines_are_no_json() -> None:
    assert as_text(Lines('"a"\n"b"')) == '"a"\n"b"'
    assert as_text("a") == '"a"'
    assert as_text({"a": [1]}) == '{"a":[1]}'


# --- Until when the patches are needed


def test_localstack_still_loses_events_in_templates() -> None:
    """When this fails, see which cases of ``test_rule_templates.py`` LocalStack has now."""
    assert replace_template_placeholders('{"n": <n>}', {"n": 'say "hi"\n'}) is None
    assert replace_template_placeholders("<n>", {"n": "hello"}) == "ell"
    with pytest.raises(TypeError):
        replace_template_placeholders('"n is <n>"', {"n": 5})


@pytest.mark.parametrize("kind", [KinesisTargetSender, StatesTargetSender])
def test_localstack_still_looks_for_the_id_in_what_the_target_gets(kind: type) -> None:
    assert 'event["id"]' in inspect.getsource(kind)
