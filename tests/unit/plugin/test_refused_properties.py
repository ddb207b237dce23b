"""Properties of a stack's resources that are refused, noted or converted, and how they are set."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from localstack.services.cloudformation.resource_provider import ResourceProviderExecutor

from trigger_stack.localstack.cloudformation import properties
from trigger_stack.localstack.cloudformation.buckets import lifecycle_rule
from trigger_stack.localstack.cloudformation.conversions import converted
from trigger_stack.localstack.cloudformation.gateways import method_patches, replaced
from trigger_stack.localstack.cloudformation.tags import changes

SCHEMA: dict[str, Any] = {
    "properties": {
        "Name": {"type": "string"},
        "Size": {"type": "integer"},
        "Limit": {"$ref": "#/definitions/Limit"},
        "Rules": {"type": "array", "items": {"$ref": "#/definitions/Limit"}},
        "Anything": {"type": ["object", "string"]},
    },
    "definitions": {
        "Limit": {
            "type": "object",
            "properties": {"Rate": {"type": "number"}, "On": {"type": "boolean"}},
        }
    },
}


def test_texts_become_what_the_schema_says() -> None:
    limit = {"Rate": "1.5", "On": "True", "Other": "1"}

    made = converted(
        {"Name": "5", "Size": "-5", "Limit": limit, "Rules": [limit], "Anything": "7", "New": "8"},
        SCHEMA,
    )

    typed = {"Rate": 1.5, "On": True, "Other": "1"}
    assert made == {
        "Name": "5", "Size": -5, "Limit": typed, "Rules": [typed], "Anything": "7", "New": "8",
    }  # fmt: skip


def test_what_says_no_number_stays() -> None:
    given = {"Size": "many", "Limit": {"Rate": "1e3", "On": "yes"}}
    assert converted(given, SCHEMA) == given


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("AWS::DynamoDB::Table", {}),
        ("AWS::DynamoDB::GlobalTable", {"Replicas": [{"Region": "us-east-1"}]}),
    ],
)
def test_no_table_has_a_kinesis_stream(kind: str, given: dict[str, Any]) -> None:
    stream = {"KinesisStreamSpecification": {"StreamArn": "arn:aws:kinesis:::stream/s"}}
    known = {"properties": {**given, **stream}}

    assert properties.problem(kind, known, given) == ""
    with_stream = {name: [one | stream for one in value] for name, value in given.items()} or stream
    found = properties.problem(kind, known, with_stream)
    assert found.startswith(f"{kind}: KinesisStreamSpecification"), found
    assert found.endswith("cannot be set here")


def test_a_name_that_nobody_knows_is_a_problem() -> None:
    known = {"properties": {"QueueName": {}}}

    assert properties.problem("AWS::SQS::Queue", known, {"QueueName": "q"}) == ""
    found = properties.problem("AWS::SQS::Queue", known, {"QueueNme": "q", "Colour": "red"})
    assert found == "AWS::SQS::Queue: Colour, QueueNme cannot be set here"
    assert properties.problem("AWS::CDK::Metadata", known, {"Analytics": "v2"}) == ""


def test_what_is_noted_or_taken_is_no_problem() -> None:
    schema: dict[str, Any] = {"properties": {}}
    assert properties.problem("AWS::Logs::LogGroup", schema, {"LogGroupClass": "STANDARD"}) == ""
    permission = {"InvokedViaFunctionUrl": True}
    assert properties.problem("AWS::Lambda::Permission", schema, permission) == ""


def test_no_property_is_noted_and_refused() -> None:
    """And what somebody takes is neither."""
    for kind in properties._NOTED:
        of_kind = [
            {*table.get(kind, ())}
            for table in (properties._NOTED, properties._REFUSED, properties._TAKEN)
        ]
        assert sum(map(len, of_kind)) == len(set().union(*of_kind)), kind


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("Alarm", {"AlarmActions": ["arn:aws:sns:us-east-1:0:t", "arn:aws:lambda:us-east-1:0:f"]}),
        ("CompositeAlarm", {"AlarmRule": 'ALARM("arn:a") OR ALARM("arn:b")'}),
        ("CompositeAlarm", {"AlarmRule": "NOT (ALARM(ORDERS) AND OK(b)) OR FALSE"}),
        ("CompositeAlarm", {"AlarmActions": ["arn:aws:sns:us-east-1:0:t"]}),
    ],
)
def test_an_alarm_that_is_evaluated_is_no_problem(kind: str, given: dict[str, Any]) -> None:
    schema = {"properties": dict.fromkeys(given)}
    assert properties.problem(f"AWS::CloudWatch::{kind}", schema, given) == ""


@pytest.mark.parametrize("rule", ["", "often", 'ALARM("a") OR', "(ALARM(a)"])
def test_a_rule_that_cannot_be_read_is_a_problem(rule: str) -> None:
    given = {"AlarmRule": rule}
    schema = {"properties": dict.fromkeys(given)}
    assert f"AlarmRule {rule}: " in properties.problem(
        "AWS::CloudWatch::CompositeAlarm", schema, given
    )


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({}, {"Filter": {"Prefix": ""}}),
        ({"Prefix": "a/"}, {"Filter": {"Prefix": "a/"}}),
        (
            {"Prefix": "a/", "ObjectSizeGreaterThan": "5"},
            {"Filter": {"And": {"Prefix": "a/", "ObjectSizeGreaterThan": 5}}},
        ),
        (
            {"TagFilters": [{"Key": "a", "Value": "b"}]},
            {"Filter": {"Tag": {"Key": "a", "Value": "b"}}},
        ),
        (
            {"Prefix": "a/", "TagFilters": [{"Key": "a", "Value": "b"}]},
            {"Filter": {"And": {"Prefix": "a/", "Tags": [{"Key": "a", "Value": "b"}]}}},
        ),
        (
            {"Id": "x", "ExpiredObjectDeleteMarker": "true"},
            {
                "ID": "x",
                "Filter": {"Prefix": ""},
                "Expiration": {"ExpiredObjectDeleteMarker": True},
            },
        ),
        (
            {
                "NoncurrentVersionExpirationInDays": 5,
                "NoncurrentVersionTransition": {
                    "StorageClass": "GLACIER",
                    "TransitionInDays": "2",
                },
            },
            {
                "Filter": {"Prefix": ""},
                "NoncurrentVersionExpiration": {"NoncurrentDays": 5},
                "NoncurrentVersionTransitions": [{"StorageClass": "GLACIER", "NoncurrentDays": 2}],
            },
        ),
    ],
)
def test_a_rule_of_a_life_cycle(given: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert lifecycle_rule({"Status": "Enabled", **given}) == {"Status": "Enabled", **wanted}


def test_patches_of_a_stage() -> None:
    before = {
        "MethodSettings": [{"ResourcePath": "/a/b", "HttpMethod": "GET"}, {"HttpMethod": "*"}]
    }
    model = {"MethodSettings": [{"ResourcePath": "/c", "MetricsEnabled": False}]}

    assert method_patches(before, model) == [
        {"op": "replace", "path": "/~1c/*/metrics/enabled", "value": "false"},
        {"op": "remove", "path": "/*/*"},
        {"op": "replace", "path": "/~1a~1b/GET/throttling/burstLimit", "value": "-1"},
        {"op": "replace", "path": "/~1a~1b/GET/throttling/rateLimit", "value": "-1"},
    ]
    paths = {"Name": ("/name", None), "Size": ("/size", "1"), "On": ("/on", "false")}
    assert replaced({"Name": "a", "Size": 2, "On": True}, {"On": True}, paths) == [
        {"op": "replace", "path": "/size", "value": "1"}
    ]


def test_tags_that_are_new_and_gone() -> None:
    old = {"Tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]}
    assert changes(old, {"Tags": {"a": "1", "c": "3"}}) == ({"c": "3"}, ["b"])
    assert changes({}, {}) == ({}, [])


def test_localstack_still_looks_at_no_property_that_it_does_not_set() -> None:
    assert "additionalProperties" not in inspect.getsource(ResourceProviderExecutor)
