"""A bucket's notification reaches its function, queue, topic and bus, or is recorded as lost."""

from __future__ import annotations

import json
import secrets
from typing import Any

import pytest
import requests

from tests.delivery.conftest import arn_of
from tests.engine.lambda_stack import Stack, engine, kill
from tests.support.permissions import permit
from tests.support.waiting import eventually

CODE = "def handler(event, context): print(event['Records'][0]['s3']['object']['key'])"


def handled(stack: Stack, name: str) -> list[dict[str, Any]]:
    """The function's events that are done."""
    answer = requests.get(
        f"http://127.0.0.1:{stack.port}/_trigger_stack/events",
        params={"function": name, "state": "done", "limit": "1000"},
        timeout=20,
    )
    return list(answer.json().get("events", []))


@pytest.mark.xdist_group("crash")
def test_notifications_survive_the_engine(own_stack: Stack) -> None:
    """It is killed while objects are uploaded; each upload is one event."""
    bucket, name = f"b-{secrets.token_hex(6)}", own_stack.create(CODE)
    s3, arn = own_stack.client("s3"), f"arn:aws:lambda:us-east-1:000000000000:function:{name}"
    permit(own_stack.client, arn)
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_notification_configuration(
        Bucket=bucket,
        NotificationConfiguration={
            "LambdaFunctionConfigurations": [
                {"LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:*"]}
            ]
        },
    )

    for number in range(60):
        s3.put_object(Bucket=bucket, Key=str(number), Body=b"x")
        if number == 30:
            kill(engine(own_stack))

    def all_handled() -> bool:
        assert (count := len(handled(own_stack, name))) == 60, count
        return True

    eventually(all_handled, seconds=60)


def bodies(stack: Stack, url: str, count: int) -> list[Any]:
    """The bodies of ``count`` messages of a queue, as JSON; takes them."""
    sqs, found = stack.client("sqs"), []

    def all_there() -> bool:
        for one in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            found.append(json.loads(one["Body"]))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
        assert len(found) >= count, found
        return True

    eventually(all_there)
    return found


def test_a_queue_a_topic_and_a_bus_are_told_with_the_key_as_aws_writes_it(stack: Stack) -> None:
    name, key = f"b-{secrets.token_hex(6)}", "in/a b+c ü.txt"
    s3, sqs, sns, events = (stack.client(one) for one in ("s3", "sqs", "sns", "events"))
    urls = [
        sqs.create_queue(QueueName=f"{name}-{one}")["QueueUrl"] for one in ("queue", "topic", "bus")
    ]
    queue, of_topic, of_bus = (arn_of(sqs, url) for url in urls)
    topic = sns.create_topic(Name=name)["TopicArn"]
    permit(stack.client, topic, queue, of_topic, of_bus)
    sns.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=of_topic,
        Attributes={"RawMessageDelivery": "true"},
    )
    pattern = {"source": ["aws.s3"], "detail": {"bucket": {"name": [name]}}}
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=name, Targets=[{"Id": "1", "Arn": of_bus}])
    s3.create_bucket(Bucket=name)

    def of(event: str) -> dict[str, Any]:
        return {"Events": [f"s3:ObjectCreated:{event}"]}

    s3.put_bucket_notification_configuration(
        Bucket=name,
        NotificationConfiguration={
            "QueueConfigurations": [{"QueueArn": queue, **of("Put")}],
            "TopicConfigurations": [{"TopicArn": topic, **of("Copy")}],
            "EventBridgeConfiguration": {},
        },
    )
    s3.put_object(Bucket=name, Key=key, Body=b"x")
    s3.copy_object(
        Bucket=name,
        Key=key,
        CopySource={"Bucket": name, "Key": key},
        MetadataDirective="REPLACE",
    )

    # S3 sends a test event first to each queue and topic that is configured.
    for url in urls[:2]:
        test, event = bodies(stack, url, 2)
        assert test["Event"] == "s3:TestEvent"
        assert event["Records"][0]["s3"]["object"]["key"] == "in/a+b%2Bc+%C3%BC.txt"
    event, copied = bodies(stack, urls[2], 2)
    assert copied["detail"]["reason"] == "CopyObject"
    assert (event["detail-type"], event["detail"]["reason"]) == ("Object Created", "PutObject")
    assert event["detail"]["object"]["key"] == key
    events.remove_targets(Rule=name, Ids=["1"])
    events.delete_rule(Name=name)


def test_a_notification_for_a_queue_that_is_gone_is_lost_and_said_so(stack: Stack) -> None:
    name = f"b-{secrets.token_hex(6)}"
    s3, sqs = stack.client("s3"), stack.client("sqs")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = arn_of(sqs, url)
    permit(stack.client, arn)
    s3.create_bucket(Bucket=name)
    s3.put_bucket_notification_configuration(
        Bucket=name,
        NotificationConfiguration={
            "QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]
        },
    )
    sqs.delete_queue(QueueUrl=url)
    s3.put_object(Bucket=name, Key="a", Body=b"x")

    def lost() -> list[dict[str, Any]]:
        answer = requests.get(
            f"http://127.0.0.1:{stack.port}/_trigger_stack/events",
            params={"state": "lost", "source": name},
            timeout=10,
        )
        return list(answer.json()["events"])

    (row,) = eventually(lost)
    assert row["function"] == arn
    assert "send them through a queue" in row["place"]
