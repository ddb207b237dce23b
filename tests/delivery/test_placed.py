"""What a sender was answered for is not in memory only: the emulator is killed at that moment."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.delivery.conftest import arn_of
from tests.engine.lambda_stack import Stack, alive, engine, kill, start_stack
from tests.support.journal import Journal
from tests.support.permissions import permit
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("placed")
SERVICES = "cloudwatch,events,iam,lambda,logs,s3,sns,sqs,sts"
PRINTS = "def handler(event, context): print(event)"
SLOW = "import time\ndef handler(event, context): time.sleep(30)"
#: Sends something that is to reach a queue or a function; returns a text that the event has.
type Send = Callable[[Stack, str, str], str]


def to_bucket(stack: Stack, queue: str, function: str) -> str:
    """Two uploads: a queue is told of one, and a function of the other."""
    s3, bucket, text = stack.client("s3"), f"b-{secrets.token_hex(6)}", secrets.token_hex(6)
    s3.create_bucket(Bucket=bucket)

    def wanted(prefix: str) -> dict[str, Any]:
        rules = [{"Name": "prefix", "Value": prefix}]
        return {"Events": ["s3:ObjectCreated:*"], "Filter": {"Key": {"FilterRules": rules}}}

    s3.put_bucket_notification_configuration(
        Bucket=bucket,
        NotificationConfiguration={
            "QueueConfigurations": [{"QueueArn": queue, **wanted("queue/")}],
            "LambdaFunctionConfigurations": [
                {"LambdaFunctionArn": function, **wanted("function/")}
            ],
        },
    )
    s3.put_object(Bucket=bucket, Key=f"queue/{text}")
    s3.put_object(Bucket=bucket, Key=f"function/{text}")
    return text


def to_topic(stack: Stack, queue: str, function: str) -> str:
    sns, text = stack.client("sns"), secrets.token_hex(6)
    topic = sns.create_topic(Name=f"t-{text}")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=function)
    sns.publish(TopicArn=topic, Message=text)
    return text


def to_bus(stack: Stack, queue: str, function: str) -> str:
    events, text = stack.client("events"), secrets.token_hex(6)
    events.put_rule(Name=text, EventPattern=json.dumps({"source": [text]}))
    targets = [{"Id": "1", "Arn": queue}, {"Id": "2", "Arn": function}]
    events.put_targets(Rule=text, Targets=targets)
    entry = {"Source": text, "DetailType": "t", "Detail": "{}"}
    assert events.put_events(Entries=[entry])["FailedEntryCount"] == 0
    return text


def to_bucket_with_bus(stack: Stack, queue: str, function: str) -> str:
    """An upload, of which the default bus is told."""
    events, s3, bucket = stack.client("events"), stack.client("s3"), f"b-{secrets.token_hex(6)}"
    key = secrets.token_hex(6)
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    pattern = {"source": ["aws.s3"], "detail": {"bucket": {"name": [bucket]}}}
    events.put_rule(Name=bucket, EventPattern=json.dumps(pattern))
    targets = [{"Id": "1", "Arn": queue}, {"Id": "2", "Arn": function}]
    events.put_targets(Rule=bucket, Targets=targets)
    s3.put_object(Bucket=bucket, Key=key)
    return key


SENDERS: list[Send] = [to_bucket, to_topic, to_bus, to_bucket_with_bus]


def rows(folder: Path) -> list[dict[str, Any]]:
    """The events of a journal that nobody has open."""
    (file,) = folder.rglob("journal.sqlite")
    with contextlib.closing(sqlite3.connect(file)) as journal:
        journal.row_factory = sqlite3.Row
        return [dict(row) for row in journal.execute("SELECT * FROM events")]


def targets(row: dict[str, Any], queue: str, function: str) -> list[str]:
    """Whom an event of the journal is for; on a busy machine it may not have come there yet."""
    if row["kind"] == "message":
        return [queue]
    if row["function"].endswith(":event-bus/default"):
        return [queue, function]
    return [row["function"]]


def test_what_was_answered_for_is_in_the_journal_of_a_killed_emulator(tmp_path: Path) -> None:
    """One kill for all senders: the last is answered when it comes, and the others were before."""
    folder = tmp_path / "state"
    stack = start_stack(folder, SERVICES=SERVICES)
    try:
        sqs = stack.client("sqs")
        queue = arn_of(sqs, sqs.create_queue(QueueName="q")["QueueUrl"])
        name = stack.create(SLOW, Timeout=60)
        function = f"arn:aws:lambda:us-east-1:000000000000:function:{name}"
        permit(stack.client, queue, function)

        texts = [send(stack, queue, function) for send in SENDERS]
        running = engine(stack)
        os.kill(stack.process.pid, signal.SIGKILL)
        stack.process.wait(30)
        eventually(lambda: not alive(running))
    finally:
        if stack.process.poll() is None:
            stack.stop()

    found = {
        (texts.index(text), target)
        for row in rows(folder)
        for text in texts
        if text in str(row["payload"]) and row["state"] in ("pending", "done")
        for target in targets(row, queue, function)
    }
    assert found == {(n, target) for n in range(len(texts)) for target in (queue, function)}


def test_without_a_journal_a_sender_is_told_so(tmp_path: Path) -> None:
    """The engine ends and cannot be started: nothing is accepted that only memory would have."""
    stack = start_stack(tmp_path / "state", SERVICES=SERVICES)
    try:
        function = f"arn:aws:lambda:us-east-1:000000000000:function:{stack.create(PRINTS)}"
        permit(stack.client, function)
        senders = ready_to_send(stack, function)
        (journal,) = stack.folder.rglob("journal.sqlite")
        kept = journal.parent.with_name("kept")
        running = engine(stack)
        running.suspend()  # so that no other one is started before the folder is away
        journal.parent.rename(kept)
        journal.parent.write_text("no folder")
        kill(running)

        for send in senders:
            with pytest.raises(ClientError) as refused:
                send()
            answer: Any = refused.value.response
            assert answer["ResponseMetadata"]["HTTPStatusCode"] == 500, answer
            assert "Not delivered" in answer["Error"]["Message"], answer

        journal.parent.unlink()
        kept.rename(journal.parent)
        engine(stack)
        for send in senders:
            send()
        journal_of = Journal(f"http://127.0.0.1:{stack.port}")

        def all_handled() -> bool:
            """Also what was refused: its delivery is tried on."""
            done = journal_of.find(function=function, state="done", kind="asynchronous invocation")
            assert len(done) == 2 * 3, done
            messages = journal_of.find(kind="message")
            assert len(messages) == 2, messages
            return True

        eventually(all_handled)
    finally:
        stack.stop()


def ready_to_send(stack: Stack, function: str) -> list[Callable[[], Any]]:
    """What uploads, publishes and puts an event of which a function is told."""
    s3, sns, events, sqs = (stack.client(name) for name in ("s3", "sns", "events", "sqs"))
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    topic = sns.create_topic(Name="t")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=function)
    events.put_rule(Name="r", EventPattern=json.dumps({"source": ["s"]}))
    events.put_targets(Rule="r", Targets=[{"Id": "1", "Arn": function}])
    s3.create_bucket(Bucket="uploads")
    told = {"LambdaFunctionArn": function, "Events": ["s3:ObjectCreated:*"]}
    s3.put_bucket_notification_configuration(
        Bucket="uploads", NotificationConfiguration={"LambdaFunctionConfigurations": [told]}
    )
    entry = {"Source": "s", "DetailType": "t", "Detail": "{}"}
    return [
        lambda: s3.put_object(Bucket="uploads", Key="k", Body=b"x"),
        lambda: sqs.send_message(QueueUrl=url, MessageBody="m"),
        lambda: sns.publish(TopicArn=topic, Message="m"),
        lambda: events.put_events(Entries=[entry]),
    ]
