"""The services that pipes call: functions in the engine, others through LocalStack's clients.

What: no patch.
Why: LocalStack's open release has no pipes.
Until: it has.
Test: ``tests/delivery/test_pipes.py``.
"""

from __future__ import annotations

import functools
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from localstack.aws.api import CommonServiceException, ServiceException
from localstack.aws.connect import connect_to
from localstack.utils.aws.arns import sqs_queue_url_for_arn
from localstack.utils.xray.trace_header import TraceHeader

from trigger_stack.delivery.core.invocation import Reply, ThrottledError
from trigger_stack.delivery.pipes.events import Event
from trigger_stack.delivery.pipes.execution import CustomerError, Ended, InternalError, Refused
from trigger_stack.delivery.pipes.settings import PipeSettings, service_of
from trigger_stack.engine.supervisor import EngineUnavailableError
from trigger_stack.localstack.events import target_sender
from trigger_stack.localstack.execution_roles import execution_roles
from trigger_stack.localstack.mapping_worker import invoke
from trigger_stack_engine.invoke.tracing import segment_of, trace_of, with_parent
from trigger_stack_engine.wire import RemoteError

#: The source counts the tries, not the client.
_ONE_TRY = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=60)
_THROTTLED = frozenset(
    {
        "TooManyRequestsException",
        "ThrottlingException",
        "Throttling",
        "ThrottledException",
        "ProvisionedThroughputExceededException",
    }
)


#: What the execution role must allow (User Guide, "Permissions for EventBridge Pipes").
_READS = {
    "dynamodb": "dynamodb:GetRecords",
    "kinesis": "kinesis:GetRecords",
    "sqs": "sqs:ReceiveMessage",
}
_CALLS = {
    "events": ("events:PutEvents",),
    "kinesis": ("kinesis:PutRecords", "kinesis:PutRecord"),
    "lambda": ("lambda:InvokeFunction",),
    "sns": ("sns:Publish",),
    "sqs": ("sqs:SendMessage",),
}


def check_source(settings: PipeSettings) -> None:
    """Check that a pipe's role lets it read its source.

    Raises:
        PermissionError: It does not; the text is what AWS says.
    """
    service = service_of(settings.source)
    action, source = _READS[service], settings.source
    if execution_roles().why_not_allowed(settings.role, (action,), source, settings.arn):
        call = f"{action.partition(':')[2]} on {service.upper()}"
        raise PermissionError(
            "Input parameter is invalid from the request due to : The provided customer role does"
            f" not have permissions to call {call}"
        )


def why_not_called(settings: PipeSettings, arn: str) -> str | None:
    """Why a pipe's role does not let it call a target, an enrichment or a dead-letter queue."""
    actions = _CALLS[service_of(arn)]
    return execution_roles().why_not_allowed(settings.role, actions, arn, settings.arn)


class LocalServices:
    """The services of the account and region of a pipe."""

    def __init__(self, settings: PipeSettings) -> None:
        self._settings = settings

    def invoke(self, function_arn: str, payload: bytes) -> Reply:
        """Have a function handle an event, and wait for its end."""
        self._check_permission(function_arn)
        enriches = function_arn == self._settings.enrichment
        kind = "enrichment of a pipe" if enriches else "batch of a pipe"
        try:
            return invoke(function_arn, payload, self._settings.arn, kind=kind)
        except ThrottledError:
            raise
        except (CommonServiceException, ServiceException) as error:
            raise _failure(error.code, error.status_code, str(error)) from error

    def trace(self, records: list[Event]) -> str:
        """The trace header of a batch: of its messages, when they have one trace."""
        headers = [one.get("attributes", {}).get("AWSTraceHeader") for one in records]
        roots = {trace_of(header) for header in headers}
        header = headers[0] if len(roots) == 1 else None
        return with_parent(header, segment_of(str(records[0].get("messageId", ""))))

    def accept(self, function_arn: str, payload: bytes, ended: Ended) -> None:
        """Have Lambda accept an event."""
        self._check_permission(function_arn)
        trace = TraceHeader.from_header_str(ended.trace_id)
        try:
            target_sender.invoke(function_arn, payload, self._settings.arn, trace, ended.id)
        except ClientError as error:
            raise _client_failure(error) from error
        except (EngineUnavailableError, RemoteError) as error:
            raise InternalError(str(error)) from error

    def send(self, entries: list[dict[str, Any]], ended: Ended) -> Refused:
        """Call the batch operation of the target once."""
        self._check_permission(self._settings.target)
        header = with_parent(ended.trace_id, segment_of(ended.id))
        client = self._client.custom_headers({"X-Amzn-Trace-Id": header})
        try:
            return _SENDERS[self._settings.target_service](client, self._settings.target, entries)
        except ClientError as error:
            raise _client_failure(error) from error
        except BotoCoreError as error:
            raise InternalError(str(error)) from error

    def _check_permission(self, arn: str) -> None:
        """Check that the pipe's role lets it call a target or an enrichment.

        Raises:
            CustomerError: It does not.
        """
        if problem := why_not_called(self._settings, arn):
            raise CustomerError(f"AccessDeniedException: {problem}")

    @functools.cached_property
    def _client(self) -> Any:
        _, _, _, region, account, _ = self._settings.arn.split(":", 5)
        region = self._settings.target.split(":")[3] or region
        clients: Any = connect_to(aws_access_key_id=account, region_name=region, config=_ONE_TRY)
        client = clients.get_client(self._settings.target_service)
        return client.request_metadata(source_arn=self._settings.arn, service_principal="pipes")


def _failure(code: str, status: int, message: str) -> Exception:
    if code in _THROTTLED:
        return ThrottledError(message)
    text = f"{code}: {message}"
    return CustomerError(text) if 400 <= status < 500 else InternalError(text)


def _client_failure(error: ClientError) -> Exception:
    details = error.response.get("Error", {})
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
    return _failure(str(details.get("Code", "")), int(status), str(details.get("Message", "")))


def _to_queue(client: Any, target: str, entries: list[dict[str, Any]]) -> Refused:
    answer = client.send_message_batch(QueueUrl=sqs_queue_url_for_arn(target), Entries=entries)
    return _by_id(answer.get("Failed"))


def _to_topic(client: Any, target: str, entries: list[dict[str, Any]]) -> Refused:
    answer = client.publish_batch(TopicArn=target, PublishBatchRequestEntries=entries)
    return _by_id(answer.get("Failed"))


def _by_id(failed: list[dict[str, Any]] | None) -> Refused:
    found = failed or []
    reason = f"{found[0].get('Code')}: {found[0].get('Message', '')}" if found else ""
    return Refused(frozenset(int(one["Id"]) for one in found), reason)


def _to_stream(client: Any, target: str, entries: list[dict[str, Any]]) -> Refused:
    answer = client.put_records(StreamARN=target, Records=entries)
    return _by_place(answer["Records"])


def _to_bus(client: Any, target: str, entries: list[dict[str, Any]]) -> Refused:
    return _by_place(client.put_events(Entries=entries)["Entries"])


def _by_place(results: list[dict[str, Any]]) -> Refused:
    failed = {n: one for n, one in enumerate(results) if one.get("ErrorCode")}
    reasons = [f"{one['ErrorCode']}: {one.get('ErrorMessage', '')}" for one in failed.values()]
    return Refused(frozenset(failed), reasons[0] if reasons else "")


_SENDERS = {"events": _to_bus, "kinesis": _to_stream, "sns": _to_topic, "sqs": _to_queue}
