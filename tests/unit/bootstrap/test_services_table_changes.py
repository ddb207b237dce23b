"""The Kinesis stream of a table's changes: enabled once, changed, left, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from bootstrap.services import RESOURCE_TYPES
from bootstrap.services.base import Context, Outcome
from bootstrap.settings import Settings

CREATED, CHANGED, UNCHANGED = Outcome.CREATED, Outcome.CHANGED, Outcome.UNCHANGED
TYPE = RESOURCE_TYPES["AWS::DynamoDB::Table"]
TABLE: dict[str, Any] = {
    "TableName": "orders",
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
}
STREAM, OTHER = (f"arn:aws:kinesis:us-east-1:000000000000:stream/{one}" for one in "ab")


class Table:
    """The operations of DynamoDB on one table, as far as they are used; moto has not all."""

    def __init__(self) -> None:
        self.table: dict[str, Any] | None = None
        self.destinations: dict[str, str] = {}
        self.calls: list[str] = []

    def describe_table(self, **_: Any) -> dict[str, Any]:
        from botocore.exceptions import ClientError

        if self.table is None:
            answer: Any = {"Error": {"Code": "ResourceNotFoundException"}}
            raise ClientError(answer, "DescribeTable")
        return {"Table": dict(self.table)}

    def create_table(self, **request: Any) -> None:
        billing = {"BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"}}
        arn = "arn:aws:dynamodb:us-east-1:000000000000:table/orders"
        self.table = {**request, **billing, "TableArn": arn, "TableStatus": "ACTIVE"}

    def update_table(self, **request: Any) -> None:
        assert self.table is not None
        wanted = request["StreamSpecification"]
        self.calls.append(f"stream {wanted.get('StreamViewType', 'off')}")
        self.table["StreamSpecification"] = wanted if wanted["StreamEnabled"] else {}

    def describe_time_to_live(self, **_: Any) -> dict[str, Any]:
        return {"TimeToLiveDescription": {}}

    def list_tags_of_resource(self, **_: Any) -> dict[str, Any]:
        return {}

    def describe_continuous_backups(self, **_: Any) -> dict[str, Any]:
        return {}

    def describe_kinesis_streaming_destination(self, **_: Any) -> dict[str, Any]:
        self.calls.append("describe")
        found = self.destinations.items()
        listed = [{"StreamArn": arn, "DestinationStatus": status} for arn, status in found]
        return {"KinesisDataStreamDestinations": listed}

    def enable_kinesis_streaming_destination(self, **request: Any) -> None:
        self.calls.append(f"enable {request['StreamArn'][-1]}")
        self.destinations[request["StreamArn"]] = "ACTIVE"

    def disable_kinesis_streaming_destination(self, **request: Any) -> None:
        self.calls.append(f"disable {request['StreamArn'][-1]}")
        self.destinations[request["StreamArn"]] = "DISABLED"


class TableContext(Context):
    """Has the table."""

    def client(self, name: str) -> Any:
        return self.__dict__.setdefault("table", Table())


@pytest.fixture
def context() -> TableContext:
    return TableContext(Settings(4566, 8080, "us-east-1"), "shop")


def ensure(context: Context, **more: Any) -> Outcome:
    properties = TABLE | more
    assert TYPE.problem(properties) is None
    return TYPE.ensure(context, "Orders", properties)[0]


def to(arn: str) -> dict[str, Any]:
    return {"KinesisStreamSpecification": {"StreamArn": arn}}


def test_a_stream_is_enabled_once_changed_and_left(context: TableContext) -> None:
    table: Table = context.client("dynamodb")

    outcomes = [ensure(context, **one) for one in (to(STREAM), to(STREAM), to(OTHER), {}, {})]

    assert outcomes == [CREATED, UNCHANGED, CHANGED, CHANGED, UNCHANGED]
    assert [one for one in table.calls if one != "describe"] == [
        *("enable a", "disable a", "enable b", "disable b"),
        "stream off",  # it was there for the changes alone
    ]
    assert table.destinations == {STREAM: "DISABLED", OTHER: "DISABLED"}


def test_the_tables_own_stream_comes_first(context: TableContext) -> None:
    """It is what the changes come from; without one it is turned on for them."""
    table: Table = context.client("dynamodb")
    ensure(context)
    assert "StreamSpecification" not in (table.table or {})

    assert ensure(context, **to(STREAM)) is CHANGED

    assert table.calls == ["stream NEW_AND_OLD_IMAGES", "enable a"]
    own = {"StreamSpecification": {"StreamViewType": "NEW_AND_OLD_IMAGES"}}
    assert ensure(context, **to(STREAM), **own) is UNCHANGED


def test_a_table_that_can_have_none_is_not_asked_for_its_streams(context: TableContext) -> None:
    table: Table = context.client("dynamodb")
    keys_only = {"StreamSpecification": {"StreamViewType": "KEYS_ONLY"}}
    assert [ensure(context, **keys_only) for _ in range(2)] == [CREATED, UNCHANGED]
    assert table.calls == []


def test_another_view_of_the_tables_stream_is_refused(context: TableContext) -> None:
    keys_only = {"StreamSpecification": {"StreamViewType": "KEYS_ONLY"}}
    with pytest.raises(RuntimeError, match="must be NEW_AND_OLD_IMAGES here"):
        ensure(context, **to(STREAM), **keys_only)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "KinesisStreamSpecification needs StreamArn"),
        (
            {"StreamArn": STREAM, "ApproximateCreationDateTimePrecision": "MICROSECOND"},
            "KinesisStreamSpecification.ApproximateCreationDateTimePrecision must be MILLISECOND",
        ),
    ],
)
def test_what_is_not_done_here_is_refused_by_name(given: dict[str, Any], said: str) -> None:
    (found,) = TYPE.problems(TABLE | {"KinesisStreamSpecification": given})
    assert found.message.startswith(said), found.message
