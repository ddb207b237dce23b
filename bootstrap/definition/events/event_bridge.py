"""``eventBridge``: a rule on a bus, or on a schedule (Serverless guide, "EventBridge")."""

from __future__ import annotations

import hashlib
from typing import Any

from bootstrap.definition import naming
from bootstrap.definition.document import KeyPath
from bootstrap.definition.model import EventBridgeEvent, Reference, Service, parse
from bootstrap.definition.schedule import schedule_problem
from bootstrap.template import Resource, Template


def compile_event(
    key: str, index: int, body: Any, path: KeyPath, service: Service, template: Template
) -> None:
    """Add the rule, its target and the permission for EventBridge to invoke the function.

    A bus that is named in plain text is made as well, once, as the framework does.

    Raises:
        DefinitionError: neither or both of pattern and schedule, a schedule that EventBridge
            would refuse, or two kinds of input.
    """
    event = parse(EventBridgeEvent, body, template.document, path)
    fail = template.document.fail
    if (event.pattern is None) == (event.schedule is None):
        fail(f"functions.{key}: eventBridge needs either a pattern or a schedule.", *path)
    if event.schedule and (problem := schedule_problem(event.schedule)):
        fail(f"functions.{key}: the schedule “{event.schedule}” {problem}.", *path, "schedule")
    bus = _bus_name(event.eventBus)
    if event.schedule and bus is not None:
        fail(f"functions.{key}: schedules run on the default bus only.", *path, "eventBus")
    if sum(x is not None for x in (event.input, event.inputPath, event.inputTransformer)) > 1:
        fail(
            f"functions.{key}: use one of input, inputPath and inputTransformer.",
            *path,
        )
    function = service.functions[key]
    number = index + 1
    default = f"{function.name or f'{service.service}-{service.provider.stage}-{key}'}"
    name = rule_name(default, index, event.name)
    rule: dict[str, Any] = {
        "Name": name,
        "State": "ENABLED" if event.enabled else "DISABLED",
        "Targets": [_target(key, name, event)],
    }
    optional = {
        "Description": event.description,
        "EventBusName": bus,
        "EventPattern": event.pattern,
        "ScheduleExpression": event.schedule,
    }
    rule.update({k: v for k, v in optional.items() if v is not None})
    base = naming.alphanumeric(f"{function.name or default}-rule-{number}")
    made = _add_bus(event.eventBus, path, template)
    template.add(Resource(f"{base}EventBridgeRule", "AWS::Events::Rule", rule, path, made))
    bus_part: list[Any] = [] if bus is None else [bus]
    template.add(
        Resource(
            f"{naming.normalized(key)}EventBridgeLambdaPermission{number}",
            "AWS::Lambda::Permission",
            {
                "Action": "lambda:InvokeFunction",
                "FunctionName": {"Fn::GetAtt": [naming.function_id(key), "Arn"]},
                "Principal": "events.amazonaws.com",
                "SourceArn": {
                    "Fn::Join": [
                        ":",
                        [
                            "arn",
                            {"Ref": "AWS::Partition"},
                            "events",
                            {"Ref": "AWS::Region"},
                            {"Ref": "AWS::AccountId"},
                            {"Fn::Join": ["/", ["rule", *bus_part, name]]},
                        ],
                    ]
                },
            },
            path,
        )
    )


def rule_name(function: str, index: int, given: str | None) -> str:
    """The rule's name, as the framework makes it when the file gives none.

    Args:
        function: Name of the function.
        index: Place of the event among the function's, from 0.
        given: The name in the file.
    """
    return given or _at_most_64(f"{function}-rule-{index + 1}", f"rule-{index + 1}")


def _bus_name(bus: Reference | None) -> Reference | None:
    """The name of a bus that is given by name, ARN or reference; None for the default bus."""
    if isinstance(bus, str) and bus.startswith("arn"):
        bus = bus.partition("/")[2]
    return None if bus == "default" else bus


def _add_bus(bus: Reference | None, path: KeyPath, template: Template) -> tuple[str, ...]:
    if not isinstance(bus, str) or bus == "default" or bus.startswith("arn"):
        return ()
    logical_id = naming.event_bus_id(bus)
    if logical_id not in template.resources:
        template.add(Resource(logical_id, "AWS::Events::EventBus", {"Name": bus}, path))
    return (logical_id,)


def _at_most_64(name: str, suffix: str) -> str:
    """EventBridge's limit; a longer name is cut and told apart by a hash, as the framework does."""
    if len(name) <= 64:
        return name
    digest = hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()
    return f"{name[: 31 - len(suffix)]}{digest}-{suffix}"


def _target(key: str, rule: str, event: EventBridgeEvent) -> dict[str, Any]:
    target: dict[str, Any] = {
        "Arn": {"Fn::GetAtt": [naming.function_id(key), "Arn"]},
        "Id": _at_most_64(f"{rule}-target", "target"),
    }
    if event.input is not None:
        target["Input"] = event.input
    if event.inputPath is not None:
        target["InputPath"] = event.inputPath
    if event.inputTransformer is not None:
        target["InputTransformer"] = {
            "InputTemplate": event.inputTransformer.inputTemplate,
            "InputPathsMap": event.inputTransformer.inputPathsMap,
        }
    if event.retryPolicy is not None:
        given = {
            "MaximumEventAgeInSeconds": event.retryPolicy.maximumEventAge,
            "MaximumRetryAttempts": event.retryPolicy.maximumRetryAttempts,
        }
        target["RetryPolicy"] = {k: v for k, v in given.items() if v is not None}
    if event.deadLetterQueueArn is not None:
        target["DeadLetterConfig"] = {"Arn": event.deadLetterQueueArn}
    return target
