"""What each front door does when a request goes wrong, and how the function's log is found."""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
import requests

from tests.engine.front_doors import (
    DOORS,
    FUNCTION_URL,
    HTTP_API,
    LOAD_BALANCER,
    REST_API,
    Door,
    open_door,
)
from tests.engine.lambda_stack import Stack
from tests.support.journal import Journal
from tests.support.waiting import eventually

CODE = """
import json, time

def handler(event, context):
    query = event["queryStringParameters"] or {}
    mark = query.get("mark", "")
    print(f"began {mark} request={event['requestContext'].get('requestId')}")
    if "fail" in query:
        raise ValueError("the secret of the function")
    time.sleep(float(query.get("sleep", 0)))
    print("finished", mark)
    return {"statusCode": 200, "body": context.aws_request_id}
"""


@dataclass(frozen=True)
class Semantics:
    """What a client gets from one kind of front door.

    Attributes:
        failed: When the function fails.
        too_long: When the door's own time is over; 0: it has none.
        function_too_long: When the function's time is over.
        throttled: When no concurrency is left.
        body: A body that is too large, in bytes.
        request_id: Header with the request's id; empty: there is none.
        is_invocation: Whether that is the invocation's id, too.
    """

    failed: int
    too_long: int
    function_too_long: int
    throttled: int
    body: int
    request_id: str
    is_invocation: bool = False


EXPECTED = {
    HTTP_API: Semantics(500, 503, 500, 500, 5_000_000, "apigw-requestid"),
    REST_API: Semantics(502, 504, 502, 500, 5_000_000, "x-amzn-requestid"),
    FUNCTION_URL: Semantics(502, 0, 502, 429, 5_000_000, "x-amzn-requestid", True),
    LOAD_BALANCER: Semantics(502, 0, 502, 502, 1_048_577, ""),
}


@pytest.fixture(scope="module")
def doors(stack: Stack) -> dict[str, Door]:
    with ThreadPoolExecutor(len(DOORS)) as pool:
        made = pool.map(lambda kind: open_door(stack, kind, CODE), DOORS)
        return dict(zip(DOORS, made, strict=True))


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest, doors: dict[str, Door]) -> Door:
    return doors[request.param]


@pytest.fixture
def expected(door: Door) -> Semantics:
    return EXPECTED[door.kind]


def new_mark() -> str:
    return f"mark-{secrets.token_hex(6)}"


def ask(door: Door, mark: str, more: str = "", **options: object) -> requests.Response:
    return door.call("GET", f"/?mark={mark}{more}", **options)


def runs(stack: Stack, door: Door, mark: str) -> int:
    """How often the function has run for a mark, as soon as its log has a later request."""
    later = new_mark()
    assert ask(door, later).status_code == 200
    lines = stack.messages(door.function, until=f"finished {later}")
    return sum(f"began {mark} " in line for line in lines)


def test_nobody_retries(stack: Stack, door: Door, expected: Semantics) -> None:
    mark = new_mark()

    answer = ask(door, mark, "&fail=1")

    assert answer.status_code == expected.failed
    assert "secret" not in answer.text
    stack.messages(door.function, until=f"began {mark}")
    assert runs(stack, door, mark) == 1
    journal = Journal(f"http://127.0.0.1:{stack.port}")
    rows = journal.find(function=door.function)
    assert rows
    assert all((row["kind"], row["attempts"]) == ("HTTP request", 1) for row in rows)


def test_a_client_that_goes_away_does_not_stop_the_function(stack: Stack, door: Door) -> None:
    mark = new_mark()
    with door.connect() as connection:
        target = f"{door.prefix}/?mark={mark}&sleep=0.5"
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert ask(door, new_mark()).status_code == 200, "others are served meanwhile"

    stack.messages(door.function, until=f"finished {mark}")
    assert runs(stack, door, mark) == 1


def test_the_doors_time_is_over(stack: Stack, door: Door, expected: Semantics) -> None:
    if not expected.too_long:
        assert door.kind in (FUNCTION_URL, LOAD_BALANCER), "only the function's time counts"
        assert ask(door, new_mark(), "&sleep=1").status_code == 200
        return
    short = open_door(stack, door.kind, CODE, lasts_ms=200)
    mark = new_mark()

    answer = ask(short, mark, "&sleep=1")

    assert answer.status_code == expected.too_long
    stack.messages(short.function, until=f"finished {mark}")  # it goes on
    assert runs(stack, short, mark) == 1


def test_the_functions_time_is_over(stack: Stack, door: Door, expected: Semantics) -> None:
    short = open_door(stack, door.kind, CODE, Timeout=1)
    mark = new_mark()

    answer = ask(short, mark, "&sleep=30")

    assert answer.status_code == expected.function_too_long
    stack.messages(short.function, until="Task timed out after 1.00 seconds")
    assert runs(stack, short, mark) == 1


def test_a_throttled_request_is_gone(stack: Stack, door: Door, expected: Semantics) -> None:
    limited = open_door(stack, door.kind, CODE)
    client = stack.client("lambda")
    client.put_function_concurrency(FunctionName=limited.function, ReservedConcurrentExecutions=0)
    mark = new_mark()

    answer = ask(limited, mark)

    assert answer.status_code == expected.throttled
    client.delete_function_concurrency(FunctionName=limited.function)
    assert runs(stack, limited, mark) == 0, "nothing waits until there is concurrency"


def test_a_body_that_is_too_large_reaches_no_function(
    stack: Stack, door: Door, expected: Semantics
) -> None:
    mark = new_mark()

    answer = door.call(
        *("POST", f"/?mark={mark}"),
        data=b"\xff" * expected.body,
        headers={"Content-Type": "image/png"},
    )

    assert answer.status_code == 413
    assert runs(stack, door, mark) == 0


def test_the_log_is_found_by_the_request_id(stack: Stack, door: Door, expected: Semantics) -> None:
    mark = new_mark()

    answer = ask(door, mark)

    if not expected.request_id:
        assert not [name for name in answer.headers if "request" in name.lower()]
        return
    request_id = answer.headers[expected.request_id]
    lines = stack.messages(door.function, until=f"finished {mark}")
    assert any(f"began {mark} request={request_id}" in line for line in lines)
    if expected.is_invocation:
        assert answer.text == request_id
        assert any(line.startswith(f"START RequestId: {request_id}") for line in lines)


@pytest.mark.parametrize("fails", ["", "&fail=1"], ids=["succeeds", "fails"])
def test_the_log_is_found_by_the_trace_id_that_the_client_sent(
    stack: Stack, door: Door, fails: str
) -> None:
    mark, trace = new_mark(), f"1-5759e988-{secrets.token_hex(12)}"

    ask(door, mark, fails, headers={"X-Amzn-Trace-Id": f"Root={trace}"})

    journal = Journal(f"http://127.0.0.1:{stack.port}")

    def traced() -> str:
        found = requests.get(f"http://127.0.0.1:{stack.port}/_trigger_stack/events/{trace}")
        assert found.status_code == 200, found.text
        rows = found.json()["events"]
        assert len(rows) == 1, rows
        row = rows[0]
        return str(row["id"])

    invocation = eventually(traced)
    assert journal.event(invocation)["trace"] == trace
    lines = stack.messages(door.function, until=f"END RequestId: {invocation}")
    assert any(f"began {mark} " in line for line in lines)


def test_a_rest_api_says_which_trace_id_it_made(doors: dict[str, Door]) -> None:
    """A function URL does, too; an HTTP API and a load balancer tell only the function."""
    told = {kind for kind in DOORS if "x-amzn-trace-id" in ask(doors[kind], new_mark()).headers}

    assert told == {REST_API, FUNCTION_URL}
