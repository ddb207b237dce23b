"""Amazon EventBridge: buses with their policies and archives, and rules."""

from __future__ import annotations

import json
import threading
from typing import Any

from bootstrap.definition import naming
from bootstrap.services import shapes, tags
from bootstrap.services.base import (
    Context,
    Key,
    Outcome,
    Properties,
    ReplacementError,
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
    arn = existing["Arn"] if existing else events.create_event_bus(Name=name)["EventBusArn"]
    place = {"ResourceARN": arn}
    listed = events.list_tags_for_resource(**place).get("Tags", []) if existing else []
    tagged = tags.ensure(
        tags.named(properties.get("Tags", [])),
        tags.named(listed),
        lambda some: events.tag_resource(**place, Tags=tags.listed(some)),
        lambda keys: events.untag_resource(**place, TagKeys=keys),
    )
    return outcome_of(existing is None, tagged), Physical(name, {"Arn": arn, "Name": name})


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


def _policy(context: Context, logical_id: str, properties: Properties) -> tuple[Outcome, Physical]:
    """One statement of the policy of a bus; a bus may have several."""
    with _one_policy_at_a_time:
        return _put_statement(context.client("events"), properties)


#: A policy is read and put as a whole, and resources are made side by side.
_one_policy_at_a_time = threading.Lock()


def _put_statement(events: Any, properties: Properties) -> tuple[Outcome, Physical]:
    sid = properties["StatementId"]
    bus = events.describe_event_bus(Name=properties.get("EventBusName", "default"))
    statements = json.loads(bus.get("Policy") or '{"Statement": []}')["Statement"]
    wanted = _statement(properties, bus["Arn"])
    current = next((one for one in statements if one.get("Sid") == sid), None)
    if current != wanted:
        others = [one for one in statements if one.get("Sid") != sid]
        policy = {"Version": "2012-10-17", "Statement": [*others, wanted]}
        events.put_permission(EventBusName=bus["Name"], Policy=json.dumps(policy))
    ref = f"{bus['Name']}|{sid}"
    return outcome_of(current is None, current != wanted), Physical(ref)


def _statement(properties: Properties, bus: str) -> dict[str, Any]:
    """As it is described, or as ``PutPermission`` makes it of an account or everybody."""
    if "Statement" in properties:
        return {"Sid": properties["StatementId"], **properties["Statement"]}
    principal = str(properties.get("Principal", "*"))
    made: dict[str, Any] = {
        "Sid": properties["StatementId"],
        "Effect": "Allow",
        "Principal": "*" if principal == "*" else {"AWS": f"arn:aws:iam::{principal}:root"},
        "Action": properties.get("Action", "events:PutEvents"),
        "Resource": bus,
    }
    if condition := properties.get("Condition"):
        made["Condition"] = {condition["Type"]: {condition["Key"]: condition["Value"]}}
    return made


def _policy_keys(logical_id: str, properties: Properties, physical: Physical) -> list[Key]:
    bus = properties.get("EventBusName", "default")
    return [{"EventBusName": bus, "StatementId": properties["StatementId"]}]


def _remove_policy(context: Context, key: Key) -> bool:
    events, bus = context.client("events"), key["EventBusName"]
    described = found(lambda: events.describe_event_bus(Name=bus), _GONE) or {}
    statements = json.loads(described.get("Policy") or '{"Statement": []}')["Statement"]
    if not any(one.get("Sid") == key["StatementId"] for one in statements):
        return False
    events.remove_permission(EventBusName=bus, StatementId=key["StatementId"])
    return True


def _archive(context: Context, logical_id: str, properties: Properties) -> tuple[Outcome, Physical]:
    events = context.client("events")
    name = properties.get("ArchiveName") or naming.generated(context.service, logical_id)
    name = name[:_LONGEST_ARCHIVE]
    existing = found(lambda: events.describe_archive(ArchiveName=name), _GONE)
    pattern = json.dumps(properties["EventPattern"]) if "EventPattern" in properties else ""
    wanted = {
        "Description": properties.get("Description", ""),
        "EventPattern": pattern,
        "RetentionDays": properties.get("RetentionDays", 0),
    }
    if existing is None:
        given = {key: value for key, value in wanted.items() if value}
        source = properties["SourceArn"]
        arn = events.create_archive(ArchiveName=name, EventSourceArn=source, **given)["ArchiveArn"]
        return Outcome.CREATED, Physical(name, {"Arn": arn})
    _check_archive(name, properties, existing)
    arn = f"arn:aws:events:{context.settings.region}:{context.account}:archive/{name}"
    actual = {key: existing.get(key) or default for key, default in _ARCHIVE_DEFAULTS.items()}
    if different := actual != wanted:
        events.update_archive(ArchiveName=name, **wanted)
    return outcome_of(False, different), Physical(name, {"Arn": arn})


_LONGEST_ARCHIVE = 48
_ARCHIVE_DEFAULTS: dict[str, Any] = {"Description": "", "EventPattern": "", "RetentionDays": 0}


def _check_archive(name: str, wanted: Properties, archive: dict[str, Any]) -> None:
    """What only a new archive can have otherwise.

    Raises:
        ReplacementError: it differs.
    """
    pattern = json.loads(archive.get("EventPattern") or "null")
    for what, now, described in (
        ("events of", archive["EventSourceArn"], wanted["SourceArn"]),
        # The emulator's archive goes on with the pattern it was made with.
        ("the pattern", pattern, wanted.get("EventPattern")),
    ):
        if now != described:
            raise ReplacementError(
                f"the archive {name} exists with {what} {now}, which cannot be changed. Give the"
                " archive another name"
            )


def _archive_exists(context: Context, key: Key) -> bool:
    events = context.client("events")
    return found(lambda: events.describe_archive(ArchiveName=key["Ref"]), _GONE) is not None


def _archived(context: Context, key: Key) -> str:
    count = context.client("events").describe_archive(ArchiveName=key["Ref"]).get("EventCount", 0)
    return f"{count} event{'s' if count > 1 else ''}" if count else ""


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
    "AWS::Events::Archive": ResourceType(
        _archive,
        shapes.all_as_aws("SourceArn"),
        shapes.all_as_aws("ArchiveName", "Description", "EventPattern", "RetentionDays"),
        exists=_archive_exists,
        delete_with="events delete-archive --archive-name {Ref}",
        lost=_archived,
    ),
    "AWS::Events::EventBusPolicy": ResourceType(
        _policy,
        shapes.all_as_aws("StatementId"),
        shapes.all_as_aws("Action", "Condition", "EventBusName", "Principal", "Statement"),
        keys=_policy_keys,
        remove=_remove_policy,
    ),
    "AWS::Events::EventBus": ResourceType(
        _bus,
        shapes.all_as_aws("Name"),
        shapes.all_as_aws("Tags"),
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
