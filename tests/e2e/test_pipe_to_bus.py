"""Pipes: Kinesis `brand-usage` → bus → queue → mail; failures and the way back; tables."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.e2e.running import bootstrap
from tests.support.waiting import eventually


def use(brand_id: str, **more: Any) -> dict[str, Any]:
    return {"brandId": brand_id, "notifyEmail": f"{brand_id}@acme.example", **more}


def put(aws: Callable[[str], Any], stream: str, *records: Any) -> list[str]:
    """Put records in one request; their sequence numbers."""
    entries = [{"Data": json.dumps(one).encode(), "PartitionKey": "k"} for one in records]
    answer = aws("kinesis").put_records(StreamName=stream, Records=entries)
    assert answer["FailedRecordCount"] == 0
    return [one["SequenceNumber"] for one in answer["Records"]]


@pytest.fixture
def pipe(aws, cleanup, role) -> Callable[..., str]:
    """Makes a pipe that is gone afterwards; returns its name."""

    def make(source: str, target: str, **settings: Any) -> str:
        pipes, name = aws("pipes"), f"t-{uuid.uuid4().hex[:10]}"
        settings["RoleArn"] = role("pipes")
        pipes.create_pipe(Name=name, Source=source, Target=target, **settings)
        cleanup.callback(pipes.delete_pipe, Name=name)

        def runs() -> bool:
            found = pipes.describe_pipe(Name=name)
            assert found["CurrentState"] == "RUNNING", found
            return True

        eventually(runs)
        return name

    return make


@pytest.fixture
def queue(aws, cleanup) -> Callable[[], tuple[str, str]]:
    """Makes a queue; returns its URL and ARN."""

    def make() -> tuple[str, str]:
        sqs = aws("sqs")
        url = sqs.create_queue(QueueName=f"t-{uuid.uuid4().hex[:10]}")["QueueUrl"]
        cleanup.callback(sqs.delete_queue, QueueUrl=url)
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return url, attributes["Attributes"]["QueueArn"]

    return make


def received(aws: Callable[[str], Any], url: str, count: int) -> list[str]:
    """The bodies of the next messages, which are deleted."""
    sqs, bodies = aws("sqs"), []

    def all_there() -> bool:
        for one in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            bodies.append(one["Body"])
            sqs.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
        assert len(bodies) >= count, bodies
        return True

    eventually(all_there)
    return bodies


def test_a_limit_that_is_reached_becomes_one_event_and_one_mail(aws, mails, bus_events, brand_id):
    events = bus_events(brand_id)
    moment = datetime.now(UTC).replace(microsecond=0)
    at = moment.isoformat().replace("+00:00", "Z")

    put(
        aws,
        "brand-usage",
        use(brand_id),
        use(brand_id, limitReached=True, reachedAt=at),
        use(brand_id, limitReached=False),
    )

    (mail,) = eventually(lambda: mails(f"{brand_id}@acme.example"))
    assert mail["Subject"] == f"BrandLimitReached: {brand_id}"
    (event,) = eventually(events)
    assert (event["source"], event["detail-type"]) == ("brand-platform", "BrandLimitReached")
    assert event["time"] == at
    assert event["detail"] == use(brand_id)


def test_a_limit_without_a_time_ends_in_usage_limits_dlq_and_its_neighbours_are_told(
    aws, mails, dead_letters, journal, brand_id
):
    at = datetime.now(UTC).isoformat()
    good = use(brand_id, limitReached=True, reachedAt=at)
    _, bad, _ = put(aws, "brand-usage", good, use(brand_id, limitReached=True), good)

    letter = dead_letters("usage-limits-dlq", bad)

    document = json.loads(letter["Body"])
    assert document["context"]["partnerResourceArn"].endswith(":pipe/brand-usage-limits")
    assert document["context"]["condition"] == "RetryAttemptsExhausted"
    batch = document["KinesisBatchInfo"]
    assert batch["startSequenceNumber"] == batch["endSequenceNumber"] == bad

    def told() -> bool:
        found = mails(f"{brand_id}@acme.example")
        assert len(found) >= 2, found  # a batch that is partly delivered comes again
        return True

    eventually(told)
    given_up = journal.find(state="destination", text=bad, kind="stream records")
    assert [one["place"].rpartition(":")[2] for one in given_up] == ["usage-limits-dlq"]


@pytest.mark.long
def test_a_dead_letter_of_a_pipe_comes_back_when_its_target_is_there(aws, cleanup, pipe, queue):
    kinesis, name = aws("kinesis"), f"t-{uuid.uuid4().hex[:10]}"
    kinesis.create_stream(StreamName=name, ShardCount=1)
    cleanup.callback(kinesis.delete_stream, StreamName=name)
    stream = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
    letters, letters_arn = queue()
    put(aws, name, {"n": 1}, {"n": 2})
    own = {
        "StartingPosition": "TRIM_HORIZON",
        "MaximumRetryAttempts": 0,
        "DeadLetterConfig": {"Arn": letters_arn},
    }
    pipe(
        stream["StreamARN"],
        f"arn:aws:sqs:us-east-1:000000000000:{name}",
        SourceParameters={"KinesisStreamParameters": own},
        TargetParameters={"InputTemplate": "<$.data.n>"},
    )

    def waiting() -> bool:
        names = ["ApproximateNumberOfMessages"]
        found = aws("sqs").get_queue_attributes(QueueUrl=letters, AttributeNames=names)
        return bool(found["Attributes"][names[0]] == "1")

    eventually(waiting)
    early = bootstrap("redrive", letters.rpartition("/")[2])
    assert early.returncode == 1, early.stdout + early.stderr
    assert "the pipe failed again" in early.stdout + early.stderr
    eventually(waiting)
    url = aws("sqs").create_queue(QueueName=name)["QueueUrl"]
    cleanup.callback(aws("sqs").delete_queue, QueueUrl=url)

    done = bootstrap("redrive", letters.rpartition("/")[2])

    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(received(aws, url, 2)) == ["1", "2"]
    assert not waiting()


def test_changes_of_a_table_come_through_a_pipe_in_order(aws, cleanup, pipe, queue):
    dynamodb, table = aws("dynamodb"), f"t-{uuid.uuid4().hex[:10]}"
    stream = dynamodb.create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )["TableDescription"]["LatestStreamArn"]
    cleanup.callback(dynamodb.delete_table, TableName=table)
    url, arn = queue()
    filters = {"Filters": [{"Pattern": '{"eventName": ["INSERT"]}'}]}
    own = {"StartingPosition": "TRIM_HORIZON"}
    pipe(
        stream,
        arn,
        SourceParameters={"DynamoDBStreamParameters": own, "FilterCriteria": filters},
        TargetParameters={"InputTemplate": "<$.dynamodb.NewImage.id.S>"},
    )

    dynamodb.put_item(TableName=table, Item={"id": {"S": "one"}})
    dynamodb.put_item(TableName=table, Item={"id": {"S": "one"}, "more": {"N": "1"}})
    dynamodb.put_item(TableName=table, Item={"id": {"S": "two"}})

    assert received(aws, url, 2) == ['"one"', '"two"']


def test_a_pipe_is_fired_by_hand(mails, brand_id):
    record = use(brand_id, limitReached=True, reachedAt="2026-01-31T12:00:00Z")

    fired = bootstrap("fire-pipe", "brand-usage-limits", "--body", json.dumps(record))

    assert fired.returncode == 0, fired.stdout + fired.stderr
    assert "put into" in fired.stdout
    eventually(lambda: mails(f"{brand_id}@acme.example"))
    unknown = bootstrap("fire-pipe", "nobody")
    assert unknown.returncode == 2
    assert "no such pipe" in unknown.stderr


def test_status_shows_the_pipe():
    shown = bootstrap("status")

    assert shown.returncode == 0, shown.stderr
    (line,) = [one for one in shown.stdout.splitlines() if one.startswith("brand-usage-limits")]
    assert line.split()[-1] == "RUNNING", line
