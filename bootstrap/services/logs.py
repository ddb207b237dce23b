"""Amazon CloudWatch Logs: log groups."""

from __future__ import annotations

from typing import Any

from bootstrap.services import shapes
from bootstrap.services.base import Context, Key, Outcome, Properties, ResourceType, outcome_of
from bootstrap.template import Physical


def _log_group(
    context: Context, logical_id: str, properties: Properties
) -> tuple[Outcome, Physical]:
    logs = context.client("logs")
    name = properties["LogGroupName"]
    existing = _find(logs, name)
    if existing is None:
        logs.create_log_group(logGroupName=name)
    days = properties.get("RetentionInDays")
    changed = (existing or {}).get("retentionInDays") != (int(days) if days else None)
    if changed and days:
        logs.put_retention_policy(logGroupName=name, retentionInDays=int(days))
    elif changed:
        logs.delete_retention_policy(logGroupName=name)
    arn = f"arn:aws:logs:{context.settings.region}:{context.account}:log-group:{name}:*"
    return outcome_of(existing is None, changed), Physical(name, {"Arn": arn})


def _find(logs: Any, name: str) -> dict[str, Any] | None:
    groups = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    return next((group for group in groups if group["logGroupName"] == name), None)


def _exists(context: Context, key: Key) -> bool:
    return _find(context.client("logs"), key["Ref"]) is not None


RESOURCE_TYPES = {
    "AWS::Logs::LogGroup": ResourceType(
        _log_group,
        {"LogGroupName": shapes.text},
        {"RetentionInDays": shapes.number(1)},
        exists=_exists,
        delete_with="logs delete-log-group --log-group-name {Ref}",
        holds_data=False,  # as CloudFormation has it: a function's log goes with the function
    ),
}
