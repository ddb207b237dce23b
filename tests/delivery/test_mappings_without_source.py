"""Event source mappings whose function or source is gone, and operations without their resource."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from tests.engine.lambda_stack import Stack, archive
from tests.support.refusals import refused
from tests.support.waiting import eventually

CODE = "def handler(event, context):\n    return event\n"


def queue(stack: Stack) -> tuple[str, str]:
    sqs = stack.client("sqs")
    url = sqs.create_queue(QueueName=f"q-{secrets.token_hex(6)}")["QueueUrl"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return url, found["Attributes"]["QueueArn"]


def enabled(stack: Stack, function: str, source: str, **more: Any) -> str:
    functions = stack.client("lambda")
    uuid = functions.create_event_source_mapping(
        FunctionName=function, EventSourceArn=source, **more
    )["UUID"]
    eventually(lambda: state(stack, uuid) == "Enabled")
    return str(uuid)


def state(stack: Stack, uuid: str) -> str | None:
    functions = stack.client("lambda")
    try:
        return str(functions.get_event_source_mapping(UUID=uuid)["State"])
    except functions.exceptions.ResourceNotFoundException:
        return None


@pytest.mark.parametrize("gone", ["function", "queue"])
def test_a_mapping_can_be_disabled_and_deleted(stack: Stack, gone: str) -> None:
    functions = stack.client("lambda")
    function, (url, arn) = stack.create(CODE), queue(stack)
    uuid = enabled(stack, function, arn)
    if gone == "function":
        functions.delete_function(FunctionName=function)
    else:
        stack.client("sqs").delete_queue(QueueUrl=url)

    answer = functions.update_event_source_mapping(UUID=uuid, Enabled=False)

    assert answer["State"] in ("Disabling", "Disabled")
    eventually(lambda: state(stack, uuid) == "Disabled")
    again = functions.update_event_source_mapping(UUID=uuid, Enabled=False)
    assert again["State"] in ("Disabling", "Disabled")
    functions.delete_event_source_mapping(UUID=uuid)
    eventually(lambda: state(stack, uuid) is None)


def test_a_mapping_of_a_stream_that_is_gone_can_be_disabled(stack: Stack) -> None:
    kinesis, name = stack.client("kinesis"), f"s-{secrets.token_hex(6)}"
    kinesis.create_stream(StreamName=name, ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1})
    arn = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]["StreamARN"]
    uuid = enabled(stack, stack.create(CODE), arn, StartingPosition="TRIM_HORIZON")
    kinesis.delete_stream(StreamName=name, EnforceConsumerDeletion=True)

    stack.client("lambda").update_event_source_mapping(UUID=uuid, Enabled=False)

    eventually(lambda: state(stack, uuid) == "Disabled")


def test_what_else_changes_needs_the_function(stack: Stack) -> None:
    functions = stack.client("lambda")
    function, (_, arn) = stack.create(CODE), queue(stack)
    uuid = enabled(stack, function, arn)
    functions.delete_function(FunctionName=function)

    for change in ({"BatchSize": 5}, {"Enabled": True}, {"Enabled": False, "BatchSize": 5}):
        status, code, _ = refused(functions.update_event_source_mapping, UUID=uuid, **change)
        assert (status, code) == (400, "InvalidParameterValueException")
    functions.delete_event_source_mapping(UUID=uuid)


def test_mappings_are_listed_by_the_whole_name(stack: Stack) -> None:
    functions = stack.client("lambda")
    function, (_, arn) = stack.create(CODE), queue(stack)
    uuid = enabled(stack, function, arn, Enabled=True)

    def listed(name: str) -> list[str]:
        found = functions.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
        return [one["UUID"] for one in found]

    assert listed(function) == [uuid]
    assert listed(function[:-1]) == []
    assert listed("function") == []
    status, code, _ = refused(functions.list_event_source_mappings, MaxItems=-1)
    assert (status, code) == (400, "ValidationException")


def test_the_concurrency_of_a_function_that_is_not_there(stack: Stack) -> None:
    arn = "arn:aws:lambda:us-east-1:000000000000:function:nothing"

    assert refused(stack.client("lambda").delete_function_concurrency, FunctionName="nothing") == (
        404,
        "ResourceNotFoundException",
        f"Function not found: {arn}",
    )


def test_a_permission_of_a_layer_without_permissions(stack: Stack) -> None:
    functions, name = stack.client("lambda"), f"layer-{secrets.token_hex(6)}"
    content = {"ZipFile": archive({"python/m.py": ""})}
    functions.publish_layer_version(LayerName=name, Content=content)
    removal = {"LayerName": name, "VersionNumber": 1, "StatementId": "s"}

    assert refused(functions.remove_layer_version_permission, **removal) == (
        404,
        "ResourceNotFoundException",
        "Statement s is not found in resource policy.",
    )


def test_what_this_stack_does_not_have_is_named(stack: Stack) -> None:
    functions = stack.client("lambda")

    status, _, said = refused(functions.list_capacity_providers)
    assert (status, "Lambda Managed Instances" in said) == (501, True)
    status, _, said = refused(
        functions.send_durable_execution_callback_success, CallbackId="callback"
    )
    assert (status, "durable executions" in said) == (501, True)
