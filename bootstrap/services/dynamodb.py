"""Amazon DynamoDB: tables with their indexes, streams, time to live and recovery.

The changes of a table for a Kinesis stream come from the table's own stream here, which the
emulator turns on when there is none (``localstack/dynamodb/kinesis_destinations.py``).
"""

from __future__ import annotations

from typing import Any

from bootstrap.services import shapes, tags
from bootstrap.services.base import (
    Context,
    Key,
    Outcome,
    Properties,
    ReplacementError,
    ResourceType,
    found,
    outcome_of,
    subset,
)
from bootstrap.services.waiting import until_true
from bootstrap.template import Physical

_TABLE_KEYS = (
    "AttributeDefinitions",
    "KeySchema",
    "BillingMode",
    "GlobalSecondaryIndexes",
    "LocalSecondaryIndexes",
    "ProvisionedThroughput",
    "Tags",
)
_RECOVERY = "PointInTimeRecoverySpecification"
_KINESIS = "KinesisStreamSpecification"
_STREAM = "StreamSpecification"
_IMAGES = "NEW_AND_OLD_IMAGES"
#: ``DestinationStatus`` of a Kinesis stream that gets the changes, or soon does.
_ON = ("ACTIVE", "ENABLING")
_CAPACITY = ("ReadCapacityUnits", "WriteCapacityUnits")


def _table(context: Context, logical_id: str, properties: Properties) -> tuple[Outcome, Physical]:
    dynamodb = context.client("dynamodb")
    name = properties["TableName"]
    stream, to = _streams(properties)
    existing = found(lambda: dynamodb.describe_table(TableName=name), "ResourceNotFoundException")
    changes: list[bool] = []
    enabled: set[str] = set()
    if existing is None:
        request = {key: properties[key] for key in _TABLE_KEYS if key in properties}
        if stream:
            request["StreamSpecification"] = {"StreamEnabled": True, **stream}
        dynamodb.create_table(TableName=name, **request)
        table = _wait_until_active(dynamodb, name)
        if (wanted := properties.get("TimeToLiveSpecification")) and wanted["Enabled"]:
            _set_time_to_live(dynamodb, name, wanted["AttributeName"], enabled=True)
    else:
        table = existing["Table"]
        _check_keys(name, properties, table)
        enabled = _enabled(dynamodb, table)
        changes.append(_leave_streams(dynamodb, name, enabled - to))
        changes.append(_billing(dynamodb, properties, table))
        changes.append(_indexes(dynamodb, properties, table))
        changes.append(_stream(dynamodb, name, stream, table.get("StreamSpecification", {})))
        changes.append(_time_to_live(dynamodb, name, properties.get("TimeToLiveSpecification")))
        table = dynamodb.describe_table(TableName=name)["Table"]
        changes.append(_tags(dynamodb, table["TableArn"], properties.get("Tags", [])))
    changes += [
        _protection(dynamodb, properties, table),
        _recovery(dynamodb, name, properties.get(_RECOVERY, {}), new=existing is None),
        _to_stream(dynamodb, name, to - enabled),
    ]
    attributes = {"Arn": table["TableArn"]}
    if table.get("LatestStreamArn"):
        attributes["StreamArn"] = table["LatestStreamArn"]
    return outcome_of(existing is None, *changes), Physical(name, attributes)


def _streams(properties: Properties) -> tuple[dict[str, Any] | None, set[str]]:
    """The table's own stream, and the ARN of the Kinesis stream that its changes go to, if any.

    Raises:
        RuntimeError: They do not go together here.
    """
    own, kinesis = properties.get(_STREAM), properties.get(_KINESIS)
    if not kinesis:
        return own, set()
    if own and own.get("StreamViewType") != _IMAGES:
        raise RuntimeError(
            f"with {_KINESIS}, the StreamViewType of {_STREAM} must be {_IMAGES} here: the changes"
            " for the Kinesis stream come from the table's own stream."
        )
    return own or {"StreamViewType": _IMAGES}, {str(kinesis["StreamArn"])}


def _enabled(dynamodb: Any, table: dict[str, Any]) -> set[str]:
    """The ARNs of the Kinesis streams that the changes of a table go to."""
    if table.get(_STREAM, {}).get("StreamViewType") != _IMAGES:
        return set()
    name = table["TableName"]
    answer = dynamodb.describe_kinesis_streaming_destination(TableName=name)
    found = answer.get("KinesisDataStreamDestinations", [])
    return {one["StreamArn"] for one in found if one["DestinationStatus"] in _ON}


def _leave_streams(dynamodb: Any, table: str, streams: set[str]) -> bool:
    for arn in sorted(streams):
        dynamodb.disable_kinesis_streaming_destination(TableName=table, StreamArn=arn)
    return bool(streams)


def _to_stream(dynamodb: Any, table: str, streams: set[str]) -> bool:
    for arn in streams:
        dynamodb.enable_kinesis_streaming_destination(TableName=table, StreamArn=arn)
    return bool(streams)


def _tags(dynamodb: Any, arn: str, given: tags.Tags) -> bool:
    place = {"ResourceArn": arn}
    return tags.ensure(
        tags.named(given),
        tags.named(dynamodb.list_tags_of_resource(**place).get("Tags", [])),
        lambda some: dynamodb.tag_resource(**place, Tags=tags.listed(some)),
        lambda keys: dynamodb.untag_resource(**place, TagKeys=keys),
    )


def _recovery(dynamodb: Any, table: str, wanted: dict[str, Any], *, new: bool) -> bool:
    """Point-in-time recovery: off, unless it is described."""
    on = bool(wanted.get("PointInTimeRecoveryEnabled"))
    if new and not on:
        return False
    answer = {} if new else dynamodb.describe_continuous_backups(TableName=table)
    described = answer.get("ContinuousBackupsDescription", {})
    current = described.get("PointInTimeRecoveryDescription", {})
    is_on = current.get("PointInTimeRecoveryStatus") == "ENABLED"
    days = wanted.get("RecoveryPeriodInDays")
    if is_on == on and (not on or days in (None, current.get("RecoveryPeriodInDays"))):
        return False
    settings = {
        "PointInTimeRecoveryEnabled": on,
        **({"RecoveryPeriodInDays": days} if days else {}),
    }
    dynamodb.update_continuous_backups(TableName=table, PointInTimeRecoverySpecification=settings)
    return True


def _protection(dynamodb: Any, wanted: Properties, table: dict[str, Any]) -> bool:
    protected = bool(wanted.get("DeletionProtectionEnabled"))
    if protected == bool(table.get("DeletionProtectionEnabled")):
        return False
    _update(dynamodb, wanted["TableName"], DeletionProtectionEnabled=protected)
    return True


@until_true(60)
def _wait_until_active(dynamodb: Any, name: str) -> Any:
    """The table once it and its indexes can be changed (decorated: called until then)."""
    table: dict[str, Any] = dynamodb.describe_table(TableName=name)["Table"]
    indexes = table.get("GlobalSecondaryIndexes", [])
    active = table["TableStatus"] == "ACTIVE" and all(
        index.get("IndexStatus", "ACTIVE") == "ACTIVE" for index in indexes
    )
    return table if active else None


def _update(dynamodb: Any, name: str, **change: Any) -> None:
    dynamodb.update_table(TableName=name, **change)
    _wait_until_active(dynamodb, name)


def _check_keys(name: str, wanted: Properties, table: dict[str, Any]) -> None:
    if wanted["KeySchema"] != table["KeySchema"]:
        raise ReplacementError(
            f"the table {name} exists with the keys {_keys(table['KeySchema'])}; its keys cannot "
            f"be changed to {_keys(wanted['KeySchema'])}. Give the table another name, or start "
            "afresh with: make clean up"
        )
    local = _by_name(wanted.get("LocalSecondaryIndexes"))
    if local.keys() != _by_name(table.get("LocalSecondaryIndexes")).keys() or not all(
        _same_index(index, _by_name(table["LocalSecondaryIndexes"])[key])
        for key, index in local.items()
    ):
        raise ReplacementError(
            f"the table {name} exists with other local secondary indexes, which cannot be changed. "
            "Give the table another name, or start afresh with: make clean up"
        )


def _keys(schema: list[dict[str, str]]) -> str:
    return ", ".join(f"{key['AttributeName']} ({key['KeyType']})" for key in schema)


def _by_name(indexes: list[dict[str, Any]] | None) -> dict[str, dict[str, Any]]:
    return {index["IndexName"]: index for index in indexes or []}


def _same_index(wanted: dict[str, Any], actual: dict[str, Any]) -> bool:
    def projection(index: dict[str, Any]) -> tuple[str, list[str]]:
        given = index.get("Projection", {})
        return given.get("ProjectionType", "ALL"), sorted(given.get("NonKeyAttributes", []))

    return bool(wanted["KeySchema"] == actual["KeySchema"]) and projection(wanted) == projection(
        actual
    )


def _billing(dynamodb: Any, wanted: Properties, table: dict[str, Any]) -> bool:
    mode = wanted.get("BillingMode", "PROVISIONED")  # DynamoDB's default
    current = table.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED")
    throughput = wanted.get("ProvisionedThroughput")
    change: dict[str, Any] = {}
    if mode != current:
        change["BillingMode"] = mode
    if mode == "PROVISIONED" and throughput:
        actual = table.get("ProvisionedThroughput", {})
        if change or any(int(throughput[k]) != actual.get(k) for k in _CAPACITY):
            change["ProvisionedThroughput"] = throughput
    if change:
        _update(dynamodb, wanted["TableName"], **change)
    return bool(change)


def _indexes(dynamodb: Any, wanted: Properties, table: dict[str, Any]) -> bool:
    """Make the global secondary indexes be as described; DynamoDB changes one at a time."""
    name = wanted["TableName"]
    described = _by_name(wanted.get("GlobalSecondaryIndexes"))
    actual = _by_name(table.get("GlobalSecondaryIndexes"))
    stale = [
        key
        for key, index in actual.items()
        if key not in described or not _same_index(described[key], index)
    ]
    for key in stale:
        _update(dynamodb, name, GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": key}}])
    missing = [key for key in described if key not in actual or key in stale]
    for key in missing:
        _update(
            dynamodb,
            name,
            AttributeDefinitions=wanted["AttributeDefinitions"],
            GlobalSecondaryIndexUpdates=[{"Create": described[key]}],
        )
    return bool(stale or missing)


def _stream(
    dynamodb: Any, table: str, wanted: dict[str, Any] | None, actual: dict[str, Any]
) -> bool:
    on = bool(actual.get("StreamEnabled"))
    if on == bool(wanted) and (wanted is None or subset(wanted, actual)):
        return False
    if on:  # what a stream shows cannot be changed: the old one ends, another begins
        _update(dynamodb, table, StreamSpecification={"StreamEnabled": False})
    if wanted:
        _update(dynamodb, table, StreamSpecification={"StreamEnabled": True, **wanted})
    return True


def _time_to_live(dynamodb: Any, table: str, wanted: dict[str, Any] | None) -> bool:
    answer = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    on = answer.get("TimeToLiveStatus") in ("ENABLED", "ENABLING")
    attribute = answer.get("AttributeName")
    if wanted is None or not wanted["Enabled"]:
        if on:
            _set_time_to_live(dynamodb, table, attribute, enabled=False)
        return on
    if on and attribute == wanted["AttributeName"]:
        return False
    if on:
        _set_time_to_live(dynamodb, table, attribute, enabled=False)
    _set_time_to_live(dynamodb, table, wanted["AttributeName"], enabled=True)
    return True


def _set_time_to_live(dynamodb: Any, table: str, attribute: str, *, enabled: bool) -> None:
    dynamodb.update_time_to_live(
        TableName=table,
        TimeToLiveSpecification={"AttributeName": attribute, "Enabled": enabled},
    )


def _exists(context: Context, key: Key) -> bool:
    dynamodb = context.client("dynamodb")
    return (
        found(lambda: dynamodb.describe_table(TableName=key["Ref"]), "ResourceNotFoundException")
        is not None
    )


def _lost(context: Context, key: Key) -> str:
    """Its items; the count of ``DescribeTable`` may be six hours old."""
    answer = context.client("dynamodb").scan(TableName=key["Ref"], Select="COUNT")
    count, more = answer["Count"], "over " if answer.get("LastEvaluatedKey") else ""
    return f"{more}{count} item{'s' if count > 1 else ''}" if count else ""


def _delete(context: Context, key: Key) -> None:
    context.client("dynamodb").delete_table(TableName=key["Ref"])
    _wait_until_gone(context, key)


@until_true(60)
def _wait_until_gone(context: Context, key: Key) -> bool:
    """Wait until the name is free again (decorated: called until then)."""
    return not _exists(context, key)


_KEY_SCHEMA = shapes.list_of(
    shapes.mapping(
        {"AttributeName": shapes.text, "KeyType": shapes.one_of("HASH", "RANGE")},
    )
)
_THROUGHPUT = shapes.mapping(dict.fromkeys(_CAPACITY, shapes.number(1)))
_INDEX = shapes.mapping(
    {
        "IndexName": shapes.text,
        "KeySchema": _KEY_SCHEMA,
        "Projection": shapes.mapping(
            {},
            {
                "ProjectionType": shapes.one_of("ALL", "KEYS_ONLY", "INCLUDE"),
                "NonKeyAttributes": shapes.list_of(shapes.text),
            },
        ),
    },
    {"ProvisionedThroughput": _THROUGHPUT},
)

RESOURCE_TYPES = {
    "AWS::DynamoDB::Table": ResourceType(
        _table,
        {
            **shapes.all_as_aws("TableName"),
            "AttributeDefinitions": shapes.list_of(
                shapes.mapping(
                    {"AttributeName": shapes.text, "AttributeType": shapes.one_of("S", "N", "B")}
                )
            ),
            "KeySchema": _KEY_SCHEMA,
        },
        {
            **shapes.all_as_aws(
                "DeletionProtectionEnabled", _RECOVERY, "Tags", "TimeToLiveSpecification"
            ),
            "BillingMode": shapes.one_of("PAY_PER_REQUEST", "PROVISIONED"),
            "GlobalSecondaryIndexes": shapes.list_of(_INDEX),
            _KINESIS: shapes.mapping(
                {"StreamArn": shapes.text},
                # DynamoDB Local has seconds.
                {"ApproximateCreationDateTimePrecision": shapes.one_of("MILLISECOND")},
            ),
            "LocalSecondaryIndexes": shapes.list_of(_INDEX),
            "ProvisionedThroughput": _THROUGHPUT,
            _STREAM: shapes.mapping(
                {
                    "StreamViewType": shapes.one_of(
                        "NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES", "KEYS_ONLY"
                    )
                }
            ),
        },
        exists=_exists,
        delete_with="dynamodb delete-table --table-name {Ref}",
        delete=_delete,
        lost=_lost,
    ),
}
