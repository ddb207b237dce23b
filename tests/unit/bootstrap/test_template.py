"""References between resources: order, what is refused, and the values they become."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from bootstrap.definition.document import Document
from bootstrap.errors import DefinitionError
from bootstrap.template import (
    Physical,
    Resource,
    Template,
    UnknownAttributeError,
    function_problem,
    references,
    resolve,
)

PSEUDO = {"AWS::Region": "us-east-1", "AWS::AccountId": "000000000000", "AWS::Partition": "aws"}
QUEUE = Physical("http://localhost/queue", {"Arn": "arn:aws:sqs:us-east-1:0:queue"})


def template(*resources: Resource) -> Template:
    lines: dict[tuple[str | int, ...], int] = {
        (r.logical_id,): number for number, r in enumerate(resources, 1)
    }
    made = Template("shop", "us-east-1", "test", Document(Path("serverless.yml"), {}, lines))
    for resource in resources:
        made.add(resource)
    return made


def resource(name: str, *needs: str, properties: Any = None) -> Resource:
    return Resource(name, "Test::Thing", properties or {}, (name,), needs)


@pytest.mark.parametrize(
    ("node", "found"),
    [
        ({"Ref": "A"}, ["A"]),
        ({"Ref": "AWS::Region"}, []),
        ({"Fn::GetAtt": ["A", "Arn"]}, ["A"]),
        ({"Fn::Sub": "${A}-${B.Arn}-${AWS::Region}-${!Literal}"}, ["A", "B"]),
        ({"Fn::Sub": ["${A}-${own}", {"own": {"Ref": "C"}}]}, ["C", "A"]),
        ({"Fn::Join": ["-", ["x", {"Ref": "A"}, {"Fn::Sub": "${B}"}]]}, ["A", "B"]),
        ({"deep": [{"er": {"Ref": "A"}}, {"Ref": "A"}]}, ["A", "A"]),
        ("${A}", []),
    ],
)
def test_references(node: Any, found: list[str]) -> None:
    assert list(references(node)) == found


@pytest.mark.parametrize(
    ("node", "value"),
    [
        ({"Ref": "Queue"}, "http://localhost/queue"),
        ({"Ref": "AWS::Region"}, "us-east-1"),
        ({"Fn::GetAtt": ["Queue", "Arn"]}, "arn:aws:sqs:us-east-1:0:queue"),
        ({"Fn::Sub": "${AWS::Region}/${Queue}"}, "us-east-1/http://localhost/queue"),
        ({"Fn::Sub": ["${a}-${Queue.Arn}", {"a": 1}]}, "1-arn:aws:sqs:us-east-1:0:queue"),
        ({"Fn::Sub": ["<${a}>", {"a": ""}]}, "<>"),
        ({"Fn::Sub": "${!Queue}"}, "${Queue}"),
        ({"Fn::Join": ["-", ["a", 1, {"Ref": "AWS::Partition"}]]}, "a-1-aws"),
        (
            {"a": [{"b": {"Ref": "Queue"}}], "c": 3},
            {"a": [{"b": "http://localhost/queue"}], "c": 3},
        ),
        (True, True),
        (None, None),
    ],
)
def test_resolve(node: Any, value: Any) -> None:
    assert resolve(node, {"Queue": QUEUE}, PSEUDO) == value


def test_an_attribute_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(UnknownAttributeError, match=r"Queue has no attribute Url. It has: Arn"):
        resolve({"Fn::GetAtt": ["Queue", "Url"]}, {"Queue": QUEUE}, PSEUDO)


@pytest.mark.parametrize(
    ("node", "said"),
    [
        ({"Fn::If": ["a", "b", "c"]}, "Fn::If is not supported here. Supported: Ref, Fn::GetAtt"),
        ({"Fn::GetStackOutput": "x"}, "Fn::GetStackOutput is not supported here"),
        ({"Ref": ["A"]}, "Ref takes the logical id"),
        ({"Ref": "A", "other": 1}, "Ref must be the only key of its mapping"),
        ({"Fn::GetAtt": "A.Arn"}, "Fn::GetAtt takes [<logical id>, <attribute>]"),
        ({"Fn::GetAtt": ["A"]}, "Fn::GetAtt takes"),
        ({"Fn::Join": ["-", "a"]}, "Fn::Join takes"),
        ({"Fn::Join": ["-"]}, "Fn::Join takes"),
        ({"Fn::Sub": []}, "Fn::Sub takes text, or"),
        ({"Fn::Sub": ["x", ["y"]]}, "Fn::Sub takes text, or"),
        ([{"a": [{"Fn::Sub": None}]}], "Fn::Sub takes text, or"),
    ],
)
def test_functions_that_are_written_wrongly(node: Any, said: str) -> None:
    assert said in (function_problem(node) or "accepted")


def test_each_resource_comes_after_what_it_needs() -> None:
    resources = [
        resource("Rule", properties={"Bus": {"Ref": "Bus"}, "Dlq": {"Fn::GetAtt": ["Dlq", "Arn"]}}),
        resource("Dlq"),
        resource("Bus"),
        resource("Permission", "Rule"),
    ]
    random.Random(4).shuffle(resources)

    order = [r.logical_id for r in template(*resources).ordered()]

    assert order.index("Bus") < order.index("Rule") < order.index("Permission")
    assert order.index("Dlq") < order.index("Rule")


def test_a_reference_to_nothing() -> None:
    with pytest.raises(DefinitionError) as caught:
        template(resource("A"), resource("B", properties={"X": {"Ref": "Missing"}})).ordered()

    assert str(caught.value) == (
        "serverless.yml:2: B (Test::Thing): refers to Missing, which is not defined. Defined: A, B."
    )


def test_a_dependency_on_nothing() -> None:
    with pytest.raises(DefinitionError, match="refers to Missing, which is not defined"):
        template(resource("A", "Missing")).ordered()


def test_a_cycle() -> None:
    with pytest.raises(DefinitionError, match=r"refers to itself: (A → B → A|B → A → B)") as caught:
        template(resource("A", "B"), resource("B", "A")).ordered()
    assert caught.value.line in (1, 2)


def test_itself() -> None:
    with pytest.raises(DefinitionError, match="refers to itself: A → A"):
        template(resource("A", properties={"X": {"Fn::Sub": "${A.Arn}"}})).ordered()


def test_the_same_logical_id_twice() -> None:
    with pytest.raises(DefinitionError, match="A is defined twice: rename one"):
        template(resource("A"), resource("A"))
