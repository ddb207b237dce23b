"""Properties with a wrong value: a sentence with the line, exit code 1, and nothing is created."""

from __future__ import annotations

import re
import sys

import pytest
from conftest import PROVIDER, Project

from bootstrap import cli

#: Lines of the file before the properties of the resource that a case is about.
HEAD = PROVIDER + "resources:\n  Resources:\n    Thing:\n"
FIRST = HEAD.count("\n") + 3
TABLE = """\
TableName: orders
AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
KeySchema: [{AttributeName: id, KeyType: HASH}]
"""
QUEUE = "QueueName: orders\n"
REDRIVE = QUEUE + "RedrivePolicy:\n  deadLetterTargetArn: arn\n"
RULE = "Name: nightly\nTargets:\n  - Id: one\n    Arn: arn\n"

#: The resource type, its properties, the line below them that is wrong, what is said about it.
CASES = {
    "text for maxReceiveCount": (
        "AWS::SQS::Queue", REDRIVE + "  maxReceiveCount: three\n", 4,
        "RedrivePolicy.maxReceiveCount must be a whole number, not “three”."),
    "a list for maxReceiveCount": (
        "AWS::SQS::Queue", REDRIVE + "  maxReceiveCount: [3]\n", 4,
        "RedrivePolicy.maxReceiveCount must be a whole number, not a list."),
    "a number with very many digits": (
        "AWS::SQS::Queue", REDRIVE + f"  maxReceiveCount: '{'9' * 5000}'\n", 4,
        "RedrivePolicy.maxReceiveCount must have 19 digits or fewer."),
    "text for a redrive policy": (
        "AWS::SQS::Queue", QUEUE + "RedrivePolicy: three times\n", 2,
        "RedrivePolicy must be a mapping, not “three times”."),
    "a redrive policy without its queue": (
        "AWS::SQS::Queue", QUEUE + "RedrivePolicy: {maxReceiveCount: 3}\n", 2,
        "RedrivePolicy needs deadLetterTargetArn."),
    "text for a visibility time-out": (
        "AWS::SQS::Queue", QUEUE + "VisibilityTimeout: a minute\n", 2,
        "VisibilityTimeout must be a whole number, not “a minute”."),
    "a fraction for a visibility time-out": (
        "AWS::SQS::Queue", QUEUE + "VisibilityTimeout: 1.5\n", 2,
        "VisibilityTimeout must be a whole number, not “1.5”."),
    "too long a visibility time-out": (
        "AWS::SQS::Queue", QUEUE + "VisibilityTimeout: 43201\n", 2,
        "VisibilityTimeout must be 0 to 43200, not 43201."),
    "a number for a queue's name": (
        "AWS::SQS::Queue", "QueueName: 3.5\n", 1, "QueueName must be text, not “3.5”; write"),
    "a list for a queue's name": (
        "AWS::SQS::Queue", "QueueName: [a]\n", 1, "QueueName must be text, not a list"),
    "text for queues": (
        "AWS::SQS::QueuePolicy", "PolicyDocument: {}\nQueues: orders\n", 2,
        "Queues must be a list, not “orders”."),
    "a reference for a policy document": (
        "AWS::SQS::QueuePolicy", "Queues: []\nPolicyDocument: !Ref AWS::Region\n", 2,
        "PolicyDocument must be a mapping, not a CloudFormation function."),
    "time to live without Enabled": (
        "AWS::DynamoDB::Table", TABLE + "TimeToLiveSpecification: {AttributeName: expires}\n", 4,
        "TimeToLiveSpecification needs Enabled."),
    "time to live that is on in quotes": (
        "AWS::DynamoDB::Table",
        TABLE + "TimeToLiveSpecification:\n  AttributeName: expires\n  Enabled: 'on'\n", 6,
        "TimeToLiveSpecification.Enabled must be true or false, not “on”."),
    "text for a stream specification": (
        "AWS::DynamoDB::Table", TABLE + "StreamSpecification: NEW_IMAGE\n", 4,
        "StreamSpecification must be a mapping, not “NEW_IMAGE”."),
    "a list for a stream view": (
        "AWS::DynamoDB::Table", TABLE + "StreamSpecification: {StreamViewType: [NEW_IMAGE]}\n", 4,
        "StreamSpecification.StreamViewType must be NEW_IMAGE or OLD_IMAGE or"),
    "a list for a key": (
        "AWS::DynamoDB::Table", TABLE.replace("[{AttributeName: id, K", "[[id], {K"), 3,
        "KeySchema.0 must be a mapping, not a list."),
    "a mapping for keys": (
        "AWS::DynamoDB::Table", TABLE.replace("[{AttributeName: id, KeyType: HASH}]", "{id: S}"), 3,
        "KeySchema must be a list, not a mapping."),
    "text for capacity": (
        "AWS::DynamoDB::Table",
        TABLE + "ProvisionedThroughput:\n  ReadCapacityUnits: 1\n  WriteCapacityUnits: few\n", 6,
        "ProvisionedThroughput.WriteCapacityUnits must be a whole number, not “few”."),
    "no capacity": (
        "AWS::DynamoDB::Table",
        TABLE + "ProvisionedThroughput: {ReadCapacityUnits: 0, WriteCapacityUnits: 1}\n", 4,
        "ProvisionedThroughput.ReadCapacityUnits must be 1 or more, not 0."),
    "text for retention": (
        "AWS::Logs::LogGroup", "LogGroupName: /orders\nRetentionInDays: a week\n", 2,
        "RetentionInDays must be a whole number, not “a week”."),
    "text for versioning": (
        "AWS::S3::Bucket", "BucketName: orders\nVersioningConfiguration: Enabled\n", 2,
        "VersioningConfiguration must be a mapping, not “Enabled”."),
    "a list for a bucket's name": (
        "AWS::S3::Bucket", "BucketName: [orders]\n", 1, "BucketName must be text, not a list"),
    "text for a pattern": (
        "AWS::Events::Rule", "Name: nightly\nEventPattern: all\n", 2,
        "EventPattern must be a mapping, not “all”."),
    "a mapping for targets": (
        "AWS::Events::Rule", "Name: nightly\nTargets: {Id: one, Arn: arn}\n", 2,
        "Targets must be a list, not a mapping."),
    "text for a target's retries": (
        "AWS::Events::Rule", RULE + "    RetryPolicy: {MaximumRetryAttempts: often}\n", 5,
        "Targets.0.RetryPolicy.MaximumRetryAttempts must be a whole number, not “often”."),
    "a list for a target's input": (
        "AWS::Events::Rule", RULE + "    Input: [1]\n", 5,
        "Targets.0.Input must be text or a mapping, not a list."),
    "text for a target's dead-letter queue": (
        "AWS::Events::Rule", RULE + "    DeadLetterConfig: arn\n", 5,
        "Targets.0.DeadLetterConfig must be a mapping, not “arn”."),
    "a list for a policy document": (
        "AWS::IAM::Role", "RoleName: orders\nAssumeRolePolicyDocument: [all]\n", 2,
        "AssumeRolePolicyDocument must be a mapping, not a list."),
    "text for a distribution": (
        "AWS::CloudFront::Distribution", "DistributionConfig: enabled\n", 1,
        "DistributionConfig must be a mapping, not “enabled”."),
    "text for tags": (
        "AWS::ApiGatewayV2::Api", "Name: shop\nProtocolType: HTTP\nTags: red\n", 3,
        "Tags must be a mapping, not “red”."),
    "text for a batch size": (
        "AWS::Lambda::EventSourceMapping",
        "EventSourceArn: arn:aws:sqs:us-east-1:000000000000:orders\nFunctionName: greet\n"
        "BatchSize: all\n", 3,
        "BatchSize must be a whole number, not “all”."),
}  # fmt: skip  # one case a paragraph


@pytest.mark.parametrize("case", CASES)
def test_check_names_the_line_and_what_to_write(
    case: str, project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kind, properties, line, said = CASES[case]
    indented = "".join(f"        {text}\n" for text in properties.splitlines())
    project.write(HEAD + f"      Type: {kind}\n      Properties:\n" + indented)
    monkeypatch.chdir(project.root)
    monkeypatch.setattr(sys, "argv", ["bootstrap", "check"])

    with pytest.raises(SystemExit) as ended:
        cli.main()

    shown = capsys.readouterr()
    assert (ended.value.code, shown.err) == (1, "")
    place = re.escape(f"serverless.yml:{FIRST - 1 + line}:")
    thing = re.escape(f" error TS003 Thing ({kind}): ")
    assert re.match(rf"{place}\d+:{thing}", shown.out)
    assert said in shown.out


@pytest.mark.parametrize("digits", [400, 6000])
def test_a_number_that_no_sentence_could_hold(project: Project, digits: int) -> None:
    error = project.refused(PROVIDER.replace("runtime: python3.13", f"timeout: 0x{'F' * digits}"))

    assert (error.line, error.exit_code) == (5, 2)
    assert "cannot be read as int. Write text in quotes." in error.message
