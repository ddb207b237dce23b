"""The control plane of pipes: states, refusals, tags and pages."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.support.waiting import eventually
from trigger_stack.delivery.pipes.settings import PipeSettings
from trigger_stack.services.errors import ServiceError
from trigger_stack.services.operations import Caller
from trigger_stack.services.pipes.service import Pipes

CALLER = Caller("000000000000", "us-east-1")
QUEUE = "arn:aws:sqs:us-east-1:000000000000:q"
STREAM = "arn:aws:kinesis:us-east-1:000000000000:stream/s"
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:f"
BUS = "arn:aws:events:us-east-1:000000000000:event-bus/b"
ROLE = "arn:aws:iam::000000000000:role/r"
PIPE = {"Name": "p", "Source": QUEUE, "Target": FUNCTION, "RoleArn": ROLE}


class FakeRunner:
    """Keeps what it was told; fails or waits when asked to."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.error: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()

    def start(self, settings: PipeSettings) -> None:
        self.gate.wait(10)
        self.calls.append(("start", settings))
        if self.error:
            raise self.error

    def stop(self, arn: str) -> None:
        self.calls.append(("stop", arn))

    def forget(self, settings: PipeSettings) -> None:
        self.calls.append(("forget", settings.name))

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.calls]


@pytest.fixture
def runner() -> FakeRunner:
    return FakeRunner()


@pytest.fixture
def pipes(runner: FakeRunner) -> Pipes:
    return Pipes(runner)


def wait_for(pipes: Pipes, state: str, name: str = "p") -> dict[str, Any]:
    def reached() -> dict[str, Any]:
        found = pipes.describe_pipe(CALLER, {"Name": name})
        assert found["CurrentState"] == state, found
        return found

    return eventually(reached, every=0.01)


def test_the_states_of_a_pipe(pipes: Pipes, runner: FakeRunner) -> None:
    runner.gate.clear()
    assert pipes.create_pipe(CALLER, PIPE)["CurrentState"] == "CREATING"
    for change in (pipes.start_pipe, pipes.stop_pipe, pipes.delete_pipe):
        with pytest.raises(ServiceError, match="CREATING") as refused:
            change(CALLER, {"Name": "p"})
        assert refused.value.code == "ConflictException"
    runner.gate.set()
    wait_for(pipes, "RUNNING")

    assert pipes.stop_pipe(CALLER, {"Name": "p"})["CurrentState"] == "STOPPING"
    assert wait_for(pipes, "STOPPED")["DesiredState"] == "STOPPED"
    assert pipes.start_pipe(CALLER, {"Name": "p"})["CurrentState"] == "STARTING"
    wait_for(pipes, "RUNNING")
    assert pipes.update_pipe(CALLER, {"Name": "p", "RoleArn": ROLE})["CurrentState"] == "UPDATING"
    wait_for(pipes, "RUNNING")
    assert pipes.delete_pipe(CALLER, {"Name": "p"})["CurrentState"] == "DELETING"

    def gone() -> bool:
        return not pipes.list_pipes(CALLER, {})["Pipes"]

    eventually(gone, every=0.01)
    assert runner.names == ["start", "stop", "start", "stop", "start", "stop", "forget"]


def test_a_pipe_may_begin_stopped(pipes: Pipes, runner: FakeRunner) -> None:
    pipes.create_pipe(CALLER, {**PIPE, "DesiredState": "STOPPED"})
    wait_for(pipes, "STOPPED")
    pipes.update_pipe(CALLER, {"Name": "p", "RoleArn": ROLE, "Description": "d"})
    wait_for(pipes, "STOPPED")

    assert "start" not in runner.names


def test_a_pipe_whose_source_is_gone_says_so_and_can_be_started_again(
    pipes: Pipes, runner: FakeRunner
) -> None:
    runner.error = RuntimeError("there is no such queue")
    pipes.create_pipe(CALLER, PIPE)
    assert wait_for(pipes, "CREATE_FAILED")["StateReason"] == "there is no such queue"

    runner.error = None
    pipes.start_pipe(CALLER, {"Name": "p"})
    wait_for(pipes, "RUNNING")


def test_an_update_keeps_what_it_leaves_out_of_the_source(pipes: Pipes, runner: FakeRunner) -> None:
    parameters = {
        "KinesisStreamParameters": {"StartingPosition": "LATEST", "BatchSize": 3},
        "FilterCriteria": {"Filters": [{"Pattern": '{"data": {"a": [1]}}'}]},
    }
    pipes.create_pipe(CALLER, {**PIPE, "Source": STREAM, "SourceParameters": parameters})
    before = wait_for(pipes, "RUNNING")
    change = {
        "KinesisStreamParameters": {"MaximumRetryAttempts": 2},
        "FilterCriteria": {"Filters": []},
    }
    pipes.update_pipe(CALLER, {"Name": "p", "RoleArn": ROLE, "SourceParameters": change})
    after = wait_for(pipes, "RUNNING")

    assert before["SourceParameters"]["FilterCriteria"] == parameters["FilterCriteria"]
    assert after["SourceParameters"] == {
        "KinesisStreamParameters": {
            "StartingPosition": "LATEST",
            "BatchSize": 3,
            "MaximumRetryAttempts": 2,
        }
    }
    settings = runner.calls[-1][1]
    assert settings.id == runner.calls[0][1].id  # it goes on where it was
    assert settings.of_stream().max_retries == 2


def test_defaults(pipes: Pipes) -> None:
    pipes.create_pipe(CALLER, PIPE)
    stream = {"KinesisStreamParameters": {"StartingPosition": "LATEST"}}
    other = {**PIPE, "Source": STREAM, "SourceParameters": stream}
    pipes.create_pipe(CALLER, {**other, "Name": "s"})
    pipes.create_pipe(CALLER, {**other, "Name": "b", "Target": BUS})

    def size(name: str, key: str) -> int:
        found = pipes.describe_pipe(CALLER, {"Name": name})
        return int(found["SourceParameters"][key]["BatchSize"])

    assert size("p", "SqsQueueParameters") == 10
    assert size("s", "KinesisStreamParameters") == 100
    assert size("b", "KinesisStreamParameters") == 10


def test_pages_and_filters(pipes: Pipes) -> None:
    for name in ("a1", "a2", "b1"):
        pipes.create_pipe(CALLER, {**PIPE, "Name": name})
    pipes.create_pipe(Caller("111111111111", "us-east-1"), {**PIPE, "Name": "a3"})

    first = pipes.list_pipes(CALLER, {"Limit": 2})
    rest = pipes.list_pipes(CALLER, {"Limit": 2, "NextToken": first["NextToken"]})

    assert [one["Name"] for one in first["Pipes"] + rest["Pipes"]] == ["a1", "a2", "b1"]
    assert "NextToken" not in rest
    found = pipes.list_pipes(CALLER, {"NamePrefix": "a", "SourcePrefix": QUEUE[:20]})
    assert [one["Name"] for one in found["Pipes"]] == ["a1", "a2"]
    assert pipes.list_pipes(CALLER, {"TargetPrefix": "x"})["Pipes"] == []


def test_tags(pipes: Pipes) -> None:
    arn = pipes.create_pipe(CALLER, {**PIPE, "Tags": {"a": "1"}})["Arn"]
    pipes.tag_resource(CALLER, {"resourceArn": arn, "tags": {"b": "2"}})
    pipes.untag_resource(CALLER, {"resourceArn": arn, "tagKeys": ["a", "c"]})

    assert pipes.list_tags_for_resource(CALLER, {"resourceArn": arn}) == {"tags": {"b": "2"}}
    with pytest.raises(ServiceError, match="does not exist"):
        pipes.list_tags_for_resource(CALLER, {"resourceArn": f"{arn}x"})


def test_a_name_is_taken_once(pipes: Pipes) -> None:
    pipes.create_pipe(CALLER, PIPE)

    with pytest.raises(ServiceError, match="already exists"):
        pipes.create_pipe(CALLER, PIPE)
    with pytest.raises(ServiceError, match="does not exist"):
        pipes.describe_pipe(CALLER, {"Name": "q"})


def _stream(**own: Any) -> dict[str, Any]:
    parameters = {"KinesisStreamParameters": {"StartingPosition": "LATEST", **own}}
    return {"Source": STREAM, "SourceParameters": parameters}


def _filters(*patterns: str) -> dict[str, Any]:
    filters = [{"Pattern": one} for one in patterns]
    return {"SourceParameters": {"FilterCriteria": {"Filters": filters}}}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"Name": "no name!"}, "regular expression"),
        ({"RoleArn": "r"}, "role"),
        ({"Source": "arn:aws:kafka:us-east-1:000000000000:cluster/c"}, "Sources of kafka"),
        ({"Source": "smk://broker:9092"}, "Sources of smk"),
        ({"Target": "arn:aws:states:us-east-1:000000000000:stateMachine:m"}, "Targets of states"),
        ({"Target": "arn:aws:firehose:us-east-1:000000000000:d"}, "Targets of firehose"),
        ({"Enrichment": "arn:aws:states:us-east-1:000000000000:stateMachine:m"}, "Enrichments of"),
        ({"EnrichmentParameters": {"InputTemplate": "x"}}, "need an Enrichment"),
        ({"SourceParameters": {"KinesisStreamParameters": {}}}, "does not fit the source"),
        ({"SourceParameters": {"SqsQueueParameters": {"BatchSize": 11}}}, "InSeconds must be 1"),
        ({"SourceParameters": {"SqsQueueParameters": {"BatchSize": 0}}}, "from 1 to 10000"),
        ({"Source": f"{QUEUE}.fifo", "SourceParameters": {"SqsQueueParameters":
          {"MaximumBatchingWindowInSeconds": 1}}}, "FIFO"),
        (_stream(StartingPosition="NOW"), "StartingPosition must be"),
        (_stream(StartingPosition="AT_TIMESTAMP"), "StartingPositionTimestamp"),
        (_stream(DeadLetterConfig={"Arn": FUNCTION}), "a queue or a topic"),
        (_stream(MaximumRetryAttempts=10_001), "from -1 to 10000"),
        ({**_stream(BatchSize=11), "Target": QUEUE}, "takes: 10"),
        ({**_stream(BatchSize=501), "Target": STREAM, "TargetParameters":
          {"KinesisStreamParameters": {"PartitionKey": "k"}}}, "takes: 500"),
        (_filters("no JSON"), "Invalid filter pattern"),
        (_filters('{"body": "x"}'), "must be an object or an array"),
        (_filters('{"body": []}'), "Empty arrays"),
        (_filters(*['{"a": [1]}'] * 6), "at most 5 filters"),
        ({"TargetParameters": {"SqsQueueParameters": {}}}, "does not fit the target"),
        ({"TargetParameters": {"InputTemplate": "<$.a..b>"}}, "JSON path"),
        ({"TargetParameters": {"InputTemplate": "x" * 8193}}, "8192"),
        ({"Target": f"{QUEUE}.fifo"}, "MessageGroupId"),
        ({"Target": QUEUE, "TargetParameters": {"SqsQueueParameters": {"MessageGroupId": "g"}}},
         "MessageGroupId"),
        ({"Target": STREAM}, "PartitionKey"),
        ({"Target": "arn:aws:events:us-east-1:000000000000:rule/r"}, "event bus"),
        ({"Target": "arn:aws:sns:us-east-1:000000000000:t.fifo"}, "FIFO topic"),
        ({"Target": BUS, "TargetParameters": {"EventBridgeEventBusParameters":
          {"EndpointId": "abc.veo"}}}, "EndpointId"),
        ({"Target": BUS, "TargetParameters": {"EventBridgeEventBusParameters":
          {"DetailType": "$.a b"}}}, "JSON path"),
        ({"LogConfiguration": {"Level": "INFO"}}, "LogConfiguration"),
        ({"Source": 5}, "must be text"),
        ({"RoleArn": 5}, "must be text"),
        ({"Enrichment": 5}, "must be text"),
        ({"TargetParameters": {"InputTemplate": 5}}, "must be text"),
        ({"SourceParameters": {"SqsQueueParameters": {"BatchSize": "x"}}}, "from 1 to 10000"),
        ({"SourceParameters": {"FilterCriteria": {"Filters": [{"Pattern": 5}]}}}, "Invalid"),
        ({"Source": "arn:aws:dynamodb:us-east-1:000000000000:table/t", "SourceParameters":
          {"DynamoDBStreamParameters": {"StartingPosition": "LATEST"}}}, "stream of a table"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_a_sentence(
    pipes: Pipes, runner: FakeRunner, change: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ServiceError, match=sentence) as refused:
        pipes.create_pipe(CALLER, {**PIPE, **change})

    assert refused.value.code == "ValidationException"
    assert pipes.list_pipes(CALLER, {})["Pipes"] == []
    assert runner.calls == []
