"""Settings of REST APIs and their stages that LocalStack's types leave out or do not change.

AWS topics: AWS CloudFormation Template Reference Guide, "AWS::ApiGateway::RestApi" and
"AWS::ApiGateway::Stage"; API Gateway API Reference, "Patch Operations".
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from trigger_stack.localstack.cloudformation import tags

type Model = dict[str, Any]
type Patch = dict[str, str]

#: The properties of an API with one value, each with its path, and what it is by default.
_OF_API = {
    "ApiKeySourceType": ("/apiKeySource", "HEADER"),
    "Description": ("/description", ""),
    "DisableExecuteApiEndpoint": ("/disableExecuteApiEndpoint", "false"),
    "MinimumCompressionSize": ("/minimumCompressionSize", ""),
    "Name": ("/name", None),
    "Policy": ("/policy", ""),
}
#: The settings of every method.
_ALL = "*/*"
#: The properties of a setting of methods, each with its path behind the method's.
_OF_METHODS = {
    "CacheDataEncrypted": "caching/dataEncrypted",
    "CacheTtlInSeconds": "caching/ttlInSeconds",
    "CachingEnabled": "caching/enabled",
    "DataTraceEnabled": "logging/dataTrace",
    "LoggingLevel": "logging/loglevel",
    "MetricsEnabled": "metrics/enabled",
    "ThrottlingBurstLimit": "throttling/burstLimit",
    "ThrottlingRateLimit": "throttling/rateLimit",
}


def text(value: Any) -> str:
    """A value as a patch operation has it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value) if isinstance(value, dict) else str(value)


def replaced(before: Model, model: Model, paths: dict[str, tuple[str, str | None]]) -> list[Patch]:
    """Patches for properties with one value.

    Args:
        before: The properties before.
        model: The properties now.
        paths: By property, its path and what it is by default; None: it cannot be gone.
    """
    return [
        {"op": "replace", "path": path, "value": str(default) if value is None else text(value)}
        for name, (path, default) in paths.items()
        if (value := model.get(name)) != before.get(name)
        and not (value is None and default is None)
    ]


def set_api(clients: Any, before: Model, model: Model) -> None:
    """Where a new API looks for the key: LocalStack has another name for the property."""
    if not before and model.get("ApiKeySourceType"):
        key = {"ApiKeySourceType": _OF_API["ApiKeySourceType"]}
        _patch_api(clients, model, replaced({}, model, key))


def change_api(clients: Any, before: Model, model: Model) -> None:
    """The definition of an API, and its settings."""
    if model.get("Body") != before.get("Body") and model.get("Body"):
        clients.apigateway.put_rest_api(
            restApiId=model["RestApiId"],
            mode="overwrite" if model.get("Mode") != "merge" else "merge",
            body=json.dumps(model["Body"]),
        )
    patches = replaced(before, model, _OF_API)
    types, old = ({*(one.get("BinaryMediaTypes") or [])} for one in (model, before))
    for operation, names in (("remove", old - types), ("add", types - old)):
        patches += [
            {"op": operation, "path": f"/binaryMediaTypes/{_escaped(name)}"}
            for name in sorted(names)
        ]
    _patch_api(clients, model, patches)


def _patch_api(clients: Any, model: Model, patches: list[Patch]) -> None:
    if patches:
        clients.apigateway.update_rest_api(restApiId=model["RestApiId"], patchOperations=patches)


def _escaped(path: str) -> str:
    """As a part of another path (JSON Pointer)."""
    return path.replace("~", "~0").replace("/", "~1")


def set_stage(clients: Any, before: Model, model: Model) -> None:
    """The settings of a new stage's methods; a change of one has them."""
    if not before:
        _patch_stage(clients, model, method_patches(before, model))


def change_stage(clients: Any, before: Model, model: Model) -> None:
    """The deployment that a stage serves, its variables, its log and its methods' settings."""
    patches = replaced(
        before,
        model,
        {
            "CacheClusterEnabled": ("/cacheClusterEnabled", "false"),
            "CacheClusterSize": ("/cacheClusterSize", None),
            "DeploymentId": ("/deploymentId", None),
            "Description": ("/description", ""),
            "DocumentationVersion": ("/documentationVersion", None),
            "TracingEnabled": ("/tracingEnabled", "false"),
        },
    )
    variables, old = model.get("Variables") or {}, before.get("Variables") or {}
    patches += [
        {"op": "replace", "path": f"/variables/{name}", "value": value}
        for name, value in variables.items()
        if value != old.get(name)
    ]
    patches += [{"op": "remove", "path": f"/variables/{name}"} for name in old.keys() - variables]
    log = model.get("AccessLogSetting") or {}
    if log != (before.get("AccessLogSetting") or {}):
        patches += [
            {
                "op": "replace",
                "path": f"/accessLogSettings/{name[0].lower()}{name[1:]}",
                "value": value,
            }
            for name, value in log.items()
        ] or [{"op": "remove", "path": "/accessLogSettings"}]
    _patch_stage(clients, model, patches + method_patches(before, model))


def _patch_stage(clients: Any, model: Model, patches: list[Patch]) -> None:
    """LocalStack does nothing of a request that follows the removal of all methods' settings."""
    alone = [one for one in patches if (one["op"], one["path"]) == ("remove", f"/{_ALL}")]
    for some in ([one for one in patches if one not in alone], alone):
        if some:
            clients.apigateway.update_stage(
                restApiId=model["RestApiId"], stageName=model["StageName"], patchOperations=some
            )


def method_patches(before: Model, model: Model) -> list[Patch]:
    """What sets the throttling, logs and caches of a stage's methods, and unsets what is gone."""
    new, old = (
        {_method(one): one for one in each.get("MethodSettings") or []} for each in (model, before)
    )
    patches = [
        {"op": "replace", "path": f"/{method}/{path}", "value": text(setting[name])}
        for method, setting in new.items()
        for name, path in _OF_METHODS.items()
        if name in setting and setting[name] != old.get(method, {}).get(name)
    ]
    return patches + [patch for gone in sorted(old.keys() - new) for patch in _unset(gone)]


def _unset(method: str) -> list[Patch]:
    """What takes the settings of one method away, or those of all.

    LocalStack removes those of all alone; a limit of -1 is none, so that those of all hold.
    """
    if method == _ALL:
        return [{"op": "remove", "path": f"/{method}"}]
    return [
        {"op": "replace", "path": f"/{method}/throttling/burstLimit", "value": "-1"},
        {"op": "replace", "path": f"/{method}/throttling/rateLimit", "value": "-1"},
    ]


def _method(setting: Model) -> str:
    """``*/*`` or ``~1pets/GET``: the method of a setting, as a path has it."""
    path = setting.get("ResourcePath") or "/*"
    name = "*" if path == "/*" else _escaped(path)
    return f"{name}/{setting.get('HttpMethod') or '*'}"


def delete_method(clients: Any, before: Model) -> None:
    """Make room for a method that is put anew; what a stage serves stays as it was deployed."""
    client = clients.apigateway
    names = {"restApiId": "RestApiId", "resourceId": "ResourceId", "httpMethod": "HttpMethod"}
    with suppress(client.exceptions.NotFoundException):
        client.delete_method(**{name: before[key] for name, key in names.items()})


def change_usage_plan(clients: Any, before: Model, model: Model) -> None:
    """The stages, the limits and the name of a usage plan.

    Raises:
        ValueError: A stage has other limits of its methods, which LocalStack does not change.
    """
    new, old = (
        {_served(one): one for one in map(_as_in_a_template, each.get("ApiStages") or [])}
        for each in (model, before)
    )
    limits = {key: one["Throttle"] for key, one in new.items() if one.get("Throttle")}
    if limits != {key: one["Throttle"] for key, one in old.items() if one.get("Throttle")}:
        raise ValueError("AWS::ApiGateway::UsagePlan: Throttle of ApiStages cannot be changed here")
    patches = [
        {"op": operation, "path": "/apiStages", "value": stage}
        for operation, stages in (("remove", old.keys() - new), ("add", new.keys() - old))
        for stage in sorted(stages)
    ]
    for name in ("Quota", "Throttle"):
        wanted, former = (_as_in_a_template(one.get(name) or {}) for one in (model, before))
        path = f"/{name.lower()}"
        if former and not wanted:
            patches.append({"op": "remove", "path": path})
        patches += [
            {"op": "replace", "path": f"{path}/{key[0].lower()}{key[1:]}", "value": text(value)}
            for key, value in wanted.items()
            if value != former.get(key)
        ]
    paths = {"Description": ("/description", ""), "UsagePlanName": ("/name", None)}
    patches += replaced(before, model, paths)
    if patches:
        clients.apigateway.update_usage_plan(usagePlanId=model["Id"], patchOperations=patches)
    region = clients.apigateway.meta.region_name
    arn = f"arn:aws:apigateway:{region}::/usageplans/{model['Id']}"
    step = tags.set_by_name("apigateway", "resourceArn", "Arn")
    step(clients, _with_tags(before), _with_tags(model) | {"Arn": arn})


def _with_tags(model: Model) -> Model:
    return {"Tags": [_as_in_a_template(one) for one in model.get("Tags") or []]}


def _as_in_a_template(value: Model) -> Model:
    """LocalStack keeps what it has passed on, with the API's small letters."""
    return {f"{key[0].upper()}{key[1:]}": one for key, one in value.items()}


def _served(stage: Model) -> str:
    return f"{stage['ApiId']}:{stage['Stage']}"
