"""What the framework takes for what is meant: numbers as text, text alone as a list, nothing.

Its schemas are checked by ajv with ``coerceTypes: array``, without keys that are ``null``; what
CloudFormation gets has none that is ``null``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import FUNCTION, PROVIDER, Project

from bootstrap.checks import Report, examine
from bootstrap.commands.load import load_template
from bootstrap.definition.scalars import as_text, number
from bootstrap.errors import DefinitionError
from bootstrap.template import Template

type Compile = Callable[[str], Template]
QUEUE = "arn:aws:sqs:us-east-1:000000000000:q"


def properties(template: Template, logical_id: str) -> dict[str, Any]:
    return template.resources[logical_id].properties


def of_greet(project: Project, text: str, provider: str = "") -> dict[str, Any]:
    definition = FUNCTION.replace("functions:", f"{provider}functions:") + text
    return properties(project.compile(definition), "GreetLambdaFunction")


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("1.0", "1"),
        ("1e3", "1000"),
        ("-0.0", "0"),
        ("0.1", "0.1"),
        ("1e21", "1e+21"),
        ("0.000001", "0.000001"),
        ("-1.5e-7", "-1.5e-7"),
        ("12345678901234567890", "12345678901234567000"),
        ("00123", "123"),
    ],
)
def test_numbers_are_javascripts(project: Project, written: str, shown: str) -> None:
    made = of_greet(project, f"    environment: {{ VALUE: {written} }}\n")

    assert made["Environment"]["Variables"] == {"VALUE": shown}


def test_a_number_that_loses_digits_is_noted(project: Project) -> None:
    template = project.compile(FUNCTION + "    environment: { BIG: 12345678901234567890 }\n")

    assert any("12345678901234567000" in note.text for note in template.document.notes)


def test_numbers_of_a_json_file(project: Project) -> None:
    (project.root / "values.json").write_text('{"rate": 2.0, "part": 0.5}')

    made = of_greet(
        project,
        "    environment: { RATE: '${file(values.json):rate}', P: '${file(values.json):part}' }\n",
    )

    assert made["Environment"]["Variables"] == {"RATE": "2", "P": "0.5"}


def test_whole_numbers_stay() -> None:
    assert number(2**53) == 2**53
    assert number(2**53 + 1) == 9007199254740992
    assert as_text(True) == "true"


def test_a_filter_has_the_number_that_aws_gets(with_events: Compile) -> None:
    template = with_events(
        f"- sqs: {{ arn: '{QUEUE}', filterPatterns: [{{ body: {{ n: [1.0] }} }}] }}"
    )

    (mapping,) = [r for r in template.resources.values() if r.type.endswith("SourceMapping")]
    pattern = mapping.properties["FilterCriteria"]["Filters"][0]["Pattern"]
    assert pattern == '{"body":{"n":[1]}}'


def test_nothing_is_the_default(with_events: Compile) -> None:
    template = with_events(
        f"- sqs: {{ arn: '{QUEUE}', batchSize: null, filterPatterns: ~, enabled: null }}"
    )

    (mapping,) = [r for r in template.resources.values() if r.type.endswith("SourceMapping")]
    assert mapping.properties["BatchSize"] == 10
    assert mapping.properties["Enabled"] is True


def test_what_is_required_and_nothing(refused_events: Callable[[str], DefinitionError]) -> None:
    error = refused_events("- sqs: { arn: null }")

    assert "sqs.arn" in error.message


def test_numbers_and_truth_values_as_text(project: Project) -> None:
    made = of_greet(project, "    description: 5\n    tags: { version: 1, hot: true }\n")

    assert made["Description"] == "5"
    assert made["Tags"] == [{"Key": "version", "Value": "1"}, {"Key": "hot", "Value": "true"}]


def test_one_value_where_a_list_may_stand(project: Project) -> None:
    layer = "arn:aws:lambda:us-east-1:000000000000:layer:x:1"

    assert of_greet(project, f"    layers: {layer}\n")["Layers"] == [layer]


def test_the_origins_of_a_url_as_one_text(project: Project) -> None:
    template = project.compile(
        FUNCTION + "    url: { cors: { allowedOrigins: 'https://a.example', maxAge: '5' } }\n"
    )

    cors = properties(template, "GreetLambdaFunctionUrl")["Cors"]
    assert cors["AllowOrigins"] == ["https://a.example"]
    assert cors["MaxAge"] == 5


@pytest.mark.parametrize(("text", "made"), [("'true'", True), ("'false'", False)])
def test_a_url_that_a_variable_switches_on(project: Project, text: str, made: bool) -> None:
    template = project.compile(FUNCTION + f"    url: {text}\n")

    assert ("GreetLambdaFunctionUrl" in template.resources) is made


def test_a_mistake_is_told_as_it_is_written(project: Project) -> None:
    error = project.refused(FUNCTION + "    layers: { a: b }\n    timeout: [3]\n")

    assert "layers: input should be a valid list." in str(error)


def test_a_variable_that_a_function_takes_away(project: Project) -> None:
    made = of_greet(
        project, "    environment: { A1: null, B1: x }\n", "  environment: { A1: a, C1: c }\n"
    )

    assert made["Environment"]["Variables"] == {"B1": "x", "C1": "c"}


def test_a_property_that_is_nothing_is_left_out(project: Project) -> None:
    template = project.compile(
        PROVIDER + "resources:\n  Resources:\n    Q:\n      Type: AWS::SQS::Queue\n"
        "      Metadata: { a: 1 }\n      CreationPolicy: {}\n"
        "      Properties: { QueueName: q, DelaySeconds: null }\n"
        "    T: { Type: AWS::SNS::Topic, Properties: null }\n"
    )

    assert properties(template, "Q") == {"QueueName": "q"}
    assert "T" in template.resources
    assert any(note.path[-1] == "DelaySeconds" for note in template.document.notes)


def load(root: Path, text: str, **files: str) -> Template:
    (root / "app.py").write_text("def handler(event, context): ...\n")
    (root / "serverless.yml").write_text(text)
    for name, content in files.items():
        (root / name.replace("__", ".")).write_text(content)
    return load_template(root / "serverless.yml")


def test_lists_of_resources_are_merged_to_the_bottom(tmp_path: Path) -> None:
    template = load(
        tmp_path,
        PROVIDER + "resources:\n"
        "  - Resources: { Q: { Type: AWS::SQS::Queue, Properties: { QueueName: q } } }\n"
        "  - Resources: { Q: { Properties: { DelaySeconds: 5 } } }\n",
    )

    assert properties(template, "Q") == {"QueueName": "q", "DelaySeconds": 5}


def test_a_mistake_in_a_list_of_resources_has_its_line(tmp_path: Path) -> None:
    text = PROVIDER + "resources:\n  - Resources:\n      Q:\n        Type: AWS::SQS::Queue\n"
    report: Report = examine(load(tmp_path, text + "        Properties: { QueueNam: q }\n"))

    (found,) = [one for one in report.findings if one.rule_id == "TS003"]
    assert found.line == len(text.splitlines()) + 1


def test_a_function_that_is_nothing_is_left_out(tmp_path: Path) -> None:
    template = load(tmp_path, FUNCTION + "  later:\n")

    assert "LaterLambdaFunction" not in template.resources
    assert any(note.path == ("functions", "later") for note in template.document.notes)


@pytest.mark.parametrize(("condition", "there"), [("Yes", True), ("No", False)])
def test_a_function_with_a_condition(tmp_path: Path, condition: str, there: bool) -> None:
    template = load(
        tmp_path,
        FUNCTION + f"    condition: {condition}\nresources:\n  Conditions:\n"
        "    'Yes': !Equals [a, a]\n    'No': !Equals [a, b]\n",
    )

    assert ("GreetLambdaFunction" in template.resources) is there


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("!Equals [!Sub '${AWS::Region}-x', us-east-1-x]", True),
        ("!Equals [!Join ['-', [a, !Ref 'AWS::Region']], a-us-east-1]", True),
        ("!Equals [!Select [1, [a, b]], a]", False),
        ("!Equals [!Sub '${Level}', debug]", True),
    ],
)
def test_functions_in_conditions(tmp_path: Path, condition: str, holds: bool) -> None:
    template = load(
        tmp_path,
        PROVIDER + f"resources:\n  Conditions: {{ C: {condition} }}\n"
        "  Parameters: { Level: { Type: String, Default: debug } }\n"
        "  Resources:\n    Q: { Type: AWS::SQS::Queue, Condition: C, Properties: {} }\n",
    )

    assert ("Q" in template.resources) is holds


def test_a_condition_on_a_resource(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match="must not depend on a resource"):
        load(
            tmp_path,
            PROVIDER + "resources:\n  Conditions: { C: !Equals [!Sub '${Q.Arn}', a] }\n"
            "  Resources:\n    Q: { Type: AWS::SQS::Queue, Condition: C }\n",
        )


def test_parameters_in_a_text(tmp_path: Path) -> None:
    template = load(
        tmp_path,
        PROVIDER + "resources:\n  Parameters: { N: { Type: Number, Default: 5.0 } }\n"
        "  Resources:\n    Q:\n      Type: AWS::SQS::Queue\n"
        "      Properties: { QueueName: !Sub ['q-${N}-${own}-${!N}', { own: a }] }\n",
    )

    assert properties(template, "Q")["QueueName"] == {"Fn::Sub": ["q-5-${own}-${!N}", {"own": "a"}]}


def test_the_default_of_a_map(tmp_path: Path) -> None:
    template = load(
        tmp_path,
        PROVIDER + "resources:\n  Mappings: { M: { a: { b: c } } }\n  Resources:\n"
        "    T:\n      Type: AWS::SNS::Topic\n"
        "      Properties: { TopicName: !FindInMap [M, x, b, { DefaultValue: other }] }\n",
    )

    assert properties(template, "T")["TopicName"] == "other"


def test_a_parameter_of_the_store_without_a_value(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match=r"put-parameter --name /nowhere/in-a-test"):
        load(
            tmp_path,
            PROVIDER + "resources:\n  Parameters:\n    P:\n"
            "      Type: AWS::SSM::Parameter::Value<String>\n      Default: /nowhere/in-a-test\n"
            "  Resources:\n    T: { Type: AWS::SNS::Topic, Properties: { TopicName: !Ref P } }\n",
        )


def test_env_of_the_stage_takes_the_place_of_env(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("FROM_DOTENV", "ONLY_BASE"):
        monkeypatch.delenv(name, raising=False)
    text = (
        FUNCTION + "    environment: { A1: '${env:FROM_DOTENV}', B1: \"${env:ONLY_BASE, 'no'}\" }\n"
    )
    base = "FROM_DOTENV=base\nONLY_BASE=yes\n"

    template = load(tmp_path, text, __env=base, __env__test="FROM_DOTENV=of the stage\n")

    variables = properties(template, "GreetLambdaFunction")["Environment"]["Variables"]
    assert variables == {"A1": "of the stage", "B1": "no"}


def test_of_two_merge_keys_the_first_counts(project: Project) -> None:
    text = PROVIDER + (
        "custom: { a: &a { timeout: 7 }, b: &b { timeout: 8, memorySize: 256 } }\n"
        "functions:\n  greet: { <<: *a, <<: *b, handler: app.handler }\n"
    )

    made = properties(project.compile(text), "GreetLambdaFunction")
    assert (made["Timeout"], made["MemorySize"]) == (7, 256)


def test_a_key_that_stands_there_twice_has_its_column(project: Project) -> None:
    error = project.refused(FUNCTION + "    timeout: 3\n    timeout: 4\n")

    assert (error.line, error.column) == (10, 5)


def test_a_pattern_with_a_folder_of_its_own(project: Project) -> None:
    text = FUNCTION + "package: { patterns: ['!**', './app.py', '!./other.py'] }\n"

    assert not [one for one in examine(project.compile(text)).findings if one.rule_id == "TS002"]


def test_settings_of_a_bucket_are_its_properties(project: Project) -> None:
    text = FUNCTION.replace(
        "functions:",
        "  s3:\n    files:\n      name: shop-files\n      tags: [{ Key: a, Value: b }]\n"
        "      publicAccessBlockConfiguration: { BlockPublicAcls: true }\nfunctions:",
    )

    made = properties(project.compile(text + "    events: [{ s3: files }]\n"), "S3BucketFiles")

    assert made["BucketName"] == "shop-files"
    assert made["Tags"] == [{"Key": "a", "Value": "b"}]
    assert made["PublicAccessBlockConfiguration"] == {"BlockPublicAcls": True}


def test_settings_of_a_bucket_that_take_the_place_of_events(project: Project) -> None:
    text = FUNCTION.replace(
        "functions:",
        "  s3:\n    files:\n      notificationConfiguration: { LambdaConfigurations: [] }\n"
        "functions:",
    )

    error = project.refused(text + "    events: [{ s3: files }]\n")

    assert "takes the place of the s3 events" in error.message


def test_a_rule_with_a_pattern_and_a_schedule(with_events: Compile) -> None:
    template = with_events("- eventBridge: { pattern: { source: [a] }, schedule: rate(1 day) }")

    (rule,) = [r for r in template.resources.values() if r.type == "AWS::Events::Rule"]
    assert rule.properties["EventPattern"] == {"source": ["a"]}
    assert rule.properties["ScheduleExpression"] == "rate(1 day)"


def test_the_same_source_twice(refused_events: Callable[[str], DefinitionError]) -> None:
    arn = "arn:aws:kinesis:us-east-1:000000000000:stream/s"

    error = refused_events(f"- stream: {arn}\n- stream: {{ arn: '{arn}', batchSize: 1 }}")

    assert "the trigger on line 10 has the same source" in error.message
    assert error.line == 11


def test_a_rule_of_cloudwatch_event(with_events: Compile) -> None:
    template = with_events(
        "- cloudwatchEvent: { event: { source: [aws.ec2] }, input: { a: 1 }, enabled: false }"
    )

    rule = template.resources["GreetEventsRuleCloudWatchEvent1"]
    assert rule.properties == {
        "EventPattern": {"source": ["aws.ec2"]},
        "State": "DISABLED",
        "Targets": [
            {
                "Arn": {"Fn::GetAtt": ["GreetLambdaFunction", "Arn"]},
                "Id": "greetCloudWatchEvent",
                "Input": '{"a":1}',
            }
        ],
    }
    permission = template.resources["GreetLambdaPermissionEventsRuleCloudWatchEvent1"]
    assert permission.properties["SourceArn"] == {"Fn::GetAtt": [rule.logical_id, "Arn"]}


def test_two_inputs_of_cloudwatch_event(refused_events: Callable[[str], DefinitionError]) -> None:
    error = refused_events(
        "- cloudwatchEvent: { event: { source: [a] }, input: { a: 1 }, inputPath: $.detail }"
    )

    assert "use one of input, inputPath" in error.message


def test_a_method_of_a_load_balancer_in_small_letters(
    refused_events: Callable[[str], DefinitionError],
) -> None:
    listener = "arn:aws:elasticloadbalancing:us-east-1:000000000000:listener/app/a/b/c"

    error = refused_events(
        f"- alb: {{ listenerArn: '{listener}', priority: 1, conditions: {{ method: get }} }}"
    )

    assert "no request has the method “get”" in error.message


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("{ resources: [!GetAtt Q.Arn], detail: { id: [!Ref Q, { prefix: !Sub '${Q}' }] } }", ""),
        ("{ resources: !GetAtt Q.Arn }", "must stand in a list"),
        ("{ resources: !Split [',', !Ref Q] }", ""),
    ],
)
def test_references_in_a_pattern(project: Project, pattern: str, said: str) -> None:
    text = (
        FUNCTION + f"    events: [{{ eventBridge: {{ pattern: {pattern} }} }}]\n"
        "resources:\n  Resources:\n    Q: { Type: AWS::SQS::Queue, Properties: {} }\n"
    )

    found = [o.what for o in examine(project.compile(text)).findings if o.rule_id == "TS301"]

    assert [said in one for one in found] == ([True] if said else [])


def test_a_function_has_its_own_payload(project: Project) -> None:
    template = project.compile(
        FUNCTION + "    httpApi: { payload: '1.0' }\n    events: [{ httpApi: GET /a }]\n"
        "  other: { handler: app.handler, events: [{ httpApi: GET /b }] }\n"
    )

    payloads = {
        name: properties(template, f"HttpApiIntegration{name}")["PayloadFormatVersion"]
        for name in ("Greet", "Other")
    }
    assert payloads == {"Greet": "1.0", "Other": "2.0"}


def test_one_origin_with_a_wildcard_is_chosen(with_events: Compile) -> None:
    template = with_events(
        "- http: { path: a, method: get, cors: { origins: ['https://*.shop.example'] } }"
    )

    options = template.resources["ApiGatewayMethodAOptions"].properties["Integration"]
    (response,) = options["IntegrationResponses"]
    assert '"https://.+[.]shop[.]example"' in response["ResponseTemplates"]["application/json"]


def test_settings_of_logs_that_are_not_written(tmp_path: Path) -> None:
    text = FUNCTION.replace(
        "functions:",
        "  logs:\n    restApi: { level: INFO, fullExecutionData: true }\n"
        "    lambda: { logFormat: JSON }\nfunctions:",
    )

    notes = [note.path for note in load(tmp_path, text).document.notes]

    assert ("provider", "logs", "lambda") in notes
    assert ("provider", "logs", "restApi", "level") in notes


@pytest.mark.parametrize(
    "part", ["functions: [!Ref AWS::NoValue]", "resources: { Resources: {Q: x} }"]
)
def test_nothing_where_much_may_stand(tmp_path: Path, part: str) -> None:
    text = PROVIDER + part.replace("x", "!Ref AWS::NoValue") + "\n"

    with pytest.raises(DefinitionError) as caught:
        load(tmp_path, text)

    assert caught.value.line is not None


@pytest.mark.parametrize(
    ("provider", "function"),
    [
        ("  iam: { role: 'arn:aws:iam::000000000000:role/r' }\n", ""),
        ("  iam: { role: { managedPolicies: ['arn:aws:iam::aws:policy/p'] } }\n", ""),
        ("  role: arn:aws:iam::000000000000:role/r\n", ""),
        ("", "    role: arn:aws:iam::000000000000:role/r\n"),
    ],
)
def test_a_role_from_elsewhere_may_allow_everything(
    tmp_path: Path, provider: str, function: str
) -> None:
    text = FUNCTION.replace("functions:", f"{provider}functions:") + function
    template = load(tmp_path, text)
    (tmp_path / "app.py").write_text(
        "import boto3\n\ndef handler(event, context):\n"
        "    boto3.client('s3').put_object(Bucket='b', Key='k', Body=b'')\n"
    )

    assert not [one for one in examine(template).findings if one.rule_id == "TS506"]


def test_a_tab_has_its_remedy(project: Project) -> None:
    error = project.refused("service: shop\n\tprovider: { name: aws }\n")

    assert "Indent with spaces." in error.message


def test_a_trigger_that_cannot_be_worked_out(tmp_path: Path) -> None:
    text = FUNCTION + "    events: [{ s3: { bucket: !If [No, a-bucket, b-bucket] } }]\n"

    with pytest.raises(DefinitionError) as caught:
        load(tmp_path, text)

    assert "there is no condition No" in str(caught.value)
