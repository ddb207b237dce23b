"""The patches of LocalStack's Amazon SQS and its event source mappings are still needed."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from localstack.services.lambda_.event_source_mapping.esm_worker import EsmWorker
from localstack.services.lambda_.event_source_mapping.pollers.poller import (
    EmptyPollResultsException,
)
from localstack.services.sqs import provider

from trigger_stack.localstack import cloudwatch
from trigger_stack.localstack.cloudwatch import BatchedMetrics

type Stored = list[tuple[str, str, str, list[Any]]]


def test_localstack_still_polls_at_intervals() -> None:
    """When this fails, LocalStack waits for messages: see what the mappings still add.

    Its loop pauses after an empty queue, and a message waits as long.
    """
    pauses: list[float] = []

    class Stopped(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            pauses.append(timeout or 0)
            if len(pauses) == 3:
                self.set()
            return False

    class EmptyQueue:
        def poll_events(self) -> None:
            raise EmptyPollResultsException("sqs", "arn")

        def close(self) -> None:
            """Nothing to close."""

    worker = object.__new__(EsmWorker)
    worker.__dict__.update(
        _state_lock=threading.RLock(),
        _shutdown_event=Stopped(),
        _graceful_shutdown_triggered=True,
        enabled=True,
        user_state_reason=None,
        poller=EmptyQueue(),
        esm_config={"UUID": "1"},
        update_esm_state_in_store=lambda state: None,
    )
    EsmWorker.poller_loop(worker)

    assert len(pauses) == 3
    assert min(pauses) > 0.1


def test_localstack_still_sends_each_metric_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """When this fails, LocalStack sends metrics of queues in batches: the provider may go."""
    sent: list[str] = []
    done = threading.Event()

    def publish(*, metric: str, **_: Any) -> None:
        sent.append(metric)
        if len(sent) == 20:
            done.set()

    monkeypatch.setattr(provider, "publish_sqs_metric", publish)
    assert provider.CloudwatchDispatcher.__module__ == provider.__name__, "it is patched here"
    dispatcher = provider.CloudwatchDispatcher()
    for _ in range(20):
        dispatcher.dispatch_sqs_metric("0", "us-east-1", "q", "NumberOfMessagesDeleted")

    assert done.wait(10), sent
    dispatcher.shutdown()


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> Stored:
    """The data points that CloudWatch receives."""
    calls: Stored = []

    def put(account: str, region: str, namespace: str, data: Any) -> None:
        calls.append((account, region, namespace, list(data)))

    monkeypatch.setattr(cloudwatch, "put_metrics", put)
    return calls


def test_values_of_a_series_are_stored_together(stored: Stored) -> None:
    metrics = BatchedMetrics("AWS/SQS", "QueueName")
    for size in (5, 5, 7):
        metrics.add("0", "us-east-1", "q", "SentMessageSize", size, "Bytes")
    metrics.add("0", "us-east-1", "r", "NumberOfMessagesSent", 1, "Count")
    metrics.add("1", "eu-west-1", "q", "NumberOfMessagesSent", 1, "Count")
    metrics.close()

    assert [(account, region, namespace) for account, region, namespace, _ in stored] == [
        ("0", "us-east-1", "AWS/SQS"),
        ("1", "eu-west-1", "AWS/SQS"),
    ]
    sizes, sent = stored[0][3]
    assert sizes["Dimensions"] == [{"Name": "QueueName", "Value": "q"}]
    assert dict(zip(sizes["Values"], sizes["Counts"], strict=True)) == {5: 2, 7: 1}
    assert (sizes["Unit"], sent["MetricName"]) == ("Bytes", "NumberOfMessagesSent")


def test_what_is_collected_is_stored_without_being_asked(stored: Stored) -> None:
    metrics = BatchedMetrics("AWS/SQS", "QueueName")
    done = threading.Event()
    original = metrics.flush

    def flush() -> None:
        original()
        done.set()

    metrics.flush = flush  # type: ignore[method-assign]  # a spy
    metrics.add("0", "us-east-1", "q", "NumberOfMessagesSent", 1, "Count")

    assert done.wait(10)
    assert stored
    metrics.close()


def test_a_store_that_fails_ends_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def put(*_: Any) -> None:
        raise RuntimeError("no CloudWatch")

    monkeypatch.setattr(cloudwatch, "put_metrics", put)
    metrics = BatchedMetrics("AWS/SQS", "QueueName")
    metrics.add("0", "us-east-1", "q", "NumberOfMessagesSent", 1, "Count")
    metrics.close()

    assert "metrics of AWS/SQS were not stored: no CloudWatch" in caplog.text
