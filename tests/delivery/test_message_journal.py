"""The journal's account of messages: one row each, wherever the message is."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from typing import Any

import pytest

from bootstrap.commands.events import trace as show_trace
from tests.delivery.conftest import arn_of
from tests.delivery.sources import Mapped
from tests.delivery.test_sqs import REPORT, SUCCEED, failing
from tests.engine.lambda_stack import Stack
from tests.support.journal import Journal
from tests.support.waiting import eventually

type Make = Callable[..., Mapped]


@pytest.fixture
def queue(stack: Stack) -> Callable[..., str]:
    def make(fifo: bool = False, **attributes: str) -> str:
        name = f"q-{secrets.token_hex(6)}" + (".fifo" if fifo else "")
        kind = {"FifoQueue": "true", "ContentBasedDeduplication": "true"} if fifo else {}
        created = stack.client("sqs").create_queue(QueueName=name, Attributes=attributes | kind)
        return str(created["QueueUrl"])

    return make


def test_a_message_is_in_the_journal_when_its_sender_has_the_answer(
    stack: Stack, queue: Callable[..., str], journal: Journal
) -> None:
    sqs, url = stack.client("sqs"), queue()

    sent = sqs.send_message(QueueUrl=url, MessageBody="one", DelaySeconds=600)["MessageId"]

    row = journal.event(sent)
    arn = arn_of(sqs, url)
    assert (row["kind"], row["source"], row["state"]) == ("message", arn, "pending")
    assert (row["place"], row["payload"], row["attempts"]) == (arn, "one", 0)
    assert row["due_at"] > row["accepted_at"]


def test_each_message_of_a_batch_is_in_the_journal(
    stack: Stack, queue: Callable[..., str], journal: Journal
) -> None:
    sqs, url = stack.client("sqs"), queue()
    entries = [{"Id": str(i), "MessageBody": f"body {i}"} for i in range(10)]

    answer = sqs.send_message_batch(QueueUrl=url, Entries=entries)["Successful"]

    found = journal.find(source=arn_of(sqs, url), state="pending")
    assert {row["id"] for row in found} == {one["MessageId"] for one in answer}


def test_a_handled_message_names_its_invocation(mapped: Make, journal: Journal) -> None:
    queue = mapped(SUCCEED)

    sent = queue.sqs.send_message(QueueUrl=queue.url, MessageBody="one")["MessageId"]
    row = journal.ends(sent)

    assert (row["attempts"], row["place"]) == (1, "")
    ((accepted, _), (handled, request_id)) = journal.steps(sent)
    assert (accepted, handled) == ("accepted", "handled by")
    invocation = journal.event(request_id)
    assert invocation["function"].endswith(f":function:{queue.function}")
    related = {one["id"] for one in journal.trace(request_id)["events"]}
    assert sent in related, "an invocation shows its messages"
    related = {one["id"] for one in journal.trace(sent)["events"]}
    assert request_id in related, "a message shows its invocations"


RELAY = """
import boto3, os

def handler(event, context):
    for record in event["Records"]:
        print("TRACE " + os.environ["_X_AMZN_TRACE_ID"])
        boto3.client("sqs").send_message(QueueUrl=record["body"], MessageBody="relayed")
"""


def test_a_trace_goes_on_from_queue_to_queue(
    mapped: Make,
    stack: Stack,
    journal: Journal,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """An invocation for messages has a trace of its own, as on AWS, which links the two."""
    last, first = mapped(SUCCEED), mapped(RELAY)
    header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"

    sent = first.sqs.send_message(
        QueueUrl=first.url,
        MessageBody=last.url,
        MessageSystemAttributes={"AWSTraceHeader": {"DataType": "String", "StringValue": header}},
    )["MessageId"]
    journal.ends(sent)

    def whole() -> dict[str, dict[str, Any]]:
        found = {one["id"]: one for one in journal.trace(sent)["events"]}
        assert len(found) == 4, journal.way(sent)
        return found

    events = eventually(whole)
    (relaying,) = [key for name, key in journal.steps(sent) if name == "handled by"]
    (relayed,) = [key for key, one in events.items() if one["kind"] == "message" and key != sent]
    (handling,) = events.keys() - {sent, relaying, relayed}
    assert events[sent]["trace"] == "1-5759e988-bd862e3fe1be46a994272793"
    assert events[sent]["cause"] == "53995c3f42cd8ad8"
    assert len({events[key]["trace"] for key in (sent, relaying, handling)}) == 3
    assert events[relayed]["trace"] == events[relaying]["trace"]
    assert events[relayed]["cause"] == events[relaying]["segment"]
    lines = eventually(
        lambda: [
            one["message"].strip()
            for one in stack.log_events(first.function)
            if one["message"].startswith("TRACE")
        ]
    )
    trace, segment = events[relaying]["trace"], events[relaying]["segment"]
    header, _, lineage = lines[0].rpartition(";")
    assert header == f"TRACE Root={trace};Parent={segment};Sampled=1"
    assert lineage.startswith("Lineage=")

    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{stack.port}")
    for asked in (sent, handling):
        show_trace(asked)
        shown = capsys.readouterr().out.splitlines()
        places = {
            key: len(line) - len(line.lstrip())
            for key in events
            for line in shown
            if line.strip().startswith(f"id {key}")
        }
        assert places == {sent: 2, relaying: 6, relayed: 10, handling: 14}, "\n".join(shown)


def test_a_dead_letter_and_its_redrive(mapped: Make, journal: Journal) -> None:
    queue = mapped(failing("raise ValueError"), visibility_s=5)
    sqs = queue.sqs

    sent = sqs.send_message(QueueUrl=queue.url, MessageBody="bad")["MessageId"]
    row = journal.ends(sent, "dead-letter", seconds=40)

    source, dlq = arn_of(sqs, queue.url), arn_of(sqs, queue.dead_letter_url)
    assert (row["place"], row["attempts"]) == (dlq, 2)
    names = [name for name, _ in journal.steps(sent)]
    assert names == ["accepted", "failed in", "failed in", "dead-letter"]

    queue.enable(False)
    sqs.start_message_move_task(SourceArn=dlq)

    def again() -> dict[str, Any]:
        row = journal.event(sent)
        assert (row["state"], row["place"]) == ("pending", source), journal.way(sent)
        return row

    eventually(again)
    assert queue.counts() == {"queue": 1, "dlq": 0}
    sqs.purge_queue(QueueUrl=queue.url)
    assert eventually(lambda: journal.ends(sent, "discarded"))["place"] == "PurgeQueue"


def test_only_the_failed_message_of_a_batch_stays(mapped: Make, journal: Journal) -> None:
    queue = mapped(
        REPORT,
        visibility_s=5,
        FunctionResponseTypes=["ReportBatchItemFailures"],
        MaximumBatchingWindowInSeconds=1,
    )
    entries = [{"Id": body, "MessageBody": body} for body in ("bad", "good")]

    answer = queue.sqs.send_message_batch(QueueUrl=queue.url, Entries=entries)["Successful"]
    sent = {one["Id"]: one["MessageId"] for one in answer}

    assert journal.ends(sent["good"])["attempts"] == 1
    assert journal.ends(sent["bad"], "dead-letter", seconds=40)["attempts"] == 2
    assert (
        journal.steps(sent["good"])[1][0],
        journal.steps(sent["bad"])[1][0],
    ) == ("handled by", "failed in")


def test_a_filtered_message_is_discarded_by_its_filter(mapped: Make, journal: Journal) -> None:
    pattern = json.dumps({"body": {"kind": ["wanted"]}})
    queue = mapped(SUCCEED, FilterCriteria={"Filters": [{"Pattern": pattern}]})

    sent = queue.sqs.send_message(QueueUrl=queue.url, MessageBody='{"kind": "other"}')["MessageId"]

    assert journal.ends(sent, "discarded")["place"] == "FilterCriteria of the event source mapping"


def test_a_deduplicated_message_is_one_event(
    stack: Stack, queue: Callable[..., str], journal: Journal
) -> None:
    sqs, url = stack.client("sqs"), queue(fifo=True)
    first, second = (
        sqs.send_message(QueueUrl=url, MessageBody="same", MessageGroupId="g")["MessageId"]
        for _ in range(2)
    )

    assert first == second
    names = [name for name, _ in journal.steps(first)]
    assert names == ["accepted", "sent again, not accepted twice"]
    assert len(journal.find(source=arn_of(sqs, url))) == 1


def test_messages_go_with_their_queue(
    stack: Stack, queue: Callable[..., str], journal: Journal
) -> None:
    sqs, url = stack.client("sqs"), queue()
    sent = sqs.send_message(QueueUrl=url, MessageBody="one")["MessageId"]
    sqs.delete_queue(QueueUrl=url)

    def gone() -> bool:
        row = journal.event(sent)
        assert (row["state"], row["place"]) == ("discarded", "DeleteQueue"), row
        return True

    eventually(gone)


def test_who_receives_and_deletes_ends_a_message(
    stack: Stack, queue: Callable[..., str], journal: Journal
) -> None:
    sqs, url = stack.client("sqs"), queue()
    sent = sqs.send_message(QueueUrl=url, MessageBody="one")["MessageId"]
    (received,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"]
    assert journal.event(sent)["state"] == "pending", "it is in flight"

    sqs.delete_message(QueueUrl=url, ReceiptHandle=received["ReceiptHandle"])

    assert journal.ends(sent)["attempts"] == 1
