"""``cloudwatchEvent``: a rule on the default bus (Serverless guide, "CloudWatch Event").

The older spelling of ``eventBridge`` with a pattern, without a bus, retries and dead letters.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, override

from pydantic import Field

from bootstrap.definition import naming
from bootstrap.definition.document import Document
from bootstrap.definition.events.base import EventType, Example, Trigger, invoke_permission
from bootstrap.definition.events.event_bridge import (
    UNDELIVERED,
    EventBridgeEvent,
    InputTransformer,
    example_of_pattern,
)
from bootstrap.definition.events.failures import ASYNCHRONOUS_INVOCATION
from bootstrap.definition.parsing import Model
from bootstrap.settings import Settings
from bootstrap.template import Resource

if TYPE_CHECKING:
    from bootstrap.definition.model import Service


class CloudwatchEventEvent(Model):
    """``cloudwatchEvent`` under ``events``: a pattern, and what the function gets."""

    event: dict[str, Any] = Field(min_length=1)
    input: Annotated[str, Field(max_length=8192)] | dict[str, Any] | None = None
    inputPath: str | None = Field(None, min_length=1, max_length=256)
    inputTransformer: InputTransformer | None = None
    description: str | None = Field(None, max_length=512)
    name: str | None = Field(None, pattern=r"^[\.\-_A-Za-z0-9]{1,64}$")
    enabled: bool = True


class CloudwatchEvent(EventType[CloudwatchEventEvent]):
    """A rule on the default bus invokes the function asynchronously."""

    key = "cloudwatchEvent"
    model = CloudwatchEventEvent
    failures = (UNDELIVERED, ASYNCHRONOUS_INVOCATION)

    def long_form(self, body: Any) -> Any:
        """There is no short form."""
        return body

    @override
    def check(
        self, trigger: Trigger[CloudwatchEventEvent], service: Service, document: Document
    ) -> None:
        event = trigger.event
        if sum(x is not None for x in (event.input, event.inputPath, event.inputTransformer)) > 1:
            document.fail(
                f"functions.{trigger.key}: use one of input, inputPath and inputTransformer.",
                *trigger.path,
            )

    @override
    def permissions(
        self, triggers: Sequence[Trigger[CloudwatchEventEvent]], service: Service
    ) -> Iterator[Resource]:
        for trigger, logical_id, number in _numbered(triggers):
            name = naming.normalized(trigger.key)
            yield invoke_permission(
                f"{name}LambdaPermissionEventsRuleCloudWatchEvent{number}",
                trigger,
                "events.amazonaws.com",
                {"Fn::GetAtt": [logical_id, "Arn"]},
            )

    def role_statements(
        self, triggers: Sequence[Trigger[CloudwatchEventEvent]]
    ) -> Iterator[dict[str, Any]]:
        """None: EventBridge calls the function."""
        yield from ()

    @override
    def resources(
        self,
        triggers: Sequence[Trigger[CloudwatchEventEvent]],
        service: Service,
        document: Document,
    ) -> Iterator[Resource]:
        for trigger, logical_id, _ in _numbered(triggers):
            yield Resource(logical_id, "AWS::Events::Rule", _rule(trigger), trigger.path)

    @override
    def example(
        self, trigger: Trigger[CloudwatchEventEvent], service: Service, settings: Settings
    ) -> Example:
        of_function = [
            one
            for one in service.triggers
            if one.key == trigger.key and isinstance(one.event, CloudwatchEventEvent)
        ]
        ids = {one.path: logical_id for one, logical_id, _ in _numbered(of_function)}
        name = trigger.event.name or naming.generated(service.service, ids[trigger.path])
        event = EventBridgeEvent.model_validate({"pattern": trigger.event.event})
        return example_of_pattern(event, trigger.function, name, service, settings)


def _numbered(
    triggers: Sequence[Trigger[CloudwatchEventEvent]],
) -> Iterator[tuple[Trigger[CloudwatchEventEvent], str, int]]:
    """Each trigger with the logical id of its rule, and its number among those of its function."""
    numbers: Counter[str] = Counter()
    for trigger in triggers:
        numbers[trigger.key] += 1
        number = numbers[trigger.key]
        name = naming.normalized(trigger.key)
        yield trigger, f"{name}EventsRuleCloudWatchEvent{number}", number


def _rule(trigger: Trigger[CloudwatchEventEvent]) -> dict[str, Any]:
    event = trigger.event
    given = event.input
    if isinstance(given, dict):
        given = json.dumps(given, separators=(",", ":"), ensure_ascii=False)
    target = {
        "Arn": trigger.function_arn,
        "Id": f"{trigger.key}CloudWatchEvent",
        "Input": given,
        "InputPath": event.inputPath,
        "InputTransformer": event.inputTransformer and event.inputTransformer.properties(),
    }
    rule = {
        "EventPattern": event.event,
        "State": "ENABLED" if event.enabled else "DISABLED",
        "Name": event.name,
        "Description": event.description,
        "Targets": [{key: value for key, value in target.items() if value is not None}],
    }
    return {key: value for key, value in rule.items() if value is not None}
