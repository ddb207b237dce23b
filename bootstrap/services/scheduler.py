"""Amazon EventBridge Scheduler: schedule groups and schedules."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from bootstrap.definition import naming
from bootstrap.services import shapes, tags
from bootstrap.services.base import (
    Context,
    Key,
    Outcome,
    Properties,
    ResourceType,
    found,
    gone,
    outcome_of,
    subset,
)
from bootstrap.template import Physical

_GONE = "ResourceNotFoundException"
_DATES = ("StartDate", "EndDate")
#: What AWS fills in, and what a property that is taken away goes back to.
_DEFAULTS: Properties = {
    "Description": None,
    "EndDate": None,
    "KmsKeyArn": None,
    "ScheduleExpressionTimezone": "UTC",
    "StartDate": None,
    "State": "ENABLED",
}
_DEFAULT_RETRIES = {"MaximumEventAgeInSeconds": 86_400, "MaximumRetryAttempts": 185}


def _group(context: Context, logical_id: str, properties: Properties) -> tuple[Outcome, Physical]:
    scheduler = context.client("scheduler")
    name = properties.get("Name") or naming.generated(context.service, logical_id)
    existing = found(lambda: scheduler.get_schedule_group(Name=name), _GONE)
    if existing is None:
        arn = scheduler.create_schedule_group(Name=name)["ScheduleGroupArn"]
    else:
        arn = existing["Arn"]
    place = {"ResourceArn": arn}
    listed = scheduler.list_tags_for_resource(**place).get("Tags", []) if existing else []
    tagged = tags.ensure(
        tags.named(properties.get("Tags", [])),
        tags.named(listed),
        lambda some: scheduler.tag_resource(**place, Tags=tags.listed(some)),
        lambda keys: scheduler.untag_resource(**place, TagKeys=keys),
    )
    return outcome_of(existing is None, tagged), Physical(name, {"Arn": arn})


def _group_exists(context: Context, key: Key) -> bool:
    scheduler = context.client("scheduler")
    return found(lambda: scheduler.get_schedule_group(Name=key["Ref"]), _GONE) is not None


def _schedule(
    context: Context, logical_id: str, properties: Properties
) -> tuple[Outcome, Physical]:
    scheduler = context.client("scheduler")
    name = properties.get("Name") or naming.generated(context.service, logical_id)
    group = properties.get("GroupName", "default")
    defaults = {key: value for key, value in _DEFAULTS.items() if value is not None}
    request = {**defaults, **properties, "Name": name, "GroupName": group}
    existing = found(lambda: scheduler.get_schedule(Name=name, GroupName=group), _GONE)
    different = existing is None or not _same(request, existing)
    if existing is None:
        arn = scheduler.create_schedule(**request)["ScheduleArn"]
    elif different:
        arn = scheduler.update_schedule(**request)["ScheduleArn"]
    else:
        arn = existing["Arn"]
    return outcome_of(existing is None, different), Physical(name, {"Arn": arn})


def _same(wanted: Properties, actual: dict[str, Any]) -> bool:
    wanted = {**_DEFAULTS, **wanted}
    wanted["Target"] = {"RetryPolicy": {}, **wanted["Target"]}
    wanted["Target"]["RetryPolicy"] = {
        name: int(wanted["Target"]["RetryPolicy"].get(name, default))
        for name, default in _DEFAULT_RETRIES.items()
    }
    actual_target = {
        **actual["Target"],
        "RetryPolicy": {**_DEFAULT_RETRIES, **(actual["Target"].get("RetryPolicy") or {})},
    }
    for name in _DATES:
        if _moment(wanted.pop(name)) != _moment(actual.get(name)):
            return False
    wanted_target = wanted.pop("Target")
    plain = {name: actual.get(name) for name in wanted}
    return (
        subset(wanted, plain)
        and subset(plain, wanted)
        and subset(wanted_target, actual_target)
        and subset(actual_target, wanted_target)
    )


def _moment(date: str | datetime | None) -> datetime | None:
    moment = datetime.fromisoformat(date) if isinstance(date, str) else date
    if moment is None:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def _schedule_keys(logical_id: str, properties: Properties, physical: Physical) -> list[Key]:
    return [{"Name": physical.ref, "GroupName": properties.get("GroupName", "default")}]


def _remove_schedule(context: Context, key: Key) -> bool:
    return gone(lambda: context.client("scheduler").delete_schedule(**key), _GONE)


_TARGET = shapes.mapping(
    {"Arn": shapes.text, "RoleArn": shapes.text},
    {
        "DeadLetterConfig": shapes.mapping({"Arn": shapes.text}),
        "EventBridgeParameters": shapes.mapping({"DetailType": shapes.text, "Source": shapes.text}),
        "Input": shapes.text,
        "KinesisParameters": shapes.mapping({"PartitionKey": shapes.text}),
        "RetryPolicy": shapes.mapping(
            {},
            {
                "MaximumEventAgeInSeconds": shapes.number(60, 86_400),
                "MaximumRetryAttempts": shapes.number(0, 185),
            },
        ),
        "SqsParameters": shapes.mapping({"MessageGroupId": shapes.text}),
    },
)

RESOURCE_TYPES = {
    "AWS::Scheduler::ScheduleGroup": ResourceType(
        _group,
        {},
        shapes.all_as_aws("Name", "Tags"),
        exists=_group_exists,
        delete_with="scheduler delete-schedule-group --name {Ref}",
    ),
    "AWS::Scheduler::Schedule": ResourceType(
        _schedule,
        {
            **shapes.all_as_aws("FlexibleTimeWindow", "ScheduleExpression"),
            "Target": _TARGET,
        },
        shapes.all_as_aws(
            "Description",
            "EndDate",
            "GroupName",
            "KmsKeyArn",
            "Name",
            "ScheduleExpressionTimezone",
            "StartDate",
            "State",
        ),
        keys=_schedule_keys,
        remove=_remove_schedule,
    ),
}
