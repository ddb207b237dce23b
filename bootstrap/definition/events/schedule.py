"""``schedule``: a rule with a schedule, or a schedule of EventBridge Scheduler.

Serverless guide, "Schedule": ``method: eventBus`` (the default) or ``method: scheduler``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal, override

from pydantic import Field

from bootstrap.definition import naming
from bootstrap.definition.document import Document
from bootstrap.definition.events.base import (
    EventType,
    Example,
    Trigger,
    invoke_permission,
)
from bootstrap.definition.events.failures import (
    ASYNCHRONOUS_INVOCATION,
    DeadLetter,
    FailurePath,
    text_attributes,
)
from bootstrap.definition.parsing import Model, Reference
from bootstrap.definition.schedule import schedule_problem
from bootstrap.services.base import found
from bootstrap.settings import Settings
from bootstrap.template import Resource

if TYPE_CHECKING:
    from bootstrap.definition.model import Service

_GONE = "ResourceNotFoundException"
#: What each method alone understands.
_ONLY = {
    "eventBus": ("inputPath", "inputTransformer"),
    "scheduler": ("groupName", "roleArn", "timezone"),
}


class InputTransformer(Model):
    """The event that a target gets: a template, and paths that fill its variables."""

    inputTemplate: str = Field(min_length=1, max_length=8192)
    inputPathsMap: dict[str, str] | None = None


class ScheduleEvent(Model):
    """``schedule`` under ``events``: expressions, and what the function gets when one is due."""

    rate: Annotated[list[Reference], Field(min_length=1)]
    enabled: bool = True
    name: str | None = Field(None, pattern=r"^[\.\-_A-Za-z0-9]{1,64}$")
    description: str | None = Field(None, max_length=512)
    input: Annotated[str, Field(max_length=8192)] | dict[str, Any] | None = None
    inputPath: str | None = Field(None, max_length=256)
    inputTransformer: InputTransformer | None = None
    method: Literal["eventBus", "scheduler"] = "eventBus"
    roleArn: Reference | None = None
    groupName: Annotated[str, Field(pattern=r"^[0-9a-zA-Z-_.]{1,64}$")] | dict[str, Any] | None = (
        None
    )
    timezone: str | None = Field(None, pattern=r"^[\w\-+/]+$")


class _Undelivered(FailurePath):
    """An invocation that a schedule's target did not take.

    EventBridge Scheduler, "Configuring a schedule's dead-letter queue".
    """

    def queues(self, settings: Settings, queues: Mapping[str, dict[str, Any]]) -> Iterator[str]:
        scheduler = settings.client("scheduler")
        for page in scheduler.get_paginator("list_schedules").paginate():
            for one in page["Schedules"]:
                read = partial(scheduler.get_schedule, Name=one["Name"], GroupName=one["GroupName"])
                target = (found(read, _GONE) or {}).get("Target", {})
                if dead_letter := (target.get("DeadLetterConfig") or {}).get("Arn"):
                    yield dead_letter

    def read(self, message: dict[str, Any]) -> DeadLetter | None:
        text = text_attributes(message)
        if "SCHEDULE_ARN" not in text:
            return None
        schedule = text["SCHEDULE_ARN"].partition(":schedule/")[2]
        reason = f"{text.get('ERROR_CODE', '')}: {text.get('ERROR_MESSAGE', '')}"
        origin = f"schedule {schedule} → {text.get('TARGET_ARN', '')}"
        return DeadLetter(origin, reason, message["Body"], message)

    def send_back(self, settings: Settings, letter: DeadLetter) -> None:
        # Imported here: make check asks nobody.
        import requests

        text = text_attributes(letter.message)
        answer = requests.post(
            f"{settings.endpoint_url}/_trigger_stack/scheduler/deliver",
            json={
                "scheduleArn": text["SCHEDULE_ARN"],
                "targetArn": text["TARGET_ARN"],
                "input": letter.payload,
            },
            timeout=30,
        )
        if not answer.ok:
            raise RuntimeError(answer.text)


class Schedule(EventType[ScheduleEvent]):
    """EventBridge or EventBridge Scheduler invokes the function asynchronously."""

    key = "schedule"
    model = ScheduleEvent
    failures = (_Undelivered(), ASYNCHRONOUS_INVOCATION)

    @override
    def long_form(self, body: Any) -> Any:
        """``rate(1 hour)``, or one expression where a list may stand."""
        if isinstance(body, str):
            return {"rate": [body]}
        if isinstance(body, dict) and "rate" in body and not isinstance(body["rate"], list):
            return body | {"rate": [body["rate"]]}
        return body

    @override
    def check(self, trigger: Trigger[ScheduleEvent], service: Service, document: Document) -> None:
        event, path, name = trigger.event, trigger.path, f"functions.{trigger.key}"
        for rate in event.rate:
            if isinstance(rate, str) and (problem := schedule_problem(rate)):
                document.fail(f"{name}: the schedule “{rate}” {problem}.", *path)
        if event.name and len(event.rate) > 1:
            document.fail(f"{name}: several rates cannot share one name.", *path, "name")
        for method, keys in _ONLY.items():
            for key in keys if method != event.method else ():
                if getattr(event, key) is not None:
                    sentence = f"{name}: {key} is for method: {method} only."
                    document.fail(sentence, *path, key)
        body = event.input.get("body") if isinstance(event.input, dict) else None
        if isinstance(body, str) and (len(event.input or {}) > 1 or not _is_json(body)):
            document.fail(f"{name}: body must be JSON, and alone.", *path, "input")

    @override
    def permissions(
        self, triggers: Sequence[Trigger[ScheduleEvent]], service: Service
    ) -> Iterator[Resource]:
        """For rules only: EventBridge Scheduler calls the function with the execution role."""
        for trigger, number, _ in _numbered(triggers, "eventBus"):
            normalized = naming.normalized(trigger.key)
            yield invoke_permission(
                f"{normalized}LambdaPermissionEventsRuleSchedule{number}",
                trigger,
                "events.amazonaws.com",
                {"Fn::GetAtt": [_logical_id(trigger, number), "Arn"]},
            )

    @override
    def role_statements(
        self, triggers: Sequence[Trigger[ScheduleEvent]]
    ) -> Iterator[dict[str, Any]]:
        """EventBridge Scheduler assumes the execution role to invoke the function."""
        arn = "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:"
        for name in dict.fromkeys(t.function for t, _, _ in _numbered(triggers, "scheduler")):
            yield {
                "Effect": "Allow",
                "Action": ["lambda:InvokeFunction"],
                "Resource": [{"Fn::Sub": f"{arn}{name}"}, {"Fn::Sub": f"{arn}{name}:*"}],
            }

    @override
    def role_principals(self, triggers: Sequence[Trigger[ScheduleEvent]]) -> Iterator[str]:
        if any(_numbered(triggers, "scheduler")):
            yield "scheduler.amazonaws.com"

    @override
    def resources(
        self, triggers: Sequence[Trigger[ScheduleEvent]], service: Service, document: Document
    ) -> Iterator[Resource]:
        for trigger, number, rate in _numbered(triggers, "eventBus"):
            kind, logical_id = "AWS::Events::Rule", _logical_id(trigger, number)
            yield Resource(logical_id, kind, _rule(trigger, rate), trigger.path)
        for trigger, number, rate in _numbered(triggers, "scheduler"):
            kind, logical_id = "AWS::Scheduler::Schedule", _logical_id(trigger, number)
            yield Resource(logical_id, kind, _schedule(trigger, rate), trigger.path)

    @override
    def example(
        self, trigger: Trigger[ScheduleEvent], service: Service, settings: Settings
    ) -> Example:
        all_of_function = [
            one
            for one in service.triggers
            if one.key == trigger.key and isinstance(one.event, ScheduleEvent)
        ]
        numbers = [n for one, n, _ in _numbered(all_of_function) if one.path == trigger.path]
        name = trigger.event.name or naming.generated(
            service.service, _logical_id(trigger, numbers[0])
        )
        rates = ", ".join(str(rate) for rate in trigger.event.rate)
        zone = f" {trigger.event.timezone}" if trigger.event.timezone else ""
        return Example(f"schedule {rates}{zone}", f"make fire-schedule RULE={name}")


def _numbered(
    triggers: Sequence[Trigger[ScheduleEvent]], method: str | None = None
) -> Iterator[tuple[Trigger[ScheduleEvent], int, Reference]]:
    """Each expression, with its number among all of its function; those of one method only."""
    numbers: dict[str, int] = {}
    for trigger in triggers:
        for rate in trigger.event.rate:
            number = numbers[trigger.key] = numbers.get(trigger.key, 0) + 1
            if method in (None, trigger.event.method):
                yield trigger, number, rate


def _logical_id(trigger: Trigger[ScheduleEvent], number: int) -> str:
    kind = "EventsRule" if trigger.event.method == "eventBus" else "Scheduler"
    return f"{naming.normalized(trigger.key)}{kind}Schedule{number}"


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _input(event: ScheduleEvent) -> str | None:
    given = event.input
    if not isinstance(given, dict):
        return given
    if isinstance(given.get("body"), str):
        given = {"body": json.loads(given["body"])}
    return json.dumps(given, separators=(",", ":"), ensure_ascii=False)


def _given(properties: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in properties.items() if value is not None}


def _rule(trigger: Trigger[ScheduleEvent], rate: Reference) -> dict[str, Any]:
    event = trigger.event
    transformer = event.inputTransformer
    target = {
        "Arn": trigger.function_arn,
        "Id": f"{trigger.key}Schedule",
        "Input": _input(event),
        "InputPath": event.inputPath,
        "InputTransformer": transformer
        and _given(
            {
                "InputTemplate": transformer.inputTemplate,
                "InputPathsMap": transformer.inputPathsMap,
            }
        ),
    }
    return _given(
        {
            "ScheduleExpression": rate,
            "State": "ENABLED" if event.enabled else "DISABLED",
            "Name": event.name,
            "Description": event.description,
            "Targets": [_given(target)],
        }
    )


def _schedule(trigger: Trigger[ScheduleEvent], rate: Reference) -> dict[str, Any]:
    event = trigger.event
    target = {
        "Arn": trigger.function_arn,
        "RoleArn": event.roleArn or {"Fn::GetAtt": [naming.ROLE_ID, "Arn"]},
        "Input": _input(event),
    }
    return _given(
        {
            "ScheduleExpression": rate,
            "State": "ENABLED" if event.enabled else "DISABLED",
            "Target": _given(target),
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "Name": event.name,
            "GroupName": event.groupName,
            "Description": event.description,
            "ScheduleExpressionTimezone": event.timezone,
        }
    )
