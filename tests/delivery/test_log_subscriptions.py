"""Log events on their way to the functions and streams that subscribe to a log group."""

from __future__ import annotations

import contextlib
import gzip
import json
import secrets
import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.delivery.conftest import arn_of
from tests.engine.lambda_stack import Stack
from tests.support.journal import Journal
from tests.support.waiting import eventually

ROLE = "arn:aws:iam::000000000000:role/logs"
#: Prints what came; fails for what says so. Its own lines never match the tests' patterns.
SHOW = """
import base64, gzip, json

def handler(event, context):
    document = json.loads(gzip.decompress(base64.b64decode(event["awslogs"]["data"])))
    print(json.dumps({"got": document}))
    if any("poison" in one["message"] for one in document["logEvents"]):
        raise ValueError("no")
"""


class Group:
    """A log group of the test's own, and what subscribes to it."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.logs = stack.client("logs")
        self.name = f"/test/{secrets.token_hex(6)}"
        self.logs.create_log_group(logGroupName=self.name)

    @property
    def arn(self) -> str:
        return f"arn:aws:logs:us-east-1:000000000000:log-group:{self.name}"

    def write(self, *messages: str, stream: str = "s") -> None:
        """Write events in one request."""
        with contextlib.suppress(self.logs.exceptions.ResourceAlreadyExistsException):
            self.logs.create_log_stream(logGroupName=self.name, logStreamName=stream)
        now = int(time.time() * 1000)
        events = [{"timestamp": now, "message": one} for one in messages]
        self.logs.put_log_events(logGroupName=self.name, logStreamName=stream, logEvents=events)

    def function(self, *, allowed: bool = True, **config: Any) -> str:
        """ARN of a function that shows what it gets."""
        name = self.stack.create(SHOW, **config)
        functions = self.stack.client("lambda")
        if allowed:
            functions.add_permission(
                FunctionName=name,
                StatementId="logs",
                Action="lambda:InvokeFunction",
                Principal="logs.amazonaws.com",
                SourceArn=f"{self.arn}:*",
            )
        found = functions.get_function(FunctionName=name)["Configuration"]
        return str(found["FunctionArn"])

    def subscribe(self, arn: str, pattern: str = "", name: str = "f", **more: Any) -> None:
        self.logs.put_subscription_filter(
            logGroupName=self.name,
            filterName=name,
            filterPattern=pattern,
            destinationArn=arn,
            **more,
        )

    def documents(self, function: str) -> list[dict[str, Any]]:
        """What a function got, in the order of its log."""
        found = []
        for event in self.stack.log_events(function.rpartition(":")[2]):
            with contextlib.suppress(ValueError, KeyError, TypeError):
                found.append(json.loads(event["message"])["got"])
        return found

    def wait_for(self, function: str, *messages: str) -> list[dict[str, Any]]:
        """Wait until a function has seen these messages, in any order and each once or more."""

        def seen() -> bool:
            documents = self.documents(function)
            found = {one["message"].strip() for each in documents for one in each["logEvents"]}
            assert found == set(messages), found
            return True

        eventually(seen)
        return self.documents(function)


@pytest.fixture
def group(stack: Stack) -> Iterator[Group]:
    one = Group(stack)
    yield one
    one.logs.delete_log_group(logGroupName=one.name)


def test_matching_events_arrive_as_aws_documents_them(group: Group, journal: Journal) -> None:
    function = group.function()
    group.subscribe(function, '{ $.level = "ERROR" && $.code >= 500 }')
    bad = json.dumps({"level": "ERROR", "code": 503})

    group.write('{"level": "INFO", "code": 503}', bad, "ERROR 503")

    (document,) = group.wait_for(function, bad)
    assert document["messageType"] == "DATA_MESSAGE"
    assert document["owner"] == "000000000000"
    assert (document["logGroup"], document["logStream"]) == (group.name, "s")
    assert document["subscriptionFilters"] == ["f"]
    (event,) = document["logEvents"]
    assert set(event) == {"id", "timestamp", "message"}
    assert (len(event["id"]), isinstance(event["timestamp"], int)) == (56, True)
    (row,) = journal.find(source=group.name)
    assert (row["function"], row["source"]) == (function, group.arn)
    journal.ends(row["id"])


def test_two_filters_do_not_disturb_each_other(group: Group) -> None:
    errors, rest = group.function(), group.function()
    group.subscribe(errors, "ERROR", "errors")
    group.subscribe(rest, "-ERROR", "rest")

    group.write("ERROR 1", "fine 1", "ERROR 2", "fine 2")

    group.wait_for(errors, "ERROR 1", "ERROR 2")
    group.wait_for(rest, "fine 1", "fine 2")


def test_a_stream_keeps_its_order(group: Group) -> None:
    function = group.function()
    group.stack.client("lambda").put_function_concurrency(
        FunctionName=function, ReservedConcurrentExecutions=1
    )
    group.subscribe(function)

    for number in range(20):
        group.write(f"{number} a", f"{number} b")

    documents = group.wait_for(
        function, *[f"{number} {letter}" for number in range(20) for letter in "ab"]
    )
    assert len(documents) == 20
    assert all(
        [one["message"][-1] for one in document["logEvents"]] == ["a", "b"]
        for document in documents
    )


def test_an_invocation_that_fails_ends_at_the_on_failure_destination(
    group: Group, journal: Journal
) -> None:
    function = group.function()
    sqs = group.stack.client("sqs")
    url = sqs.create_queue(QueueName=f"f-{secrets.token_hex(6)}")["QueueUrl"]
    group.stack.client("lambda").put_function_event_invoke_config(
        FunctionName=function,
        MaximumRetryAttempts=1,
        DestinationConfig={"OnFailure": {"Destination": arn_of(sqs, url)}},
    )
    group.subscribe(function, "poison")

    group.write("poison")

    def letter() -> dict[str, Any] | None:
        for one in sqs.receive_message(QueueUrl=url).get("Messages", []):
            return dict(json.loads(one["Body"]))
        return None

    document = eventually(letter)
    assert document is not None
    assert document["requestContext"]["approximateInvokeCount"] == 2
    assert "awslogs" in document["requestPayload"]

    def ended() -> bool:
        """The journal hears of a letter after its queue has it."""
        (row,) = journal.find(source=group.name)
        assert row["state"] == "destination", row
        return True

    eventually(ended)
    group.wait_for(function, "poison")


def test_a_kinesis_stream_gets_a_control_message_and_then_the_events(group: Group) -> None:
    kinesis, name = group.stack.client("kinesis"), f"s-{secrets.token_hex(6)}"
    kinesis.create_stream(StreamName=name, ShardCount=1)
    arn = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
    group.subscribe(arn["StreamARN"], "ERROR", roleArn=ROLE)

    group.write("ERROR", "fine")

    def records() -> list[dict[str, Any]]:
        shard = kinesis.list_shards(StreamName=name)["Shards"][0]["ShardId"]
        iterator = kinesis.get_shard_iterator(
            StreamName=name, ShardId=shard, ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        found = kinesis.get_records(ShardIterator=iterator)["Records"]
        assert len(found) == 2, found
        return list(found)

    control, data = eventually(records)
    assert json.loads(gzip.decompress(control["Data"]))["messageType"] == "CONTROL_MESSAGE"
    document = json.loads(gzip.decompress(data["Data"]))
    assert [one["message"] for one in document["logEvents"]] == ["ERROR"]
    assert data["PartitionKey"] == "s"


def test_a_filter_needs_the_functions_permission(group: Group) -> None:
    with pytest.raises(ClientError, match="given CloudWatch Logs permission to execute"):
        group.subscribe(group.function(allowed=False))
    with pytest.raises(ClientError, match="given CloudWatch Logs permission to execute"):
        group.subscribe("arn:aws:lambda:us-east-1:000000000000:function:nobody")


def test_a_permission_that_is_taken_away_loses_events_and_says_so(
    group: Group, journal: Journal
) -> None:
    function = group.function()
    group.subscribe(function)
    group.stack.client("lambda").remove_permission(FunctionName=function, StatementId="logs")

    group.write("hello")

    def lost() -> dict[str, Any]:
        found = journal.find(source=group.name, state="lost")
        assert found
        return found[0]

    assert "does not allow logs.amazonaws.com" in eventually(lost)["place"]


def test_a_function_that_is_deleted_discards_events(group: Group, journal: Journal) -> None:
    function = group.function()
    group.subscribe(function)
    group.stack.client("lambda").delete_function(FunctionName=function)

    group.write("hello")

    def discarded() -> dict[str, Any]:
        found = journal.find(source=group.name, state="discarded")
        assert found
        return found[0]

    assert "was deleted" in eventually(discarded)["place"]


def test_filters_are_listed_changed_and_deleted(group: Group) -> None:
    function = group.function()
    group.subscribe(function, "ERROR", "one")
    group.subscribe(function, "WARN", "two")
    with pytest.raises(ClientError, match="LimitExceeded"):
        group.subscribe(function, "", "three")
    group.subscribe(function, "?ERROR ?FATAL", "one")  # a change, of a group with two

    def filters(**more: Any) -> dict[str, Any]:
        found = group.logs.describe_subscription_filters(logGroupName=group.name, **more)
        return {one["filterName"]: one for one in found["subscriptionFilters"]}

    assert filters().keys() == {"one", "two"}
    assert filters(filterNamePrefix="o")["one"]["filterPattern"] == "?ERROR ?FATAL"
    assert filters(limit=1).keys() == {"one"}
    group.logs.delete_subscription_filter(logGroupName=group.name, filterName="two")
    group.write("WARN", "FATAL")

    group.wait_for(function, "FATAL")
    with pytest.raises(ClientError, match="does not exist"):
        group.logs.delete_subscription_filter(logGroupName=group.name, filterName="two")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"filterPattern": "{ $.a }"}, "Invalid filter pattern"),
        ({"filterPattern": "foo-bar"}, "quote it"),
        ({"filterName": "a:b"}, "filterName"),
        ({"destinationArn": "arn:aws:firehose:us-east-1:000000000000:deliverystream/d"},
         "firehose is not part of this stack"),
        ({"destinationArn": "arn:aws:logs:us-east-1:000000000000:destination:d"},
         "Destinations of logs are not part of this stack"),
        ({"roleArn": ROLE}, "cannot be used with roleArn"),
        ({"destinationArn": "arn:aws:kinesis:us-east-1:000000000000:stream/nobody"},
         "without roleArn"),
        ({"destinationArn": "arn:aws:kinesis:us-east-1:000000000000:stream/nobody",
          "roleArn": ROLE}, "Could not deliver test message"),
        ({"logGroupName": "/nobody"}, "log group does not exist"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(group: Group, change: dict[str, Any], sentence: str) -> None:
    request = {
        "logGroupName": group.name,
        "filterName": "f",
        "filterPattern": "",
        "destinationArn": "arn:aws:lambda:us-east-1:000000000000:function:f",
        **change,
    }
    with pytest.raises(ClientError, match=sentence):
        group.logs.put_subscription_filter(**request)


def test_logs_of_a_function_arrive_and_searching_them_uses_the_pattern(group: Group) -> None:
    source = group.stack.create("def handler(event, context): print('ERROR', event['n'])")
    logs = group.logs
    group.name = f"/aws/lambda/{source}"
    with contextlib.suppress(logs.exceptions.ResourceAlreadyExistsException):
        logs.create_log_group(logGroupName=group.name)
    function = group.function()
    group.subscribe(function, "ERROR")

    group.stack.invoke(source, {"n": 1})
    group.stack.invoke(source, {"n": 2})

    documents = group.wait_for(function, "ERROR 1", "ERROR 2")
    assert {one["logGroup"] for one in documents} == {group.name}
    found = logs.filter_log_events(logGroupName=group.name, filterPattern="ERROR")["events"]
    assert [one["message"].strip() for one in found] == ["ERROR 1", "ERROR 2"]
    with pytest.raises(ClientError, match="Invalid filter pattern"):
        logs.filter_log_events(logGroupName=group.name, filterPattern="foo-bar")
    tested = logs.test_metric_filter(filterPattern="[a, b > 1]", logEventMessages=["x 1", "x 2"])
    assert [one["eventNumber"] for one in tested["matches"]] == [2]
