"""What a resource's policy does not allow ends as on AWS, and the journal says why."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.delivery.conftest import arn_of
from tests.engine.lambda_stack import Stack
from tests.support.journal import Journal
from tests.support.permissions import permit
from tests.support.waiting import eventually

ACCOUNT = "000000000000"
ACTIONS = {"lambda": "lambda:InvokeFunction", "sns": "sns:Publish", "sqs": "sqs:SendMessage"}
CODE = "def handler(event, context): return 1"
type Endpoints = dict[str, str]


@pytest.fixture
def endpoints(stack: Stack) -> Endpoints:
    """The ARNs of a function and of two queues and a topic that let no service in."""
    sqs, name = stack.client("sqs"), f"p-{secrets.token_hex(6)}"
    urls = {kind: sqs.create_queue(QueueName=f"{name}-{kind}")["QueueUrl"] for kind in ("q", "dlq")}
    return {
        "lambda": f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{stack.create(CODE)}",
        "sns": stack.client("sns").create_topic(Name=name)["TopicArn"],
        "sqs": arn_of(sqs, urls["q"]),
        "dlq": arn_of(sqs, urls["dlq"]),
    }


def refusal(principal: str, arn: str) -> str:
    action = ACTIONS[arn.split(":")[2]]
    return f"User: {principal} is not authorized to perform: {action} on resource: {arn}"


def came_to(journal: Journal, endpoint: str, source: str) -> dict[str, Any]:
    """The row of the only event of a source for an endpoint, when it has its end."""

    def ended() -> dict[str, Any]:
        rows = [one for one in journal.find(source=source) if one["function"] == endpoint]
        assert len(rows) == 1 and rows[0]["state"] != "pending", rows
        return dict(rows[0])

    return eventually(ended)


class Topic:
    """A topic, and what subscribes to it."""

    def __init__(self, stack: Stack) -> None:
        self._sns = stack.client("sns")
        self.arn = str(self._sns.create_topic(Name=f"t-{secrets.token_hex(6)}")["TopicArn"])

    principal = "sns.amazonaws.com"

    def connect(self, endpoint: str, dlq: str = "") -> None:
        policy = {"RedrivePolicy": json.dumps({"deadLetterTargetArn": dlq})} if dlq else {}
        kind = endpoint.split(":")[2]
        self._sns.subscribe(TopicArn=self.arn, Protocol=kind, Endpoint=endpoint, Attributes=policy)

    def send(self) -> None:
        self._sns.publish(TopicArn=self.arn, Message="hello")


class Rule:
    """A rule of the default bus, and its targets."""

    def __init__(self, stack: Stack) -> None:
        self._events, self._name = stack.client("events"), f"r-{secrets.token_hex(6)}"
        pattern = json.dumps({"source": [self._name]})
        self.arn = str(self._events.put_rule(Name=self._name, EventPattern=pattern)["RuleArn"])

    principal = "events.amazonaws.com"

    def connect(self, endpoint: str, dlq: str = "", **target: Any) -> None:
        more = {"DeadLetterConfig": {"Arn": dlq}} if dlq else {}
        targets = [{"Id": endpoint.split(":")[2], "Arn": endpoint} | more | target]
        made = self._events.put_targets(Rule=self._name, Targets=targets)
        assert made["FailedEntryCount"] == 0, made

    def send(self) -> None:
        entry = {"Source": self._name, "DetailType": "t", "Detail": "{}"}
        assert self._events.put_events(Entries=[entry])["FailedEntryCount"] == 0


SENDERS: list[Callable[[Stack], Topic | Rule]] = [Topic, Rule]


@pytest.mark.parametrize("sender_of", SENDERS)
def test_who_is_not_let_in_loses_the_event(
    stack: Stack, journal: Journal, endpoints: Endpoints, sender_of: Any
) -> None:
    """Not tried again, as on AWS: neither SNS nor EventBridge retries for want of a permission."""
    sender = sender_of(stack)
    kinds = ["lambda", "sqs"] + (["sns"] if sender_of is Rule else [])
    for kind in kinds:
        sender.connect(endpoints[kind])

    sender.send()

    for kind in kinds:
        row = came_to(journal, endpoints[kind], sender.arn)
        assert (row["state"], row["attempts"]) == ("lost", 1)
        assert refusal(sender.principal, endpoints[kind]) in row["place"]


@pytest.mark.parametrize("sender_of", SENDERS)
def test_a_dead_letter_queue_gets_what_is_refused_when_its_policy_allows(
    stack: Stack, journal: Journal, endpoints: Endpoints, sender_of: Any
) -> None:
    sender, function, dlq = sender_of(stack), endpoints["lambda"], endpoints["dlq"]
    sender.connect(function, dlq)

    sender.send()
    row = came_to(journal, function, sender.arn)
    assert row["state"] == "lost"
    assert refusal(sender.principal, function) in row["place"]
    assert refusal(sender.principal, dlq) in row["place"]

    permit(stack.client, dlq)
    sender.send()

    def letter() -> dict[str, Any]:
        sqs = stack.client("sqs")
        url = sqs.get_queue_url(QueueName=dlq.rpartition(":")[2])["QueueUrl"]
        answer = sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"], WaitTimeSeconds=1)
        return {} if "Messages" not in answer else dict(answer["Messages"][0]["MessageAttributes"])

    attributes = {name: one["StringValue"] for name, one in eventually(letter).items()}
    if sender_of is Rule:
        assert attributes["ERROR_CODE"] == "NO_PERMISSIONS"
        assert attributes["RETRY_ATTEMPTS"] == "0"
    else:
        assert refusal(sender.principal, function) in str(attributes)


@pytest.mark.parametrize("sender_of", SENDERS)
def test_a_condition_names_who_may(
    stack: Stack, journal: Journal, endpoints: Endpoints, sender_of: Any
) -> None:
    """Of a queue and of a function: for one source, and not for another."""
    allowed, other = sender_of(stack), sender_of(stack)
    function, queue = endpoints["lambda"], endpoints["sqs"]
    stack.client("lambda").add_permission(
        FunctionName=function,
        StatementId="one",
        Action="lambda:InvokeFunction",
        Principal=allowed.principal,
        SourceArn=allowed.arn,
    )
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": allowed.principal},
        "Action": "sqs:SendMessage",
        "Resource": queue,
        "Condition": {"ArnEquals": {"aws:SourceArn": allowed.arn}},
    }
    sqs = stack.client("sqs")
    url = sqs.get_queue_url(QueueName=queue.rpartition(":")[2])["QueueUrl"]
    sqs.set_queue_attributes(
        QueueUrl=url, Attributes={"Policy": json.dumps({"Statement": [statement]})}
    )
    for sender in (allowed, other):
        sender.connect(function)
        sender.connect(queue)
        sender.send()

    for endpoint in (function, queue):
        assert came_to(journal, endpoint, other.arn)["state"] == "lost"
    received = eventually(
        lambda: sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages")
    )
    assert len(received) == 1
    (invoked,) = eventually(lambda: journal.find(function=function, state="done"))
    assert invoked["source"] == allowed.arn


def test_an_alias_has_a_policy_of_its_own(
    stack: Stack, journal: Journal, endpoints: Endpoints
) -> None:
    function, topic = endpoints["lambda"], Topic(stack)
    alias = f"{function}:live"
    stack.client("lambda").create_alias(
        FunctionName=function, Name="live", FunctionVersion="$LATEST"
    )
    permit(stack.client, function, services=("sns",))
    topic.connect(alias)

    topic.send()
    assert came_to(journal, alias, topic.arn)["state"] == "lost"

    permit(stack.client, alias, services=("sns",))
    topic.send()
    eventually(lambda: journal.find(function=alias, state="done"))


def test_the_key_of_an_encrypted_queue_counts_too(
    stack: Stack, journal: Journal, endpoints: Endpoints
) -> None:
    """AWS's own key never lets a service in; the policy of another one says who may use it."""
    kms, sqs, queue = stack.client("kms"), stack.client("sqs"), endpoints["sqs"]
    permit(stack.client, queue)
    url = sqs.get_queue_url(QueueName=queue.rpartition(":")[2])["QueueUrl"]
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": ["kms:GenerateDataKey*", "kms:Decrypt"],
        "Resource": "*",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    key = kms.create_key(Policy=policy)["KeyMetadata"]["KeyId"]
    other = kms.create_key()["KeyMetadata"]["Arn"]
    alias = f"alias/{secrets.token_hex(6)}"
    kms.create_alias(AliasName=alias, TargetKeyId=key)

    for refuses in ("alias/aws/sqs", other):
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"KmsMasterKeyId": refuses})
        topic = Topic(stack)
        topic.connect(queue)
        topic.send()
        row = came_to(journal, queue, topic.arn)
        assert row["state"] == "lost"
        assert "not authorized to perform: kms:GenerateDataKey on resource: " in row["place"]
        assert f"{refuses} because" in row["place"]

    for lets_in in (key, alias):
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"KmsMasterKeyId": lets_in})
        topic = Topic(stack)
        topic.connect(queue)
        topic.send()
    received: list[Any] = []

    def both() -> bool:
        received.extend(sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages", []))
        assert len(received) == 2, received
        return True

    eventually(both)


def test_a_role_counts_instead_for_a_target_that_has_one(stack: Stack, journal: Journal) -> None:
    kinesis, name = stack.client("kinesis"), f"s-{secrets.token_hex(6)}"
    kinesis.create_stream(StreamName=name, ShardCount=1)
    arn = f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/{name}"
    role, rule = f"arn:aws:iam::{ACCOUNT}:role/{name}", Rule(stack)
    stack.role(role, "events.amazonaws.com", allowed="kinesis:GetRecords")
    rule.connect(arn, RoleArn=role)

    rule.send()

    row = came_to(journal, arn, rule.arn)
    assert row["state"] == "lost"
    assert f"{role} is not authorized to perform: kinesis:PutRecord" in row["place"]


class Bucket:
    """A bucket whose uploads are told to others."""

    def __init__(self, stack: Stack) -> None:
        self.name, self._s3 = f"b-{secrets.token_hex(6)}", stack.client("s3")
        self.arn = f"arn:aws:s3:::{self.name}"
        self._s3.create_bucket(Bucket=self.name)

    def connect(self, endpoint: str, **more: Any) -> None:
        kind, argument = {
            "lambda": ("LambdaFunctionConfigurations", "LambdaFunctionArn"),
            "sns": ("TopicConfigurations", "TopicArn"),
            "sqs": ("QueueConfigurations", "QueueArn"),
        }[endpoint.split(":")[2]]
        told = {argument: endpoint, "Events": ["s3:ObjectCreated:*"]}
        self._s3.put_bucket_notification_configuration(
            Bucket=self.name, NotificationConfiguration={kind: [told]}, **more
        )

    def send(self) -> None:
        self._s3.put_object(Bucket=self.name, Key="k", Body=b"x")


@pytest.mark.parametrize("kind", ["lambda", "sns", "sqs"])
def test_a_bucket_takes_no_destination_that_refuses_it(
    stack: Stack, endpoints: Endpoints, kind: str
) -> None:
    bucket, endpoint = Bucket(stack), endpoints[kind]

    with pytest.raises(ClientError) as refused:
        bucket.connect(endpoint)

    error = refused.value.response["Error"]
    assert error["Code"] == "InvalidArgument"
    assert error["Message"] == "Unable to validate the following destination configurations"
    permit(stack.client, endpoint, services=("s3",))
    bucket.connect(endpoint)


@pytest.mark.parametrize("kind", ["lambda", "sns", "sqs"])
def test_an_upload_whose_event_is_refused_is_said_to_be_lost(
    stack: Stack, journal: Journal, endpoints: Endpoints, kind: str
) -> None:
    bucket, endpoint = Bucket(stack), endpoints[kind]
    bucket.connect(endpoint, SkipDestinationValidation=True)

    bucket.send()

    row = came_to(journal, endpoint, bucket.arn)
    assert (row["state"], row["attempts"]) == ("lost", 1)
    assert refusal("s3.amazonaws.com", endpoint) in row["place"]


def test_the_owner_of_a_bucket_is_known(stack: Stack, endpoints: Endpoints) -> None:
    """Its ARN does not say it; ``aws:SourceAccount`` is what AWS recommends all the same."""
    bucket, function = Bucket(stack), endpoints["lambda"]

    def allow(account: str) -> None:
        stack.client("lambda").add_permission(
            FunctionName=function,
            StatementId=account,
            Action="lambda:InvokeFunction",
            Principal="s3.amazonaws.com",
            SourceArn=bucket.arn,
            SourceAccount=account,
        )

    allow("111111111111")
    with pytest.raises(ClientError, match="Unable to validate"):
        bucket.connect(function)
    allow(ACCOUNT)
    bucket.connect(function)
