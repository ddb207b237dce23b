"""Settings of DynamoDB tables that LocalStack's types leave out or do not change.

AWS topics: AWS CloudFormation Template Reference Guide, "AWS::DynamoDB::Table" and
"AWS::DynamoDB::GlobalTable"; Amazon DynamoDB API Reference.
"""

from __future__ import annotations

import time
from typing import Any

from trigger_stack.localstack.cloudformation import tags

type Model = dict[str, Any]

_SECONDS = 300
_PAUSE_S = 0.2
_RECOVERY = "PointInTimeRecoverySpecification"
_LIVES = "TimeToLiveSpecification"
#: What only a new table can have otherwise.
_FIXED = ("KeySchema", "LocalSecondaryIndexes")


def set_table(clients: Any, before: Model, model: Model) -> None:
    """What has an operation of its own."""
    client, place = clients.dynamodb, {"TableName": model["TableName"]}
    protected, old = (_is_true(one.get("DeletionProtectionEnabled")) for one in (model, before))
    if protected != old:
        client.update_table(**place, DeletionProtectionEnabled=protected)
        _wait(client, model)
    recovery = _recovery(model)
    if recovery != _recovery(before):
        client.update_continuous_backups(**place, PointInTimeRecoverySpecification=recovery)
    if before:  # its own operations set those of a new one
        _set_time_to_live(client, before, model)
        arn = client.describe_table(**place)["Table"]["TableArn"]
        step = tags.set_by("dynamodb", "ResourceArn", "Arn")
        step(clients, before, model | {"Arn": arn})


def _is_true(value: Any) -> bool:
    return str(value).lower() == "true"


def _recovery(model: Model) -> Model:
    given = model.get(_RECOVERY) or {}
    made: Model = {
        "PointInTimeRecoveryEnabled": _is_true(given.get("PointInTimeRecoveryEnabled")),
    }
    if given.get("RecoveryPeriodInDays"):
        made["RecoveryPeriodInDays"] = int(given["RecoveryPeriodInDays"])
    return made


def _set_time_to_live(client: Any, before: Model, model: Model) -> None:
    """AWS refuses to enable what is enabled, and takes another attribute only once it is not."""
    place = {"TableName": model["TableName"]}
    there = client.describe_time_to_live(**place)["TimeToLiveDescription"]
    attribute = there.get("AttributeName")
    on = attribute if there.get("TimeToLiveStatus") in ("ENABLED", "ENABLING") else None
    lives = model.get(_LIVES) or {}
    wanted = lives.get("AttributeName") if _is_true(lives.get("Enabled")) else None
    for name, enabled in ((on, False), (wanted, True)):
        if name and on != wanted:
            client.update_time_to_live(
                **place, TimeToLiveSpecification={"AttributeName": name, "Enabled": enabled}
            )


def change_table(clients: Any, before: Model, model: Model) -> None:
    """What ``UpdateTable`` changes: billing, stream and indexes.

    Raises:
        ValueError: Something that only a new table can have otherwise.
    """
    client, name = clients.dynamodb, model["TableName"]
    fixed = [one for one in _FIXED if model.get(one) != before.get(one)]
    if fixed:
        raise ValueError(
            f"AWS::DynamoDB::Table: {', '.join(fixed)} of a table cannot be changed: give the table"
            " another TableName, or the resource another logical id"
        )
    for one in _changes(before, model):  # AWS takes one change of an index at a time
        client.update_table(TableName=name, **one)
        _wait(client, model)
    made = client.describe_table(TableName=name)["Table"]
    if made.get("LatestStreamArn"):
        model["StreamArn"] = made["LatestStreamArn"]


def _wait(client: Any, model: Model) -> None:
    """Wait until a table and its indexes can be changed.

    Raises:
        RuntimeError: They cannot in time.
    """
    deadline = time.monotonic() + _SECONDS
    while True:
        table = client.describe_table(TableName=model["TableName"])["Table"]
        states = [table["TableStatus"]]
        states += [one["IndexStatus"] for one in table.get("GlobalSecondaryIndexes", [])]
        if all(state == "ACTIVE" for state in states):
            return
        if time.monotonic() > deadline:
            raise RuntimeError(f"the table is {', '.join(states)} after {_SECONDS} seconds")
        time.sleep(_PAUSE_S)


def _changes(before: Model, model: Model) -> list[Model]:
    whole: Model = {
        key: model[key]
        for key in ("BillingMode", "ProvisionedThroughput")
        if key in model and model[key] != before.get(key)
    }
    stream, old_stream = (one.get("StreamSpecification") for one in (model, before))
    changes: list[Model] = []
    if stream != old_stream:
        off = {"StreamSpecification": {"StreamEnabled": False}}
        # What a stream shows cannot be changed: the old one ends, another begins.
        changes += [off] if old_stream else []
        changes += [{"StreamSpecification": {"StreamEnabled": True, **stream}}] if stream else []
    return ([whole] if whole else []) + changes + list(_index_changes(before, model))


def _index_changes(before: Model, model: Model) -> list[Model]:
    """One for each index that is gone, new, or has another throughput.

    Raises:
        ValueError: An index is another one under the same name, which AWS refuses.
    """
    indexes, old = (
        {one["IndexName"]: one for one in each.get("GlobalSecondaryIndexes") or []}
        for each in (model, before)
    )
    other = [
        name
        for name in indexes.keys() & old.keys()
        if any(indexes[name].get(key) != old[name].get(key) for key in ("KeySchema", "Projection"))
    ]
    if other:
        raise ValueError(
            "AWS::DynamoDB::Table: Cannot update GSI's properties other than Provisioned Throughput"
            f" and Contributor Insights Specification ({', '.join(sorted(other))}). You can create"
            " a new GSI with a different name."
        )
    changes = [{"Delete": {"IndexName": gone}} for gone in old.keys() - indexes]
    changes += [
        {"Update": {"IndexName": name, "ProvisionedThroughput": throughput}}
        for name in indexes.keys() & old.keys()
        if (throughput := indexes[name].get("ProvisionedThroughput"))
        and throughput != old[name].get("ProvisionedThroughput")
    ]
    changes += [{"Create": indexes[new]} for new in indexes.keys() - old]
    return [
        {
            "GlobalSecondaryIndexUpdates": [change],
            **(
                {"AttributeDefinitions": model["AttributeDefinitions"]}
                if "Create" in change
                else {}
            ),
        }
        for change in changes
    ]


# --- Global tables: what is a setting of the table elsewhere is one of the replica in its region


def set_global_table(clients: Any, before: Model, model: Model) -> None:
    """The settings of the replica of this region."""
    new = _as_table(clients, model)
    set_table(clients, _as_table(clients, before) if before else {}, new)
    if not before:
        tags.set_by("dynamodb", "ResourceArn", "Arn")(clients, {}, new)


def change_global_table(clients: Any, before: Model, model: Model) -> None:
    """What ``UpdateTable`` changes.

    Raises:
        ValueError: Another region is to have the table, or something only a new one can have.
    """
    new, old = (
        {str(one["Region"]) for one in each.get("Replicas") or []} for each in (model, before)
    )
    if new != old:
        raise ValueError(
            "AWS::DynamoDB::GlobalTable: the regions of Replicas cannot be changed here: give the"
            " table another TableName, or the resource another logical id"
        )
    table = _as_table(clients, model)
    change_table(clients, _as_table(clients, before), table)
    model |= {name: table[name] for name in ("StreamArn",) if name in table}


def _as_table(clients: Any, model: Model) -> Model:
    region = clients.dynamodb.meta.region_name
    replicas = [one for one in model.get("Replicas") or [] if one.get("Region") == region]
    names = (_RECOVERY, "DeletionProtectionEnabled", "Tags")
    own = {name: one[name] for one in replicas for name in names if name in one}
    return {name: value for name, value in model.items() if name != "Replicas"} | own
