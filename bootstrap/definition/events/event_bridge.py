"""``eventBridge``: a rule on a bus, or on a schedule (Serverless guide, "EventBridge")."""

from __future__ import annotations

from typing import Any

from bootstrap.definition import naming
from bootstrap.definition.document import KeyPath
from bootstrap.definition.model import EventBridgeEvent, Service, parse
from bootstrap.definition.schedule import schedule_problem
from bootstrap.template import Resource, Template


def compile_event(
    key: str, index: int, body: Any, path: KeyPath, service: Service, template: Template
) -> None:
    """Add the rule, its target and the permission for EventBridge to invoke the function.

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
    if event.schedule and event.eventBus is not None:
        fail(f"functions.{key}: schedules run on the default bus only.", *path, "eventBus")
    if sum(x is not None for x in (event.input, event.inputPath, event.inputTransformer)) > 1:
        fail(
            f"functions.{key}: use one of input, inputPath and inputTransformer.",
            *path,
        )
    function = service.functions[key]
    number = index + 1
    default = f"{function.name or f'{service.service}-{service.provider.stage}-{key}'}"
    name = event.name or f"{default}-rule-{number}"
    rule: dict[str, Any] = {
        "Name": name,
        "State": "ENABLED" if event.enabled else "DISABLED",
        "Targets": [_target(key, name, event)],
    }
    optional = {
        "Description": event.description,
        "EventBusName": event.eventBus,
        "EventPattern": event.pattern,
        "ScheduleExpression": event.schedule,
    }
    rule.update({k: v for k, v in optional.items() if v is not None})
    base = naming.alphanumeric(f"{function.name or default}-rule-{number}")
    template.add(Resource(f"{base}EventBridgeRule", "AWS::Events::Rule", rule, path))
    bus_part: list[Any] = [] if event.eventBus is None else [event.eventBus]
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


def _target(key: str, rule: str, event: EventBridgeEvent) -> dict[str, Any]:
    target: dict[str, Any] = {
        "Arn": {"Fn::GetAtt": [naming.function_id(key), "Arn"]},
        "Id": f"{rule}-target"[:64],
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
