"""Integrations of REST APIs that need the template language, for the engine.

What: LocalStack's chain for REST APIs (``RestApiGateway``) without the steps that the engine has
done: it begins after the authorizer, and knows what that said.
Why: LocalStack has API Gateway's template language (VTL) and its AWS and HTTP integrations.
Until: the engine has them.
Test: ``tests/engine/test_rest_api.py::test_mapping_templates``.
"""

from __future__ import annotations

import copy
import functools
from typing import Any

from localstack.services.apigateway.models import apigateway_stores
from localstack.services.apigateway.next_gen.execute_api import handlers
from localstack.services.apigateway.next_gen.execute_api.gateway import RestApiGateway
from localstack.services.apigateway.next_gen.execute_api.router import ApiGatewayEndpoint
from rolo import Request
from werkzeug.datastructures import Headers

from trigger_stack.localstack.apigateway.templates import Templates
from trigger_stack_engine.wire import Header, Message

_PATH = "/_aws/execute-api"


def answer(header: Header, body: bytes) -> Message:
    """Answer a request.

    Args:
        header: ``{api_id, stage, path, authorizer, request}``; ``request`` has the fields of the
            engine's ``HttpRequest``.
        body: The request's body.

    Returns:
        ``{status, headers}`` and the response's body.
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
    endpoint.rest_gateway.process_with_context(context, response)
    headers = [[name, value] for name, value in response.headers.items()]
    return {"status": response.status_code, "headers": headers}, response.get_data()


@functools.cache
def _endpoint() -> ApiGatewayEndpoint:
    gateway = RestApiGateway()
    done = (handlers.api_key_validation_handler, handlers.method_request_handler)
    steps = [step for step in gateway.request_handlers if step not in done]
    steps.insert(steps.index(handlers.parse_request) + 1, _complete)
    mapping = copy.copy(handlers.integration_request_handler)
    mapping._vtl_template = Templates()
    steps[steps.index(handlers.integration_request_handler)] = mapping
    gateway.request_handlers[:] = steps
    return ApiGatewayEndpoint(gateway, apigateway_stores)


def _complete(chain: Any, context: Any, response: Any) -> None:
    """Handler: fill in what LocalStack does not know."""
    del chain, response
    known = context.known_to_the_engine
    variables = context.context_variables
    variables["identity"]["sourceIp"] = known["request"]["source_ip"]
    if known["authorizer"] is not None:
        variables["authorizer"] = known["authorizer"]
