"""Every accepted event has an end, whatever happens to the functions, and the journal has it.

``make soak EVENTS=50000`` runs it with as many events, and has the emulator keep all log events:
what was handled is read from them.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import batched
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from tests.delivery.conftest import arn_of
from tests.engine.lambda_stack import Stack
from tests.support.journal import Journal
from tests.support.permissions import permit
from tests.support.waiting import eventually

EVENTS = int(os.environ.get("SOAK_EVENTS", "600"))
ACCOUNT = "000000000000"
CODE = """
import base64, json, random, re

def handler(event, context):
    text = json.dumps(event)
    for record in event.get("Records", []) if isinstance(event, dict) else []:
        if "kinesis" in record:
            text += base64.b64decode(record["kinesis"]["data"]).decode()
    if random.random() < 0.1:
        raise ValueError("one of ten")
    print("handled", *sorted(set(re.findall(r"m-[0-9a-f]{12}", text))))
"""


class Sources:
    """One function behind every source, and one queue for what it does not handle."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.name = f"soak-{secrets.token_hex(6)}"
        self.function = stack.create(CODE, Timeout=10)
        self.function_arn = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{self.function}"
        self.lambdas, self.sqs = stack.client("lambda"), stack.client("sqs")
        self.dlq_url = self.sqs.create_queue(QueueName=f"{self.name}-dlq")["QueueUrl"]
        self.dlq = arn_of(self.sqs, self.dlq_url)
        permit(stack.client, self.dlq)
        self.lambdas.put_function_event_invoke_config(
            FunctionName=self.function, DestinationConfig={"OnFailure": {"Destination": self.dlq}}
        )
        self.mappings: list[str] = []
        self._queue()
        self._topic()
        self._bucket()
        self._rule()
        self._stream()
        self._table()

    def _allow(self, service: str, source: str) -> None:
        self.lambdas.add_permission(
            FunctionName=self.function,
            StatementId=service,
            Action="lambda:InvokeFunction",
            Principal=f"{service}.amazonaws.com",
            SourceArn=source,
        )

    def _queue(self) -> None:
        policy = {"deadLetterTargetArn": self.dlq, "maxReceiveCount": 3}
        self.queue_url = self.sqs.create_queue(
            QueueName=self.name,
            Attributes={"RedrivePolicy": json.dumps(policy), "VisibilityTimeout": "10"},
        )["QueueUrl"]
        self.queue = arn_of(self.sqs, self.queue_url)
        self._map(EventSourceArn=self.queue, BatchSize=10)

    def _topic(self) -> None:
        self.sns = self.stack.client("sns")
        self.topic = self.sns.create_topic(Name=self.name)["TopicArn"]
        self._allow("sns", self.topic)
        self.sns.subscribe(TopicArn=self.topic, Protocol="lambda", Endpoint=self.function_arn)

    def _bucket(self) -> None:
        self.s3 = self.stack.client("s3")
        self.s3.create_bucket(Bucket=self.name)
        self._allow("s3", f"arn:aws:s3:::{self.name}")
        one = {"LambdaFunctionArn": self.function_arn, "Events": ["s3:ObjectCreated:*"]}
        self.s3.put_bucket_notification_configuration(
            Bucket=self.name,
            NotificationConfiguration={"LambdaFunctionConfigurations": [one]},
        )

    def _rule(self) -> None:
        self.events = self.stack.client("events")
        pattern = json.dumps({"source": [self.name]})
        rule = self.events.put_rule(Name=self.name, EventPattern=pattern)["RuleArn"]
        self._allow("events", rule)
        target = {"Id": "1", "Arn": self.function_arn, "DeadLetterConfig": {"Arn": self.dlq}}
        self.events.put_targets(Rule=self.name, Targets=[target])

    def _stream(self) -> None:
        self.kinesis = self.stack.client("kinesis")
        self.kinesis.create_stream(StreamName=self.name, ShardCount=2)

        def active() -> str:
            found = self.kinesis.describe_stream_summary(StreamName=self.name)
            summary = found["StreamDescriptionSummary"]
            assert summary["StreamStatus"] == "ACTIVE"
            return str(summary["StreamARN"])

        self._map_stream(eventually(active))

    def _table(self) -> None:
        self.dynamodb = self.stack.client("dynamodb")
        self.dynamodb.create_table(
            TableName=self.name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        )

        def active() -> str:
            table = self.dynamodb.describe_table(TableName=self.name)["Table"]
            assert table["TableStatus"] == "ACTIVE"
            return str(table["LatestStreamArn"])

        self._map_stream(eventually(active))

    def _map_stream(self, arn: str) -> None:
        self._map(
            EventSourceArn=arn,
            StartingPosition="TRIM_HORIZON",
            BatchSize=10,
            MaximumRetryAttempts=2,
            BisectBatchOnFunctionError=True,
            DestinationConfig={"OnFailure": {"Destination": self.dlq}},
        )

    def _map(self, **settings: Any) -> None:
        mapping = self.lambdas.create_event_source_mapping(FunctionName=self.function, **settings)
        self.mappings.append(mapping["UUID"])

        def enabled() -> bool:
            found = self.lambdas.get_event_source_mapping(UUID=mapping["UUID"])
            assert found["State"] == "Enabled", found["State"]
            return True

        eventually(enabled)

    def send(self, number: int, markers: Sequence[str]) -> None:
        """Have a source accept at most ten markers, in one request where it takes them."""
        bodies = [json.dumps({"marker": marker}) for marker in markers]
        numbered = list(zip(map(str, range(len(markers))), bodies, strict=True))
        senders: list[Callable[[], Any]] = [
            lambda: [self._invoke(body) for body in bodies],
            lambda: self.sqs.send_message_batch(
                QueueUrl=self.queue_url,
                Entries=[{"Id": i, "MessageBody": body} for i, body in numbered],
            ),
            lambda: self.sns.publish_batch(
                TopicArn=self.topic,
                PublishBatchRequestEntries=[{"Id": i, "Message": body} for i, body in numbered],
            ),
            lambda: [self.s3.put_object(Bucket=self.name, Key=m, Body=b"") for m in markers],
            lambda: self.events.put_events(
                Entries=[
                    {"Source": self.name, "DetailType": "t", "Detail": body} for body in bodies
                ]
            ),
            lambda: self.kinesis.put_records(
                StreamName=self.name,
                Records=[
                    {"Data": body.encode(), "PartitionKey": m}
                    for m, body in zip(markers, bodies, strict=True)
                ],
            ),
            lambda: self.dynamodb.batch_write_item(
                RequestItems={
                    self.name: [{"PutRequest": {"Item": {"id": {"S": m}}}} for m in markers]
                }
            ),
        ]
        answer = senders[number % len(senders)]()
        if isinstance(answer, dict):
            assert not answer.get("Failed"), answer
            assert not answer.get("FailedEntryCount"), answer
            assert not answer.get("FailedRecordCount"), answer
            assert not answer.get("UnprocessedItems"), answer

    def _invoke(self, body: str) -> None:
        self.lambdas.invoke(FunctionName=self.function, InvocationType="Event", Payload=body)

    def close(self) -> None:
        for uuid in self.mappings:
            with contextlib.suppress(ClientError):
                self.lambdas.delete_event_source_mapping(UUID=uuid)
        with contextlib.suppress(ClientError):  # it may not have come so far
            self.stack.client("dynamodb").delete_table(TableName=self.name)


@pytest.fixture
def sources(stack: Stack) -> Iterator[Sources]:
    made = Sources(stack)
    yield made
    made.close()


@pytest.fixture
def faults(stack: Stack, sources: Sources) -> Iterator[None]:
    """One of ten invocations fails unrun, one of twenty environments ends, one of ten is twice."""
    url = f"http://127.0.0.1:{stack.port}/_trigger_stack/chaos"
    wanted = {"function": sources.function, "errors": 0.1, "kills": 0.05, "duplicates": 0.1}
    answer = requests.put(url, json=wanted, timeout=60)
    assert answer.status_code == 200, answer.text
    assert requests.get(url, timeout=60).json() == {**wanted, "delay_ms": 0}
    yield
    assert requests.put(url, json={}, timeout=60).status_code == 200


def rows(stack: Stack, sql: str) -> list[dict[str, Any]]:
    url = f"http://127.0.0.1:{stack.port}/_trigger_stack/events/query"
    answer = requests.post(url, json={"sql": sql}, timeout=60)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["rows"]
    return found


def markers(payload: str) -> set[str]:
    """The markers of an event; records of Kinesis are in Base64."""
    found = set(re.findall(r"m-[0-9a-f]{12}", payload))
    for data in re.findall(r'"data": ?"([A-Za-z0-9+/=]+)"', payload):
        found |= set(re.findall(r"m-[0-9a-f]{12}", base64.b64decode(data).decode()))
    return found


@pytest.mark.usefixtures("faults")
def test_every_event_has_one_end_under_faults(
    stack: Stack, sources: Sources, journal: Journal
) -> None:
    sent = [f"m-{secrets.token_hex(6)}" for _ in range(EVENTS)]
    batches = list(batched(sent, 10))
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(sources.send, range(len(batches)), batches))
    ours = f"(function LIKE '%{sources.function}%' OR source = '{sources.queue}')"

    def settled() -> bool:
        waiting = rows(
            stack,
            f"SELECT kind, count(*) AS n FROM events WHERE state = 'pending' AND {ours}"
            " GROUP BY kind",
        )
        assert not waiting, waiting
        return True

    def handled() -> set[str]:
        lines = [event["message"] for event in stack.log_events(sources.function)]
        return set().union(*(markers(line) for line in lines if line.startswith("handled")))

    def resting() -> set[str]:
        found = rows(
            stack,
            "SELECT payload FROM events WHERE state IN ('dead-letter', 'destination')"
            f" AND {ours} LIMIT 1000",
        )
        return set().union(*(markers(row["payload"]) for row in found))

    def way_of(marker: str) -> str:
        encoded = base64.b64encode(json.dumps({"marker": marker}).encode()).decode()
        condition = f"payload LIKE '%{marker}%' OR payload LIKE '%{encoded}%'"
        found = rows(stack, f"SELECT id, kind, state FROM events WHERE {condition}")
        return marker + "".join(f"\n{row}{journal.way(row['id'])}" for row in found)

    def accounted() -> bool:
        settled()
        missing = set(sent) - handled() - resting()
        assert not missing, (len(missing), [way_of(marker) for marker in sorted(missing)[:3]])
        return True

    eventually(accounted, seconds=90 + EVENTS / 50, every=1)
    states = {row["state"] for row in rows(stack, f"SELECT state FROM events WHERE {ours}")}
    assert states <= {"done", "dead-letter", "destination"}
    given_up = rows(
        stack,
        "SELECT count(*) AS n FROM events WHERE state IN ('dead-letter', 'destination')"
        f" AND place = '{sources.dlq}'",
    )
    names = ["ApproximateNumberOfMessages"]
    found = sources.sqs.get_queue_attributes(QueueUrl=sources.dlq_url, AttributeNames=names)
    in_queue = int(found["Attributes"]["ApproximateNumberOfMessages"])
    assert in_queue == given_up[0]["n"], "the journal and the queue agree"
