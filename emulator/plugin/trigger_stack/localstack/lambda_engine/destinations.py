"""Sends what comes of an asynchronous invocation to where it is configured to go.

What: LocalStack's internal clients are used, as its own sender of destinations does.
Why: LocalStack's sender does not support S3 buckets, and writes a random request id into dead
letters.
Until: as long as the engine handles asynchronous invocations.
Test: ``tests/engine/test_asynchronous.py``.
"""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from localstack.aws.connect import connect_to
from localstack.utils.aws.arns import sqs_queue_url_for_arn

from trigger_stack_engine.wire import Header, RemoteError


def send(header: Header, body: bytes) -> None:
    """Send a document or a dead letter.

    Args:
        header: ``arn`` of the target, ``function`` (ARN), message ``attributes`` of a dead letter,
            ``trace_id`` of the invocation.
        body: JSON.

    Raises:
        RemoteError: The target did not take it.
    """
    arn = header["arn"]
    try:
        service = arn.split(":")[2]
        sender = _SENDERS.get(service)
        if sender is None:
            raise RemoteError("Destination", f"{service} cannot be a destination")
        sender(header, body.decode())
    except (ClientError, BotoCoreError, ValueError, IndexError) as error:
        raise RemoteError("Destination", str(error)) from None


def _client(header: Header, service: str) -> Any:
    """LocalStack's client of a service, which sends the trace header of the invocation."""
    function = header["function"].split(":")
    region = header["arn"].split(":")[3] or function[3]
    client: Any = getattr(connect_to(aws_access_key_id=function[4], region_name=region), service)
    trace = header.get("trace_id")
    return client.custom_headers({"X-Amzn-Trace-Id": trace}) if trace else client


def _to_queue(header: Header, body: str) -> None:
    more: dict[str, Any] = {}
    if header.get("trace_id"):
        trace = {"DataType": "String", "StringValue": header["trace_id"]}
        more["MessageSystemAttributes"] = {"AWSTraceHeader": trace}
    _client(header, "sqs").send_message(
        QueueUrl=sqs_queue_url_for_arn(header["arn"]),
        MessageBody=body,
        MessageAttributes=header["attributes"],
        **more,
    )


def _to_topic(header: Header, body: str) -> None:
    _client(header, "sns").publish(
        TopicArn=header["arn"], Message=body, MessageAttributes=header["attributes"]
    )


def _to_function(header: Header, body: str) -> None:
    client = _client(header, "lambda_")
    client.invoke(FunctionName=header["arn"], Payload=body, InvocationType="Event")


def _to_bus(header: Header, body: str) -> None:
    document = json.loads(body)
    result = "Success" if document["requestContext"]["condition"] == "Success" else "Failure"
    answer = _client(header, "events").put_events(
        Entries=[
            {
                "EventBusName": header["arn"].rpartition("/")[2],
                "Source": "lambda",
                "DetailType": f"Lambda Function Invocation Result - {result}",
                "Detail": body,
                "Resources": [header["arn"], document["requestContext"]["functionArn"]],
            }
        ]
    )
    if answer["FailedEntryCount"]:
        raise ValueError(f"the bus refused it: {answer['Entries'][0]}")


def _to_bucket(header: Header, body: str) -> None:
    name = header["function"].rpartition(":")[2]
    now = datetime.now(UTC)
    key = f"aws/lambda/async/{name}/{now:%Y/%m/%d/%Y-%m-%dT%H.%M.%S}-{uuid.uuid4()}"
    _client(header, "s3").put_object(
        Bucket=header["arn"].rpartition(":")[2], Key=key, Body=body.encode()
    )


_SENDERS = {
    "sqs": _to_queue,
    "sns": _to_topic,
    "lambda": _to_function,
    "events": _to_bus,
    "s3": _to_bucket,
}
