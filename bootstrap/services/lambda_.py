"""AWS Lambda: functions, layers, permissions, event source mappings, asynchronous invocation."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from bootstrap import builds
from bootstrap.services import shapes
from bootstrap.services.base import (
    Context,
    Key,
    Outcome,
    Properties,
    ReplacementError,
    ResourceType,
    found,
    gone,
    outcome_of,
    subset,
)
from bootstrap.services.waiting import pause, until_true
from bootstrap.template import Physical

_GONE = "ResourceNotFoundException"
#: Of a statement in a policy of a function.
_LONGEST_STATEMENT_ID = 100
#: The settings of a function, each with what Lambda uses when the definition has it no longer.
_DEFAULTS: dict[str, Any] = {
    "DeadLetterConfig": {"TargetArn": ""},
    "Description": "",
    "Environment": {"Variables": {}},
    "EphemeralStorage": {"Size": 512},
    "Layers": [],
    "MemorySize": 128,
    "Timeout": 3,
}
_CONFIGURATION = ("Handler", "Runtime", "Role", *_DEFAULTS)
_ARCHITECTURES = ["x86_64"]


class FunctionFailedError(RuntimeError):
    """The function exists but cannot run."""


def _layer(context: Context, logical_id: str, properties: Properties) -> tuple[Outcome, Physical]:
    client = context.client("lambda")
    name = properties["LayerName"]
    archive = builds.layer_archive(properties["Content"])
    sha256 = context.packages[logical_id] = builds.sha256(archive)
    versions = client.list_layer_versions(LayerName=name)["LayerVersions"]
    if versions:
        latest = max(versions, key=lambda version: int(version["Version"]))
        current = client.get_layer_version(LayerName=name, VersionNumber=latest["Version"])
        if current["Content"]["CodeSha256"] == sha256 and _same_layer(properties, current):
            return Outcome.UNCHANGED, Physical(latest["LayerVersionArn"])
    request = {k: v for k, v in properties.items() if k != "Content"}
    made = client.publish_layer_version(Content={"ZipFile": archive}, **request)
    outcome = Outcome.CHANGED if versions else Outcome.CREATED
    return outcome, Physical(made["LayerVersionArn"])


def _same_layer(wanted: Properties, actual: dict[str, Any]) -> bool:
    return wanted.get("Description", "") == actual.get("Description", "") and all(
        sorted(wanted.get(key, [])) == sorted(actual.get(key) or [])
        for key in ("CompatibleRuntimes", "CompatibleArchitectures")
    )


def _archive(name: str, code: dict[str, Any]) -> bytes:
    """The deployment package."""
    archive = builds.function_archive(code)
    if archive is None:
        raise FunctionFailedError(f"package.patterns pick no file for {name}")
    return archive


def _function(
    context: Context, logical_id: str, properties: Properties
) -> tuple[Outcome, Physical]:
    client = context.client("lambda")
    name = properties["FunctionName"]
    archive = _archive(name, properties["Code"])
    context.packages[logical_id] = builds.sha256(archive)
    wanted = _DEFAULTS | {key: properties[key] for key in _CONFIGURATION if key in properties}
    architectures = properties.get("Architectures", _ARCHITECTURES)
    tags = {tag["Key"]: tag["Value"] for tag in properties.get("Tags", [])}
    existing = found(lambda: client.get_function(FunctionName=name), _GONE)
    changes: list[bool] = []
    if existing is None:
        client.create_function(
            FunctionName=name,
            Code={"ZipFile": archive},
            Architectures=architectures,
            **wanted,
            **({"Tags": tags} if tags else {}),
        )
    else:
        current = existing["Configuration"]
        changes = [
            _update_code(client, name, archive, architectures, current),
            _update_configuration(client, name, wanted, current),
            _update_tags(client, current["FunctionArn"], tags, existing.get("Tags", {})),
        ]
    configuration = existing["Configuration"] if existing else {"State": "Pending"}
    if any(changes) or configuration["State"] == "Failed" or not _settled(configuration):
        pause()  # it is never ready at once
        configuration = _wait(client, name)
    reserved = (existing or {}).get("Concurrency", {}).get("ReservedConcurrentExecutions")
    wanted_reserve = properties.get("ReservedConcurrentExecutions")
    changes.append(_reserve(client, name, wanted_reserve, reserved))
    return outcome_of(existing is None, *changes), Physical(
        name, {"Arn": configuration["FunctionArn"]}
    )


#: What makes two versions of a function different ones.
_PUBLISHED = (
    "Architectures", "CodeSha256", "DeadLetterConfig", "Environment", "EphemeralStorage", "Handler",
    "Layers", "LoggingConfig", "MemorySize", "Role", "Runtime", "Timeout", "TracingConfig",
    "VpcConfig",
)  # fmt: skip


def _version(context: Context, logical_id: str, properties: Properties) -> tuple[Outcome, Physical]:
    """Publish a version, unless the newest one is what the function is now (PublishVersion)."""
    client, name = context.client("lambda"), properties["FunctionName"]
    pages = client.get_paginator("list_versions_by_function").paginate(FunctionName=name)
    versions = {one["Version"]: one for page in pages for one in page["Versions"]}
    known = versions.keys()
    description = properties.get("Description")
    newest = max((int(one) for one in known if one.isdigit()), default=0)
    if newest:
        published = versions[str(newest)]
        same = all(published.get(key) == versions["$LATEST"].get(key) for key in _PUBLISHED)
        wanted = description or versions["$LATEST"].get("Description", "")
        if same and published.get("Description", "") == wanted:
            arn = published["FunctionArn"]
            return Outcome.UNCHANGED, Physical(arn, {"Version": str(newest)})
    made = client.publish_version(
        FunctionName=name, **({"Description": description} if description else {})
    )
    _wait_version(client, made["FunctionArn"])
    outcome = Outcome.UNCHANGED
    if made["Version"] not in known:
        outcome = Outcome.CHANGED if known - {"$LATEST"} else Outcome.CREATED
    return outcome, Physical(made["FunctionArn"], {"Version": made["Version"]})


def _wait_version(client: Any, arn: str) -> None:
    """Wait until a version can be invoked.

    Raises:
        FunctionFailedError: it cannot.
    """
    configuration = wait_until_settled(client, arn)
    if configuration["State"] == "Failed":
        raise FunctionFailedError(configuration.get("StateReason") or "the version failed")


def _update_code(
    client: Any, name: str, archive: bytes, architectures: list[str], current: dict[str, Any]
) -> bool:
    if current["CodeSha256"] == builds.sha256(archive) and architectures == current.get(
        "Architectures", _ARCHITECTURES
    ):
        return False
    client.update_function_code(FunctionName=name, ZipFile=archive, Architectures=architectures)
    _wait(client, name)
    return True


def _update_configuration(
    client: Any, name: str, wanted: dict[str, Any], current: dict[str, Any]
) -> bool:
    actual = {
        "DeadLetterConfig": _DEFAULTS["DeadLetterConfig"],
        **current,
        "Layers": [layer["Arn"] for layer in current.get("Layers", [])],
    }
    variables = current.get("Environment", {}).get("Variables", {})
    if (
        wanted["Environment"].get("Variables", {}) == variables
        and wanted["Layers"] == actual["Layers"]
        and wanted["Description"] == current.get("Description", "")
        and subset(wanted, actual)
    ):
        return False
    client.update_function_configuration(FunctionName=name, **wanted)
    return True


def _update_tags(client: Any, arn: str, wanted: dict[str, str], current: dict[str, str]) -> bool:
    stale = sorted(current.keys() - wanted.keys())
    new = {key: value for key, value in wanted.items() if current.get(key) != value}
    if stale:
        client.untag_resource(Resource=arn, TagKeys=stale)
    if new:
        client.tag_resource(Resource=arn, Tags=new)
    return bool(stale or new)


def _wait(client: Any, name: str) -> dict[str, Any]:
    """Wait until the function can be invoked.

    Raises:
        FunctionFailedError: it went to state ``Failed``; the message is Lambda's reason.
    """
    configuration: dict[str, Any] = wait_until_settled(client, name)
    if configuration["State"] == "Failed":
        raise FunctionFailedError(configuration.get("StateReason") or "the function failed")
    return configuration


@until_true(120)  # the first Node.js function waits for npm: 2 x 50 s at most
def wait_until_settled(client: Any, name: str) -> Any:
    """The function's configuration once nothing is pending (decorated: called until then)."""
    configuration: dict[str, Any] = client.get_function_configuration(FunctionName=name)
    return configuration if _settled(configuration) else None


def _settled(configuration: dict[str, Any]) -> bool:
    pending = configuration["State"] == "Pending"
    return not pending and configuration.get("LastUpdateStatus") != "InProgress"


def _reserve(client: Any, name: str, wanted: int | None, current: int | None) -> bool:
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
    statement = statement_id(logical_id)
    request = {**properties, "StatementId": statement}
    policy = found(lambda: client.get_policy(FunctionName=function), "ResourceNotFoundException")
    statements = json.loads(policy["Policy"])["Statement"] if policy else []
    existing = next((s for s in statements if s["Sid"] == statement), None)
    if existing is None:
        client.add_permission(**request)
        return Outcome.CREATED, Physical(logical_id)
    if _same_permission(properties, existing):
        return Outcome.UNCHANGED, Physical(logical_id)
    client.remove_permission(FunctionName=function, StatementId=statement)
    client.add_permission(**request)
    return Outcome.CHANGED, Physical(logical_id)


def statement_id(name: str) -> str:
    """The id of a permission's statement: its name, or what fits of a name that is too long.

    AWS topic: Lambda API Reference, "AddPermission": 100 characters at most.
    """
    if len(name) <= _LONGEST_STATEMENT_ID:
        return name
    digest = hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()
    return f"{name[:44]}-{digest}-{name[-22:]}"


def _same_permission(wanted: Properties, statement: dict[str, Any]) -> bool:
    conditions = [
        value for operator in statement.get("Condition", {}).values() for value in operator.values()
    ]
    principal = statement["Principal"]
    return (
        statement["Action"] == wanted["Action"]
        and (principal == wanted["Principal"] or wanted["Principal"] in principal.values())
        and sorted(conditions)
        == sorted(_as_text(wanted[key]) for key in _CONDITIONS if key in wanted)
    )


#: The properties of a permission that are conditions of its statement.
_CONDITIONS = ("SourceArn", "SourceAccount", "FunctionUrlAuthType", "InvokedViaFunctionUrl")


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _url(context: Context, logical_id: str, properties: Properties) -> tuple[Outcome, Physical]:
    client = context.client("lambda")
    identity = _url_identity(properties)
    wanted = {
        "AuthType": properties["AuthType"],
        "Cors": properties.get("Cors", {}),
        "InvokeMode": properties.get("InvokeMode", "BUFFERED"),
    }
    existing = found(lambda: client.get_function_url_config(**identity), _GONE)
    if existing is None:
        made = client.create_function_url_config(**identity, **wanted)
        return Outcome.CREATED, _made_url(made)
    actual = {key: existing.get(key) or default for key, default in _URL_DEFAULTS.items()}
    if wanted == actual:
        return Outcome.UNCHANGED, _made_url(existing)
    return Outcome.CHANGED, _made_url(client.update_function_url_config(**identity, **wanted))


_URL_DEFAULTS: dict[str, Any] = {"AuthType": "NONE", "Cors": {}, "InvokeMode": "BUFFERED"}


def _url_identity(properties: Properties) -> dict[str, str]:
    identity = {"FunctionName": properties["TargetFunctionArn"]}
    if "Qualifier" in properties:
        identity["Qualifier"] = properties["Qualifier"]
    return identity


def _made_url(config: dict[str, Any]) -> Physical:
    attributes = {"FunctionArn": config["FunctionArn"], "FunctionUrl": config["FunctionUrl"]}
    return Physical(config["FunctionArn"], attributes)


def _url_keys(logical_id: str, properties: Properties, physical: Physical) -> list[Key]:
    return [_url_identity(properties)]


def _remove_url(context: Context, key: Key) -> bool:
    return gone(lambda: context.client("lambda").delete_function_url_config(**key), _GONE)


#: What a mapping's setting goes back to when the definition no longer has it.
_MAPPING_DEFAULTS: dict[str, Any] = {
    "BisectBatchOnFunctionError": False,
    "DestinationConfig": {"OnFailure": {}},
    "Enabled": True,
    "FilterCriteria": {"Filters": []},
    "FunctionResponseTypes": [],
    "MaximumBatchingWindowInSeconds": 0,
    "MaximumRecordAgeInSeconds": -1,
    "MaximumRetryAttempts": -1,
    "ParallelizationFactor": 1,
    "ScalingConfig": {},
    "TumblingWindowInSeconds": 0,
}
#: The settings of a mapping that no update can change.
_MAPPING_FIXED = ("EventSourceArn", "StartingPosition", "StartingPositionTimestamp")


def _mapping(context: Context, logical_id: str, properties: Properties) -> tuple[Outcome, Physical]:
    client = context.client("lambda")
    source, function = properties["EventSourceArn"], properties["FunctionName"]
    mappings = client.list_event_source_mappings(EventSourceArn=source, FunctionName=function)
    existing = next(iter(mappings["EventSourceMappings"]), None)
    if existing is None:
        made = client.create_event_source_mapping(**properties)
        return Outcome.CREATED, Physical(made["UUID"])
    identity = existing["UUID"]
    position = properties.get("StartingPosition")
    if position != existing.get("StartingPosition"):
        raise ReplacementError(
            f"the event source mapping of {source} and {function} exists with the starting position"
            f" {existing.get('StartingPosition')}, which cannot be changed to {position}. Delete it"
            f" with: awslocal lambda delete-event-source-mapping --uuid {identity}"
        )
    enabled = existing["State"] in ("Enabled", "Enabling", "Creating", "Updating")
    actual = {**existing, "Enabled": enabled}
    # Lambda, "CreateEventSourceMapping": 10 messages of a queue, 100 records of a stream.
    defaults = {**_MAPPING_DEFAULTS, "BatchSize": 10 if ":sqs:" in source else 100}
    dropped = {
        key: value
        for key, value in defaults.items()
        if key not in properties and actual.get(key) is not None and not subset(actual[key], value)
    }
    fixed = ("FunctionName", *_MAPPING_FIXED)
    wanted = {k: v for k, v in properties.items() if k not in fixed}
    if not dropped and subset(wanted, actual):
        return Outcome.UNCHANGED, Physical(identity)
    change = {k: v for k, v in properties.items() if k not in _MAPPING_FIXED}
    client.update_event_source_mapping(UUID=identity, **dropped, **change)
    return Outcome.CHANGED, Physical(identity)


def _invoke_config(
    context: Context, logical_id: str, properties: Properties
) -> tuple[Outcome, Physical]:
    client = context.client("lambda")
    identity = {"FunctionName": properties["FunctionName"], "Qualifier": properties["Qualifier"]}
    wanted = {k: v for k, v in properties.items() if k not in identity}
    existing = found(lambda: client.get_function_event_invoke_config(**identity), _GONE)
    if existing is not None and _invocation(wanted) == _invocation(existing):
        return Outcome.UNCHANGED, Physical(logical_id)
    client.put_function_event_invoke_config(**identity, **wanted)
    return outcome_of(existing is None, True), Physical(logical_id)


def _invocation(config: dict[str, Any]) -> tuple[Any, ...]:
    """The values of a configuration of asynchronous invocation, with Lambda's defaults."""
    destinations = config.get("DestinationConfig", {})
    retries = config.get("MaximumRetryAttempts")
    return (
        destinations.get("OnSuccess", {}).get("Destination"),
        destinations.get("OnFailure", {}).get("Destination"),
        int(config.get("MaximumEventAgeInSeconds") or 21_600),
        2 if retries is None else int(retries),
    )


def _function_exists(context: Context, key: Key) -> bool:
    client = context.client("lambda")
    return found(lambda: client.get_function(FunctionName=key["Ref"]), _GONE) is not None


def _layer_keys(logical_id: str, properties: Properties, physical: Physical) -> list[Key]:
    """Nothing: earlier versions stay, as on AWS, because something may use them."""
    return []


def _permission_keys(logical_id: str, properties: Properties, physical: Physical) -> list[Key]:
    statement = statement_id(logical_id)
    return [{"FunctionName": properties["FunctionName"], "StatementId": statement}]


def _remove_permission(context: Context, key: Key) -> bool:
    return gone(lambda: context.client("lambda").remove_permission(**key), _GONE)


def _mapping_keys(logical_id: str, properties: Properties, physical: Physical) -> list[Key]:
    return [{"UUID": physical.ref}]


def _remove_mapping(context: Context, key: Key) -> bool:
    client = context.client("lambda")
    removed = gone(lambda: client.delete_event_source_mapping(**key), _GONE)
    _wait_until_unmapped(client, key["UUID"])
    return removed


@until_true(120)  # the first Node.js function waits for npm: 2 x 50 s at most
def _wait_until_unmapped(client: Any, uuid: str) -> bool:
    """Wait until a deleted mapping no longer reads its source (decorated: called until then)."""
    return found(lambda: client.get_event_source_mapping(UUID=uuid), _GONE) is None


def _invoke_config_keys(logical_id: str, properties: Properties, physical: Physical) -> list[Key]:
    return [{"FunctionName": properties["FunctionName"], "Qualifier": properties["Qualifier"]}]


def _remove_invoke_config(context: Context, key: Key) -> bool:
    client = context.client("lambda")
    return gone(lambda: client.delete_function_event_invoke_config(**key), _GONE)


#: AWS Lambda, "CreateFunction": of a name without the rest of an ARN.
_LONGEST_NAME = 64


def _function_name(value: Any) -> shapes.Problems:
    length = len(value) if isinstance(value, str) else 0
    if length <= _LONGEST_NAME:
        return ()
    what = f"must have {_LONGEST_NAME} characters or fewer, not {length}: “{value}”"
    return (shapes.Finding(what),)


_TEXTS = shapes.list_of(shapes.text)
_DESTINATION = shapes.mapping({"Destination": shapes.text})

RESOURCE_TYPES = {
    "AWS::Lambda::LayerVersion": ResourceType(
        _layer,
        {
            **shapes.all_as_aws("LayerName"),
            "Content": shapes.mapping(
                {}, {"Folder": shapes.text, "Requirements": shapes.any_mapping}
            ),
        },
        shapes.all_as_aws("Description", "CompatibleRuntimes", "CompatibleArchitectures"),
        keys=_layer_keys,
    ),
    "AWS::Lambda::Function": ResourceType(
        _function,
        {
            **shapes.all_as_aws("Handler", "Runtime", "Role"),
            "FunctionName": _function_name,
            "Code": shapes.mapping(
                {},
                {
                    "Archive": shapes.text,
                    "Root": shapes.text,
                    "Patterns": _TEXTS,
                    "Module": shapes.text,
                    "Requirements": shapes.any_mapping,
                    "TypeScript": shapes.text,
                    "Wsgi": shapes.any_mapping,
                },
            ),
        },
        {
            **shapes.all_as_aws(
                "Architectures",
                "Description",
                "EphemeralStorage",
                "Layers",
                "ReservedConcurrentExecutions",
            ),
            "DeadLetterConfig": shapes.mapping({"TargetArn": shapes.text}),
            "Environment": shapes.mapping({"Variables": shapes.mapping_of(shapes.text)}),
            "MemorySize": shapes.number(128, 10_240),
            "Tags": shapes.list_of(shapes.mapping({"Key": shapes.text, "Value": shapes.text})),
            "Timeout": shapes.number(1, 900),
        },
        exists=_function_exists,
        delete_with="lambda delete-function --function-name {Ref}",
        holds_data=False,
    ),
    "AWS::Lambda::Version": ResourceType(
        _version,
        shapes.all_as_aws("FunctionName"),
        shapes.all_as_aws("CodeSha256", "Description"),
        keys=_layer_keys,
    ),
    "AWS::Lambda::Permission": ResourceType(
        _permission,
        shapes.all_as_aws("FunctionName", "Action", "Principal"),
        shapes.all_as_aws("InvokedViaFunctionUrl", *_CONDITIONS),
        keys=_permission_keys,
        remove=_remove_permission,
    ),
    "AWS::Lambda::Url": ResourceType(
        _url,
        shapes.all_as_aws("AuthType", "TargetFunctionArn"),
        shapes.all_as_aws("Cors", "InvokeMode", "Qualifier"),
        keys=_url_keys,
        remove=_remove_url,
    ),
    "AWS::Lambda::EventSourceMapping": ResourceType(
        _mapping,
        shapes.all_as_aws("EventSourceArn", "FunctionName"),
        {
            **shapes.all_as_aws(
                "BatchSize",
                "BisectBatchOnFunctionError",
                "Enabled",
                "FunctionResponseTypes",
                "MaximumBatchingWindowInSeconds",
                "MaximumRecordAgeInSeconds",
                "MaximumRetryAttempts",
                "ParallelizationFactor",
                "StartingPositionTimestamp",
                "TumblingWindowInSeconds",
            ),
            "DestinationConfig": shapes.mapping({}, {"OnFailure": _DESTINATION}),
            "FilterCriteria": shapes.mapping(
                {"Filters": shapes.list_of(shapes.mapping({"Pattern": shapes.text}))}
            ),
            "ScalingConfig": shapes.mapping({"MaximumConcurrency": shapes.number(2, 1000)}),
            "StartingPosition": shapes.one_of("AT_TIMESTAMP", "LATEST", "TRIM_HORIZON"),
        },
        keys=_mapping_keys,
        remove=_remove_mapping,
    ),
    "AWS::Lambda::EventInvokeConfig": ResourceType(
        _invoke_config,
        shapes.all_as_aws("FunctionName", "Qualifier"),
        {
            **shapes.all_as_aws("DestinationConfig"),
            "MaximumEventAgeInSeconds": shapes.number(60, 21_600),
            "MaximumRetryAttempts": shapes.number(0, 2),
        },
        keys=_invoke_config_keys,
        remove=_remove_invoke_config,
    ),
}
