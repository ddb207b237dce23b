"""``bootstrap fire-table``: the stream of a table by hand."""

from __future__ import annotations

import base64
import json
import uuid
from typing import Any

from botocore.exceptions import ClientError

from bootstrap.console import out
from bootstrap.errors import WrongUseError
from bootstrap.services.base import found
from bootstrap.settings import Settings

#: An account may have many tables.
_SHOWN = 20
_MARK = "fire"


def fire(name: str, item: str) -> None:
    """Create, change and remove an item of a table: three records on its stream.

    The key begins with ``fire-``, so that its traces are recognised; nothing stays in the table.

    Args:
        name: of the table.
        item: a JSON object, attributes in DynamoDB's JSON that the item is to have.

    Raises:
        WrongUseError: there is no such table, it has no stream, the item is none, or there
            already is an item with its key.
    """
    dynamodb = Settings.from_environment().client("dynamodb")
    described = found(
        lambda: dynamodb.describe_table(TableName=name),
        *("ResourceNotFoundException", "ValidationException"),
    )
    if described is None:
        pages = dynamodb.get_paginator("list_tables").paginate()
        names = [one for page in pages for one in page["TableNames"]]
        known = ", ".join([*names[:_SHOWN], *(["…"] if len(names) > _SHOWN else [])]) or "none"
        raise WrongUseError(f"TABLE={name}: no such table. There are: {known}.")
    table = described["Table"]
    if not table.get("StreamSpecification", {}).get("StreamEnabled"):
        raise WrongUseError(f"TABLE={name}: it has no stream, so that a change fires nobody.")
    given = _parsed(item)
    key = {part: given.get(part, value) for part, value in _key(table).items()}
    created = {**given, **key}
    names_of_key = {f"#{index}": part for index, part in enumerate(key)}
    try:
        dynamodb.put_item(
            TableName=name,
            Item=created,
            ConditionExpression=" AND ".join(f"attribute_not_exists({n})" for n in names_of_key),
            ExpressionAttributeNames=names_of_key,
        )
        try:
            dynamodb.put_item(TableName=name, Item={**created, "changedByHand": {"BOOL": True}})
        finally:
            dynamodb.delete_item(TableName=name, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
            raise WrongUseError(
                f"TABLE={name}: there is an item with the key {_shown(key)}; it stays as it is."
                " Give ITEM another key, or none."
            ) from None
        raise WrongUseError(f"TABLE={name}: {error.response['Error']['Message']}") from error
    out.print(
        f"{name}: item {_shown(key)} created, changed and removed: three records on its stream",
        markup=False,
    )


def _key(table: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """A key that nobody else has, in DynamoDB's JSON."""
    types = {one["AttributeName"]: one["AttributeType"] for one in table["AttributeDefinitions"]}
    unique = uuid.uuid4()
    values: dict[str, Any] = {
        "S": f"{_MARK}-{unique.hex[:12]}",
        "N": str(unique.int % 10**12),
        "B": f"{_MARK}-{unique.hex[:12]}".encode(),
    }
    return {
        one["AttributeName"]: {types[one["AttributeName"]]: values[types[one["AttributeName"]]]}
        for one in table["KeySchema"]
    }


def _parsed(text: str) -> dict[str, dict[str, Any]]:
    try:
        item = json.loads(text)
    except ValueError as error:
        raise WrongUseError(f"ITEM={text}: no JSON: {error}.") from None
    if not isinstance(item, dict) or not all(
        isinstance(one, dict) and len(one) == 1 for one in item.values()
    ):
        raise WrongUseError(
            f'ITEM={text}: write attributes in DynamoDB\'s JSON: {{"name": {{"S": "Acme"}}}}.'
        )
    return {name: _attribute(value) for name, value in item.items()}


def _attribute(value: dict[str, Any]) -> dict[str, Any]:
    """Bytes are Base64 in JSON, and bytes for the client."""
    (kind, content), *_ = value.items()
    return {kind: base64.b64decode(content)} if kind == "B" else value


def _shown(key: dict[str, Any]) -> str:
    return json.dumps({n: next(iter(value.values())) for n, value in key.items()}, default=repr)
