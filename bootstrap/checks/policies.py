"""Who may do what: policies of queues, topics, log groups and functions, and the execution role.

Amazon SQS, "Amazon SQS policy examples"; EventBridge, "Using resource-based policies"; AWS IAM,
"IAM JSON policy elements".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from bootstrap.checks.aws_calls import aws_calls
from bootstrap.checks.findings import Hit, Severity, rule
from bootstrap.checks.view import (
    BUCKET,
    BUS,
    FUNCTION,
    LOG_FILTER,
    LOG_GROUP,
    LOG_POLICY,
    PERMISSION,
    PIPE,
    QUEUE,
    QUEUE_POLICY,
    ROLE,
    RULE,
    SCHEDULE,
    STREAM,
    SUBSCRIPTION,
    TABLE,
    TOPIC,
    TOPIC_POLICY,
    Invocation,
    Target,
    View,
    entries,
    mappings_in,
    own_name,
    texts,
    within,
)
from bootstrap.definition.document import KeyPath
from bootstrap.template import Resource

_REGIONAL = re.compile(r"logs\.[a-z0-9-]+\.amazonaws\.com")
_SNS, _EVENTS = "sns.amazonaws.com", "events.amazonaws.com"
_S3, _ALARMS = "s3.amazonaws.com", "cloudwatch.amazonaws.com"
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


def _may(
    view: View, receiver: Resource, action: str, principal: str, sender: Resource | None
) -> bool:
    """Whether a service may send to a queue or topic, as far as that is certain.

    Args:
        sender: the resource that it sends for.
    """
    kind, key = (QUEUE_POLICY, "Queues") if receiver.type == QUEUE else (TOPIC_POLICY, "Topics")
    return any(
        grants(statement, action, principal)
        and _is_about(view, statement, receiver)
        and _may_come_from(view, statement, sender)
        for policy in view.of(kind)
        if any(view.target(value) is receiver for value in entries(policy.properties[key]))
        for statement in _statements(policy.properties["PolicyDocument"])
    )


def _is_about(view: View, statement: dict[str, Any], receiver: Resource) -> bool:
    """Whether a statement may be about a resource: not when it names others alone."""
    given = entries(statement.get("Resource"))
    named = [view.target(one) for one in given]
    return not given or any(one in (None, receiver) for one in named)


#: The operators with which a condition asks for one certain source.
_EQUALS = ("ArnEquals", "ArnLike", "StringEquals", "StringLike")


def _may_come_from(view: View, statement: dict[str, Any], sender: Resource | None) -> bool:
    """Whether the conditions of a statement may hold for a sender."""
    conditions = statement.get("Condition")
    for operator in _EQUALS:
        keys = within(conditions, operator)
        for key, value in keys.items() if isinstance(keys, dict) else ():
            if str(key).lower() != "aws:sourcearn" or sender is None:
                continue
            if not any(may_be(view, source, sender) for source in entries(value)):
                return False
    return True


def may_be(view: View, arn: Any, sender: Resource) -> bool:
    """Whether an ARN may be a resource's: False when it certainly is another's."""
    text = view.text(arn)
    if text is None or "*" in text or "?" in text:
        return True
    found = view.target(arn)
    if found is not None:
        return found is sender
    name, parts = view.name(sender), text.split(":", 5)
    if "${" in text or len(parts) < 6 or name is None or "${" in name:
        return True
    if sender.type == RULE:
        bus = view.bus(sender.properties.get("EventBusName"))
        own = view.resources.get(bus)
        bus = (own is not None and view.name(own)) or bus
        path = f"rule/{name}" if bus == "default" else f"rule/{bus}/{name}"
        return "${" in bus or parts[5] == path
    return re.split("[:/]", text)[-1] == name


@rule(
    "TS501",
    Severity.ERROR,
    mend="Allow sqs:SendMessage for the service in an AWS::SQS::QueuePolicy of the queue.",
)
def queue_refuses(view: View) -> Iterator[Hit]:
    """The queue refuses what the service sends: without a policy no message arrives."""
    for subscription in view.of(SUBSCRIPTION):
        queue = view.target(subscription.properties["Endpoint"])
        topic = view.target(subscription.properties["TopicArn"])
        if queue is not None and queue.type == QUEUE and not _may(view, queue, _SEND, _SNS, topic):
            what = f"SNS may not send to {queue.logical_id}."
            yield Hit(what, view.at(subscription, "Endpoint"))
    for topic in view.of(TOPIC):
        for index, body in enumerate(mappings_in(topic.properties.get("Subscription"))):
            queue = view.target(body.get("Endpoint"))
            if queue is None or queue.type != QUEUE:
                continue
            if not _may(view, queue, _SEND, _SNS, topic):
                at = view.at(topic, "Subscription", index, "Endpoint")
                yield Hit(f"SNS may not send to {queue.logical_id}.", at)
    for target in view.targets:
        queue = target.to
        if queue is None or queue.type != QUEUE or "RoleArn" in target.body:
            continue
        if not _may(view, queue, _SEND, _EVENTS, target.rule):
            at = view.at(target.rule, "Targets", target.index, "Arn")
            yield Hit(f"EventBridge may not send to {queue.logical_id}.", at)
    for name, at in _refused_of_buckets(view, QUEUE, _SEND):
        yield Hit(f"S3 may not send to {name}.", at)


@rule(
    "TS502",
    Severity.WARNING,
    mend="Allow sqs:SendMessage for the service in an AWS::SQS::QueuePolicy of the queue.",
)
def dead_letters_refused(view: View) -> Iterator[Hit]:
    """The dead-letter queue refuses the service's messages, and what failed is dropped."""
    for target in view.targets:
        queue = view.target(within(target.body, "DeadLetterConfig", "Arn"))
        if queue is None or queue.type != QUEUE:
            continue
        if not _may(view, queue, _SEND, _EVENTS, target.rule):
            at = view.at(target.rule, "Targets", target.index, "DeadLetterConfig")
            yield Hit(f"EventBridge may not send to {queue.logical_id}.", at)
    for subscription in view.of(SUBSCRIPTION):
        value = within(subscription.properties, "RedrivePolicy", "deadLetterTargetArn")
        queue, topic = view.target(value), view.target(subscription.properties["TopicArn"])
        if queue is not None and queue.type == QUEUE and not _may(view, queue, _SEND, _SNS, topic):
            at = view.at(subscription, "RedrivePolicy", "deadLetterTargetArn")
            yield Hit(f"SNS may not send to {queue.logical_id}.", at)


@rule(
    "TS503",
    Severity.ERROR,
    mend="Allow sns:Publish for the service in an AWS::SNS::TopicPolicy of the topic.",
)
def topic_refuses(view: View) -> Iterator[Hit]:
    """The topic refuses what the service publishes: without a policy no message arrives."""
    for target in view.targets:
        topic = target.to
        if topic is None or topic.type != TOPIC:
            continue
        if not _may(view, topic, _PUBLISH, _EVENTS, target.rule):
            at = view.at(target.rule, "Targets", target.index, "Arn")
            yield Hit(f"EventBridge may not publish to {topic.logical_id}.", at)
    for name, at in _refused_of_buckets(view, TOPIC, _PUBLISH):
        yield Hit(f"S3 may not publish to {name}.", at)


#: What EventBridge does with a log group, and the principals of which one is enough.
_STORE = ("logs:CreateLogStream", "logs:PutLogEvents")
_STORERS = (_EVENTS, "delivery.logs.amazonaws.com")
#: References in a text, and the attribute that they may have.
_REFERENCE = re.compile(r"\$\{(\w+)(\.Arn)?\}")


@rule(
    "TS512",
    Severity.WARNING,
    mend="Allow it for events.amazonaws.com on the ARN with :* behind it, in an"
    " AWS::Logs::ResourcePolicy.",
)
def log_group_refuses(view: View) -> Iterator[Hit]:
    """The log group refuses what EventBridge writes, and nothing says so: no event is stored."""
    for target in view.targets:
        group = _log_group(view, target.body.get("Arn"))
        if group is None:
            continue
        for action in _STORE:
            if not _may_store(view, target, group, action):
                at = view.at(target.rule, "Targets", target.index, "Arn")
                yield Hit(f"No policy here lets EventBridge {action} on {_name_of(group)}.", at)
                break


def _log_group(view: View, arn: Any) -> str | None:
    """What an ARN of a log group has behind its account; None of anything else."""
    text = _with_names(view, view.text(arn) or "")
    parts = text.split(":", 5)
    return parts[5] if len(parts) == 6 and parts[2] == "logs" else None


def _with_names(view: View, text: str) -> str:
    """A text with the ARNs and names of the own log groups in it; ``<…>`` for what AWS names."""

    def named(found: re.Match[str]) -> str:
        own = view.resources.get(found[1])
        if own is None or own.type != LOG_GROUP:
            return found[0]
        name = view.name(own) or f"<{own.logical_id}>"
        return f"arn:aws:logs:::log-group:{name}:*" if found[2] else name

    return _REFERENCE.sub(named, text)


def _name_of(group: str) -> str:
    """The name of a log group, as a sentence has it."""
    return group.removeprefix("log-group:").removesuffix(":*").strip("<>")


def _may_store(view: View, target: Target, group: str, action: str) -> bool:
    """Whether EventBridge may write for a target, as far as that is certain."""
    for policy in view.of(LOG_POLICY):
        try:
            document = json.loads(view.text(policy.properties["PolicyDocument"]) or "")
        except ValueError:
            return True  # it cannot be read
        if any(
            any(grants(statement, action, one) for one in _STORERS)
            and any(_covers(view, one, group) for one in entries(statement.get("Resource")))
            and _may_come_from(view, statement, target.rule)
            for statement in _statements(document)
        ):
            return True
    return False


def _covers(view: View, resource: Any, group: str) -> bool:
    """Whether a resource of a policy may be the streams of a log group."""
    if not isinstance(resource, str):
        return True
    parts = _with_names(view, resource).split(":", 5)
    given = parts[5] if len(parts) == 6 else "*"
    if fnmatchcase(f"{group.removesuffix(':*')}:log-stream:s", given):
        return True
    is_open = "*" in given.removesuffix(":*").removesuffix(":*")
    return "${" in given or "${" in group or ("<" in group and is_open)


def _refused_of_buckets(view: View, kind: str, action: str) -> Iterator[tuple[str, KeyPath]]:
    """The queues or topics that refuse what a bucket tells them, each with its place."""
    for bucket in view.of(BUCKET):
        for one in view.told(bucket):
            to = one.to
            if to is not None and to.type == kind and not _may(view, to, action, _S3, bucket):
                yield to.logical_id, one.at


@rule(
    "TS511",
    Severity.WARNING,
    mend="Allow sns:Publish for cloudwatch.amazonaws.com in the policy of the topic, too.",
)
def topic_refuses_alarms(view: View) -> Iterator[Hit]:
    """A policy takes the place of the one that lets alarms publish, and nobody hears of them."""
    policies = view.of(TOPIC_POLICY)
    for alarm, name, index, value in view.alarm_actions:
        topic = view.target(value)
        if topic is None or topic.type != TOPIC:
            continue
        own = [
            policy
            for policy in policies
            if any(view.target(one) is topic for one in entries(policy.properties["Topics"]))
        ]
        if own and not _may(view, topic, _PUBLISH, _ALARMS, None):
            what = f"CloudWatch may not publish to {topic.logical_id}."
            yield Hit(what, view.at(alarm, name, index))


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
            and str(permission.properties["Action"]).lower() in _INVOKES
            and _is_for(view, permission, invocation)
            for permission in view.of(PERMISSION)
        )
        if not allowed:
            who = f"{invocation.principal} may not invoke {own_name(invocation.function)}"
            yield Hit(f"{who}.", invocation.at)


#: The actions that let a function be invoked.
_INVOKES = ("lambda:invokefunction", "lambda:*", "*")


def _is_for(view: View, permission: Resource, invocation: Invocation) -> bool:
    """Whether a permission may be for what invokes: not when its source is certainly another."""
    source, sender = permission.properties.get("SourceArn"), invocation.sender
    if sender.type == SUBSCRIPTION:
        topic = view.target(sender.properties["TopicArn"])
        return source is None or topic is None or may_be(view, source, topic)
    known = sender.type in (RULE, TOPIC, BUCKET)
    return source is None or not known or may_be(view, source, sender)


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


#: Where a file says that functions have a role, or policies, that are not described in it.
_ROLES_ELSEWHERE: set[KeyPath] = {
    ("provider", "role"),
    ("provider", "iamManagedPolicies"),
    ("provider", "iam", "role"),
    ("provider", "iam", "role", "managedPolicies"),
}


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
    elsewhere = {note.path for note in view.document.notes}
    if elsewhere & _ROLES_ELSEWHERE:
        return
    seen = set()
    for function in view.functions:
        if any((*function.path, key) in elsewhere for key in ("role", "iamRoleStatements")):
            continue
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


@rule("TS508", Severity.WARNING, mend="Take a key whose policy lets the service use it.")
def encrypted_for_itself(view: View) -> Iterator[Hit]:
    """No AWS service may use the keys alias/aws/sqs and alias/aws/sns, so nothing arrives."""
    for receiver, at, who in _receivers(view):
        key = receiver.properties.get("KmsMasterKeyId")
        if isinstance(key, str) and key.endswith(("alias/aws/sqs", "alias/aws/sns")):
            what = f"{who} cannot send to {receiver.logical_id}, which AWS's own key encrypts."
            yield Hit(what, at)


def _receivers(view: View) -> Iterator[tuple[Resource, KeyPath, str]]:
    """Every queue and topic that a service sends to in no role: where, and which service."""
    places: list[tuple[Any, KeyPath, str]] = []
    for target in view.targets:
        if "RoleArn" not in target.body:
            at = view.at(target.rule, "Targets", target.index, "Arn")
            places.append((target.body.get("Arn"), at, "EventBridge"))
        letters = within(target.body, "DeadLetterConfig", "Arn")
        at = view.at(target.rule, "Targets", target.index, "DeadLetterConfig")
        places.append((letters, at, "EventBridge"))
    for one in view.of(SUBSCRIPTION):
        places.append((one.properties["Endpoint"], view.at(one, "Endpoint"), "SNS"))
        letters = within(one.properties, "RedrivePolicy", "deadLetterTargetArn")
        places.append((letters, view.at(one, "RedrivePolicy", "deadLetterTargetArn"), "SNS"))
    for topic in view.of(TOPIC):
        for index, body in enumerate(mappings_in(topic.properties.get("Subscription"))):
            at = view.at(topic, "Subscription", index, "Endpoint")
            places.append((body.get("Endpoint"), at, "SNS"))
    for bucket in view.of(BUCKET):
        for told in view.told(bucket):
            places.append((told.body.get("Queue") or told.body.get("Topic"), told.at, "S3"))
    for value, at, who in places:
        receiver = view.target(value)
        if receiver is not None and receiver.type in (QUEUE, TOPIC):
            yield receiver, at, who


def _users(view: View) -> Iterator[tuple[Resource, KeyPath, str, list[tuple[Any, str]]]]:
    """Every role that a service assumes: where it is given, the service, and what it does in it.

    What it does: the resource, and ``target`` or ``source``.
    """
    for schedule in view.of(SCHEDULE):
        target = within(schedule.properties, "Target")
        role = view.target(within(target, "RoleArn"))
        at, does = view.at(schedule, "Target", "RoleArn"), [(within(target, "Arn"), "target")]
        if role is not None and role.type == ROLE:
            yield role, at, "scheduler.amazonaws.com", does
    for pipe in view.of(PIPE):
        role = view.target(pipe.properties["RoleArn"])
        does = [(pipe.properties["Source"], "source"), (pipe.properties["Target"], "target")]
        if role is not None and role.type == ROLE:
            yield role, view.at(pipe, "RoleArn"), "pipes.amazonaws.com", does
    for target in view.targets:
        role = view.target(target.body.get("RoleArn"))
        at = view.at(target.rule, "Targets", target.index, "RoleArn")
        if role is not None and role.type == ROLE:
            yield role, at, "events.amazonaws.com", [(target.body.get("Arn"), "target")]
    for one in view.of(LOG_FILTER):
        role = view.target(one.properties.get("RoleArn"))
        if role is not None and role.type == ROLE:
            does = [(one.properties["DestinationArn"], "target")]
            yield role, view.at(one, "RoleArn"), "logs.amazonaws.com", does


@rule("TS509", Severity.ERROR, mend="Name the service in AssumeRolePolicyDocument of the role.")
def role_of_another(view: View) -> Iterator[Hit]:
    """The service cannot assume the role, so it is refused, or never sends anything."""
    for role, at, service, _ in _users(view):
        document = role.properties.get("AssumeRolePolicyDocument")
        if isinstance(document, dict) and not any(
            _may_assume(view, one, service) for one in _statements(document)
        ):
            yield Hit(f"{service} may not assume {role.logical_id}.", at)


def _may_assume(view: View, statement: dict[str, Any], service: str) -> bool:
    named = statement.get("Principal")
    names = [view.text(name) for name in entries(within(named, "Service"))]
    regional = any(name and _REGIONAL.sub("logs.amazonaws.com", name) == service for name in names)
    return statement.get("Effect") == "Allow" and (
        regional or grants(statement, "sts:AssumeRole", service)
    )


#: What a service does with a source or target in its role: one of the actions is enough.
_IN_ROLE = {
    ("target", FUNCTION): ("lambda:InvokeFunction",),
    ("target", QUEUE): (_SEND,),
    ("target", TOPIC): (_PUBLISH,),
    ("target", BUS): ("events:PutEvents",),
    ("target", STREAM): ("kinesis:PutRecord", "kinesis:PutRecords"),
    ("source", QUEUE): ("sqs:ReceiveMessage",),
    ("source", STREAM): ("kinesis:GetRecords",),
    ("source", TABLE): ("dynamodb:GetRecords",),
}


@rule("TS510", Severity.WARNING, mend="Allow the action on the resource in a policy of the role.")
def role_is_not_enough(view: View) -> Iterator[Hit]:
    """The role does not let the service do it: nothing is read, or nothing arrives."""
    for role, at, service, does in _users(view):
        if role.properties.get("ManagedPolicyArns") or role.path[:1] != ("resources",):
            continue
        statements = [
            statement
            for policy in mappings_in(role.properties.get("Policies"))
            for statement in _statements(policy.get("PolicyDocument"))
            if statement.get("Effect") == "Allow"
        ]
        for value, part in does:
            resource = view.target(value)
            actions = _IN_ROLE.get((part, resource.type)) if resource is not None else None
            if resource is None or actions is None:
                continue
            if not any(
                allows_action(statement, action) and _is_about(view, statement, resource)
                for statement in statements
                for action in actions
            ):
                what = f"In {role.logical_id}, {service} may not {actions[0]} on"
                yield Hit(f"{what} {resource.logical_id}.", at)
