"""Metric filters of a log group count the events of that group, with the values of their fields.

What: a mix-in for LocalStack's provider: ``PutMetricFilter``, ``DeleteMetricFilter``,
``DeleteLogGroup``, and ``PutLogEvents`` without LocalStack's metric filters (``put_events.py``); a
thread that puts the values into LocalStack's CloudWatch once a second;
``_restore_dimensions_from_string`` of its database.
Why: LocalStack counts the events of every log group of the account for each filter. It counts 1
where a filter names a field of the event, drops dimensions, unit and default value, and asks
CloudWatch over HTTP for each event. It adds a filter that is put a second time, so that events
count twice, and keeps the filters of a log group that was deleted. ``ListMetrics`` fails for all
metrics when a dimension, which a filter takes from a log line, has an equals sign.
Until: LocalStack's open release compares ``logGroupName`` and reads ``metricValue``.
Test: ``tests/delivery/test_log_metrics.py``, ``tests/unit/plugin/test_log_patches.py``.
"""

from __future__ import annotations

import functools
import logging
import re
import threading
import time
from collections.abc import Iterable
from typing import Any

from localstack.aws.api import RequestContext
from localstack.aws.api.logs import (
    InvalidParameterException,
    LimitExceededException,
    MetricTransformation,
    PutLogEventsResponse,
    ResourceNotFoundException,
)
from localstack.services.cloudwatch.cloudwatch_database_helper import CloudwatchDatabase
from localstack.services.logs.models import get_moto_logs_backend
from localstack.services.logs.provider import LogsProvider
from localstack.services.moto import call_moto
from localstack.utils.bootstrap import is_api_enabled

from trigger_stack.delivery.logs.filter_pattern import PatternError, compiled
from trigger_stack.delivery.logs.metric_filters import (
    Collector,
    LogGroup,
    TransformationError,
    check,
)
from trigger_stack.localstack.cloudwatch import put_metrics
from trigger_stack.localstack.logs.put_events import put_events

LOG = logging.getLogger(__name__)
_NAME = re.compile(r"[^:*]{1,512}")
_MOST_FILTERS = 100
_STORE_EVERY_S = 1.0
#: How long a minute's last events may be on their way: a function's lines come in batches.
_LATE_S = 5.0
_filters_change = threading.Lock()


class MetricFilters(LogsProvider):
    """LocalStack's provider, with metric filters of ours.

    AWS topics: CloudWatch Logs API Reference, "PutMetricFilter", "MetricTransformation".
    """

    def put_log_events(
        self, context: RequestContext, *args: Any, **kwargs: Any
    ) -> PutLogEventsResponse:
        """Store events; filters run where they are stored."""
        return put_events(context)

    def put_metric_filter(
        self,
        context: RequestContext,
        log_group_name: str,
        filter_name: str,
        filter_pattern: str,
        metric_transformations: list[MetricTransformation],
        apply_on_transformed_logs: bool | None = None,
        field_selection_criteria: str | None = None,
        emit_system_field_dimensions: list[str] | None = None,
        **kwargs: Any,
    ) -> None:
        """Make a filter, or replace the one of this name."""
        backend = get_moto_logs_backend(context.account_id, context.region)
        if log_group_name not in backend.groups:
            raise ResourceNotFoundException("The specified log group does not exist.")
        for member, value in (
            ("applyOnTransformedLogs", apply_on_transformed_logs),
            ("fieldSelectionCriteria", field_selection_criteria),
            ("emitSystemFieldDimensions", emit_system_field_dimensions),
        ):
            if value:
                raise InvalidParameterException(f"{member} is not part of this stack.")
        _check(filter_name, filter_pattern, metric_transformations)
        made: dict[str, Any] = {
            "filterName": filter_name,
            "filterPattern": filter_pattern,
            "logGroupName": log_group_name,
            "metricTransformations": metric_transformations,
            "creationTime": int(time.time() * 1000),
        }
        with _filters_change:
            filters = backend.filters.metric_filters
            rest = [one for one in filters if not _is(one, log_group_name, filter_name)]
            of_group = sum(one["logGroupName"] == log_group_name for one in rest)
            if of_group >= _MOST_FILTERS:
                raise LimitExceededException("Resource limit exceeded.")
            backend.filters.metric_filters = sorted(
                [*rest, made], key=lambda one: str(one["filterName"])
            )
        _worker().forget(context.account_id, context.region, log_group_name, filter_name)

    def delete_metric_filter(
        self, context: RequestContext, log_group_name: str, filter_name: str, **kwargs: Any
    ) -> None:
        """Delete a filter; the values that it gave stay."""
        backend = get_moto_logs_backend(context.account_id, context.region)
        if log_group_name not in backend.groups:
            raise ResourceNotFoundException("The specified log group does not exist.")
        with _filters_change:
            filters = backend.filters.metric_filters
            rest = [one for one in filters if not _is(one, log_group_name, filter_name)]
            if len(rest) == len(filters):
                raise ResourceNotFoundException("The specified metric filter does not exist.")
            backend.filters.metric_filters = rest
        _worker().forget(context.account_id, context.region, log_group_name, filter_name)

    def delete_log_group(self, context: RequestContext, log_group_name: str, **kwargs: Any) -> None:
        """Delete a log group, and its metric filters."""
        call_moto(context)
        backend = get_moto_logs_backend(context.account_id, context.region)
        with _filters_change:
            backend.filters.metric_filters = [
                one
                for one in backend.filters.metric_filters
                if one["logGroupName"] != log_group_name
            ]
        _worker().forget(context.account_id, context.region, log_group_name)


def _is(one: dict[str, Any], group: str, name: str) -> bool:
    return bool(one["logGroupName"] == group and one["filterName"] == name)


def _check(name: Any, pattern: Any, transformations: Any) -> None:
    """Whether a filter can be made; LocalStack's parser takes anything.

    Raises:
        InvalidParameterException: It cannot.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidParameterException(
            f"1 validation error detected: Value '{name}' at 'filterName' failed to satisfy"
            " constraint: Member must satisfy regular expression: [^:*]*"
        )
    if not isinstance(transformations, list) or len(transformations) != 1:
        raise InvalidParameterException(
            f"1 validation error detected: Value '{transformations}' at 'metricTransformations'"
            " failed to satisfy constraint: Member must have length equal to 1"
        )
    try:
        compiled(pattern)
        check(pattern, transformations[0])
    except PatternError as error:
        raise InvalidParameterException(f"Invalid filter pattern: {error}.") from None
    except TransformationError as error:
        raise InvalidParameterException(str(error)) from None


class Worker:
    """Stores the values of log events once a second, and default values when a minute is over."""

    def __init__(self) -> None:
        self._collector = Collector()
        self._added = threading.Event()
        self._start = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(
        self, group: LogGroup, filters: list[dict[str, Any]], events: list[tuple[int, str]]
    ) -> None:
        """Take the values of events."""
        self._collector.add(group, filters, events)
        if self._collector.is_empty:
            return
        self._added.set()
        with self._start:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="metrics-of-logs", daemon=True
                )
                self._thread.start()

    def forget(self, account: str, region: str, group: str, name: str | None = None) -> None:
        """Give no more default values for a filter, or for all of a log group."""
        self._collector.forget(LogGroup(account, region, group), name)

    def _run(self) -> None:
        while True:
            self._added.wait()
            self._added.clear()
            while not self._collector.is_empty:
                time.sleep(_STORE_EVERY_S)
                self.flush()

    def flush(self) -> None:
        """Store what can be stored now."""
        for one in self._collector.take(time.time() - _LATE_S):
            try:
                put_metrics(one.account, one.region, one.namespace, one.data)
            except Exception as error:  # metrics must not end the thread that stores them
                LOG.warning("metrics of %s were not stored: %s", one.namespace, error)


@functools.cache
def _worker() -> Worker:
    """The emulator's one worker."""
    return Worker()


def observe(account: str, region: str, group: str, events: Iterable[Any]) -> None:
    """Hand events of a log group to its metric filters.

    It does not fail: the events are stored already, and who wrote them would write them again.

    Args:
        events: moto's, as they were stored.
    """
    every = get_moto_logs_backend(account, region).filters.metric_filters
    filters = [one for one in every if one["logGroupName"] == group]
    if filters and is_api_enabled("cloudwatch"):
        taken = [(int(one.timestamp), one.message) for one in events]
        try:
            _worker().add(LogGroup(account, region, group), filters, taken)
        except Exception:  # a filter of a state that was saved before filters were checked
            LOG.warning("the metric filters of %s did not see all events", group, exc_info=True)


def restored_dimensions(database: Any, text: str | None) -> list[dict[str, str]] | None:
    """Names and values of the dimensions of a metric, as LocalStack's database has them."""
    if not text:
        return None
    parts = (one.partition("=") for one in text.split("\t") if one)
    return [{"Name": name, "Value": value} for name, _, value in parts]


def install() -> None:
    """Patch LocalStack's CloudWatch. Idempotent."""
    patched: Any = CloudwatchDatabase
    patched._restore_dimensions_from_string = restored_dimensions
