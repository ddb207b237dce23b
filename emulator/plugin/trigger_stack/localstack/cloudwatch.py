"""Puts metrics into LocalStack's CloudWatch, in batches.

What: LocalStack's CloudWatch provider is called in this process.
Why: a request over HTTP to ourselves for each metric takes longer than what is measured.
Until: LocalStack's internal clients call a provider without HTTP.
Test: ``tests/unit/plugin/test_sqs_patches.py``, ``tests/engine/test_logs.py``.
"""

from __future__ import annotations

import itertools
import logging
import threading
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from localstack.aws.api import RequestContext
from localstack.http import Request
from localstack.services.plugins import SERVICE_PLUGINS

LOG = logging.getLogger(__name__)
_MOST_OF_A_REQUEST = 1000
_MOST_VALUES = 150
_STORE_EVERY_S = 1.0


def put_metrics(account: str, region: str, namespace: str, data: Iterable[dict[str, Any]]) -> None:
    """Store metrics (CloudWatch API Reference, "PutMetricData")."""
    provider = SERVICE_PLUGINS.require("cloudwatch")._provider
    context = RequestContext(Request())
    context.account_id, context.region = account, region
    for batch in itertools.batched(data, _MOST_OF_A_REQUEST):
        provider.put_metric_data(context, namespace=namespace, metric_data=list(batch))


type Place = tuple[str, str]
type Series = tuple[str, str, str]


class BatchedMetrics:
    """Collects values and stores them once a second.

    Args:
        namespace: For example ``AWS/SQS``.
        dimension: Name of the one dimension, for example ``QueueName``.
    """

    def __init__(self, namespace: str, dimension: str) -> None:
        self._namespace = namespace
        self._dimension = dimension
        self._values: dict[Place, dict[Series, Counter[float]]] = {}
        self._changed = threading.Condition()
        self._closed = False
        self._thread: threading.Thread | None = None

    def add(
        self, account: str, region: str, name: str, metric: str, value: float, unit: str
    ) -> None:
        """Count one value of a metric."""
        with self._changed:
            is_first = not self._values  # the thread that stores them waits for it alone
            series = self._values.setdefault((account, region), {})
            series.setdefault((name, metric, unit), Counter())[value] += 1
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(
                    target=self._run, name=f"metrics-{self._namespace}", daemon=True
                )
                self._thread.start()
            if is_first:
                self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._values or self._closed)
                if self._changed.wait_for(lambda: self._closed, _STORE_EVERY_S):
                    return
            self.flush()

    def flush(self) -> None:
        """Store what was collected."""
        with self._changed:
            values, self._values = self._values, {}
        now = datetime.now(UTC)
        for (account, region), series in values.items():
            data = [
                {
                    "MetricName": metric,
                    "Dimensions": [{"Name": self._dimension, "Value": name}],
                    "Timestamp": now,
                    "Unit": unit,
                    "Values": [float(value) for value, _ in some],
                    "Counts": [float(count) for _, count in some],
                }
                for (name, metric, unit), counts in series.items()
                for some in itertools.batched(counts.items(), _MOST_VALUES)
            ]
            try:
                put_metrics(account, region, self._namespace, data)
            except Exception as error:  # metrics must not end what they measure
                LOG.warning("metrics of %s were not stored: %s", self._namespace, error)

    def close(self) -> None:
        """Store what was collected, and stop."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self.flush()
