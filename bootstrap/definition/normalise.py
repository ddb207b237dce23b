"""Brings what other projects write into the form that the model checks.

Keys that only matter for a deploy to AWS are taken out with a note; older spellings are written as
the framework reads them today. Nothing is taken out without a note.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from bootstrap.definition import constructs, requirements
from bootstrap.definition.document import Document, KeyPath

_DEPLOY: Final = "only matters for a deploy to AWS"
_ELSEWHERE: Final = "only matters to the Serverless Framework"
_TRACING: Final = "is not done here: no traces are sent"
_NETWORK: Final = "has no effect here: functions use this machine's network"
_KEYS: Final = "has no effect here: nothing is encrypted"
_ROLE: Final = "has no effect here: functions run with the role that the stack makes"

_TOP: Final = {
    **dict.fromkeys(
        (
            *("app", "org", "tenant", "console", "dashboard", "licenseKey", "outputs"),
            *(
                "disabledDeprecations",
                "deprecationNotificationMode",
                "enableLegacyDeploymentBucket",
            ),
            *("unresolvedVariablesNotificationMode", "variablesResolutionMode", "build"),
        ),
        _ELSEWHERE,
    ),
    "useDotenv": "is what the stack does in any case: it reads .env",
    "stepFunctions": "is not made: state machines are not part of the stack",
}
_PROVIDER: Final = {
    **dict.fromkeys(
        (
            *("cfnRole", "deploymentBucket", "deploymentMethod", "deploymentPrefix"),
            *("disableRollback", "enableLegacyDeploymentBucket", "lambdaHashingVersion"),
            *("notificationArns", "profile", "rollbackConfiguration", "stackName"),
            *("stackParameters", "stackPolicy", "stackTags", "versionFunctions"),
            *("runtimeManagement", "websocketsApiName"),
            *("websocketsApiRouteSelectionExpression", "websocketsDescription"),
        ),
        _DEPLOY,
    ),
    "ecr": "is not read: container images are not built here",
    **dict.fromkeys(("tracing",), _TRACING),
    **dict.fromkeys(("vpc", "vpcEndpointIds"), _NETWORK),
    **dict.fromkeys(("kmsKeyArn", "logDataProtectionPolicy"), _KEYS),
    **dict.fromkeys(("role", "iamManagedPolicies", "rolePermissionsBoundary"), _ROLE),
}
_FUNCTION: Final = {
    **dict.fromkeys(("tracing",), _TRACING),
    **dict.fromkeys(("vpc", "fileSystemConfig"), _NETWORK),
    **dict.fromkeys(("kmsKeyArn", "awsKmsKeyArn"), _KEYS),
    **dict.fromkeys(("role", "iamRoleStatements", "iamRoleStatementsInherit"), _ROLE),
    **dict.fromkeys(
        (
            *("versionFunction", "disableLogs", "runtimeManagement", "snapStart", "dependsOn"),
            *("logs", "provisionedConcurrency", "logDataProtectionPolicy"),
        ),
        _DEPLOY,
    ),
    **dict.fromkeys(("warmup", "prewarm", "alarms", "dashboard"), "belongs to a plugin"),
}
_API_GATEWAY: Final = {
    **dict.fromkeys(
        ("metrics", "stage", "websocketApiId", "websocketApiRouteSelectionExpression"), _DEPLOY
    ),
}
_LAYER: Final = dict.fromkeys(("licenseInfo", "allowedAccounts", "retain"), _DEPLOY)
_EXECUTION: Final = dict.fromkeys(
    ("level", "fullExecutionData", "role"), "has no effect here: there are no execution logs"
)
_LOGS: Final = dict.fromkeys(("lambda", "websocket", "frameworkLambda"), _DEPLOY)
_PACKAGE: Final = {"excludeDevDependencies": _ELSEWHERE, "path": _DEPLOY}
_ROLE_KEYS: Final = (
    *("name", "path", "managedPolicies", "permissionsBoundary", "permissionBoundary", "tags"),
)

_TYPESCRIPT: Final = "handlers in TypeScript are bundled with esbuild, with its default settings"
_BUNDLES: Final = (
    "handlers in TypeScript are bundled with esbuild, with its default settings; those in"
    " JavaScript run as they are"
)

#: What a plugin would have done, for those that change what functions are or get.
_PLUGINS: Final = {
    "serverless-webpack": _BUNDLES,
    "serverless-bundle": _BUNDLES,
    "serverless-esbuild": _BUNDLES,
    "serverless-plugin-typescript": _TYPESCRIPT,
    "@hewmen/serverless-plugin-typescript": _TYPESCRIPT,
    "serverless-iam-roles-per-function": "each function would have a role of its own",
    "serverless-step-functions": "it makes state machines, which are not part of the stack",
    "serverless-appsync-plugin": "it makes GraphQL APIs, which are not part of the stack",
    "serverless-apigw-binary": "use provider.apiGateway.binaryMediaTypes",
    "serverless-domain-manager": "custom domain names are not used here",
    "serverless-lift": "constructs of the types queue and storage are made here",
    "serverless-plugin-warmup": "it calls functions on a schedule to keep them warm",
    "serverless-finch": "it uploads a web site to a bucket",
    "serverless-s3-sync": "it uploads files to buckets",
    "serverless-dynamodb-local": "it starts a database of its own; the stack has one",
}
_HARMLESS: Final = "it only matters elsewhere"
_KNOWN_HARMLESS: Final = ("offline", "dotenv", "prune", "deployment-bucket", "localstack")


def normalise(document: Document) -> None:
    """Change ``document.data`` in place, after its variables are resolved."""
    data = document.data
    _note_and_drop(document, data, (), _TOP)
    _plugins(document)
    for name in ("stages", "params"):
        data.pop(name, None)  # their variables have been read
    if isinstance(data.get("service"), dict) and "name" in data["service"]:
        document.note("is written as a mapping: its name counts", "service")
        data["service"] = data["service"]["name"]
    for name in ("functions", "resources"):
        if isinstance(data.get(name), list):
            data[name] = _merged(document, data[name], (name,))
    for name in ("functions", "layers", "custom", "resources"):
        if name in data and data[name] is None:
            del data[name]
    constructs.expand(document)
    _provider(document, data.get("provider"))
    _package(document, data.get("package"), ("package",))
    layers = data.get("layers")
    for key, layer in layers.items() if isinstance(layers, dict) else ():
        _note_and_drop(document, layer, ("layers", key), _LAYER)
    _functions(document, data)
    _resources(document, data.get("resources"))


def _note_and_drop(
    document: Document, mapping: Any, path: KeyPath, keys: Mapping[str, str]
) -> None:
    if not isinstance(mapping, dict):
        return
    for key in [key for key in mapping if key in keys]:
        document.note(keys[key], *path, key)
        del mapping[key]


def _plugins(document: Document) -> None:
    plugins = document.data.pop("plugins", None)
    if isinstance(plugins, dict):
        plugins = plugins.get("modules")
    for index, plugin in enumerate(_as_list(plugins)):
        name = str(plugin)
        document.plugins.append(name)
        if name in (requirements.PLUGIN, requirements.WSGI_PLUGIN):  # what it does is done here
            continue
        said = _PLUGINS.get(name)
        if said is None and any(word in name for word in _KNOWN_HARMLESS):
            said = _HARMLESS
        document.note(
            f"the plugin {name} does not run here: {said or 'what it does is not known here'}",
            *("plugins", index),
        )


def _merged(document: Document, parts: list[Any], path: KeyPath) -> Any:
    """A list of mappings as one; what is not a mapping is left for the model to refuse."""
    if not all(isinstance(part, dict | None) for part in parts):
        return parts
    result: dict[str, Any] = {}
    for part in parts:
        result = _both(result, part or {})
    length = len(path)
    for places in (document.lines, document.columns):
        for place, where in list(places.items()):
            is_in_a_part = len(place) > length + 1 and isinstance(place[length], int)
            if is_in_a_part and place[:length] == path:
                places[(*path, *place[length + 1 :])] = where
    return result


def _both(one: Any, other: Any) -> Any:
    """Two values of one key: mappings are merged, lists item by item, and else the other counts."""
    if isinstance(one, dict) and isinstance(other, dict):
        return {
            key: _both(one[key], other[key])
            if key in one and key in other
            else {**one, **other}[key]
            for key in {**one, **other}
        }
    if isinstance(one, list) and isinstance(other, list):
        common = [_both(a, b) for a, b in zip(one, other, strict=False)]
        return [*common, *one[len(common) :], *other[len(common) :]]
    return other


def _provider(document: Document, provider: Any) -> None:
    if not isinstance(provider, dict):
        return
    path: KeyPath = ("provider",)
    if isinstance(provider.get("iamRoleStatements"), list):
        statements = provider.pop("iamRoleStatements")
        document.note("is read as provider.iam.role.statements", *path, "iamRoleStatements")
        iam = provider.setdefault("iam", {})
        role = iam.setdefault("role", {}) if isinstance(iam, dict) else None
        if isinstance(role, dict):
            role["statements"] = [*_as_list(role.get("statements")), *statements]
    _of_the_api(document, provider)
    _note_and_drop(document, provider, path, _PROVIDER)
    _note_and_drop(document, provider.get("apiGateway"), (*path, "apiGateway"), _API_GATEWAY)
    logs = provider.get("logs")
    _note_and_drop(document, logs, (*path, "logs"), _LOGS)
    if isinstance(logs, dict):
        _note_and_drop(document, logs.get("restApi"), (*path, "logs", "restApi"), _EXECUTION)
    iam = provider.get("iam")
    if isinstance(iam, dict):
        _note_and_drop(document, iam, (*path, "iam"), {"deploymentRole": _DEPLOY})
        role = iam.get("role")
        if isinstance(role, str) or (isinstance(role, dict) and _is_intrinsic(role)):
            document.note(_ROLE, *path, "iam", "role")
            del iam["role"]
        _note_and_drop(
            document, iam.get("role"), (*path, "iam", "role"), dict.fromkeys(_ROLE_KEYS, _ROLE)
        )
    for name in ("tags", "environment"):
        if name in provider and provider[name] is None:
            del provider[name]


def _of_the_api(document: Document, provider: dict[str, Any]) -> None:
    """Settings of the REST API where the framework's first versions had them."""
    for name in ("apiKeys", "resourcePolicy", "usagePlan"):
        if name not in provider:
            continue
        value, gateway = provider.pop(name), provider.setdefault("apiGateway", {})
        if isinstance(gateway, dict) and name not in gateway:
            document.note(f"is read as provider.apiGateway.{name}", "provider", name)
            gateway[name] = value
        else:
            document.note(f"is not read: provider.apiGateway.{name} counts", "provider", name)


def _is_intrinsic(value: dict[str, Any]) -> bool:
    return len(value) == 1 and next(iter(value)).startswith(("Ref", "Fn::"))


def _package(document: Document, package: Any, path: KeyPath) -> None:
    if not isinstance(package, dict):
        return
    _note_and_drop(document, package, path, _PACKAGE)
    old = {name: package.pop(name) for name in ("exclude", "include") if name in package}
    if not old:
        return
    document.note("is read as package.patterns, as the framework did", *path, next(iter(old)))
    package["patterns"] = [
        *(f"!{pattern}" for pattern in _as_list(old.get("exclude"))),
        *_as_list(old.get("include")),
        *_as_list(package.get("patterns")),
    ]


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _functions(document: Document, data: dict[str, Any]) -> None:
    functions = data.get("functions")
    if not isinstance(functions, dict):
        return
    provider = data.get("provider")
    layers = provider.pop("layers", None) if isinstance(provider, dict) else None
    for key, function in list(functions.items()):
        path = ("functions", key)
        if function is None:
            document.note("is left out, as by the framework: it says nothing", *path)
            del functions[key]
        if not isinstance(function, dict):
            continue
        if "image" in function:
            del functions[key]
            with document.collecting():
                document.fail(
                    f"functions.{key}.image: container images are not run here: functions run as"
                    " processes of this machine. Give the function a handler and a runtime.",
                    *(*path, "image"),
                )
            continue
        _note_and_drop(document, function, path, _FUNCTION)
        _package(document, function.get("package"), (*path, "package"))
        if layers is not None and "layers" not in function:
            function["layers"] = layers
        for name in ("description", "environment", "events", "tags", "layers"):
            if name in function and function[name] is None:
                del function[name]


def _resources(document: Document, resources: Any) -> None:
    if not isinstance(resources, dict):
        return
    for name in ("Resources", "Outputs"):
        if isinstance(resources.get(name), list):
            resources[name] = _merged(document, resources[name], ("resources", name))
        if name in resources and resources[name] is None:
            del resources[name]
    bodies = resources.get("Resources")
    if isinstance(bodies, dict):  # one that is nothing is refused later: it needs a type
        resources["Resources"] = {k: {} if body is None else body for k, body in bodies.items()}
    said = "is not read: CloudFormation's own"
    keys = ("AWSTemplateFormatVersion", "Description", "Metadata", "Transform")
    for key in keys:
        if key in resources:
            if key in ("Transform",):
                document.note(said, "resources", key)
            del resources[key]
