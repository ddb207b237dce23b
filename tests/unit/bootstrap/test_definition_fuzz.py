"""Whatever a definition file holds, reading it ends: in resources or in a sentence."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bootstrap.checks import check
from bootstrap.definition.compile import compile_template
from bootstrap.definition.document import load_document
from bootstrap.definition.variables import resolve_variables
from bootstrap.errors import DefinitionError
from tests.support.mutants import share

SETTINGS = settings(
    max_examples=max(1, share("generated") // 4),  # of each of the tests below
    deadline=60_000,
    suppress_health_check=list(HealthCheck),
    database=None,
)
WORDS = st.sampled_from(
    [
        "service provider name aws runtime python3.13 functions handler app.handler events httpApi",
        "s3 sqs eventBridge bucket rules prefix suffix arn schedule rate(1 hour) pattern resources",
        "Resources Type Properties AWS::SQS::Queue QueueName Ref Fn::GetAtt Fn::Sub Fn::Join",
        "layers path package patterns environment destinations onFailure type DependsOn iam role",
        "${self:} ${self:service} ${env:HOME} ${opt:stage,'x'} ${AWS::Region} ${ } } , : - !Ref",
        "[ ] { } & * ! | > ' \" # % @ ` <<: ... --- !!binary !!set !!omap !!timestamp 2020-01-01",
        "null true 1 -1 0.5 1e400 .inf .nan 0x1F 0o17 1_000 ~ ? *a &a",
    ]
).flatmap(lambda words: st.sampled_from(words.split(" ")))
SCALARS = (
    WORDS
    | st.text(max_size=8)
    | st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.dates()
    | st.binary(max_size=4)
)
TREES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(WORDS | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)
GARBAGE = st.lists(
    WORDS | st.sampled_from(["\n", "\n  ", "\n    ", "\t", " ", ":", ": "]), max_size=40
)


def read(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "serverless.yml")
        file.write_bytes(content)
        Path(folder, "app.py").write_text("def handler(event, context): ...\n")
        try:
            document = load_document(file)
            resolve_variables(document, environment={"HOME": "${self:}"}, options={"stage": "x"})
            check(compile_template(document))
        except DefinitionError as error:
            assert str(error).startswith("serverless.yml:"), error
            assert len(str(error)) < 20_000


@SETTINGS
@given(st.binary(max_size=200))
@example(b"\xff\xfe\x00")
@example(b"a: &a [*a]")
@example(b"a: &a {b: *a}")
@example(b"? [a, b]\n: c")
@example(b"? {a: b}\n: c")
@example(b"1: a\n'1': b")
@example(b"a: &x {k: v}\nb:\n  <<: *x\n")
@example(b"<<: 1")
@example(b"a: !!timestamp 2020-13-45")
@example(b"a: 1" + b"0" * 5000)
@example(b"a: " + b"[" * 5000)
@example(b"a: !Sub [x]")
@example(b"%YAML 3.0\n---\na: b")
def test_any_bytes(content: bytes) -> None:
    read(content)


@SETTINGS
@given(GARBAGE)
def test_the_right_words_in_the_wrong_order(words: list[str]) -> None:
    read("".join(words).encode(errors="replace"))


@SETTINGS
@given(TREES)
def test_any_tree(tree: Any) -> None:
    read(yaml.safe_dump(tree, allow_unicode=True).encode(errors="replace"))


def valid() -> dict[str, Any]:
    return {
        "service": "shop",
        "provider": {
            "name": "aws",
            "runtime": "python3.13",
            "s3": {"uploads": {"name": "uploads-bucket"}},
            "iam": {"role": {"statements": [{"Effect": "Allow"}]}},
        },
        "functions": {
            "greet": {
                "handler": "app.handler",
                "destinations": {"onFailure": {"type": "sqs", "arn": {"Fn::GetAtt": ["Q", "Arn"]}}},
                "events": [
                    {"httpApi": {"method": "GET", "path": "/a/{b}"}},
                    {"s3": {"bucket": "uploads", "rules": [{"prefix": "in/"}]}},
                    {"sqs": {"arn": {"Fn::GetAtt": ["Q", "Arn"]}, "batchSize": 10}},
                    {"eventBridge": {"schedule": "rate(1 hour)", "eventBus": "default"}},
                    {"eventBridge": {"pattern": {"source": ["x"]}, "eventBus": {"Ref": "Bus"}}},
                ],
            }
        },
        "resources": {
            "Resources": {
                "Q": {
                    "Type": "AWS::SQS::Queue",
                    "Properties": {"QueueName": {"Fn::Sub": "${AWS::Region}-q"}},
                    "DependsOn": "Bus",
                },
                "Bus": {"Type": "AWS::Events::EventBus", "Properties": {"Name": "bus"}},
            }
        },
    }


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    below: list[tuple[Any, ...]] = []
    if isinstance(node, dict):
        below = [p for key, value in node.items() for p in places(value, (*path, key))]
    elif isinstance(node, list):
        below = [p for i, value in enumerate(node) for p in places(value, (*path, i))]
    return ([path] if path else []) + below


@SETTINGS
@given(st.sampled_from(places(valid())), TREES, st.booleans())
def test_a_good_definition_with_one_thing_replaced(
    place: tuple[Any, ...], value: Any, drop: bool
) -> None:
    tree = valid()
    node: Any = tree
    for key in place[:-1]:
        node = node[key]
    if drop:
        del node[place[-1]]
    else:
        node[place[-1]] = value
    read(yaml.safe_dump(tree, allow_unicode=True).encode(errors="replace"))
