"""`make up` says that nothing is to do after one request, and never when something is."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

import bootstrap.deploy
from bootstrap.commands import outputs, up
from tests.engine.lambda_stack import PYTHON, Stack, start_stack
from tests.support.waiting import eventually
from trigger_stack.localstack import preload

# One emulator, in which nobody else may change anything.
pytestmark = pytest.mark.xdist_group("unchanged")

HANDLER = """\
import boto3, os

def handler(event, context):
    if "visibility" in event:
        sqs = boto3.client("sqs")
        url = sqs.get_queue_url(QueueName="unchanged-orders")["QueueUrl"]
        attributes = {"VisibilityTimeout": event["visibility"]}
        sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)
"""
DEFINITION = """\
service: unchanged
provider:
  name: aws
  stage: test
  runtime: RUNTIME
  iam: {role: {statements: [{Effect: Allow, Action: "sqs:*", Resource: "*"}]}}
functions:
  greet:
    handler: app.handler
    events:
      - httpApi: GET /hello
      - sqs: {arn: !GetAtt Orders.Arn}
      - eventBridge: {schedule: rate(1 hour), name: unchanged-hourly}
resources:
  Resources:
    Orders:
      Type: AWS::SQS::Queue
      Properties:
        QueueName: unchanged-orders
        VisibilityTimeout: 60
        RedrivePolicy: {deadLetterTargetArn: !GetAtt Failures.Arn, maxReceiveCount: 3}
    Failures:
      Type: AWS::SQS::Queue
      Properties: {QueueName: unchanged-failures}
    Papers:
      Type: AWS::S3::Bucket
      Properties: {BucketName: unchanged-papers}
    Items:
      Type: AWS::DynamoDB::Table
      Properties:
        TableName: unchanged-items
        BillingMode: PAY_PER_REQUEST
        AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
        KeySchema: [{AttributeName: id, KeyType: HASH}]
    Group:
      Type: AWS::Logs::LogGroup
      Properties: {LogGroupName: /unchanged, RetentionInDays: 7}
  Outputs:
    Url: {Value: !Ref Orders}
"""
FUNCTION = "unchanged-test-greet"


class Project:
    """A project's folder, and its runs on one emulator."""

    def __init__(self, folder: Path, stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
        self.file = folder / "serverless.yml"
        self.stack = stack
        self.looked = 0
        self._capsys = capsys

    def up(self) -> str:
        """Bring it up; what that says."""
        self.looked = 0
        up.run(self.file)
        return self._capsys.readouterr().out

    def settle(self) -> None:
        """Bring it up until there is nothing to do, without a look.

        What a run changes may come to its end only after it, as a mapping does.
        """
        eventually(lambda: "no changes" in self.up() and not self.looked)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    made = start_stack(tmp_path_factory.mktemp("emulator"))
    yield made
    made.stop()


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The project's folder and the one that `make up` runs in, the same for all tests.

    So that most tests begin with a stack in which nothing is to do.
    """
    folder, here = tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("here")
    (here / ".build").mkdir()
    return folder, here


@pytest.fixture
def project(
    stack: Stack,
    folders: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Project:
    folder, here = folders
    (folder / "app.py").write_text(HANDLER)
    (folder / "serverless.yml").write_text(DEFINITION.replace("RUNTIME", PYTHON))
    monkeypatch.chdir(here)
    aim_at(stack, monkeypatch)
    made = Project(folder, stack, capsys)
    original = bootstrap.deploy.apply

    def apply(*arguments: Any, **named: Any) -> Any:
        made.looked += 1
        return original(*arguments, **named)

    monkeypatch.setattr(bootstrap.deploy, "apply", apply)
    return made


def aim_at(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION", "HTTP_API_ID", "HTTP_API_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GATEWAY_PORT", str(stack.port))
    monkeypatch.setenv("HTTP_API_PORT", str(stack.http_port))


def queue(stack: Stack) -> str:
    return str(stack.client("sqs").get_queue_url(QueueName="unchanged-orders")["QueueUrl"])


def test_a_second_run_does_not_look_and_writes_the_same_outputs(project: Project) -> None:
    project.up()
    written = (outputs.FOLDER / "outputs.json").read_text()
    (outputs.FOLDER / "outputs.json").unlink()

    said = project.up()

    assert project.looked == 0
    assert "no changes, all " in said
    assert json.loads(written)["OrdersQueueUrl"] == queue(project.stack)
    assert (outputs.FOLDER / "outputs.json").read_text() == written


def test_what_resources_hold_is_no_change(project: Project) -> None:
    project.settle()
    client = project.stack.client
    client("s3").put_object(Bucket="unchanged-papers", Key="a", Body=b"a")
    client("s3").delete_object(Bucket="unchanged-papers", Key="a")
    client("dynamodb").put_item(TableName="unchanged-items", Item={"id": {"S": "a"}})
    client("dynamodb").update_item(TableName="unchanged-items", Key={"id": {"S": "a"}})
    client("events").put_events(Entries=[{"Source": "a", "DetailType": "b", "Detail": "{}"}])
    client("logs").create_log_stream(logGroupName="/unchanged", logStreamName=project.file.name)
    answer = client("lambda").invoke(FunctionName=FUNCTION, Payload=b"{}")
    assert "FunctionError" not in answer, answer["Payload"].read()
    client("sqs").send_message(QueueUrl=queue(project.stack), MessageBody="{}")
    logs = client("logs")
    eventually(lambda: logs.filter_log_events(logGroupName=f"/aws/lambda/{FUNCTION}")["events"])
    assert requests.get(f"http://127.0.0.1:{project.stack.http_port}/hello", timeout=60).ok

    assert "no changes" in project.up()
    assert project.looked == 0


def all_loaded(stack: Stack, services: Iterable[str]) -> bool:
    health = requests.get(f"http://127.0.0.1:{stack.port}/_localstack/health", timeout=60).json()
    states = {one: health["services"][one] for one in services}
    assert "available" not in states.values(), states  # some of ours are not known there at all
    return True


def test_services_that_are_loaded_before_their_use_are_no_change(project: Project) -> None:
    project.settle()
    address = f"http://127.0.0.1:{project.stack.port}{preload.PATH}"
    names = ",".join([*preload.READS, "nothing"])

    answer = requests.get(f"{address}?services={names}&region=us-east-1", timeout=60)

    # The project's own run has had its services loaded.
    assert {"cloudfront", "ec2", "cognito-idp"} <= set(answer.json()["begun"])
    assert not {"nothing", "sqs", "lambda"} & set(answer.json()["begun"])
    eventually(lambda: all_loaded(project.stack, preload.READS))
    assert "could not be loaded" not in project.stack.log
    assert "no changes" in project.up()
    assert project.looked == 0


def disable_mapping(stack: Stack) -> None:
    functions = stack.client("lambda")
    (mapping,) = functions.list_event_source_mappings(FunctionName=FUNCTION)["EventSourceMappings"]
    functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)


def remove_permissions(stack: Stack) -> None:
    functions = stack.client("lambda")
    policy = json.loads(functions.get_policy(FunctionName=FUNCTION)["Policy"])
    for statement in policy["Statement"]:
        functions.remove_permission(FunctionName=FUNCTION, StatementId=statement["Sid"])


def change_from_a_function(stack: Stack) -> None:
    event = json.dumps({"visibility": "17"}).encode()
    answer = stack.client("lambda").invoke(FunctionName=FUNCTION, Payload=event)
    assert "FunctionError" not in answer, answer["Payload"].read()


def change_in_a_stack(stack: Stack) -> None:
    cloudformation = stack.client("cloudformation")
    group = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "/of-a-stack"}}
    template = {"Resources": {"Group": group}}
    cloudformation.create_stack(StackName="other", TemplateBody=json.dumps(template))
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName="other", WaiterConfig={"Delay": 1}
    )
    stack.client("logs").delete_log_group(logGroupName="/unchanged")


#: Changes by hand, each with the resource that a run must then change or make.
DRIFT: dict[str, tuple[Callable[[Stack], Any], str]] = {
    "an attribute of a queue": (
        lambda stack: stack.client("sqs").set_queue_attributes(
            QueueUrl=queue(stack), Attributes={"VisibilityTimeout": "99"}
        ),
        "changed Orders",
    ),
    "a queue is gone": (
        lambda stack: stack.client("sqs").delete_queue(
            QueueUrl=stack.client("sqs").get_queue_url(QueueName="unchanged-failures")["QueueUrl"]
        ),
        "created Failures",
    ),
    "a function's memory": (
        lambda stack: stack.client("lambda").update_function_configuration(
            FunctionName=FUNCTION, MemorySize=256
        ),
        "changed GreetLambdaFunction",
    ),
    "permissions are gone": (remove_permissions, "created GreetLambdaPermission"),
    "a mapping is disabled": (disable_mapping, "changed GreetEventSourceMapping"),
    "a rule's schedule": (
        lambda stack: stack.client("events").put_rule(
            Name="unchanged-hourly", ScheduleExpression="rate(2 hours)"
        ),
        "EventBridgeRule (AWS::Events::Rule)",
    ),
    "a bucket is gone": (
        lambda stack: stack.client("s3").delete_bucket(Bucket="unchanged-papers"),
        "created Papers",
    ),
    "a table is gone": (
        lambda stack: stack.client("dynamodb").delete_table(TableName="unchanged-items"),
        "created Items",
    ),
    "a log group's retention": (
        lambda stack: stack.client("logs").put_retention_policy(
            logGroupName="/unchanged", retentionInDays=30
        ),
        "changed Group",
    ),
}


def test_each_change_by_hand_is_counted_and_found(project: Project) -> None:
    project.settle()

    for name, (change, _) in DRIFT.items():
        before = number(project.stack)
        change(project.stack)
        assert number(project.stack) > before, name

    said = project.up()
    assert project.looked == 1
    missing = [name for name, (_, expected) in DRIFT.items() if expected not in said]
    assert not missing, said
    project.settle()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (change_from_a_function, "changed Orders"),
        (change_in_a_stack, "created Group"),
        (disable_mapping, "changed GreetEventSourceMapping"),
    ],
    ids=["by a function", "by a stack", "by hand"],
)
def test_a_single_change_is_found(
    change: Callable[[Stack], None], expected: str, project: Project
) -> None:
    project.settle()

    change(project.stack)

    assert expected in project.up()
    project.settle()


def test_a_mapping_that_ends_later_counts_when_it_has(project: Project) -> None:
    """The operation answers while the mapping is still being disabled."""
    project.settle()
    before = number(project.stack)

    disable_mapping(project.stack)

    functions = project.stack.client("lambda")
    eventually(
        lambda: (
            functions.list_event_source_mappings(FunctionName=FUNCTION)["EventSourceMappings"][0][
                "State"
            ]
            == "Disabled"
        )
    )
    assert number(project.stack) > before + 1
    project.settle()


def number(stack: Stack) -> int:
    url = f"http://127.0.0.1:{stack.port}/_trigger_stack/changes/any"
    return int(requests.get(url, timeout=60).json()["number"])


def test_a_schedule_that_deletes_itself_counts(project: Project) -> None:
    scheduler = project.stack.client("scheduler")
    role = project.stack.role(
        "arn:aws:iam::000000000000:role/unchanged-schedules", "scheduler.amazonaws.com"
    )
    project.up()
    due = (datetime.now(UTC) + timedelta(seconds=6)).strftime("at(%Y-%m-%dT%H:%M:%S)")
    scheduler.create_schedule(
        Name="once",
        ScheduleExpression=due,
        ActionAfterCompletion="DELETE",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={
            "Arn": f"arn:aws:lambda:us-east-1:000000000000:function:{FUNCTION}",
            "RoleArn": role,
        },
    )
    before = number(project.stack)

    def gone() -> bool:
        return not [s for s in scheduler.list_schedules()["Schedules"] if s["Name"] == "once"]

    eventually(gone)

    eventually(lambda: number(project.stack) > before)


def test_a_change_of_the_code_or_the_definition_is_found(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.settle()
    project.file.with_name("app.py").write_text(f"{HANDLER}\n# changed\n")
    assert "changed GreetLambdaFunction" in project.up()
    project.settle()

    text = project.file.read_text()
    project.file.write_text(text.replace("VisibilityTimeout: 60", "VisibilityTimeout: 70"))
    assert "changed Orders" in project.up()
    project.settle()

    monkeypatch.setenv("HTTP_API_ID", "other")  # a setting that a run depends on
    project.up()
    assert project.looked == 1


def test_what_is_to_be_said_again_is(project: Project) -> None:
    project.settle()
    text = project.file.read_text()
    extra = "    Extra: {Type: AWS::SQS::Queue, Properties: {QueueName: unchanged-extra}}\n"
    project.file.write_text(text.replace("    Group:\n", f"{extra}    Group:\n"))
    project.up()

    project.file.write_text(text)

    for _ in range(2):  # the queue may hold messages, and stays
        assert "unchanged-extra" in project.up()
    url = project.stack.client("sqs").get_queue_url(QueueName="unchanged-extra")["QueueUrl"]
    project.stack.client("sqs").delete_queue(QueueUrl=url)
    project.settle()


class KilledError(BaseException):
    """As SIGKILL: nothing handles it."""


def test_a_run_that_was_killed_leaves_nothing_to_believe(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also not when the definition is again what it was before that run."""
    project.settle()
    text = project.file.read_text()
    project.file.write_text(text.replace("VisibilityTimeout: 60", "VisibilityTimeout: 70"))
    with monkeypatch.context() as patched:

        def kill(*_: Any) -> None:
            raise KilledError

        patched.setattr(bootstrap.deploy.Record, "write", kill)
        with pytest.raises(KilledError):
            project.up()

    project.file.write_text(text)

    assert "changed Orders" in project.up()
    project.settle()


def test_what_somebody_changes_while_a_run_looks_is_found(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.up()
    requests.post(  # no change, but the next run looks
        f"http://127.0.0.1:{project.stack.port}/_trigger_stack/unknown", timeout=60
    )
    with monkeypatch.context() as patched:
        original = bootstrap.deploy.apply

        def apply(*arguments: Any, **named: Any) -> Any:
            made = original(*arguments, **named)
            attributes = {"VisibilityTimeout": "99"}
            sqs = project.stack.client("sqs")
            sqs.set_queue_attributes(QueueUrl=queue(project.stack), Attributes=attributes)
            return made

        patched.setattr(bootstrap.deploy, "apply", apply)
        assert "no changes" in project.up()

    assert "changed Orders" in project.up()
    project.settle()


def test_another_emulator_knows_nothing(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.settle()
    other = start_stack(tmp_path / "other")
    try:
        aim_at(other, monkeypatch)
        assert "created Orders" in project.up()
        project.settle()
        aim_at(project.stack, monkeypatch)
        assert "no changes" in project.up()
        assert project.looked == 0
    finally:
        other.stop()
