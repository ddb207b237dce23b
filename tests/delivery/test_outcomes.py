"""Events that come to rest outside the engine are in the journal, the lost ones above all."""

from __future__ import annotations

import json
import secrets
from typing import Any

import requests

from tests.delivery.conftest import arn_of
from tests.delivery.test_kinesis import POISON, Make, streamed
from tests.engine.lambda_stack import Stack, archive
from tests.support.journal import Journal
from tests.support.permissions import permit
from tests.support.waiting import eventually

__all__ = ["streamed"]


def test_stream_records_without_a_destination_are_lost_and_said_so(
    streamed: Make, stack: Stack
) -> None:
    record = f"bad {secrets.token_hex(8)}"
    one = streamed(POISON, record, MaximumRetryAttempts=1, DestinationConfig={})

    def lost() -> dict[str, Any] | None:
        url = f"http://127.0.0.1:{stack.port}/_trigger_stack/events"
        events = requests.get(url, params={"state": "lost"}, timeout=60).json()["events"]
        return next((event for event in events if one.stream in event["source"]), None)

    event = eventually(lost)
    assert event is not None
    assert event["kind"] == "stream records"
    assert event["source"].endswith(f":stream/{one.stream} shardId-000000000000")
    assert event["function"].endswith(f":function:{one.function}")
    assert event["attempts"] == 2
    assert "set destinations.onFailure" in event["place"]
    assert "EVENT LOST, stream records" in stack.log


def test_stream_records_at_a_destination_are_recorded(streamed: Make, stack: Stack) -> None:
    one = streamed(POISON, "bad", MaximumRetryAttempts=0)
    one.failure()

    def recorded() -> dict[str, Any] | None:
        url = f"http://127.0.0.1:{stack.port}/_trigger_stack/events"
        events = requests.get(url, params={"state": "destination"}, timeout=60).json()["events"]
        return next((event for event in events if one.stream in event["source"]), None)

    event = eventually(recorded)
    assert event is not None
    assert event["place"].endswith(f":{one.stream}-failures")


def test_a_batch_that_is_tried_again_is_pending_until_it_has_an_end(
    streamed: Make, stack: Stack, journal: Journal
) -> None:
    one = streamed(POISON, "bad", DestinationConfig={})

    def pending(attempts: int) -> dict[str, Any] | None:
        events = journal.find(state="pending", source=one.stream)
        return next((event for event in events if event["attempts"] >= attempts), None)

    event = eventually(lambda: pending(2))
    assert event is not None
    assert event["place"].startswith("failed in ")
    assert event["due_at"]
    one.update(Enabled=False)
    one.wait_for_state("Disabled")
    assert journal.event(event["id"])["state"] == "pending"
    one.update(Enabled=True)
    one.wait_for_state("Enabled")
    assert eventually(lambda: pending(1))["id"] == event["id"], "the same event"
    stack.client("lambda").delete_event_source_mapping(UUID=one.uuid)
    assert journal.ends(event["id"], "discarded")["place"] == "DeleteEventSourceMapping"


def test_a_batch_that_succeeds_after_its_mapping_was_disabled_is_done(
    streamed: Make, stack: Stack, journal: Journal
) -> None:
    one = streamed(POISON, "bad", DestinationConfig={})

    def pending() -> dict[str, Any] | None:
        return next(iter(journal.find(state="pending", source=one.stream)), None)

    event = eventually(pending)
    assert event is not None
    one.update(Enabled=False)
    one.wait_for_state("Disabled")
    functions = stack.client("lambda")
    functions.update_function_code(
        FunctionName=one.function, ZipFile=archive({"app.py": "def handler(event, _): return 1\n"})
    )
    stack.wait_ready(one.function)
    one.update(Enabled=True)

    assert journal.ends(event["id"], "done")["attempts"] >= 1


def test_an_event_whose_target_is_gone_is_recorded(stack: Stack) -> None:
    events, sqs, name = stack.client("events"), stack.client("sqs"), f"r-{secrets.token_hex(6)}"
    events.put_rule(Name=name, EventPattern=json.dumps({"source": [name]}))
    gone = "arn:aws:sqs:us-east-1:000000000000:not-there"
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    dlq = arn_of(sqs, url)
    permit(stack.client, dlq)
    events.put_targets(
        Rule=name,
        Targets=[
            {"Id": "1", "Arn": gone},
            {"Id": "2", "Arn": gone, "DeadLetterConfig": {"Arn": dlq}},
        ],
    )
    entry = {"Source": name, "DetailType": "t", "Detail": json.dumps({"marker": name})}
    assert events.put_events(Entries=[entry])["FailedEntryCount"] == 0

    def recorded() -> dict[str, dict[str, Any]]:
        url = f"http://127.0.0.1:{stack.port}/_trigger_stack/events"
        rows = requests.get(
            url, params={"text": name, "kind": "event of a rule"}, timeout=10
        ).json()["events"]
        states = {row["state"]: row for row in rows}
        assert set(states) == {"lost", "dead-letter"}, rows
        return states

    states = eventually(recorded)
    assert states["dead-letter"]["place"] == dlq
    assert "deadLetterQueueArn" in states["lost"]["place"]
    for row in states.values():
        assert row["source"].endswith(f"rule/{name}")
        assert row["function"] == gone
        whole = f"http://127.0.0.1:{stack.port}/_trigger_stack/events/{row['id']}"
        way = requests.get(whole, timeout=60).json()
        event = next(one for one in way["events"] if one["id"] == row["id"])
        assert json.loads(event["payload"])["detail"] == {"marker": name}
        steps = [step["name"] for step in way["steps"] if step["event"] == row["id"]]
        assert steps == [row["state"]]
