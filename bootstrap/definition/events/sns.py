"""``sns``: messages of a topic (Serverless guide, "SNS"; AWS Lambda, "Using … with Amazon SNS")."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, override

from bootstrap.definition import naming
from bootstrap.definition.document import Document
from bootstrap.definition.events.base import (
    EventType,
    Example,
    Trigger,
    awslocal,
    invoke_permission,
)
from bootstrap.definition.events.failures import (
    ASYNCHRONOUS_INVOCATION,
    DeadLetter,
    FailurePath,
    text_attributes,
)
from bootstrap.definition.parsing import Model, Reference, is_arn
from bootstrap.services.base import found
from bootstrap.settings import Settings
from bootstrap.template import Resource

if TYPE_CHECKING:
    from bootstrap.definition.model import Service

_NAME = re.compile(r"[\w-]{1,256}", re.ASCII)


class SnsRedrivePolicy(Model):
    """``redrivePolicy``: the dead-letter queue of the subscription."""

    deadLetterTargetArn: str | None = None
    deadLetterTargetRef: str | None = None


class SnsEvent(Model):
    """``sns`` under ``events``: a topic by its ARN, or one that is made by its name."""

    arn: Reference | None = None
    topicName: str | None = None
    displayName: str | None = None
    filterPolicy: dict[str, Any] | None = None
    filterPolicyScope: Literal["MessageAttributes", "MessageBody"] | None = None
    redrivePolicy: SnsRedrivePolicy | None = None

    @property
    def name(self) -> str:
        """Name of the topic."""
        if self.topicName:
            return self.topicName
        return self.arn.rpartition(":")[2] if isinstance(self.arn, str) else ""


class _Subscription(FailurePath):
    """A message that SNS could not deliver (SNS, "Amazon SNS dead-letter queues")."""

    def queues(self, settings: Settings, queues: Mapping[str, dict[str, Any]]) -> Iterator[str]:
        sns = settings.client("sns")
        for page in sns.get_paginator("list_subscriptions").paginate():
            for subscription in page["Subscriptions"]:
                arn = subscription["SubscriptionArn"]
                answer = found(
                    partial(sns.get_subscription_attributes, SubscriptionArn=arn),
                    *("NotFound", "NotFoundException", "InvalidParameter"),
                )
                policy = (answer or {}).get("Attributes", {}).get("RedrivePolicy") or ""
                if target := re.search(r'"deadLetterTargetArn":\s*"([^"]+)"', policy):
                    yield target[1]

    def read(self, message: dict[str, Any]) -> DeadLetter | None:
        text, system = text_attributes(message), message.get("Attributes", {})
        if "ErrorMessage" not in text or system.get("DeadLetterQueueSourceArn"):
            return None
        # A letter of Lambda has the same names, and its code is a number.
        if message["MessageAttributes"].get("ErrorCode", {}).get("DataType") != "String":
            return None
        topic = re.search(r'"TopicArn":\s*"[^"]*:([^":]+)"', message["Body"])
        origin = f"topic {topic[1]}" if topic else "topic"
        return DeadLetter(origin, text["ErrorMessage"], message["Body"], message)

    def send_back(self, settings: Settings, letter: DeadLetter) -> None:
        """Deliver it to the endpoint of its subscription: to no other of the topic."""
        # Imported here: make check asks nobody.
        import requests

        answer = requests.post(
            f"{settings.endpoint_url}/_trigger_stack/topics/deliver",
            data=json.dumps(letter.message, default=_base64),
            timeout=30,
        )
        if not answer.ok:
            raise RuntimeError(answer.text)


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


class Sns(EventType[SnsEvent]):
    """SNS invokes the function asynchronously with each message of a topic."""

    key = "sns"
    model = SnsEvent
    failures = (_Subscription(), ASYNCHRONOUS_INVOCATION)

    def long_form(self, body: Any) -> Any:
        """``sns: <ARN>`` or ``sns: <name>``."""
        if not isinstance(body, str):
            return body
        return {"arn": body} if body.startswith("arn:") else {"topicName": body}

    @override
    def check(self, trigger: Trigger[SnsEvent], service: Service, document: Document) -> None:
        event, where = trigger.event, f"functions.{trigger.key}: "
        if not event.name:
            document.fail(
                f"{where}an sns event needs a topicName, also beside an arn that is no plain text.",
                *trigger.path,
            )
        if not _NAME.fullmatch(event.name):
            document.fail(
                f"{where}“{event.name}” is no name of a topic: it may have letters, digits, - and"
                " _, 256 at most.",
                *trigger.path,
            )
        policy = event.redrivePolicy
        letters = policy.deadLetterTargetArn if policy else None
        for keys, arn in (
            (("arn",), event.arn),
            (("redrivePolicy", "deadLetterTargetArn"), letters),
        ):
            if arn and not is_arn(arn):
                document.fail(f"{where}“{arn}” is no ARN.", *(*trigger.path, *keys))
        if policy and bool(policy.deadLetterTargetArn) == bool(policy.deadLetterTargetRef):
            document.fail(
                f"{where}redrivePolicy needs either deadLetterTargetArn or deadLetterTargetRef.",
                *(*trigger.path, "redrivePolicy"),
            )

    def permissions(
        self, triggers: Sequence[Trigger[SnsEvent]], service: Service
    ) -> Iterator[Resource]:
        """Each topic may invoke its function."""
        for trigger in triggers:
            yield invoke_permission(
                f"{naming.normalized(trigger.key)}LambdaPermission"
                f"{naming.alphanumeric(trigger.event.name)}SNS",
                trigger,
                "sns.amazonaws.com",
                _topic_arn(trigger.event),
            )

    def role_statements(self, triggers: Sequence[Trigger[SnsEvent]]) -> Iterator[dict[str, Any]]:
        """None: SNS invokes the function, by its permission."""
        yield from ()

    @override
    def resources(
        self, triggers: Sequence[Trigger[SnsEvent]], service: Service, document: Document
    ) -> Iterator[Resource]:
        topics: dict[str, Resource] = {}
        for trigger in triggers:
            event = trigger.event
            topic = f"SNSTopic{naming.alphanumeric(event.name)}"
            subscription = {"Endpoint": trigger.function_arn, "Protocol": "lambda"}
            redrive = yield from _redrive(trigger)
            if event.arn is None and topic not in topics:
                properties: dict[str, Any] = {"TopicName": event.name}
                if event.displayName:
                    properties["DisplayName"] = event.displayName
                topics[topic] = Resource(topic, "AWS::SNS::Topic", properties, trigger.path)
            if event.arn is None and event.filterPolicy is None and redrive is None:
                topics[topic].properties.setdefault("Subscription", []).append(subscription)
                continue
            target = {"Ref": topic} if event.arn is None else event.arn
            more = {
                "FilterPolicy": event.filterPolicy,
                "FilterPolicyScope": event.filterPolicyScope,
                "RedrivePolicy": redrive,
                "Region": _other_region(event, service),
            }
            yield Resource(
                f"{naming.normalized(trigger.key)}SnsSubscription{naming.alphanumeric(event.name)}",
                "AWS::SNS::Subscription",
                {
                    "TopicArn": target,
                    **subscription,
                    **{key: value for key, value in more.items() if value is not None},
                },
                trigger.path,
            )
        yield from topics.values()

    @override
    def example(self, trigger: Trigger[SnsEvent], service: Service, settings: Settings) -> Example:
        event = trigger.event
        region = service.provider.region
        arn = event.arn
        if not isinstance(arn, str):
            arn = f"arn:aws:sns:{region}:000000000000:{event.name}"
        command = f"sns publish --topic-arn {arn} --message hello"
        return Example(f"SNS {event.name}", f"{awslocal(settings)} {command}")


def _topic_arn(event: SnsEvent) -> Any:
    if event.arn is not None:
        return event.arn
    parts = ["arn:", {"Ref": "AWS::Partition"}, ":sns:", {"Ref": "AWS::Region"}, ":"]
    return {"Fn::Join": ["", [*parts, {"Ref": "AWS::AccountId"}, ":", event.name]]}


def _other_region(event: SnsEvent, service: Service) -> str | None:
    """The region of the topic, where it is another one than the stack's."""
    if not isinstance(event.arn, str):
        return None
    region = event.arn.split(":")[3]
    return None if region == service.provider.region else region


def _redrive(
    trigger: Trigger[SnsEvent],
) -> Generator[Resource, None, dict[str, Any] | None]:
    """The policy that lets SNS send to the dead-letter queue; returns the redrive policy."""
    policy, event = trigger.event.redrivePolicy, trigger.event
    if policy is None:
        return None
    arn: Any
    url: Any
    if policy.deadLetterTargetRef:
        arn = {"Fn::GetAtt": [policy.deadLetterTargetRef, "Arn"]}
        url = {"Ref": policy.deadLetterTargetRef}
    else:
        arn = policy.deadLetterTargetArn
        _, _, _, region, account, name = str(arn).split(":", 5)
        parts = [f"https://sqs.{region}.", {"Ref": "AWS::URLSuffix"}, f"/{account}/{name}"]
        url = {"Fn::Join": ["", parts]}
    key = naming.normalized(trigger.key)
    identity = f"{naming.alphanumeric(event.name)}To{key}DLQPolicy"
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        # The framework leaves the ARN out of its own topics' policies, and so do we.
        "Condition": {"ArnEquals": {"aws:SourceArn": event.arn} if event.arn else {}},
    }
    document = {"Version": "2012-10-17", "Id": identity, "Statement": [statement]}
    yield Resource(
        identity,
        "AWS::SQS::QueuePolicy",
        {"PolicyDocument": document, "Queues": [url]},
        trigger.path,
    )
    return {"deadLetterTargetArn": arn}
