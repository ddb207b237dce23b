"""The changes of a table go to a Kinesis data stream.

What: handlers in ``serve_custom_service_request_handlers`` and ``run_custom_response_handlers``,
LocalStack's own lists. Between ``EnableKinesisStreamingDestination`` and its opposite, the table's
own stream is read as a mapping reads it, and each change put into the Kinesis stream; a table
without a stream gets one.
Why: LocalStack's provider ``v2`` answers that the changes go to the Kinesis stream, and none comes.
It keeps the destinations of a table that was deleted for the next one of that name.
Until: LocalStack's provider forwards the changes.
Test: ``tests/delivery/test_table_to_kinesis.py``,
``tests/unit/plugin/test_open_release.py::test_localstack_still_forwards_no_change_of_a_table``.

AWS topic: Amazon DynamoDB Developer Guide, "Using Kinesis Data Streams to capture changes to
DynamoDB": records may come twice; what cannot be put is tried again for 24 hours.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from localstack import config
from localstack.aws.api import CommonServiceException
from localstack.aws.handlers import (
    run_custom_response_handlers,
    serve_custom_service_request_handlers,
)

from trigger_stack.localstack.dynamodb.time_to_live import Region

if TYPE_CHECKING:
    from trigger_stack.localstack.dynamodb.kinesis_forwarder import Forwarder

_ENABLE: Final = "EnableKinesisStreamingDestination"
_DISABLE: Final = "DisableKinesisStreamingDestination"
_UPDATE: Final = "UpdateKinesisStreamingDestination"
_DELETE: Final = "DeleteTable"
_IMAGES: Final = "NEW_AND_OLD_IMAGES"
_NO_TABLE: Final = "ResourceNotFoundException"
_lock = threading.RLock()


class RefusedError(CommonServiceException):
    """A request is refused."""

    def __init__(self, message: str) -> None:
        super().__init__("ValidationException", message, status_code=400)


#: By account, region, table and ARN of the Kinesis stream.
_running: dict[tuple[str, str, str, str], Forwarder] = {}
#: By the same: what a table that is being deleted had not forwarded.
_left: dict[tuple[str, str, str, str], dict[str, tuple[str, str]]] = {}


def _of_table(region: Region, table: str) -> Iterator[tuple[str, str, str, str]]:
    for key in list(_running):
        if key[:3] == (region.account, region.name, table):
            yield key


def _stream_of(region: Region, table: str) -> str:
    """ARN of the table's stream, with both images; it is turned on when there is none.

    Raises:
        RefusedError: It shows something else.
        OSError: There is no such table, or DynamoDB Local does not answer.
    """
    found = region.call("DescribeTable", TableName=table)["Table"]
    wanted = found.get("StreamSpecification") or {}
    if not wanted.get("StreamEnabled"):
        specification = {"StreamEnabled": True, "StreamViewType": _IMAGES}
        region.call("UpdateTable", TableName=table, StreamSpecification=specification)
        found = region.call("DescribeTable", TableName=table)["Table"]
    elif wanted.get("StreamViewType") != _IMAGES:
        raise RefusedError(
            "This stack takes the changes of a table to a Kinesis stream from the table's own"
            f" stream, which shows {wanted.get('StreamViewType')}: set its StreamViewType to"
            f" {_IMAGES}."
        )
    path = str(found["LatestStreamArn"]).split(":", 5)[5]
    return f"arn:aws:dynamodb:{region.name}:{region.account}:{path}"


def _enable(region: Region, request: dict[str, Any], table: str) -> None:
    """Begin before LocalStack answers: then no change after its answer is missed."""
    # Not earlier: a stack without a destination needs nothing of it.
    from trigger_stack.localstack.dynamodb.kinesis_forwarder import Forwarder

    given = request.get("EnableKinesisStreamingConfiguration") or {}
    _check_precision(given.get("ApproximateCreationDateTimePrecision"))
    key = (region.account, region.name, table, request["StreamArn"])
    with _lock:
        if key in _running:
            return  # LocalStack says that it is enabled
        try:
            one = Forwarder(table, _stream_of(region, table), key[3])
            one.start()
        except OSError as error:
            # LocalStack says itself that there is no such table. Whatever else it was, it would
            # answer that the changes go to the stream, and none would.
            if _NO_TABLE not in str(error):
                raise
            return
        _running[key] = one


def _check_precision(precision: str | None) -> None:
    if precision == "MICROSECOND":
        raise RefusedError(
            "ApproximateCreationDateTimePrecision MICROSECOND is not part of this stack: the"
            " changes of a table have seconds here."
        )


def _check_stream(region: Region, request: dict[str, Any], table: str) -> None:
    wanted = request.get("StreamSpecification")
    if wanted and not wanted.get("StreamEnabled") and any(_of_table(region, table)):
        raise RefusedError(
            "The table's stream is where its changes for a Kinesis stream come from in this stack:"
            f" call {_DISABLE} before."
        )


def _region(context: Any, table: str) -> Region:
    # Not earlier: the provider takes a second to import, and is loaded for the request anyway.
    from localstack.services.dynamodb.v2.provider import DynamoDBProvider

    name = DynamoDBProvider.get_global_table_region(context, table)
    return Region(context.account_id, name)


def _is_about(context: Any, *operations: str) -> bool:
    return (
        context.service is not None
        and context.service.service_name == "dynamodb"
        and context.operation is not None
        and context.operation.name in operations
    )


def _has_streams() -> bool:
    """Whether DynamoDB Local has the tables' streams: the other provider makes records itself."""
    return config.SERVICE_PROVIDER_CONFIG.get_provider("dynamodb") == "v2"


def before(chain: Any, context: Any, response: Any) -> None:
    """Request handler: begin to forward, and refuse what cannot be done."""
    del chain, response
    if not _is_about(context, _ENABLE, _UPDATE, _DELETE, "UpdateTable"):
        return
    request, operation = context.service_request, context.operation.name
    table = str(request.get("TableName") or "").rpartition("/")[2]
    if operation == _UPDATE:
        wanted = request.get("UpdateKinesisStreamingConfiguration") or {}
        _check_precision(wanted.get("ApproximateCreationDateTimePrecision"))
    elif operation == _ENABLE:
        if not _has_streams():
            raise RefusedError("Only the provider v2 of DynamoDB forwards changes without loss.")
        _enable(_region(context, table), request, table)
    elif _running and operation == "UpdateTable":
        _check_stream(_region(context, table), request, table)
    elif _running:  # the table's stream goes with it
        for key in _of_table(_region(context, table), table):
            _left[key] = _running[key].catch_up()


def after(chain: Any, context: Any, response: Any) -> None:
    """Response handler: forward no more when LocalStack has refused, or ended, a destination."""
    del chain
    if not _is_about(context, _ENABLE, _DISABLE, _DELETE) or not _has_streams():
        return
    request, operation = context.service_request, context.operation.name
    is_done = response.status_code == 200
    if is_done == (operation == _ENABLE):
        return
    table = str(request.get("TableName") or "").rpartition("/")[2]
    region = _region(context, table)
    for key in _of_table(region, table):
        is_meant = operation == _DELETE or key[3] == request.get("StreamArn")
        # One that was enabled before goes on when it is enabled a second time, which is refused.
        if is_meant and not (operation == _ENABLE and _is_enabled(region, table, key[3])):
            _stop(key, operation)
    if operation == _DELETE:
        _destinations(region).pop(table, None)


def _stop(key: tuple[str, str, str, str], operation: str) -> None:
    with _lock:
        one = _running.pop(key, None)
    if one is not None:
        left = one.catch_up() if operation == _DISABLE else _left.pop(key, {})
        one.stop(operation, left)


def _destinations(region: Region) -> Any:
    """What LocalStack has of each table's destinations."""
    from localstack.services.dynamodb.models import dynamodb_stores

    return dynamodb_stores[region.account][region.name].streaming_destinations


def _is_enabled(region: Region, table: str, arn: str) -> bool:
    return any(
        one["StreamArn"] == arn and one["DestinationStatus"] == "ACTIVE"
        for one in _destinations(region).get(table) or []
    )


def install() -> None:
    """Follow from the first call on. Idempotent."""
    if before not in serve_custom_service_request_handlers.handlers:
        serve_custom_service_request_handlers.append(before)
        run_custom_response_handlers.append(after)
