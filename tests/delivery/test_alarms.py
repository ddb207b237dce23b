"""An error in a function's log → metric filter → alarm → topic → function, in both ways to make it.

High-resolution alarms, which look every ten seconds, so that nothing is waited for longer.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from bootstrap.commands.load import load_template
from bootstrap.deploy import apply
from bootstrap.services.base import Context, Outcome
from bootstrap.settings import Settings
from tests.delivery.stacks import PRINT, Stacks, function
from tests.engine.lambda_stack import PYTHON, ROLE, Stack
from tests.support.journal import Journal
from tests.support.permissions import permit
from tests.support.waiting import eventually

FAILS = """
def handler(event, context):
    print("ERROR: it did not work" if event.get("fail") else "fine")
"""


@pytest.fixture
def stacks(stack: Stack) -> Iterator[Stacks]:
    made = Stacks(stack)
    yield made
    made.delete()


def resources(namespace: str, **alarm: Any) -> dict[str, Any]:
    """All of it; the log group is the function's own."""
    topic = {"Ref": "Topic"}
    return {
        "Fails": function(FAILS),
        "Lines": {
            "Type": "AWS::Logs::LogGroup",
            "Properties": {"LogGroupName": {"Fn::Sub": "/aws/lambda/${Fails}"}},
        },
        "Errors": {
            "Type": "AWS::Logs::MetricFilter",
            "Properties": {
                "LogGroupName": {"Ref": "Lines"},
                "FilterPattern": "ERROR",
                "MetricTransformations": [
                    {"MetricName": "errors", "MetricNamespace": namespace, "MetricValue": "1"}
                ],
            },
        },
        "Topic": {"Type": "AWS::SNS::Topic"},
        "Alarm": {
            "Type": "AWS::CloudWatch::Alarm",
            "Properties": {
                "MetricName": "errors",
                "Namespace": namespace,
                "Statistic": "Sum",
                "Period": "10",
                "EvaluationPeriods": 1,
                "Threshold": "1",
                "ComparisonOperator": "GreaterThanOrEqualToThreshold",
                "TreatMissingData": "notBreaching",
                "AlarmActions": [topic],
                "OKActions": [topic],
                **alarm,
            },
        },
        "Told": function(PRINT),
        "MayTell": {
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "Action": "lambda:InvokeFunction",
                "FunctionName": {"Ref": "Told"},
                "Principal": "sns.amazonaws.com",
                "SourceArn": topic,
            },
        },
        "Subscription": {
            "Type": "AWS::SNS::Subscription",
            "DependsOn": "MayTell",
            "Properties": {
                "TopicArn": topic,
                "Protocol": "lambda",
                "Endpoint": {"Fn::GetAtt": ["Told", "Arn"]},
            },
        },
    }


OUTPUTS = {name: {"Ref": name} for name in ("Fails", "Told", "Alarm", "Errors", "Lines")}


def told(stack: Stack, name: str, state: str, before: str = "") -> dict[str, Any]:
    """What a function was told when an alarm came into a state, out of a certain other one.

    On a busy machine an alarm is looked at before there is a value: it is in order then, too.
    """
    key, value = ("OldStateValue", before) if before else ("NewStateValue", state)
    lines = stack.messages(name, until=f'\\"{key}\\": \\"{value}\\"')
    events = [json.loads(one.removeprefix("SEEN ")) for one in lines if one.startswith("SEEN ")]
    messages = [json.loads(one["Records"][0]["Sns"]["Message"]) for one in events]
    found: dict[str, Any] = [one for one in messages if one["NewStateValue"] == state][-1]
    return found


def test_an_error_in_a_log_raises_an_alarm_of_a_stack(stack: Stack, stacks: Stacks) -> None:
    namespace = f"N-{secrets.token_hex(6)}"
    made = stacks.deploy(resources(namespace), **OUTPUTS)
    cloudwatch = stack.client("cloudwatch")

    stack.invoke(made["Fails"], {"fail": False})
    stack.invoke(made["Fails"], {"fail": True})

    message = told(stack, made["Told"], "ALARM")
    assert message["AlarmName"] == made["Alarm"]
    assert message["Trigger"]["MetricName"] == "errors"
    assert told(stack, made["Told"], "OK", before="ALARM")["OldStateValue"] == "ALARM"

    changed = resources(namespace, Threshold=3, OKActions=[], AlarmDescription="three")
    (transformation,) = changed["Errors"]["Properties"]["MetricTransformations"]
    transformation["Dimensions"] = [{"Key": "Kind", "Value": "$.kind"}]
    changed["Errors"]["Properties"]["FilterPattern"] = "{ $.kind = * }"
    assert stacks.deploy(changed, **OUTPUTS) == made, "nothing was made anew"
    (alarm,) = cloudwatch.describe_alarms(AlarmNamePrefix=stacks.name)["MetricAlarms"]
    assert (alarm["Threshold"], alarm["OKActions"]) == (3, [])
    (filter_,) = stack.client("logs").describe_metric_filters(logGroupName=made["Lines"])[
        "metricFilters"
    ]
    assert filter_["filterName"] == made["Errors"]
    assert filter_["metricTransformations"][0]["dimensions"] == {"Kind": "$.kind"}

    for name in ("Errors", "Alarm"):
        del changed[name]
    stacks.deploy(changed)
    assert cloudwatch.describe_alarms(AlarmNames=[made["Alarm"]])["MetricAlarms"] == []
    left = stack.client("logs").describe_metric_filters(logGroupName=made["Lines"])
    assert left["metricFilters"] == []


def test_an_alarm_of_alarms_in_a_stack(stack: Stack, stacks: Stacks) -> None:
    every = resources(f"N-{secrets.token_hex(6)}", AlarmActions=[], OKActions=[])
    rule = {"Fn::Sub": 'ALARM("${Alarm.Arn}")'}
    every["Whole"] = {
        "Type": "AWS::CloudWatch::CompositeAlarm",
        "Properties": {"AlarmRule": rule, "AlarmActions": [{"Ref": "Topic"}]},
    }
    made = stacks.deploy(every, **OUTPUTS, Whole={"Ref": "Whole"})

    stack.client("cloudwatch").set_alarm_state(
        AlarmName=made["Alarm"], StateValue="ALARM", StateReason="by hand"
    )

    assert told(stack, made["Told"], "ALARM")["AlarmName"] == made["Whole"]


ALARM: dict[str, Any] = {
    "MetricName": "m",
    "Namespace": "n",
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 1,
    "ComparisonOperator": "GreaterThanThreshold",
    "TreatMissingData": "ignore",
}


def test_each_action_is_taken_and_a_function_is_tried_again(stack: Stack, journal: Journal) -> None:
    """Two cannot be taken, the third invokes an alias; the failed event has its place."""
    functions, queues = stack.client("lambda"), stack.client("sqs")
    name = stack.create("def handler(event, context): raise ValueError(event['alarmArn'])")
    url = queues.create_queue(QueueName=f"q-{secrets.token_hex(6)}")["QueueUrl"]
    arn = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    version = functions.publish_version(FunctionName=name)["Version"]
    alias = functions.create_alias(FunctionName=name, Name="live", FunctionVersion=version)
    functions.put_function_event_invoke_config(
        FunctionName=name,
        Qualifier="live",
        MaximumRetryAttempts=1,
        DestinationConfig={"OnFailure": {"Destination": arn["Attributes"]["QueueArn"]}},
    )
    cloudwatch, alarm = stack.client("cloudwatch"), f"a-{secrets.token_hex(6)}"
    gone = "arn:aws:sns:us-east-1:000000000000:gone"
    permit(stack.client, alias["AliasArn"], services=("lambda.alarms.cloudwatch",))
    refuses = functions.get_function_configuration(FunctionName=name)["FunctionArn"]
    actions = [gone, refuses, alias["AliasArn"]]
    cloudwatch.put_metric_alarm(AlarmName=alarm, AlarmActions=actions, **ALARM)

    cloudwatch.set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason="by hand")

    def failed() -> dict[str, Any]:
        answer = queues.receive_message(QueueUrl=url, WaitTimeSeconds=1)
        assert "Messages" in answer, "no failed event yet"
        (message,) = answer["Messages"]
        return dict(json.loads(message["Body"]))

    record = eventually(failed)
    assert record["requestContext"]["approximateInvokeCount"] == 2
    assert record["requestContext"]["functionArn"] == alias["AliasArn"]
    assert record["requestPayload"]["alarmData"]["state"]["value"] == "ALARM"
    lost = {one["function"]: one for one in journal.find(text=alarm, state="lost")}
    assert lost.keys() == {gone, refuses}
    assert {one["source"].rpartition(":")[2] for one in lost.values()} == {alarm}
    assert "does not exist" in lost[gone]["place"]
    assert "no resource-based policy allows" in lost[refuses]["place"]
    cloudwatch.delete_alarms(AlarmNames=[alarm])


def test_an_update_keeps_the_state_of_an_alarm(stack: Stack) -> None:
    cloudwatch, alarm = stack.client("cloudwatch"), f"a-{secrets.token_hex(6)}"
    cloudwatch.put_metric_alarm(AlarmName=alarm, **ALARM)
    cloudwatch.set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason="by hand")

    cloudwatch.put_metric_alarm(AlarmName=alarm, **ALARM | {"Threshold": 2})

    (found,) = cloudwatch.describe_alarms(AlarmNames=[alarm])["MetricAlarms"]
    assert (found["StateValue"], found["StateReason"]) == ("ALARM", "by hand")
    assert found["Threshold"] == 2
    cloudwatch.delete_alarms(AlarmNames=[alarm])


def test_an_alarm_counts_the_values_of_its_unit(stack: Stack) -> None:
    cloudwatch, alarm = stack.client("cloudwatch"), f"a-{secrets.token_hex(6)}"
    namespace = {"Namespace": f"N-{secrets.token_hex(6)}"}
    settings = ALARM | namespace | {"Period": 10, "TreatMissingData": "notBreaching"}
    for unit in ("Count", "Bytes"):
        cloudwatch.put_metric_alarm(AlarmName=f"{alarm}-{unit}", **settings, Unit=unit)
    value = {"MetricName": "m", "Value": 5, "Unit": "Bytes"}

    def raised() -> set[str]:
        cloudwatch.put_metric_data(**namespace, MetricData=[value])
        found = cloudwatch.describe_alarms(AlarmNamePrefix=alarm)["MetricAlarms"]
        states = {one["AlarmName"].rpartition("-")[2]: one["StateValue"] for one in found}
        assert states == {"Count": "OK", "Bytes": "ALARM"}, states
        return set(states)

    eventually(raised, every=0.5)
    cloudwatch.delete_alarms(AlarmNames=[f"{alarm}-Count", f"{alarm}-Bytes"])


DEFINITION = """\
service: SERVICE
provider:
  name: aws
  stage: test
  runtime: RUNTIME
functions:
  fails:
    handler: app.handler
  told:
    handler: told.handler
    events:
      - sns: {arn: !Ref Topic, topicName: SERVICE-alarms}
resources:
  Resources:
    Topic:
      Type: AWS::SNS::Topic
      Properties: {TopicName: SERVICE-alarms}
    Errors:
      Type: AWS::Logs::MetricFilter
      Properties:
        LogGroupName: !Ref FailsLogGroup
        FilterPattern: ERROR
        MetricTransformations:
          - {MetricName: errors, MetricNamespace: SERVICE, MetricValue: "1"}
    Alarm:
      Type: AWS::CloudWatch::Alarm
      Properties:
        MetricName: errors
        Namespace: SERVICE
        Statistic: Sum
        Period: 10
        EvaluationPeriods: 1
        Threshold: 1
        ComparisonOperator: GreaterThanOrEqualToThreshold
        TreatMissingData: notBreaching
        AlarmActions: [!Ref Topic]
        OKActions: [!Ref Topic]
    Whole:
      Type: AWS::CloudWatch::CompositeAlarm
      Properties:
        AlarmRule: !Sub 'ALARM("${Alarm.Arn}")'
        AlarmActions: [!Ref Topic]
"""


def test_an_error_in_a_log_raises_an_alarm_of_a_definition(stack: Stack, tmp_path: Path) -> None:
    stack.role(ROLE)
    service = f"s{secrets.token_hex(4)}"
    (tmp_path / "app.py").write_text(FAILS)
    (tmp_path / "told.py").write_text(PRINT)
    file = tmp_path / "serverless.yml"
    file.write_text(DEFINITION.replace("SERVICE", service).replace("RUNTIME", PYTHON))
    context = Context(Settings(stack.port, stack.http_port, "us-east-1"), service)
    cloudwatch = stack.client("cloudwatch")

    def up() -> dict[str, Outcome]:
        return apply(load_template(file), context, lambda one, outcome: None, prune=True).outcomes

    first = up()
    assert {first[name] for name in ("Errors", "Alarm", "Whole")} == {Outcome.CREATED}
    assert set(up().values()) == {Outcome.UNCHANGED}
    stack.invoke(f"{service}-test-fails", {"fail": True})
    stack.messages(f"{service}-test-told", until='\\"NewStateValue\\": \\"ALARM\\"', count=2)

    head, _, _ = file.read_text().partition("    Errors:")
    file.write_text(head)
    up()
    assert cloudwatch.describe_alarms(AlarmNamePrefix=service)["MetricAlarms"] == []
    filters = stack.client("logs").describe_metric_filters(
        logGroupName=f"/aws/lambda/{service}-test-fails"
    )
    assert filters["metricFilters"] == []
    file.write_text(file.read_text().partition("functions:")[0])
    up()
    with pytest.raises(ClientError):
        stack.client("lambda").get_function(FunctionName=f"{service}-test-fails")
