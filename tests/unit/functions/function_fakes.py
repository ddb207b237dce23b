"""In-memory stand-ins for what the functions talk to. They keep state; nothing is scripted."""

# ruff: noqa: N803  The arguments are spelled as boto3 spells them.

from __future__ import annotations

import copy
import re
from decimal import Decimal
from threading import Lock
from typing import Any

import pytest
from aws_lambda_powertools.utilities.idempotency import BasePersistenceLayer
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyItemAlreadyExistsError,
    IdempotencyItemNotFoundError,
)
from boto3.dynamodb.types import TypeSerializer
from botocore.exceptions import ClientError

OPERATORS = {
    "=": lambda have, want: have == want,
    "<=": lambda have, want: have is not None and have <= want,
}


def client_error(code: str, operation: str = "Operation", **more: Any) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": code}, **more}, operation)


def holds(condition: Any, item: dict[str, Any]) -> bool:
    """Evaluate a boto3 `Attr` or `Key` condition, the ones the functions use."""
    parts = condition.get_expression()
    operator, values = parts["operator"], parts["values"]
    if operator == "AND":
        return all(holds(value, item) for value in values)
    if operator == "OR":
        return any(holds(value, item) for value in values)
    name = values[0].name
    if operator == "attribute_exists":
        return name in item
    if operator == "attribute_not_exists":
        return name not in item
    return OPERATORS[operator](item.get(name), values[1])


class FakeTable:
    """A table that checks types, keys and expressions about as strictly as DynamoDB does."""

    def __init__(self, *key: str, page_size: int = 100) -> None:
        self.key = key
        self.page_size = page_size
        self.items: dict[tuple[Any, ...], dict[str, Any]] = {}
        self.scans: list[int] = []
        self.queries: list[dict[str, Any]] = []
        self.fail_with: Exception | None = None
        self.before_write: list[Any] = []
        self._lock = Lock()

    def _key(self, item: dict[str, Any]) -> tuple[Any, ...]:
        return tuple(item[name] for name in self.key)

    def _check(self) -> None:
        if self.fail_with:
            raise self.fail_with

    def get_item(self, Key: dict[str, Any], ConsistentRead: bool = False) -> dict[str, Any]:
        self._check()
        assert set(Key) == set(self.key)
        assert all(Key.values()), "DynamoDB refuses an empty key"
        item = self.items.get(self._key(Key))
        return {} if item is None else {"Item": copy.deepcopy(item)}

    def put_item(self, Item: dict[str, Any]) -> dict[str, Any]:
        self._check()
        TypeSerializer().serialize(Item)  # Refuses what DynamoDB cannot hold, floats for one.
        self.items[self._key(Item)] = copy.deepcopy(Item)
        return {}

    def update_item(
        self,
        Key: dict[str, Any],
        UpdateExpression: str,
        ConditionExpression: Any,
        ExpressionAttributeNames: dict[str, str],
        ExpressionAttributeValues: dict[str, Any] | None = None,
        ReturnValues: str = "NONE",
        ReturnValuesOnConditionCheckFailure: str = "NONE",
    ) -> dict[str, Any]:
        self._check()
        if self.before_write:
            self.before_write.pop(0)()
        names, values = ExpressionAttributeNames, ExpressionAttributeValues or {}
        used = set(re.findall(r"#\w+", UpdateExpression))
        assert used == set(names), "DynamoDB refuses a name that is not used"
        assert set(re.findall(r":\w+", UpdateExpression)) == set(values)
        TypeSerializer().serialize(values)
        with self._lock:
            item = copy.deepcopy(self.items.get(self._key(Key), {}))
            if not holds(ConditionExpression, item):
                wanted = ReturnValuesOnConditionCheckFailure == "ALL_OLD"
                old = {"Item": item} if item and wanted else {}
                raise client_error("ConditionalCheckFailedException", "UpdateItem", **old)
            setting, _, removing = UpdateExpression.partition("REMOVE ")
            item |= Key
            for name, value in re.findall(r"(#\w+) = (:\w+)", setting):
                item[names[name]] = copy.deepcopy(values[value])
            for name in re.findall(r"#\w+", removing):
                item.pop(names[name], None)
            self.items[self._key(Key)] = item
        return {"Attributes": copy.deepcopy(item)} if ReturnValues == "ALL_NEW" else {}

    def scan(
        self,
        Limit: int,
        FilterExpression: Any,
        ExclusiveStartKey: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """In the order of the keys; as DynamoDB does it, the limit counts before the filter."""
        self._check()
        assert Limit >= 1
        assert ExclusiveStartKey is None or set(ExclusiveStartKey) == set(self.key)
        self.scans.append(Limit)
        after = self._key(ExclusiveStartKey) if ExclusiveStartKey else None
        left = [key for key in sorted(self.items) if after is None or key > after]
        page = left[:Limit]
        found = [self.items[key] for key in page if holds(FilterExpression, self.items[key])]
        last = dict(zip(self.key, page[-1], strict=True)) if len(page) == Limit else None
        more = {} if last is None else {"LastEvaluatedKey": last}
        return {"Items": copy.deepcopy(found), "Count": len(found), **more}

    def query(
        self,
        IndexName: str,
        KeyConditionExpression: Any,
        ProjectionExpression: str,
        ExclusiveStartKey: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        self._check()
        self.queries.append({"IndexName": IndexName, "ExclusiveStartKey": ExclusiveStartKey})
        found = [item for item in self.items.values() if holds(KeyConditionExpression, item)]
        first = int(ExclusiveStartKey["position"]) if ExclusiveStartKey else 0
        last = first + self.page_size
        page = [{ProjectionExpression: item[ProjectionExpression]} for item in found[first:last]]
        more = {"LastEvaluatedKey": {"position": Decimal(last)}} if last < len(found) else {}
        return {"Items": page, "Count": len(page), **more}


class FakeBus:
    """EventBridge's `put_events`. `refuse` makes it answer as a bus that takes no entry."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []
        self.refuse = False
        self.fail_with: Exception | None = None

    def put_events(self, Entries: list[dict[str, Any]]) -> dict[str, Any]:
        if self.fail_with:
            raise self.fail_with
        if self.refuse:
            failed = {"ErrorCode": "ThrottlingException", "ErrorMessage": "Rate exceeded"}
            return {"FailedEntryCount": 1, "Entries": [failed]}
        self.entries += Entries
        return {"FailedEntryCount": 0, "Entries": [{"EventId": f"event-{len(self.entries)}"}]}


class FakeRekognition:
    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.fail_with: Exception | None = None
        self.during_call: Any = None

    def detect_labels(self, **call: Any) -> dict[str, Any]:
        self.calls.append(call)
        if self.fail_with:
            raise self.fail_with
        if self.during_call:
            self.during_call()
        return {
            "Labels": [
                {"Name": "Cat", "Confidence": 93.125, "Parents": [{"Name": "Animal"}]},
                {"Name": "Animal", "Confidence": 95.5, "Parents": []},
            ],
            "LabelModelVersion": "3.0",
        }


class FakeSes:
    """SES; `refused` are addresses for which it raises."""

    def __init__(self) -> None:
        self.mails: list[dict[str, Any]] = []
        self.refused: dict[str, Exception] = {}

    def send_email(self, **mail: Any) -> dict[str, Any]:
        (address,) = mail["Destination"]["ToAddresses"]
        if address in self.refused:
            raise self.refused[address]
        self.mails.append(mail)
        return {"MessageId": f"mail-{len(self.mails)}"}

    @property
    def addresses(self) -> list[str]:
        return [address for mail in self.mails for address in mail["Destination"]["ToAddresses"]]


class FakeScheduler:
    """EventBridge Scheduler: one schedule for each group and name."""

    def __init__(self) -> None:
        self.schedules: dict[tuple[str, str], dict[str, Any]] = {}
        self.fail_with: Exception | None = None

    def create_schedule(self, **schedule: Any) -> dict[str, Any]:
        return self._put(schedule, there=False)

    def update_schedule(self, **schedule: Any) -> dict[str, Any]:
        return self._put(schedule, there=True)

    def _put(self, schedule: dict[str, Any], *, there: bool) -> dict[str, Any]:
        if self.fail_with:
            raise self.fail_with
        key = (schedule["GroupName"], schedule["Name"])
        if (key in self.schedules) is not there:
            raise client_error("ResourceNotFoundException" if there else "ConflictException")
        self.schedules[key] = schedule
        return {"ScheduleArn": "arn"}


class FakeCloudFront:
    """One invalidation for each caller reference, as CloudFront has it."""

    def __init__(self) -> None:
        self.invalidations: dict[str, dict[str, Any]] = {}

    def create_invalidation(
        self, DistributionId: str, InvalidationBatch: dict[str, Any]
    ) -> dict[str, Any]:
        reference = InvalidationBatch["CallerReference"]
        entry = {"Id": f"I{len(self.invalidations) + 1}", "DistributionId": DistributionId}
        found = self.invalidations.setdefault(
            reference, entry | {"InvalidationBatch": InvalidationBatch}
        )
        return {"Invalidation": found}


class InMemoryStore(BasePersistenceLayer):
    """Powertools' idempotency records in a dict, with the conditional write of the real store."""

    def __init__(self) -> None:
        super().__init__()
        self.records: dict[str, Any] = {}
        self._lock = Lock()

    def _get_record(self, idempotency_key: str) -> Any:
        try:
            return self.records[idempotency_key]
        except KeyError:
            raise IdempotencyItemNotFoundError from None

    def _put_record(self, data_record: Any) -> None:
        with self._lock:
            if data_record.idempotency_key in self.records:
                raise IdempotencyItemAlreadyExistsError(
                    old_data_record=self.records[data_record.idempotency_key]
                )
            self.records[data_record.idempotency_key] = data_record

    def _update_record(self, data_record: Any) -> None:
        self.records[data_record.idempotency_key] = data_record

    def _delete_record(self, data_record: Any) -> None:
        self.records.pop(data_record.idempotency_key, None)

    def stand_in_for(self, store: BasePersistenceLayer, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let `store`, which a function has bound already, keep its records here."""
        for operation in ("_get_record", "_put_record", "_update_record", "_delete_record"):
            monkeypatch.setattr(store, operation, getattr(self, operation))
