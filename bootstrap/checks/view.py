"""A template as rules look at it: what refers to what, who invokes whom, where a key stands."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from bootstrap.checks.findings import Place
from bootstrap.checks.places import written_at
from bootstrap.checks.sources import Call, Sources, environment_name, parameters
from bootstrap.definition.document import Document, KeyPath
from bootstrap.template import Resource, Template

FUNCTION = "AWS::Lambda::Function"
MAPPING = "AWS::Lambda::EventSourceMapping"
INVOKE_CONFIG = "AWS::Lambda::EventInvokeConfig"
PERMISSION = "AWS::Lambda::Permission"
QUEUE = "AWS::SQS::Queue"
QUEUE_POLICY = "AWS::SQS::QueuePolicy"
TOPIC = "AWS::SNS::Topic"
TOPIC_POLICY = "AWS::SNS::TopicPolicy"
SUBSCRIPTION = "AWS::SNS::Subscription"
BUCKET = "AWS::S3::Bucket"
BUS = "AWS::Events::EventBus"
RULE = "AWS::Events::Rule"
BUCKET_POLICY = "AWS::S3::BucketPolicy"
RULE_SET = "AWS::SES::ReceiptRuleSet"
RECEIPT_RULE = "AWS::SES::ReceiptRule"
PIPE = "AWS::Pipes::Pipe"
LOG_GROUP = "AWS::Logs::LogGroup"
LOG_FILTER = "AWS::Logs::SubscriptionFilter"
LOG_POLICY = "AWS::Logs::ResourcePolicy"
ALARMS = ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm")
#: The actions of an alarm: one list for each state.
ALARM_ACTIONS = ("AlarmActions", "InsufficientDataActions", "OKActions")

#: The property that has the physical name, by type; one that is made from others has none here.
_NAMES = {
    FUNCTION: "FunctionName",
    QUEUE: "QueueName",
    TOPIC: "TopicName",
    BUCKET: "BucketName",
    BUS: "Name",
    RULE: "Name",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::Kinesis::Stream": "Name",
    PIPE: "Name",
    LOG_GROUP: "LogGroupName",
    "AWS::IAM::Role": "RoleName",
    "AWS::ElasticLoadBalancingV2::LoadBalancer": "Name",
    "AWS::Lambda::LayerVersion": "LayerName",
    "AWS::SES::EmailIdentity": "EmailIdentity",
    RULE_SET: "RuleSetName",
}
#: The service in an ARN, and the type of what it names.
_ARN_TYPES = {
    "arn:*:sqs": QUEUE,
    "arn:*:sns": TOPIC,
    "arn:*:lambda": FUNCTION,
    "arn:*:events": BUS,
    "arn:*:kinesis": "AWS::Kinesis::Stream",
    "arn:*:dynamodb": "AWS::DynamoDB::Table",
    "arn:*:s3": BUCKET,
}
#: A function in the address that a REST API's integration has.
_IN_URI = re.compile(r":lambda:path/[^/]+/functions/(.+?)/invocations")
_INVOCATION_TYPE = "integration.request.header.X-Amz-Invocation-Type"
_SUB = re.compile(r"\$\{([^}!]+)\}")
#: The account that everything here is in.
ACCOUNT = "000000000000"
SCHEDULE = "AWS::Scheduler::Schedule"
ROLE = "AWS::IAM::Role"
STREAM = "AWS::Kinesis::Stream"
TABLE = "AWS::DynamoDB::Table"


@dataclass(frozen=True)
class Mapping:
    """An event source mapping: the function, and the source when it is the service's own.

    Attributes:
        service: ``AWS::SQS::Queue`` and so on: the type of the source, own or not.
    """

    resource: Resource
    function: Resource | None
    source: Resource | None
    service: str

    @property
    def enabled(self) -> bool:
        """Whether it is on."""
        return self.resource.properties.get("Enabled") is not False


@dataclass(frozen=True)
class Invocation:
    """Something that invokes a function asynchronously.

    Attributes:
        at: where that is written: in the file, or in the code of a function.
        principal: the AWS service that invokes; None when it is Lambda itself, or code.
    """

    function: Resource
    sender: Resource
    at: KeyPath | Place
    principal: str | None


@dataclass(frozen=True)
class MailAction:
    """An action of a receipt rule.

    Attributes:
        kind: ``LambdaAction`` and so on.
        at: path of the action in the file.
    """

    rule: Resource
    index: int
    kind: str
    body: dict[str, Any]
    at: KeyPath

    @property
    def waits(self) -> bool:
        """Whether SES waits for the function's answer."""
        return self.body.get("InvocationType") == "RequestResponse"


@dataclass(frozen=True)
class Target:
    """A target of a rule.

    Attributes:
        to: what it is, when it is the service's own.
        at: path of the target in the file.
    """

    rule: Resource
    index: int
    body: dict[str, Any]
    to: Resource | None
    at: KeyPath


@dataclass(frozen=True)
class Told:
    """A notification of a bucket to a queue or a topic.

    Attributes:
        to: the queue or topic, when it is the service's own.
        at: path of the notification in the file.
    """

    body: dict[str, Any]
    to: Resource | None
    at: KeyPath


def whole(value: Any, default: int | None = None) -> int | None:
    """A whole number, as a number or as text; ``default`` for None, None for anything else."""
    if value is None:
        return default
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 20:
        return int(value)
    return None


def entries(value: Any) -> list[Any]:
    """A list; what stands alone is a list of one, and nothing is an empty list."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def mappings_in(value: Any) -> list[dict[str, Any]]:
    """The mappings in a list, or the one mapping."""
    return [item for item in entries(value) if isinstance(item, dict)]


def texts(value: Any) -> list[str]:
    """The texts in a list, or the one text."""
    return [item for item in entries(value) if isinstance(item, str)]


def within(value: Any, *keys: str) -> Any:
    """What stands in nested mappings under ``keys``; None when any is missing."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


class View:
    """A template, with the questions that rules ask about it."""

    def __init__(
        self, template: Template, resources: dict[str, Resource], sources: Sources
    ) -> None:
        """Look at ``resources``: those of the template whose properties have the right shapes."""
        self.template = template
        self.document: Document = template.document
        self.resources = resources
        self.sources = sources
        self._pseudo = {
            "AWS::AccountId": ACCOUNT,
            "AWS::Partition": "aws",
            "AWS::Region": template.region,
            "AWS::StackName": f"{template.service}-{template.stage}",
            "AWS::URLSuffix": "amazonaws.com",
        }
        self._named = {
            (resource.type, name): resource
            for resource in resources.values()
            if (name := self.name(resource)) is not None
        }

    @cached_property
    def region(self) -> str | None:
        """The region that the file says; None when a deploy may be told another."""
        return self.template.region if self.written(("provider", "region")) else None

    # --- Resources

    def of(self, kind: str) -> list[Resource]:
        """The resources of one type."""
        return [resource for resource in self.resources.values() if resource.type == kind]

    def name(self, resource: Resource) -> str | None:
        """The physical name, as far as it is text; references in it stand as ``${…}``."""
        key = _NAMES.get(resource.type)
        return self.text(resource.properties.get(key)) if key else None

    def called(self, kind: str, name: str) -> Resource | None:
        """The resource of a type that has a physical name."""
        return self._named.get((kind, name))

    def text(self, value: Any) -> str | None:
        """A value as text, references in it as ``${…}``; None when it is no text."""
        if isinstance(value, str):
            return value
        if not isinstance(value, dict) or len(value) != 1:
            return None
        ((key, inner),) = value.items()
        match key, inner:
            case "Ref", str():
                return self._pseudo.get(inner, f"${{{inner}}}")
            case "Fn::GetAtt", [str(identity), str(attribute)]:
                return f"${{{identity}.{attribute}}}"
            case "Fn::Sub", str():
                return _SUB.sub(lambda m: self._pseudo.get(m[1], m[0]), inner)
            case "Fn::Sub", [str(form), dict(extra)]:
                own = {name: self.text(given) for name, given in extra.items()}
                return _SUB.sub(lambda m: own.get(m[1]) or self._pseudo.get(m[1], m[0]), form)
            case "Fn::Join", [str(separator), list(parts)]:
                given = [self.text(part) for part in parts]
                return None if None in given else separator.join(map(str, given))
        return None

    def target(self, value: Any) -> Resource | None:
        """The resource that a reference, an ARN or a sub-expression names, if it is an own one."""
        text = self.text(value)
        if text is None:
            return None
        if whole_reference := _SUB.fullmatch(text):
            return self.resources.get(whole_reference[1].split(".", 1)[0])
        kind = arn_type(text)
        if kind is None:
            return None
        region = text.split(":")[3:4]
        if region and region[0] not in ("", self.template.region):
            return None
        name = text.split(":", 5)[-1].removeprefix("function:").removeprefix("event-bus/")
        if kind == "AWS::DynamoDB::Table":
            name = name.removeprefix("table/").split("/")[0]
        name = name.removeprefix("stream/").removesuffix(":$LATEST")
        return self.called(kind, name)

    def at(self, resource: Resource, *keys: str | int) -> KeyPath:
        """Where a property of a resource is written; what has no place of its own is its owner."""
        return written_at(self.document, resource, *keys)

    def written(self, path: KeyPath) -> Any:
        """What stands at a path of the file, variables resolved; None for what is not there."""
        node: Any = self.document.data
        for part in path:
            match node, part:
                case dict(), str():
                    node = node.get(part)
                case list(), int() if part < len(node):
                    node = node[part]
                case _:
                    return None
        return node

    # --- Functions and what invokes them

    @cached_property
    def functions(self) -> list[Resource]:
        """The functions."""
        return self.of(FUNCTION)

    def timeout(self, function: Resource) -> int:
        """The time-out of a function, in seconds."""
        return whole(function.properties.get("Timeout"), 3) or 3

    @cached_property
    def mappings(self) -> list[Mapping]:
        """All event source mappings."""
        found = []
        for resource in self.of(MAPPING):
            arn = resource.properties["EventSourceArn"]
            source = self.target(arn)
            kind = source.type if source else arn_type(self.text(arn) or "") or ""
            function = self.function(resource.properties["FunctionName"])
            found.append(Mapping(resource, function, source, kind))
        return found

    @property
    def queue_mappings(self) -> list[Mapping]:
        """The event source mappings on queues."""
        return [mapping for mapping in self.mappings if mapping.service == QUEUE]

    def function(self, value: Any) -> Resource | None:
        """The function that a name, an ARN or a reference names."""
        found = self.target(value)
        if found is None and isinstance(value, str):
            found = self.called(FUNCTION, value)
        return found if found is not None and found.type == FUNCTION else None

    def behind_url(self, value: Any) -> Resource | None:
        """The function of this file that answers at an address, when that is its function URL."""
        found = self.target(value)
        if found is None or found.type != "AWS::Lambda::Url":
            return None
        return self.function(found.properties["TargetFunctionArn"])

    @cached_property
    def targets(self) -> list[Target]:
        """The targets of all rules."""
        return [
            Target(resource, index, body, self.target(body.get("Arn")), at)
            for resource in self.of(RULE)
            for index, body in enumerate(mappings_in(resource.properties.get("Targets")))
            for at in [self.at(resource, "Targets", index)]
        ]

    @cached_property
    def invocations(self) -> list[Invocation]:
        """Everything that invokes a function asynchronously."""
        return list(self._invocations())

    def _invocations(self) -> Iterator[Invocation]:
        for target in self.targets:
            if target.to is not None and target.to.type == FUNCTION:
                yield Invocation(target.to, target.rule, target.at, "events.amazonaws.com")
        for subscription in self.of(SUBSCRIPTION):
            function = self.function(subscription.properties["Endpoint"])
            if subscription.properties["Protocol"] == "lambda" and function:
                at = self.at(subscription, "Endpoint")
                yield Invocation(function, subscription, at, "sns.amazonaws.com")
        yield from self._invocations_of_topics()
        yield from self._invocations_of_buckets()
        for config in (*self.of(INVOKE_CONFIG), *self.of(MAPPING)):
            for name in ("OnSuccess", "OnFailure"):
                value = within(config.properties, "DestinationConfig", name, "Destination")
                if function := self.function(value):
                    at = self.at(config, "DestinationConfig", name)
                    yield Invocation(function, config, at, None)

        for action in self.mail_actions:
            function = self.function(action.body.get("FunctionArn"))
            if function and action.kind == "LambdaAction" and not action.waits:
                yield Invocation(function, action.rule, action.at, "ses.amazonaws.com")

        for schedule in self.of(SCHEDULE):
            if function := self.function(within(schedule.properties, "Target", "Arn")):
                # In the role that the schedule has.
                yield Invocation(function, schedule, self.at(schedule, "Target"), None)
        yield from self._invocations_by_pipes_and_logs()
        yield from self._invocations_by_apis_and_alarms()
        yield from self._invocations_by_code()

    def _invocations_of_buckets(self) -> Iterator[Invocation]:
        for bucket in self.of(BUCKET):
            for index, body in enumerate(notifications(bucket)):
                if function := self.function(body.get("Function")):
                    at = self.notification_at(bucket, index)
                    yield Invocation(function, bucket, at, "s3.amazonaws.com")
        for added in self.of("Custom::S3"):
            if function := self.called(FUNCTION, str(added.properties["FunctionName"])):
                # With it comes the bucket's permission.
                yield Invocation(function, added, added.path, None)

    @cached_property
    def mail_actions(self) -> list[MailAction]:
        """The actions of all receipt rules."""
        return [
            MailAction(rule, index, kind, body, self.at(rule, "Rule", "Actions", index, kind))
            for rule in self.of(RECEIPT_RULE)
            for index, action in enumerate(mappings_in(within(rule.properties, "Rule", "Actions")))
            for kind, body in action.items()
            if isinstance(body, dict)
        ]

    def _invocations_by_pipes_and_logs(self) -> Iterator[Invocation]:
        for one in self.of(LOG_FILTER):
            if function := self.function(one.properties["DestinationArn"]):
                at = self.at(one, "DestinationArn")
                yield Invocation(function, one, at, "logs.amazonaws.com")
        for pipe in self.of(PIPE):
            parameters = within(pipe.properties, "TargetParameters", "LambdaFunctionParameters")
            function = self.function(pipe.properties["Target"])
            if function and within(parameters, "InvocationType") == "FIRE_AND_FORGET":
                yield Invocation(function, pipe, self.at(pipe, "Target"), None)

    def _invocations_by_apis_and_alarms(self) -> Iterator[Invocation]:
        for method in self.of("AWS::ApiGateway::Method"):
            integration = method.properties.get("Integration")
            found = _IN_URI.search(self.text(within(integration, "Uri")) or "")
            function = self.function(found[1]) if found and is_event(method) else None
            if function:
                at = self.at(method, "Integration", "RequestParameters", _INVOCATION_TYPE)
                yield Invocation(function, method, at, None)
        for alarm, name, index, value in self.alarm_actions:
            if function := self.function(value):
                at = self.at(alarm, name, index)
                yield Invocation(function, alarm, at, "lambda.alarms.cloudwatch.amazonaws.com")

    @cached_property
    def alarm_actions(self) -> list[tuple[Resource, str, int, Any]]:
        """Each action of each alarm: the alarm, the list, the place in it, and the ARN."""
        return [
            (alarm, name, index, value)
            for kind in ALARMS
            for alarm in self.of(kind)
            for name in ALARM_ACTIONS
            for index, value in enumerate(entries(alarm.properties.get(name)))
        ]

    def _invocations_by_code(self) -> Iterator[Invocation]:
        """The functions that code invokes by a name that is a literal or in its environment."""
        for caller in self.functions:
            for call in self.sources.code(caller).calls:
                kind = call.method == "invoke" and call.argument("InvocationType")
                if not kind or self.sources.constant(call.module, kind) != "Event":
                    continue
                name = call.argument("FunctionName")
                if function := self.function(self.value(caller, call, name)):
                    yield Invocation(function, caller, call.place, None)

    def value(self, function: Resource, call: Call, node: ast.expr | None) -> Any:
        """A text in the code, or what the function's environment has; None when unknown."""
        if node is None or (isinstance(node, ast.Name) and node.id in parameters(call.inside)):
            return None
        if (text := self.sources.constant(call.module, node)) is not None:
            return text
        _, node = self.sources.follow(call.module, node)
        name = environment_name(node)
        return name and within(function.properties, "Environment", "Variables", name)

    def _invocations_of_topics(self) -> Iterator[Invocation]:
        for topic in self.of(TOPIC):
            for index, body in enumerate(mappings_in(topic.properties.get("Subscription"))):
                function = self.function(body.get("Endpoint"))
                if body.get("Protocol") == "lambda" and function:
                    at = self.at(topic, "Subscription", index)
                    at = self._trigger(topic, function, "sns.amazonaws.com") or at
                    yield Invocation(function, topic, at, "sns.amazonaws.com")

    def notification_at(self, bucket: Resource, index: int) -> KeyPath:
        """Where a Lambda notification of a bucket is written."""
        body = notifications(bucket)[index]
        if bucket.path[:1] == ("resources",):
            return self.at(bucket, "NotificationConfiguration", "LambdaConfigurations", index)
        function = self.function(body.get("Function"))
        same = [b for b in notifications(bucket)[:index] if b.get("Function") == body["Function"]]
        found = function and self._trigger(bucket, function, "s3.amazonaws.com", len(same))
        return found or bucket.path

    def told(self, bucket: Resource) -> list[Told]:
        """The notifications of a bucket to queues and topics."""
        configuration = bucket.properties.get("NotificationConfiguration")
        return [
            Told(body, self.target(body.get(to)), at)
            for kind, to in (("QueueConfigurations", "Queue"), ("TopicConfigurations", "Topic"))
            for index, body in enumerate(mappings_in(within(configuration, kind)))
            for at in [self.at(bucket, "NotificationConfiguration", kind, index)]
        ]

    def _trigger(
        self, sender: Resource, function: Resource, principal: str, number: int = 0
    ) -> KeyPath | None:
        """The path of the trigger that a permission of the function was made for.

        Several triggers of one function and sender share a permission, which has the path of the
        first: the ``number``-th of the same type among the function's events is meant.
        """
        if sender.path[:1] == ("resources",):
            return None
        name = self.name(sender) or ""
        for permission in self.of(PERMISSION):
            source = self.text(permission.properties.get("SourceArn")) or ""
            if (
                permission.properties["Principal"] == principal
                and self.function(permission.properties["FunctionName"]) is function
                and re.split("[:/]", source)[-1] == name
                and permission.path[:1] == ("functions",)
            ):
                first = permission.path
                if number and len(first) == 5 and isinstance(first[3], int):
                    lines = self.document.lines
                    places = [
                        place
                        for i in range(first[3], first[3] + 200)
                        if (place := (*first[:3], i, first[4])) in lines
                    ]
                    return places[number] if number < len(places) else first
                return first
        return None

    def invoke_config(self, function: Resource) -> Resource | None:
        """The settings of the asynchronous invocation of a function."""
        return next(
            (
                config
                for config in self.of(INVOKE_CONFIG)
                if self.function(config.properties["FunctionName"]) is function
                and config.properties.get("Qualifier") == "$LATEST"
            ),
            None,
        )

    def on_failure(self, function: Resource) -> Any:
        """Where a function's asynchronous invocations end that failed, or None.

        Its on-failure destination, else its dead-letter queue.
        """
        config = self.invoke_config(function)
        keys = ("DestinationConfig", "OnFailure", "Destination")
        destination = config and within(config.properties, *keys)
        return destination or within(function.properties, "DeadLetterConfig", "TargetArn")

    def bus(self, value: Any) -> str:
        """A bus, as text that equal buses share: the logical id of an own one, or its name."""
        if value is None:
            return "default"
        text = self.text(value) or ""
        own = self.target(value) or self.called(BUS, text)
        if own is not None:
            return own.logical_id
        return text.rpartition("/")[2] if text.startswith("arn:") else text


def arn_type(arn: str) -> str | None:
    """The type of what an ARN names: ``AWS::SQS::Queue``; None for what is no ARN of these."""
    parts = arn.split(":")
    if len(parts) < 6 or parts[0] != "arn":
        return None
    return _ARN_TYPES.get(f"arn:*:{parts[2]}")


def is_event(method: Resource) -> bool:
    """Whether a method of a REST API has its function invoked and does not wait for it."""
    integration = method.properties.get("Integration")
    return bool(within(integration, "RequestParameters", _INVOCATION_TYPE) == "'Event'")


def qualified(view: View, value: Any) -> Resource | None:
    """The function that an own alias or version of it names."""
    found = view.target(value)
    if found is None or found.type not in ("AWS::Lambda::Alias", "AWS::Lambda::Version"):
        return None
    return view.function(found.properties["FunctionName"])


def notifications(bucket: Resource) -> list[dict[str, Any]]:
    """The notifications of a bucket to functions."""
    configuration = bucket.properties.get("NotificationConfiguration")
    return mappings_in(within(configuration, "LambdaConfigurations"))


def own_name(resource: Resource) -> str:
    """How a resource is called in a sentence: a function by its key, others by logical id."""
    if resource.path[:1] == ("functions",):
        return f"functions.{resource.path[1]}"
    return resource.logical_id
