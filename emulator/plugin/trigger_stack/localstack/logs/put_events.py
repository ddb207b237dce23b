"""``PutLogEvents`` as CloudWatch Logs does it: the quotas of a batch, and what it leaves out.

What: the operation, for LocalStack's provider (``metric_filters.py``); moto's log group stores.
Why: moto takes more than 10 000 events, more than a megabyte, an empty message, events that are
days apart, and events from before the retention of their group. It names the last event that is
too old where AWS names the end, and the last one that is too new where AWS names the first.
Until: moto does as AWS.
Test: ``tests/unit/delivery/test_log_batches.py``, ``tests/delivery/test_put_log_events.py``;
``tests/unit/plugin/test_put_log_events_patch.py`` fails when moto does it.
"""

from __future__ import annotations

import time
from typing import Any

from localstack.aws.api import RequestContext
from localstack.aws.api.logs import (
    InvalidParameterException,
    PutLogEventsResponse,
    RejectedLogEventsInfo,
    ResourceNotFoundException,
)
from localstack.services.logs.models import get_moto_logs_backend

from trigger_stack.delivery.logs.batches import (
    sort_out,
    spans_too_long,
    why_malformed,
    why_refused,
)


def put_events(context: RequestContext) -> PutLogEventsResponse:
    """Store the events of a request, and say which of them are not stored.

    Raises:
        InvalidParameterException: The batch is refused as a whole.
        ResourceNotFoundException: There is no such log group or log stream.
    """
    request: Any = context.service_request
    events = request.get("logEvents") or []
    _refuse(why_malformed(events))
    group = _group(context, request)
    _refuse(why_refused(events))
    retention = getattr(group, "retention_in_days", None)
    found = sort_out(events, int(time.time() * 1000), int(retention) if retention else None)
    _refuse(spans_too_long(found.valid))
    answer = PutLogEventsResponse()
    if found.valid:
        stored = group.put_log_events(request["logStreamName"], found.valid)
        answer["nextSequenceToken"] = stored
    if found.rejected:
        answer["rejectedLogEventsInfo"] = RejectedLogEventsInfo(**found.rejected)  # type: ignore[typeddict-item]  # its members
    return answer


def _refuse(problem: str | None) -> None:
    if problem:
        raise InvalidParameterException(problem)


def _group(context: RequestContext, request: Any) -> Any:
    groups = get_moto_logs_backend(context.account_id, context.region).groups
    group = groups.get(request.get("logGroupName"))
    if group is None:
        raise ResourceNotFoundException("The specified log group does not exist.")
    if request.get("logStreamName") not in group.streams:
        raise ResourceNotFoundException("The specified log stream does not exist.")
    return group
