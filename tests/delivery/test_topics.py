"""Messages of a topic on their way to functions and queues."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import requests

from bootstrap.commands.dlq import redrive
from bootstrap.errors import DeployError
from tests.delivery.conftest import arn_of
from tests.engine.lambda_stack import Stack, engine, kill
from tests.support.permissions import permit
from tests.support.waiting import eventually

SHOW = "import json\ndef handler(event, context): print(json.dumps(event))"


@pytest.fixture
def cleanup() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def topic(stack: Stack, cleanup: ExitStack) -> Callable[..., str]:
    """Makes a topic; returns its ARN."""

    def make(**attributes: str) -> str:
        sns, name = stack.client("sns"), f"t-{secrets.token_hex(6)}"
        ending = ".fifo" if attributes.get("FifoTopic") else ""
        arn = str(sns.create_topic(Name=name + ending, Attributes=attributes)["TopicArn"])
        cleanup.callback(sns.delete_topic, TopicArn=arn)
        return arn

    return make


@pytest.fixture
def queue(stack: Stack, cleanup: ExitStack) -> Callable[..., tuple[str, str]]:
    """Makes a queue; returns its URL and ARN."""

    def make(**attributes: str) -> tuple[str, str]:
        sqs, name = stack.client("sqs"), f"q-{secrets.token_hex(6)}"
        ending = ".fifo" if attributes.get("FifoQueue") else ""
        url = sqs.create_queue(QueueName=name + ending, Attributes=attributes)["QueueUrl"]
        cleanup.callback(sqs.delete_queue, QueueUrl=url)
        permit(stack.client, arn_of(sqs, url))
        return url, arn_of(sqs, url)

    return make


def subscribe(stack: Stack, topic: str, arn: str, **attributes: str) -> None:
    protocol = arn.split(":")[2]
    stack.client("sns").subscribe(
        TopicArn=topic, Protocol=protocol, Endpoint=arn, Attributes=attributes
    )


def bodies(stack: Stack, url: str, count: int) -> list[str]:
    """The bodies of ``count`` messages of a queue, in their order; takes them."""
    sqs, found = stack.client("sqs"), []

    def all_there() -> bool:
        for one in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            found.append(one["Body"])
            sqs.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
        assert len(found) >= count, found
        return True

    eventually(all_there)
    return found


def journal(stack: Stack, **filters: str) -> list[dict[str, Any]]:
    url = f"http://127.0.0.1:{stack.port}/_trigger_stack/events"
    return list(requests.get(url, params=filters, timeout=60).json()["events"])


def test_a_function_gets_a_message_once(stack: Stack, topic: Callable[..., str]) -> None:
    name, arn = stack.create(SHOW), topic()
    function = stack.client("lambda").get_function_configuration(FunctionName=name)["FunctionArn"]
    permit(stack.client, function)
    subscribe(stack, arn, function)
    published = stack.client("sns").publish(
        TopicArn=arn,
        Message="hello",
        Subject="greeting",
        MessageAttributes={"kind": {"DataType": "String", "StringValue": "x"}},
    )

    def shown() -> list[dict[str, Any]]:
        lines = [one["message"] for one in stack.log_events(name)]
        return [json.loads(line) for line in lines if line.startswith('{"Records"')]

    (event,) = eventually(shown)
    (record,) = event["Records"]
    assert (record["EventSource"], record["EventVersion"]) == ("aws:sns", "1.0")
    assert record["EventSubscriptionArn"].startswith(f"{arn}:")
    sns = record["Sns"]
    assert (sns["MessageId"], sns["TopicArn"]) == (published["MessageId"], arn)
    assert (sns["Message"], sns["Subject"]) == ("hello", "greeting")
    assert sns["MessageAttributes"] == {"kind": {"Type": "String", "Value": "x"}}
    (row,) = [one for one in journal(stack, source=arn) if one["function"] == function]
    assert row["kind"] == "asynchronous invocation"


def test_filters_raw_delivery_and_fan_out(
    stack: Stack, topic: Callable[..., str], queue: Callable[..., tuple[str, str]]
) -> None:
    arn, (every, every_arn), (some, some_arn) = topic(), queue(), queue()
    subscribe(stack, arn, every_arn)
    policy = json.dumps({"kind": ["wanted"]})
    subscribe(stack, arn, some_arn, FilterPolicy=policy, RawMessageDelivery="true")
    sns = stack.client("sns")
    for kind in ("other", "wanted"):
        attribute = {"kind": {"DataType": "String", "StringValue": kind}}
        sns.publish(TopicArn=arn, Message=f"a {kind} one", MessageAttributes=attribute)

    assert bodies(stack, some, 1) == ["a wanted one"]
    assert sorted(json.loads(one)["Message"] for one in bodies(stack, every, 2)) == [
        "a other one",
        "a wanted one",
    ]


def test_a_batch_reaches_a_queue_message_by_message(
    stack: Stack, topic: Callable[..., str], queue: Callable[..., tuple[str, str]]
) -> None:
    arn, (url, queue_arn) = topic(), queue()
    subscribe(stack, arn, queue_arn, RawMessageDelivery="true")
    entries = [{"Id": str(number), "Message": f"m{number}"} for number in range(10)]

    answer = stack.client("sns").publish_batch(TopicArn=arn, PublishBatchRequestEntries=entries)

    assert len(answer["Successful"]) == 10
    assert sorted(bodies(stack, url, 10)) == sorted(f"m{number}" for number in range(10))


def test_a_topic_keeps_the_order_of_a_group(
    stack: Stack, topic: Callable[..., str], queue: Callable[..., tuple[str, str]]
) -> None:
    arn = topic(FifoTopic="true", ContentBasedDeduplication="true")
    url, queue_arn = queue(FifoQueue="true", ContentBasedDeduplication="true")
    subscribe(stack, arn, queue_arn, RawMessageDelivery="true")
    for number in range(10):
        stack.client("sns").publish(TopicArn=arn, Message=f"m{number}", MessageGroupId="g")

    assert bodies(stack, url, 10) == [f"m{number}" for number in range(10)]


def test_a_fifo_topic_delivers_a_deduplication_id_once(
    stack: Stack, topic: Callable[..., str], queue: Callable[..., tuple[str, str]]
) -> None:
    """A duplicate is accepted; a standard queue, which has no deduplication, gets it once, too."""
    arn, (url, queue_arn) = topic(FifoTopic="true", ContentBasedDeduplication="true"), queue()
    subscribe(stack, arn, queue_arn, RawMessageDelivery="true")
    sns = stack.client("sns")

    def publish(text: str, **more: str) -> str:
        answer = sns.publish(TopicArn=arn, Message=text, MessageGroupId="g", **more)
        assert answer["SequenceNumber"]
        return str(answer["MessageId"])

    first = publish("same")
    second = publish("same")
    publish("other", MessageDeduplicationId="id")
    third = publish("yet another", MessageDeduplicationId="id")
    entries = [
        {"Id": str(number), "Message": text, "MessageGroupId": "g2"}
        for number, text in enumerate(("same", "new", "new"))
    ]
    answer = sns.publish_batch(TopicArn=arn, PublishBatchRequestEntries=entries)
    publish("last")

    assert len(answer["Successful"]) == 3
    assert sorted(bodies(stack, url, 4)) == ["last", "new", "other", "same"]
    assert len({first, second, third}) == 3
    rows = {row["id"]: row for row in journal(stack, source=arn)}
    in_batch = {one["MessageId"] for one in answer["Successful"]}
    assert {second, third} <= rows.keys() <= {second, third} | in_batch
    assert len(rows) == 4
    assert {(row["state"], row["place"][:9]) for row in rows.values()} == {
        ("discarded", "duplicate")
    }


def test_a_fifo_topic_may_deduplicate_in_each_group(
    stack: Stack, topic: Callable[..., str], queue: Callable[..., tuple[str, str]]
) -> None:
    arn = topic(
        FifoTopic="true", ContentBasedDeduplication="true", FifoThroughputScope="MessageGroup"
    )
    url, queue_arn = queue()
    subscribe(stack, arn, queue_arn, RawMessageDelivery="true")
    for group in ("g1", "g2", "g1", "g3"):
        stack.client("sns").publish(TopicArn=arn, Message="same", MessageGroupId=group)
    stack.client("sns").publish(TopicArn=arn, Message="last", MessageGroupId="g1")

    assert sorted(bodies(stack, url, 4)) == ["last", "same", "same", "same"]


def test_an_endpoint_that_is_gone_ends_in_the_dead_letter_queue(
    stack: Stack, topic: Callable[..., str], queue: Callable[..., tuple[str, str]]
) -> None:
    arn, (url, dlq) = topic(), queue()
    gone = "arn:aws:sqs:us-east-1:000000000000:not-there"
    subscribe(stack, arn, gone, RedrivePolicy=json.dumps({"deadLetterTargetArn": dlq}))
    stack.client("sns").publish(TopicArn=arn, Message="hello")

    (body,) = bodies(stack, url, 1)

    assert json.loads(body)["Message"] == "hello"

    def ended() -> bool:
        """The journal hears of a letter after its queue has it."""
        (row,) = journal(stack, source=arn)
        assert (row["state"], row["place"], row["function"]) == ("dead-letter", dlq, gone), row
        return True

    eventually(ended)


def test_a_redrive_policy_is_unset_without_a_value(
    stack: Stack, topic: Callable[..., str], queue: Callable[..., tuple[str, str]]
) -> None:
    """As Terraform's provider does; SNS takes no empty policy."""
    sns, arn, (_, dlq) = stack.client("sns"), topic(), queue()
    policy = json.dumps({"deadLetterTargetArn": dlq})
    made = sns.subscribe(
        TopicArn=arn,
        Protocol="sqs",
        Endpoint=dlq,
        Attributes={"RedrivePolicy": policy},
        ReturnSubscriptionArn=True,
    )["SubscriptionArn"]
    place = {"SubscriptionArn": made, "AttributeName": "RedrivePolicy"}

    for empty in ("", "{}"):
        with pytest.raises(sns.exceptions.InvalidParameterException):
            sns.set_subscription_attributes(**place, AttributeValue=empty)
    sns.set_subscription_attributes(**place)

    left = sns.get_subscription_attributes(SubscriptionArn=made)["Attributes"]
    assert "RedrivePolicy" not in left
    with pytest.raises(sns.exceptions.NotFoundException):
        sns.set_subscription_attributes(
            SubscriptionArn=f"{arn}:00000000-0000-0000-0000-000000000000",
            AttributeName="RedrivePolicy",
        )


@pytest.mark.parametrize("raw", [False, True], ids=["envelope", "raw"])
def test_a_letter_goes_back_to_its_own_subscription(
    stack: Stack,
    topic: Callable[..., str],
    queue: Callable[..., tuple[str, str]],
    cleanup: ExitStack,
    monkeypatch: pytest.MonkeyPatch,
    raw: bool,
) -> None:
    """``make redrive``: the other subscriptions of the topic got the message, and get it once."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{stack.port}")
    sqs, arn, (other, other_arn), (url, dlq) = stack.client("sqs"), topic(), queue(), queue()
    name = f"late-{secrets.token_hex(6)}"
    late = f"arn:aws:sqs:us-east-1:000000000000:{name}"
    delivery = {"RawMessageDelivery": "true"} if raw else {}
    policy = json.dumps({"deadLetterTargetArn": dlq})
    subscribe(stack, arn, other_arn, **delivery)
    subscribe(stack, arn, late, RedrivePolicy=policy, **delivery)
    attribute = {"kind": {"DataType": "Binary", "BinaryValue": b"x"}}
    stack.client("sns").publish(TopicArn=arn, Message="hello", MessageAttributes=attribute)
    eventually(lambda: journal(stack, source=arn, state="dead-letter"))
    letters = url.rpartition("/")[2]

    with pytest.raises(DeployError, match="NonExistentQueue"):
        redrive(letters)
    made = sqs.create_queue(QueueName=name)["QueueUrl"]
    permit(stack.client, late)
    cleanup.callback(sqs.delete_queue, QueueUrl=made)
    redrive(letters)

    def there() -> list[dict[str, Any]]:
        names = {"MessageAttributeNames": ["All"]}
        return list(sqs.receive_message(QueueUrl=made, **names).get("Messages", []))

    (message,) = eventually(there)
    got = message["Body"] if raw else json.loads(message["Body"])["Message"]
    assert got == "hello"
    attributes = message.get("MessageAttributes", {})
    assert {one: value["BinaryValue"] for one, value in attributes.items()} == (
        {"kind": b"x"} if raw else {}
    )
    assert len(bodies(stack, other, 1)) == 1
    for empty in (other, url):
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        counts = sqs.get_queue_attributes(QueueUrl=empty, AttributeNames=names)["Attributes"]
        assert set(counts.values()) == {"0"}, empty


def test_a_letter_goes_back_to_a_function(
    stack: Stack,
    topic: Callable[..., str],
    queue: Callable[..., tuple[str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{stack.port}")
    name, arn, (url, dlq) = stack.create(SHOW), topic(), queue()
    functions = stack.client("lambda")
    function = functions.get_function_configuration(FunctionName=name)["FunctionArn"]
    alias = f"{function}:later"
    subscribe(stack, arn, alias, RedrivePolicy=json.dumps({"deadLetterTargetArn": dlq}))
    published = stack.client("sns").publish(TopicArn=arn, Message="hello", Subject="greeting")
    eventually(lambda: journal(stack, source=arn, state="dead-letter"))
    functions.create_alias(FunctionName=name, Name="later", FunctionVersion="$LATEST")

    redrive(url.rpartition("/")[2])

    def shown() -> list[dict[str, Any]]:
        lines = [one["message"] for one in stack.log_events(name)]
        return [json.loads(line) for line in lines if line.startswith('{"Records"')]

    (event,) = eventually(shown)
    (record,) = event["Records"]
    assert record["EventSubscriptionArn"].startswith(f"{arn}:")
    assert record["Sns"]["MessageId"] == published["MessageId"]
    assert (record["Sns"]["Subject"], record["Sns"]["Message"]) == ("greeting", "hello")
    assert record["Sns"]["UnsubscribeUrl"]
    (row,) = journal(stack, source=arn, kind="asynchronous invocation")
    assert row["function"] == alias


def test_a_letter_of_a_subscription_that_is_gone_stays(
    stack: Stack,
    topic: Callable[..., str],
    queue: Callable[..., tuple[str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{stack.port}")
    arn, (url, dlq) = topic(), queue()
    gone = "arn:aws:sqs:us-east-1:000000000000:not-there"
    policy = json.dumps({"deadLetterTargetArn": dlq})
    subscribe(stack, arn, gone, RedrivePolicy=policy)
    other = topic()  # the queue counts as one of dead letters
    subscribe(stack, other, gone, RedrivePolicy=policy)
    stack.client("sns").publish(TopicArn=arn, Message="hello")
    eventually(lambda: journal(stack, source=arn, state="dead-letter"))
    sns = stack.client("sns")
    (mine,) = sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]
    sns.unsubscribe(SubscriptionArn=mine["SubscriptionArn"])

    with pytest.raises(DeployError, match="not there any more"):
        redrive(url.rpartition("/")[2])

    assert len(bodies(stack, url, 1)) == 1


@pytest.mark.parametrize("kind", ["function", "queue"])
def test_without_a_dead_letter_queue_a_message_is_lost_and_said_so(
    stack: Stack, topic: Callable[..., str], kind: str
) -> None:
    arn = topic()
    endpoint = (
        "arn:aws:lambda:us-east-1:000000000000:function:not-there"
        if kind == "function"
        else "arn:aws:sqs:us-east-1:000000000000:not-there"
    )
    subscribe(stack, arn, endpoint)
    stack.client("sns").publish(TopicArn=arn, Message="hello")

    (row,) = eventually(lambda: journal(stack, source=arn, state="lost"))

    assert row["function"] == endpoint
    assert "RedrivePolicy" in row["place"]


def test_a_message_outlives_the_end_of_the_engine(stack: Stack, topic: Callable[..., str]) -> None:
    name, arn = stack.create(SHOW), topic()
    function = stack.client("lambda").get_function_configuration(FunctionName=name)["FunctionArn"]
    permit(stack.client, function)
    subscribe(stack, arn, function)
    sns = stack.client("sns")
    for number in range(20):
        if number == 10:
            kill(engine(stack))
        sns.publish(TopicArn=arn, Message=f"m{number}")

    def handled() -> bool:
        """By the journal: log lines of the last tenth of a second end with the engine."""
        states = [row["state"] for row in journal(stack, source=arn)]
        assert states == ["done"] * 20, states
        return True

    eventually(handled)


def test_an_alias_that_is_gone_ends_in_the_dead_letter_queue(
    stack: Stack, topic: Callable[..., str], queue: Callable[..., tuple[str, str]]
) -> None:
    """The function is there, and no version behind the ARN: SNS and rules give it up alike."""
    name, arn, (url, dlq) = stack.create(SHOW), topic(), queue()
    alias = f"arn:aws:lambda:us-east-1:000000000000:function:{name}:gone"
    events, rule = stack.client("events"), f"r-{secrets.token_hex(6)}"
    subscribe(stack, arn, alias, RedrivePolicy=json.dumps({"deadLetterTargetArn": dlq}))
    events.put_rule(Name=rule, EventPattern=json.dumps({"source": [rule]}))
    target = {"Id": "1", "Arn": alias, "DeadLetterConfig": {"Arn": dlq}}
    events.put_targets(Rule=rule, Targets=[target])

    stack.client("sns").publish(TopicArn=arn, Message="hello")
    entry = {"Source": rule, "DetailType": "t", "Detail": "{}"}
    assert events.put_events(Entries=[entry])["FailedEntryCount"] == 0

    letters = [json.loads(body) for body in bodies(stack, url, 2)]
    assert sorted(letter.get("source", "topic") for letter in letters) == sorted([rule, "topic"])
    events.remove_targets(Rule=rule, Ids=["1"])
    events.delete_rule(Name=rule)
