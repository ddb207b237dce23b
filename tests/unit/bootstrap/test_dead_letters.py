"""What ``make dlq`` says about each of the four kinds of dead letters."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

from bootstrap.commands import dlq
from bootstrap.commands.dlq import _short, dead_letter_queues, describe
from bootstrap.settings import Settings


def message(body: Any, **more: Any) -> dict[str, Any]:
    text = body if isinstance(body, str) else json.dumps(body)
    return {"MessageId": "1", "ReceiptHandle": "r", "Body": text, **more}


def attributes(**values: str) -> dict[str, Any]:
    return {name: {"DataType": "String", "StringValue": v} for name, v in values.items()}


def on_failure_record(**change: Any) -> dict[str, Any]:
    """AWS Lambda, "Adding a destination": the invocation record."""
    return {
        "version": "1.0",
        "timestamp": "2026-11-14T18:16:05.568Z",
        "requestContext": {
            "requestId": "e4b46cbf-b738-xmpl-8880-a18cdf61200e",
            "functionArn": "arn:aws:lambda:us-east-1:000000000000:function:process_logo:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 3,
        },
        "requestPayload": {"Records": [{"s3": {"object": {"key": "logos/acme/logo.png"}}}]},
        "responseContext": {"statusCode": 200, "functionError": "Unhandled"},
        "responsePayload": {"errorMessage": "no such table", "errorType": "ResourceNotFound"},
        **change,
    }


def test_a_lambda_on_failure_record() -> None:
    letter = describe(message(on_failure_record()))

    assert letter.origin == "function process_logo"
    assert letter.reason == "RetriesExhausted after 3 tries: ResourceNotFound no such table"
    assert json.loads(letter.payload) == on_failure_record()["requestPayload"]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (None, "RetriesExhausted after 3 tries:"),
        ("text", "RetriesExhausted after 3 tries:"),
        ({"errorMessage": "timed out"}, "RetriesExhausted after 3 tries:  timed out"),
    ],
)
def test_an_on_failure_record_without_an_error_object(answer: Any, reason: str) -> None:
    assert describe(message(on_failure_record(responsePayload=answer))).reason == reason


def test_an_on_failure_record_of_an_expired_event() -> None:
    record = on_failure_record(responsePayload=None)
    record["requestContext"] |= {"condition": "EventAgeExceeded", "approximateInvokeCount": 0}

    assert describe(message(record)).reason == "EventAgeExceeded after 0 tries:"


def test_a_dead_letter_of_an_eventbridge_target() -> None:
    letter = describe(
        message(
            {"detail-type": "BrandUpdated", "detail": {}},
            MessageAttributes=attributes(
                RULE_ARN="arn:aws:events:us-east-1:000000000000:rule/brand-platform-bus/invalidate",
                TARGET_ARN="arn:aws:lambda:us-east-1:000000000000:function:invalidate_cdn",
                ERROR_CODE="NO_PERMISSIONS",
                ERROR_MESSAGE="not authorized",
                RETRY_ATTEMPTS="0",
            ),
        )
    )

    assert letter.origin == (
        "rule invalidate → arn:aws:lambda:us-east-1:000000000000:function:invalidate_cdn"
    )
    assert letter.reason == "NO_PERMISSIONS: not authorized"
    assert json.loads(letter.payload)["detail-type"] == "BrandUpdated"


def test_a_lambda_dead_letter() -> None:
    """AWS Lambda, "Dead-letter queues": the event as body, the reason as attributes."""
    letter = describe(
        message(
            {"an": "event"},
            MessageAttributes={
                **attributes(RequestID="1", ErrorMessage="something failed"),
                "ErrorCode": {"DataType": "Number", "StringValue": "200"},
            },
        )
    )

    assert (letter.origin, letter.reason) == ("function", "something failed")
    assert json.loads(letter.payload) == {"an": "event"}


def test_a_message_that_sqs_moved() -> None:
    source = "arn:aws:sqs:us-east-1:000000000000:brand-notifications"
    letter = describe(message("{not json", Attributes={"DeadLetterQueueSourceArn": source}))

    assert letter.origin == "queue brand-notifications"
    assert "maxReceiveCount" in letter.reason
    assert letter.payload == "{not json"


@pytest.mark.parametrize("body", ["", "text", "[]", "null", '{"a": 1}', '{"requestContext": {}}'])
def test_anything_else_is_shown_as_it_is(body: str) -> None:
    letter = describe(message(body))

    assert (letter.origin, letter.payload) == ("unknown", body)


@pytest.mark.parametrize(
    "record",
    [
        {"requestContext": None, "requestPayload": {}},
        {"requestContext": "text", "requestPayload": {}},
        {"requestContext": {"functionArn": None}, "requestPayload": None},
        {"requestContext": {}, "requestPayload": []},
    ],
)
def test_a_body_that_only_looks_like_a_record(record: Any) -> None:
    describe(message(record))


def test_long_payloads_are_cut_for_the_table() -> None:
    assert _short("x" * 120, 120) == "x" * 120
    assert _short("x" * 121, 120) == "x" * 119 + "…"


class Vanishing:
    """An AWS client: of what it lists, everything named ``gone`` is deleted before it is read."""

    @staticmethod
    def client(_service: str) -> Vanishing:
        return Vanishing()

    def get_paginator(self, operation: str) -> Vanishing:
        self.operation = operation
        return self

    def paginate(self) -> list[dict[str, Any]]:
        if self.operation == "list_queues":
            return [{"QueueUrls": ["http://sqs/gone", "http://sqs/letters"]}]
        if self.operation == "list_subscriptions":
            return [{"Subscriptions": [{"SubscriptionArn": "gone"}, {"SubscriptionArn": "s"}]}]
        if self.operation == "list_event_source_mappings":
            return [{"EventSourceMappings": [{"UUID": "1", "DestinationConfig": {}}]}]
        if self.operation == "list_pipes":
            return [{"Pipes": [{"Name": "gone"}, {"Name": "there"}]}]
        if self.operation == "list_schedules":
            names = ("gone", "there")
            return [{"Schedules": [{"Name": name, "GroupName": "default"} for name in names]}]
        return [{"Functions": [{"FunctionName": "gone"}, {"FunctionName": "there"}]}]

    def get_queue_attributes(self, *, QueueUrl: str, **_: Any) -> dict[str, Any]:  # noqa: N803  boto3
        name = QueueUrl.rsplit("/", 1)[-1]
        self._refuse(name, "AWS.SimpleQueueService.NonExistentQueue")
        return {"Attributes": {"QueueArn": f"arn:aws:sqs:us-east-1:000000000000:{name}"}}

    def list_function_event_invoke_configs(self, *, FunctionName: str) -> dict[str, Any]:  # noqa: N803  boto3
        self._refuse(FunctionName)
        return {"FunctionEventInvokeConfigs": []}

    def get_subscription_attributes(self, *, SubscriptionArn: str) -> dict[str, Any]:  # noqa: N803  boto3
        self._refuse(SubscriptionArn, "NotFound")
        return {"Attributes": {"RawMessageDelivery": "true"}}

    def list_event_buses(self) -> dict[str, Any]:
        return {"EventBuses": [{"Name": "gone"}, {"Name": "default"}]}

    def list_rules(self, *, EventBusName: str) -> dict[str, Any]:  # noqa: N803  boto3
        self._refuse(EventBusName)
        return {"Rules": [{"Name": "gone"}, {"Name": "there"}]}

    def list_targets_by_rule(self, *, Rule: str, **_: Any) -> dict[str, Any]:  # noqa: N803  boto3
        self._refuse(Rule)
        arn = "arn:aws:sqs:us-east-1:000000000000:letters"
        return {"Targets": [{"DeadLetterConfig": {"Arn": arn}}]}

    def describe_pipe(self, *, Name: str) -> dict[str, Any]:  # noqa: N803  boto3
        self._refuse(Name, "NotFoundException")
        own = {"DeadLetterConfig": {"Arn": "arn:aws:sqs:us-east-1:000000000000:letters"}}
        return {"SourceParameters": {"KinesisStreamParameters": own}}

    def get_schedule(self, *, Name: str, **_: Any) -> dict[str, Any]:  # noqa: N803  boto3
        self._refuse(Name)
        arn = "arn:aws:sqs:us-east-1:000000000000:letters"
        return {"Target": {"DeadLetterConfig": {"Arn": arn}}}

    @staticmethod
    def _refuse(name: str, code: str = "ResourceNotFoundException") -> None:
        if name == "gone":
            raise ClientError({"Error": {"Code": code}}, "Read")


def test_what_is_deleted_meanwhile_is_passed_over() -> None:
    found = dead_letter_queues(cast("Settings", Vanishing()))

    assert found == {"letters": "http://sqs/letters"}


def test_a_topics_dead_letter_is_told_from_a_functions() -> None:
    """Also when its message was delivered raw, and when the function's event has a topic's ARN."""
    reason = {"ErrorMessage": {"StringValue": "there is no function x"}}
    text = {**reason, "ErrorCode": {"DataType": "String", "StringValue": "200"}}
    number = {**reason, "ErrorCode": {"DataType": "Number", "StringValue": "200"}}
    body = json.dumps({"Type": "Notification", "TopicArn": "arn:aws:sns:us-east-1:0:t"})

    topic = describe({"Body": body, "MessageAttributes": text})
    raw = describe({"Body": "hello", "MessageAttributes": text})
    function = describe({"Body": body, "MessageAttributes": number})

    assert (topic.origin, topic.reason) == ("topic t", "there is no function x")
    assert (raw.origin, raw.reason) == ("topic", "there is no function x")
    assert function.origin == "function"


def test_messages_that_somebody_looks_at_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other command may even take them again between the two questions."""
    letter = {"MessageId": "1", "ReceiptHandle": "r"}
    answers: list[list[dict[str, str]]] = [[], [], [letter], []]
    counts = [("0", "1"), ("1", "0")]

    class Queue:
        def receive_message(self, **_: Any) -> dict[str, Any]:
            return {"Messages": answers.pop(0)}

        def get_queue_attributes(self, **_: Any) -> dict[str, Any]:
            visible, hidden = counts.pop(0)
            return {
                "Attributes": {
                    "ApproximateNumberOfMessages": visible,
                    "ApproximateNumberOfMessagesNotVisible": hidden,
                }
            }

        def change_message_visibility_batch(self, **_: Any) -> None:
            pass

    monkeypatch.setattr(dlq.time, "sleep", lambda _: None)

    with dlq._received(Queue(), "url", wait_s=10) as messages:
        assert messages == [letter]

    assert not counts


def test_an_empty_queue_is_not_waited_for() -> None:
    class Empty:
        def receive_message(self, **_: Any) -> dict[str, Any]:
            return {}

        def get_queue_attributes(self, **asked: Any) -> dict[str, Any]:
            return {"Attributes": dict.fromkeys(asked["AttributeNames"], "0")}

    with dlq._received(Empty(), "url", wait_s=60) as messages:
        assert messages == []


def test_a_schedules_dead_letter_says_which_schedule_and_why() -> None:
    given = {
        "SCHEDULE_ARN": "arn:aws:scheduler:us-east-1:0:schedule/reminders/acme",
        "TARGET_ARN": "arn:aws:lambda:us-east-1:0:function:remind",
        "ERROR_CODE": "ResourceNotFoundException",
        "ERROR_MESSAGE": "Function not found",
    }
    attributes = {name: {"StringValue": text} for name, text in given.items()}

    letter = describe({"Body": '{"brandId": "acme"}', "MessageAttributes": attributes})

    assert letter.origin == "schedule reminders/acme → arn:aws:lambda:us-east-1:0:function:remind"
    assert letter.reason == "ResourceNotFoundException: Function not found"
    assert letter.payload == '{"brandId": "acme"}'


def test_a_pipes_dead_letter_says_which_pipe_and_where_the_records_are() -> None:
    document = {
        "context": {
            "partnerResourceArn": "arn:aws:pipes:us-east-1:0:pipe/usage",
            "condition": "RetryAttemptsExhausted",
        },
        "version": "1.0",
        "KinesisBatchInfo": {
            "shardId": "shardId-000000000000",
            "batchSize": 2,
            "streamArn": "arn:aws:kinesis:us-east-1:0:stream/s",
        },
    }

    letter = describe({"Body": json.dumps(document)})

    assert letter.origin == "pipe usage"
    assert letter.reason == (
        "RetryAttemptsExhausted: 2 records of arn:aws:kinesis:us-east-1:0:stream/s"
        " shardId-000000000000"
    )
    for other in ({"context": {}}, {"context": "x"}, {**document, "KinesisBatchInfo": None}):
        other.pop("KinesisBatchInfo", None)
        assert describe({"Body": json.dumps(other)}).origin != "pipe usage"
