"""What other projects write: noted and left out, or read as the framework reads it today."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Project

from bootstrap.checks import examine
from bootstrap.checks.findings import Severity
from bootstrap.commands.load import load_template
from bootstrap.errors import DefinitionError
from bootstrap.template import Template

HEAD = "service: greetings\nprovider:\n  name: aws\n  runtime: python3.13\n"
GREET = "functions:\n  greet:\n    handler: app.handler\n"


def load(project: Project, text: str) -> Template:
    file = project.root / "serverless.yml"
    file.write_text(text)
    (project.root / "app.py").write_text("def handler(event, context): pass\n")
    return load_template(file)


def notes(template: Template) -> str:
    return "\n".join(template.document.notes_as_text())


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("app: x\n", "serverless.yml:8: app: only matters to the Serverless Framework"),
        ("plugins: [serverless-offline]\n", "plugins.0: the plugin serverless-offline does not"),
        ("plugins:\n  - serverless-webpack\n", "serverless.yml:9: plugins.0: the plugin serverless-"
                                               "webpack does not run here: handlers in TypeScript"),
        ("plugins: {modules: [odd]}\n", "what it does is not known here"),
    ],
)  # fmt: skip  # one case a line
def test_keys_at_the_top(project: Project, text: str, note: str) -> None:
    template = load(project, HEAD + GREET + text)

    assert note in notes(template)
    assert "GreetLambdaFunction" in template.resources


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("  tracing: {lambda: true}\n", "provider.tracing: is not done here"),
        ("  vpc: {subnetIds: [a]}\n", "provider.vpc: has no effect here"),
        ("  lambdaHashingVersion: 20201221\n", "only matters for a deploy to AWS"),
        ("  deploymentBucket: {name: x}\n", "only matters for a deploy to AWS"),
        ("  iam: {role: 'arn:aws:iam::1:role/x'}\n", "provider.iam.role: has no effect here"),
        ("  iam: {role: {managedPolicies: [x], statements: []}}\n", "managedPolicies: has no"),
    ],
)
def test_keys_of_the_provider(project: Project, text: str, note: str) -> None:
    assert note in notes(load(project, HEAD + text + GREET))


def test_keys_of_a_function(project: Project) -> None:
    template = load(project, f"{HEAD}{GREET}    vpc: {{}}\n    role: x\n    events:\n")

    assert "functions.greet.vpc: has no effect here" in notes(template)
    assert "functions.greet.role: has no effect here" in notes(template)


def test_old_spellings_are_read_as_today(project: Project) -> None:
    text = f"""service: {{name: greetings}}
provider:
  name: aws
  runtime: python3.13
  layers: [arn:aws:lambda:us-east-1:000000000000:layer:tools:1]
  iamRoleStatements:
    - {{Effect: Allow, Action: s3:GetObject, Resource: arn:aws:s3:::b/*}}
package:
  exclude: [secret.txt]
  include: [app.py]
{GREET}"""
    template = load(project, text)

    function = template.resources["GreetLambdaFunction"].properties
    assert function["FunctionName"] == "greetings-dev-greet"
    assert function["Code"]["Patterns"] == ["!secret.txt", "app.py"]
    assert function["Layers"] == ["arn:aws:lambda:us-east-1:000000000000:layer:tools:1"]
    policy = template.resources["IamRoleLambdaExecution"].properties["Policies"][0]
    actions = [one["Action"] for one in policy["PolicyDocument"]["Statement"]]
    assert "s3:GetObject" in actions
    assert "provider.iamRoleStatements: is read as provider.iam.role.statements" in notes(template)


def test_lists_of_functions_and_resources_are_one(project: Project) -> None:
    text = f"""{HEAD}functions:
  - greet: {{handler: app.handler}}
  - part: {{handler: app.handler}}
resources:
  - Resources: {{One: {{Type: AWS::SQS::Queue, Properties: {{QueueName: one}}}}}}
  - Resources: {{Two: {{Type: AWS::SQS::Queue, Properties: {{QueueName: two}}}}}}
"""
    made = load(project, text).resources

    assert {"GreetLambdaFunction", "PartLambdaFunction", "One", "Two"} <= made.keys()


def test_an_archive_is_the_package(project: Project) -> None:
    (project.root / "build.zip").write_bytes(b"PK")
    with_archive = f"{HEAD}{GREET}    package: {{artifact: build.zip}}\n"

    code = load(project, with_archive).resources["GreetLambdaFunction"].properties["Code"]

    assert code == {"Archive": str(project.root / "build.zip")}
    with pytest.raises(
        DefinitionError, match=r"there is no other\.zip\. Build it before"
    ) as caught:
        load(project, with_archive.replace("build.zip", "other.zip"))
    assert caught.value.line == 8


# -- variables ---------------------------------------------------------------------------------


def described(project: Project, value: str, files: dict[str, str], more: str = "") -> str:
    for name, content in files.items():
        file = Path(project.root / name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    template = load(project, f"{HEAD}{more}{GREET}    description: {value}\n")
    return str(template.resources["GreetLambdaFunction"].properties["Description"])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("${file(config/a.yml):text}", "from yaml dev"),
        ("${file(config/${sls:stage}.json):deep.0.text}", "from json"),
        ("${file(config/text.txt)}", "plain"),
        ("${file(config/none.yml):x, 'default'}", "default"),
        ("${opt:stage, self:provider.stage}", "dev"),
        ("${opt:region}-${aws:accountId}", "us-east-1-000000000000"),
        ("${aws:region}", "us-east-1"),
        ("${param:who}", "of the stage"),
        ("${param:only}", "of default"),
        ("${param:none, 'nobody'}", "nobody"),
        ("x${strToBool('true')}", "xtrue"),
    ],
)
def test_where_values_come_from(project: Project, value: str, expected: str) -> None:
    files = {
        "config/a.yml": "text: from yaml ${sls:stage}\n",
        "config/dev.json": '{"deep": [{"text": "from json"}]}',
        "config/text.txt": "plain",
    }
    more = "params:\n  default: {who: x, only: of default}\n  dev: {who: of the stage}\n"

    assert described(project, value, files, more) == expected


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("${file(a.js):x}", "a.js is code, which is not run here"),
        ("${file(bad.yml):x}", "is not valid YAML"),
        ("${file(bad.json):x}", "is not valid JSON"),
        ("${aws:tea}", "aws:tea is not supported here. Supported: region, accountId"),
        ("${git:branch}", "the variable source “git” is not supported here"),
        ("${strToBool('perhaps')}", "neither true nor false"),
    ],
)
def test_what_cannot_be_read(project: Project, value: str, said: str) -> None:
    with pytest.raises(DefinitionError, match=said):
        described(project, value, {"a.js": "", "bad.yml": "a: [", "bad.json": "{"})


# -- conditions --------------------------------------------------------------------------------

CONDITIONAL = """resources:
  Parameters:
    Size: {Type: String, Default: large}
    Ids: {Type: CommaDelimitedList, Default: 'a,b'}
  Mappings:
    BySize: {large: {seconds: 60}, small: {seconds: 30}}
  Conditions:
    IsLarge: !Equals [!Ref Size, large]
    IsHere: !And [!Condition IsLarge, !Equals [!Ref AWS::Region, us-east-1]]
    IsNot: !Not [!Condition IsHere]
    Either: !Or [!Condition IsNot, !Condition IsHere]
  Resources:
    There:
      Type: AWS::SQS::Queue
      Condition: Either
      Properties:
        QueueName: !If [IsLarge, big, small]
        VisibilityTimeout: !FindInMap [BySize, !Ref Size, seconds]
        KmsMasterKeyId: !If [IsNot, x, !Ref AWS::NoValue]
    Gone:
      Type: AWS::SQS::Queue
      Condition: IsNot
      Properties: {QueueName: gone}
"""


def test_conditions_mappings_and_parameters(project: Project) -> None:
    made = load(project, HEAD + GREET + CONDITIONAL).resources

    assert "Gone" not in made
    assert made["There"].properties == {"QueueName": "big", "VisibilityTimeout": 60}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("IsLarge, big", "IsHuge, big", "there is no condition IsHuge. Defined: IsLarge"),
        ("[BySize, !Ref Size", "[BySize, huge", "there is no huge. There is: large, small"),
        ("Default: large}", "Description: x}", "the parameter Size has no Default"),
        ("!Not [!Condition IsHere]", "!Not [!Condition IsNot]", "refers to itself"),
        ("!Equals [!Ref Size, large]", "!Equals [!GetAtt There.Arn, x]", "must not depend on a"),
    ],
)
def test_conditions_that_cannot_be_decided(project: Project, old: str, new: str, said: str) -> None:
    assert old in CONDITIONAL
    with pytest.raises(DefinitionError, match=said):
        load(project, HEAD + GREET + CONDITIONAL.replace(old, new, 1))


def test_resources_without_names_get_one_that_stays(project: Project) -> None:
    long_id = "A" * 60
    text = f"""{HEAD}{GREET}resources:
  Resources:
    Jobs: {{Type: AWS::SQS::Queue, Properties: {{FifoQueue: true}}}}
    Files: {{Type: AWS::S3::Bucket}}
    {long_id}: {{Type: AWS::S3::Bucket}}
"""
    made, again = load(project, text).resources, load(project, text).resources

    assert made["Jobs"].properties["QueueName"] == "greetings-dev-Jobs.fifo"
    assert made["Files"].properties == {"BucketName": "greetings-dev-files"}
    name = made[long_id].properties["BucketName"]
    assert len(name) <= 63
    assert name == again[long_id].properties["BucketName"]


def test_check_says_what_is_read_otherwise(project: Project) -> None:
    report = examine(load(project, f"{HEAD}  tracing: {{}}\n{GREET}"))

    (finding,) = [one for one in report.findings if one.rule_id == "TS005"]
    assert finding.place == "serverless.yml:5:3"
    assert finding.severity is Severity.NOTE
    assert not report.fails(strict=True)


def test_statements_that_are_no_list_are_refused_and_not_left_out(project: Project) -> None:
    with pytest.raises(DefinitionError, match="iamRoleStatements: is not supported here"):
        load(project, f"{HEAD}  iamRoleStatements: {{Effect: Allow}}\n{GREET}")
