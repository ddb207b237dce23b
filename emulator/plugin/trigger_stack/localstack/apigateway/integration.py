"""Integrations of REST APIs that need the template language, for the engine.

What: LocalStack's chain for REST APIs (``RestApiGateway``) without the steps that the engine has
done: it begins after the authorizer, and knows what that said. Errors go to the engine.
Why: LocalStack has API Gateway's template language (VTL) and its AWS and HTTP integrations. Its own
answer to an error has none of the API's gateway responses, and the text of an exception.
Until: the engine has them.
Test: ``tests/engine/test_rest_api.py::test_mapping_templates``,
``tests/engine/test_rest_api_templates.py``.
"""

from __future__ import annotations

import functools
import logging
from typing import Any

from localstack.services.apigateway.models import apigateway_stores
from localstack.services.apigateway.next_gen.execute_api import handlers
from localstack.services.apigateway.next_gen.execute_api.gateway import RestApiGateway
from localstack.services.apigateway.next_gen.execute_api.gateway_response import (
    ApiConfigurationError,
    BaseGatewayException,
)
from localstack.services.apigateway.next_gen.execute_api.router import ApiGatewayEndpoint
from rolo import Request
from werkzeug.datastructures import Headers

from trigger_stack.localstack.apigateway import integration_answers, velocity
from trigger_stack.localstack.apigateway.http_integrations import Integrations
from trigger_stack_engine.wire import Header, Message

LOG = logging.getLogger(__name__)

_PATH = "/_aws/execute-api"


def answer(header: Header, body: bytes) -> Message:
    """Answer a request.

    Args:
        header: ``{api_id, stage, path, authorizer, request}``; ``request`` has the fields of the
            engine's ``HttpRequest``.
        body: The request's body.

    Returns:
        ``{status, headers}`` and the response's body. Status 0 is an error: the headers are then
        ``kind``, a gateway response type, ``message`` and ``status``.
    """
    fields = header["request"]
    raw_path = f"{_PATH}/{header['api_id']}/{header['stage']}{header['path']}"
    request = Request(
        fields["method"],
        path=raw_path,
        raw_path=raw_path,
        headers=Headers([(name, value) for name, value in fields["headers"]]),
        query_string=fields["raw_query"],
        body=body,
        scheme=fields["scheme"],
        remote_addr=fields["source_ip"],
    )
    endpoint = _endpoint()
    context: Any
    context, response = endpoint.prepare_rest_api_invocation(
        request, header["api_id"], header["stage"]
    )
    context.known_to_the_engine = header
    context.raised = None
    endpoint.rest_gateway.process_with_context(context, response)
    if context.raised is not None:
        return {"status": 0, "headers": _describe(context.raised)}, b""
    headers = [[name, value] for name, value in response.headers.items()]
    return {"status": response.status_code, "headers": headers}, response.get_data()


@functools.cache
def _endpoint() -> ApiGatewayEndpoint:
    velocity.install()
    integration_answers.install()
    gateway = RestApiGateway()
    done = (handlers.api_key_validation_handler, handlers.method_request_handler)
    steps = [step for step in gateway.request_handlers if step not in done]
    steps.insert(steps.index(handlers.parse_request) + 1, _complete)
    steps[steps.index(handlers.integration_handler)] = Integrations()
    gateway.request_handlers[:] = steps
    gateway.exception_handlers[:] = [_keep]
    return ApiGatewayEndpoint(gateway, apigateway_stores)


def _complete(chain: Any, context: Any, response: Any) -> None:
    """Handler: fill in what LocalStack does not know."""
    del chain, response
    known = context.known_to_the_engine
    variables = context.context_variables
    variables["identity"]["sourceIp"] = known["request"]["source_ip"]
    if known["authorizer"] is not None:
        variables["authorizer"] = known["authorizer"]


def _keep(chain: Any, exception: Exception, context: Any, response: Any) -> None:
    """Exception handler: keep what happened for the engine."""
    del chain, response
    if not isinstance(exception, BaseGatewayException):
        # For example a template that cannot be rendered; its text is not for the client.
        LOG.warning(
            "REST API %s: execution failed due to configuration error: %s",
            *(context.api_id, exception),
            exc_info=LOG.isEnabledFor(logging.DEBUG),
        )
        exception = ApiConfigurationError("Internal server error")
    context.raised = exception


def _describe(error: BaseGatewayException) -> list[list[str]]:
    described = [["kind", str(error.type)], ["status", str(int(error.status_code or 500))]]
    return described if error.message is None else [*described, ["message", error.message]]
