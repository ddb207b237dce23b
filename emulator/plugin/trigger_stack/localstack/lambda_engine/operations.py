"""Operations of Lambda that LocalStack lacks, or does something else in.

What: handlers in the dispatch table of LocalStack's Lambda service, put there when its first
request comes: ``InvokeWithResponseStream``; ``UpdateFunctionCode`` with ``DryRun``;
``DeleteFunction`` of a version; ``CreateFunction`` with a code signing configuration; lists of
versions and of provisioned concurrency in pages, and of layers; permissions of layers; the
concurrency of a function that is not there. Also those of ``event_sources.py``,
``invoke_async.py`` and ``runtime_management.py``, and sentences for what this stack does not have.
Why: LocalStack changes the code in a dry run. It deletes a version that an alias stands for, whose
invocations then find no function. It ignores the code signing configuration of a new function. Its
marker of the next page is a whole description, which no client can send back; once a layer has no
version any longer, its list of layers is an internal error, and it filters neither list of layers.
The policy of a layer says nothing of the organization that a permission is for. To remove a
permission of a layer that has none, and the concurrency of a function that is not there, are
internal errors. For operations that it lacks it names its licence.
Until: LocalStack does as AWS.
Test: ``tests/engine/test_lambda_operations.py``, ``tests/engine/test_response_streams.py``;
``tests/unit/plugin/test_lambda_requests_patch.py`` fails when LocalStack does it.

AWS topics: AWS Lambda API Reference, "UpdateFunctionCode" (``DryRun``), "DeleteFunction" ("You
can't delete a version that an alias references"), "CreateFunction", "ListVersionsByFunction",
"ListProvisionedConcurrencyConfigs", "ListLayers" and "ListLayerVersions"; Developer Guide,
"Granting layer access" (the condition ``aws:PrincipalOrgID``).
"""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from localstack.aws.api import CommonServiceException
from localstack.aws.api.lambda_ import (
    CodeSigningConfigNotFoundException,
    PreconditionFailedException,
    ResourceConflictException,
    ResourceNotFoundException,
)
from localstack.aws.handlers import serve_custom_service_request_handlers
from localstack.services.lambda_ import api_utils
from localstack.services.lambda_.invocation import lambda_service
from localstack.services.lambda_.invocation.lambda_models import Function
from localstack.services.lambda_.invocation.models import lambda_stores
from localstack.services.lambda_.provider import LambdaProvider
from localstack.services.plugins import SERVICE_PLUGINS
from localstack.utils.collections import PaginatedList

from trigger_stack.localstack.lambda_engine import (
    code_signing,
    event_sources,
    invoke_async,
    response_streams,
    runtime_management,
)
from trigger_stack.localstack.lambda_engine.versions import find_function

type _Handler = Callable[[Any, dict[str, Any]], Any]

_MOST_IN_PAGE: Final = 50
_ALL: Final = 10_000


def update_function_code(original: _Handler, context: Any, request: dict[str, Any]) -> Any:
    """The operation; a dry run says what would be, and changes nothing."""
    function = _function(context, request)
    if function is not None and function.code_signing_config_arn:
        known = lambda_stores[context.account_id][context.region].code_signing_configs
        signing = known.get(function.code_signing_config_arn)
        code_signing.check(signing, function.latest().id.unqualified_arn())
    if not request.get("DryRun") or function is None:
        return original(context, request)
    latest = function.latest()
    if request.get("RevisionId") not in (None, latest.config.revision_id):
        raise PreconditionFailedException(
            "The Revision Id provided does not match the latest Revision Id. "
            "Call the GetFunction/GetAlias API to retrieve the latest Revision Id",
            Type="User",
        )
    code = _stored(request, latest.id)
    if code is None:
        return original(context, request)  # it has a sentence for that
    try:
        config = dataclasses.replace(latest.config, code=code)
        answer = api_utils.map_config_out(dataclasses.replace(latest, config=config))
    finally:
        code.destroy()
    answer["RevisionId"] = latest.config.revision_id
    return answer


def _stored(request: Mapping[str, Any], place: Any) -> Any:
    """The code of a request as LocalStack stores it, which checks it; None without any."""
    named = {
        "function_name": place.function_name,
        "region_name": place.region,
        "account_id": place.account,
    }
    if content := request.get("ZipFile"):
        return lambda_service.store_lambda_archive(archive_file=content, **named)
    if bucket := request.get("S3Bucket"):
        return lambda_service.store_s3_bucket_archive(
            archive_bucket=bucket,
            archive_key=request.get("S3Key") or "",
            archive_version=request.get("S3ObjectVersion"),
            **named,
        )
    return None


def delete_function(original: _Handler, context: Any, request: dict[str, Any]) -> Any:
    """The operation; a version that an alias stands for stays."""
    function = _function(context, request)
    _, version = api_utils.get_name_and_qualifier(
        request["FunctionName"], request.get("Qualifier"), context
    )
    if function is not None and version:
        with function.lock:
            names = [name for name, alias in function.aliases.items() if _is_of(alias, version)]
        if names:
            raise ResourceConflictException(
                "Unable to delete version because the following aliases reference it:"
                f" [{', '.join(names)}]",
                Type="User",
            )
    return original(context, request)


def _is_of(alias: Any, version: str) -> bool:
    routing = alias.routing_configuration
    return version == alias.function_version or bool(routing and version in routing.version_weights)


def create_function(original: _Handler, context: Any, request: dict[str, Any]) -> Any:
    """The operation, with the code signing configuration of the new function."""
    arn = request.get("CodeSigningConfigArn")
    known = lambda_stores[context.account_id][context.region].code_signing_configs
    if arn and arn not in known:
        raise CodeSigningConfigNotFoundException(
            "The code signing configuration cannot be found. Check that the provided configuration"
            f" is not deleted: {arn}.",
            Type="User",
        )
    if arn:
        code_signing.check(known[arn], _new_arn(context, request))
    answer = original(context, request)
    function = _function(context, request)
    if arn and function is not None:
        function.code_signing_config_arn = arn
    return answer


def _new_arn(context: Any, request: Mapping[str, Any]) -> str:
    account, region = api_utils.get_account_and_region(request["FunctionName"], context)
    name = api_utils.get_function_name(request["FunctionName"], context)
    return str(api_utils.unqualified_lambda_arn(name, account, region))


def _in_pages(
    items: str, key: str, original: _Handler, context: Any, request: dict[str, Any]
) -> Any:
    """An operation that lists, in pages of at most fifty; ``key`` tells the items apart."""
    every = {**request, "MaxItems": _ALL}
    every.pop("Marker", None)
    return _page(items, key, request, original(context, every)[items])


def _page(items: str, key: str, request: Mapping[str, Any], found: list[Any]) -> dict[str, Any]:
    size = min(request.get("MaxItems") or _MOST_IN_PAGE, _MOST_IN_PAGE)
    pages: Any = PaginatedList(found)
    page, marker = pages.get_page(lambda one: str(one[key]), request.get("Marker"), size)
    return {items: page, "NextMarker": marker}


def list_layers(original: _Handler, context: Any, request: dict[str, Any]) -> Any:
    """The operation: each layer by the newest of its versions that fits."""
    del original
    runtime, architecture = _wanted(request)
    errors: list[str | None] = [
        api_utils.validate_layer_architecture(architecture),
        api_utils.validate_layer_runtime(runtime),
    ]
    if found := [error for error in errors if error]:
        count = f"{len(found)} validation error{'s' if len(found) > 1 else ''} detected: "
        raise CommonServiceException("ValidationException", count + ";".join(found))
    layers = []
    for name, layer in lambda_stores[context.account_id][context.region].layers.items():
        versions = [api_utils.map_layer_out(one) for one in layer.layer_versions.values()]
        if fitting := [one for one in versions if _fits(one, runtime, architecture)]:
            newest = max(fitting, key=_version_of)
            layers.append(
                {"LayerName": name, "LayerArn": layer.arn, "LatestMatchingVersion": newest}
            )
    return _page("Layers", "LayerName", request, layers)


def list_layer_versions(original: _Handler, context: Any, request: dict[str, Any]) -> Any:
    """The operation: the versions of a layer that fit."""
    every = {**request, "MaxItems": _ALL}
    every.pop("Marker", None)
    versions = original(context, every)["LayerVersions"]
    fitting = [one for one in versions if _fits(one, *_wanted(request))]
    return _page("LayerVersions", "Version", request, fitting)


def add_layer_permission(original: _Handler, context: Any, request: dict[str, Any]) -> Any:
    """The operation, which says for which organization it is."""
    answer = original(context, request)
    statement = json.loads(answer["Statement"])
    if organization := request.get("OrganizationId"):
        statement["Condition"] = _of_organization(organization)
    answer["Statement"] = json.dumps(statement)
    return answer


def remove_layer_permission(original: _Handler, context: Any, request: dict[str, Any]) -> Any:
    """The operation; a version without permissions does not have this one."""
    region, account, name, _ = LambdaProvider._resolve_layer(request["LayerName"], context)
    layer = lambda_stores[account][region].layers.get(name)
    version = layer and layer.layer_versions.get(str(request["VersionNumber"]))
    if version and version.policy is None:
        raise ResourceNotFoundException(
            f"Statement {request['StatementId']} is not found in resource policy.", Type="User"
        )
    return original(context, request)


def delete_concurrency(original: _Handler, context: Any, request: dict[str, Any]) -> Any:
    """The operation; there must be such a function."""
    if _function(context, request) is None:
        arn = _new_arn(context, request)
        raise ResourceNotFoundException(f"Function not found: {arn}", Type="User")
    return original(context, request)


def _refuse(reason: str, context: Any, request: Any) -> Any:
    del request
    message = f"{context.operation.name}: this stack has no {reason}."
    raise CommonServiceException("InternalFailure", message, status_code=501)


def get_layer_policy(original: _Handler, context: Any, request: dict[str, Any]) -> Any:
    """The operation, with the organizations that statements are for."""
    answer = original(context, request)
    region, account, name, _ = LambdaProvider._resolve_layer(request["LayerName"], context)
    version = (
        lambda_stores[account][region].layers[name].layer_versions[str(request["VersionNumber"])]
    )
    policy = json.loads(answer["Policy"])
    for statement in policy["Statement"]:
        known = version.policy.statements.get(statement["Sid"]) if version.policy else None
        if known is not None and known.organization_id:
            statement["Condition"] = _of_organization(known.organization_id)
    answer["Policy"] = json.dumps(policy)
    return answer


def _of_organization(organization: str) -> dict[str, Any]:
    return {"StringEquals": {"aws:PrincipalOrgID": organization}}


def _wanted(request: Mapping[str, Any]) -> tuple[Any, Any]:
    """Runtime and architecture that layers are asked for; None: any."""
    return request.get("CompatibleRuntime"), request.get("CompatibleArchitecture")


def _version_of(version: Mapping[str, Any]) -> int:
    return int(version["Version"])


def _fits(version: Mapping[str, Any], runtime: str | None, architecture: str | None) -> bool:
    return (runtime is None or runtime in (version.get("CompatibleRuntimes") or [])) and (
        architecture is None or architecture in (version.get("CompatibleArchitectures") or [])
    )


def _function(context: Any, request: Mapping[str, Any]) -> Function | None:
    account, region = api_utils.get_account_and_region(request["FunctionName"], context)
    name = api_utils.get_function_name(request["FunctionName"], context)
    return find_function(account, region, name)


_WRAPPED: Final[Mapping[str, Callable[..., Any]]] = {
    "UpdateFunctionCode": update_function_code,
    "DeleteFunction": delete_function,
    "CreateFunction": create_function,
    "ListVersionsByFunction": partial(_in_pages, "Versions", "Version"),
    "ListProvisionedConcurrencyConfigs": partial(
        _in_pages, "ProvisionedConcurrencyConfigs", "FunctionArn"
    ),
    "AddLayerVersionPermission": add_layer_permission,
    "RemoveLayerVersionPermission": remove_layer_permission,
    "DeleteFunctionConcurrency": delete_concurrency,
    "UpdateEventSourceMapping": event_sources.update,
    "ListEventSourceMappings": event_sources.list_mappings,
    "GetLayerVersionPolicy": get_layer_policy,
    "ListLayers": list_layers,
    "ListLayerVersions": list_layer_versions,
}


#: What LocalStack's open release lacks, and nothing here can do.
_LEFT_OUT: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        (
            *("CreateCapacityProvider", "DeleteCapacityProvider", "GetCapacityProvider"),
            *("ListCapacityProviders", "ListFunctionVersionsByCapacityProvider"),
            *("UpdateCapacityProvider", "GetFunctionScalingConfig", "PutFunctionScalingConfig"),
        ),
        "Lambda Managed Instances, whose capacity providers and scaling these are of",
    ),
    **dict.fromkeys(
        (
            *("CheckpointDurableExecution", "GetDurableExecution", "GetDurableExecutionHistory"),
            *("GetDurableExecutionState", "ListDurableExecutionsByFunction"),
            *("SendDurableExecutionCallbackFailure", "SendDurableExecutionCallbackHeartbeat"),
            *("SendDurableExecutionCallbackSuccess", "StopDurableExecution"),
        ),
        "durable executions",
    ),
}


#: Two first requests may come at once: the second one waits for the handlers.
_replacing: Final = threading.Lock()
_replaced: Final = threading.Event()


def _provide(chain: Any, context: Any, response: Any) -> None:
    """Request handler: LocalStack's Lambda service is loaded by now."""
    del chain, response
    if context.service is None or context.service.service_name != "lambda" or _replaced.is_set():
        return
    with _replacing:
        if not _replaced.is_set():
            _replace_handlers()
            _replaced.set()


def _replace_handlers() -> None:
    service: Any = SERVICE_PLUGINS.get_service("lambda")
    table = service.skeleton.dispatch_table
    table |= {name: partial(handler, table[name]) for name, handler in _WRAPPED.items()}
    provider = service.lifecycle_hook
    table |= {name: partial(_refuse, reason) for name, reason in _LEFT_OUT.items()}
    table["InvokeWithResponseStream"] = partial(response_streams.invoke, provider)
    table["InvokeAsync"] = partial(invoke_async.invoke, provider)
    table["PutRuntimeManagementConfig"] = runtime_management.put
    table["GetRuntimeManagementConfig"] = runtime_management.get


def install() -> None:
    """Put the handler in place. Idempotent."""
    if _provide not in serve_custom_service_request_handlers.handlers:
        serve_custom_service_request_handlers.append(_provide)
