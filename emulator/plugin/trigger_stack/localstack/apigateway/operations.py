"""Operations of API Gateway that LocalStack refuses, or takes where AWS refuses.

What: handlers in the dispatch table of LocalStack's service: ``GetUsage`` asks the engine, which
counts; ``UpdateStage`` takes the settings of methods away that are to be removed;
``FlushStageAuthorizersCache`` makes the engine forget what authorizers said, and
``FlushStageCache`` does nothing, because there is no such cache; ``PutIntegration``,
``UpdateIntegration``, ``ImportRestApi`` and ``PutRestApi`` refuse a time-out outside AWS's quota;
what is not there, a policy that is none and a document that is none are refused. Also those of
``keys.py`` and ``tried_authorizers.py``, and sentences for what this stack does not have.
Why: LocalStack answers 501 for ``GetUsage`` and both flushes, and removes the settings of ``*/*``
alone. An unknown deployment or kind of export, an integration that is not there, a policy that is
no JSON and a document that is no object are internal errors; such a policy makes each later
``GetRestApis`` one, too. With a time-out of a minute an API answers here what on AWS cannot be
deployed.
Until: LocalStack has them, and counts requests with API keys.
Test: ``tests/engine/test_rest_api_operations.py``, ``tests/engine/test_rest_api_answers.py``;
``tests/unit/plugin/test_lambda_requests_patch.py`` and
``tests/unit/plugin/test_rest_api_operations_patch.py`` fail when LocalStack has one of them.

AWS topics: API Gateway REST API Reference, "GetUsage", "FlushStageAuthorizersCache" and
"FlushStageCache"; Developer Guide, "Patch operations", ``UpdateStage``: ``remove`` of
``/{resourcePath}/{httpMethod}``, and "Quotas for configuring and running a REST API in API Gateway"
(integration time-out: 50 ms to 29 s, unless the quota is raised); the text is on record.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from functools import partial
from typing import Any, Final

from localstack.aws.api import CommonServiceException
from localstack.aws.api.apigateway import BadRequestException, NotFoundException
from localstack.services.apigateway.next_gen.execute_api.moto_helpers import get_usage_plans
from localstack.services.plugins import SERVICE_PLUGINS
from localstack.utils.json import parse_json_or_yaml
from localstack.utils.strings import to_str
from moto.apigateway.models import apigateway_backends

from trigger_stack.localstack.apigateway import keys, tried_authorizers
from trigger_stack.localstack.lambda_engine.control_plane import control_plane

_OF_METHOD: Final = re.compile(
    r"/((?!variables/)[^/]+/(?:ANY|DELETE|GET|HEAD|OPTIONS|PATCH|POST|PUT|\*))"
)
type _Handler = Callable[[Any, dict[str, Any]], Any]

_TIMEOUTS_MS: Final = range(50, 29_001)
_NO_TIMEOUT: Final = "Timeout should be between 50 ms and 29000 ms"
_INTEGRATION: Final = "x-amazon-apigateway-integration"
_ANY: Final = "x-amazon-apigateway-any-method"
_NO_POLICY: Final = (
    "Invalid policy document. Please check the policy syntax and ensure that Principals are valid."
)
_EXPORTS: Final = ("swagger", "oas30")
_FORMATS: Final = (None, "application/json", "application/yaml")

#: How often the cache of a stage's authorizers was emptied, by API and stage.
flushed: Final[Counter[tuple[str, str]]] = Counter()


def get_usage(context: Any, request: Mapping[str, Any]) -> dict[str, Any]:
    """The operation: for each key what it used and had left at the end of each day.

    AWS counts against a quota: a plan without one has no usage here.
    """
    plan_id = request["usagePlanId"]
    plans = get_usage_plans(context.account_id, context.region)
    if all(str(plan["id"]) != plan_id for plan in plans):
        raise NotFoundException("Invalid Usage Plan ID specified")
    try:
        first, last = (date.fromisoformat(request[name]) for name in ("startDate", "endDate"))
    except ValueError:
        raise BadRequestException("Invalid date: startDate and endDate are YYYY-MM-DD") from None
    reply, _ = control_plane().call(
        {"op": "usage", "plan": plan_id, "first": f"{first}", "last": f"{last}"}
    )
    wanted = request.get("keyId")
    items = {key: days for key, days in reply["usage"].items() if wanted in (None, key)}
    return {
        "usagePlanId": plan_id,
        "startDate": f"{first}",
        "endDate": f"{last}",
        "items": items,
    }


def update_stage(original: _Handler, context: Any, request: dict[str, Any]) -> Any:
    """The operation, in which settings of methods may be removed."""
    operations = request.get("patchOperations") or []
    removed = [match[1] for one in operations if (match := _removed(one))]
    if not removed:
        return original(context, request)
    backend = apigateway_backends[context.account_id][context.region]
    api = backend.apis.get(request["restApiId"])
    stage = api.stages.get(request["stageName"]) if api else None
    if api is None or stage is None:
        raise NotFoundException("Invalid Stage identifier specified")
    for key in removed:
        if key not in stage.method_settings:
            raise BadRequestException(
                f"Cannot remove method setting {key} because there is no method setting for this"
                " method "
            )
    rest = [one for one in operations if not _removed(one)]
    answer = original(context, {**request, "patchOperations": rest})
    changed = api.stages[request["stageName"]]  # LocalStack puts a copy in its place
    for key in removed:
        changed.method_settings.pop(key, None)
        answer.get("methodSettings", {}).pop(key, None)
    return answer


def _removed(operation: Mapping[str, Any]) -> re.Match[str] | None:
    is_removal = operation.get("op") == "remove"
    return _OF_METHOD.fullmatch(operation.get("path") or "") if is_removal else None


def flush_authorizers(context: Any, request: Mapping[str, Any]) -> dict[str, Any]:
    """The operation: authorizers of the stage are asked anew."""
    api, stage = _stage(context, request)
    flushed[api, stage] += 1
    return {}


def flush_cache(context: Any, request: Mapping[str, Any]) -> dict[str, Any]:
    """The operation, for a cache that no stage has here."""
    _stage(context, request)
    return {}


def _stage(context: Any, request: Mapping[str, Any]) -> tuple[str, str]:
    api = apigateway_backends[context.account_id][context.region].apis.get(request["restApiId"])
    if api is None or request["stageName"] not in api.stages:
        raise NotFoundException("Invalid stage identifier specified")
    return request["restApiId"], request["stageName"]


def put_integration(original: _Handler, context: Any, request: dict[str, Any]) -> Any:
    """The operation; a time-out outside the quota is refused."""
    _check_timeout(request.get("timeoutInMillis"))
    return original(context, request)


def update_integration(original: _Handler, context: Any, request: dict[str, Any]) -> Any:
    """The operation; a time-out outside the quota is refused, and there must be an integration."""
    _method_with_integration(context, request)
    for operation in request.get("patchOperations") or []:
        if operation.get("path") == "/timeoutInMillis" and operation.get("op") == "replace":
            _check_timeout(operation.get("value"))
    return original(context, request)


def import_api(original: _Handler, context: Any, request: dict[str, Any]) -> Any:
    """The operation; a document with a time-out outside the quota is refused."""
    content = to_str(request["body"].read())
    request["body"].seek(0)
    try:
        document = parse_json_or_yaml(content)
    except Exception:  # LocalStack's parser has no class for what it raises
        document = None
    if not isinstance(document, dict) or not {"swagger", "openapi"} & document.keys():
        raise BadRequestException("Invalid OpenAPI input.")
    if problems := list(_problems(document)):
        raise BadRequestException("Errors found during import:\n\t" + "\n\t".join(problems))
    return original(context, request)


def _problems(document: Any) -> Iterator[str]:
    paths = document.get("paths") if isinstance(document, dict) else None
    for path, methods in (paths if isinstance(paths, dict) else {}).items():
        for name, method in (methods if isinstance(methods, dict) else {}).items():
            settings = method.get(_INTEGRATION) if isinstance(method, dict) else None
            try:
                _check_timeout((settings or {}).get("timeoutInMillis"))
            except BadRequestException as error:
                method_name = "ANY" if name == _ANY else str(name).upper()
                yield (
                    f"Unable to put integration on '{method_name}' for resource at path '{path}':"
                    f" {error.message}"
                )


def _check_timeout(value: Any) -> None:
    if value is not None and (not str(value).isdigit() or int(value) not in _TIMEOUTS_MS):
        raise BadRequestException(_NO_TIMEOUT)


def update_integration_response(original: _Handler, context: Any, request: dict[str, Any]) -> Any:
    """The operation; there must be an integration."""
    _method_with_integration(context, request)
    return original(context, request)


def _method_with_integration(context: Any, request: Mapping[str, Any]) -> None:
    api = apigateway_backends[context.account_id][context.region].apis.get(request["restApiId"])
    resource = api.resources.get(request["resourceId"]) if api else None
    method = resource.resource_methods.get(request["httpMethod"]) if resource else None
    if method is not None and method.method_integration is None:
        raise NotFoundException("Invalid Integration identifier specified")


def get_deployment(original: _Handler, context: Any, request: dict[str, Any]) -> Any:
    """The operation; there must be such a deployment."""
    api = apigateway_backends[context.account_id][context.region].apis.get(request["restApiId"])
    if api is not None and request["deploymentId"] not in api.deployments:
        raise NotFoundException("Invalid Deployment identifier specified")
    return original(context, request)


def get_export(original: _Handler, context: Any, request: dict[str, Any]) -> Any:
    """The operation; API Gateway exports OpenAPI 2 and 3."""
    kind = request["exportType"]
    if kind not in _EXPORTS:
        raise BadRequestException(f"No API exporter for type '{kind}'")
    if request.get("accepts") == "*/*":
        request = {**request, "accepts": None}
    if request.get("accepts") not in _FORMATS:
        raise BadRequestException(f"Exports are JSON or YAML, not {request['accepts']}")
    return original(context, request)


def create_api(original: _Handler, context: Any, request: dict[str, Any]) -> Any:
    """The operation; a policy is JSON."""
    _check_policy(request.get("policy"))
    return original(context, request)


def update_api(original: _Handler, context: Any, request: dict[str, Any]) -> Any:
    """The operation; a policy is JSON."""
    for operation in request.get("patchOperations") or []:
        if operation.get("path") == "/policy" and operation.get("op") in ("add", "replace"):
            _check_policy(operation.get("value"))
    return original(context, request)


def _check_policy(text: Any) -> None:
    if not text:
        return
    for candidate in (text, text.replace('\\"', '"').replace("\\/", "/")):
        try:
            if isinstance(json.loads(candidate), dict):
                return
        except ValueError:
            continue
    raise BadRequestException(_NO_POLICY)


def _refuse(reason: str, context: Any, request: Any) -> Any:
    del request
    message = f"{context.operation.name}: {reason}"
    raise CommonServiceException("InternalFailure", message, status_code=501)


_WRAPPED: Final[Mapping[str, Callable[..., Any]]] = {
    "UpdateStage": update_stage,
    "PutIntegration": put_integration,
    "UpdateIntegration": update_integration,
    "ImportRestApi": import_api,
    "PutRestApi": import_api,
    "UpdateIntegrationResponse": update_integration_response,
    "GetDeployment": get_deployment,
    "GetExport": get_export,
    "CreateRestApi": create_api,
    "UpdateRestApi": update_api,
    "GetApiKeys": keys.get_api_keys,
}
_OWN: Final[Mapping[str, Callable[..., Any]]] = {
    "GetUsage": get_usage,
    "UpdateUsage": keys.update_usage,
    "ImportApiKeys": keys.import_api_keys,
    "FlushStageAuthorizersCache": flush_authorizers,
    "FlushStageCache": flush_cache,
    "TestInvokeAuthorizer": tried_authorizers.test_invoke_authorizer,
}
#: What LocalStack's open release lacks, and nothing here can do.
_LEFT_OUT: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        ("GetSdk", "GetSdkType", "GetSdkTypes"), "this stack generates no client SDKs of APIs."
    ),
    "GetModelTemplate": "this stack generates no mapping templates of models.",
    **dict.fromkeys(
        (
            *("CreateDomainNameAccessAssociation", "DeleteDomainNameAccessAssociation"),
            *("GetDomainNameAccessAssociations", "RejectDomainNameAccessAssociation"),
        ),
        "this stack has no private custom domain names.",
    ),
}


def install() -> None:
    """Put the handlers in place, once LocalStack's service is loaded. Idempotent."""
    service: Any = SERVICE_PLUGINS.get_service("apigateway")
    table = service.skeleton.dispatch_table
    if table.get("GetUsage") is get_usage:
        return
    table |= {name: partial(handler, table[name]) for name, handler in _WRAPPED.items()}
    table |= _OWN
    table |= {name: partial(_refuse, reason) for name, reason in _LEFT_OUT.items()}
