"""CloudWatch Logs whose filter patterns match and whose subscription filters deliver.

What: a subclass of LocalStack's provider for the operations on subscription filters, and
``TestMetricFilter``; ``get_pattern_matcher`` of LocalStack's module, which it means to be replaced;
``LogStream.put_log_events``, which hands events to subscription and metric filters, and
``LogGroup.describe_subscription_filters`` of moto.
Why: LocalStack's open release takes every event for a match, of each pattern. It invokes the
function synchronously, over HTTP, while it stores the events: a slow function delays the writer,
and one that cannot be invoked makes ``PutLogEvents`` fail. It forwards to a second filter what the
first one lets through, changes no filter of a log group that has two, and asks no policy. It makes
no log stream any longer in a group that has a filter: it answers ``CreateLogStream`` with 500.
Until: LocalStack's open release matches patterns and delivers asynchronously.
Test: ``tests/unit/plugin/test_log_patches.py``.
"""

from __future__ import annotations

import functools
import re
import time
from typing import Any

from localstack.aws.api import RequestContext
from localstack.aws.api.logs import (
    DescribeSubscriptionFiltersResponse,
    InvalidParameterException,
    LimitExceededException,
    MetricFilterMatchRecord,
    ResourceNotFoundException,
    TestMetricFilterResponse,
)
from localstack.services.logs import provider
from localstack.services.logs.models import get_moto_logs_backend
from moto.core.utils import unix_time_millis
from moto.logs.models import LogEvent, LogGroup, LogStream, SubscriptionFilter

from trigger_stack.delivery.logs.filter_pattern import PatternError, compiled, extracted
from trigger_stack.delivery.logs.subscriptions import (
    Forwarder,
    RefusedError,
    Source,
    Subscription,
    control_message,
    event_id,
)
from trigger_stack.localstack.lambda_engine.outcomes import record
from trigger_stack.localstack.logs import destinations, metric_filters
from trigger_stack.localstack.logs.groups import LogGroups
from trigger_stack.localstack.logs.resource_policies import ResourcePolicies
from trigger_stack.localstack.unsupported_services import refusal

_NAME = re.compile(r"[^:*]{1,512}")
_MOST_FILTERS = 2
_MOST_PAGE = 50


@functools.cache
def forwarder() -> Forwarder:
    """The emulator's one forwarder."""
    return Forwarder(destinations.send, record)


class SubscribedProvider(metric_filters.MetricFilters, ResourcePolicies, LogGroups):
    """LocalStack's provider, with subscription filters of ours."""

    def put_subscription_filter(
        self,
        context: RequestContext,
        log_group_name: str,
        filter_name: str,
        filter_pattern: str,
        destination_arn: str,
        role_arn: str | None = None,
        distribution: str | None = None,
        apply_on_transformed_logs: bool | None = None,
        field_selection_criteria: str | None = None,
        emit_system_fields: list[str] | None = None,
        **kwargs: Any,
    ) -> None:
        """Make or change a filter, whose destination is tried first."""
        group = _group(context, log_group_name)
        texts: dict[str, object] = {
            "filterName": filter_name,
            "filterPattern": filter_pattern,
            "destinationArn": destination_arn,
        }
        for member, text in texts.items():  # LocalStack's parser takes anything
            if not isinstance(text, str):
                raise _violation(text, member, "be text")
        if not _NAME.fullmatch(filter_name):
            raise _violation(filter_name, "filterName", "satisfy regular expression: [^:*]*")
        _check_pattern(filter_pattern)
        for name, value in (
            ("applyOnTransformedLogs", apply_on_transformed_logs),
            ("fieldSelectionCriteria", field_selection_criteria),
            ("emitSystemFields", emit_system_fields),
        ):
            if value:
                raise InvalidParameterException(f"{name} is not part of this stack.")
        if distribution not in (None, "ByLogStream", "Random"):
            allowed = "satisfy enum value set: [Random, ByLogStream]"
            raise _violation(distribution, "distribution", allowed)
        source = Source(context.account_id, context.region, log_group_name, "")
        _check_destination(destination_arn, role_arn, source.group_arn)
        known = group.subscription_filters
        if filter_name not in known and len(known) >= _MOST_FILTERS:
            raise LimitExceededException("Resource limit exceeded.")
        if ":kinesis:" in destination_arn:
            now = int(time.time() * 1000)
            destinations.put_record(destination_arn, control_message(now), "CONTROL_MESSAGE")
        made = SubscriptionFilter(
            name=filter_name,
            log_group_name=log_group_name,
            filter_pattern=filter_pattern,
            destination_arn=destination_arn,
            role_arn=role_arn or "",
        )
        if filter_name in known:
            made.creation_time = known[filter_name].creation_time
        made.distribution = distribution or "ByLogStream"  # type: ignore[attr-defined]  # moto has a constant
        known[filter_name] = made

    def describe_subscription_filters(
        self,
        context: RequestContext,
        log_group_name: str,
        filter_name_prefix: str | None = None,
        next_token: str | None = None,
        limit: int | None = None,
        **kwargs: Any,
    ) -> DescribeSubscriptionFiltersResponse:
        """The filters of a log group, by their names, a page of them."""
        group = _group(context, log_group_name)
        most = limit or _MOST_PAGE
        names = [
            name
            for name in sorted(group.subscription_filters)
            if name.startswith(filter_name_prefix or "") and name > (next_token or "")
        ]
        found: Any = [_described(group.subscription_filters[name]) for name in names[:most]]
        answer = DescribeSubscriptionFiltersResponse(subscriptionFilters=found)
        if len(names) > most:
            answer["nextToken"] = names[most - 1]
        return answer

    def delete_subscription_filter(
        self, context: RequestContext, log_group_name: str, filter_name: str, **kwargs: Any
    ) -> None:
        """Delete a filter; what it has let through already is delivered."""
        group = _group(context, log_group_name)
        if group.subscription_filters.pop(filter_name, None) is None:
            raise ResourceNotFoundException("The specified subscription filter does not exist.")

    def test_metric_filter(
        self,
        context: RequestContext,
        filter_pattern: str,
        log_event_messages: list[str],
        **kwargs: Any,
    ) -> TestMetricFilterResponse:
        """Which of some messages match a pattern, and the fields of space-delimited ones."""
        _check_pattern(filter_pattern)
        found = [
            MetricFilterMatchRecord(
                eventNumber=number, eventMessage=message, extractedValues=values
            )
            for number, message in enumerate(log_event_messages, 1)
            if (values := extracted(filter_pattern, message)) is not None
        ]
        return TestMetricFilterResponse(matches=found)


def _group(context: RequestContext, name: str) -> Any:
    group = get_moto_logs_backend(context.account_id, context.region).groups.get(name)
    if group is None:
        raise ResourceNotFoundException("The specified log group does not exist.")
    return group


def _violation(value: Any, member: str, constraint: str) -> InvalidParameterException:
    return InvalidParameterException(
        f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint:"
        f" Member must {constraint}"
    )


def _check_pattern(pattern: str) -> None:
    try:
        compiled(pattern)
    except PatternError as error:
        raise InvalidParameterException(f"Invalid filter pattern: {error}.") from None


def _check_destination(arn: str, role: str | None, group_arn: str) -> None:
    parts = arn.split(":")
    service = parts[2] if len(parts) > 5 else ""
    if service not in ("lambda", "kinesis"):
        why = refusal(service) if service == "firehose" else None
        raise InvalidParameterException(
            why
            or f"Destinations of {service or arn} are not part of this stack. Destinations"
            " here: kinesis, lambda."
        )
    if service == "lambda" and role:
        raise InvalidParameterException(
            "destinationArn for vendor lambda cannot be used with roleArn"
        )
    if service == "kinesis" and not role:
        raise InvalidParameterException(
            "destinationArn for vendor kinesis cannot be used without roleArn"
        )
    try:
        destinations.check(arn, group_arn)
    except RefusedError as error:
        raise InvalidParameterException(str(error)) from None


def _described(one: Any) -> dict[str, Any]:
    shown = {
        "filterName": one.name,
        "logGroupName": one.log_group_name,
        "filterPattern": one.filter_pattern,
        "destinationArn": one.destination_arn,
        "distribution": getattr(one, "distribution", "ByLogStream"),
        "creationTime": int(one.creation_time),
    }
    return {**shown, "roleArn": one.role_arn} if one.role_arn else shown


def put_log_events(stream: Any, log_events: list[dict[str, Any]]) -> str:
    """Store events of a stream, and hand them to the filters of its group."""
    stream.last_ingestion_time = int(unix_time_millis())
    stream.stored_bytes += sum(len(event["message"]) for event in log_events)
    events = [LogEvent(stream.last_ingestion_time, event) for event in log_events]
    stream.events += events
    stream.upload_sequence_token += 1
    if filters := list(stream.log_group.subscription_filters.values()):
        group = stream.log_group
        source = Source(stream.account_id, stream.region, group.name, stream.log_stream_name)
        subscriptions = [
            Subscription(
                one.name,
                one.filter_pattern or "",
                one.destination_arn,
                random=getattr(one, "distribution", "") == "Random",
            )
            for one in filters
        ]
        shown = [
            {"id": event_id(one.event_id), "timestamp": one.timestamp, "message": one.message}
            for one in events
        ]
        forwarder().forward(source, subscriptions, shown)
    metric_filters.observe(stream.account_id, stream.region, stream.log_group.name, events)
    return f"{stream.upload_sequence_token:056d}"


def get_pattern_matcher(pattern: str) -> Any:
    """What says whether an event matches: ``(pattern, event)``.

    Raises:
        InvalidParameterException: It is no filter pattern.
    """
    _check_pattern(pattern)
    matches = compiled(pattern)
    return lambda _, event: matches(
        event["message"] if isinstance(event, dict) else str(event.message)
    )


def install() -> None:
    """Patch LocalStack and moto. Idempotent."""
    patched: Any = provider
    patched.get_pattern_matcher = get_pattern_matcher
    metric_filters.install()
    LogStream.put_log_events = put_log_events  # type: ignore[method-assign, assignment]  # the patch
    # Only LocalStack's patch of CreateLogStream asks it, for what put_log_events no longer uses.
    LogGroup.describe_subscription_filters = _no_filters  # type: ignore[method-assign, assignment]  # the patch


def _no_filters(group: LogGroup) -> list[Any]:
    return []
