"""Amazon EventBridge: buses and rules."""

from __future__ import annotations

import json
from typing import Any

from bootstrap.definition import naming
from bootstrap.services import shapes
from bootstrap.services.base import (
    Context,
    Key,
    Outcome,
    Properties,
    ResourceType,
    found,
    outcome_of,
    same_json,
    subset,
)
from bootstrap.template import Physical

_GONE = "ResourceNotFoundException"


def _bus(context: Context, logical_id: str, properties: Properties) -> tuple[Outcome, Physical]:
    events = context.client("events")
    name = properties["Name"]
    existing = found(lambda: events.describe_event_bus(Name=name), _GONE)
    if existing is None:
        arn = events.create_event_bus(Name=name)["EventBusArn"]
        return Outcome.CREATED, Physical(name, {"Arn": arn, "Name": name})
    return Outcome.UNCHANGED, Physical(name, {"Arn": existing["Arn"], "Name": name})


def _bus_exists(context: Context, key: Key) -> bool:
    events = context.client("events")
    return found(lambda: events.describe_event_bus(Name=key["Ref"]), _GONE) is not None


def _rule(context: Context, logical_id: str, properties: Properties) -> tuple[Outcome, Physical]:
    events = context.client("events")
    name = properties.get("Name") or naming.generated(context.service, logical_id)
    bus = {"EventBusName": properties["EventBusName"]} if "EventBusName" in properties else {}
    existing = found(lambda: events.describe_rule(Name=name, **bus), _GONE)
    different = existing is None or not _same_rule(properties, existing)
    if different:
        request: dict[str, Any] = {"Name": name, "State": properties.get("State", "ENABLED"), **bus}
        if "EventPattern" in properties:
            request["EventPattern"] = json.dumps(properties["EventPattern"])
        for key in ("ScheduleExpression", "Description"):
            if key in properties:
                request[key] = properties[key]
        answer = events.put_rule(**request)
    current = events.list_targets_by_rule(Rule=name, **bus)["Targets"] if existing else []
    changed = _targets(events, name, bus, properties.get("Targets", []), current)
    ref = f"{bus['EventBusName']}|{name}" if bus else name
    arn = existing["Arn"] if existing else answer["RuleArn"]
    return outcome_of(existing is None, different, changed), Physical(ref, {"Arn": arn})


def _same_rule(wanted: Properties, actual: dict[str, Any]) -> bool:
    if "EventPattern" in wanted:
        if not same_json(actual.get("EventPattern"), wanted["EventPattern"]):
            return False
    elif actual.get("EventPattern"):
        return False
    return (
        wanted.get("State", "ENABLED") == actual.get("State")
        and wanted.get("ScheduleExpression") == (actual.get("ScheduleExpression") or None)
        and (wanted.get("Description") or None) == (actual.get("Description") or None)
    )


def _targets(
    events: Any,
    rule: str,
    bus: dict[str, str],
    wanted: list[dict[str, Any]],
    actual: list[dict[str, Any]],
) -> bool:
    targets = [
        {**target, "Input": json.dumps(target["Input"])}
        if isinstance(target.get("Input"), dict)
        else target
        for target in wanted
    ]
    current = {target["Id"]: target for target in actual}
    stale = sorted(current.keys() - {target["Id"] for target in targets})
    different = [t for t in targets if not _same_target(t, current.get(t["Id"]))]
    if stale:
        events.remove_targets(Rule=rule, Ids=stale, **bus)
    if different:
        answer = events.put_targets(Rule=rule, Targets=different, **bus)
        if answer["FailedEntryCount"]:
            entry = answer["FailedEntries"][0]
            raise RuntimeError(f"target {entry['TargetId']}: {entry['ErrorMessage']}")
    return bool(stale or different)


def _same_target(wanted: dict[str, Any], actual: dict[str, Any] | None) -> bool:
    """EventBridge adds no defaults to a target: what it has beyond ``wanted`` must go."""
    return actual is not None and subset(wanted, actual) and subset(actual, wanted)


def _rule_keys(logical_id: str, properties: Properties, physical: Physical) -> list[Key]:
    bus = {"EventBusName": properties["EventBusName"]} if "EventBusName" in properties else {}
    return [{"Name": physical.ref.rpartition("|")[2], **bus}]


def _remove_rule(context: Context, key: Key) -> bool:
    events = context.client("events")
    name, bus = key["Name"], {k: v for k, v in key.items() if k == "EventBusName"}
    if found(lambda: events.describe_rule(**key), _GONE) is None:
        return False
    targets = events.list_targets_by_rule(Rule=name, **bus)["Targets"]
    if targets:
        events.remove_targets(Rule=name, Ids=[target["Id"] for target in targets], **bus)
    events.delete_rule(**key)
    return True


#: Other settings of a target are for targets that AWS's API knows better.
_TARGET = shapes.mapping(
    {"Id": shapes.text, "Arn": shapes.text},
    {
        "DeadLetterConfig": shapes.mapping({"Arn": shapes.text}),
        "Input": shapes.text_or_mapping,
        "InputPath": shapes.text,
        "InputTransformer": shapes.mapping(
            {"InputTemplate": shapes.text}, {"InputPathsMap": shapes.mapping_of(shapes.text)}
        ),
        "RetryPolicy": shapes.mapping(
            {},
            {
                "MaximumEventAgeInSeconds": shapes.number(60, 86_400),
                "MaximumRetryAttempts": shapes.number(0, 185),
            },
        ),
        "RoleArn": shapes.text,
    },
    open=True,
)

RESOURCE_TYPES = {
    "AWS::Events::EventBus": ResourceType(
        _bus,
        shapes.all_as_aws("Name"),
        exists=_bus_exists,
        delete_with="events delete-event-bus --name {Ref}",
        holds_data=False,
    ),
    "AWS::Events::Rule": ResourceType(
        _rule,
        {},
        {
            **shapes.all_as_aws(
                "Name", "Description", "EventBusName", "EventPattern", "ScheduleExpression"
            ),
            "State": shapes.one_of("ENABLED", "DISABLED"),
            "Targets": shapes.list_of(_TARGET),
        },
        keys=_rule_keys,
        remove=_remove_rule,
    ),
}
