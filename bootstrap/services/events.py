"""Amazon EventBridge: buses and rules."""

from __future__ import annotations

import json
from typing import Any

from bootstrap.services.base import (
    Context,
    Outcome,
    Properties,
    ResourceType,
    found,
    same_json,
    subset,
)
from bootstrap.template import Physical


def _bus(context: Context, logical_id: str, properties: Properties) -> tuple[Outcome, Physical]:
    events = context.client("events")
    name = properties["Name"]
    existing = found(lambda: events.describe_event_bus(Name=name), "ResourceNotFoundException")
    if existing is None:
        arn = events.create_event_bus(Name=name)["EventBusArn"]
        return Outcome.CREATED, Physical(name, {"Arn": arn, "Name": name})
    return Outcome.UNCHANGED, Physical(name, {"Arn": existing["Arn"], "Name": name})


def _rule(context: Context, logical_id: str, properties: Properties) -> tuple[Outcome, Physical]:
    events = context.client("events")
    name = properties["Name"]
    bus = {"EventBusName": properties["EventBusName"]} if "EventBusName" in properties else {}
    existing = found(lambda: events.describe_rule(Name=name, **bus), "ResourceNotFoundException")
    outcome = Outcome.UNCHANGED
    if existing is None or not _same_rule(properties, existing):
        request: dict[str, Any] = {"Name": name, "State": properties.get("State", "ENABLED"), **bus}
        if "EventPattern" in properties:
            request["EventPattern"] = json.dumps(properties["EventPattern"])
        for key in ("ScheduleExpression", "Description"):
            if key in properties:
                request[key] = properties[key]
        events.put_rule(**request)
        outcome = Outcome.CREATED if existing is None else Outcome.CHANGED
    if _targets(events, name, bus, properties.get("Targets", [])) and outcome is Outcome.UNCHANGED:
        outcome = Outcome.CHANGED
    arn = events.describe_rule(Name=name, **bus)["Arn"]
    ref = f"{bus['EventBusName']}|{name}" if bus else name
    return outcome, Physical(ref, {"Arn": arn})


def _same_rule(wanted: Properties, actual: dict[str, Any]) -> bool:
    if "EventPattern" in wanted and not same_json(
        actual.get("EventPattern"), wanted["EventPattern"]
    ):
        return False
    return (
        wanted.get("State", "ENABLED") == actual.get("State")
        and wanted.get("ScheduleExpression") == actual.get("ScheduleExpression")
        and (wanted.get("Description") or None) == (actual.get("Description") or None)
    )


def _targets(events: Any, rule: str, bus: dict[str, str], wanted: list[dict[str, Any]]) -> bool:
    targets = [
        {**target, "Input": json.dumps(target["Input"])}
        if isinstance(target.get("Input"), dict)
        else target
        for target in wanted
    ]
    current = {t["Id"]: t for t in events.list_targets_by_rule(Rule=rule, **bus)["Targets"]}
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


RESOURCE_TYPES = {
    "AWS::Events::EventBus": ResourceType(_bus, frozenset({"Name"})),
    "AWS::Events::Rule": ResourceType(
        _rule,
        frozenset({"Name"}),
        frozenset(
            {
                "Description",
                "EventBusName",
                "EventPattern",
                "ScheduleExpression",
                "State",
                "Targets",
            }
        ),
    ),
}
