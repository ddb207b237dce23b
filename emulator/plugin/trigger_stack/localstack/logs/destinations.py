"""Hands log events to functions and to Kinesis streams, without a request to ourselves.

What: no patch. A function's events are accepted by the engine; Kinesis is a service of ours.
Why: LocalStack invokes the function over HTTP, and waits for its end, while it stores log events.
Until: as ``provider.py``.
Test: ``tests/delivery/test_log_subscriptions.py``.
"""

from __future__ import annotations

from typing import Any

from localstack import config
from localstack.aws.connect import connect_to
from localstack.services.lambda_.api_utils import function_locators_from_arn

from trigger_stack.delivery.logs.subscriptions import Batch, RefusedError, function_payload
from trigger_stack.localstack.lambda_engine.event_manager import accept
from trigger_stack.localstack.lambda_engine.versions import (
    can_be_invoked,
    describe_function,
    find_function,
)
from trigger_stack.services.operations import Caller
from trigger_stack_engine.front_doors.core.policy import allows

_NOT_ALLOWED = (
    "Could not execute the lambda function. Make sure you have given CloudWatch Logs permission to"
    " execute your function."
)


def may_invoke(function_arn: str, group_arn: str) -> bool:
    """Whether the function's policy lets CloudWatch Logs invoke it for a log group.

    AWS topic: CloudWatch Logs User Guide, "Subscription filters with AWS Lambda".
    """
    name, qualifier, account, region = function_locators_from_arn(function_arn)
    function = find_function(str(account), str(region), str(name))
    if function is None:
        return False
    policies = describe_function(function_arn, function).policies
    _, _, _, group_region, group_account, _ = group_arn.split(":", 5)
    return allows(
        policies.get(qualifier or "$LATEST") or [],
        action="lambda:invokefunction",
        principals=("logs.amazonaws.com", f"logs.{group_region}.amazonaws.com"),
        keys={"aws:sourcearn": f"{group_arn}:*", "aws:sourceaccount": group_account},
    )


def check(destination: str, group_arn: str) -> None:
    """Whether a destination can be used now.

    Raises:
        RefusedError: It cannot; the text is AWS's.
    """
    if ":lambda:" in destination:
        if not can_be_invoked(destination) or not may_invoke(destination, group_arn):
            raise RefusedError(_NOT_ALLOWED)
        return
    try:
        _kinesis(destination).describe_stream_summary(StreamARN=destination)
    except Exception as error:
        raise RefusedError(
            "Could not deliver test message to specified Kinesis stream. Check if the given"
            f" kinesis stream is in ACTIVE state. {error}"
        ) from None


def send(batch: Batch) -> None:
    """Hand one batch to its destination, once.

    Raises:
        RefusedError: The destination is gone, or does not let CloudWatch Logs in.
        Exception: It may take it later.
    """
    destination = batch.subscription.destination
    if ":lambda:" in destination:
        _to_function(batch, destination)
    else:
        put_record(destination, batch.data, batch.partition_key)


def _to_function(batch: Batch, arn: str) -> None:
    if not can_be_invoked(arn):
        raise RefusedError(f"the function {arn} was deleted", gone=True)
    if not may_invoke(arn, batch.source.group_arn):
        raise RefusedError(
            f"the policy of {arn} does not allow logs.amazonaws.com to invoke it for"
            f" {batch.source.group_arn}:*"
        )
    accept(
        arn,
        function_payload(batch.data),
        request_id=batch.id,
        source=batch.source.group_arn,
        trace_id=None,
    )


def put_record(stream_arn: str, data: bytes, key: str) -> None:
    """Put one record to a stream.

    Raises:
        RefusedError: There is no such stream any longer.
        Exception: It may take it later.
    """
    try:
        _kinesis(stream_arn).put_record(StreamARN=stream_arn, Data=data, PartitionKey=key)
    except Exception as error:
        if "ResourceNotFound" in f"{type(error).__name__} {getattr(error, 'code', '')} {error}":
            raise RefusedError(f"the stream {stream_arn} was deleted", gone=True) from None
        raise


class _InProcess:
    """Kinesis of this process, called as a client is."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def put_record(self, **request: Any) -> Any:
        from trigger_stack.localstack.kinesis import SERVICE

        return SERVICE.put_record(self._caller, request)

    def describe_stream_summary(self, **request: Any) -> Any:
        from trigger_stack.localstack.kinesis import SERVICE

        return SERVICE.describe_stream_summary(self._caller, request)


def _kinesis(stream_arn: str) -> Any:
    _, _, _, region, account, _ = stream_arn.split(":", 5)
    if config.SERVICE_PROVIDER_CONFIG.get_provider("kinesis") == "in_process":
        return _InProcess(Caller(account, region))
    return connect_to(aws_access_key_id=account, region_name=region).kinesis
