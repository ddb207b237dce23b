"""A run that is killed at any of its calls is finished by the next one, and nothing is forgotten.

The AWS behind it is moto's, in this process. Once killed, a process makes no further call: neither
do its other threads.
"""

from __future__ import annotations

import inspect
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient
from moto import mock_aws

from bootstrap import nothing_there
from bootstrap.commands.load import load_template
from bootstrap.deploy import Deployment, apply, plan
from bootstrap.plan import Action
from bootstrap.services import RESOURCE_TYPES
from bootstrap.services.base import Context, Outcome
from bootstrap.settings import Settings

DEFINITION = """\
service: shop
provider:
  name: aws
  stage: test
  runtime: python3.13
functions:
  greet:
    handler: app.handler
    events:
      - httpApi: GET /hello
      - s3: {bucket: uploads-of-shop}
      - sqs: {arn: !GetAtt Orders.Arn}
      - eventBridge: {schedule: rate(1 hour), name: hourly}
    destinations:
      onFailure: {type: sqs, arn: !GetAtt Failures.Arn}
resources:
  Resources:
    Orders:
      Type: AWS::SQS::Queue
      Properties:
        QueueName: orders
        VisibilityTimeout: 60
        RedrivePolicy: {deadLetterTargetArn: !GetAtt Failures.Arn, maxReceiveCount: 3}
    Failures:
      Type: AWS::SQS::Queue
      Properties: {QueueName: failures}
    Items:
      Type: AWS::DynamoDB::Table
      Properties:
        TableName: items
        BillingMode: PAY_PER_REQUEST
        AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
        KeySchema: [{AttributeName: id, KeyType: HASH}]
        TimeToLiveSpecification: {AttributeName: expiresAt, Enabled: true}
        Tags: [{Key: a, Value: b}]
"""
READS = ("Describe", "Get", "Head", "List", "Scan")
#: The calls at which runs are killed are spread over the workers of a parallel run.
PARTS = 4


class KilledError(BaseException):
    """As SIGKILL: nothing handles it."""


#: Made once: each takes a tenth of a second. moto answers whichever account there is.
CLIENTS: dict[str, Any] = {}
MAKING = threading.Lock()


class Account(Context):
    """Clients for AWS's own addresses, where moto answers."""

    def client(self, name: str) -> Any:
        with MAKING:
            if name not in CLIENTS:
                CLIENTS[name] = boto3.client(
                    name,
                    region_name="us-east-1",
                    aws_access_key_id="test",
                    aws_secret_access_key="test",
                )
            return CLIENTS[name]


class Calls:
    """Counts the calls that write, and kills the process at one of them."""

    def __init__(self) -> None:
        self.writes = self.reads = 0
        self.deadly: int | None = None
        self._lock = threading.Lock()

    def check(self, operation: str) -> None:
        with self._lock:
            dead = self.deadly is not None and self.writes >= self.deadly
            if dead:
                raise KilledError
            if operation.startswith(READS):
                self.reads += 1
            else:
                self.writes += 1
                if self.writes == self.deadly:
                    raise KilledError


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    counted = Calls()
    original: Callable[..., Any] = BaseClient._make_api_call  # type: ignore[attr-defined]

    def call(self: Any, operation_name: str, api_params: Any) -> Any:
        counted.check(operation_name)
        return original(self, operation_name, api_params)

    monkeypatch.setattr(BaseClient, "_make_api_call", call)
    return counted


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text("def handler(event, context): ...\n")
    path = tmp_path / "serverless.yml"
    path.write_text(DEFINITION)
    return path


@contextmanager
def account() -> Iterator[Account]:
    # Functions are stored, not run.
    with mock_aws(config={"lambda": {"use_docker": False}, "core": {"service_whitelist": None}}):
        made = Account(Settings(4566, 8080, "us-east-1"), "shop")
        made.client("s3").list_buckets()
        yield made


def run(file: Path, context: Context, *, prune: bool = False, empty: bool = False) -> Deployment:
    template = load_template(file)
    return apply(template, context, lambda resource, outcome: None, prune=prune, empty=empty)


def killed(file: Path, context: Context, calls: Calls, at: int, *, empty: bool = False) -> bool:
    """Whether the run got as far as its ``at``-th call that writes, and was killed there."""
    calls.writes, calls.deadly = 0, at
    try:
        run(file, context, empty=empty)
    except KilledError:
        return True
    finally:
        calls.deadly = None
    return False


def state(context: Context) -> dict[str, Any]:
    """Everything that the definition's services have; ids are counted, for they are random."""
    functions = context.client("lambda")
    api = context.client("apigatewayv2")
    events = context.client("events")
    apis = api.get_apis()["Items"]
    sqs = context.client("sqs")
    s3 = context.client("s3")
    queues = sorted(sqs.list_queues().get("QueueUrls", []))
    tables = context.client("dynamodb").list_tables()["TableNames"]
    names = [one["FunctionName"] for one in functions.list_functions()["Functions"]]
    rules = sorted(one["Name"] for one in events.list_rules()["Rules"])
    buckets = [one["Name"] for one in s3.list_buckets()["Buckets"]]
    logs = context.client("logs").describe_log_groups()["logGroups"]
    return {
        "queues": queues,
        "tables": tables,
        "functions": names,
        "permissions": [len(functions.get_policy(FunctionName=n)["Policy"]) for n in names],
        "mappings": [
            one["EventSourceArn"]
            for one in functions.list_event_source_mappings()["EventSourceMappings"]
        ],
        "apis": len(apis),
        "routes": [len(api.get_routes(ApiId=one["ApiId"])["Items"]) for one in apis],
        "integrations": [len(api.get_integrations(ApiId=a["ApiId"])["Items"]) for a in apis],
        "rules": [(rule, len(events.list_targets_by_rule(Rule=rule)["Targets"])) for rule in rules],
        "buckets": buckets,
        "notifications": [
            len(
                s3.get_bucket_notification_configuration(Bucket=bucket)[
                    "LambdaFunctionConfigurations"
                ]
            )
            for bucket in buckets
        ],
        "roles": sorted(one["RoleName"] for one in context.client("iam").list_roles()["Roles"]),
        "logs": sorted(one["logGroupName"] for one in logs),
    }


@pytest.fixture
def whole(file: Path, calls: Calls) -> tuple[dict[str, Any], int]:
    """What an undisturbed run comes to, and how many calls that write it makes."""
    with account() as context:
        run(file, context)
        writes = calls.writes
        assert plan(load_template(file), context).changes_nothing
        return state(context), writes


@pytest.mark.parametrize("part", range(PARTS))
def test_the_next_run_finishes_it(
    part: int, file: Path, calls: Calls, whole: tuple[dict[str, Any], int]
) -> None:
    wanted, writes = whole
    step = int(os.environ.get("INTERRUPT_STEP", "1"))
    for at in range(1 + part * step, writes + 1, PARTS * step):
        with account() as context:
            assert killed(file, context, calls, at), f"the run made fewer than {at} calls"

            run(file, context)

            assert state(context) == wanted, f"killed at call {at}"
            again = plan(load_template(file), context)
            assert again.changes_nothing, f"killed at call {at}: {again.summary()}"


@pytest.mark.parametrize("part", range(PARTS))
def test_what_it_made_is_not_forgotten_when_the_definition_has_it_no_longer(
    part: int, file: Path, calls: Calls, whole: tuple[dict[str, Any], int]
) -> None:
    _, writes = whole
    for at in range(1 + part * 2, writes + 1, PARTS * 2):
        file.write_text(DEFINITION)
        with account() as context:
            killed(file, context, calls, at)
            head, _, _ = DEFINITION.partition("functions:\n")
            file.write_text(head)

            run(file, context, prune=True)

            left = {name: what for name, what in state(context).items() if what}
            group = left.pop("logs", [])
            assert left == {}, f"killed at call {at}"
            assert set(group) <= {"/trigger-stack/shop-test"}


@pytest.mark.parametrize(("first", "second"), [(9, 3), (14, 2), (20, 6), (25, 5)])
def test_a_run_that_is_killed_after_one_that_was_killed(
    first: int, second: int, file: Path, calls: Calls
) -> None:
    with account() as context:
        assert killed(file, context, calls, first)
        assert killed(file, context, calls, second)
        head, _, _ = DEFINITION.partition("functions:\n")
        file.write_text(head)

        run(file, context, prune=True)

        left = {name: what for name, what in state(context).items() if what}
        assert left.pop("logs", []) in ([], ["/trigger-stack/shop-test"])
        assert left == {}


def test_a_plan_writes_nothing(file: Path, calls: Calls) -> None:
    with account() as context:
        planned = plan(load_template(file), context)

        assert calls.writes == 0
        assert {step.action for step in planned.everything} == {Action.CREATE}
        run(file, context)
        calls.writes = 0
        context.client("sqs").delete_queue(QueueUrl=state(context)["queues"][0])
        calls.writes = 0
        assert not plan(load_template(file), context).changes_nothing
        assert calls.writes == 0


def test_an_account_that_has_nothing_is_not_read_first(
    file: Path, calls: Calls, whole: tuple[dict[str, Any], int]
) -> None:
    wanted, _ = whole
    with account() as context:
        announced: list[Any] = []
        template = load_template(file)
        calls.writes = calls.reads = 0

        def announce(planned: Any) -> None:
            announced.append((planned.summary(), calls.reads))

        apply(template, context, lambda one, outcome: None, announce=announce, empty=True)

        only_who = 1  # GetCallerIdentity
        assert announced == [(f"{len(template.resources)} to create", only_who)]
        assert state(context) == wanted
        assert plan(template, context).changes_nothing


@pytest.mark.parametrize("at", [1, 3, 7, 12, 20])
def test_the_next_run_finishes_a_first_one(
    at: int, file: Path, calls: Calls, whole: tuple[dict[str, Any], int]
) -> None:
    wanted, _ = whole
    with account() as context:
        assert killed(file, context, calls, at, empty=True)

        run(file, context)

        assert state(context) == wanted


def test_an_empty_account_is_not_asked_for_what_is_not_there(file: Path, calls: Calls) -> None:
    with account() as context:
        run(file, context)
        asked = calls.reads
    with account() as context:
        calls.reads = 0

        run(file, context, empty=True)

        assert calls.reads < asked / 3


def test_what_somebody_makes_meanwhile_is_found_though(
    file: Path, calls: Calls, whole: tuple[dict[str, Any], int]
) -> None:
    wanted, _ = whole
    with account() as context:
        context.client("logs").create_log_group(logGroupName="/aws/lambda/shop-test-greet")

        made = run(file, context, empty=True)

        assert made.outcomes["GreetLogGroup"] is Outcome.UNCHANGED
        assert state(context) == wanted


@pytest.mark.parametrize("kind", nothing_there.QUESTIONS)
def test_every_question_is_one_that_its_type_begins_with(kind: str) -> None:
    operation, _ = nothing_there.QUESTIONS[kind]
    source = inspect.getsource(inspect.getmodule(RESOURCE_TYPES[kind].ensure) or Context)

    assert f".{operation}" in source
