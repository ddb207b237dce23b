"""DynamoDB Local is told of a time to live, and the patches of LocalStack are still needed."""

from __future__ import annotations

import inspect
from types import SimpleNamespace
from typing import Any

import pytest
from localstack.services.dynamodb.v2 import provider

from trigger_stack.localstack.dynamodb import time_to_live as module


class Local:
    """DynamoDB Local, as far as it knows of one table's time to live."""

    def __init__(self, attribute: str | None = None) -> None:
        self.attribute = attribute
        self.calls = 0

    def __call__(self, operation: str, **parameters: Any) -> dict[str, Any]:
        assert parameters["TableName"] == "brands"
        if operation == "DescribeTimeToLive":
            found = {"TimeToLiveStatus": "ENABLED" if self.attribute else "DISABLED"}
            found |= {"AttributeName": self.attribute} if self.attribute else {}
            return {"TimeToLiveDescription": found}
        self.calls += 1
        wanted = parameters["TimeToLiveSpecification"]
        if self.attribute not in (None, wanted["AttributeName"]):
            raise OSError("TimeToLive is active on a different AttributeName")
        if wanted["Enabled"] is bool(self.attribute):
            raise OSError("TimeToLive is already enabled, or disabled")
        self.attribute = wanted["AttributeName"] if wanted["Enabled"] else None
        return {}


@pytest.mark.parametrize(
    ("before", "wanted", "after", "calls"),
    [
        (None, {"AttributeName": "a", "Enabled": True}, "a", 1),
        ("a", {"AttributeName": "a", "Enabled": True}, "a", 0),
        ("a", {"AttributeName": "b", "Enabled": True}, "b", 2),
        ("a", {"AttributeName": "a", "Enabled": False}, None, 1),
        ("a", {"AttributeName": "b", "Enabled": False}, None, 1),
        (None, {"AttributeName": "a", "Enabled": False}, None, 0),
    ],
)
def test_dynamodb_local_gets_what_localstack_has(
    before: str | None, wanted: dict[str, Any], after: str | None, calls: int
) -> None:
    local = Local(before)
    module.set_time_to_live(local, "brands", wanted)

    assert (local.attribute, local.calls) == (after, calls)


def test_what_failed_and_what_is_something_else_is_not_followed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def never(*_: Any) -> None:
        pytest.fail("it was followed")

    monkeypatch.setattr(module, "set_time_to_live", never)
    monkeypatch.setattr(module, "Region", never)
    service, other = SimpleNamespace(service_name="dynamodb"), SimpleNamespace(service_name="s3")
    update, put = SimpleNamespace(name="UpdateTimeToLive"), SimpleNamespace(name="PutItem")
    for context, status in (
        (SimpleNamespace(service=service, operation=update), 400),
        (SimpleNamespace(service=service, operation=put), 200),
        (SimpleNamespace(service=service, operation=None), 200),
        (SimpleNamespace(service=other, operation=update), 200),
        (SimpleNamespace(service=None, operation=None), 200),
    ):
        module.follow(None, context, SimpleNamespace(status_code=status))


def test_localstack_still_keeps_the_time_to_live_to_itself() -> None:
    """When this fails, LocalStack has DynamoDB Local remove what has expired."""
    update = inspect.getsource(provider.DynamoDBProvider.update_time_to_live)

    assert "ttl_specifications" in update
    assert "forward" not in update


def test_localstack_still_deletes_as_a_user() -> None:
    """When this fails, LocalStack's records say that it was the time to live."""
    removal = inspect.getsource(provider).partition("def delete_expired_items(")[2]

    assert "batch_write_item" in removal.partition("\ndef ")[0]
    assert "userIdentity" not in inspect.getsource(provider)


def test_localstack_still_keeps_the_time_to_live_of_a_deleted_table() -> None:
    """When this fails, LocalStack forgets it with the table."""
    assert "ttl_specifications" not in inspect.getsource(provider.DynamoDBProvider.delete_table)
