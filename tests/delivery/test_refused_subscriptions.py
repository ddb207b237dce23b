"""Subscriptions and attributes that SNS refuses, and endpoints that LocalStack alone knows.

The sentences are SNS's.
"""

from __future__ import annotations

import json
import secrets
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.engine.lambda_stack import Stack
from tests.support.journal import Journal
from tests.support.waiting import eventually

ACCOUNT = "us-east-1:000000000000"
FUNCTION = f"arn:aws:lambda:{ACCOUNT}:function:f"
QUEUE = f"arn:aws:sqs:{ACCOUNT}:q"


def topic(stack: Stack, *, fifo: bool = False) -> str:
    name = f"t-{secrets.token_hex(6)}" + (".fifo" if fifo else "")
    attributes = {"FifoTopic": "true"} if fifo else {}
    return str(stack.client("sns").create_topic(Name=name, Attributes=attributes)["TopicArn"])


def refused(stack: Stack, arn: str, protocol: str, endpoint: str, **attributes: str) -> str:
    with pytest.raises(ClientError) as error:
        stack.client("sns").subscribe(
            TopicArn=arn, Protocol=protocol, Endpoint=endpoint, Attributes=attributes
        )
    found = error.value.response["Error"]
    assert found["Code"] == "InvalidParameter", found
    listed = stack.client("sns").list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]
    assert listed == []
    return str(found["Message"])


@pytest.mark.parametrize(
    ("protocol", "endpoint", "said"),
    [
        ("lambda", QUEUE, "Invalid parameter: Lambda endpoint ARN"),
        ("lambda", "f", "Invalid parameter: Lambda endpoint ARN"),
        ("sqs", FUNCTION, "Invalid parameter: SQS endpoint ARN"),
        ("application", QUEUE, "Invalid parameter: Application endpoint arn invalid"),
        ("email", "nobody", "Invalid parameter: Email address"),
        ("firehose", QUEUE, "Invalid parameter: Firehose endpoint ARN"),
        (
            "firehose",
            f"arn:aws:firehose:{ACCOUNT}:deliverystream/s",
            "Invalid parameter: Delivery protocol firehose can only be subscribed with"
            " subscription role arn",
        ),
    ],
)
def test_an_endpoint_that_could_get_no_message_is_refused(
    stack: Stack, protocol: str, endpoint: str, said: str
) -> None:
    """A queue as a function made ``Publish`` fail for all subscriptions of the topic."""
    assert refused(stack, topic(stack), protocol, endpoint) == said


def test_what_is_not_part_of_the_stack_is_said(stack: Stack) -> None:
    stream = f"arn:aws:firehose:{ACCOUNT}:deliverystream/s"
    role = "arn:aws:iam::000000000000:role/r"
    said = refused(stack, topic(stack), "firehose", stream, SubscriptionRoleArn=role)
    assert "The service firehose is not part of this stack" in said


@pytest.mark.parametrize(
    ("protocol", "endpoint"),
    [("lambda", FUNCTION), ("http", "http://localhost/"), ("sms", "+491234567")],
)
def test_a_fifo_topic_is_for_queues(stack: Stack, protocol: str, endpoint: str) -> None:
    said = refused(stack, topic(stack, fifo=True), protocol, endpoint)
    assert said == f"Invalid parameter: Invalid protocol type: {protocol}"


def redrive(arn: Any) -> str:
    return json.dumps({"deadLetterTargetArn": arn})


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("RedrivePolicy", "{}", "RedrivePolicy: Missing deadLetterTargetArn attribute"),
        ("RedrivePolicy", "[]", "RedrivePolicy: failed to parse JSON."),
        (
            "RedrivePolicy",
            redrive(f"arn:aws:sns:{ACCOUNT}:t"),
            "RedrivePolicy: deadLetterTargetArn must be a SQS queue",
        ),
        (
            "RedrivePolicy",
            redrive("arn:aws:sqs:eu-west-1:000000000000:d"),
            "RedrivePolicy: deadLetterTargetArn must be in the same region as the subscription",
        ),
        (
            "RawMessageDelivery",
            "true",
            "Delivery protocol [lambda] does not support raw message delivery.",
        ),
        ("DeliveryPolicy", "often", "DeliveryPolicy: failed to parse JSON."),
        ("FilterPolicy", "[]", "FilterPolicy: Filter is not an object"),
    ],
)
def test_an_attribute_with_which_a_message_would_be_lost_is_refused(
    stack: Stack, name: str, value: str, said: str
) -> None:
    arn, sns = topic(stack), stack.client("sns")
    attribute: Any = {name: value}
    found = refused(stack, arn, "lambda", FUNCTION, **attribute)
    assert found == f"Invalid parameter: Attributes Reason: {said}"

    subscription = sns.subscribe(TopicArn=arn, Protocol="lambda", Endpoint=FUNCTION)
    with pytest.raises(ClientError) as error:
        sns.set_subscription_attributes(
            SubscriptionArn=subscription["SubscriptionArn"],
            AttributeName=name,
            AttributeValue=value,
        )
    assert error.value.response["Error"]["Message"] == f"Invalid parameter: {said}"


@pytest.mark.parametrize("name", ["DeliveryPolicy", "Policy"])
def test_an_attribute_of_a_topic_that_is_no_json_is_refused(stack: Stack, name: str) -> None:
    with pytest.raises(ClientError, match=f"Invalid parameter: {name}"):
        stack.client("sns").set_topic_attributes(
            TopicArn=topic(stack), AttributeName=name, AttributeValue="all"
        )


def test_a_message_for_an_app_that_is_gone_is_lost_and_said_so(
    stack: Stack, journal: Journal
) -> None:
    """LocalStack recorded it as sent, whatever had become of the app's endpoint."""
    arn, sns = topic(stack), stack.client("sns")
    application = sns.create_platform_application(
        Name=f"a-{secrets.token_hex(6)}",
        Platform="GCM",
        Attributes={"PlatformCredential": "c", "PlatformPrincipal": "p"},
    )["PlatformApplicationArn"]
    endpoint = sns.create_platform_endpoint(PlatformApplicationArn=application, Token="t")
    app = endpoint["EndpointArn"]
    sns.subscribe(TopicArn=arn, Protocol="application", Endpoint=app)
    sns.publish(TopicArn=arn, Message="one")
    sns.set_endpoint_attributes(EndpointArn=app, Attributes={"Enabled": "false"})
    sns.publish(TopicArn=arn, Message="two")
    sns.delete_endpoint(EndpointArn=app)
    sns.publish(TopicArn=arn, Message="three")

    def lost() -> list[str]:
        rows = journal.find(source=arn, state="lost")
        assert len(rows) == 2, rows
        return sorted(one["place"].partition(";")[0] for one in rows)

    assert eventually(lost) == ["Endpoint does not exist", "Endpoint is disabled"]
    assert len(journal.find(source=arn)) == 2  # the first one was delivered
