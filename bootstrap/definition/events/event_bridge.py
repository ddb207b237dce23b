"""``eventBridge``: a rule on a bus, or on a schedule (Serverless guide, "EventBridge")."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, override

from pydantic import Field

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
from bootstrap.definition.parsing import Model, Reference
from bootstrap.definition.sample_event import sample_of
from bootstrap.definition.schedule import schedule_problem
from bootstrap.services.base import found
from bootstrap.settings import Settings
from bootstrap.template import Resource

if TYPE_CHECKING:
    from bootstrap.definition.model import Service

_GONE = "ResourceNotFoundException"


class RetryPolicy(Model):
    """How long a target is tried: age in seconds, and retries after the first try."""

    maximumEventAge: int | None = Field(None, ge=60, le=86400)
    maximumRetryAttempts: int | None = Field(None, ge=0, le=185)


class InputTransformer(Model):
    """The event that a target gets: a template, and paths that fill its variables."""

    inputTemplate: str = Field(min_length=1, max_length=8192)
    inputPathsMap: dict[str, str] | None = None

    def properties(self) -> dict[str, Any]:
        """``InputTransformer`` of a target."""
        paths = {} if self.inputPathsMap is None else {"InputPathsMap": self.inputPathsMap}
        return {"InputTemplate": self.inputTemplate, **paths}


class EventBridgeEvent(Model):
    """``eventBridge`` under ``events``: a rule with a pattern or a schedule, and its target."""

    name: str | None = Field(None, pattern=r"^[\.\-_A-Za-z0-9]{1,64}$")
    description: str | None = Field(None, max_length=512)
    enabled: bool = True
    eventBus: Annotated[str, Field(min_length=1)] | dict[str, Any] | None = None
    pattern: dict[str, Any] | None = Field(None, min_length=1)
    schedule: str | None = None
    input: dict[str, Any] | None = None
    inputPath: str | None = None
    inputTransformer: InputTransformer | None = None
    retryPolicy: RetryPolicy | None = None
    deadLetterQueueArn: Reference | None = None


class _Undelivered(FailurePath):
    """An event that a rule's target did not take (EventBridge, "Using dead-letter queues")."""

    def queues(self, settings: Settings, queues: Mapping[str, dict[str, Any]]) -> Iterator[str]:
        events = settings.client("events")
        for bus in events.list_event_buses()["EventBuses"]:
            name = bus["Name"]
            rules = found(partial(events.list_rules, EventBusName=name), _GONE)
            for rule in (rules or {}).get("Rules", []):
                read = partial(events.list_targets_by_rule, Rule=rule["Name"], EventBusName=name)
                for target in (found(read, _GONE) or {}).get("Targets", []):
                    if dead_letter := target.get("DeadLetterConfig", {}).get("Arn"):
                        yield dead_letter

    def read(self, message: dict[str, Any]) -> DeadLetter | None:
        text = text_attributes(message)
        if "RULE_ARN" not in text:
            return None
        rule = text["RULE_ARN"].rsplit("/", 1)[-1]
        reason = f"{text.get('ERROR_CODE', '')}: {text.get('ERROR_MESSAGE', '')}"
        origin = f"rule {rule} → {text.get('TARGET_ARN', '')}"
        return DeadLetter(origin, reason, message["Body"], message)

    def send_back(self, settings: Settings, letter: DeadLetter) -> None:
        import requests

        attributes = letter.message["MessageAttributes"]
        answer = requests.post(
            f"{settings.endpoint_url}/_trigger_stack/events/deliver",
            json={
                "ruleArn": attributes["RULE_ARN"]["StringValue"],
                "targetArn": attributes["TARGET_ARN"]["StringValue"],
                "event": json.loads(letter.payload),
            },
            timeout=30,
        )
        if not answer.ok:
            raise RuntimeError(answer.text)


#: The failure path of every event type that is a rule with a target.
UNDELIVERED = _Undelivered()


class EventBridgeSettings(Model):
    """``provider.eventBridge``."""

    useCloudFormation: bool = True


class EventBridge(EventType[EventBridgeEvent]):
    """A rule invokes the function asynchronously; what it cannot deliver is a failure, too."""

    key = "eventBridge"
    model = EventBridgeEvent
    # How the framework makes buses and rules; here they are made one way.
    provider_settings: ClassVar = {
        "eventBridge": (EventBridgeSettings, EventBridgeSettings.model_construct())
    }
    failures = (UNDELIVERED, ASYNCHRONOUS_INVOCATION)

    def long_form(self, body: Any) -> Any:
        """There is no short form."""
        return body

    @override
    def check(
        self, trigger: Trigger[EventBridgeEvent], service: Service, document: Document
    ) -> None:
        event, path, name = trigger.event, trigger.path, f"functions.{trigger.key}"
        if event.pattern is None and event.schedule is None:
            document.fail(f"{name}: eventBridge needs a pattern, a schedule, or both.", *path)
        if event.schedule is not None and (problem := schedule_problem(event.schedule)):
            sentence = f"{name}: the schedule “{event.schedule}” {problem}."
            document.fail(sentence, *path, "schedule")
        if event.schedule and _bus_name(event.eventBus) is not None:
            document.fail(f"{name}: schedules run on the default bus only.", *path, "eventBus")
        if sum(x is not None for x in (event.input, event.inputPath, event.inputTransformer)) > 1:
            document.fail(f"{name}: use one of input, inputPath and inputTransformer.", *path)

    @override
    def permissions(
        self, triggers: Sequence[Trigger[EventBridgeEvent]], service: Service
    ) -> Iterator[Resource]:
        for trigger in triggers:
            bus = _bus_name(trigger.event.eventBus)
            rule = ["rule", *([] if bus is None else [bus]), _rule_name(trigger)]
            source = [
                "arn",
                {"Ref": "AWS::Partition"},
                "events",
                {"Ref": "AWS::Region"},
                {"Ref": "AWS::AccountId"},
                {"Fn::Join": ["/", rule]},
            ]
            yield invoke_permission(
                f"{naming.normalized(trigger.key)}EventBridgeLambdaPermission{trigger.index + 1}",
                trigger,
                "events.amazonaws.com",
                {"Fn::Join": [":", source]},
            )

    def role_statements(
        self, triggers: Sequence[Trigger[EventBridgeEvent]]
    ) -> Iterator[dict[str, Any]]:
        """None: EventBridge calls the function."""
        yield from ()

    def resources(
        self, triggers: Sequence[Trigger[EventBridgeEvent]], service: Service, document: Document
    ) -> Iterator[Resource]:
        """The rules with their targets; a bus named in plain text is made, too, once."""
        buses: set[str] = set()
        for trigger in triggers:
            bus, needs = trigger.event.eventBus, list[str]()
            if isinstance(bus, str) and bus != "default" and not bus.startswith("arn"):
                needs = [naming.event_bus_id(bus)]
                if bus not in buses:
                    kind = "AWS::Events::EventBus"
                    yield Resource(needs[0], kind, {"Name": bus}, trigger.path)
                buses.add(bus)
            logical_id = naming.alphanumeric(f"{trigger.function}-rule-{trigger.index + 1}")
            yield Resource(
                f"{logical_id}EventBridgeRule",
                "AWS::Events::Rule",
                _rule(trigger),
                trigger.path,
                tuple(needs),
            )

    @override
    def example(
        self, trigger: Trigger[EventBridgeEvent], service: Service, settings: Settings
    ) -> Example:
        event, rule = trigger.event, _rule_name(trigger)
        if event.schedule:
            return Example(f"schedule {event.schedule}", f"make fire-schedule RULE={rule}")
        return example_of_pattern(event, trigger.function, rule, service, settings)


def example_of_pattern(
    event: EventBridgeEvent, function: str, rule: str, service: Service, settings: Settings
) -> Example:
    """How to fire a rule with a pattern.

    Args:
        function: the name of its target.
        rule: its name.
    """
    entry = _entry(event, service, rule)
    if entry is None:
        document = shlex.quote(json.dumps(_document(event, service)))
        invoke = f"lambda invoke --function-name {function} --invocation-type Event"
        command = f"{awslocal(settings)} {invoke} --payload {document} /dev/stdout"
        return Example(f"bus rule {rule}", command)
    entries = shlex.quote(json.dumps([entry]))
    command = f"{awslocal(settings)} events put-events --entries {entries}"
    return Example(f"bus rule {rule}", command)


def _entry(event: EventBridgeEvent, service: Service, rule: str) -> dict[str, str] | None:
    """An entry of ``PutEvents`` that the rule matches; None: only AWS publishes such events."""
    sample = sample_of(event.pattern or {})
    source, kind = sample.get("source"), sample.get("detail-type", "example")
    bus = _bus_name(event.eventBus)
    if isinstance(bus, Mapping):
        name = next(iter(bus.values()))
        name = name[0] if isinstance(name, list) else name
        resource = service.resources.Resources.get(str(name), {})
        bus = resource.get("Properties", {}).get("Name")
        if not isinstance(bus, str):
            return None
    if not isinstance(source, str) or source.startswith("aws.") or not isinstance(kind, str):
        return None
    detail = service.samples.body(rule) or json.dumps(sample.get("detail", {}))
    entry = {"Source": source, "DetailType": kind, "Detail": detail}
    return {"EventBusName": str(bus), **entry} if bus else entry


def _document(event: EventBridgeEvent, service: Service) -> dict[str, Any]:
    """The event that the function would get, where ``PutEvents`` takes none that matches.

    EventBridge User Guide, "AWS service events": nobody else may send a source ``aws.…``.
    """
    return {
        "version": "0",
        "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
        "detail-type": "example",
        "source": "example",
        "account": "000000000000",
        "time": "2026-01-31T12:00:00Z",
        "region": service.provider.region,
        "resources": [],
        "detail": {},
    } | sample_of(event.pattern or {})


def _rule_name(trigger: Trigger[EventBridgeEvent]) -> str:
    """The rule's name, as the framework makes it when the file gives none."""
    suffix = f"rule-{trigger.index + 1}"
    return trigger.event.name or _at_most_64(f"{trigger.function}-{suffix}", suffix)


def _rule(trigger: Trigger[EventBridgeEvent]) -> dict[str, Any]:
    event = trigger.event
    rule: dict[str, Any] = {
        "Name": _rule_name(trigger),
        "State": "ENABLED" if event.enabled else "DISABLED",
        "Targets": [_target(trigger)],
    }
    optional = {
        "Description": event.description,
        "EventBusName": _bus_name(event.eventBus),
        "EventPattern": event.pattern,
        "ScheduleExpression": event.schedule,
    }
    return rule | {key: value for key, value in optional.items() if value is not None}


def _bus_name(bus: Reference | None) -> Reference | None:
    """The name of a bus that is given by name, ARN or reference; None for the default bus."""
    if isinstance(bus, str) and bus.startswith("arn"):
        bus = bus.partition("/")[2]
    return None if bus == "default" else bus


def _at_most_64(name: str, suffix: str) -> str:
    """EventBridge's limit; a longer name is cut and told apart by a hash, as the framework does."""
    if len(name) <= 64:
        return name
    digest = hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()
    return f"{name[: 31 - len(suffix)]}{digest}-{suffix}"


def _target(trigger: Trigger[EventBridgeEvent]) -> dict[str, Any]:
    event = trigger.event
    target: dict[str, Any] = {
        "Arn": trigger.function_arn,
        "Id": _at_most_64(f"{_rule_name(trigger)}-target", "target"),
    }
    if event.input is not None:
        target["Input"] = event.input
    if event.inputPath is not None:
        target["InputPath"] = event.inputPath
    if event.inputTransformer is not None:
        target["InputTransformer"] = event.inputTransformer.properties()
    if event.retryPolicy is not None:
        given = {
            "MaximumEventAgeInSeconds": event.retryPolicy.maximumEventAge,
            "MaximumRetryAttempts": event.retryPolicy.maximumRetryAttempts,
        }
        target["RetryPolicy"] = {k: v for k, v in given.items() if v is not None}
    if event.deadLetterQueueArn is not None:
        target["DeadLetterConfig"] = {"Arn": event.deadLetterQueueArn}
    return target
