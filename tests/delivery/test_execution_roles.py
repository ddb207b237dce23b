"""Execution roles of schedules and pipes: who may assume them, and what they let a service do."""

from __future__ import annotations

import json
import secrets
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from tests.engine.lambda_stack import Stack
from tests.support.journal import Journal
from tests.support.waiting import eventually

ROLES = "arn:aws:iam::000000000000:role/"
SCHEDULER, PIPES = "scheduler.amazonaws.com", "pipes.amazonaws.com"


@pytest.fixture
def queue(stack: Stack) -> tuple[str, str]:
    """URL and ARN of a queue."""
    name = f"q-{secrets.token_hex(6)}"
    url = stack.client("sqs").create_queue(QueueName=name)["QueueUrl"]
    return url, f"arn:aws:sqs:us-east-1:000000000000:{name}"


def role(stack: Stack, principal: str, allowed: str | list[str] = "*") -> str:
    return stack.role(f"{ROLES}r-{secrets.token_hex(6)}", principal, allowed=allowed)


def schedule(target: str, role_arn: str, **more: Any) -> dict[str, Any]:
    return {
        "Name": f"s-{secrets.token_hex(6)}",
        "ScheduleExpression": "rate(30 days)",
        "State": "DISABLED",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {"Arn": target, "RoleArn": role_arn, **more},
    }


def test_a_schedule_needs_a_role_that_trusts_scheduler(
    stack: Stack, queue: tuple[str, str]
) -> None:
    api = stack.client("scheduler")
    good, other = role(stack, SCHEDULER), role(stack, PIPES)
    made = schedule(queue[1], good)

    for bad, reason in ((other, "does not let scheduler"), (f"{ROLES}nobody", "There is no role")):
        words = f"must allow AWS EventBridge Scheduler to assume the role. .*{reason}"
        with pytest.raises(ClientError, match=words):
            api.create_schedule(**schedule(queue[1], bad))
    api.create_schedule(**made)
    with pytest.raises(ClientError, match="to assume the role"):
        api.update_schedule(**{**made, "Target": {"Arn": queue[1], "RoleArn": other}})
    # Of another account's IAM nothing is known here.
    api.create_schedule(**schedule(queue[1], "arn:aws:iam::123456789012:role/r"))


def test_a_trust_policy_may_name_the_group(stack: Stack, queue: tuple[str, str]) -> None:
    iam, name = stack.client("iam"), f"r-{secrets.token_hex(6)}"
    group = "arn:aws:scheduler:us-east-1:000000000000:schedule-group/"
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": SCHEDULER},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceArn": f"{group}other"}},
    }

    def trust() -> str:
        return json.dumps({"Version": "2012-10-17", "Statement": [statement]})

    iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust())
    made = schedule(queue[1], ROLES + name)
    with pytest.raises(ClientError, match="to assume the role"):
        stack.client("scheduler").create_schedule(**made)

    statement["Condition"] = {"StringEquals": {"aws:SourceArn": f"{group}default"}}
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=trust())
    stack.client("scheduler").create_schedule(**made)


def test_what_the_role_does_not_allow_is_a_dead_letter(
    stack: Stack, queue: tuple[str, str], journal: Journal
) -> None:
    sqs, api, name = stack.client("sqs"), stack.client("scheduler"), f"q-{secrets.token_hex(6)}"
    iam, dead = stack.client("iam"), sqs.create_queue(QueueName=name)["QueueUrl"]
    dlq = f"arn:aws:sqs:us-east-1:000000000000:{name}"
    own = role(stack, SCHEDULER, ["sqs:ReceiveMessage", "lambda:*"])
    made = schedule(queue[1], own, Input="by the role", DeadLetterConfig={"Arn": dlq})
    arn = api.create_schedule(**made)["ScheduleArn"]
    denied = f"{own} is not authorized to perform: sqs:SendMessage"

    def fire() -> None:
        url = f"http://127.0.0.1:{stack.port}/_trigger_stack/scheduler/schedules/default/"
        assert requests.post(f"{url}{made['Name']}/fire", timeout=30).status_code == 200

    def allow(queue_arn: str) -> dict[str, Any]:
        statement = {"Effect": "Allow", "Action": "sqs:Send*", "Resource": queue_arn}
        document = json.dumps({"Version": "2012-10-17", "Statement": statement})
        return {"PolicyName": f"{name}-{secrets.token_hex(2)}", "PolicyDocument": document}

    fire()
    (lost,) = eventually(lambda: journal.find(source=arn, state="lost"))
    assert f"its dead-letter queue {dlq}" in lost["place"]
    assert lost["place"].count(denied) == 2

    iam.put_role_policy(RoleName=own.rpartition("/")[2], **allow(dlq))
    fire()
    (letter,) = sqs.receive_message(
        QueueUrl=dead, WaitTimeSeconds=10, MessageAttributeNames=["All"]
    )["Messages"]
    attributes = {key: one["StringValue"] for key, one in letter["MessageAttributes"].items()}
    assert attributes["ERROR_CODE"] == "AccessDeniedException"
    assert denied in attributes["ERROR_MESSAGE"]

    policy = iam.create_policy(**allow(queue[1]))["Policy"]["Arn"]
    iam.attach_role_policy(RoleName=own.rpartition("/")[2], PolicyArn=policy)
    fire()
    (message,) = sqs.receive_message(QueueUrl=queue[0], WaitTimeSeconds=10)["Messages"]
    assert message["Body"] == "by the role"


def test_a_universal_target_needs_its_action(
    stack: Stack, queue: tuple[str, str], journal: Journal
) -> None:
    api, sqs = stack.client("scheduler"), stack.client("sqs")
    target = "arn:aws:scheduler:::aws-sdk:sqs:sendMessageBatch"
    entry = {"Id": "1", "MessageBody": "in a batch"}
    call = json.dumps({"QueueUrl": queue[0], "Entries": [entry]})

    def fire(allowed: str) -> str:
        made = schedule(target, role(stack, SCHEDULER, allowed), Input=call)
        arn: str = api.create_schedule(**made)["ScheduleArn"]
        url = f"http://127.0.0.1:{stack.port}/_trigger_stack/scheduler/schedules/default/"
        assert requests.post(f"{url}{made['Name']}/fire", timeout=30).status_code == 200
        return arn

    refused = fire("sqs:ReceiveMessage")
    (lost,) = eventually(lambda: journal.find(source=refused, state="lost"))
    assert "not authorized to perform: sqs:SendMessage because" in lost["place"]

    fire("sqs:Send*")
    (message,) = sqs.receive_message(QueueUrl=queue[0], WaitTimeSeconds=10)["Messages"]
    assert message["Body"] == "in a batch"


def test_a_pipe_whose_role_may_not_send_dead_letters_says_so(
    stack: Stack, queue: tuple[str, str], journal: Journal
) -> None:
    name, kinesis = f"p-{secrets.token_hex(6)}", stack.client("kinesis")
    kinesis.create_stream(StreamName=name, ShardCount=1)

    def active() -> str:
        found = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
        assert found["StreamStatus"] == "ACTIVE"
        return str(found["StreamARN"])

    source = eventually(active)
    api = stack.client("pipes")
    api.create_pipe(
        Name=name,
        Source=source,
        Target="arn:aws:lambda:us-east-1:000000000000:function:nobody",
        RoleArn=role(stack, PIPES, ["kinesis:*", "lambda:*"]),
        SourceParameters={
            "KinesisStreamParameters": {
                "StartingPosition": "TRIM_HORIZON",
                "MaximumRetryAttempts": 0,
                "DeadLetterConfig": {"Arn": queue[1]},
            }
        },
    )
    kinesis.put_record(StreamName=name, Data=b"{}", PartitionKey="p")

    def lost() -> dict[str, Any]:
        found = [one for one in journal.find(state="lost") if source in one["source"]]
        assert found
        return found[0]

    place = eventually(lost)["place"]
    assert f"its dead-letter queue {queue[1]}" in place
    assert "not authorized to perform: sqs:SendMessage" in place
    api.delete_pipe(Name=name)


def test_a_policy_that_aws_manages_counts(stack: Stack, queue: tuple[str, str]) -> None:
    own = role(stack, SCHEDULER, "lambda:InvokeFunction")
    stack.client("iam").attach_role_policy(
        RoleName=own.rpartition("/")[2], PolicyArn="arn:aws:iam::aws:policy/AmazonSQSFullAccess"
    )
    made = schedule(queue[1], own, Input="managed")
    stack.client("scheduler").create_schedule(**made)

    fire = f"http://127.0.0.1:{stack.port}/_trigger_stack/scheduler/schedules/default/"
    assert requests.post(f"{fire}{made['Name']}/fire", timeout=30).status_code == 200

    sqs = stack.client("sqs")
    assert sqs.receive_message(QueueUrl=queue[0], WaitTimeSeconds=10)["Messages"]


def test_a_pipe_needs_a_role_that_may_read_and_send(
    stack: Stack, queue: tuple[str, str], journal: Journal
) -> None:
    api, sqs, name = stack.client("pipes"), stack.client("sqs"), f"p-{secrets.token_hex(6)}"
    target = sqs.create_queue(QueueName=name)["QueueUrl"]
    source, arn = queue[1], f"arn:aws:sqs:us-east-1:000000000000:{name}"

    def create(pipe: str, role_arn: str) -> None:
        api.create_pipe(Name=pipe, Source=source, Target=arn, RoleArn=role_arn)

    def state(pipe: str, *states: str) -> dict[str, Any]:
        found: dict[str, Any] = api.describe_pipe(Name=pipe)
        assert found["CurrentState"] in states, found
        return found

    for bad in (role(stack, SCHEDULER), f"{ROLES}nobody"):
        with pytest.raises(ClientError, match="must allow EventBridge Pipes to assume it"):
            create(name, bad)
    create(f"{name}-blind", role(stack, PIPES, "sqs:SendMessage"))
    failed = eventually(lambda: state(f"{name}-blind", "CREATE_FAILED"))
    assert "does not have permissions to call ReceiveMessage on SQS" in failed["StateReason"]
    own = role(stack, PIPES, "sqs:ReceiveMessage")
    create(name, own)
    eventually(lambda: state(name, "RUNNING"))
    sqs.send_message(QueueUrl=queue[0], MessageBody="one")

    def refused() -> bool:
        batches = journal.find(source=name, kind="batch of a pipe")
        assert batches, "the message has not been taken yet"
        return "not authorized to perform: sqs:SendMessage" in json.dumps(
            journal.trace(batches[0]["id"])
        )

    assert eventually(refused)
    both = {"Effect": "Allow", "Action": "sqs:*", "Resource": [arn, source]}
    stack.client("iam").put_role_policy(
        RoleName=own.rpartition("/")[2],
        PolicyName="own",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [both]}),
    )
    sqs.send_message(QueueUrl=queue[0], MessageBody="two")
    got = sqs.receive_message(QueueUrl=target, WaitTimeSeconds=10, MaxNumberOfMessages=10)
    assert "two" in json.dumps(got["Messages"])
    for pipe in (name, f"{name}-blind"):
        api.delete_pipe(Name=pipe)
