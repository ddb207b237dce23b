"""Amazon SNS: topics, their policies and subscriptions."""

from __future__ import annotations

import json
from typing import Any

from bootstrap.services import shapes, tags
from bootstrap.services.base import (
    Context,
    Key,
    Outcome,
    Properties,
    ResourceType,
    found,
    gone,
    outcome_of,
    same_json,
)
from bootstrap.template import Physical

_GONE = ("NotFound", "NotFoundException")
_TOPIC_ATTRIBUTES = (
    "ContentBasedDeduplication",
    "DisplayName",
    "FifoThroughputScope",
    "FifoTopic",
    "KmsMasterKeyId",
    "SignatureVersion",
    "TracingConfig",
)
#: What an attribute goes back to when the definition no longer sets it.
_TOPIC_DEFAULTS = {
    "ContentBasedDeduplication": "false",
    "DisplayName": "",
    "FifoThroughputScope": "Topic",
    "KmsMasterKeyId": "",
    "SignatureVersion": "1",
    "TracingConfig": "PassThrough",
}
_SUBSCRIPTION_ATTRIBUTES = {
    **shapes.all_as_aws("DeliveryPolicy", "FilterPolicy", "RawMessageDelivery"),
    "FilterPolicyScope": shapes.one_of("MessageAttributes", "MessageBody"),
    "RedrivePolicy": shapes.mapping({"deadLetterTargetArn": shapes.text}),
}
_PROTOCOL = shapes.one_of("email", "email-json", "http", "https", "lambda", "sms", "sqs")
_SUBSCRIPTION_DEFAULTS = {
    "DeliveryPolicy": "{}",
    "FilterPolicyScope": "MessageAttributes",
    "FilterPolicy": "{}",
    "RawMessageDelivery": "false",
    "RedrivePolicy": "{}",
}
#: SNS takes no empty policy of these: without a value there is none any longer.
_UNSET_BY_NOTHING = ("DeliveryPolicy", "RedrivePolicy")


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value) if isinstance(value, dict) else str(value)


def _arn(context: Context, name: str) -> str:
    return f"arn:aws:sns:{context.settings.region}:{context.account}:{name}"


def _attributes(sns: Any, arn: str) -> dict[str, str] | None:
    answer = found(lambda: sns.get_topic_attributes(TopicArn=arn), *_GONE)
    return answer and dict(answer["Attributes"])


def _topic(context: Context, logical_id: str, properties: Properties) -> tuple[Outcome, Physical]:
    sns, name = context.client("sns"), properties["TopicName"]
    arn = _arn(context, name)
    wanted = {key: _text(properties[key]) for key in _TOPIC_ATTRIBUTES if key in properties}
    existing = _attributes(sns, arn)
    changed = False
    if existing is None:
        arn = sns.create_topic(Name=name, Attributes=wanted)["TopicArn"]
    else:
        for key, default in _TOPIC_DEFAULTS.items():
            value = wanted.get(key, default)
            if existing.get(key, default) != value:
                sns.set_topic_attributes(TopicArn=arn, AttributeName=key, AttributeValue=value)
                changed = True
    tagged = _tags(sns, arn, properties.get("Tags", []), new=existing is None)
    changed = changed or tagged
    for subscription in properties.get("Subscription", []):
        outcome, _ = _subscription(context, logical_id, {"TopicArn": arn, **subscription})
        changed = changed or outcome is not Outcome.UNCHANGED
    return outcome_of(existing is None, changed), Physical(
        arn, {"TopicArn": arn, "TopicName": name}
    )


def _tags(sns: Any, arn: str, given: tags.Tags, *, new: bool) -> bool:
    place = {"ResourceArn": arn}
    current = [] if new else sns.list_tags_for_resource(**place).get("Tags", [])
    return tags.ensure(
        tags.named(given),
        tags.named(current),
        lambda some: sns.tag_resource(**place, Tags=tags.listed(some)),
        lambda keys: sns.untag_resource(**place, TagKeys=keys),
    )


def _topic_keys(logical_id: str, properties: Properties, physical: Physical) -> list[Key]:
    """The topic, and each of its own subscriptions: those are triggers."""
    subscriptions = properties.get("Subscription", [])
    return [{"Ref": physical.ref}, *({"Ref": physical.ref, **one} for one in subscriptions)]


def _topic_exists(context: Context, key: Key) -> bool:
    if "Endpoint" in key:
        return False
    return _attributes(context.client("sns"), key["Ref"]) is not None


def _remove_subscription(context: Context, key: Key) -> bool:
    sns = context.client("sns")
    if "Endpoint" not in key or _attributes(sns, key["Ref"]) is None:
        return False
    identity = {"TopicArn": key["Ref"], "Protocol": key["Protocol"], "Endpoint": key["Endpoint"]}
    arn = _find(sns, identity)
    return arn is not None and _unsubscribe(context, {"Ref": arn})


def _topic_policy(
    context: Context, logical_id: str, properties: Properties
) -> tuple[Outcome, Physical]:
    sns, document = context.client("sns"), properties["PolicyDocument"]
    changed = False
    for arn in properties["Topics"]:
        if not same_json((_attributes(sns, arn) or {}).get("Policy"), document):
            sns.set_topic_attributes(
                TopicArn=arn, AttributeName="Policy", AttributeValue=json.dumps(document)
            )
            changed = True
    # A topic has a policy of its own from the beginning, so there is nothing to create.
    return outcome_of(False, changed), Physical(logical_id)


def _subscription(
    context: Context, logical_id: str, properties: Properties
) -> tuple[Outcome, Physical]:
    sns = context.client("sns")
    identity = {key: properties[key] for key in ("TopicArn", "Protocol", "Endpoint")}
    wanted = {key: _text(properties[key]) for key in _SUBSCRIPTION_ATTRIBUTES if key in properties}
    existing = _find(sns, identity)
    changed = False
    if existing is None:
        answer = sns.subscribe(**identity, Attributes=wanted, ReturnSubscriptionArn=True)
        return Outcome.CREATED, Physical(answer["SubscriptionArn"])
    actual = sns.get_subscription_attributes(SubscriptionArn=existing)["Attributes"]
    for key, default in _SUBSCRIPTION_DEFAULTS.items():
        value = wanted.get(key, default)
        if not _same(value, actual.get(key) or default):
            unset = key in _UNSET_BY_NOTHING and value == default
            given = {} if unset else {"AttributeValue": value}
            sns.set_subscription_attributes(SubscriptionArn=existing, AttributeName=key, **given)
            changed = True
    return outcome_of(False, changed), Physical(existing)


def _same(wanted: str, actual: str) -> bool:
    if wanted.startswith("{"):
        return bool(json.loads(wanted) == json.loads(actual))
    return wanted.lower() == actual.lower()


def _find(sns: Any, identity: dict[str, str]) -> str | None:
    pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=identity["TopicArn"])
    for page in pages:
        for one in page["Subscriptions"]:
            if (one["Protocol"], one["Endpoint"]) == (identity["Protocol"], identity["Endpoint"]):
                return str(one["SubscriptionArn"])
    return None


def _unsubscribe(context: Context, key: Key) -> bool:
    sns = context.client("sns")
    arn = key["Ref"]
    if found(lambda: sns.get_subscription_attributes(SubscriptionArn=arn), *_GONE) is None:
        return False
    return gone(lambda: sns.unsubscribe(SubscriptionArn=arn), *_GONE)


RESOURCE_TYPES = {
    "AWS::SNS::Topic": ResourceType(
        _topic,
        shapes.all_as_aws("TopicName"),
        {
            **shapes.all_as_aws(
                *("ContentBasedDeduplication", "DisplayName", "FifoTopic", "KmsMasterKeyId"),
                "Tags",
            ),
            "SignatureVersion": shapes.one_of("1", "2"),
            "TracingConfig": shapes.one_of("Active", "PassThrough"),
            # Newer than the schema.
            "FifoThroughputScope": shapes.one_of("Topic", "MessageGroup"),
            "Subscription": shapes.list_of(
                shapes.mapping({"Endpoint": shapes.text, "Protocol": _PROTOCOL})
            ),
        },
        keys=_topic_keys,
        remove=_remove_subscription,
        exists=_topic_exists,
        delete_with="sns delete-topic --topic-arn {Ref}",
        holds_data=False,
    ),
    "AWS::SNS::TopicPolicy": ResourceType(
        _topic_policy,
        {
            **shapes.all_as_aws("Topics"),
            "PolicyDocument": shapes.any_mapping,
        },
    ),
    "AWS::SNS::Subscription": ResourceType(
        _subscription,
        {
            **shapes.all_as_aws("TopicArn", "Endpoint"),
            "Protocol": _PROTOCOL,
        },
        {
            **shapes.all_as_aws("Region"),
            **_SUBSCRIPTION_ATTRIBUTES,
        },
        remove=_unsubscribe,
    ),
}
