"""Amazon CloudWatch: alarms of one metric, and of other alarms."""

from __future__ import annotations

import re
from typing import Any

from bootstrap.definition import naming
from bootstrap.services import shapes, tags
from bootstrap.services.base import Context, Key, Outcome, Properties, ResourceType, outcome_of
from bootstrap.services.shapes import Finding, Problems, Shape
from bootstrap.template import Physical

#: What a setting is when it is not given (CloudWatch API Reference, "PutMetricAlarm").
_DEFAULTS: Properties = {
    "ActionsEnabled": True,
    "AlarmActions": [],
    "AlarmDescription": "",
    "DatapointsToAlarm": None,
    "Dimensions": [],
    "InsufficientDataActions": [],
    "OKActions": [],
    "TreatMissingData": "missing",
    "Unit": None,
}
_METRIC = (
    "ComparisonOperator",
    "EvaluationPeriods",
    "MetricName",
    "Namespace",
    "Period",
    "Statistic",
    "Threshold",
)
_COMPOSITE_DEFAULTS = {
    key: _DEFAULTS[key]
    for key in (
        "ActionsEnabled",
        "AlarmActions",
        "AlarmDescription",
        "InsufficientDataActions",
        "OKActions",
    )
}


def _alarm(context: Context, logical_id: str, properties: Properties) -> tuple[Outcome, Physical]:
    cloudwatch = context.client("cloudwatch")
    name = properties.get("AlarmName") or naming.generated(context.service, logical_id)
    existing = _find(cloudwatch, name).get("MetricAlarms")
    wanted = {key: properties[key] for key in (*_METRIC, *_DEFAULTS) if key in properties}
    defaults = {**dict.fromkeys(_METRIC), **_DEFAULTS}
    different = not existing or not _same(wanted, existing[0], defaults)
    if different:
        cloudwatch.put_metric_alarm(AlarmName=name, **wanted)
    arn = _arn(context, name)
    tagged = _tags(cloudwatch, arn, properties.get("Tags", []), new=not existing)
    return outcome_of(not existing, different, tagged), Physical(name, {"Arn": arn})


def _composite(
    context: Context, logical_id: str, properties: Properties
) -> tuple[Outcome, Physical]:
    cloudwatch = context.client("cloudwatch")
    name = properties.get("AlarmName") or naming.generated(context.service, logical_id)
    existing = _find(cloudwatch, name).get("CompositeAlarms")
    wanted = {key: value for key, value in properties.items() if key not in ("AlarmName", "Tags")}
    defaults = {"AlarmRule": None, **_COMPOSITE_DEFAULTS}
    different = not existing or not _same(wanted, existing[0], defaults)
    if different:
        cloudwatch.put_composite_alarm(AlarmName=name, **wanted)
    arn = _arn(context, name)
    tagged = _tags(cloudwatch, arn, properties.get("Tags", []), new=not existing)
    return outcome_of(not existing, different, tagged), Physical(name, {"Arn": arn})


def _find(cloudwatch: Any, name: str) -> dict[str, Any]:
    answer: dict[str, Any] = cloudwatch.describe_alarms(
        AlarmNames=[name], AlarmTypes=["MetricAlarm", "CompositeAlarm"]
    )
    return answer


def _arn(context: Context, name: str) -> str:
    return f"arn:aws:cloudwatch:{context.settings.region}:{context.account}:alarm:{name}"


def _same(wanted: Properties, actual: dict[str, Any], defaults: Properties) -> bool:
    """Whether an alarm is as described: each setting, given or not, as CloudWatch takes it."""

    def setting(given: dict[str, Any], key: str) -> Any:
        value = given.get(key)
        value = defaults[key] if value is None else value
        # The order of dimensions says nothing.
        return sorted(value, key=lambda one: str(one["Name"])) if key == "Dimensions" else value

    return all(setting(wanted, key) == setting(actual, key) for key in defaults)


def _tags(cloudwatch: Any, arn: str, given: tags.Tags, *, new: bool) -> bool:
    place = {"ResourceARN": arn}
    current = [] if new else cloudwatch.list_tags_for_resource(**place).get("Tags", [])
    return tags.ensure(
        tags.named(given),
        tags.named(current),
        lambda some: cloudwatch.tag_resource(**place, Tags=tags.listed(some)),
        lambda keys: cloudwatch.untag_resource(**place, TagKeys=keys),
    )


def _remove(context: Context, key: Key) -> bool:
    cloudwatch, name = context.client("cloudwatch"), key["Ref"]
    found = _find(cloudwatch, name)
    if not (found.get("MetricAlarms") or found.get("CompositeAlarms")):
        return False
    cloudwatch.delete_alarms(AlarmNames=[name])
    return True


def _action(what: str, *services: str) -> Shape:
    """The ARN of what an alarm calls; of other services, LocalStack calls nothing."""

    def check(value: Any) -> Problems:
        if problems := shapes.text(value):
            return problems
        known = not shapes.is_function(value) and not shapes.is_unknown(value)
        if known and not any(value.startswith(f"arn:aws:{one}:") for one in services):
            sentence = f"must be the ARN of {what}: no other action is taken here, such as"
            return (Finding(f"{sentence} {shapes.shown(value)}"),)
        return ()

    return check


#: What a rule says of one alarm, whose name may come from a reference.
_OF_ALARM = re.compile(r"(?:ALARM|OK|INSUFFICIENT_DATA)\s*\([^()]*\)")


def _rule(value: Any) -> Problems:
    """The rule of a composite alarm, as the emulator reads it when it is put."""
    if problems := shapes.text(value):
        return problems
    text = _written(value)
    if text is None or shapes.is_unknown(text):
        return ()
    from trigger_stack.delivery.core.alarm_rules import AlarmRuleError, parse

    try:
        parse(text)
    except AlarmRuleError as error:
        if "${" in _OF_ALARM.sub("", text):
            return ()  # a reference may stand for a part of the rule
        return (Finding(f"cannot be read: {error}"),)
    return ()


def _written(value: Any) -> str | None:
    """A text with references in it as ``${…}``; None where that cannot be said."""
    match value:
        case str() | {"Fn::Sub": str()}:
            return value if isinstance(value, str) else str(value["Fn::Sub"])
        case {"Fn::Sub": [str(form), *_]}:
            return form
        case {"Fn::Join": [str(separator), list(parts)]}:
            return separator.join(one if isinstance(one, str) else "${…}" for one in parts)
    return None


_TOPIC_OR_FUNCTION = _action("an SNS topic or a function", "sns", "lambda")
_ACTIONS = ("AlarmActions", "InsufficientDataActions", "OKActions")

RESOURCE_TYPES = {
    "AWS::CloudWatch::Alarm": ResourceType(
        _alarm,
        {
            # Metric math, percentiles and anomaly detection are evaluated by AWS alone.
            **shapes.all_as_aws("EvaluationPeriods", "MetricName", "Namespace", "Threshold"),
            "ComparisonOperator": shapes.one_of(
                "GreaterThanOrEqualToThreshold",
                "GreaterThanThreshold",
                "LessThanThreshold",
                "LessThanOrEqualToThreshold",
            ),
            "Period": shapes.number(10, 86_400),
            "Statistic": shapes.one_of("Average", "Maximum", "Minimum", "SampleCount", "Sum"),
        },
        {
            **shapes.all_as_aws(
                "ActionsEnabled",
                "AlarmDescription",
                "AlarmName",
                "DatapointsToAlarm",
                "Dimensions",
                "Tags",
                "Unit",
            ),
            **dict.fromkeys(_ACTIONS, shapes.list_of(_TOPIC_OR_FUNCTION)),
            "TreatMissingData": shapes.one_of("breaching", "ignore", "missing", "notBreaching"),
        },
        remove=_remove,
    ),
    "AWS::CloudWatch::CompositeAlarm": ResourceType(
        _composite,
        {"AlarmRule": _rule},
        {
            **shapes.all_as_aws("ActionsEnabled", "AlarmDescription", "AlarmName", "Tags"),
            **dict.fromkeys(_ACTIONS, shapes.list_of(_action("an SNS topic", "sns"))),
        },
        remove=_remove,
    ),
}
