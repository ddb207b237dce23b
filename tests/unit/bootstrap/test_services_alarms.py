"""Alarms and metric filters: made once, left alone, changed, taken away; what is not done here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws

from bootstrap.services import RESOURCE_TYPES
from bootstrap.services.base import Context, Outcome
from bootstrap.settings import Settings
from bootstrap.template import Physical
from tests.unit.bootstrap.by_moto import MotoContext, ensure

CREATED, CHANGED, UNCHANGED = Outcome.CREATED, Outcome.CHANGED, Outcome.UNCHANGED
TOPIC = "arn:aws:sns:us-east-1:123456789012:alarms"
ALARM: dict[str, Any] = {
    "MetricName": "errors",
    "Namespace": "shop",
    "Dimensions": [{"Name": "b", "Value": "2"}, {"Name": "a", "Value": "1"}],
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": "1",
    "ComparisonOperator": "GreaterThanOrEqualToThreshold",
    "AlarmActions": [TOPIC],
    "OKActions": [TOPIC],
    "TreatMissingData": "notBreaching",
}
FILTER: dict[str, Any] = {
    "LogGroupName": "/shop",
    "FilterPattern": "ERROR",
    "MetricTransformations": [
        {
            "MetricName": "errors",
            "MetricNamespace": "shop",
            "MetricValue": "1",
            "Dimensions": [{"Key": "Route", "Value": "$.route"}],
            "Unit": "Count",
        }
    ],
}


@pytest.fixture
def context() -> Iterator[Context]:
    with mock_aws():
        yield MotoContext(Settings(4566, 8080, "us-east-1"), "shop")


def without(properties: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in properties.items() if name not in names}


@pytest.mark.parametrize(
    "change",
    [
        {"Threshold": 2},
        {"Period": 120},
        {"AlarmActions": []},
        {"AlarmDescription": "too many"},
        {"DatapointsToAlarm": 1},
        {"Dimensions": [{"Name": "a", "Value": "1"}]},
        {"ActionsEnabled": "false"},
        {"Tags": [{"Key": "team", "Value": "shop"}]},
    ],
    ids=lambda change: next(iter(change)),
)
def test_an_alarm_is_made_left_alone_and_changed(context: Context, change: dict[str, Any]) -> None:
    kind = "AWS::CloudWatch::Alarm"
    first, made = ensure(context, kind, **ALARM)
    again = ALARM | {"Dimensions": ALARM["Dimensions"][::-1]}

    assert (first, ensure(context, kind, **again)) == (CREATED, (UNCHANGED, made))
    assert made.attributes["Arn"].endswith(f":alarm:{made.ref}")
    outcomes = [ensure(context, kind, **one)[0] for one in (ALARM | change, ALARM | change, ALARM)]
    assert outcomes == [CHANGED, UNCHANGED, CHANGED]
    assert ensure(context, kind, **ALARM)[0] is UNCHANGED


@pytest.mark.parametrize("gone", ["OKActions", "Dimensions", "TreatMissingData"])
def test_an_alarm_loses_what_is_no_longer_described(context: Context, gone: str) -> None:
    kind = "AWS::CloudWatch::Alarm"
    ensure(context, kind, **ALARM)

    outcomes = [ensure(context, kind, **without(ALARM, gone))[0] for _ in range(2)]

    assert outcomes == [CHANGED, UNCHANGED]


def test_an_alarm_that_is_no_longer_described_is_removed(context: Context) -> None:
    _, made = ensure(context, "AWS::CloudWatch::Alarm", **ALARM)
    remove = RESOURCE_TYPES["AWS::CloudWatch::Alarm"].remove
    assert remove is not None

    assert remove(context, {"Ref": made.ref})
    assert not remove(context, {"Ref": made.ref})


@pytest.mark.parametrize(
    ("kind", "change", "sentence"),
    [
        ("Alarm", {"Metrics": []}, "Metrics is not supported here"),
        ("Alarm", {"ExtendedStatistic": "p99"}, "ExtendedStatistic is not supported here"),
        ("Alarm", {"ThresholdMetricId": "m1"}, "ThresholdMetricId is not supported here"),
        (
            "Alarm",
            {"ComparisonOperator": "GreaterThanUpperThreshold"},
            "ComparisonOperator must be GreaterThanOrEqualToThreshold or",
        ),
        (
            "Alarm",
            {"AlarmActions": ["arn:aws:automate:us-east-1:ec2:stop"]},
            "AlarmActions.0 must be the ARN of an SNS topic or a function",
        ),
        (
            "CompositeAlarm",
            {"AlarmRule": 'ALARM("arn:a") AND'},
            "AlarmRule cannot be read: it ends too early",
        ),
        (
            "CompositeAlarm",
            {"AlarmActions": ["arn:aws:lambda:us-east-1:0:function:f"]},
            "AlarmActions.0 must be the ARN of an SNS topic",
        ),
    ],
)
def test_what_no_alarm_here_does_is_refused(
    kind: str, change: dict[str, Any], sentence: str
) -> None:
    properties = {"Alarm": ALARM, "CompositeAlarm": {"AlarmRule": 'ALARM("arn:a")'}}[kind] | change

    problems = RESOURCE_TYPES[f"AWS::CloudWatch::{kind}"].problems(properties)

    assert any(sentence in one.message for one in problems)


RULE = "AWS::CloudWatch::CompositeAlarm"
#: AWS's forms (CloudWatch API Reference, "PutCompositeAlarm"), and references in them.
READ: list[Any] = [
    'ALARM("arn:a") AND NOT OK("b")',
    "(ALARM(a) OR INSUFFICIENT_DATA(b)) AND NOT (OK(ORDERS) OR FALSE)",
    "TRUE",
    {"Fn::Sub": 'ALARM("${A}") AND NOT ALARM(${B.Arn})'},
    {"Fn::Sub": ["OK(${A}-slow)", {"A": "a"}]},
    {"Fn::Sub": "${Whole} OR ALARM(a)"},
    {"Fn::Sub": 'AT_LEAST(50%, NOT OK, ("${A.Arn}", "${B.Arn}"))'},
    {"Fn::Join": ["", ["ALARM(", {"Ref": "A"}, ") OR OK(", {"Fn::GetAtt": ["B", "Arn"]}, ")"]]},
    {"Ref": "Rule"},
]
UNREADABLE: list[tuple[Any, str]] = [
    ("ALARM(a) OR", "it ends too early"),
    ("ALARM(a) ALARM(b)", "unexpected ALARM"),
    ("(ALARM(a)", "a bracket is not closed"),
    ("ALARMS(a)", "'ALARMS(a)' cannot be read"),
    ({"Fn::Sub": "ALARM(${A}) AND OR ALARM(${B})"}, "unexpected OR"),
    ({"Fn::Join": ["", ["ALARM(", {"Ref": "A"}, ") OR"]]}, "it ends too early"),
]


@pytest.mark.parametrize("rule", READ)
def test_every_rule_of_a_composite_alarm_is_read(rule: Any) -> None:
    assert list(RESOURCE_TYPES[RULE].problems({"AlarmRule": rule})) == []


@pytest.mark.parametrize(("rule", "said"), UNREADABLE)
def test_a_rule_that_cannot_be_read_is_refused_before_the_start(rule: Any, said: str) -> None:
    (found,) = RESOURCE_TYPES[RULE].problems({"AlarmRule": rule})

    assert found.message == f"AlarmRule cannot be read: {said}."


def test_a_metric_filter_is_made_left_alone_changed_and_removed(context: Context) -> None:
    kind = RESOURCE_TYPES["AWS::Logs::MetricFilter"]
    context.client("logs").create_log_group(logGroupName="/shop")
    (transformation,) = FILTER["MetricTransformations"]
    other = FILTER | {"MetricTransformations": [transformation | {"Unit": "None"}]}

    outcomes = [
        ensure(context, "AWS::Logs::MetricFilter", **one)[0]
        for one in (FILTER, FILTER, other, FILTER | {"FilterPattern": "FATAL"})
    ]

    assert outcomes == [CREATED, UNCHANGED, CHANGED, CHANGED]
    found, *_ = context.client("logs").describe_metric_filters(logGroupName="/shop")[
        "metricFilters"
    ]
    assert found["metricTransformations"][0]["dimensions"] == {"Route": "$.route"}
    (key,) = kind.keys("Thing", FILTER, Physical(found["filterName"]))
    assert kind.remove is not None
    assert kind.remove(context, key)


def test_a_metric_filter_has_one_transformation_and_only_what_is_done_here() -> None:
    kind = RESOURCE_TYPES["AWS::Logs::MetricFilter"]
    (one,) = FILTER["MetricTransformations"]

    (many,) = kind.problems(FILTER | {"MetricTransformations": [one, one]})
    (other,) = kind.problems(FILTER | {"ApplyOnTransformedLogs": True})

    assert "MetricTransformations must have 1" in many.message
    assert "ApplyOnTransformedLogs is not supported here" in other.message
