"""Numbers and truth values as text are what CloudFormation and the framework make of them."""

from __future__ import annotations

from typing import Any

import pytest

from bootstrap.checks import check
from bootstrap.commands.load import load_template
from bootstrap.errors import DefinitionError
from bootstrap.services import RESOURCE_TYPES
from tests.unit.bootstrap.conftest import FUNCTION, PROVIDER, Project

DISTRIBUTION = """\
resources:
  Resources:
    Site:
      Type: AWS::CloudFront::Distribution
      Properties:
        DistributionConfig:
          Enabled: 'true'
          HttpVersion: http2
          Origins:
            - Id: api
              DomainName: example.com
              CustomOriginConfig: {OriginProtocolPolicy: https-only, HTTPSPort: '443'}
          DefaultCacheBehavior:
            TargetOriginId: api
            ViewerProtocolPolicy: allow-all
            Compress: "False"
            DefaultTTL: '300'
            ForwardedValues: {QueryString: 'false'}
"""


def resource(kind: str, **properties: Any) -> dict[str, Any]:
    return RESOURCE_TYPES[kind].converted(properties)


def test_a_distribution_is_as_if_its_values_were_written_as_they_are(project: Project) -> None:
    as_text = project.compile(PROVIDER + DISTRIBUTION)
    plain = DISTRIBUTION
    for text, value in {
        "'true'": "true", "'false'": "false", '"False"': "false", "'300'": "300", "'443'": "443",
    }.items():  # fmt: skip
        plain = plain.replace(text, value)

    check(as_text)
    assert as_text.resources["Site"].properties == (
        project.compile(PROVIDER + plain).resources["Site"].properties
    )


@pytest.mark.parametrize(
    ("kind", "name", "text", "value"),
    [
        ("AWS::SQS::Queue", "QueueName", 3, "3"),
        (
            "AWS::SQS::Queue",
            "Tags",
            [{"Key": "on", "Value": True}],
            [{"Key": "on", "Value": "true"}],
        ),
        ("AWS::Lambda::Permission", "SourceAccount", 123456789012, "123456789012"),
        ("AWS::Lambda::Alias", "FunctionVersion", 1, "1"),
        ("AWS::SQS::Queue", "FifoQueue", "true", True),
        ("AWS::SQS::Queue", "DelaySeconds", "5", 5),
        ("AWS::Kinesis::Stream", "ShardCount", "2", 2),
        ("AWS::Logs::LogGroup", "RetentionInDays", "14", 14),
        ("AWS::Cognito::UserPoolClient", "GenerateSecret", "False", False),
        ("AWS::ElasticLoadBalancingV2::TargetGroup", "HealthCheckEnabled", "TRUE", True),
    ],
)
def test_what_a_text_says(kind: str, name: str, text: str, value: Any) -> None:
    converted = resource(kind, **{name: text})

    assert converted == {name: value}
    assert type(converted[name]) is type(value)


def test_text_stays_text_where_text_is_wanted() -> None:
    given = {"QueueName": "true", "KmsMasterKeyId": "1", "Tags": [{"Key": "a", "Value": "1"}]}

    assert resource("AWS::SQS::Queue", **given) == given


@pytest.mark.parametrize("value", ["yes", "", "1", " true", "truee"])
def test_what_says_no_truth_value_is_refused_at_its_place(project: Project, value: str) -> None:
    text = DISTRIBUTION.replace("Enabled: 'true'", f"Enabled: '{value}'")

    error = project.refused(PROVIDER + text)

    assert (error.line, error.column) == (12, 11)
    assert f"DistributionConfig.Enabled must be true or false, not “{value}”" in str(error)


@pytest.mark.parametrize("value", ["five", "", "1.5", "0x5", "1e3", "\uff19"])
def test_what_says_no_number_is_refused_at_its_place(project: Project, value: str) -> None:
    text = f"""\
resources:
  Resources:
    Queue:
      Type: AWS::SQS::Queue
      Properties: {{DelaySeconds: '{value}'}}
"""

    error = project.refused(PROVIDER + text)

    assert (error.line, error.column) == (10, 20)
    assert "DelaySeconds must be a whole number" in str(error)


def test_a_number_in_text_has_its_limits_too(project: Project) -> None:
    text = "resources:\n  Resources:\n    Q:\n      Type: AWS::SQS::Queue\n      Properties: "

    error = project.refused(PROVIDER + text + "{DelaySeconds: '901'}\n")

    assert "DelaySeconds must be 0 to 900, not 901" in str(error)


def test_an_extension_is_converted(project: Project) -> None:
    text = FUNCTION + "    events: [{sqs: {arn: 'arn:aws:sqs:us-east-1:000000000000:q'}}]\n"
    text += """\
resources:
  extensions:
    GreetEventSourceMappingSQSQ: {Properties: {Enabled: 'false', BatchSize: '3'}}
"""

    made = project.compile(text).resources["GreetEventSourceMappingSQSQ"].properties

    assert (made["Enabled"], made["BatchSize"]) == (False, 3)


# --- The framework's own keys: its schemas coerce types (ajv, "coerceTypes")

EVENTS = """\
    timeout: '30'
    memorySize: "256"
    events:
      - schedule: {rate: rate(1 hour), enabled: 'false'}
      - sqs: {arn: 'arn:aws:sqs:us-east-1:000000000000:q', batchSize: '5', enabled: 'false'}
      - http: {path: a, method: get, cors: 'true', async: 'false'}
"""


def test_a_function_and_its_events(project: Project) -> None:
    as_text = project.compile(FUNCTION + EVENTS)
    plain = EVENTS
    for text in ("'30'", '"256"', "'5'", "'false'", "'true'"):
        plain = plain.replace(text, text.strip("'\""))

    check(as_text)
    expected = project.compile(FUNCTION + plain)
    assert {name: one.properties for name, one in as_text.resources.items()} == {
        name: one.properties for name, one in expected.resources.items()
    }


@pytest.mark.parametrize(
    ("before", "after", "place", "sentence"),
    [
        ("'30'", "'30s'", (9, 5), "functions.greet.timeout: input should be a valid integer"),
        ("'30'", "'901'", (9, 5), "functions.greet.timeout: input should be less than or equal"),
        ("'30'", "''", (9, 5), "functions.greet.timeout: input should be a valid integer"),
        ("'5'", "'five'", (13, 60), "batchSize: input should be a valid integer"),
        ("enabled: 'false'}\n      - sqs", "enabled: 'no'}\n      - sqs", (12, 40), "enabled: "),
        ("cors: 'true'", "cors: 'True'", (14, 38), "cors: "),
    ],
)
def test_what_the_framework_does_not_convert_is_refused_at_its_place(
    project: Project, before: str, after: str, place: tuple[int, int], sentence: str
) -> None:
    error = project.refused(FUNCTION + EVENTS.replace(before, after))

    assert (error.line, error.column) == place
    assert sentence in str(error)


def test_settings_of_a_plugin_are_not_converted(project: Project) -> None:
    text = FUNCTION + "custom: {pythonRequirements: {slim: 'false'}}\n"
    file = project.write(text + "plugins: [serverless-python-requirements]\n")

    with pytest.raises(DefinitionError, match=r"slim: input should be a valid boolean \(found"):
        load_template(file)
