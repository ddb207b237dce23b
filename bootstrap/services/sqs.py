"""Amazon SQS: queues and their policies."""

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
    outcome_of,
    same_json,
)
from bootstrap.template import Physical

_ATTRIBUTES = {
    **shapes.all_as_aws(
        *("FifoQueue", "ContentBasedDeduplication", "KmsMasterKeyId", "RedriveAllowPolicy"),
        "SqsManagedSseEnabled",
    ),
    "KmsDataKeyReusePeriodSeconds": shapes.number(60, 86_400),
    "VisibilityTimeout": shapes.number(0, 43_200),
    "MessageRetentionPeriod": shapes.number(60, 1_209_600),
    "ReceiveMessageWaitTimeSeconds": shapes.number(0, 20),
    "DelaySeconds": shapes.number(0, 900),
    "MaximumMessageSize": shapes.number(1024, 1_048_576),
    "DeduplicationScope": shapes.one_of("messageGroup", "queue"),
    "FifoThroughputLimit": shapes.one_of("perQueue", "perMessageGroupId"),
}
#: What an attribute goes back to when the definition no longer sets it (SQS, "SetQueueAttributes").
_DEFAULTS = {
    "ContentBasedDeduplication": "false",
    "DeduplicationScope": "queue",
    "DelaySeconds": "0",
    "FifoThroughputLimit": "perQueue",
    "KmsDataKeyReusePeriodSeconds": "300",
    "KmsMasterKeyId": "",
    "MaximumMessageSize": "1048576",
    "MessageRetentionPeriod": "345600",
    "ReceiveMessageWaitTimeSeconds": "0",
    "RedriveAllowPolicy": "",
    "RedrivePolicy": "",
    "SqsManagedSseEnabled": "true",
    "VisibilityTimeout": "30",
}
#: How SQS says that a queue is not there: the code of its older protocol, and of the newer one.
_GONE = ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value) if isinstance(value, dict) else str(value)


def _queue(context: Context, logical_id: str, properties: Properties) -> tuple[Outcome, Physical]:
    sqs = context.client("sqs")
    name = properties["QueueName"]
    attributes = {key: _text(value) for key, value in properties.items() if key in _ATTRIBUTES}
    if "RedrivePolicy" in properties:
        policy = dict(properties["RedrivePolicy"])
        policy["maxReceiveCount"] = int(policy.get("maxReceiveCount", 10))
        attributes["RedrivePolicy"] = json.dumps(policy)
    existing = found(lambda: sqs.get_queue_url(QueueName=name), *_GONE)
    different: dict[str, str] = {}
    if existing is None:
        url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    else:
        url = existing["QueueUrl"]
        actual = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        dropped = {k: v for k, v in _DEFAULTS.items() if k in actual and k not in attributes}
        wanted = attributes | dropped
        different = {k: v for k, v in wanted.items() if not _same(k, v, actual.get(k))}
        if different:
            sqs.set_queue_attributes(QueueUrl=url, Attributes=different)
    tagged = _tags(sqs, url, properties.get("Tags", []), new=existing is None)
    arn = f"arn:aws:sqs:{context.settings.region}:{context.account}:{name}"
    return outcome_of(existing is None, bool(different), tagged), Physical(
        url, {"Arn": arn, "QueueName": name, "QueueUrl": url}
    )


def _tags(sqs: Any, url: str, given: tags.Tags, *, new: bool) -> bool:
    current = {} if new else sqs.list_queue_tags(QueueUrl=url).get("Tags", {})
    return tags.ensure(
        tags.named(given),
        current,
        lambda some: sqs.tag_queue(QueueUrl=url, Tags=some),
        lambda keys: sqs.untag_queue(QueueUrl=url, TagKeys=keys),
    )


def _same(key: str, wanted: str, actual: str | None) -> bool:
    if key in ("RedriveAllowPolicy", "RedrivePolicy"):
        current = json.loads(actual) if actual else {}
        if "maxReceiveCount" in current:
            current["maxReceiveCount"] = int(current["maxReceiveCount"])
        return bool(current == (json.loads(wanted) if wanted else {}))
    return wanted == actual


def _policy(context: Context, logical_id: str, properties: Properties) -> tuple[Outcome, Physical]:
    sqs = context.client("sqs")
    document = properties["PolicyDocument"]
    outcomes = set()
    for url in properties["Queues"]:
        answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])
        current = answer.get("Attributes", {}).get("Policy")
        if same_json(current or None, document):
            continue
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(document)})
        outcomes.add(Outcome.CHANGED if current else Outcome.CREATED)
    changed = Outcome.CHANGED if Outcome.CHANGED in outcomes else Outcome.CREATED
    return (changed if outcomes else Outcome.UNCHANGED), Physical(logical_id)


def _exists(context: Context, key: Key) -> bool:
    sqs = context.client("sqs")
    return (
        found(
            lambda: sqs.get_queue_attributes(QueueUrl=key["Ref"], AttributeNames=["QueueArn"]),
            *_GONE,
        )
        is not None
    )


def _policy_keys(logical_id: str, properties: Properties, physical: Physical) -> list[Key]:
    return [{"QueueUrl": url} for url in properties["Queues"]]


def _remove_policy(context: Context, key: Key) -> bool:
    sqs = context.client("sqs")
    answer = found(lambda: sqs.get_queue_attributes(**key, AttributeNames=["Policy"]), *_GONE)
    if not (answer or {}).get("Attributes", {}).get("Policy"):
        return False
    sqs.set_queue_attributes(**key, Attributes={"Policy": ""})
    return True


def _lost(context: Context, key: Key) -> str:
    names = [f"ApproximateNumberOfMessages{part}" for part in ("", "NotVisible", "Delayed")]
    answer = context.client("sqs").get_queue_attributes(QueueUrl=key["Ref"], AttributeNames=names)
    count = sum(map(int, answer.get("Attributes", {}).values()))
    return f"{count} message{'s' if count > 1 else ''}" if count else ""


RESOURCE_TYPES = {
    "AWS::SQS::Queue": ResourceType(
        _queue,
        shapes.all_as_aws("QueueName"),
        {
            **_ATTRIBUTES,
            **shapes.all_as_aws("Tags"),
            "RedrivePolicy": shapes.mapping(
                {"deadLetterTargetArn": shapes.text},
                {"maxReceiveCount": shapes.number(1, 1000)},
            ),
        },
        exists=_exists,
        delete_with="sqs delete-queue --queue-url {Ref}",
        lost=_lost,
    ),
    "AWS::SQS::QueuePolicy": ResourceType(
        _policy,
        {
            **shapes.all_as_aws("Queues"),
            "PolicyDocument": shapes.any_mapping,
        },
        keys=_policy_keys,
        remove=_remove_policy,
    ),
}
