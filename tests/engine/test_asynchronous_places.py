"""Places for what comes of asynchronous invocations: what fits, is counted, and is refused."""

from __future__ import annotations

import json
import secrets
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.engine.lambda_stack import Stack
from tests.support.journal import Journal
from tests.support.permissions import permit
from tests.support.waiting import eventually
from trigger_stack_engine.invoke.destinations import fitting

FAIL = "def handler(event, context): raise ValueError('no')"
GONE = "arn:aws:sqs:us-east-1:000000000000:gone"
TOPIC = "arn:aws:sns:us-east-1:000000000000:t"
BUCKET = "arn:aws:s3:::failures"


@pytest.fixture
def journal(stack: Stack) -> Journal:
    return Journal(f"http://127.0.0.1:{stack.port}")


def send(stack: Stack, name: str, event: Any) -> str:
    """Invoke asynchronously; the request id."""
    answer = stack.client("lambda").invoke(
        FunctionName=name, InvocationType="Event", Payload=json.dumps(event)
    )
    return str(answer["ResponseMetadata"]["RequestId"])


def test_a_topic_gets_a_large_failure_without_its_payloads(stack: Stack, journal: Journal) -> None:
    """It is no loss: AWS drops the payload as well."""
    sns, sqs = stack.client("sns"), stack.client("sqs")
    name = f"p-{secrets.token_hex(6)}"
    topic, url = sns.create_topic(Name=name)["TopicArn"], sqs.create_queue(QueueName=name)
    attributes = sqs.get_queue_attributes(QueueUrl=url["QueueUrl"], AttributeNames=["QueueArn"])
    queue = attributes["Attributes"]["QueueArn"]
    raw = {"RawMessageDelivery": "true"}
    permit(stack.client, queue)
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue, Attributes=raw)
    function = stack.create(FAIL)
    stack.client("lambda").put_function_event_invoke_config(
        FunctionName=function,
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": topic}},
    )

    request = send(stack, function, "x" * 300_000)

    assert journal.ends(request, "destination")["place"] == topic
    got: list[dict[str, Any]] = eventually(
        lambda: sqs.receive_message(QueueUrl=url["QueueUrl"], WaitTimeSeconds=1).get("Messages")
    )
    document = json.loads(got[0]["Body"])
    assert document["requestContext"]["requestId"] == request
    assert document["responseContext"]["functionError"] == "Unhandled"
    assert not document.keys() & {"requestPayload", "responsePayload"}


@pytest.mark.parametrize(
    ("arn", "size", "whole"),
    [(TOPIC, 1000, True), (TOPIC, 256 * 1024, False), (GONE, 256 * 1024, True)],
)
def test_what_a_destination_can_take(arn: str, size: int, whole: bool) -> None:
    document = {"version": "1.0", "requestPayload": "x" * size, "responsePayload": None}

    found = json.loads(fitting(arn, document))

    assert found == (document if whole else {"version": "1.0"})


def test_what_cannot_be_sent_is_counted(stack: Stack, journal: Journal) -> None:
    function = stack.create(FAIL, DeadLetterConfig={"TargetArn": GONE})
    stack.client("lambda").put_function_event_invoke_config(
        FunctionName=function,
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": GONE}},
    )

    journal.ends(send(stack, function, 1), "lost")

    def counted() -> bool:
        now = datetime.fromtimestamp(time.time(), UTC)
        found = {}
        for metric in (
            "AsyncEventsReceived",
            "AsyncEventsDropped",
            "DeadLetterErrors",
            "DestinationDeliveryFailures",
        ):
            points = stack.client("cloudwatch").get_metric_statistics(
                Namespace="AWS/Lambda",
                MetricName=metric,
                Dimensions=[{"Name": "FunctionName", "Value": function}],
                StartTime=now - timedelta(hours=1),
                EndTime=now + timedelta(minutes=5),
                Period=7200,
                Statistics=["Sum"],
            )["Datapoints"]
            found[metric] = sum(point["Sum"] for point in points)
        assert set(found.values()) == {1.0}, found
        return True

    eventually(counted)


@pytest.mark.parametrize(
    ("places", "shown"),
    [
        (
            {"OnFailure": {"Destination": f"{GONE}.fifo"}},
            f"onSuccess=null, onFailure=OnFailure(destination={GONE}.fifo)",
        ),
        (
            {"OnSuccess": {"Destination": f"{TOPIC}.fifo"}},
            f"onSuccess=OnSuccess(destination={TOPIC}.fifo), onFailure=null",
        ),
        (
            {"OnSuccess": {"Destination": BUCKET}, "OnFailure": {"Destination": BUCKET}},
            f"onSuccess=OnSuccess(destination={BUCKET}), onFailure=OnFailure(destination={BUCKET})",
        ),
    ],
    ids=["FIFO queue", "FIFO topic", "bucket for successes"],
)
def test_what_cannot_be_a_destination_is_refused(
    stack: Stack, places: dict[str, Any], shown: str
) -> None:
    function = stack.create(FAIL)

    with pytest.raises(ClientError) as refused:
        stack.client("lambda").put_function_event_invoke_config(
            FunctionName=function, DestinationConfig=places
        )

    assert refused.value.response["Error"] == {
        "Code": "InvalidParameterValueException",
        "Message": f"The provided destination config DestinationConfig({shown}) is invalid.",
    }
