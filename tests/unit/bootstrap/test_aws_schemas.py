"""AWS's schemas of resource types: what they say about a property, and whether they are current."""

from __future__ import annotations

import copy
import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import PROVIDER, Project

from bootstrap.checks import examine
from bootstrap.commands.load import load_template
from bootstrap.services import RESOURCE_TYPES, aws_schemas, shapes
from bootstrap.services.aws_schemas import Schema
from bootstrap.services.base import ResourceType

ROOT = Path(__file__).parents[3]


def script() -> Any:
    spec = importlib.util.spec_from_file_location(
        "aws_schemas_script", ROOT / "scripts/aws_schemas.py"
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_file_is_what_localstacks_schemas_come_to() -> None:
    assert aws_schemas.FILE.read_text() == script().content(), "run: make schemas"


def test_schemas_that_localstack_has_not_are_copied_without_their_descriptions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, registry = script(), tmp_path / "cfnlint/data/schemas/resources"
    registry.mkdir(parents=True)
    text = {"type": "string", "description": "a text", "$comment": "none"}
    for name in ("A", "B"):
        properties = {"description": text, "Name": text}
        schema = {"typeName": f"AWS::X::{name}", "properties": properties, "handlers": {}}
        (registry / f"{name}.json").write_text(json.dumps(schema))
    file = tmp_path / "AWS-X-A.json"
    file.write_text("{}")
    monkeypatch.setattr(module, "OTHERS", tmp_path)

    module.take(tmp_path)

    plain = {"type": "string"}
    assert json.loads(file.read_text()) == {
        "typeName": "AWS::X::A",
        "properties": {"description": plain, "Name": plain},
    }
    assert not (tmp_path / "AWS-X-B.json").exists()


def test_what_is_loosened_has_a_reason_and_is_not_as_aws_has_it() -> None:
    """The script fails when a place is gone, or already so in the schema."""
    for place, (_, reason) in script().LOOSENED.items():
        assert place.split(" ")[0] in RESOURCE_TYPES
        assert len(reason) > 20


def test_a_property_that_is_left_to_aws_is_in_its_schema() -> None:
    """Else nobody would look at it."""
    for kind, resource_type in RESOURCE_TYPES.items():
        schema = aws_schemas.of(kind)
        for name, shape in {**resource_type.required, **resource_type.optional}.items():
            if shape is shapes.as_aws:
                assert schema is not None and name in schema.properties, (kind, name)


def test_a_type_that_localstack_has_no_schema_of_is_checked_by_its_own_shapes() -> None:
    assert aws_schemas.of("AWS::Pipes::Pipe") is None
    kind = RESOURCE_TYPES["AWS::Pipes::Pipe"]
    first, *_ = kind.problems({"Nme": "x", "Source": "a", "Target": "b"})
    assert first.message == (
        "the property Nme is not supported here. Supported: Description, DesiredState, Enrichment, "
        "EnrichmentParameters, Name, RoleArn, Source, SourceParameters, Tags, Target, "
        "TargetParameters. Did you mean “Name”?"
    )


def schema(**properties: Any) -> Schema:
    names = frozenset(properties)
    definitions = {"Tag": {"type": "object", "required": ["Key"]}}
    return Schema(names, frozenset(), frozenset(), properties, definitions)


CLOSED = {
    "type": "object", "additionalProperties": False, "required": ["Key"],
    "properties": {"Key": {"type": "string"}, "Value": {"type": "integer"}},
}  # fmt: skip
NAMED = {
    "type": "object", "additionalProperties": False, "patternProperties": {"^[a-z]+$": {}},
}  # fmt: skip
EITHER = {"oneOf": [{"type": "array", "items": CLOSED}, {"type": "string"}]}
OTHER = "is not known to AWS. There are: Key, Value"
QUOTES = "write text in quotes"
SHORT = {"type": "string", "minLength": 2, "maxLength": 3}
#: A schema, a value, where it is wrong, what is said.
WRONG: list[tuple[dict[str, Any], Any, tuple[str | int, ...], str]] = [
    ({"type": "string"}, 3, (), f"must be text, not “3”; {QUOTES}"),
    ({"type": "string"}, None, (), f"must be text, not nothing; {QUOTES}"),
    ({"type": "boolean"}, "true", (), "must be true or false, not “true”"),
    ({"type": "integer"}, 1.5, (), "must be a whole number, not “1.5”"),
    ({"type": "integer"}, True, (), "must be a whole number, not “True”"),
    ({"type": "number"}, [], (), "must be a number, not a list"),
    ({"type": "array"}, {}, (), "must be a list, not a mapping"),
    ({"type": "array"}, {"Ref": "A"}, (), "must be a list, not a mapping"),
    ({"type": "object"}, {"Ref": "A"}, (), "must be a mapping, not a CloudFormation function"),
    ({"type": ["object", "string"]}, [], (), "must be text or a mapping, not a list"),
    ({"type": ["integer", "string"]}, [], (), "must be a whole number, not a list"),
    ({"enum": ["On", "Off"]}, "on", (), "must be On or Off, not “on”. Did you mean “On”?"),
    ({"type": "integer", "enum": [1, 3]}, 2, (), "must be 1 or 3, not “2”"),
    ({"const": "V1"}, "V2", (), "must be V1, not “V2”"),
    ({"type": "integer", "minimum": 0}, -1, (), "must be 0 or more, not -1"),
    ({"type": "integer", "minimum": 1, "maximum": 5}, 6, (), "must be 1 to 5, not 6"),
    ({"type": "number", "maximum": 5}, 10**400, (), ""),
    ({"type": "number", "maximum": 5}, 5.5, (), "must be 5 or fewer, not 5.5"),
    (SHORT, "abcd", (), "must have 2 to 3 characters, not 4"),
    ({"type": "string", "maxLength": 3}, "abcd", (), "must have 0 to 3 characters, not 4"),
    ({"pattern": "^a$"}, "b", (), "must be as AWS has it: ^a$ (a regular expression), not “b”"),
    ({"type": "array", "minItems": 1}, [], (), "must have 1 or more items, not 0"),
    ({"type": "array", "maxItems": 1}, [1, 2], (), "must have 0 to 1 items, not 2"),
    ({"type": "array", "uniqueItems": True}, ["a", "a"], (1,), "stands in the list twice"),
    ({"items": {"type": "string"}}, ["a", 3], (1,), f"must be text, not “3”; {QUOTES}"),
    ({"$ref": "#/definitions/Tag"}, {}, (), "needs Key"),
    (CLOSED, {"Key": "a", "Value": "x"}, ("Value",), "must be a whole number, not “x”"),
    (CLOSED, {"Key": "a", "Other": 1}, ("Other",), OTHER),
    (CLOSED, {"Keys": "a"}, ("Keys",), f"{OTHER}. Did you mean “Key”?"),
    (NAMED, {"A": 1}, ("A",), "has a name that AWS does not take; it takes ^[a-z]+$"),
    ({"type": "object", "additionalProperties": False}, {"A": 1}, ("A",), "is not known to AWS"),
    (EITHER, [{"Key": 3}], (0, "Key"), f"must be text, not “3”; {QUOTES}"),
]  # fmt: skip


@pytest.mark.parametrize(("one", "value", "path", "said"), WRONG)
def test_what_is_wrong_is_said_at_its_own_key(
    one: dict[str, Any], value: Any, path: tuple[str | int, ...], said: str
) -> None:
    found = list(schema(It=one).problems({"It": value}))

    assert [(f.path, f.message) for f in found] == ([(("It", *path), said)] if said else [])


@pytest.mark.parametrize(
    ("one", "value"),
    [
        *(({"type": kind}, {"Ref": "A"}) for kind in ("string", "boolean", "integer", "number")),
        ({"type": "array"}, {"Fn::Split": [",", "a,b"]}),
        ({"type": "array"}, {"Fn::GetAZs": ""}),
        ({"type": "array", "items": {"type": "string"}}, [{"Fn::GetAtt": ["A", "Arn"]}]),
        ({"type": "string", "pattern": "^a$", "minLength": 9}, {"Fn::Sub": "b"}),
        ({"type": "string", "pattern": "^a$"}, shapes.UNKNOWN),
        ({"type": "string", "enum": ["a"]}, {"Ref": "A"}),
        ({"type": "integer", "minimum": 3}, 3),
        ({"type": "integer", "enum": [3]}, 3),
        ({"type": ["object", "string"]}, {"Version": "2012-10-17"}),
        ({"type": "object"}, {"any": "thing"}),
        (NAMED, {"a": 1}),
        (EITHER, [{"Key": "a"}]),
        (EITHER, "text"),
        ({}, None),
    ],
)
def test_what_is_right_is_let_through(one: dict[str, Any], value: Any) -> None:
    assert not list(schema(It=one).problems({"It": value}))


@pytest.mark.parametrize(
    ("kind", "text", "meant"),
    [("integer", "3", 3), ("number", "0.5", 0.5), ("boolean", "true", True), ("string", "3", None)],
)
def test_what_a_text_means_is_said_with_it(kind: str, text: str, meant: Any) -> None:
    either = {"oneOf": [{"type": "object", "properties": {"A": {"type": kind}}}, {"type": "array"}]}

    for one, value, path in (({"type": kind}, text, ("It",)), (either, {"A": text}, ("It", "A"))):
        found = [(f.path, f.meant) for f in schema(It=one).problems({"It": value})]
        assert found == ([] if meant is None else [(path, meant)])


#: Where, and what is said: everything in one go, by line.
DEFINITION = (
    PROVIDER
    + """\
functions:
  greet:
    handler: app.handler
    environment: {B: b}
resources:
  Resources:
    Orders:
      Type: AWS::SQS::Queue
      Properties:
        QueueName: orders
        Arn: x
        FifoQueu: true
        RedrivePolicy: {deadLetterTargetArn: !GetAtt Orders.Arn, maxReceiveCnt: 3}
        Tags: []
    Nightly:
      Type: AWS::Events::Rule
      Properties:
        State: ENABLE
        ScheduleExpression: [a]
        Targets:
          - {Id: a, Arn: x, KinesisParameters: {PartitionKeyPth: x}}
          - Arn: !GetAtt GreetLambdaFunction.Arn
            RetryPolicy: {MaximumRetryAttempts: often}
    Things:
      Type: AWS::DynamoDB::Table
      Properties:
        AttributeDefinitions: [{AttributeName: a, AttributeType: S}, {}]
        GlobalSecondaryIndexes:
          - {IndexName: [], KeySchema: [], ContributorInsightsSpecification: {Enabled: 3}}
    Meter:
      Type: AWS::Pipes::Pipe
      Properties:
        RoleArn: []
        SourceParameters: {SqsQueueParameters: {BatchSize: x, Other: 1}}
    Log:
      Type: AWS::Logs::LogGroup
      Properties: {LogGroupName: a b, RetentionInDays: 6}
    Plan:
      Type: AWS::Scheduler::Schedule
      Properties:
        FlexibleTimeWindow: {Mode: FLEXIBEL}
        ScheduleExpression: rate(1 hour)
        Target: {Arn: !GetAtt GreetLambdaFunction.Arn, RoleArn: admin}
"""
)
SAID = """\
9:19 GreetLambdaFunction (AWS::Lambda::Function): Environment.Variables.B has a name that AWS doe
12:5 Orders (AWS::SQS::Queue): refers to itself: Orders → Orders.
16:9 Orders (AWS::SQS::Queue): Arn is set by AWS and cannot be given. Remove it.
17:9 Orders (AWS::SQS::Queue): the property FifoQueu is not known to AWS. Supported: ContentBased
18:66 Orders (AWS::SQS::Queue): RedrivePolicy.maxReceiveCnt is not supported here. Supported: dea
23:9 Nightly (AWS::Events::Rule): State must be ENABLED or DISABLED, not “ENABLE”. Did you mean “
24:9 Nightly (AWS::Events::Rule): ScheduleExpression must be text, not a list; write text in quotes
26:49 Nightly (AWS::Events::Rule): Targets.0.KinesisParameters.PartitionKeyPth is not known to AW
27:13 Nightly (AWS::Events::Rule): Targets.1 needs Id.
28:27 Nightly (AWS::Events::Rule): Targets.1.RetryPolicy.MaximumRetryAttempts must be a whole num
31:7 Things (AWS::DynamoDB::Table): the property KeySchema is required.
32:70 Things (AWS::DynamoDB::Table): AttributeDefinitions.1 needs AttributeName.
32:70 Things (AWS::DynamoDB::Table): AttributeDefinitions.1 needs AttributeType.
34:13 Things (AWS::DynamoDB::Table): GlobalSecondaryIndexes.0 needs Projection.
34:14 Things (AWS::DynamoDB::Table): GlobalSecondaryIndexes.0.IndexName must be text, not a list;
34:44 Things (AWS::DynamoDB::Table): GlobalSecondaryIndexes.0.ContributorInsightsSpecification is
37:7 Meter (AWS::Pipes::Pipe): the property Source is required.
37:7 Meter (AWS::Pipes::Pipe): the property Target is required.
38:9 Meter (AWS::Pipes::Pipe): RoleArn must be text, not a list; write text in quotes.
39:49 Meter (AWS::Pipes::Pipe): SourceParameters.SqsQueueParameters.BatchSize must be a whole num
39:63 Meter (AWS::Pipes::Pipe): SourceParameters.SqsQueueParameters.Other is not supported here.
42:20 Log (AWS::Logs::LogGroup): LogGroupName must be as AWS has it: ^[.\\-_/#A-Za-z0-9]{1,512}\\Z
42:39 Log (AWS::Logs::LogGroup): RetentionInDays must be 1 or 3 or 5 or 7 or 14 or 30 or 60 or 90
46:30 Plan (AWS::Scheduler::Schedule): FlexibleTimeWindow.Mode must be OFF or FLEXIBLE, not “FLEX
48:56 Plan (AWS::Scheduler::Schedule): Target.RoleArn must be as AWS has it: ^arn:aws(-[a-z]+)?:i
""".splitlines()


def test_everything_about_resources_is_said_at_once_and_at_its_key(project: Project) -> None:
    project.file.write_text(DEFINITION)

    found = [f"{f.line}:{f.column} {f.what}" for f in examine(load_template(project.file)).findings]

    for given, said in zip(found, SAID, strict=False):
        assert given.startswith(said)
    assert len(found) == len(SAID), "\n".join(found)


# --- Whatever stands there


VALUES: list[Any] = [
    None, True, 0, -1, 10**400, 0.5, "", "x", "9" * 5000, "arn:aws:sqs:us-east-1:000000000000:q",
    "\ue000", "a\nb", [], [[]], [None], [{}, {}], {}, {"": {}}, {"Ref": "A"}, {"Ref": []},
    {"Fn::Split": [",", "a"]}, {"Fn::GetAtt": ["A", "B"], "x": 1}, {"Key": {"Key": {}}},
]  # fmt: skip


def described() -> Iterator[tuple[ResourceType, dict[str, Any]]]:
    for resource in load_template(ROOT / "serverless.yml").resources.values():
        yield RESOURCE_TYPES[resource.type], resource.properties


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        yield (*path, key)
        if isinstance(inner, dict | list):
            yield from places(inner, (*path, key))


def test_no_value_at_any_place_of_a_resource_is_too_strange() -> None:
    types: dict[str, tuple[ResourceType, dict[str, Any]]] = {}
    for kind, properties in described():  # of each type the resource that says most
        if len(str(properties)) > len(str(types.get(kind.name, ("", {}))[1])):
            types[kind.name] = kind, properties
    tried = 0
    for kind, properties in types.values():
        for path in places(properties):
            for value in VALUES:
                mutant = copy.deepcopy(properties)
                owner: Any = mutant
                for key in path[:-1]:
                    owner = owner[key]
                owner[path[-1]] = value
                if isinstance(owner, dict):
                    owner["Unknown"] = value
                for problem in kind.problems(mutant):
                    assert problem.message.endswith((".", "?"))
                tried += 1
    assert tried > 5000


def test_the_properties_of_the_own_definition_are_as_aws_has_them() -> None:
    problems = [str(one) for kind, properties in described() for one in kind.problems(properties)]

    assert not problems


def test_the_file_has_its_source() -> None:
    assert json.loads(aws_schemas.FILE.read_text())["source"].startswith("localstack-core ")
