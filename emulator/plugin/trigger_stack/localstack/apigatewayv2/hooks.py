"""Where LocalStack starts the data plane, which is in the engine.

What: a start hook, and handlers in ``run_custom_response_handlers`` and
``serve_custom_service_request_handlers``, LocalStack's own lists.
Why: the engine must know of a change before its caller has an answer. Operations of REST APIs are
replaced before the first of them is called.
Until: as long as the engine serves HTTP APIs.
Test: ``tests/apigatewayv2/test_http_api_data_plane.py``, ``tests/engine/test_rest_api_keys.py``.
"""

from __future__ import annotations

import dataclasses
import sys
from typing import Any

from localstack import config
from localstack.aws.handlers import (
    preprocess_request,
    run_custom_response_handlers,
    serve_custom_service_request_handlers,
)
from localstack.runtime.exceptions import LocalstackExit
from localstack.runtime.hooks import on_infra_start
from localstack.services.plugins import SERVICE_PLUGINS
from localstack.utils.bootstrap import is_api_enabled

from trigger_stack.engine.supervisor import EngineUnavailableError
from trigger_stack.localstack.apigatewayv2.edge import EdgeHandler
from trigger_stack.localstack.apigatewayv2.store import apis
from trigger_stack.localstack.function_urls import edge as function_urls
from trigger_stack.services.apigatewayv2.models import Api
from trigger_stack.services.apigatewayv2.settings import InvalidSettingError, Settings
from trigger_stack.services.cloudfront.settings import Settings as CloudFrontSettings
from trigger_stack.services.elbv2.settings import Settings as LoadBalancerSettings
from trigger_stack_engine.front_doors.core.message import HttpRequest, HttpResponse
from trigger_stack_engine.front_doors.http_api.refusals import refuse
from trigger_stack_engine.wire import RemoteError

# Before the hooks that start other programs: an emulator that cannot have its port ends at once
# and leaves nothing behind.
_FIRST = 1000
_READS = ("Get", "List", "Export")


@on_infra_start(priority=_FIRST)
def start_http_apis() -> None:
    """Start the engine, which serves HTTP APIs on their own port, and let the edge port forward.

    Raises:
        LocalstackExit: Ends the emulator with code 1 and a sentence, when a setting is wrong or the
            port cannot be bound.
    """
    from trigger_stack.localstack.lambda_engine.control_plane import control_plane

    try:
        settings = Settings.from_environment(config.GATEWAY_LISTEN[0].port)
        LoadBalancerSettings.from_environment()  # refused now, not when the first one is made
        CloudFrontSettings.from_environment()
        if settings.port:
            listen = {"host": settings.listen, "port": settings.port, "api_id": settings.api_id}
            control_plane().push("listen", lambda: listen)
    except (InvalidSettingError, RemoteError, EngineUnavailableError) as error:
        control_plane().supervisor.close()
        raise LocalstackExit(str(error), code=1) from None
    preprocess_request.append(EdgeHandler(_forward))
    preprocess_request.append(function_urls.answer)
    preprocess_request.append(_answer_rest_api)
    run_custom_response_handlers.append(_push_changes)
    run_custom_response_handlers.append(_push_rest_apis)
    serve_custom_service_request_handlers.append(_replace_rest_operations)


def _answer_rest_api(chain: Any, context: Any, response: Any) -> None:
    """Request handler. LocalStack's service is loaded when it is used first, and so is this."""
    if "localstack.services.apigateway.models" in sys.modules:
        from trigger_stack.localstack.apigateway import edge

        edge.answer(chain, context, response)


def _replace_rest_operations(chain: Any, context: Any, response: Any) -> None:
    """Request handler: LocalStack loads its service after it."""
    del chain, response
    if context.service is None or context.service.service_name != "apigateway":
        return
    if is_api_enabled("apigateway"):  # else LocalStack says so
        from trigger_stack.localstack.apigateway import operations

        SERVICE_PLUGINS.require("apigateway")
        operations.install()


def _push_rest_apis(chain: Any, context: Any, response: Any) -> None:
    """Response handler."""
    if context.service is not None and context.service.service_name == "apigateway":
        from trigger_stack.localstack.apigateway import control_plane

        control_plane.push_changes(chain, context, response)


def _forward(api: Api, request: HttpRequest) -> HttpResponse:
    from trigger_stack.localstack.lambda_engine.control_plane import control_plane

    header = dataclasses.asdict(request)
    body = header.pop("body")
    try:
        reply, content = control_plane().call(
            {"op": "http_api", "api_id": api.api_id, "request": header}, body
        )
    except (EngineUnavailableError, RemoteError):
        return refuse(500, "Internal Server Error")
    return HttpResponse(reply["status"], [(k, v) for k, v in reply["headers"]], content)


def _push_changes(chain: Any, context: Any, response: Any) -> None:
    """Response handler: what an operation changed is served before its caller has an answer."""
    del chain, response
    if context.service is None or context.service.service_name != "apigatewayv2":
        return
    if context.operation is None or context.operation.name.startswith(_READS):
        return
    push_apis()


def push_apis() -> None:
    """Tell the engine which HTTP APIs there are."""
    from trigger_stack.localstack.lambda_engine.control_plane import control_plane

    def describe() -> list[Any]:
        with apis.lock:
            return [api.document() for api in apis.oldest_first()]

    control_plane().push("http_apis", describe)
