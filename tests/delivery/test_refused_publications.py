"""Messages that SNS refuses, and subscriptions of topics that are gone."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from tests.engine.lambda_stack import Stack
from tests.support.refusals import refused


@pytest.fixture
def topic(stack: Stack) -> str:
    name = f"t-{secrets.token_hex(6)}"
    return str(stack.client("sns").create_topic(Name=name)["TopicArn"])


@pytest.fixture
def queue(stack: Stack) -> str:
    sqs = stack.client("sqs")
    url = sqs.create_queue(QueueName=f"q-{secrets.token_hex(6)}")["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return str(attributes["Attributes"]["QueueArn"])


@pytest.mark.parametrize("made_again", [False, True])
def test_a_subscription_of_a_deleted_topic_ends(
    stack: Stack, topic: str, queue: str, made_again: bool
) -> None:
    sns = stack.client("sns")
    arn = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)["SubscriptionArn"]
    sns.delete_topic(TopicArn=topic)
    if made_again:
        sns.create_topic(Name=topic.rpartition(":")[2])

    sns.unsubscribe(SubscriptionArn=arn)
    sns.unsubscribe(SubscriptionArn=arn)

    assert refused(sns.get_subscription_attributes, SubscriptionArn=arn)[:2] == (404, "NotFound")


def test_the_subscriptions_of_a_topic_that_was_made_again_stay(
    stack: Stack, topic: str, queue: str
) -> None:
    sns = stack.client("sns")
    old = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)["SubscriptionArn"]
    sns.delete_topic(TopicArn=topic)
    sns.create_topic(Name=topic.rpartition(":")[2])
    new = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)["SubscriptionArn"]

    sns.unsubscribe(SubscriptionArn=old)

    listed = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert [one["SubscriptionArn"] for one in listed] == [new]


def test_a_batch_without_entries_is_refused(stack: Stack, topic: str) -> None:
    call = stack.client("sns").publish_batch

    assert refused(call, TopicArn=topic, PublishBatchRequestEntries=[]) == (
        400,
        "EmptyBatchRequest",
        "The batch request doesn't contain any entries.",
    )


def test_an_entry_without_id_is_refused(stack: Stack, topic: str) -> None:
    call = stack.client("sns").publish_batch

    status, code, said = refused(
        call, TopicArn=topic, PublishBatchRequestEntries=[{"Message": "m"}]
    )

    assert (status, code) == (400, "ValidationError")
    assert "'publishBatchRequestEntries.1.member.id'" in said


@pytest.mark.parametrize(
    "message",
    [
        {"Message": "[1]", "MessageStructure": "json"},
        {"Message": "null", "MessageStructure": "json"},
        {"Message": "m", "Subject": "s" * 101},
        {"Message": "m", "MessageAttributes": {"": {"DataType": "String", "StringValue": "v"}}},
    ],
)
def test_a_message_of_another_form_is_refused(
    stack: Stack, topic: str, message: dict[str, Any]
) -> None:
    sns = stack.client("sns")

    alone = refused(sns.publish, TopicArn=topic, **message)
    entry = {"Id": "a", **message}
    in_batch = refused(sns.publish_batch, TopicArn=topic, PublishBatchRequestEntries=[entry])

    assert alone[:2] == (400, "InvalidParameter")
    assert in_batch == alone


def test_attributes_that_no_topic_has_are_refused(stack: Stack, topic: str) -> None:
    call = stack.client("sns").set_topic_attributes

    for name, value, said in (
        ("Nothing", "x", "AttributeName"),
        ("Policy", "{}", "Policy Error: null"),
    ):
        request = {"TopicArn": topic, "AttributeName": name, "AttributeValue": value}
        assert refused(call, **request) == (
            400,
            "InvalidParameter",
            f"Invalid parameter: {said}",
        )
