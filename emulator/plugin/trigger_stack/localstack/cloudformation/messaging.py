"""Settings of topics, buses, streams and log groups that LocalStack's types leave out.

What: no patch; operations of the services.
Why: what LocalStack's types leave out would be ignored without a word.
Until: LocalStack's types have these settings.
Test: ``tests/delivery/test_cloudformation_properties.py``.

AWS topics: AWS CloudFormation Template Reference Guide, "AWS::SNS::Topic", "AWS::Events::EventBus";
Amazon SNS API Reference, "SetTopicAttributes".
"""

from __future__ import annotations

import json
from typing import Any

from trigger_stack.localstack.cloudformation import tags

type Model = dict[str, Any]

#: The attributes of a topic that can change, each with what it is by default.
_OF_TOPIC = {
    "ArchivePolicy": "{}",
    "ContentBasedDeduplication": "false",
    "DisplayName": "",
    "FifoThroughputScope": "Topic",
    "KmsMasterKeyId": "",
    "MaximumMessageSize": "262144",
    "SignatureVersion": "1",
    "TracingConfig": "PassThrough",
}


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value) if isinstance(value, dict) else str(value)


def change_topic(clients: Any, before: Model, model: Model) -> None:
    """The attributes of a topic, and the subscriptions that it has itself."""
    if not before:
        return
    client, topic = clients.sns, {"TopicArn": model["TopicArn"]}
    for name, default in _OF_TOPIC.items():
        value, old = model.get(name), before.get(name)
        if value != old:
            client.set_topic_attributes(
                **topic,
                AttributeName=name,
                AttributeValue=default if value is None else _text(value),
            )
    new, old = (
        {_endpoint(one) for one in each.get("Subscription") or []} for each in (model, before)
    )
    for protocol, endpoint in sorted(new - old):
        client.subscribe(**topic, Protocol=protocol, Endpoint=endpoint)
    if old - new:
        pages = client.get_paginator("list_subscriptions_by_topic").paginate(**topic)
        for one in [one for page in pages for one in page["Subscriptions"]]:
            if _endpoint(one) in old - new:
                client.unsubscribe(SubscriptionArn=one["SubscriptionArn"])


def _endpoint(subscription: Model) -> tuple[str, str]:
    return str(subscription["Protocol"]), str(subscription["Endpoint"])


def change_subscription(clients: Any, before: Model, model: Model) -> None:
    """No dead-letter queue, when the template has none any more."""
    if not before.get("RedrivePolicy") or model.get("RedrivePolicy"):
        return
    place = {"SubscriptionArn": model["Id"], "AttributeName": "RedrivePolicy"}
    clients.sns.set_subscription_attributes(**place)


def set_bus(clients: Any, before: Model, model: Model) -> None:
    """The policy and the tags of a bus."""
    client, name = clients.events, model["Name"]
    policy, old = (one.get("Policy") for one in (model, before))
    if policy and policy != old:
        client.put_permission(EventBusName=name, Policy=_text(policy))
    elif old and not policy:
        client.remove_permission(EventBusName=name, RemoveAllPermissions=True)
    tags.set_by("events", "ResourceARN", "Arn")(clients, before, model)


def set_stream_tags(clients: Any, before: Model, model: Model) -> None:
    """The tags of a Kinesis stream."""
    new, gone = tags.changes(before, model)
    stream = {"StreamName": model["Name"]}
    if gone:
        clients.kinesis.remove_tags_from_stream(**stream, TagKeys=gone)
    if new:
        clients.kinesis.add_tags_to_stream(**stream, Tags=new)


def set_log_group_tags(clients: Any, before: Model, model: Model) -> None:
    """The tags of a log group; its ARN ends with ``:*``, that of its tags does not."""
    arn = str(model["Arn"]).removesuffix(":*")
    step = tags.set_by_name("logs", "resourceArn", "Arn")
    step(clients, before, model | {"Arn": arn})
