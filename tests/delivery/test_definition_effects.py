"""What a definition describes is made, works, is changed, and is taken away when it is gone."""

from __future__ import annotations

import json
import secrets
from pathlib import Path

import pytest

from bootstrap.builds import prepare
from bootstrap.commands.load import load_template
from bootstrap.deploy import apply, plan
from bootstrap.plan import Plan
from bootstrap.services.base import Context
from bootstrap.settings import Settings
from tests.engine.lambda_stack import PYTHON, Stack
from tests.support.journal import Journal
from tests.support.waiting import eventually


class Project:
    """A definition in a folder of its own; ``NAME`` in it is its name."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.name = f"d{secrets.token_hex(4)}"
        self._file = folder / "serverless.yml"
        self._context = Context(Settings(stack.port, stack.http_port, "us-east-1"), self.name)

    def up(self, *parts: str) -> None:
        """Bring up what the parts describe; a plan says what is done, and then that all is."""
        head = f"service: NAME\nprovider: {{ name: aws, stage: test, runtime: {PYTHON} }}\n"
        self._file.write_text((head + "".join(parts)).replace("NAME", self.name))
        template = load_template(self._file)
        prepare(template, quiet=True)
        assert not self._plan().changes_nothing
        apply(template, self._context, lambda one, what: None, prune=True)
        assert self._plan().changes_nothing, self._plan()

    def _plan(self) -> Plan:
        return plan(load_template(self._file), self._context, prune=True)


@pytest.fixture
def project(stack: Stack, tmp_path: Path) -> Project:
    return Project(stack, tmp_path)


STORED = """
resources:
  Resources:
    Lines: { Type: AWS::Logs::LogGroup, Properties: { LogGroupName: /NAME/events } }
    Sold:
      Type: AWS::Events::Rule
      Properties:
        Name: NAME
        EventPattern: { source: [NAME] }
        Targets: [{ Id: lines, Arn: !GetAtt Lines.Arn }]
"""
POLICY = """
    Storing:
      Type: AWS::Logs::ResourcePolicy
      Properties:
        PolicyName: NAME
        PolicyDocument: !Sub |
          { "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": { "Service": "events.amazonaws.com" },
            "Action": ["logs:CreateLogStream", "logs:PutLogEvents"], "Resource": "${Lines.Arn}",
            "Condition": { "ArnEquals": { "aws:SourceArn": "${Sold.Arn}" } } }] }
"""


def test_a_policy_of_a_definition_lets_events_into_a_log_group(
    stack: Stack, project: Project, journal: Journal
) -> None:
    events, logs = stack.client("events"), stack.client("logs")
    rule = f"arn:aws:events:us-east-1:000000000000:rule/{project.name}"

    def send(kind: str) -> None:
        entry = {"Source": project.name, "DetailType": kind, "Detail": "{}"}
        assert events.put_events(Entries=[entry])["FailedEntryCount"] == 0

    def stored() -> list[str]:
        found = logs.filter_log_events(logGroupName=f"/{project.name}/events")["events"]
        return [json.loads(one["message"])["detail-type"] for one in found]

    def lost() -> list[str]:
        rows = journal.find(source=rule)
        return [one["place"] for one in rows if one["state"] == "lost"]

    project.up(STORED, POLICY)
    send("first")
    eventually(lambda: stored() == ["first"])

    project.up(STORED, POLICY.replace("${Sold.Arn}", f"{rule}-2"))  # for another rule
    send("second")
    eventually(lambda: len(lost()) == 1)
    project.up(STORED, POLICY)
    send("third")
    eventually(lambda: sorted(stored()) == ["first", "third"])

    project.up(STORED)
    assert project.name not in [
        one["policyName"] for one in logs.describe_resource_policies()["resourcePolicies"]
    ]
    send("fourth")
    eventually(lambda: len(lost()) == 2)
    assert all("not authorized to perform: logs:CreateLogStream" in one for one in lost())
    project.up("")


ALARM = """{
      Type: AWS::CloudWatch::Alarm, Properties: {
        MetricName: errors, Namespace: NAME, Statistic: Sum, Period: 60, EvaluationPeriods: 1,
        Threshold: 1, ComparisonOperator: GreaterThanOrEqualToThreshold } }
"""
ALARMS = f"""
resources:
  Resources:
    Failing: {ALARM}
    Slow: {ALARM}
    Both:
      Type: AWS::CloudWatch::CompositeAlarm
      Properties:
        AlarmName: NAME-ORDERS
        AlarmRule: !Sub RULE
"""
RULES = [
    '(ALARM("${Failing.Arn}") AND NOT OK(${Slow})) OR FALSE',
    "NOT (OK(${Failing}) OR INSUFFICIENT_DATA(${Failing})) AND ALARM(${Slow.Arn})",
]


def test_a_composite_alarm_of_a_definition_follows_any_rule(stack: Stack, project: Project) -> None:
    cloudwatch = stack.client("cloudwatch")

    def set_state(**states: str) -> None:
        found = cloudwatch.describe_alarms(AlarmTypes=["MetricAlarm"])["MetricAlarms"]
        mine = [one["AlarmName"] for one in found if one["Namespace"] == project.name]
        for part, state in states.items():
            (name,) = [one for one in mine if part.lower() in one.lower()]
            cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="by hand")

    def state() -> str:
        name = f"{project.name}-ORDERS"
        answer = cloudwatch.describe_alarms(AlarmNames=[name], AlarmTypes=["CompositeAlarm"])
        return str(answer["CompositeAlarms"][0]["StateValue"])

    for rule in RULES:
        project.up(ALARMS.replace("RULE", f"'{rule}'"))
        set_state(failing="OK", slow="OK")
        eventually(lambda: state() == "OK")
        set_state(failing="ALARM")
        assert state() == "OK"
        set_state(slow="ALARM")
        eventually(lambda: state() == "ALARM")
        set_state(failing="OK")
        eventually(lambda: state() == "OK")
    project.up("")


HANDLER = """
import base64
import json

def handler(event, context):
    for one in event["Records"]:
        print("SEEN " + base64.b64decode(one["kinesis"]["data"]).decode())
"""
STREAMS = """
functions:
  audit:
    handler: app.handler
    events:
      - stream: { type: kinesis, arn: !GetAtt Changes.Arn, startingPosition: TRIM_HORIZON }
resources:
  Resources:
    Changes: { Type: AWS::Kinesis::Stream, Properties: { Name: NAME, ShardCount: 1 } }
    Other: { Type: AWS::Kinesis::Stream, Properties: { Name: NAME-other, ShardCount: 1 } }
    Table:
      Type: AWS::DynamoDB::Table
      Properties:
        TableName: NAME
        BillingMode: PAY_PER_REQUEST
        AttributeDefinitions: [{ AttributeName: id, AttributeType: S }]
        KeySchema: [{ AttributeName: id, KeyType: HASH }]
"""
TO_KINESIS = """\
        KinesisStreamSpecification: { StreamArn: !GetAtt Changes.Arn }
"""


def test_the_changes_of_a_table_of_a_definition_fire_a_function(
    stack: Stack, project: Project, tmp_path: Path
) -> None:
    (tmp_path / "app.py").write_text(HANDLER)
    dynamodb, name = stack.client("dynamodb"), project.name

    def put(key: str) -> None:
        dynamodb.put_item(TableName=name, Item={"id": {"S": key}})

    def active() -> list[str]:
        answer = dynamodb.describe_kinesis_streaming_destination(TableName=name)
        found = answer["KinesisDataStreamDestinations"]
        return [one["StreamArn"] for one in found if one["DestinationStatus"] == "ACTIVE"]

    stream = f"arn:aws:kinesis:us-east-1:000000000000:stream/{name}"
    project.up(STREAMS, TO_KINESIS)
    put("to-the-function")
    texts = stack.messages(f"{name}-test-audit", until="to-the-function")
    seen = json.loads(next(one for one in texts if "SEEN" in one).partition("SEEN ")[2])
    assert (seen["tableName"], seen["eventName"]) == (name, "INSERT")
    assert active() == [stream]

    project.up(STREAMS, TO_KINESIS.replace("Changes", "Other"))
    assert active() == [f"{stream}-other"]
    put("to-the-other")

    project.up(STREAMS)
    assert active() == []
    put("to-nobody")
    assert "StreamSpecification" not in dynamodb.describe_table(TableName=name)["Table"]

    project.up(STREAMS, TO_KINESIS)
    put("again-to-the-function")
    texts = stack.messages(f"{name}-test-audit", until="again-to-the-function")
    assert not any("to-the-other" in one or "to-nobody" in one for one in texts)
