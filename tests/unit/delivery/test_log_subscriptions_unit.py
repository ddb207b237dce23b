"""Batches of log events, and their way to a destination."""

from __future__ import annotations

import base64
import gzip
import json
import random
import threading
from typing import Any

import pytest

from tests.support.waiting import eventually
from trigger_stack.delivery.core.outcome import Outcome
from trigger_stack.delivery.logs.subscriptions import (
    Batch,
    Forwarder,
    RefusedError,
    Source,
    Subscription,
    batches,
    control_message,
    event_id,
    function_payload,
)

SOURCE = Source("000000000000", "us-east-1", "/aws/lambda/f", "stream")
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:alert"
ALL = Subscription("all", "", FUNCTION)
ERRORS = Subscription("errors", "ERROR", FUNCTION)


def events(*messages: str) -> list[dict[str, Any]]:
    return [
        {"id": event_id(number), "timestamp": 1000 + number, "message": message}
        for number, message in enumerate(messages)
    ]


def read(batch: Batch) -> dict[str, Any]:
    return dict(json.loads(gzip.decompress(batch.data)))


def test_the_document_is_as_aws_documents_it() -> None:
    (batch,) = batches(SOURCE, ERRORS, events("fine", "ERROR ä 1", "ERROR 2"))

    document = read(batch)
    assert document == {
        "messageType": "DATA_MESSAGE",
        "owner": "000000000000",
        "logGroup": "/aws/lambda/f",
        "logStream": "stream",
        "subscriptionFilters": ["errors"],
        "logEvents": [
            {"id": "0" * 55 + "1", "timestamp": 1001, "message": "ERROR ä 1"},
            {"id": "0" * 55 + "2", "timestamp": 1002, "message": "ERROR 2"},
        ],
    }
    data = json.loads(function_payload(batch.data))["awslogs"]["data"]
    assert json.loads(gzip.decompress(base64.b64decode(data))) == document
    assert batch.partition_key == "stream"


def test_nothing_is_sent_when_nothing_matches() -> None:
    assert list(batches(SOURCE, ERRORS, events("fine"))) == []


def test_a_large_batch_is_split_in_its_order() -> None:
    source = random.Random(1)
    messages = [f"ERROR {number} {source.randbytes(300).hex()}" for number in range(64)]

    found = list(batches(SOURCE, ERRORS, events(*messages), limit=4000))

    assert len(found) > 4
    assert [one["message"] for batch in found for one in read(batch)["logEvents"]] == messages
    assert all(len(batch.data) * 4 / 3 <= 4000 for batch in found)


def test_one_event_goes_however_large_it_is() -> None:
    text = random.Random(1).randbytes(4000).hex()

    (batch,) = batches(SOURCE, ALL, events(text), limit=100)

    assert read(batch)["logEvents"][0]["message"] == text


def test_random_distribution_has_other_keys() -> None:
    spread = Subscription("s", "", FUNCTION, random=True)

    keys = {next(batches(SOURCE, spread, events("x"))).partition_key for _ in range(3)}

    assert len(keys) == 3


def test_the_control_message() -> None:
    document = json.loads(gzip.decompress(control_message(5)))

    assert (document["messageType"], document["owner"]) == ("CONTROL_MESSAGE", "CloudwatchLogs")
    assert document["logEvents"][0]["timestamp"] == 5
    assert "Checking health of destination" in document["logEvents"][0]["message"]


class Destination:
    """Keeps what it takes; fails as often as told."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.taken: list[str] = []
        self.tries: list[str] = []
        self.gate = threading.Event()
        self.gate.set()

    def send(self, batch: Batch) -> None:
        self.gate.wait(10)
        self.tries.append(batch.id)
        if self.failures:
            raise self.failures.pop(0)
        self.taken += [one["message"] for one in read(batch)["logEvents"]]


@pytest.fixture
def outcomes() -> list[Outcome]:
    return []


def test_events_keep_their_order_and_are_in_the_journal_at_once(
    outcomes: list[Outcome],
) -> None:
    destination = Destination()
    destination.gate.clear()
    forwarder = Forwarder(destination.send, outcomes.append)

    for number in range(50):
        forwarder.forward(SOURCE, [ALL], events(str(number)))
    assert [one.state for one in outcomes] == ["pending"] * 50
    destination.gate.set()

    def all_there() -> bool:
        assert len(destination.taken) == 50, destination.taken
        return True

    eventually(all_there, every=0.01)
    assert destination.taken == [str(number) for number in range(50)]
    assert [one.id for one in outcomes] == destination.tries, "they become the invocations"


def test_each_filter_gets_what_it_matches(outcomes: list[Outcome]) -> None:
    destination = Destination()
    forwarder = Forwarder(destination.send, outcomes.append)

    forwarder.forward(SOURCE, [ERRORS, ALL], events("ERROR", "fine"))

    def all_there() -> bool:
        assert sorted(destination.taken) == ["ERROR", "ERROR", "fine"], destination.taken
        return True

    eventually(all_there, every=0.01)


def test_a_failure_is_tried_again_under_the_same_id_and_those_behind_it_wait(
    outcomes: list[Outcome],
) -> None:
    destination = Destination(OSError("the engine is away"))
    forwarder = Forwarder(destination.send, outcomes.append)

    forwarder.forward(SOURCE, [ALL], events("one"))
    forwarder.forward(SOURCE, [ALL], events("two"))

    def all_there() -> bool:
        assert destination.taken == ["one", "two"], destination.taken
        return True

    eventually(all_there, every=0.01)
    assert destination.tries[0] == destination.tries[1]
    first = [one for one in outcomes if one.id == destination.tries[0]]
    assert [(one.state, one.attempts) for one in first] == [("pending", 0), ("pending", 1)]
    assert json.loads(outcomes[0].payload)["logEvents"][0]["message"] == "one"


@pytest.mark.parametrize(("gone", "state"), [(False, "lost"), (True, "discarded")])
def test_a_refusal_is_the_end_and_said_so(outcomes: list[Outcome], gone: bool, state: str) -> None:
    destination = Destination(RefusedError("no", gone=gone))
    forwarder = Forwarder(destination.send, outcomes.append)

    forwarder.forward(SOURCE, [ALL], events("one"))
    forwarder.forward(SOURCE, [ALL], events("two"))

    def all_there() -> bool:
        assert destination.taken == ["two"], destination.taken
        return True

    eventually(all_there, every=0.01)
    first = [one for one in outcomes if one.id == destination.tries[0]]
    assert [(one.state, one.place) for one in first] == [("pending", ""), (state, "no")]


def test_after_24_hours_events_are_lost(outcomes: list[Outcome]) -> None:
    now = [0.0]
    destination = Destination(*[OSError("away")] * 2)
    forwarder = Forwarder(destination.send, outcomes.append, lambda: now[0])
    (batch,) = batches(SOURCE, ALL, events("one"))

    assert forwarder._attempt(batch) is not None
    now[0] = 24 * 3600 + 1.0
    assert forwarder._attempt(batch) is None

    assert [one.state for one in outcomes] == ["pending", "lost"]
    assert "24 hours" in outcomes[-1].place


def test_a_record_of_a_stream_ends_in_the_journal(outcomes: list[Outcome]) -> None:
    stream = "arn:aws:kinesis:us-east-1:000000000000:stream/s"
    destination = Destination()
    forwarder = Forwarder(destination.send, outcomes.append)

    forwarder.forward(SOURCE, [Subscription("all", "", stream)], events("one"))

    def ended() -> bool:
        assert [one.state for one in outcomes] == ["pending", "done"]
        return True

    eventually(ended, every=0.01)
    assert outcomes[0].id == outcomes[1].id
