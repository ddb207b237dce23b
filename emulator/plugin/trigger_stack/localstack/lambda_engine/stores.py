"""Puts the engine's log events and metrics into LocalStack's own stores.

What: moto's CloudWatch Logs backend is called in this process; so is LocalStack's CloudWatch.
Why: a request over HTTP to ourselves for each batch takes longer than all the rest.
Until: LocalStack's internal clients call a provider without HTTP.
Test: ``tests/engine/test_logs.py`` reads what is stored through the API.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from datetime import UTC, datetime
from typing import Any

from localstack.services.plugins import SERVICE_PLUGINS

from trigger_stack.localstack.cloudwatch import put_metrics
from trigger_stack_engine.wire import Header

LOG = logging.getLogger(__name__)

#: Of one log group; a tenth more are taken before the oldest are removed.
_MOST_EVENTS = 100_000


class LogStore:
    """Writes to CloudWatch Logs; makes groups and streams when they are not there.

    Args:
        most_events: How many events a log group keeps; the oldest are removed.
    """

    def __init__(self, most_events: int | None = None) -> None:
        self._most = most_events or int(os.environ.get("LOG_EVENTS_MAX") or _MOST_EVENTS)
        self._kept: Counter[tuple[str, str, str]] = Counter()
        self._bounded: set[tuple[str, str, str]] = set()

    def put(self, where: Header, events: list[tuple[int, str]]) -> None:
        """Store the events of one stream.

        Args:
            where: ``account``, ``region``, ``group`` and ``stream``.
            events: Unix time in milliseconds, and message.
        """
        from localstack.services.logs.provider import get_moto_logs_backend

        SERVICE_PLUGINS.require("logs")
        account, region = where["account"], where["region"]
        group, stream = where["group"], where["stream"]
        backend = get_moto_logs_backend(account, region)
        if group not in backend.groups:
            backend.create_log_group(group, {})
        backend.ensure_log_stream(group, stream)
        entries: list[Any] = [{"timestamp": at, "message": text} for at, text in events]
        backend.put_log_events(group, stream, entries)  # our provider runs filters in it
        made = backend.groups.get(group)
        if made is not None:  # else it was deleted meanwhile: a failure would send all again
            self._bound((account, region, group), made, len(entries))

    def _bound(self, key: tuple[str, str, str], group: Any, added: int) -> None:
        """Remove a group's oldest events when it has too many: they are kept in memory."""
        self._kept[key] += added
        if self._kept[key] <= self._most * 1.1:
            return
        streams = [stream for stream in group.streams.values() if stream.events]
        surplus = sum(len(stream.events) for stream in streams) - self._most
        for stream in sorted(streams, key=lambda one: one.events[0].timestamp):
            if surplus <= 0:
                break
            cut = min(surplus, len(stream.events))
            del stream.events[:cut]
            surplus -= cut
        if key not in self._bounded:
            self._bounded.add(key)
            LOG.warning(
                "The log group %s has more than %d events: its oldest are removed (LOG_EVENTS_MAX)",
                group.name,
                self._most,
            )
        self._kept[key] = self._most


def add_metrics(counts: list[list[Any]]) -> None:
    """Add to the metrics of functions (CloudWatch API Reference, "PutMetricData").

    Args:
        counts: Account, region, function name, metric name and number.
    """
    now = datetime.now(UTC)
    by_place: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for account, region, function, metric, number in counts:
        by_place.setdefault((account, region), []).append(
            {
                "MetricName": metric,
                "Dimensions": [{"Name": "FunctionName", "Value": function}],
                "Timestamp": now,
                "Unit": "Count",
                # As many samples of 1 as there were: SampleCount and Sum stay right.
                "Values": [1.0],
                "Counts": [float(number)],
            }
        )
    for (account, region), data in by_place.items():
        put_metrics(account, region, "AWS/Lambda", data)
