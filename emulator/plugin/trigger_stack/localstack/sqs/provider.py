"""LocalStack's Amazon SQS with its metrics in batches, and its messages in the journal.

What: a provider ``sqs:batched_metrics`` (LocalStack's extension point ``localstack.aws.provider``),
the default: its own provider with another ``CloudwatchDispatcher`` and ``sqs/journal.py``; and
``SQS_ENABLE_MESSAGE_RETENTION_PERIOD`` is on.
Why: LocalStack sends one request over HTTP to itself for each message that is sent, received or
deleted; that was most of the cost of a message. It keeps messages longer than their queue's
``MessageRetentionPeriod``, unless a setting says otherwise: on AWS they are gone.
Until: LocalStack puts these metrics into its store in batches.
Test: ``tests/unit/plugin/test_sqs_patches.py::test_localstack_still_sends_each_metric_alone``.
"""

from __future__ import annotations

import os
from typing import Any

from localstack import config
from localstack.runtime.hooks import on_infra_start
from localstack.services.plugins import Service, aws_provider

from trigger_stack.localstack.cloudwatch import BatchedMetrics

_RETENTION = "SQS_ENABLE_MESSAGE_RETENTION_PERIOD"


@on_infra_start(priority=800)
def choose_batched_metrics() -> None:
    """Use this provider, and have messages expire, unless a setting says something else."""
    config.SERVICE_PROVIDER_CONFIG.set_provider_if_not_exists("sqs", "batched_metrics")
    if _RETENTION not in os.environ:
        setattr(config, _RETENTION, True)


@aws_provider(api="sqs", name="batched_metrics")
def sqs() -> Service:
    """LocalStack's provider with its metrics in batches and its messages in the journal."""
    from localstack.services.sqs import provider

    from trigger_stack.localstack.sqs.journal import JournaledProvider, install

    class Dispatcher(provider.CloudwatchDispatcher):
        """Collects what LocalStack would send one by one."""

        def __init__(self, num_thread: int = 0) -> None:
            self.metrics = BatchedMetrics("AWS/SQS", "QueueName")

        def shutdown(self) -> None:
            """Store what was collected."""
            self.metrics.close()

        def dispatch_sqs_metric(
            self,
            account_id: str,
            region: str,
            queue_name: str,
            metric: str,
            value: float = 1,
            unit: str = "Count",
        ) -> None:
            """Count one value."""
            self.metrics.add(account_id, region, queue_name, metric, value, unit)

    patched: Any = provider
    patched.CloudwatchDispatcher = Dispatcher
    install()
    return Service.for_provider(JournaledProvider())
