"""The Runtime API's state machine: every order of requests, every body."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from trigger_stack_engine.environments.http import Request
from trigger_stack_engine.environments.runtime_api import (
    ACCEPTED,
    PREFIX,
    Event,
    RuntimeApi,
    State,
)
from trigger_stack_engine.environments.zygote import runtime_client

EVENT = Event("id-1", b"{}", "arn:aws:lambda:us-east-1:000000000000:function:f", 1)


def status(reply: bytes | None) -> int:
    assert reply is not None
    return int(reply.split(b" ", 2)[1])


def ask(
    api: RuntimeApi, method: str, route: str, body: bytes = b"", **headers: str
) -> bytes | None:
    return api.handle(Request(method, PREFIX + route, headers, body))


def test_next_waits_and_a_response_is_accepted_once() -> None:
    api = RuntimeApi()

    assert ask(api, "GET", "invocation/next") is None
    assert b"Lambda-Runtime-Aws-Request-Id: id-1" in api.dispatch(EVENT)
    assert status(ask(api, "GET", "invocation/next")) == 403
    assert status(ask(api, "POST", "invocation/other/response", b"1")) == 400
    assert api.answer is None
    assert status(ask(api, "POST", "invocation/id-1/response", b"1")) == 202
    assert api.answer is not None
    assert status(ask(api, "POST", "invocation/id-1/response", b"2")) == 403
    assert api.answer.payload == b"1"
    assert ask(api, "GET", "invocation/next") is None


def test_a_header_cannot_be_smuggled_in() -> None:
    api = RuntimeApi()
    ask(api, "GET", "invocation/next")

    reply = api.dispatch(Event("id", b"", "arn", 1, trace_id="a\r\nX-Evil: 1"))

    assert b"\r\nX-Evil" not in reply


OWN_NEXT = b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: runtime\r\n\r\n"


def own_answer(
    body: bytes, request_id: str = "id-1", content_type: str = "application/json"
) -> bytes:
    """What ``RuntimeClient`` sends after an event."""
    head = (
        f"POST /2018-06-01/runtime/invocation/{request_id}/response HTTP/1.1\r\nHost: runtime\r\n"
        f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def test_a_result_with_the_question_for_the_next_event_is_taken_at_once() -> None:
    api = RuntimeApi()
    assert not api.take_answer(own_answer(b"1") + OWN_NEXT), "there is no event"
    ask(api, "GET", "invocation/next")
    api.dispatch(EVENT)

    for other in (
        own_answer(b"1"),
        own_answer(b"1") + OWN_NEXT[:-1],
        own_answer(b"1") + OWN_NEXT * 2,
        own_answer(b"1", "other") + OWN_NEXT,
        own_answer(b"1", content_type="application/unknown") + OWN_NEXT,
        own_answer(bytes(6 * 1024 * 1024 + 101)) + OWN_NEXT,
        OWN_NEXT,
    ):
        assert not api.take_answer(other)
        assert (api.state, api.answer) == (State.RUNNING, None)

    assert api.take_answer(own_answer(b'{"a": 1}') + OWN_NEXT)
    assert api.answer is not None
    assert (api.state, api.answer.payload, api.answer.is_error) == (State.READY, b'{"a": 1}', False)
    assert not api.take_answer(own_answer(b"2") + OWN_NEXT), "it is answered already"


def test_a_response_that_is_too_large() -> None:
    api = RuntimeApi()
    ask(api, "GET", "invocation/next")
    api.dispatch(EVENT)

    reply = api.handle(
        Request("POST", f"{PREFIX}invocation/id-1/response", {}, b"", too_large=True)
    )

    assert status(reply) == 413
    assert api.answer is not None
    assert json.loads(api.answer.payload)["errorType"] == "Function.ResponseSizeTooLarge"


@given(st.binary(max_size=200))
def test_an_error_reaches_the_caller_as_json(body: bytes) -> None:
    api = RuntimeApi()
    ask(api, "GET", "invocation/next")
    api.dispatch(EVENT)

    assert status(ask(api, "POST", "invocation/id-1/error", body)) == 202
    assert api.answer is not None
    assert isinstance(json.loads(api.answer.payload), dict)


class AnyOrder(RuleBasedStateMachine):
    """Whatever a runtime asks in whatever order, it is answered and no answer is overwritten."""

    def __init__(self) -> None:
        super().__init__()
        self.api = RuntimeApi()
        self.first: bytes | None = None

    @rule(
        method=st.sampled_from(["GET", "POST", "PUT", "DELETE"]),
        route=st.sampled_from(
            [
                "invocation/next", "invocation/id-1/response", "invocation/id-1/error",
                "invocation/x/response", "init/error", "restore/next", "",
                "invocation//error", "..",
            ]
        ),
        body=st.binary(max_size=20),
        large=st.booleans(),
    )  # fmt: skip
    def ask(self, method: str, route: str, body: bytes, large: bool) -> None:
        reply = self.api.handle(Request(method, PREFIX + route, {}, body, too_large=large))
        if reply is None:
            assert (method, route) == ("GET", "invocation/next")
        else:
            assert status(reply) in (202, 400, 403, 404, 405, 413)

    @rule()
    def dispatch(self) -> None:
        if self.api.state is State.READY:
            self.api.dispatch(EVENT)
            self.first = None

    @invariant()
    def one_answer(self) -> None:
        if self.api.answer is not None:
            self.first = self.first or self.api.answer.payload
            assert self.api.answer.payload == self.first


TestAnyOrder = AnyOrder.TestCase


def test_our_own_client_knows_what_a_report_that_is_taken_is_answered_with() -> None:
    assert runtime_client._TAKEN == ACCEPTED
