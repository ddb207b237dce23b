"""AWS Lambda: aliases, and who else may use the versions of a layer.

AWS topics: AWS CloudFormation Template Reference Guide, "AWS::Lambda::Alias" and
"AWS::Lambda::LayerVersionPermission".
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from bootstrap.services import shapes
from bootstrap.services.base import (
    Context,
    Key,
    Outcome,
    Properties,
    ResourceType,
    found,
    gone,
    outcome_of,
)
from bootstrap.services.waiting import until_true
from bootstrap.template import Physical

_GONE = "ResourceNotFoundException"
_NO_PROVISIONED = ("ProvisionedConcurrencyConfigNotFoundException", _GONE)


def _alias(context: Context, logical_id: str, properties: Properties) -> tuple[Outcome, Physical]:
    client = context.client("lambda")
    identity = {key: properties[key] for key in ("FunctionName", "Name")}
    wanted = {
        "FunctionVersion": str(properties["FunctionVersion"]),
        "Description": properties.get("Description", ""),
        "RoutingConfig": {"AdditionalVersionWeights": _weights(properties)},
    }
    existing = found(lambda: client.get_alias(**identity), _GONE)
    if existing is None:
        existing = client.create_alias(**identity, **wanted)
        created, different = True, False
    else:
        actual = {
            "FunctionVersion": existing["FunctionVersion"],
            "Description": existing.get("Description") or "",
            "RoutingConfig": {
                "AdditionalVersionWeights": (existing.get("RoutingConfig") or {}).get(
                    "AdditionalVersionWeights", {}
                )
            },
        }
        created, different = False, actual != wanted
        if different:
            client.update_alias(**identity, **wanted)
    place = {"FunctionName": properties["FunctionName"], "Qualifier": properties["Name"]}
    provisioned = _provisioned(client, place, properties, new=created, moved=different)
    return outcome_of(created, different, provisioned), Physical(existing["AliasArn"])


def _weights(properties: Properties) -> dict[str, float]:
    listed = properties.get("RoutingConfig", {}).get("AdditionalVersionWeights", [])
    return {str(one["FunctionVersion"]): float(one["FunctionWeight"]) for one in listed}


def _provisioned(
    client: Any, place: dict[str, str], properties: Properties, *, new: bool, moved: bool
) -> bool:
    """Make the alias have the provisioned concurrency that is described, or none.

    Args:
        new: whether the alias was made just now, without any.
        moved: whether it points to another version, which then needs environments of its own.
    """
    config = properties.get("ProvisionedConcurrencyConfig", {})
    wanted = int(config.get("ProvisionedConcurrentExecutions", 0))
    get = client.get_provisioned_concurrency_config
    current = None if new else found(lambda: get(**place), *_NO_PROVISIONED)
    requested = int((current or {}).get("RequestedProvisionedConcurrentExecutions", 0))
    if wanted == requested and not (wanted and moved):
        return False
    if wanted:
        client.put_provisioned_concurrency_config(**place, ProvisionedConcurrentExecutions=wanted)
        _wait_until_provisioned(client, place)
    else:
        client.delete_provisioned_concurrency_config(**place)
    return True


@until_true(130)
def _wait_until_provisioned(client: Any, place: dict[str, str]) -> bool:
    """Wait until the environments are there, or cannot be (decorated: called until then).

    Raises:
        RuntimeError: they cannot.
    """
    answer = client.get_provisioned_concurrency_config(**place)
    if answer["Status"] == "FAILED":
        raise RuntimeError(
            f"the provisioned concurrency of {place['FunctionName']}:{place['Qualifier']} failed:"
            f" {answer.get('StatusReason', 'no reason is given')}"
        )
    return bool(answer["Status"] == "READY")


def _alias_keys(logical_id: str, properties: Properties, physical: Physical) -> list[Key]:
    return [{"FunctionName": properties["FunctionName"], "Name": properties["Name"]}]


def _remove_alias(context: Context, key: Key) -> bool:
    client = context.client("lambda")
    if found(lambda: client.get_alias(**key), _GONE) is None:
        return False  # DeleteAlias answers the same whether there was one
    return gone(lambda: client.delete_alias(**key), _GONE)


def _layer_permission(
    context: Context, logical_id: str, properties: Properties
) -> tuple[Outcome, Physical]:
    client = context.client("lambda")
    layer = _layer(properties["LayerVersionArn"])
    statement = _statement_id(logical_id, properties)
    answer = found(lambda: client.get_layer_version_policy(**layer), _GONE)
    statements = json.loads(answer["Policy"])["Statement"] if answer else []
    ref = f"{properties['LayerVersionArn']}#{statement}"
    if any(one["Sid"] == statement for one in statements):
        return Outcome.UNCHANGED, Physical(ref, {"Id": ref})
    given = {key: value for key, value in properties.items() if key != "LayerVersionArn"}
    client.add_layer_version_permission(**layer, StatementId=statement, **given)
    return Outcome.CREATED, Physical(ref, {"Id": ref})


def _layer(arn: str) -> dict[str, Any]:
    """The arguments that name a version of a layer, for its ARN."""
    name, _, version = arn.rpartition(":")
    return {"LayerName": name, "VersionNumber": int(version or 0)}


def _statement_id(logical_id: str, properties: Properties) -> str:
    """An id that says what the statement allows: Lambda changes none, and other ones are new."""
    text = json.dumps(properties, sort_keys=True)
    digest = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
    return f"{logical_id[:60]}-{digest}"


def _layer_permission_keys(
    logical_id: str, properties: Properties, physical: Physical
) -> list[Key]:
    layer, _, statement = physical.ref.partition("#")
    return [{"LayerVersionArn": layer, "StatementId": statement}]


def _remove_layer_permission(context: Context, key: Key) -> bool:
    client = context.client("lambda")
    place = {**_layer(key["LayerVersionArn"]), "StatementId": key["StatementId"]}
    return gone(lambda: client.remove_layer_version_permission(**place), _GONE)


RESOURCE_TYPES = {
    "AWS::Lambda::Alias": ResourceType(
        _alias,
        shapes.all_as_aws("FunctionName", "FunctionVersion", "Name"),
        shapes.all_as_aws("Description", "ProvisionedConcurrencyConfig", "RoutingConfig"),
        keys=_alias_keys,
        remove=_remove_alias,
    ),
    "AWS::Lambda::LayerVersionPermission": ResourceType(
        _layer_permission,
        shapes.all_as_aws("Action", "LayerVersionArn", "Principal"),
        shapes.all_as_aws("OrganizationId"),
        keys=_layer_permission_keys,
        remove=_remove_layer_permission,
    ),
}
