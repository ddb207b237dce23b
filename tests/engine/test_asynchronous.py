"""Asynchronous invocations: attempts, where events come to rest, and the journal's account."""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from tests.engine.lambda_stack import Stack, archive, engine, kill, start_stack
from tests.support.permissions import permit
from tests.support.waiting import eventually

FAIL = "def handler(event, context): raise ValueError(event)"
SUCCEED = "def handler(event, context): return {'got': event}"
type MakeQueue = Callable[[], tuple[str, str]]


class Journal:
    """The journal of a stack, read over HTTP."""

    def __init__(self, stack: Stack) -> None:
        self.url = f"http://127.0.0.1:{stack.port}/_trigger_stack/events"

    def get(self, path: str = "", **filters: Any) -> Any:
        return requests.get(self.url + path, params=filters, timeout=60)

    def event(self, identifier: str) -> dict[str, Any]:
        answer = self.get(f"/{identifier}")
        assert answer.status_code == 200, answer.text
        return next(row for row in answer.json()["events"] if row["id"] == identifier)

    def outcomes(self, identifier: str) -> list[str]:
        rows = self.get(f"/{identifier}").json()["attempts"]
        return [row["outcome"] for row in rows if row["event"] == identifier]

    def steps(self, identifier: str) -> list[str]:
        rows = self.get(f"/{identifier}").json()["steps"]
        return [row["name"] for row in rows if row["event"] == identifier]

    def wait_for(self, identifier: str, state: str, seconds: float = 20) -> dict[str, Any]:
        """The event once it is in a state; fails with its way printed."""

        def reached() -> dict[str, Any]:
            row = self.event(identifier)
            assert row["state"] == state, self.get(f"/{identifier}").json()
            return row

        return eventually(reached, seconds=seconds)


@pytest.fixture
def journal(stack: Stack) -> Journal:
    return Journal(stack)


@pytest.fixture
def broken_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack whose journal a test breaks."""
    stack = start_stack(tmp_path_factory.mktemp("broken") / "state")
    yield stack
    stack.stop()


@pytest.fixture
def queue(stack: Stack) -> Iterator[MakeQueue]:
    """Makes queues; each is its ARN and URL."""
    sqs = stack.client("sqs")
    urls: list[str] = []

    def make() -> tuple[str, str]:
        url = sqs.create_queue(QueueName=f"q-{secrets.token_hex(6)}")["QueueUrl"]
        urls.append(url)
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return attributes["Attributes"]["QueueArn"], url

    yield make
    for url in urls:
        sqs.delete_queue(QueueUrl=url)


def send(stack: Stack, name: str, event: Any) -> str:
    """Invoke asynchronously; the request id."""
    answer = stack.client("lambda").invoke(
        FunctionName=name, InvocationType="Event", Payload=json.dumps(event)
    )
    assert answer["StatusCode"] == 202
    return str(answer["ResponseMetadata"]["RequestId"])


def received(stack: Stack, url: str) -> dict[str, Any]:
    """The one message of a queue."""

    def messages() -> list[dict[str, Any]]:
        answer = stack.client("sqs").receive_message(
            QueueUrl=url, WaitTimeSeconds=1, MessageAttributeNames=["All"], AttributeNames=["All"]
        )
        return list(answer.get("Messages", []))

    (one,) = eventually(messages)
    return one


def configure(stack: Stack, name: str, **config: Any) -> None:
    stack.client("lambda").put_function_event_invoke_config(FunctionName=name, **config)


def reserve(stack: Stack, name: str, concurrency: int) -> None:
    stack.client("lambda").put_function_concurrency(
        FunctionName=name, ReservedConcurrentExecutions=concurrency
    )


def test_a_success_is_one_attempt_and_done(stack: Stack, journal: Journal) -> None:
    name = stack.create(SUCCEED)

    request = send(stack, name, {"n": 1})
    row = journal.wait_for(request, "done")

    assert journal.outcomes(request) == ["success"]
    assert (row["kind"], row["attempts"], row["place"]) == ("asynchronous invocation", 1, "")
    assert json.loads(row["payload"]) == {"n": 1}
    assert row["function"].endswith(name)


def test_a_failure_is_tried_three_times_and_becomes_a_dead_letter(
    stack: Stack, journal: Journal, queue: MakeQueue
) -> None:
    arn, url = queue()
    name = stack.create(FAIL, DeadLetterConfig={"TargetArn": arn})

    request = send(stack, name, {"n": 1})
    row = journal.wait_for(request, "dead-letter")
    letter = received(stack, url)

    assert journal.outcomes(request) == ["function error"] * 3
    assert journal.steps(request) == ["waiting", "waiting", "sent to dead letter", "dead-letter"]
    assert row["place"] == arn
    assert json.loads(letter["Body"]) == {"n": 1}
    attributes = {key: one["StringValue"] for key, one in letter["MessageAttributes"].items()}
    assert attributes == {"RequestID": request, "ErrorCode": "200", "ErrorMessage": "{'n': 1}"}
    assert row["trace"] in letter["Attributes"]["AWSTraceHeader"]


def test_delays_are_once_and_twice_the_base(stack: Stack, journal: Journal) -> None:
    name = stack.create(FAIL)

    request = send(stack, name, 1)
    journal.wait_for(request, "lost")

    rows = journal.get(f"/{request}").json()["steps"]
    waits = [row["detail"] for row in rows if row["name"] == "waiting"]
    assert waits == ["1 s, retry 1 of 2", "2 s, retry 2 of 2"]


def test_destinations_get_awss_documents(stack: Stack, journal: Journal, queue: MakeQueue) -> None:
    (good, good_url), (bad, bad_url) = queue(), queue()
    name = stack.create(
        "def handler(event, context):\n    if event: raise ValueError('no')\n    return [event]\n"
    )
    places = {"OnSuccess": {"Destination": good}, "OnFailure": {"Destination": bad}}
    configure(stack, name, MaximumRetryAttempts=0, DestinationConfig=places)

    first, second = send(stack, name, 0), send(stack, name, 1)
    assert journal.wait_for(first, "done")["place"] == ""
    assert journal.wait_for(second, "destination")["place"] == bad

    document = json.loads(received(stack, good_url)["Body"])
    assert document.pop("timestamp")
    assert document.pop("requestContext") == {
        "requestId": first,
        "functionArn": f"arn:aws:lambda:us-east-1:000000000000:function:{name}:$LATEST",
        "condition": "Success",
        "approximateInvokeCount": 1,
    }
    assert document == {
        "version": "1.0",
        "requestPayload": 0,
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST"},
        "responsePayload": [0],
    }
    document = json.loads(received(stack, bad_url)["Body"])
    assert document["requestContext"]["condition"] == "RetriesExhausted"
    assert document["requestContext"]["approximateInvokeCount"] == 1
    assert document["responseContext"]["functionError"] == "Unhandled"
    assert document["responsePayload"]["errorType"] == "ValueError"


def test_a_function_can_be_a_destination(stack: Stack, journal: Journal) -> None:
    target = stack.create(SUCCEED)
    name = stack.create(SUCCEED)
    arn = f"arn:aws:lambda:us-east-1:000000000000:function:{target}"
    configure(stack, name, DestinationConfig={"OnSuccess": {"Destination": arn}})

    request = send(stack, name, "mine")
    journal.wait_for(request, "done")

    def sent() -> list[Any]:
        return list(journal.get(function=target, state="done").json()["events"])

    (row,) = eventually(sent)
    assert journal.event(row["id"])["cause"] == journal.event(request)["segment"]


def test_a_bucket_can_be_a_destination(stack: Stack, journal: Journal) -> None:
    bucket = f"failures-{secrets.token_hex(6)}"
    s3 = stack.client("s3")
    s3.create_bucket(Bucket=bucket)
    name = stack.create(FAIL)
    place = {"OnFailure": {"Destination": f"arn:aws:s3:::{bucket}"}}
    configure(stack, name, MaximumRetryAttempts=0, DestinationConfig=place)

    request = send(stack, name, 1)
    journal.wait_for(request, "destination")

    (found,) = s3.list_objects_v2(Bucket=bucket)["Contents"]
    assert found["Key"].startswith(f"aws/lambda/async/{name}/")
    document = json.loads(s3.get_object(Bucket=bucket, Key=found["Key"])["Body"].read())
    assert document["requestContext"]["requestId"] == request


def test_zero_reserved_concurrency_sends_the_event_to_the_dead_letter_queue(
    stack: Stack, journal: Journal, queue: MakeQueue
) -> None:
    """LocalStack loses it."""
    arn, url = queue()
    name = stack.create(SUCCEED, DeadLetterConfig={"TargetArn": arn})
    reserve(stack, name, 0)

    request = send(stack, name, {"n": 1})
    journal.wait_for(request, "dead-letter")

    assert journal.outcomes(request) == []
    assert json.loads(received(stack, url)["Body"]) == {"n": 1}


def test_a_throttled_event_waits_and_is_handled(stack: Stack, journal: Journal) -> None:
    code = "import time\ndef handler(event, context):\n    time.sleep(event)\n"
    name = stack.create(code, Timeout=30)
    reserve(stack, name, 1)

    slow = send(stack, name, 1.5)
    quick = [send(stack, name, 0) for _ in range(3)]

    for request in [slow, *quick]:
        journal.wait_for(request, "done", seconds=40)
    outcomes = [outcome for request in quick for outcome in journal.outcomes(request)]
    assert outcomes.count("success") == 3
    assert set(outcomes) == {"success", "throttled"}


def test_an_event_without_a_place_for_failures_is_lost_and_says_so(
    stack: Stack, journal: Journal
) -> None:
    name = stack.create(FAIL)
    configure(stack, name, MaximumRetryAttempts=0)

    request = send(stack, name, {"only": "copy"})
    row = journal.wait_for(request, "lost")

    assert "neither an on-failure destination nor a dead-letter queue" in row["place"]

    def lines() -> list[str]:
        said = stack.log.splitlines()
        return [line for line in said if "EVENT LOST" in line and f"request {request}" in line]

    (line,) = eventually(lines)
    assert '{"only": "copy"}' in line, "the event itself must be in the log"


def test_a_destination_that_is_gone_is_no_silent_loss(stack: Stack, journal: Journal) -> None:
    name = stack.create(FAIL)
    place = {"OnFailure": {"Destination": "arn:aws:sqs:us-east-1:000000000000:deleted"}}
    configure(stack, name, MaximumRetryAttempts=0, DestinationConfig=place)

    request = send(stack, name, 1)

    assert "deleted" in journal.wait_for(request, "lost", seconds=30)["place"]


def test_events_of_a_deleted_function_are_discarded_by_name(stack: Stack, journal: Journal) -> None:
    name = stack.create(FAIL)
    request = send(stack, name, 1)
    eventually(lambda: journal.outcomes(request) == ["function error"])

    stack.client("lambda").delete_function(FunctionName=name)

    assert journal.wait_for(request, "discarded")["place"] == "the function was deleted"


def test_a_retry_runs_the_code_of_now(stack: Stack, journal: Journal) -> None:
    name = stack.create(FAIL)
    request = send(stack, name, 1)
    eventually(lambda: journal.outcomes(request)[:1] == ["function error"])

    stack.client("lambda").update_function_code(
        FunctionName=name, ZipFile=archive({"app.py": SUCCEED})
    )

    journal.wait_for(request, "done")
    assert journal.outcomes(request)[-1] == "success"


@pytest.mark.parametrize("how", ["os._exit(3)", "os.kill(os.getpid(), 9)"])
def test_an_environment_that_dies_is_an_attempt(stack: Stack, journal: Journal, how: str) -> None:
    name = stack.create(f"import os\ndef handler(event, context):\n    {how}\n")

    request = send(stack, name, 1)
    journal.wait_for(request, "lost")

    assert journal.outcomes(request) == ["function error"] * 3


def test_what_a_function_causes_hangs_below_it(stack: Stack, journal: Journal) -> None:
    """boto3 sends the X-Ray header of the invocation by itself."""
    second = stack.create(SUCCEED)
    first = stack.create(
        f"""
        import boto3
        def handler(event, context):
            boto3.client("lambda").invoke(
                FunctionName="{second}", InvocationType="Event", Payload=b"2")
        """
    )

    request = stack.invoke(first, 1).request_id

    def tree() -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = journal.get(f"/{request}").json().get("events", [])
        return rows if len(rows) == 2 else []

    rows = eventually(tree)
    cause = next(row for row in rows if row["id"] == request)
    effect = next(row for row in rows if row["id"] != request)
    assert cause["kind"] == "invocation"
    assert effect["function"].endswith(second)
    assert effect["cause"] == cause["segment"]


def test_a_synchronous_error_is_the_callers(stack: Stack, journal: Journal) -> None:
    name = stack.create(FAIL)

    request = stack.invoke(name, 1).request_id
    eventually(lambda: journal.get(f"/{request}").status_code == 200)
    row = journal.event(request)

    assert (row["state"], row["place"]) == ("done", "the caller has the error")
    assert journal.outcomes(request) == ["function error"]


def test_the_source_of_an_event_is_known(stack: Stack, journal: Journal) -> None:
    bucket = f"source-{secrets.token_hex(6)}"
    name = stack.create(SUCCEED)
    s3 = stack.client("s3")
    s3.create_bucket(Bucket=bucket)
    arn = f"arn:aws:lambda:us-east-1:000000000000:function:{name}"
    permit(stack.client, arn)
    s3.put_bucket_notification_configuration(
        Bucket=bucket,
        NotificationConfiguration={
            "LambdaFunctionConfigurations": [
                {"LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:*"]}
            ]
        },
    )

    s3.put_object(Bucket=bucket, Key="a b.txt", Body=b"x")

    def found() -> list[dict[str, Any]]:
        return list(journal.get(function=name, state="done").json()["events"])

    (row,) = eventually(found)
    assert row["source"] == f"arn:aws:s3:::{bucket}"
    (record,) = json.loads(journal.event(row["id"])["payload"])["Records"]
    assert record["s3"]["object"]["key"] == "a+b.txt"


# --- Reading


def test_filters(stack: Stack, journal: Journal) -> None:
    name, text = stack.create(SUCCEED), secrets.token_hex(8)
    request = send(stack, name, {"text": text})
    other = send(stack, name, {"text": "other"})
    journal.wait_for(request, "done")
    journal.wait_for(other, "done")

    def ids(**filters: str) -> list[str]:
        return [row["id"] for row in journal.get(**filters).json()["events"]]

    assert ids(text=text) == [request]
    assert ids(function=name, state="done") == [other, request]
    assert ids(function=name, limit="1") == [other]
    assert ids(function=name, state="lost") == []
    assert ids(function=name, since="2999-01-01") == []
    assert ids(function=name, source="Invoke") == [other, request]


@pytest.mark.parametrize("filters", [{"nonsense": "1"}, {"limit": "0"}, {"limit": "many"}])
def test_a_filter_that_cannot_be_used_is_refused(journal: Journal, filters: dict[str, str]) -> None:
    answer = journal.get(**filters)

    assert answer.status_code == 400
    assert next(iter(filters)) in answer.json()["message"]


def test_an_unknown_event_is_404(journal: Journal) -> None:
    assert journal.get("/unknown").status_code == 404


def test_a_query_answers_what_no_filter_foresaw(stack: Stack, journal: Journal) -> None:
    name = stack.create(SUCCEED)
    request = send(stack, name, 1)
    journal.wait_for(request, "done")
    sql = f"SELECT count(*) AS n FROM attempts WHERE event = '{request}' AND outcome = 'success'"

    answer = requests.post(f"{journal.url}/query", json={"sql": sql}, timeout=60)

    assert answer.json() == {"rows": [{"n": 1}]}


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM event",
        "UPDATE event SET state = 'done'",
        "DROP TABLE event",
        "INSERT INTO step VALUES ('a', 1, 'b', 'c')",
        "ATTACH '/tmp/other' AS other; SELECT 1",
        "PRAGMA query_only = OFF; DELETE FROM event",
        "SELECT nothing FROM nowhere",
        "nonsense",
    ],
)
def test_a_query_cannot_change_the_journal(journal: Journal, sql: str) -> None:
    answer = requests.post(f"{journal.url}/query", json={"sql": sql}, timeout=60)

    assert answer.status_code == 400, answer.text
    assert answer.json()["message"]


def test_one_query_cannot_open_the_journal_for_the_next(stack: Stack, journal: Journal) -> None:
    name = stack.create(SUCCEED)
    request = send(stack, name, 1)
    journal.wait_for(request, "done")
    for sql in ("PRAGMA query_only = OFF", "DELETE FROM event", "DELETE FROM call"):
        requests.post(f"{journal.url}/query", json={"sql": sql}, timeout=60)

    assert journal.event(request)["state"] == "done"


# --- When the engine ends, or its file cannot be written


@pytest.mark.xdist_group("crash")
def test_pending_events_survive_the_engine(own_stack: Stack) -> None:
    journal = Journal(own_stack)
    name = own_stack.create(FAIL)
    sent = [send(own_stack, name, number) for number in range(20)]

    kill(engine(own_stack))

    for request in sent:
        journal.wait_for(request, "lost", seconds=60)
        outcomes = journal.outcomes(request)
        assert outcomes.count("function error") in (2, 3), outcomes
        assert len(outcomes) - outcomes.count("interrupted") <= 3, outcomes


def test_what_cannot_be_recorded_is_not_accepted(broken_stack: Stack) -> None:
    """The journal's table is taken away: the caller is told, and nothing is promised."""
    name = broken_stack.create(SUCCEED)
    (file,) = (broken_stack.folder / "tmp").rglob("journal.sqlite")
    with sqlite3.connect(file) as connection:
        connection.execute("DROP VIEW events")
        connection.execute("ALTER TABLE event RENAME TO moved")

    with pytest.raises(ClientError) as refused:
        send(broken_stack, name, 1)

    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    assert "was not accepted" in str(refused.value)
