"""Amazon CloudWatch Logs: log groups."""

from __future__ import annotations

from bootstrap.services.base import Context, Outcome, Properties, ResourceType
from bootstrap.template import Physical


def _log_group(
    context: Context, logical_id: str, properties: Properties
) -> tuple[Outcome, Physical]:
    logs = context.client("logs")
    name = properties["LogGroupName"]
    groups = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    existing = next((group for group in groups if group["logGroupName"] == name), None)
    outcome = Outcome.UNCHANGED
    if existing is None:
        logs.create_log_group(logGroupName=name)
        outcome = Outcome.CREATED
    days = properties.get("RetentionInDays")
    if days and (existing or {}).get("retentionInDays") != days:
        logs.put_retention_policy(logGroupName=name, retentionInDays=days)
        if existing is not None:
            outcome = Outcome.CHANGED
    arn = f"arn:aws:logs:{context.settings.region}:{context.account}:log-group:{name}:*"
    return outcome, Physical(name, {"Arn": arn})


RESOURCE_TYPES = {
    "AWS::Logs::LogGroup": ResourceType(
        _log_group, frozenset({"LogGroupName"}), frozenset({"RetentionInDays"})
    ),
}
