"""Everything that is wrong in a definition is said at once, each at its own key, with a remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from bootstrap.checks import everything, unreadable
from bootstrap.commands import check
from bootstrap.commands.load import load_template
from bootstrap.errors import DefinitionError, did_you_mean

WRONG = """\
service: shop
provider:
  name: aws
  runtime: python3.14x
  memorysize: 3
  timeout: 1000
  environment:
    A: ${env:NOT_THERE_AT_ALL}
    B: ${selff:service}
functions:
  one:
    handlr: app.handler
  two:
    handler: app.handler
    timeout: abc
    events:
      - httpapi: GET /
      - sqs: {arn: !GetAtt Quue.Arn, batchsize: 3}
      - eventBridge: {schedule: rate(1 hours)}
resources:
  Resources:
    Queue:
      Type: AWS::SQS::Queu
    Other:
      Type: AWS::SQS::Queue
      Propertis: {}
    Third:
      Type: AWS::SQS::Queue
      Properties: {QueuName: a, VisibilityTimeout: -1}
"""
PLACES = [
    (4, 3, "“python3.14x” is not a Lambda runtime", "python3.14"),
    (5, 3, "provider.memorysize: is not supported here", "memorySize"),
    (6, 3, "provider.timeout: input should be less than or equal to 900", ""),
    (8, 5, "${env:NOT_THERE_AT_ALL} has no value", ""),
    (9, 5, "the variable source “selff” is not supported here", "self"),
    (12, 5, "functions.one.handlr: is not supported here", "handler"),
    (15, 5, "functions.two.timeout: input should be a valid integer", ""),
    (17, 9, "the event type “httpapi” is not supported here", "httpApi"),
    (18, 38, "batchsize: is not supported here", "batchSize"),
    (19, 23, "the schedule “rate(1 hours)” needs the unit", ""),
    (23, 7, "Queue (AWS::SQS::Queu): the resource type is not supported", "AWS::SQS::Queue"),
    (26, 7, "Other.Propertis is not supported here", "Properties"),
    (29, 20, "the property QueuName is not known to AWS", "QueueName"),
    (29, 33, "VisibilityTimeout must be 0 to 43200, not -1", ""),
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text("def handler(event, context): ...\n")
    path = tmp_path / "serverless.yml"
    path.write_text(WRONG)
    return path


def refused(file: Path) -> DefinitionError:
    with pytest.raises(DefinitionError) as caught:
        load_template(file)
    return caught.value


def test_everything_is_said_at_once_at_its_own_key(file: Path) -> None:
    found = unreadable(refused(file)).findings

    assert [(one.line, one.column) for one in found] == [place[:2] for place in PLACES]
    for one, (_, _, said, meant) in zip(found, PLACES, strict=True):
        assert said in one.what
        assert not meant or one.what.endswith(f"Did you mean “{meant}”?")


def test_the_command_prints_places_that_an_editor_finds(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = check.run(file, check.Format.TEXT, strict=False)

    lines = capsys.readouterr().out.splitlines()
    assert code == 2
    assert [line.split(": error")[0] for line in lines[:-1]] == [
        f"{file}:{line}:{column}" for line, column, *_ in PLACES
    ]
    assert lines[-1] == f"{file}: {len(PLACES)} errors"


def test_up_says_the_same(file: Path) -> None:
    said = str(everything(refused(file))).splitlines()

    assert [line.split(": ")[0] for line in said] == [
        f"serverless.yml:{line}:{column}" for line, column, *_ in PLACES
    ]


def test_a_value_that_is_unknown_is_not_wrong_twice(file: Path) -> None:
    file.write_text(
        "service: shop\nprovider:\n  name: aws\n  runtime: ${env:NOT_THERE_AT_ALL}\n"
        "  timeout: ${env:NOT_THERE_EITHER}\nfunctions:\n  one: {handler: app.handler}\n"
    )

    assert [(one.line, "has no value" in one.message) for one in refused(file).errors] == [
        (4, True),
        (5, True),
    ]


@pytest.mark.parametrize(
    ("text", "excerpt"),
    [
        ("service: [shop\nprovider: x\n", "    2 | provider: x\n                ^"),
        ("service: 'shop\n", ""),
        ("a: 1\n\tb: 2\n", "    2 |  b: 2\n        ^"),
        (f"{'x' * 200}: [}}\n", "^"),
    ],
)
def test_a_mistake_in_the_yaml_shows_its_line(file: Path, text: str, excerpt: str) -> None:
    file.write_text(text)

    error = refused(file)

    assert error.message.endswith(excerpt)
    assert max(map(len, error.message.splitlines())) < 200


def test_several_conditions(file: Path) -> None:
    file.write_text(
        "service: shop\nprovider: {name: aws}\nresources:\n  Resources:\n"
        "    A: {Type: AWS::SQS::Queue, Condition: No}\n"
        "    B: {Type: AWS::SQS::Queue, Properties: {QueueName: !FindInMap [a, b, c]}}\n"
    )

    assert [one.line for one in refused(file).errors] == [5, 6]


@pytest.mark.parametrize(
    ("word", "known", "meant"),
    [
        ("httpapi", ["httpApi", "http"], " Did you mean “httpApi”?"),
        ("QueuName", ["QueueName"], " Did you mean “QueueName”?"),
        ("kafka", ["sqs", "sns"], ""),
        ("", ["sqs"], ""),
        ("x" * 10_000, ["sqs"], ""),
    ],
)
def test_did_you_mean(word: str, known: list[str], meant: str) -> None:
    assert did_you_mean(word, known) == meant


@pytest.mark.parametrize("key", ["str", "bool", "dict[str,any]"])
def test_a_key_that_is_called_like_a_type(file: Path, key: str) -> None:
    file.write_text(f"service: shop\nprovider: {{name: aws}}\n{key}: 5\n")

    assert refused(file).message.startswith(f"{key}: is not supported here.")
