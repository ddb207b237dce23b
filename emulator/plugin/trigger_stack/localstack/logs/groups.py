"""Lists of log groups that cost what they list, and come in pages.

What: a mix-in for LocalStack's provider: ``DescribeLogGroups``, ``ListLogGroups`` and
``TagResource``.
Why: LocalStack copies every log event of the account for each list (``DescribeLogGroups`` twice),
under the lock that everything else waits for: with 100 000 events that takes seconds. It returns
all groups at once, knows neither ``limit`` nor ``nextToken``, counts no metric filters, and loses
the tags of a group that had none.
Until: LocalStack's open release lists log groups without their events, in pages.
Test: ``tests/unit/plugin/test_log_groups.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from localstack.aws.api import RequestContext, handler
from localstack.aws.api.logs import (
    DescribeLogGroupsRequest,
    DescribeLogGroupsResponse,
    InvalidParameterException,
    ListLogGroupsRequest,
    ListLogGroupsResponse,
    LogGroupClass,
    LogGroupSummary,
)
from localstack.services.logs.models import get_moto_logs_backend, logs_stores
from localstack.services.logs.provider import LogsProvider

_MOST_DESCRIBED = 50
_MOST_LISTED = 1000


class LogGroups(LogsProvider):
    """LocalStack's provider, with lists of log groups of ours.

    AWS topics: CloudWatch Logs API Reference, "DescribeLogGroups", "ListLogGroups".
    """

    @handler("DescribeLogGroups", expand=False)
    def describe_log_groups(  # type: ignore[override]  # the request whole, as LocalStack has it
        self, context: RequestContext, request: DescribeLogGroupsRequest
    ) -> DescribeLogGroupsResponse:
        """Log groups by their names: a page of them."""
        prefix, pattern = request.get("logGroupNamePrefix"), request.get("logGroupNamePattern")
        if prefix and pattern:
            raise InvalidParameterException(
                "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters."
            )
        identifiers = {one.rpartition(":")[2] for one in request.get("logGroupIdentifiers") or []}

        def wanted(name: str) -> bool:
            return (
                name.startswith(prefix or "")
                and (pattern or "") in name
                and (not identifiers or name in identifiers)
            )

        backend = get_moto_logs_backend(context.account_id, context.region)
        page, token = _page(
            backend.groups, wanted, _limit(request, _MOST_DESCRIBED), request.get("nextToken")
        )
        filters: dict[str, int] = {}
        for one in backend.filters.metric_filters:
            filters[one["logGroupName"]] = filters.get(one["logGroupName"], 0) + 1
        found: Any = [_described(group, filters.get(group.name, 0)) for group in page]
        answer = DescribeLogGroupsResponse(logGroups=found)
        if token:
            answer["nextToken"] = token
        return answer

    @handler("ListLogGroups", expand=False)
    def list_log_groups(  # type: ignore[override]  # the request whole, as LocalStack has it
        self, context: RequestContext, request: ListLogGroupsRequest
    ) -> ListLogGroupsResponse:
        """Names and ARNs of log groups: a page of them."""
        pattern = request.get("logGroupNamePattern") or ""
        groups = get_moto_logs_backend(context.account_id, context.region).groups
        page, token = _page(
            groups,
            lambda name: pattern in name,
            _limit(request, _MOST_LISTED),
            request.get("nextToken"),
        )
        answer = ListLogGroupsResponse(
            logGroups=[
                LogGroupSummary(
                    logGroupName=group.name,
                    logGroupArn=group.arn,
                    logGroupClass=LogGroupClass.STANDARD,
                )
                for group in page
            ]
        )
        if token:
            answer["nextToken"] = token
        return answer

    def tag_resource(
        self, context: RequestContext, resource_arn: str, tags: dict[str, str], **kwargs: Any
    ) -> None:
        """Add tags to a log group."""
        self._check_resource_arn_tagging(resource_arn)
        store = logs_stores[context.account_id][context.region]
        store.TAGS.setdefault(resource_arn, {}).update(tags or {})


def _limit(request: Any, most: int) -> int:
    """How many to list; as many as a page may have by default.

    Raises:
        InvalidParameterException: ``limit`` is out of its bounds.
    """
    limit = request.get("limit")
    if limit is None:
        return most
    if not 1 <= limit <= most:
        bound = "greater than or equal to 1" if limit < 1 else f"less than or equal to {most}"
        raise InvalidParameterException(
            f"1 validation error detected: Value '{limit}' at 'limit' failed to satisfy constraint:"
            f" Member must have value {bound}"
        )
    return int(limit)


def _page(
    groups: dict[str, Any], wanted: Callable[[str], bool], limit: int, token: str | None
) -> tuple[Sequence[Any], str | None]:
    """A page of log groups by their names, and what asks for the next one.

    Args:
        groups: All of them by name; other threads change it.
        token: The last name of the page before.
    """
    names = sorted(name for name in list(groups) if wanted(name) and name > (token or ""))
    found = [group for name in names[:limit] if (group := groups.get(name)) is not None]
    return found, names[limit - 1] if len(names) > limit else None


def _described(group: Any, metric_filters: int) -> dict[str, Any]:
    described = {
        "arn": f"{group.arn}:*",
        "logGroupArn": group.arn,
        "logGroupName": group.name,
        "logGroupClass": LogGroupClass.STANDARD,
        "creationTime": group.creation_time,
        "metricFilterCount": metric_filters,
        "storedBytes": sum(stream.stored_bytes for stream in list(group.streams.values())),
    }
    if group.retention_in_days:
        described["retentionInDays"] = group.retention_in_days
    if group.kms_key_id:
        described["kmsKeyId"] = group.kms_key_id
    return described
