"""The engine knows every function URL.

What: a handler in ``run_custom_response_handlers``, LocalStack's own list, tells the engine which
URLs there are; ``provider.FunctionUrlConfig`` gets an address that every client resolves.
Why: the engine must know of a change before its caller has an answer; LocalStack names hosts below
``localhost.localstack.cloud``, which needs a name server.
Until: as long as the engine answers for function URLs.
Test: ``tests/engine/test_function_url.py``.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from localstack import config
from localstack.aws.handlers import run_custom_response_handlers
from localstack.services.lambda_ import provider as lambda_provider
from localstack.services.lambda_.api_utils import function_locators_from_arn
from localstack.services.lambda_.invocation.models import lambda_stores

from trigger_stack.localstack.lambda_engine.control_plane import control_plane
from trigger_stack.services.apigatewayv2.settings import Settings
from trigger_stack_engine.front_doors.function_url.url import PATH_PREFIX

_CHANGES = frozenset(
    {
        "CreateFunctionUrlConfig",
        "UpdateFunctionUrlConfig",
        "DeleteFunctionUrlConfig",
        "DeleteFunction",
        "DeleteAlias",
    }
)


def install() -> None:
    """Have the engine answer. Idempotent."""
    original: Any = lambda_provider.FunctionUrlConfig
    if getattr(original, "_trigger_stack", False):
        return

    def make(*args: Any, **kwargs: Any) -> Any:
        made = original(*args, **kwargs)
        return dataclasses.replace(made, url=address(made.url_id))

    make._trigger_stack = True  # type: ignore[attr-defined]  # a mark
    lambda_provider.FunctionUrlConfig = make  # type: ignore[assignment, misc]  # the patch
    run_custom_response_handlers.append(_push_changes)


def address(url_id: str) -> str:
    """The URL, with a name that every client resolves: on the engine's port when there is one."""
    edge = config.GATEWAY_LISTEN[0].port
    port = Settings.from_environment(edge).port or edge
    return f"http://localhost:{port}{PATH_PREFIX}{url_id}/"


def _push_changes(chain: Any, context: Any, response: Any) -> None:
    """Response handler: what an operation changed is served before its caller has an answer."""
    del chain, response
    if context.service is None or context.service.service_name != "lambda":
        return
    if context.operation is None:
        return
    if context.operation.name in _CHANGES:
        control_plane().push("function_urls", _describe)
    elif context.operation.name == "AddPermission":
        _complete_permission(context)


def _complete_permission(context: Any) -> None:
    """Add the condition of ``InvokedViaFunctionUrl``, which LocalStack leaves out."""
    request = context.service_request or {}
    if not request.get("InvokedViaFunctionUrl"):
        return
    name, _, account, region = function_locators_from_arn(request["FunctionName"])
    account, region = account or context.account_id, region or context.region
    name = name or request["FunctionName"]
    function = lambda_stores[account][region].functions.get(name)
    permission = function and function.permissions.get(request.get("Qualifier") or "$LATEST")
    for statement in permission.policy.Statement if permission else ():
        if statement["Sid"] == request["StatementId"]:
            condition = {"Bool": {"lambda:InvokedViaFunctionUrl": "true"}}
            statement["Condition"] = {**statement.get("Condition", {}), **condition}
    control_plane().push_function(account, region, name)


def _describe() -> list[dict[str, Any]]:
    return [
        {
            "url_id": url.url_id,
            "function_arn": url.function_arn,
            "auth_type": str(url.auth_type),
            "invoke_mode": str(url.invoke_mode or "BUFFERED"),
            "cors": dict(url.cors) if url.cors else None,
        }
        for _, _, store in lambda_stores.iter_stores()
        for function in list(store.functions.values())
        for url in list(function.function_url_configs.values())
    ]
