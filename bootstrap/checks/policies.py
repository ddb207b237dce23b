"""Who may do what: policies of queues, topics and functions, and the execution role.

Amazon SQS, "Amazon SQS policy examples"; EventBridge, "Using resource-based policies"; AWS IAM,
"IAM JSON policy elements".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from bootstrap.checks.aws_calls import aws_calls
from bootstrap.checks.findings import Hit, Severity, rule
from bootstrap.checks.view import (
    PERMISSION,
    QUEUE,
    QUEUE_POLICY,
    SUBSCRIPTION,
    TOPIC,
    TOPIC_POLICY,
    View,
    entries,
    mappings_in,
    own_name,
    texts,
    within,
)
from bootstrap.definition.document import KeyPath
from bootstrap.template import Resource

_REGIONAL = re.compile(r"logs\.(\$\{AWS::Region\}|[a-z0-9-]+)\.amazonaws\.com")
_SNS, _EVENTS = "sns.amazonaws.com", "events.amazonaws.com"
#: Services whose actions, lists left out, are allowed for single resources.
_NAMED = ("dynamodb:", "events:", "kinesis:", "lambda:", "s3:", "sns:", "sqs:")
_SEND, _PUBLISH = "sqs:SendMessage", "sns:Publish"


def _statements(document: Any) -> list[dict[str, Any]]:
    return mappings_in(within(document, "Statement"))


def grants(statement: dict[str, Any], action: str, principal: str) -> bool:
    """Whether a statement lets a principal do something; what cannot be read is taken to."""
    if statement.get("Effect") != "Allow" or not allows_action(statement, action):
        return False
    given = statement.get("Principal")
    if given is None:
        return "NotPrincipal" in statement
    if isinstance(given, str):
        return given == "*"
    names = [*entries(within(given, "Service")), *entries(within(given, "AWS"))]
    return any(not isinstance(name, str) or name in ("*", principal) for name in names)


def allows_action(statement: dict[str, Any], action: str) -> bool:
    """Whether a statement is about an action; what cannot be read is taken to be."""
    if "NotAction" in statement:
        return True
    given = entries(statement.get("Action"))
    return any(
        not isinstance(one, str) or fnmatchcase(action.lower(), one.lower()) for one in given
    )


def _may(view: View, receiver: Resource, action: str, principal: str) -> bool:
    kind, key = (QUEUE_POLICY, "Queues") if receiver.type == QUEUE else (TOPIC_POLICY, "Topics")
    return any(
        grants(statement, action, principal)
        for policy in view.of(kind)
        if any(view.target(value) is receiver for value in entries(policy.properties[key]))
        for statement in _statements(policy.properties["PolicyDocument"])
    )


@rule(
    "TS501",
    Severity.ERROR,
    mend="Allow sqs:SendMessage for the service in an AWS::SQS::QueuePolicy of the queue.",
)
def queue_refuses(view: View) -> Iterator[Hit]:
    """The queue refuses what the service sends: without a policy no message arrives."""
    for subscription in view.of(SUBSCRIPTION):
        queue = view.target(subscription.properties["Endpoint"])
        if queue is not None and queue.type == QUEUE and not _may(view, queue, _SEND, _SNS):
            what = f"SNS may not send to {queue.logical_id}."
            yield Hit(what, view.at(subscription, "Endpoint"))
    for topic in view.of(TOPIC):
        for index, body in enumerate(mappings_in(topic.properties.get("Subscription"))):
            queue = view.target(body.get("Endpoint"))
            if queue is not None and queue.type == QUEUE and not _may(view, queue, _SEND, _SNS):
                at = view.at(topic, "Subscription", index, "Endpoint")
                yield Hit(f"SNS may not send to {queue.logical_id}.", at)
    for target in view.targets:
        queue = target.to
        if queue is None or queue.type != QUEUE or "RoleArn" in target.body:
            continue
        if not _may(view, queue, _SEND, _EVENTS):
            at = view.at(target.rule, "Targets", target.index, "Arn")
            yield Hit(f"EventBridge may not send to {queue.logical_id}.", at)


@rule(
    "TS502",
    Severity.WARNING,
    mend="Allow sqs:SendMessage for the service in an AWS::SQS::QueuePolicy of the queue.",
)
def dead_letters_refused(view: View) -> Iterator[Hit]:
    """The dead-letter queue refuses the service's messages, and what failed is dropped."""
    for target in view.targets:
        queue = view.target(within(target.body, "DeadLetterConfig", "Arn"))
        if queue is not None and queue.type == QUEUE and not _may(view, queue, _SEND, _EVENTS):
            at = view.at(target.rule, "Targets", target.index, "DeadLetterConfig")
            yield Hit(f"EventBridge may not send to {queue.logical_id}.", at)
    for subscription in view.of(SUBSCRIPTION):
        value = within(subscription.properties, "RedrivePolicy", "deadLetterTargetArn")
        queue = view.target(value)
        if queue is not None and queue.type == QUEUE and not _may(view, queue, _SEND, _SNS):
            at = view.at(subscription, "RedrivePolicy", "deadLetterTargetArn")
            yield Hit(f"SNS may not send to {queue.logical_id}.", at)


@rule(
    "TS503",
    Severity.ERROR,
    mend="Allow sns:Publish for events.amazonaws.com in an AWS::SNS::TopicPolicy of the topic.",
)
def topic_refuses(view: View) -> Iterator[Hit]:
    """The topic refuses what EventBridge publishes: without a policy no message arrives."""
    for target in view.targets:
        topic = target.to
        if topic is not None and topic.type == TOPIC and not _may(view, topic, _PUBLISH, _EVENTS):
            at = view.at(target.rule, "Targets", target.index, "Arn")
            yield Hit(f"EventBridge may not publish to {topic.logical_id}.", at)


@rule(
    "TS504",
    Severity.ERROR,
    mend="Add an AWS::Lambda::Permission with the service as its Principal.",
)
def function_refuses(view: View) -> Iterator[Hit]:
    """The function refuses the invocation: without a permission no event arrives."""
    for invocation in view.invocations:
        if invocation.principal is None:
            continue
        allowed = any(
            view.function(permission.properties["FunctionName"]) is invocation.function
            and _principal(view, permission) in (invocation.principal, "*")
            for permission in view.of(PERMISSION)
        )
        if not allowed:
            who = f"{invocation.principal} may not invoke {own_name(invocation.function)}"
            yield Hit(f"{who}.", invocation.at)


def _principal(view: View, permission: Resource) -> str | None:
    """The principal of a permission, without the region that CloudWatch Logs may have in it."""
    text = view.text(permission.properties["Principal"])
    return text and _REGIONAL.sub("logs.amazonaws.com", text)


def _role_statements(view: View) -> Iterator[tuple[dict[str, Any], KeyPath]]:
    """The statements that the file gives the execution role."""
    path: KeyPath = ("provider", "iam", "role", "statements")
    written = view.written(path)
    for index, statement in enumerate(written if isinstance(written, list) else []):
        if isinstance(statement, dict):
            yield statement, (*path, index)


@rule("TS505", Severity.WARNING, mend="Name the actions and the resources that the code needs.")
def wildcard(view: View) -> Iterator[Hit]:
    """A wrong line of code can then delete events and the queues that hold them."""
    for statement, path in _role_statements(view):
        if statement.get("Effect") != "Allow":
            continue
        actions = texts(statement.get("Action"))
        for action in actions:
            if action == "*" or action.endswith(":*"):
                yield Hit(f"The execution role may {action}.", (*path, "Action"))
        narrow = [a for a in actions if a.startswith(_NAMED) and ":List" not in a]
        if narrow and "*" in texts(statement.get("Resource")):
            yield Hit(f"The execution role may {narrow[0]} on everything.", (*path, "Resource"))


@rule("TS506", Severity.WARNING, mend="Add the action to provider.iam.role.statements.")
def not_allowed(view: View) -> Iterator[Hit]:
    """AWS refuses the call with AccessDenied, and whatever the function was at work on fails."""
    statements = [
        statement
        for role in view.of("AWS::IAM::Role")
        for policy in mappings_in(role.properties.get("Policies"))
        for statement in _statements(policy.get("PolicyDocument"))
        if statement.get("Effect") == "Allow"
    ]
    seen = set()
    for function in view.functions:
        for found in aws_calls(view.sources, view.sources.code(function)):
            call, action = found.call, found.action
            if action is None or (call.place, action) in seen:
                continue
            seen.add((call.place, action))
            if not any(allows_action(statement, action) for statement in statements):
                yield Hit(f"No IAM statement allows {action}.", call.place)


#: The policies of which a resource has one, by type, with the property that names the resource.
_SINGLE = {QUEUE_POLICY: "Queues", TOPIC_POLICY: "Topics", "AWS::S3::BucketPolicy": "Bucket"}


@rule("TS507", Severity.WARNING, mend="Put the statements of both into one policy.")
def second_policy(view: View) -> Iterator[Hit]:
    """A queue, topic or bucket has one policy: a second one replaces the first."""
    for kind, key in _SINGLE.items():
        first: dict[str, Resource] = {}
        # What an event makes is found in the file only at the event: the other one is named.
        ordered = sorted(view.of(kind), key=lambda one: one.path[:1] == ("resources",))
        for policy in ordered:
            for value in entries(policy.properties.get(key)):
                owner = view.target(value)
                if owner is None:
                    continue
                other = first.setdefault(owner.logical_id, policy)
                if other is not policy:
                    what = f"{policy.logical_id} and {other.logical_id} are policies of"
                    yield Hit(f"{what} {owner.logical_id}.", policy.path)
