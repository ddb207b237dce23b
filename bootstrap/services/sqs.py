"""Amazon SQS: queues and their policies."""

from __future__ import annotations

import json
from typing import Any

from bootstrap.services.base import Context, Outcome, Properties, ResourceType, found, same_json
from bootstrap.template import Physical

_ATTRIBUTES = frozenset(
    {
        "VisibilityTimeout",
        "MessageRetentionPeriod",
        "ReceiveMessageWaitTimeSeconds",
        "DelaySeconds",
        "MaximumMessageSize",
        "FifoQueue",
        "ContentBasedDeduplication",
        "DeduplicationScope",
        "FifoThroughputLimit",
        "KmsMasterKeyId",
        "SqsManagedSseEnabled",
    }
)
#: What an attribute goes back to when the definition no longer sets it (SQS, "SetQueueAttributes").
_DEFAULTS = {
    "DelaySeconds": "0",
    "MessageRetentionPeriod": "345600",
    "ReceiveMessageWaitTimeSeconds": "0",
    "RedrivePolicy": "",
    "VisibilityTimeout": "30",
}


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
    existing = found(
        lambda: sqs.get_queue_url(QueueName=name),
        "AWS.SimpleQueueService.NonExistentQueue",
        "QueueDoesNotExist",
    )
    outcome = Outcome.UNCHANGED
    if existing is None:
        url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        outcome = Outcome.CREATED
    else:
        url = existing["QueueUrl"]
        actual = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        dropped = {k: v for k, v in _DEFAULTS.items() if k in actual and k not in attributes}
        wanted = attributes | dropped
        different = {k: v for k, v in wanted.items() if not _same(k, v, actual.get(k))}
        if different:
            sqs.set_queue_attributes(QueueUrl=url, Attributes=different)
            outcome = Outcome.CHANGED
    arn = f"arn:aws:sqs:{context.settings.region}:{context.account}:{name}"
    return outcome, Physical(url, {"Arn": arn, "QueueName": name, "QueueUrl": url})


def _same(key: str, wanted: str, actual: str | None) -> bool:
    if key == "RedrivePolicy":
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


RESOURCE_TYPES = {
    "AWS::SQS::Queue": ResourceType(
        _queue, frozenset({"QueueName"}), _ATTRIBUTES | {"RedrivePolicy"}
    ),
    "AWS::SQS::QueuePolicy": ResourceType(_policy, frozenset({"Queues", "PolicyDocument"})),
}
