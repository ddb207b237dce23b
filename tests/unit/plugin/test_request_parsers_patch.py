"""Which types of a JSON body are taken, and that LocalStack still takes others."""

from __future__ import annotations

import inspect
import json
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.serialize import create_serializer
from localstack.aws.handlers import service
from localstack.aws.protocol.parser import ProtocolParserError, create_parser
from localstack.aws.spec import load_service
from localstack.http import Request

from trigger_stack.localstack.malformed_requests import (
    WrongTypeError,
    answer,
    broken,
    strict,
)


def request(target: str, body: Any) -> Request:
    headers = {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1"}
    return Request("POST", "/", headers=headers, body=json.dumps(body))


def read(name: str, operation: str, body: Any) -> Any:
    _, found = strict(load_service(name), "json").parse(request(f"x.{operation}", body))
    return found


def test_localstack_still_takes_other_types() -> None:
    """When this fails, LocalStack checks types itself."""
    kinesis = create_parser(load_service("kinesis"), "json")

    _, found = kinesis.parse(request("x.PutRecord", {"PartitionKey": 5, "Data": "@@@@"}))

    assert (found["PartitionKey"], found["Data"]) == (5, b"")


def test_localstack_still_answers_nothing_that_cannot_be_read() -> None:
    """When this fails, LocalStack's handlers know its parser's errors."""
    assert "ParserError" not in inspect.getsource(service)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"PartitionKey": 5}, "NUMBER_VALUE can not be converted to a String"),
        ({"PartitionKey": 1.5}, "NUMBER_VALUE can not be converted to a String"),
        ({"PartitionKey": True}, "TRUE_VALUE can not be converted to a String"),
        ({"PartitionKey": []}, "Start of list found where not expected"),
        ({"PartitionKey": {}}, "Start of structure or map found where not expected."),
        ({"Data": 5}, "NUMBER_VALUE can not be converted to a Blob"),
        (
            {"Data": "YQ"},
            "'YQ' can not be converted to a Blob: Base64 encoded length is expected a multiple of"
            " 4 bytes but found: 2",
        ),
    ],
)
def test_what_is_no_text_or_no_base64(body: Any, said: str) -> None:
    with pytest.raises(WrongTypeError) as error:
        read("kinesis", "PutRecord", body)

    assert str(error.value) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("1", "STRING_VALUE can not be converted to an Integer"),
        (False, "FALSE_VALUE can not be converted to an Integer"),
    ],
)
def test_what_is_no_number(value: Any, said: str) -> None:
    with pytest.raises(WrongTypeError) as error:
        read("sqs", "ReceiveMessage", {"MaxNumberOfMessages": value})

    assert str(error.value) == said


def test_a_fraction_is_cut_and_null_is_nothing() -> None:
    found = read("sqs", "ReceiveMessage", {"MaxNumberOfMessages": 1.5, "WaitTimeSeconds": None})

    assert found["MaxNumberOfMessages"] == 1
    assert "WaitTimeSeconds" not in found


@pytest.mark.parametrize(("text", "value"), [("true", True), ("NO", False)])
def test_words_that_are_boolean(text: str, value: bool) -> None:
    table = {"TableName": "t", "StreamSpecification": {"StreamEnabled": text}}

    found = read("dynamodb", "CreateTable", table)

    assert found["StreamSpecification"]["StreamEnabled"] is value


def test_bytes_of_a_record_are_as_they_were_sent() -> None:
    assert read("kinesis", "PutRecord", {"Data": "AP+/"})["Data"] == b"\x00\xff\xbf"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (("logs", "PutLogEvents", {"logGroupName": "g"}), "InvalidParameterException"),
        (("events", "PutEvents", {"Entries": None}), "ValidationException"),
        (("sns", "PublishBatch", {"TopicArn": "t"}), "ValidationError"),
    ],
)
def test_an_internal_error_is_the_callers_mistake_when_the_model_forbids_the_request(
    given: tuple[str, str, Any], code: str
) -> None:
    error = broken(made(*given))

    assert error is not None
    assert (error.code, error.status_code) == (code, 400)
    assert "Member must not be null" in str(error)


def test_sqs_names_the_parameter_that_is_not_there() -> None:
    error = broken(made("sqs", "SendMessage", {"QueueUrl": None, "MessageBody": "m"}))

    assert error is not None
    assert (error.code, error.status_code) == ("MissingRequiredParameterException", 400)
    assert str(error) == "The request must contain the parameter QueueUrl."


def test_an_internal_error_for_a_request_that_the_model_allows_stays_one() -> None:
    entry = {"Source": "s", "DetailType": "d", "Detail": "{}"}

    assert broken(made("events", "PutEvents", {"Entries": [entry]})) is None


def made(name: str, operation: str, sent: Any) -> Any:
    """What the gateway knows of a request."""
    model = load_service(name)
    return SimpleNamespace(
        service=model,
        operation=model.operation_model(operation),
        service_request=sent,
        protocol=model.protocol,
    )


def answered(name: str, body: bytes, protocol: str, **request: Any) -> Any:
    """The answer to a request that cannot be read."""
    context = SimpleNamespace(
        service=load_service(name),
        operation=None,
        protocol=protocol,
        request=Request(body=body, **request),
        request_id="r",
        service_exception=None,
    )
    return answer(context, ProtocolParserError("why"))


def test_a_client_of_kinesis_that_writes_cbor_reads_cbor() -> None:
    headers = {"Content-Type": "application/x-amz-cbor-1.1", "Accept": "application/x-amz-cbor-1.1"}

    found = answered("kinesis", b"x", "json", method="POST", path="/", headers=headers)

    assert found.status_code == 400
    assert "cbor" in found.content_type
    assert b"SerializationException" in found.data


def test_a_request_of_s3_without_a_document_has_no_malformed_one() -> None:
    found = answered("s3", b"", "rest-xml", method="GET", path="/b/k")

    assert found.status_code == 400
    assert b"<Code>InvalidArgument</Code>" in found.data


def configured(document: bytes, path: str = "/b?notification") -> Any:
    query = path.partition("?")[2]
    request = Request("PUT", path.partition("?")[0], query_string=query, body=document)
    return strict(load_service("s3"), "rest-xml").parse(request)


def test_localstack_still_takes_any_document() -> None:
    """When this fails, LocalStack looks at the root of a document."""
    request = Request("PUT", "/b", query_string="notification", body=b"<Delete/>")

    _, found = create_parser(load_service("s3"), "rest-xml").parse(request)

    assert found["NotificationConfiguration"] == {}


@pytest.mark.parametrize("document", [b"<Delete/>", b""])
def test_a_document_of_another_kind_is_refused(document: bytes) -> None:
    with pytest.raises(ProtocolParserError):
        configured(document)


@pytest.mark.parametrize(
    "document",
    [
        b"<NotificationConfiguration/>",
        b'<NotificationConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"/>',
    ],
)
def test_an_empty_configuration_is_one(document: bytes) -> None:
    assert configured(document)[1]["NotificationConfiguration"] == {}


def test_a_bucket_needs_no_document() -> None:
    operation, _ = configured(b"", "/b")

    assert operation.name == "CreateBucket"


def documents() -> list[str]:
    """Operations of S3 whose body is a document."""
    found = []
    for name in load_service("s3").operation_names:
        shape = load_service("s3").operation_model(name).input_shape
        payload = shape.serialization.get("payload") if shape else None
        if payload and shape.members[payload].type_name == "structure":
            found.append(name)
    return found


@pytest.mark.parametrize("name", documents())
def test_the_documents_that_clients_write_are_taken(name: str) -> None:
    model = load_service("s3").operation_model(name)
    shape, payload = model.input_shape, model.input_shape.serialization["payload"]
    place = ("uri", "querystring")
    uri = {
        one: "x"
        for one in shape.required_members
        if shape.members[one].serialization.get("location") in place
    }
    sent = create_serializer("rest-xml", False).serialize_to_request({**uri, payload: {}}, model)
    query = "&".join(f"{key}={value}" for key, value in sent["query_string"].items())
    path, _, fixed = sent["url_path"].partition("?")
    text = "&".join(part for part in (fixed, query) if part)

    request = Request(sent["method"], path, query_string=text, body=sent["body"])
    _, found = strict(load_service("s3"), "rest-xml").parse(request)

    assert payload in found
