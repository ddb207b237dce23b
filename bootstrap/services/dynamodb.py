"""Amazon DynamoDB: tables."""

from __future__ import annotations

from typing import Any

from bootstrap.services.base import (
    Context,
    Outcome,
    Properties,
    ReplacementError,
    ResourceType,
    found,
    subset,
)
from bootstrap.template import Physical

_TABLE_KEYS = (
    "AttributeDefinitions",
    "KeySchema",
    "BillingMode",
    "GlobalSecondaryIndexes",
    "LocalSecondaryIndexes",
    "ProvisionedThroughput",
)


def _table(context: Context, logical_id: str, properties: Properties) -> tuple[Outcome, Physical]:
    dynamodb = context.client("dynamodb")
    name = properties["TableName"]
    stream = properties.get("StreamSpecification")
    existing = found(lambda: dynamodb.describe_table(TableName=name), "ResourceNotFoundException")
    outcome = Outcome.UNCHANGED
    if existing is None:
        request = {key: properties[key] for key in _TABLE_KEYS if key in properties}
        if stream:
            request["StreamSpecification"] = {"StreamEnabled": True, **stream}
        dynamodb.create_table(TableName=name, **request)
        dynamodb.get_waiter("table_exists").wait(
            TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
        )
        outcome = Outcome.CREATED
    else:
        table = existing["Table"]
        _check_keys(name, properties, table)
        if stream and not subset(stream, table.get("StreamSpecification", {})):
            dynamodb.update_table(
                TableName=name, StreamSpecification={"StreamEnabled": True, **stream}
            )
            outcome = Outcome.CHANGED
    if _time_to_live(dynamodb, name, properties.get("TimeToLiveSpecification")) and (
        outcome is Outcome.UNCHANGED
    ):
        outcome = Outcome.CHANGED
    table = dynamodb.describe_table(TableName=name)["Table"]
    attributes = {"Arn": table["TableArn"]}
    if table.get("LatestStreamArn"):
        attributes["StreamArn"] = table["LatestStreamArn"]
    return outcome, Physical(name, attributes)


def _check_keys(name: str, wanted: Properties, table: dict[str, Any]) -> None:
    if wanted["KeySchema"] != table["KeySchema"]:
        raise ReplacementError(
            f"the table {name} exists with the keys {_keys(table['KeySchema'])}; its keys cannot "
            f"be changed to {_keys(wanted['KeySchema'])}. Give the table another name, or start "
            "afresh with: make clean up"
        )
    indexes = {i["IndexName"]: i["KeySchema"] for i in table.get("GlobalSecondaryIndexes", [])}
    for index in wanted.get("GlobalSecondaryIndexes", []):
        if indexes.get(index["IndexName"]) != index["KeySchema"]:
            raise ReplacementError(
                f"the table {name} exists without the index {index['IndexName']} on "
                f"{_keys(index['KeySchema'])}. Start afresh with: make clean up"
            )


def _keys(schema: list[dict[str, str]]) -> str:
    return ", ".join(f"{key['AttributeName']} ({key['KeyType']})" for key in schema)


def _time_to_live(dynamodb: Any, table: str, wanted: dict[str, Any] | None) -> bool:
    if not wanted:
        return False
    answer = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    enabled = answer.get("TimeToLiveStatus") in ("ENABLED", "ENABLING")
    if enabled == wanted["Enabled"] and (
        not enabled or answer.get("AttributeName") == wanted["AttributeName"]
    ):
        return False
    dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification=wanted)
    return True


RESOURCE_TYPES = {
    "AWS::DynamoDB::Table": ResourceType(
        _table,
        frozenset({"TableName", "AttributeDefinitions", "KeySchema"}),
        frozenset(
            {
                "BillingMode",
                "GlobalSecondaryIndexes",
                "LocalSecondaryIndexes",
                "ProvisionedThroughput",
                "StreamSpecification",
                "TimeToLiveSpecification",
            }
        ),
    ),
}
