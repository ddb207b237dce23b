"""The patches of LocalStack's event source mappings of streams are still needed."""

from __future__ import annotations

import importlib.util
import inspect
from typing import Any

import pytest
from localstack.services.kinesis import provider as kinesis_provider
from localstack.services.lambda_.event_source_mapping.event_processor import BatchFailureError
from localstack.services.lambda_.event_source_mapping.pollers.kinesis_poller import KinesisPoller

from trigger_stack.localstack.streams import wakeups

ARN = "arn:aws:dynamodb:us-east-1:000000000000:table/brands/stream/2026"


def test_localstack_still_never_bisects() -> None:
    """When this fails, LocalStack tries a failed batch again in halves."""
    seen: list[int] = []

    class Processor:
        def process_events_batch(self, events: list[Any]) -> None:
            seen.append(len(events))
            raise BatchFailureError(error={"message": "poison"})

        def generate_event_failure_context(self, **_: Any) -> dict[str, Any]:
            return {}

    parameters = {"BatchSize": 10, "MaximumRetryAttempts": 1, "BisectBatchOnFunctionError": True}
    poller = KinesisPoller(
        source_arn="arn:aws:kinesis:us-east-1:000000000000:stream/s",
        source_parameters={"KinesisStreamParameters": parameters},
        processor=Processor(),
        kinesis_namespace=True,
    )
    record = {"kinesis": {"sequenceNumber": "1", "approximateArrivalTimestamp": 1.0}}
    poller.transform_into_events = lambda records, shard_id: records
    poller._is_shutdown.wait = lambda pause: False  # no pause
    poller.forward_events_to_target("shard", [record, record, record, record])

    assert seen == [4, 4]


def test_kinesis_is_still_another_process() -> None:
    """When this fails, see whether LocalStack's own Kinesis will do."""
    assert "server_manager" in inspect.signature(kinesis_provider.KinesisProvider).parameters or (
        "server_manager" in kinesis_provider.KinesisProvider.__annotations__
    )
    assert importlib.util.find_spec("localstack.services.kinesis.kinesis_mock_server")


@pytest.mark.parametrize(
    ("request_", "tables"),
    [
        ({"TableName": "brands"}, {"brands"}),
        ({"TableName": "arn:aws:dynamodb:us-east-1:000000000000:table/brands"}, {"brands"}),
        ({"RequestItems": {"brands": [], "other": []}}, {"brands", "other"}),
        (
            {"TransactItems": [{"Put": {"TableName": "brands"}}, {"Delete": {"TableName": "b"}}]},
            {"brands", "b"},
        ),
        ({"Statement": "UPDATE \"brands\" SET a = 1 WHERE id = 'x'"}, {"brands"}),
        ({"Statements": [{"Statement": "INSERT INTO brands VALUE {'id': 'x'}"}]}, {"brands"}),
        ({"TransactStatements": [{"Statement": "DELETE FROM other WHERE id = 'x'"}]}, set()),
    ],
)
def test_the_tables_of_a_write(request_: dict[str, Any], tables: set[str]) -> None:
    with wakeups.reading(ARN, lambda: None):
        assert wakeups.tables_of(request_) == tables


def test_a_write_wakes_the_readers_of_its_table_and_no_others() -> None:
    woken: list[str] = []
    other = ARN.replace("brands", "brands2")
    with (
        wakeups.reading(ARN, lambda: woken.append("brands")),
        wakeups.reading(other, lambda: woken.append("brands2")),
    ):
        wakeups.wake_table("000000000000", "us-east-1", "brands")
    wakeups.wake_table("000000000000", "us-east-1", "brands")

    assert woken == ["brands"]
