"""What a function's answer means for a mail, and when there is none."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from trigger_stack.delivery.core.invocation import Reply, ThrottledError
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
