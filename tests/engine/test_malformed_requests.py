"""Requests that no service can read: through a running stack, as AWS answers them."""

from __future__ import annotations

import json
import secrets
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from tests.engine.lambda_stack import Stack

EXPECTED_NULL = "Expected null"
LIST = "Start of list found where not expected"


def send(stack: Stack, service: str, body: bytes, **call: Any) -> requests.Response:
    """Send a request, signed as far as the gateway looks."""
    scope = f"test/20260101/us-east-1/{service}/aws4_request"
    headers = {
        "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
        **call.get("headers", {}),
    }
    return requests.request(
        call.get("method", "POST"),
        f"http://127.0.0.1:{stack.port}{call.get('path', '/')}",
        data=body,
        headers=headers,
        timeout=60,
    )


def send_json(
    stack: Stack, service: str, target: str, body: bytes, version: str = "1.1"
) -> requests.Response:
    headers = {"X-Amz-Target": target, "Content-Type": f"application/x-amz-json-{version}"}
    return send(stack, service, body, headers=headers)


JSON_SERVICES = [
    ("dynamodb", "DynamoDB_20120810.GetItem", "1.0"),
    ("sqs", "AmazonSQS.SendMessage", "1.0"),
    ("kinesis", "Kinesis_20131202.PutRecord", "1.1"),
    ("events", "AWSEvents.PutEvents", "1.1"),
    ("logs", "Logs_20140328.PutLogEvents", "1.1"),
    ("cognito-idp", "AWSCognitoIdentityProviderService.ListUserPools", "1.1"),
]


@pytest.mark.parametrize(("service", "target", "version"), JSON_SERVICES)
@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", None),
        (b"", None),
        (b"null", None),
        (b"\xff\xfe", None),
        (b"[]", LIST),
        (b'"text"', EXPECTED_NULL),
        (b"5", EXPECTED_NULL),
    ],
)
def test_a_body_that_is_no_json_object_is_refused(
    stack: Stack, service: str, target: str, version: str, body: bytes, message: str | None
) -> None:
    answer = send_json(stack, service, target, body, version)

    assert answer.status_code == 400, answer.text
    space = "com.amazon.coral.service#" if version == "1.0" else ""
    assert answer.json()["__type"] == f"{space}SerializationException"
    assert answer.json().get("Message") == message


@pytest.mark.parametrize(
    ("service", "target", "request_", "message"),
    [
        (
            "events",
            "AWSEvents.PutEvents",
            {"Entries": [{"Source": 5, "Detail": "{}", "DetailType": "d"}]},
            "NUMBER_VALUE can not be converted to a String",
        ),
        ("events", "AWSEvents.PutEvents", {"Entries": "x"}, "Expected list or null"),
        (
            "kinesis",
            "Kinesis_20131202.PutRecord",
            {"StreamName": "s", "PartitionKey": "p", "Data": "@@@@"},
            "'@@@@' can not be converted to a Blob: Invalid Base64 character: '@'",
        ),
        (
            "dynamodb",
            "DynamoDB_20120810.PutItem",
            {"TableName": 5, "Item": {}},
            "NUMBER_VALUE cannot be converted to String",
        ),
        (
            "sqs",
            "AmazonSQS.ReceiveMessage",
            {"QueueUrl": "q", "MaxNumberOfMessages": "1"},
            "STRING_VALUE can not be converted to an Integer",
        ),
    ],
)
def test_a_member_of_another_type_is_refused(
    stack: Stack, service: str, target: str, request_: Any, message: str
) -> None:
    answer = send_json(stack, service, target, json.dumps(request_).encode())

    assert (answer.status_code, answer.json()["Message"]) == (400, message), answer.text


def test_an_operation_that_is_not_there_is_refused(stack: Stack) -> None:
    answer = send_json(stack, "events", "AWSEvents.Nothing", b"{}")

    assert answer.status_code == 400
    assert answer.json() == {"__type": "UnknownOperationException"}


def test_sqs_says_what_its_query_api_would(stack: Stack) -> None:
    answer = send_json(stack, "sqs", "AmazonSQS.SendMessage", b"{", "1.0")

    assert answer.headers["x-amzn-query-error"] == "MalformedInput;Sender"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/2015-03-31/functions"),
        ("POST", "/2015-03-31/event-source-mappings/"),
        ("PUT", "/2015-03-31/functions/f/configuration"),
    ],
)
def test_lambda_names_the_body_that_is_no_json(stack: Stack, method: str, path: str) -> None:
    answer = send(stack, "lambda", b"{", method=method, path=path)

    assert answer.status_code == 400, answer.text
    assert answer.headers["x-amzn-errortype"] == "InvalidRequestContentException"
    assert answer.json()["message"].startswith("Could not parse request body into json: ")


@pytest.mark.parametrize(
    ("service", "path"), [("scheduler", "/schedules/s"), ("pipes", "/v1/pipes/p")]
)
@pytest.mark.parametrize("body", [b"{", b"[]", b"null"])
def test_other_rest_services_refuse_it_too(
    stack: Stack, service: str, path: str, body: bytes
) -> None:
    answer = send(stack, service, body, path=path)

    assert answer.status_code == 400, answer.text
    assert answer.headers["x-amzn-errortype"] == "SerializationException"


@pytest.mark.parametrize(
    ("method", "query"),
    [("PUT", "tagging"), ("PUT", "notification"), ("PUT", "lifecycle"), ("POST", "delete")],
)
def test_a_document_that_is_no_xml_is_refused_by_s3(stack: Stack, method: str, query: str) -> None:
    bucket = f"b-{secrets.token_hex(6)}"
    stack.client("s3").create_bucket(Bucket=bucket)

    answer = send(stack, "s3", b"<a", method=method, path=f"/{bucket}?{query}")

    assert answer.status_code == 400, answer.text
    assert "<Code>MalformedXML</Code>" in answer.text


@pytest.mark.parametrize("query", ["tagging", "versioning", "cors"])
@pytest.mark.parametrize(
    ("document", "code"), [(b"<a/>", "MalformedXML"), (b"", "MissingRequestBodyError")]
)
def test_a_document_of_another_kind_is_refused_by_s3(
    stack: Stack, query: str, document: bytes, code: str
) -> None:
    bucket = f"b-{secrets.token_hex(6)}"
    stack.client("s3").create_bucket(Bucket=bucket)

    answer = send(stack, "s3", document, method="PUT", path=f"/{bucket}?{query}")

    assert answer.status_code == 400, answer.text
    assert f"<Code>{code}</Code>" in answer.text


@pytest.mark.parametrize("document", [b"<Delete><Quiet>true</Quiet></Delete>", b""])
def test_a_document_of_another_kind_takes_no_notifications_away(
    stack: Stack, document: bytes
) -> None:
    s3, bucket = stack.client("s3"), f"b-{secrets.token_hex(6)}"
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )

    answer = send(stack, "s3", document, method="PUT", path=f"/{bucket}?notification")

    assert answer.status_code == 400, answer.text
    found = s3.get_bucket_notification_configuration(Bucket=bucket)
    assert "EventBridgeConfiguration" in found
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
    found = s3.get_bucket_notification_configuration(Bucket=bucket)
    assert "EventBridgeConfiguration" not in found


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{}", "MissingAction"),
        (b"Action=Nothing&Version=2010-03-31", "InvalidAction"),
        (b"Action=Publish&Version=2010-03-31", "InvalidParameter"),
    ],
)
def test_a_query_that_names_no_operation_is_refused(stack: Stack, body: bytes, code: str) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}

    answer = send(stack, "sns", body, headers=headers)

    assert answer.status_code == 400, answer.text
    assert f"<Code>{code}</Code>" in answer.text


def test_a_value_of_a_query_that_is_no_number_is_refused(stack: Stack) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}

    answer = send(stack, "sts", b"Action=AssumeRole&DurationSeconds=x", headers=headers)

    assert answer.status_code == 400, answer.text
    assert "<Code>MalformedInput</Code>" in answer.text


def test_a_request_without_a_member_that_it_needs_is_the_callers_mistake(stack: Stack) -> None:
    with pytest.raises(ClientError) as refused:
        stack.client("events").put_events()

    found = refused.value.response
    assert found["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert found["Error"] == {
        "Code": "ValidationException",
        "Message": "1 validation error detected: Value null at 'entries' failed to satisfy"
        " constraint: Member must not be null",
    }


@pytest.mark.parametrize(
    ("service", "operation", "request_", "code"),
    [
        ("events", "list_tags_for_resource", {"ResourceARN": "x"}, "ValidationException"),
        ("sqs", "start_message_move_task", {"SourceArn": "x"}, "InvalidParameterValue"),
    ],
)
def test_an_arn_that_is_none_is_the_callers_mistake(
    stack: Stack, service: str, operation: str, request_: dict[str, str], code: str
) -> None:
    with pytest.raises(ClientError) as refused:
        getattr(stack.client(service), operation)(**request_)

    found = refused.value.response
    assert found["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert found["Error"]["Code"].startswith(code)
    assert "Arn is not in correct format" in found["Error"]["Message"]
