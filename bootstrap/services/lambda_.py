"""AWS Lambda: functions, layers, permissions, event source mappings, asynchronous invocation."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from tenacity import retry, retry_if_result, stop_after_delay, wait_fixed

from bootstrap.packaging import select, zip_files, zip_folder
from bootstrap.services.base import (
    Context,
    Outcome,
    Properties,
    ResourceType,
    found,
    subset,
)
from bootstrap.template import Physical

_CONFIGURATION = (
    "Handler",
    "Runtime",
    "MemorySize",
    "Timeout",
    "Role",
    "Environment",
    "Description",
    "EphemeralStorage",
)


class FunctionFailedError(RuntimeError):
    """The function exists but cannot run."""


def _sha256(archive: bytes) -> str:
    return base64.b64encode(hashlib.sha256(archive).digest()).decode()


def _layer(context: Context, logical_id: str, properties: Properties) -> tuple[Outcome, Physical]:
    client = context.client("lambda")
    name = properties["LayerName"]
    archive = zip_folder(Path(properties["Content"]["Folder"]))
    versions = client.list_layer_versions(LayerName=name)["LayerVersions"]
    if versions:
        latest = max(versions, key=lambda version: int(version["Version"]))
        current = client.get_layer_version(LayerName=name, VersionNumber=latest["Version"])
        if current["Content"]["CodeSha256"] == _sha256(archive):
            return Outcome.UNCHANGED, Physical(latest["LayerVersionArn"])
    request = {k: v for k, v in properties.items() if k != "Content"}
    made = client.publish_layer_version(Content={"ZipFile": archive}, **request)
    outcome = Outcome.CHANGED if versions else Outcome.CREATED
    return outcome, Physical(made["LayerVersionArn"])


def _function(
    context: Context, logical_id: str, properties: Properties
) -> tuple[Outcome, Physical]:
    client = context.client("lambda")
    name = properties["FunctionName"]
    root = Path(properties["Code"]["Root"])
    files = select(root, properties["Code"]["Patterns"])
    if not files:
        raise FunctionFailedError(f"package.patterns pick no file for {name}")
    archive = zip_files(root, files)
    wanted = {key: properties[key] for key in _CONFIGURATION if key in properties}
    wanted["Layers"] = properties.get("Layers", [])
    existing = found(lambda: client.get_function(FunctionName=name), "ResourceNotFoundException")
    if existing is None:
        tags = {tag["Key"]: tag["Value"] for tag in properties.get("Tags", [])}
        client.create_function(
            FunctionName=name,
            Code={"ZipFile": archive},
            **wanted,
            **({"Tags": tags} if tags else {}),
            **(
                {"Architectures": properties["Architectures"]}
                if "Architectures" in properties
                else {}
            ),
        )
        outcome = Outcome.CREATED
    else:
        outcome = _update(client, name, archive, wanted, existing["Configuration"])
    configuration = _wait(client, name)
    if _reserve(client, name, properties.get("ReservedConcurrentExecutions")) and (
        outcome is Outcome.UNCHANGED
    ):
        outcome = Outcome.CHANGED
    return outcome, Physical(name, {"Arn": configuration["FunctionArn"]})


def _update(
    client: Any, name: str, archive: bytes, wanted: dict[str, Any], current: dict[str, Any]
) -> Outcome:
    outcome = Outcome.UNCHANGED
    if current["CodeSha256"] != _sha256(archive):
        client.update_function_code(FunctionName=name, ZipFile=archive)
        _wait(client, name)
        outcome = Outcome.CHANGED
    actual = {**current, "Layers": [layer["Arn"] for layer in current.get("Layers", [])]}
    same_environment = wanted.get("Environment", {}).get("Variables", {}) == current.get(
        "Environment", {}
    ).get("Variables", {})
    if not same_environment or not subset(wanted, actual):
        client.update_function_configuration(FunctionName=name, **wanted)
        outcome = Outcome.CHANGED
    return outcome


def _wait(client: Any, name: str) -> dict[str, Any]:
    """Wait until the function can be invoked.

    Raises:
        FunctionFailedError: it went to state ``Failed``; the message is Lambda's reason.
    """
    configuration: dict[str, Any] = wait_until_settled(client, name)
    if configuration["State"] == "Failed":
        raise FunctionFailedError(configuration.get("StateReason") or "the function failed")
    return configuration


@retry(
    retry=retry_if_result(lambda configuration: configuration is None),
    wait=wait_fixed(0.05),  # boto3's own waiter sleeps a second; a function is ready in 50 ms
    stop=stop_after_delay(60),
)
def wait_until_settled(client: Any, name: str) -> Any:
    """The function's configuration once nothing is pending (decorated: called until then)."""
    configuration: dict[str, Any] = client.get_function_configuration(FunctionName=name)
    pending = configuration["State"] == "Pending"
    updating = configuration.get("LastUpdateStatus") == "InProgress"
    return None if pending or updating else configuration


def _reserve(client: Any, name: str, wanted: int | None) -> bool:
    current = client.get_function_concurrency(FunctionName=name).get("ReservedConcurrentExecutions")
    if current == wanted:
        return False
    if wanted is None:
        client.delete_function_concurrency(FunctionName=name)
    else:
        client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=wanted)
    return True


def _permission(
    context: Context, logical_id: str, properties: Properties
) -> tuple[Outcome, Physical]:
    client = context.client("lambda")
    function = properties["FunctionName"]
    request = {**properties, "StatementId": logical_id}
    policy = found(lambda: client.get_policy(FunctionName=function), "ResourceNotFoundException")
    statements = json.loads(policy["Policy"])["Statement"] if policy else []
    existing = next((s for s in statements if s["Sid"] == logical_id), None)
    if existing is None:
        client.add_permission(**request)
        return Outcome.CREATED, Physical(logical_id)
    if _same_permission(properties, existing):
        return Outcome.UNCHANGED, Physical(logical_id)
    client.remove_permission(FunctionName=function, StatementId=logical_id)
    client.add_permission(**request)
    return Outcome.CHANGED, Physical(logical_id)


def _same_permission(wanted: Properties, statement: dict[str, Any]) -> bool:
    conditions = [
        value for operator in statement.get("Condition", {}).values() for value in operator.values()
    ]
    principal = statement["Principal"]
    return (
        statement["Action"] == wanted["Action"]
        and (principal == wanted["Principal"] or wanted["Principal"] in principal.values())
        and sorted(conditions)
        == sorted(wanted[key] for key in ("SourceArn", "SourceAccount") if key in wanted)
    )


def _mapping(context: Context, logical_id: str, properties: Properties) -> tuple[Outcome, Physical]:
    client = context.client("lambda")
    source, function = properties["EventSourceArn"], properties["FunctionName"]
    mappings = client.list_event_source_mappings(EventSourceArn=source, FunctionName=function)
    existing = next(iter(mappings["EventSourceMappings"]), None)
    if existing is None:
        made = client.create_event_source_mapping(**properties)
        return Outcome.CREATED, Physical(made["UUID"])
    wanted = {k: v for k, v in properties.items() if k not in ("Enabled", "FunctionName")}
    enabled = existing["State"] in ("Enabled", "Enabling", "Creating", "Updating")
    if subset(wanted, existing) and enabled == properties.get("Enabled", True):
        return Outcome.UNCHANGED, Physical(existing["UUID"])
    change = {k: v for k, v in properties.items() if k != "EventSourceArn"}
    client.update_event_source_mapping(UUID=existing["UUID"], **change)
    return Outcome.CHANGED, Physical(existing["UUID"])


def _invoke_config(
    context: Context, logical_id: str, properties: Properties
) -> tuple[Outcome, Physical]:
    client = context.client("lambda")
    identity = {"FunctionName": properties["FunctionName"], "Qualifier": properties["Qualifier"]}
    wanted = {k: v for k, v in properties.items() if k not in identity}
    existing = found(
        lambda: client.get_function_event_invoke_config(**identity), "ResourceNotFoundException"
    )
    if existing is not None and subset(wanted, existing):
        return Outcome.UNCHANGED, Physical(logical_id)
    client.put_function_event_invoke_config(**identity, **wanted)
    return (Outcome.CREATED if existing is None else Outcome.CHANGED), Physical(logical_id)


RESOURCE_TYPES = {
    "AWS::Lambda::LayerVersion": ResourceType(
        _layer,
        frozenset({"LayerName", "Content"}),
        frozenset({"Description", "CompatibleRuntimes", "CompatibleArchitectures"}),
    ),
    "AWS::Lambda::Function": ResourceType(
        _function,
        frozenset({"FunctionName", "Code", "Handler", "Runtime", "Role"}),
        frozenset(
            {
                "Architectures",
                "Description",
                "Environment",
                "EphemeralStorage",
                "Layers",
                "MemorySize",
                "ReservedConcurrentExecutions",
                "Tags",
                "Timeout",
            }
        ),
    ),
    "AWS::Lambda::Permission": ResourceType(
        _permission,
        frozenset({"FunctionName", "Action", "Principal"}),
        frozenset({"SourceArn", "SourceAccount"}),
    ),
    "AWS::Lambda::EventSourceMapping": ResourceType(
        _mapping,
        frozenset({"EventSourceArn", "FunctionName"}),
        frozenset(
            {
                "BatchSize",
                "Enabled",
                "FilterCriteria",
                "FunctionResponseTypes",
                "MaximumBatchingWindowInSeconds",
                "ScalingConfig",
            }
        ),
    ),
    "AWS::Lambda::EventInvokeConfig": ResourceType(
        _invoke_config,
        frozenset({"FunctionName", "Qualifier"}),
        frozenset({"DestinationConfig", "MaximumEventAgeInSeconds", "MaximumRetryAttempts"}),
    ),
}
