"""What a function's answer means for a mail, and when there is none."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from typing import Any

import pytest

from trigger_stack.delivery.core.invocation import Reply, ThrottledError
from trigger_stack.delivery.mail.delivery import Done, Job
from trigger_stack.delivery.mail.message import Envelope, ReceivedMail
from trigger_stack.delivery.mail.rules import RuleSet, Step
from trigger_stack.localstack.mail import actions

ARN = "arn:aws:lambda:us-east-1:000000000000:function:f"


def ask(monkeypatch: pytest.MonkeyPatch, answer: Any) -> Any:
    """Ask a function that answers with a reply, or raises an error."""

    def invoke(arn: str, event: bytes, source: str, **more: Any) -> Reply:
        assert more["kind"] == "received mail"
        if isinstance(answer, Exception):
            raise answer
        return answer() if callable(answer) else answer

    monkeypatch.setattr(actions, "invoke", invoke)
    return actions._ask(ARN, b"{}", "rule", "Root=1")


@pytest.mark.parametrize(
    ("payload", "disposition"),
    [
        (b"null", ""),
        (b"", ""),
        (b"no json", ""),
        (b"[1]", ""),
        (b'"STOP_RULE"', ""),
        (b'{"disposition": null}', ""),
        (b'{"disposition": "CONTINUE"}', ""),
        (b'{"disposition": "anything"}', ""),
        (b'{"disposition": "STOP_RULE"}', "STOP_RULE"),
        (b'{"disposition": "stop_rule_set"}', "STOP_RULE_SET"),
        (b"[" * 100_000, ""),
    ],
    ids=[f"case-{number}" for number in range(11)],
)
def test_anything_but_a_stop_goes_on(
    monkeypatch: pytest.MonkeyPatch, payload: bytes, disposition: str
) -> None:
    done = ask(monkeypatch, Reply(False, payload))

    assert done.disposition == disposition
    assert not done.keeps


def test_a_function_that_raises_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    error = json.dumps({"errorType": "KeyError", "errorMessage": "'x'", "stackTrace": []})

    with pytest.raises(actions.ActionError, match=r"failed: KeyError: 'x'"):
        ask(monkeypatch, Reply(True, error.encode()))
    with pytest.raises(actions.ActionError, match=r"failed: ?$"):
        ask(monkeypatch, Reply(True, b""))
    with pytest.raises(ThrottledError):
        ask(monkeypatch, ThrottledError("no concurrency left"))


def test_a_function_that_does_not_answer_in_time_has_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert actions._ANSWERS_WITHIN_S == 30
    monkeypatch.setattr(actions, "_ANSWERS_WITHIN_S", 0.05)
    ended = threading.Event()

    def never() -> Reply:
        ended.wait(10)
        return Reply(False, b"null")

    with pytest.raises(actions.ActionError, match="did not answer within"):
        ask(monkeypatch, never)
    ended.set()


def test_an_object_lies_below_the_prefix() -> None:
    assert [
        actions.key_of({"ObjectKeyPrefix": prefix}, "id") for prefix in (None, "", "in", "in/")
    ] == ["id", "id", "in/id", "in/id"]


TOPIC = "arn:aws:sns:us-east-1:000000000000:mails"


def to_topic(
    monkeypatch: pytest.MonkeyPatch, body: bytes, *, header: bytes = b""
) -> tuple[Done, list[dict[str, Any]]]:
    """Take an ``SNS`` action of a mail without a sender: what came of it, and the messages."""
    published: list[dict[str, Any]] = []

    class Topics:
        def publish(self, **arguments: Any) -> None:
            assert len(arguments["Message"].encode()) <= 256 * 1024
            published.append(json.loads(arguments["Message"]))

    monkeypatch.setattr(actions, "_client", lambda *_: Topics())
    envelope = Envelope("", ("in@x.example",))
    mail = ReceivedMail(
        "id",
        "us-east-1",
        envelope,
        b"%sTo: in@x.example\r\n\r\n" % header + body,
        datetime.now(UTC),
    )
    rule_set = RuleSet("000000000000", "us-east-1", "set", (), frozenset({"x.example"}))
    job = Job(mail, rule_set, [], 0.0, "Root=1", b"")
    step = Step("rule", "SNS", {"TopicArn": TOPIC, "Encoding": "UTF-8"}, ("in@x.example",))
    return actions.act(job, step), published


def test_a_mail_of_other_letters_is_published_up_to_its_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = "é" * 75_000  # as JSON escapes it is 450 000 bytes, which no topic takes

    done, (message,) = to_topic(monkeypatch, text.encode())

    assert done.keeps
    assert message["content"].endswith(text)


def test_a_mail_that_no_topic_takes_bounces_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tried again it would be as long, and be lost after four hours."""
    done, published = to_topic(monkeypatch, b"\xff" * 149_000)

    assert done.what.startswith("552 5.3.4 Message length exceeds limit")
    assert published == []


def test_half_a_character_in_a_header_does_not_keep_a_mail_from_its_topic(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done, (message,) = to_topic(monkeypatch, b"x", header=b"Subject: =?utf-7?q?+2AA-?=\r\n")

    assert done.keeps
    assert message["mail"]["commonHeaders"]["subject"] == "?"
