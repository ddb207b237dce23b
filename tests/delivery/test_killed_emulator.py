"""The whole emulator is killed: what it has answered for is in the journal, mail goes on."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import smtplib
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine.lambda_stack import Stack, alive, engine, start_stack
from tests.support.journal import Journal
from tests.support.ports import free_port
from tests.support.waiting import eventually

SERVICES = "cloudwatch,iam,lambda,logs,s3,ses,sns,sqs,sts"
MAIL = b"From: ann@client.example\r\nTo: in@shop.example\r\nSubject: hello\r\n\r\nbody\r\n"
SLOW = "import time\ndef handler(event, context): time.sleep(30)"


class Runs:
    """Emulators one after the other, with the same folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.smtp = folder, free_port()
        self.stack: Stack | None = None

    def start(self) -> Stack:
        self.stack = start_stack(self.folder, SERVICES=SERVICES, SMTP_PORT=str(self.smtp))
        return self.stack

    def kill(self) -> None:
        assert self.stack
        running = engine(self.stack)
        os.kill(self.stack.process.pid, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            running.send_signal(signal.SIGKILL)
        self.stack.process.wait(30)
        eventually(lambda: not alive(running))

    def rows(self, name: str = "journal") -> list[dict[str, Any]]:
        """The events of a journal that nobody has open."""
        (file,) = self.folder.rglob(f"{name}.sqlite")
        with contextlib.closing(sqlite3.connect(file)) as journal:
            journal.row_factory = sqlite3.Row
            return [dict(row) for row in journal.execute("SELECT * FROM events")]

    def send(self) -> str:
        """Send a mail that is to be accepted; its id."""
        with smtplib.SMTP("127.0.0.1", self.smtp, timeout=60) as smtp:
            smtp.ehlo("client.example")
            smtp.mail("ann@client.example")
            smtp.rcpt("in@shop.example")
            code, text = smtp.data(MAIL)
        assert code == 250, text
        return text.decode().split()[-1]


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Runs]:
    one = Runs(tmp_path / "state")
    yield one
    if one.stack and one.stack.process.poll() is None:
        one.stack.stop()


def make_rule(stack: Stack, bucket: str) -> None:
    """A rule that keeps mails for the shop in a bucket."""
    ses, s3 = stack.client("ses"), stack.client("s3")
    s3.create_bucket(Bucket=bucket)
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "ses.amazonaws.com"},
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    s3.put_bucket_policy(Bucket=bucket, Policy=policy)
    ses.create_receipt_rule_set(RuleSetName="shop")
    ses.verify_domain_identity(Domain="shop.example")
    actions = [{"S3Action": {"BucketName": bucket}}]
    rule = {"Name": "keep", "Enabled": True, "Recipients": ["in@shop.example"], "Actions": actions}
    ses.create_receipt_rule(RuleSetName="shop", Rule=rule)
    ses.set_active_receipt_rule_set(RuleSetName="shop")


def test_an_accepted_mail_is_resumed_by_the_next_emulator(runs: Runs) -> None:
    stack, bucket = runs.start(), f"b-{secrets.token_hex(6)}"
    make_rule(stack, bucket)
    s3 = stack.client("s3")
    for one in s3.list_objects_v2(Bucket=bucket).get("Contents", []):
        s3.delete_object(Bucket=bucket, Key=one["Key"])
    s3.delete_bucket(Bucket=bucket)

    mail = runs.send()
    runs.kill()

    (row,) = [one for one in runs.rows() if one["id"] == mail]
    assert (row["kind"], row["state"]) == ("mail", "pending")

    stack = runs.start()
    journal = Journal(f"http://127.0.0.1:{stack.port}")
    waiting = eventually(lambda: journal.event(mail))
    place = "no active receipt rule set is for it"
    assert (waiting["state"], waiting["place"]) == ("pending", place)
    assert any(one["id"] == mail for one in runs.rows("journal.previous"))

    make_rule(stack, bucket)

    journal.ends(mail)
    kept = stack.client("s3").get_object(Bucket=bucket, Key=mail)["Body"].read()
    assert kept.endswith(b"Subject: hello\r\n\r\nbody\r\n")
    assert [name for name, _ in journal.steps(mail)][:2] == ["accepted", "resumed"]
    eventually(lambda: not list(runs.folder.rglob("*.eml")))  # it comes no third time


def test_what_was_written_to_a_log_is_in_the_journal(runs: Runs) -> None:
    stack = runs.start()
    logs, functions = stack.client("logs"), stack.client("lambda")
    name, group = stack.create(SLOW), f"/test/{secrets.token_hex(6)}"
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    functions.add_permission(
        FunctionName=name,
        StatementId="logs",
        Action="lambda:InvokeFunction",
        Principal="logs.amazonaws.com",
    )
    arn = functions.get_function(FunctionName=name)["Configuration"]["FunctionArn"]
    logs.put_subscription_filter(
        logGroupName=group, filterName="f", filterPattern="ERROR", destinationArn=arn
    )
    line = {"timestamp": int(time.time() * 1000), "message": "ERROR one"}

    logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=[line])
    runs.kill()

    (row,) = [one for one in runs.rows() if one["source"].endswith(f":log-group:{group}")]
    assert (row["state"], row["function"]) == ("pending", arn)
    assert row["kind"] in ("log events of a subscription filter", "asynchronous invocation")
    stack = runs.start()
    assert row["id"] in [one["id"] for one in runs.rows("journal.previous")]
    assert "accepted events of the last run were not handled" in stack.log
