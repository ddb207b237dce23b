"""``AWS::Pipes::Pipe`` of a definition: made, changed, removed by the control plane of ours."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from bootstrap.services import RESOURCE_TYPES
from bootstrap.services.base import Context, Outcome, ReplacementError
from bootstrap.settings import Settings
from bootstrap.template import Physical
from trigger_stack.delivery.pipes.settings import PipeSettings
from trigger_stack.services.errors import ServiceError
from trigger_stack.services.operations import Caller
from trigger_stack.services.pipes.service import Pipes

CREATED, CHANGED, UNCHANGED = Outcome.CREATED, Outcome.CHANGED, Outcome.UNCHANGED
STREAM = "arn:aws:kinesis:us-east-1:000000000000:stream/s"
QUEUE = "arn:aws:sqs:us-east-1:000000000000:q"
PIPE = {
    "Name": "p",
    "RoleArn": "arn:aws:iam::000000000000:role/r",
    "Source": STREAM,
    "Target": QUEUE,
    "SourceParameters": {
        "FilterCriteria": {"Filters": [{"Pattern": '{"data": {"a": [1]}}'}]},
        "KinesisStreamParameters": {
            "StartingPosition": "LATEST",
            "MaximumRetryAttempts": 2,
            "DeadLetterConfig": {"Arn": QUEUE},
        },
    },
    "TargetParameters": {"InputTemplate": "<$.data>"},
    "Tags": {"team": "events"},
}


class Runner:
    """Carries nothing."""

    error: Exception | None = None

    def start(self, settings: PipeSettings) -> None:
        if self.error:
            raise self.error

    def stop(self, arn: str) -> None:
        """Nothing runs."""

    def forget(self, settings: PipeSettings) -> None:
        """Nothing is kept."""


class Client:
    """The control plane as boto3 shows it."""

    def __init__(self, pipes: Pipes) -> None:
        self._pipes = pipes

    def __getattr__(self, name: str) -> Any:
        operation = getattr(self._pipes, name)

        def call(**request: Any) -> Any:
            try:
                return operation(Caller("000000000000", "us-east-1"), request)
            except ServiceError as error:
                details = {"Code": error.code, "Message": error.message}
                raise ClientError({"Error": details}, name) from None

        return call


@pytest.fixture
def runner() -> Runner:
    return Runner()


@pytest.fixture
def context(runner: Runner) -> Context:
    made = Context(Settings(4566, 8080, "us-east-1"), "shop")
    made._clients["pipes"] = Client(Pipes(runner))
    return made


def ensure(context: Context, **changes: Any) -> tuple[Outcome, Physical]:
    properties = {key: value for key, value in (PIPE | changes).items() if value is not None}
    kind = RESOURCE_TYPES["AWS::Pipes::Pipe"]
    assert kind.problem(properties) is None
    return kind.ensure(context, "Pipe", properties)


def source(**own: Any) -> dict[str, Any]:
    parameters = {"StartingPosition": "LATEST", **own}
    return {"SourceParameters": {"KinesisStreamParameters": parameters}}


def test_a_pipe_is_made_once_and_left_alone(context: Context) -> None:
    outcome, made = ensure(context)

    assert (outcome, made.ref) == (CREATED, "p")
    assert made.attributes["Arn"] == "arn:aws:pipes:us-east-1:000000000000:pipe/p"
    assert [ensure(context)[0] for _ in range(2)] == [UNCHANGED, UNCHANGED]
    described = context.client("pipes").describe_pipe(Name="p")
    own = described["SourceParameters"]["KinesisStreamParameters"]
    assert own["MaximumRetryAttempts"] == 2


@pytest.mark.parametrize(
    "change",
    [
        {"Description": "d"},
        {"Target": "arn:aws:sns:us-east-1:000000000000:t"},
        {"TargetParameters": None},
        {"DesiredState": "STOPPED"},
        {"Enrichment": "arn:aws:lambda:us-east-1:000000000000:function:f"},
        {"Tags": {"team": "others"}},
        {"Tags": None},
        source(),
        source(MaximumRetryAttempts=3, DeadLetterConfig={"Arn": QUEUE}),
        source(BatchSize=5),
    ],
)
def test_a_change_is_made_once_and_taken_back(context: Context, change: dict[str, Any]) -> None:
    ensure(context)

    outcomes = [ensure(context, **one)[0] for one in (change, change, {}, {})]

    assert outcomes == [CHANGED, UNCHANGED, CHANGED, UNCHANGED]


@pytest.mark.parametrize("change", [{"Source": QUEUE, "SourceParameters": None},
                                    source(StartingPosition="TRIM_HORIZON")])  # fmt: skip
def test_what_aws_cannot_change_is_refused(context: Context, change: dict[str, Any]) -> None:
    ensure(context)

    with pytest.raises(ReplacementError, match="give the pipe another name"):
        ensure(context, **change)


def test_a_pipe_that_could_not_start_says_why_and_is_started_at_the_next_run(
    context: Context, runner: Runner
) -> None:
    runner.error = RuntimeError("there is no such stream")
    with pytest.raises(RuntimeError, match="CREATE_FAILED: there is no such stream"):
        ensure(context)

    runner.error = None
    assert ensure(context)[0] is CHANGED


def test_a_pipe_is_removed(context: Context) -> None:
    ensure(context)
    kind = RESOURCE_TYPES["AWS::Pipes::Pipe"]

    assert kind.remove is not None
    assert kind.remove(context, {"Ref": "p"})


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"LogConfiguration": {}}, ("LogConfiguration",)),
        (source(Unknown=1), ("SourceParameters", "KinesisStreamParameters", "Unknown")),
        ({"TargetParameters": {"StepFunctionStateMachineParameters": {}}},
         ("TargetParameters", "StepFunctionStateMachineParameters")),
        (source(MaximumRetryAttempts=-2),
         ("SourceParameters", "KinesisStreamParameters", "MaximumRetryAttempts")),
    ],
)  # fmt: skip
def test_unknown_properties_are_refused(change: dict[str, Any], path: tuple[str, ...]) -> None:
    problem = RESOURCE_TYPES["AWS::Pipes::Pipe"].problem(PIPE | change)

    assert problem is not None
    assert problem.path == path
