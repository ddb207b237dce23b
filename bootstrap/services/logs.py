"""Amazon CloudWatch Logs: log groups, subscription and metric filters, resource policies."""

from __future__ import annotations

import json
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
)
from bootstrap.services.shapes import Finding, Problems
from bootstrap.template import Physical


def _log_group(
    context: Context, logical_id: str, properties: Properties
) -> tuple[Outcome, Physical]:
    logs = context.client("logs")
    name = properties.get("LogGroupName") or naming.generated(context.service, logical_id)
    existing = _find(logs, name)
    if existing is None:
        logs.create_log_group(logGroupName=name)
    days = properties.get("RetentionInDays")
    changed = (existing or {}).get("retentionInDays") != (int(days) if days else None)
    if changed and days:
        logs.put_retention_policy(logGroupName=name, retentionInDays=int(days))
    elif changed:
        logs.delete_retention_policy(logGroupName=name)
    arn = f"arn:aws:logs:{context.settings.region}:{context.account}:log-group:{name}"
    tagged = _tags(logs, arn, properties.get("Tags", []), new=existing is None)
    return outcome_of(existing is None, changed, tagged), Physical(name, {"Arn": f"{arn}:*"})


def _tags(logs: Any, arn: str, given: tags.Tags, *, new: bool) -> bool:
    place = {"resourceArn": arn}
    return tags.ensure(
        tags.named(given),
        {} if new else logs.list_tags_for_resource(**place).get("tags", {}),
        lambda some: logs.tag_resource(**place, tags=some),
        lambda keys: logs.untag_resource(**place, tagKeys=keys),
    )


def _find(logs: Any, name: str) -> dict[str, Any] | None:
    groups = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    return next((group for group in groups if group["logGroupName"] == name), None)


def _exists(context: Context, key: Key) -> bool:
    return _find(context.client("logs"), key["Ref"]) is not None


_GONE = "ResourceNotFoundException"


def _filter(context: Context, logical_id: str, properties: Properties) -> tuple[Outcome, Physical]:
    logs, group = context.client("logs"), properties["LogGroupName"]
    name = properties.get("FilterName") or naming.generated(context.service, logical_id)
    existing = _find_filter(logs, group, name)
    wanted = {
        "filterName": name,
        "logGroupName": group,
        "filterPattern": properties["FilterPattern"],
        "destinationArn": properties["DestinationArn"],
        "distribution": properties.get("Distribution", "ByLogStream"),
    }
    if "RoleArn" in properties:
        wanted["roleArn"] = properties["RoleArn"]
    known = {key: value for key, value in (existing or {}).items() if key != "creationTime"}
    different = wanted != known
    if different:
        logs.put_subscription_filter(**wanted)
    return outcome_of(existing is None, different), Physical(name, {})


def _find_filter(logs: Any, group: str, name: str) -> dict[str, Any] | None:
    answer = found(
        lambda: logs.describe_subscription_filters(logGroupName=group, filterNamePrefix=name),
        _GONE,
    )
    filters = (answer or {}).get("subscriptionFilters", [])
    return next((one for one in filters if one["filterName"] == name), None)


def _filter_keys(logical_id: str, properties: Properties, physical: Physical) -> list[Key]:
    return [{"LogGroupName": properties["LogGroupName"], "FilterName": physical.ref}]


def _remove_filter(context: Context, key: Key) -> bool:
    names = {"logGroupName": key["LogGroupName"], "filterName": key["FilterName"]}
    return gone(lambda: context.client("logs").delete_subscription_filter(**names), _GONE)


def _metric_filter(
    context: Context, logical_id: str, properties: Properties
) -> tuple[Outcome, Physical]:
    logs, group = context.client("logs"), properties["LogGroupName"]
    name = properties.get("FilterName") or naming.generated(context.service, logical_id)
    existing = _find_metric_filter(logs, group, name)
    wanted = {
        "filterName": name,
        "logGroupName": group,
        "filterPattern": properties["FilterPattern"],
        "metricTransformations": [_transformation(one) for one in properties[_TRANSFORMATIONS]],
    }
    different = existing is None or wanted != {key: existing.get(key) for key in wanted}
    if different:
        logs.put_metric_filter(**wanted)
    return outcome_of(existing is None, different), Physical(name, {})


def _transformation(given: Properties) -> dict[str, Any]:
    """As the API has it: names begin with a small letter, dimensions are a mapping."""
    made = {f"{key[0].lower()}{key[1:]}": value for key, value in given.items()}
    if "dimensions" in made:
        made["dimensions"] = {one["Key"]: one["Value"] for one in made["dimensions"]}
    return made


def _find_metric_filter(logs: Any, group: str, name: str) -> dict[str, Any] | None:
    answer = found(
        lambda: logs.describe_metric_filters(logGroupName=group, filterNamePrefix=name), _GONE
    )
    filters = (answer or {}).get("metricFilters", [])
    return next((one for one in filters if one["filterName"] == name), None)


def _remove_metric_filter(context: Context, key: Key) -> bool:
    names = {"logGroupName": key["LogGroupName"], "filterName": key["FilterName"]}
    return gone(lambda: context.client("logs").delete_metric_filter(**names), _GONE)


def _policy(context: Context, logical_id: str, properties: Properties) -> tuple[Outcome, Physical]:
    logs = context.client("logs")
    name, document = properties["PolicyName"], properties["PolicyDocument"]
    existing = _find_policy(logs, name)
    different = existing is None or _parsed(existing["policyDocument"]) != _parsed(document)
    if different:
        logs.put_resource_policy(policyName=name, policyDocument=document)
    return outcome_of(existing is None, different), Physical(name)


def _find_policy(logs: Any, name: str) -> dict[str, Any] | None:
    """A region has ten at most: they come in one page."""
    policies = logs.describe_resource_policies()["resourcePolicies"]
    return next((one for one in policies if one["policyName"] == name), None)


def _parsed(document: str) -> Any:
    """What a policy says; the text itself where that cannot be read, or is not known yet."""
    try:
        return json.loads(document)
    except ValueError:
        return document


def _remove_policy(context: Context, key: Key) -> bool:
    return gone(lambda: context.client("logs").delete_resource_policy(policyName=key["Ref"]), _GONE)


def _policy_text(value: Any) -> Problems:
    """A policy as JSON text: CloudFormation takes no mapping here, as it does elsewhere."""
    if problems := shapes.text(value):
        return (Finding("must be text, with the policy as JSON in it (a block: |)"),)
    if not isinstance(value, str) or shapes.is_unknown(value):
        return problems
    try:
        parsed = json.loads(value)
    except ValueError as error:
        return (Finding(f"must be JSON: {error}"),)
    if not isinstance(parsed, dict) or not parsed.get("Statement"):
        return (Finding("must have a Statement"),)
    return ()


_TRANSFORMATIONS = "MetricTransformations"

RESOURCE_TYPES = {
    "AWS::Logs::LogGroup": ResourceType(
        _log_group,
        {},
        shapes.all_as_aws("LogGroupName", "RetentionInDays", "Tags"),
        exists=_exists,
        delete_with="logs delete-log-group --log-group-name {Ref}",
        holds_data=False,  # as CloudFormation has it: a function's log goes with the function
    ),
    "AWS::Logs::SubscriptionFilter": ResourceType(
        _filter,
        shapes.all_as_aws("DestinationArn", "FilterPattern", "LogGroupName"),
        shapes.all_as_aws("Distribution", "FilterName", "RoleArn"),
        keys=_filter_keys,
        remove=_remove_filter,
    ),
    "AWS::Logs::MetricFilter": ResourceType(
        _metric_filter,
        shapes.all_as_aws("FilterPattern", "LogGroupName", _TRANSFORMATIONS),
        shapes.all_as_aws("FilterName"),
        keys=_filter_keys,
        remove=_remove_metric_filter,
    ),
    "AWS::Logs::ResourcePolicy": ResourceType(
        _policy,
        {"PolicyName": shapes.text, "PolicyDocument": _policy_text},
        remove=_remove_policy,
    ),
}
