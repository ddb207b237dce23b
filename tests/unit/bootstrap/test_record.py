"""The record of the last run says the same whatever order the resources became ready in."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import boto3
import pytest
from moto import mock_aws

from bootstrap.record import Made, Record

MADE = [
    Made("AWS::ApiGatewayV2::Route", "RouteB", {"ApiId": "1", "RouteId": "b"}),
    Made("AWS::Lambda::Permission", "Allow", {"FunctionName": "f", "StatementId": "Allow"}),
    Made("AWS::ApiGatewayV2::Api", "HttpApi", {"ApiId": "1"}),
    Made("AWS::SQS::QueuePolicy", "Send", {"QueueUrl": "two"}),
    Made("AWS::SQS::QueuePolicy", "Send", {"QueueUrl": "one"}),
    Made("AWS::ApiGatewayV2::Route", "RouteA", {"ApiId": "1", "RouteId": "a"}),
]


@pytest.fixture
def service() -> Iterator[str]:
    with mock_aws():
        yield f"shop-{uuid4().hex[:8]}"


def record(service: str) -> Record:
    return Record(boto3.client("logs", region_name="us-east-1"), service, "test")


def messages(service: str) -> list[str]:
    logs = boto3.client("logs", region_name="us-east-1")
    events = logs.get_log_events(logGroupName=record(service).group, logStreamName="made")
    return [event["message"] for event in events["events"]]


def test_another_order_is_no_other_record(service: str) -> None:
    first = record(service)
    first.write(MADE)
    first.write(reversed(MADE))
    again = record(service)
    again.read()
    again.write([*MADE[3:], *MADE[:3]])

    assert len(messages(service)) == 1


def test_two_orders_are_written_alike(service: str) -> None:
    other = f"{service}-other"
    record(service).write(MADE)
    record(other).write(reversed(MADE))

    assert messages(service) == messages(other)


def test_in_reverse_what_belongs_to_an_api_goes_before_the_api(service: str) -> None:
    record(service).write(MADE)

    names = [made.logical_id for made in reversed(record(service).read())]

    assert names.index("RouteA") < names.index("HttpApi")
    assert names.index("RouteB") < names.index("HttpApi")


def test_something_else_is_another_record(service: str) -> None:
    ours = record(service)
    ours.write(MADE)
    ours.write(MADE[1:])

    assert len(messages(service)) == 2
